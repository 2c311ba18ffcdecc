//! The writes of signing and attesting.

use std::collections::BTreeMap;
use std::sync::Mutex;

use common::registry::push::Push as _;

use super::*;

type Store = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

/// A registry in memory. One that `keeps_referrers` says so, and does not.
async fn registry(keeps_referrers: bool) -> (Server, Store) {
    let store = Store::default();
    let kept = Arc::clone(&store);
    let server =
        Server::start(move |request, _| answer(&mut kept.lock().unwrap(), request, keeps_referrers)).await;
    (server, store)
}

fn answer(store: &mut BTreeMap<String, Vec<u8>>, request: &Request, keeps_referrers: bool) -> Reply {
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    match request.method.as_str() {
        "POST" => Reply::new(202).header("location", "/v2/acme/app/blobs/uploads/7?state=x").body(b""),
        "PUT" if path.contains("uploads") => {
            let digest = query.strip_prefix("state=x&digest=").unwrap().replace("%3A", ":");
            assert_eq!(digest, Digest::of(&request.body).to_string());
            store.insert(format!("/v2/acme/app/blobs/{digest}"), request.body.clone());
            Reply::new(201).body(b"")
        }
        "PUT" => {
            store.insert(path.to_owned(), request.body.clone());
            let reply = Reply::new(201).body(b"");
            if keeps_referrers { reply.header("oci-subject", "sha256:x") } else { reply }
        }
        "HEAD" => Reply::new(if store.contains_key(path) { 200 } else { 404 }),
        _ => store.get(path).map_or_else(not_there, |bytes| Reply::new(200).body(bytes)),
    }
}

fn signature(number: u8) -> Vec<u8> {
    let value = json!({
        "schemaVersion": 2, "mediaType": IMAGE, "artifactType": "application/vnd.example.signature",
        "config": descriptor("{}"), "layers": [descriptor(&number.to_string())],
        "subject": {"mediaType": IMAGE, "digest": Digest::of(b"subject").to_string(), "size": 7},
        "annotations": {"number": number.to_string()},
    });
    value.to_string().into()
}

#[tokio::test]
async fn a_blob_is_written_once() {
    let (server, store) = registry(true).await;
    let client = client();
    for _ in 0..2 {
        let digest = client.put_blob(&app(&server), b"payload".as_slice().into()).await.unwrap();
        assert_eq!(digest, Digest::of(b"payload"));
    }
    assert_eq!(store.lock().unwrap().len(), 1);
    let digest = Digest::of(b"payload");
    let head = format!("HEAD /v2/acme/app/blobs/{digest}");
    let upload = format!("PUT /v2/acme/app/blobs/uploads/7?state=x&digest=sha256%3A{}", digest.hex());
    assert_eq!(server.paths(), [head.as_str(), "POST /v2/acme/app/blobs/uploads/", &upload, &head]);
}

