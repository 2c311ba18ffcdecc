//! Pods that are sent without end while something else happens.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use e2e::process::Run;

use super::fixtures::{Shop, eventually};

/// What became of the Pods so far.
#[derive(Default)]
pub(crate) struct Traffic {
    /// Of those with a good image, in order.
    good: Mutex<Vec<Run>>,
    /// Of those with an unsigned image.
    unsigned: Mutex<Vec<Run>>,
    over: AtomicBool,
}

/// Ends the traffic, also when a test fails in the middle of it.
struct End<'t>(&'t Traffic);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Relaxed);
    }
}

impl Traffic {
    /// Sends two Pods in turn, as dry runs, while something else happens. Whatever that is, no unsigned one is let in.
    pub(crate) fn during(shop: &Shop<'_>, [good, unsigned]: [&str; 2], something: impl FnOnce(&Self)) {
        let traffic = Self::default();
        std::thread::scope(|scope| {
            for (pod, runs) in [(good, &traffic.good), (unsigned, &traffic.unsigned)] {
                let traffic = &traffic;
                scope.spawn(move || traffic.send(shop, pod, runs));
            }
            let _end = End(&traffic);
            traffic.flows();
            something(&traffic);
            traffic.flows();
        });
        let unsigned = locked(&traffic.unsigned);
        assert!(unsigned.iter().all(|run| run.code != 0), "{unsigned:?}");
    }

    fn send(&self, shop: &Shop<'_>, pod: &str, runs: &Mutex<Vec<Run>>) {
        let all = ["create", "-f", "-", "-n", shop.namespace, "--dry-run=server"];
        while !self.over.load(Ordering::Relaxed) {
            let run = shop.guarded.api.kubectl_with(all, pod.as_bytes()).unwrap();
            locked(runs).push(run);
        }
    }

    /// Waits until several good Pods in a row are let in from now on, and several unsigned ones refused by a verdict.
    pub(crate) fn flows(&self) {
        let (good, unsigned) = (locked(&self.good).len(), locked(&self.unsigned).len());
        let last = |runs: &Mutex<Vec<Run>>, from: usize, as_it_should: fn(&Run) -> bool| {
            let runs = locked(runs);
            let new = &runs[from..];
            new.len() >= 3 && new[new.len() - 3..].iter().all(as_it_should)
        };
        eventually("all are answered as they should be", || {
            last(&self.good, good, |run| run.code == 0)
                && last(&self.unsigned, unsigned, |run| run.stderr.contains("signature not found"))
        });
    }

    /// What was said to those with a good image that were not let in.
    pub(crate) fn failures(&self) -> Vec<String> {
        let good = locked(&self.good);
        good.iter().filter(|run| run.code != 0).map(|run| run.stderr.clone()).collect()
    }
}

fn locked(runs: &Mutex<Vec<Run>>) -> MutexGuard<'_, Vec<Run>> {
    runs.lock().unwrap_or_else(PoisonError::into_inner)
}
