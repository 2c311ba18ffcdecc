//! What is counted, in the format of Prometheus (`OpenMetrics` 1.0).
//!
//! Labels have few values: names of policies and rules, which an administrator chose, and codes. Nothing that a
//! request could choose is a label.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use common::verdict::{Decision, Outcome};
use jiff::Timestamp;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// A text of an administrator, shared.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Text(Arc<str>);

impl EncodeLabelValue for Text {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        encoder.write_str(&self.0)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfRequest {
    phase: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfPhase {
    phase: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfRule {
    policy: Text,
    rule: Text,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfPolicy {
    kind: &'static str,
    policy: Text,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfTask {
    task: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfPolicyRule {
    policy: Text,
    rule: Text,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfCode {
    code: &'static str,
}

/// What is counted.
pub struct Metrics {
    registry: Registry,
    requests: Family<OfRequest, Counter>,
    durations: Family<OfPhase, Histogram, fn() -> Histogram>,
    decisions: Family<OfRule, Counter>,
    faults: Family<OfCode, Counter>,
    passed_updates: Family<OfPolicyRule, Counter>,
    task_failures: Family<OfTask, Counter>,
    ready: Family<OfPolicy, Gauge>,
    in_flight: Gauge,
    policies: Gauge,
    answers: Family<OfAnswer, Gauge<u64, AtomicU64>>,
    kept: Gauge,
    traffic: Family<OfState, Gauge>,
    certificate: Gauge,
    roots: Family<OfRoot, Gauge>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfState {
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfRoot {
    name: Text,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfAnswer {
    from: &'static str,
}

/// From 50 µs, which a remembered answer takes, to 26 s.
fn durations() -> Histogram {
    Histogram::new(exponential_buckets(0.000_05, 2.0, 20))
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("trust");
        let metrics = Self {
            requests: Family::default(),
            durations: Family::new_with_constructor(durations as fn() -> Histogram),
            decisions: Family::default(),
            faults: Family::default(),
            passed_updates: Family::default(),
            task_failures: Family::default(),
            ready: Family::default(),
            in_flight: Gauge::default(),
            policies: Gauge::default(),
            answers: Family::default(),
            kept: Gauge::default(),
            traffic: Family::default(),
            certificate: Gauge::default(),
            roots: Family::default(),
            registry: Registry::default(),
        };
        let requests = "Admission requests, by phase and how they ended";
        registry.register("admission_requests", requests, metrics.requests.clone());
        let durations = "Seconds of an admission request";
        registry.register("admission_duration_seconds", durations, metrics.durations.clone());
        let decisions = "Decisions, by policy, rule and outcome; rules that do not apply are not counted";
        registry.register("decisions", decisions, metrics.decisions.clone());
        registry.register("faults", "Faults, by the code of their reason", metrics.faults.clone());
        let passed = "Updates that a rule let pass because nothing new can run, by policy and rule";
        registry.register("updates_starting_nothing", passed, metrics.passed_updates.clone());
        let failures = "Ends and panics of tasks that should run for as long as the process";
        registry.register("task_failures", failures, metrics.task_failures.clone());
        let ready = "Whether policies and trust roots are in force, as their condition Ready says";
        registry.register("policy_ready", ready, metrics.ready.clone());
        registry.register("requests_in_flight", "Requests that are being judged", metrics.in_flight.clone());
        registry.register("policies", "Policies in force", metrics.policies.clone());
        let answers = "Questions to registries, by where the answer came from";
        registry.register("registry_answers", answers, metrics.answers.clone());
        registry.register(
            "registry_memory_bytes",
            "Bytes that are remembered of registries",
            metrics.kept.clone(),
        );
        let traffic = "Requests to registries: asked, and waiting for their turn to be";
        registry.register("registry_requests", traffic, metrics.traffic.clone());
        let certificate = "When the certificate that is served ends, in seconds since 1970";
        registry.register("certificate_expiry_timestamp_seconds", certificate, metrics.certificate.clone());
        let roots =
            "When the next part of a trust root ends, in seconds since 1970; the configured one has no name";
        registry.register("root_expiry_timestamp_seconds", roots, metrics.roots.clone());
        Self { registry, ..metrics }
    }
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It may go on.
    Allowed,
    /// It was refused.
    Denied,
    /// It was not judged, with the code of the reason.
    Unjudged(&'static str),
}

/// What is read when somebody looks, in contrast to what is counted.
#[derive(Clone, Debug, Default)]
pub struct Now {
    /// Requests that are being judged.
    pub in_flight: usize,
    /// Policies in force.
    pub policies: usize,
    /// How questions to registries were answered.
    pub answers: common::registry::cached::Stats,
    /// Requests to registries.
    pub traffic: common::registry::http::Traffic,
    /// Bytes that are remembered of registries.
    pub kept_bytes: usize,
    /// When the next part of each trust root ends that does.
    pub roots: Vec<(Arc<str>, Timestamp)>,
}

impl Metrics {
    /// A request has been answered: `mutate`, `validate`, `policy`.
    pub fn answered(&self, phase: &'static str, ended: Ended, took: Duration) {
        let outcome = match ended {
            Ended::Allowed => "allowed",
            Ended::Denied => "denied",
            Ended::Unjudged(code) => {
                self.faults.get_or_create(&OfCode { code }).inc();
                "unjudged"
            }
        };
        self.requests.get_or_create(&OfRequest { phase, outcome }).inc();
        self.durations.get_or_create(&OfPhase { phase }).observe(took.as_secs_f64());
    }

    /// Rules have decided.
    pub fn decided(&self, decisions: &[Decision]) {
        for decision in decisions {
            let Some(by) = &decision.by else { continue };
            let (policy, rule) = (Text(Arc::clone(&by.policy)), Text(Arc::clone(&by.rule)));
            if decision.headline().is_update_passed() {
                self.passed_updates.get_or_create(&OfPolicyRule { policy, rule }).inc();
                continue;
            }
            if decision.outcome() == Outcome::Skip {
                continue;
            }
            let outcome = decision.outcome().word();
            self.decisions.get_or_create(&OfRule { policy, rule, outcome }).inc();
            if decision.outcome() == Outcome::Fault {
                let code = decision.headline().code();
                self.faults.get_or_create(&OfCode { code }).inc();
            }
        }
    }

    /// Which policies are in force, by kind and name.
    pub fn ready(&self, policies: impl IntoIterator<Item = (&'static str, String, bool)>) {
        // Those that are gone are gone.
        self.ready.clear();
        for (kind, policy, ready) in policies {
            let policy = Text(policy.into());
            self.ready.get_or_create(&OfPolicy { kind, policy }).set(i64::from(ready));
        }
    }

    /// A task has ended that should not have.
    pub fn task_ended(&self, task: &'static str) {
        self.task_failures.get_or_create(&OfTask { task }).inc();
    }

    /// Another certificate is served.
    pub fn serves_until(&self, end: Timestamp) {
        self.certificate.set(end.as_second());
    }

    /// Everything, as text.
    ///
    /// # Errors
    /// Never: it is written into memory.
    pub fn text(&self, now: Now) -> Result<String, std::fmt::Error> {
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.in_flight.set(number(now.in_flight));
        self.policies.set(number(now.policies));
        self.kept.set(number(now.kept_bytes));
        let answers = now.answers;
        for (from, count) in [
            ("memory", answers.hits),
            ("registry", answers.misses),
            ("shared", answers.shared),
            ("stale", answers.stale),
        ] {
            self.answers.get_or_create(&OfAnswer { from }).set(count);
        }
        for (state, count) in [("asked", now.traffic.asked), ("waiting", now.traffic.waiting)] {
            self.traffic.get_or_create(&OfState { state }).set(number(count));
        }
        // Those that are gone are gone.
        self.roots.clear();
        for (name, end) in now.roots {
            self.roots.get_or_create(&OfRoot { name: Text(name) }).set(end.as_second());
        }
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
