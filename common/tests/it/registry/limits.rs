//! Places among the requests to one registry, and the deadline that all share.

use super::*;

/// Attack A41: a registry that does not answer holds up nobody else.
#[tokio::test]
async fn a_slow_registry_blocks_only_its_own_requests() {
    let slow = Server::start(|_, _| Reply::new(200).stall()).await;
    let fast = Server::start(|_, _| manifest(&image("a"))).await;
    let client = client().with_deadline(Instant::now() + Duration::from_secs(2));
    let waiting: Vec<_> = (0..=common::limits::REGISTRY_REQUESTS)
        .map(|_| {
            let (client, at) = (client.clone(), app(&slow));
            tokio::spawn(async move { problem(client.manifest(&at, &tag("1")).await) })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let begin = Instant::now();
    assert!(client.manifest(&app(&fast), &tag("1")).await.unwrap().is_some());
    assert!(begin.elapsed() < Duration::from_secs(1));
    for waiter in waiting {
        assert_eq!(waiter.await.unwrap(), RegistryProblem::DeadlineExceeded);
    }
    // The last of them waited for a place, and that is counted too.
    assert_eq!(slow.requests().len(), common::limits::REGISTRY_REQUESTS);
}

#[tokio::test]
async fn a_deadline_is_one_for_all_requests_of_a_view() {
    let server = Server::start(|_, _| manifest(&image("a")).pause(Duration::from_millis(1))).await;
    let all = client();
    let over = all.with_deadline(Instant::now());
    assert_eq!(problem(over.manifest(&app(&server), &tag("1")).await), RegistryProblem::DeadlineExceeded);
    assert_eq!(
        problem(over.referrers(&app(&server), &Digest::of(b"x")).await),
        RegistryProblem::DeadlineExceeded
    );
    assert!(all.manifest(&app(&server), &tag("1")).await.unwrap().is_some());
}
