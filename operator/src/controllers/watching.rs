//! Watching one kind of objects, for as long as the process lives.

use std::fmt::Debug;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use kube::Api;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::{Config, Error, Event, watcher};
use serde::de::DeserializeOwned;
use tracing::{info, warn};

/// How long to wait after one, two, … failures in a row. Short: a kind that appears should be noticed soon, and
/// that it is not there is a failure as well.
const PAUSES: [Duration; 4] =
    [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(5)];

/// What happens to the objects of `api`, without end. Failures are logged and tried again; what was known before
/// stays known meanwhile. A kind that does not exist has no objects.
pub(super) fn watch<K>(api: Api<K>, config: Config, what: &'static str) -> BoxStream<'static, Event<K>>
where
    K: kube::Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let mut absent = false;
    watcher(api, config)
        .backoff(Pauses::default())
        .flat_map(move |next| {
            let events = match next {
                Ok(event) => {
                    absent = false;
                    vec![event]
                }
                Err(error) if is_absent(&error) && absent => Vec::new(),
                Err(error) if is_absent(&error) => {
                    info!(what, "the API server does not serve the kind; it is looked for again");
                    absent = true;
                    vec![Event::Init, Event::InitDone]
                }
                Err(error) => {
                    warn!(what, %error, "cannot be watched; what is known stays in force");
                    Vec::new()
                }
            };
            stream::iter(events)
        })
        .boxed()
}

/// Whether the API server says that there is no such kind.
fn is_absent(error: &Error) -> bool {
    match error {
        Error::InitialListFailed(kube::Error::Api(status)) => status.code == 404,
        Error::InitialListFailed(_)
        | Error::WatchStartFailed(_)
        | Error::WatchError(_)
        | Error::WatchFailed(_)
        | Error::NoResourceVersion => false,
    }
}

#[derive(Default)]
struct Pauses {
    failures: usize,
}

impl Iterator for Pauses {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let pause = PAUSES[self.failures.min(PAUSES.len() - 1)];
        self.failures += 1;
        Some(pause)
    }
}

impl Backoff for Pauses {
    fn reset(&mut self) {
        self.failures = 0;
    }
}
