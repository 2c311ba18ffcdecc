//! Tasks that run for as long as the process lives. None of them ends in silence.
//!
//! 1. A task that ends or panics is logged and counted (`trust_task_failures_total`), and `/readyz` names it until it
//!    runs again.
//! 2. It is started anew, at once and then less and less often: what it keeps in step is read anew.
//!
//! Without this a controller that is gone looks like one that has nothing to do: policies stay as they were, and
//! nobody is told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinError;
use tokio::time::{Instant, sleep};
use tracing::error;

use crate::metrics::Metrics;

/// Between an end and the next start: the first time, and at most. A task that fails at once must not use up a core.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LAST_PAUSE: Duration = Duration::from_secs(30);
/// A task that ran for so long has recovered: its next end is a first one.
const RECOVERED: Duration = Duration::from_secs(60);

/// Which tasks do not run at the moment, and why.
#[derive(Debug, Default)]
pub struct Supervision {
    ended: Mutex<BTreeMap<&'static str, String>>,
}

impl Supervision {
    /// The tasks that have ended and do not run again yet, with how they ended; `None` where all run.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        let ended = self.ended();
        let one = |(task, how): (&&str, &String)| format!("{task} {how}");
        (!ended.is_empty()).then(|| ended.iter().map(one).collect::<Vec<_>>().join("; "))
    }

    fn ended(&self) -> MutexGuard<'_, BTreeMap<&'static str, String>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who is told of the end of a task.
pub trait Observer: Send + Sync + 'static {
    /// Which tasks do not run.
    fn supervision(&self) -> &Supervision;
    /// What is counted.
    fn metrics(&self) -> &Metrics;
}

/// Runs a task without end: `start` is called for each of its lives.
pub fn supervise<O, F>(task: &'static str, observer: Arc<O>, start: impl Fn() -> F + Send + 'static)
where
    O: Observer,
    F: Future<Output = ()> + Send + 'static,
{
    tokio::spawn(async move {
        let mut pause = FIRST_PAUSE;
        loop {
            let begin = Instant::now();
            let running = tokio::spawn(start());
            observer.supervision().ended().remove(task);
            let how = how_it_ended(&running.await);
            if begin.elapsed() > RECOVERED {
                pause = FIRST_PAUSE;
            }
            error!(task, pause = ?pause, "{how}; it is started anew");
            observer.metrics().task_ended(task);
            observer.supervision().ended().insert(task, how);
            sleep(pause).await;
            pause = (pause * 2).min(LAST_PAUSE);
        }
    });
}

/// Runs a task once, and tells of its panic.
pub fn watch_over<O: Observer>(
    task: &'static str,
    observer: Arc<O>,
    work: impl Future<Output = ()> + Send + 'static,
) {
    let running = tokio::spawn(work);
    tokio::spawn(async move {
        let ended = running.await;
        if ended.is_err() {
            error!(task, "{}", how_it_ended(&ended));
            observer.metrics().task_ended(task);
        }
    });
}

fn how_it_ended(ended: &Result<(), JoinError>) -> String {
    match ended {
        Ok(()) => "ended although nobody told it to".to_owned(),
        Err(_) => "stopped because of a defect (a panic, which the log describes)".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::metrics::Now;

    #[derive(Default)]
    struct Watched {
        supervision: Supervision,
        metrics: Metrics,
    }

    impl Observer for Watched {
        fn supervision(&self) -> &Supervision {
            &self.supervision
        }

        fn metrics(&self) -> &Metrics {
            &self.metrics
        }
    }

    /// Dies by a panic, then by ending, and lives on from then.
    async fn life(number: usize) {
        sleep(Duration::from_millis(10)).await;
        match number {
            0 => panic!("injected"),
            1 => {}
            _ => std::future::pending::<()>().await,
        }
    }

    /// A task that dies in each way: it is named, counted, and started anew.
    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_or_ends_is_told_of_and_started_anew() {
        let (watched, lives) = (Arc::new(Watched::default()), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&lives);
        let start = move || life(counted.fetch_add(1, Ordering::SeqCst));
        supervise("policies", Arc::clone(&watched), start);
        sleep(Duration::from_millis(100)).await;
        assert!(watched.supervision.problem().unwrap().starts_with("policies stopped because of a defect"));
        sleep(Duration::from_millis(150)).await;
        assert_eq!(watched.supervision.problem().unwrap(), "policies ended although nobody told it to");
        sleep(Duration::from_secs(1)).await;
        assert_eq!((watched.supervision.problem(), lives.load(Ordering::SeqCst)), (None, 3));
        let metrics = watched.metrics.text(Now::default()).unwrap();
        assert!(metrics.contains(r#"trust_task_failures_total{task="policies"} 2"#), "{metrics}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_of_what_runs_once_is_counted() {
        let watched = Arc::new(Watched::default());
        watch_over("status", Arc::clone(&watched), async { panic!("injected") });
        watch_over("status", Arc::clone(&watched), async {});
        sleep(Duration::from_secs(1)).await;
        let metrics = watched.metrics.text(Now::default()).unwrap();
        assert!(metrics.contains(r#"trust_task_failures_total{task="status"} 1"#), "{metrics}");
        assert_eq!(watched.supervision.problem(), None);
    }
}