#[tokio::test]
async fn a_manifest_is_written_under_its_tag_or_digest() {
    let (server, store) = registry(true).await;
    let client = client();
    let bytes: Arc<[u8]> = image("a").into();
    let digest = client.put_manifest(&app(&server), &tag("1"), IMAGE, Arc::clone(&bytes)).await.unwrap();
    assert_eq!(digest, Digest::of(&bytes));
    let own = Version::Digest(digest);
    client.put_manifest(&app(&server), &own, IMAGE, Arc::clone(&bytes)).await.unwrap();
    assert_eq!(store.lock().unwrap().len(), 2);
    let other = Version::Digest(Digest::of(b"other"));
    for (version, media_type) in [(&other, IMAGE), (&own, INDEX)] {
        let refused = client.put_manifest(&app(&server), version, media_type, Arc::clone(&bytes)).await;
        assert!(matches!(refused.unwrap_err().problem, RegistryProblem::Malformed(_)));
    }
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_registry_without_a_list_of_referrers_gets_one_under_a_tag() {
    let (server, store) = registry(false).await;
    let client = client();
    for number in [1, 2, 1] {
        let bytes: Arc<[u8]> = signature(number).into();
        let own = Version::Digest(Digest::of(&bytes));
        client.put_manifest(&app(&server), &own, IMAGE, bytes).await.unwrap();
    }
    let path = format!("/v2/acme/app/manifests/{}", Digest::of(b"subject").tag());
    let index: serde_json::Value = serde_json::from_slice(&store.lock().unwrap()[&path]).unwrap();
    assert_eq!(index["mediaType"], INDEX);
    let entries = index["manifests"].as_array().unwrap();
    assert_eq!(entries.len(), 2);
    assert_eq!(entries[0]["digest"], Digest::of(&signature(1)).to_string());
    assert_eq!(entries[1]["artifactType"], "application/vnd.example.signature");
    assert_eq!(entries[1]["annotations"]["number"], "2");
    let listed = client.referrers(&app(&server), &Digest::of(b"subject")).await.unwrap().unwrap();
    assert_eq!(listed.len(), 2);
    let (keeper, store) = registry(true).await;
    let bytes: Arc<[u8]> = signature(1).into();
    client.put_manifest(&app(&keeper), &tag("s"), IMAGE, bytes).await.unwrap();
    assert_eq!(store.lock().unwrap().len(), 1);
}

/// What is under the tag is somebody's: if it is no list, it is not written over; if nobody can say what is
/// there, neither.
#[tokio::test]
async fn a_list_that_cannot_be_read_is_not_replaced() {
    let replies: [fn() -> Reply; 3] =
        [|| manifest(&image("other")), || Reply::new(503), || Reply::new(404).body(b"<html>")];
    for reply in replies {
        let server = Server::start(move |request, _| match request.method.as_str() {
            "PUT" => Reply::new(201).body(b""),
            _ => reply(),
        })
        .await;
        let failed = client().put_manifest(&app(&server), &tag("s"), IMAGE, signature(1).into()).await;
        assert!(failed.is_err());
        assert_eq!(server.requests().iter().filter(|request| request.method == "PUT").count(), 1);
    }
}

/// Attack A38: an upload does not leave the registry, and a write follows no redirect.
#[tokio::test]
async fn a38_a_write_goes_to_the_registry_only() {
    let other = Server::start(|_, _| Reply::new(201).body(b"")).await;
    let location = format!("http://{}/upload", other.host());
    let place = location.clone();
    let server = Server::start(move |request, _| match request.method.as_str() {
        "HEAD" => Reply::new(404),
        "POST" => Reply::new(202).header("location", &place).body(b""),
        _ => Reply::new(307).header("location", &location).body(b""),
    })
    .await;
    let upload = client().put_blob(&app(&server), b"payload".as_slice().into()).await.unwrap_err();
    assert!(matches!(upload.problem, RegistryProblem::Refused { .. }), "{upload}");
    let write = client().put_manifest(&app(&server), &tag("1"), IMAGE, image("a").into()).await.unwrap_err();
    assert_eq!(write.problem, RegistryProblem::Status(307));
    assert_eq!(other.requests().len(), 0);
}

#[tokio::test]
async fn a_write_asks_for_the_right_to_write() {
    let host = Arc::new(std::sync::OnceLock::<String>::new());
    let own = Arc::clone(&host);
    let server = Server::start(move |request, _| {
        if request.path.starts_with("/token") {
            return Reply::new(200).body(br#"{"token": "opens"}"#);
        }
        if request.header("authorization") == Some("Bearer opens") {
            return Reply::new(201).body(b"");
        }
        let realm = format!("http://{}/token", own.get().unwrap());
        Reply::new(401).header("www-authenticate", &format!("Bearer realm=\"{realm}\"")).body(b"")
    })
    .await;
    host.set(server.host()).unwrap();
    client().put_manifest(&app(&server), &tag("1"), IMAGE, image("a").into()).await.unwrap();
    assert_eq!(server.paths()[1], "GET /token?scope=repository%3Aacme%2Fapp%3Apull%2Cpush");
}
