//! Which request is waited for, and which limit ended the wait: blamed is the one that hung.

use std::sync::Mutex;

use common::registry::http::{Observer, Stage, Wait};

use super::*;

/// What was waited for, and what still is.
#[derive(Debug, Default)]
struct Noted {
    begun: Mutex<Vec<(String, Stage, bool)>>,
    open: Arc<Mutex<usize>>,
}

struct Open(Arc<Mutex<usize>>);

impl Drop for Open {
    fn drop(&mut self) {
        *self.0.lock().unwrap() -= 1;
    }
}

impl Observer for Noted {
    fn waits(&self, wait: &Wait<'_>) -> Box<dyn Send> {
        self.begun.lock().unwrap().push((wait.request.to_owned(), wait.stage, wait.until.is_some()));
        *self.open.lock().unwrap() += 1;
        Box::new(Open(Arc::clone(&self.open)))
    }
}

fn observed() -> (Client, Arc<Noted>) {
    let noted = Arc::<Noted>::default();
    let observer: Arc<dyn Observer> = Arc::<Noted>::clone(&noted);
    (Client::new(Config { observer: Some(observer), ..Config::default() }).unwrap(), noted)
}

/// A registry that sends every request elsewhere: for a token, or for the content.
async fn sends_to(
    status: u16,
    header: &'static str,
    value: impl Fn() -> String + Send + Sync + 'static,
) -> Server {
    Server::start(move |_, _| Reply::new(status).header(header, &value()).body(b"")).await
}

#[tokio::test]
async fn the_request_that_hangs_is_blamed_with_the_limit_that_ended_the_wait() {
    let silent = Server::start(|_, _| Reply::new(200).stall()).await;
    let host = silent.host();
    let token =
        sends_to(401, "www-authenticate", move || format!("Bearer realm=\"http://{host}/token?a=b\"")).await;
    let host = silent.host();
    let storage = sends_to(307, "location", move || format!("http://{host}/store/x?sig=secret")).await;
    let all = client();
    let limited = || all.with_time_limit(Duration::from_secs(1), "1s (--limit)");
    let failed = fault(limited().manifest(&app(&token), &tag("1")).await);
    assert_eq!(failed.to_string(), format!("GET {}/token: no answer within 1s (--limit)", silent.host()));
    let digest = Digest::of(b"x");
    let failed = fault(limited().blob(&app(&storage), &digest, 9).await);
    assert_eq!(failed.to_string(), format!("GET {}/store/x: no answer within 1s (--limit)", silent.host()));
    let failed = fault(limited().manifest(&app(&silent), &tag("1")).await);
    assert_eq!(
        failed.to_string(),
        format!("GET {}/v2/acme/app/manifests/1: no answer within 1s (--limit)", silent.host())
    );
    // Without a name for the limit, none is given.
    let unnamed = all.with_deadline(Instant::now() + Duration::from_millis(300));
    let failed = fault(unnamed.manifest(&app(&silent), &tag("1")).await);
    assert!(failed.to_string().ends_with(": no answer in time"), "{failed}");
}

#[tokio::test]
async fn every_wait_is_told_while_it_lasts_and_without_what_is_secret() {
    let silent = Server::start(|_, _| Reply::new(200).stall()).await;
    let host = silent.host();
    let token =
        sends_to(401, "www-authenticate", move || format!("Bearer realm=\"http://{host}/token?a=b\"")).await;
    let (client, noted) = observed();
    let (place, version) = (app(&token), tag("1"));
    let read = client.without_time_limit();
    let read = read.manifest(&place, &version);
    assert!(tokio::time::timeout(Duration::from_millis(500), read).await.is_err());
    let asked = format!("GET http://{}/token", silent.host());
    let begun = std::mem::take(&mut *noted.begun.lock().unwrap());
    assert_eq!(begun.last(), Some(&(asked, Stage::Answer, false)), "{begun:?}");
    assert_eq!(*noted.open.lock().unwrap(), 0, "the caller has gone");
    // A registry that wants to be asked again later.
    let busy = Server::start(|_, _| Reply::new(429).header("retry-after", "1").body(b"")).await;
    let failed = fault(client.manifest(&app(&busy), &tag("1")).await);
    assert_eq!(failed.attempts, 3);
    let stages: Vec<_> =
        noted.begun.lock().unwrap().iter().map(|(_, stage, limited)| (*stage, *limited)).collect();
    assert_eq!(stages.iter().filter(|stage| **stage == (Stage::Attempt, true)).count(), 2, "{stages:?}");
    assert_eq!(*noted.open.lock().unwrap(), 0);
}
