//! What the end-to-end tests share: real programs, a real API server, our own binary.
//!
//! [`programs`] provides kubectl, cosign, `kubectl sigstore`, kyverno, a control plane, registries and a
//! private Sigstore, each from an environment variable or built once from a pinned Go module.
//! [`apiserver`], [`registry`] and [`sigstore`] run them on loopback. [`trust`] runs `kubectl-trust` as
//! cargo built it and reads its verdicts; [`operator`] puts `trust-operator` in front of a control plane, and
//! [`forwarder`] stands between them for a Service, [`kubelet`] says what Pods do where there is no node. [`process`] starts whatever is started, shut off from the network
//! and from the home of whoever runs the tests.
//!
//! The tests are in `tests/it`, one binary. Without a Go toolchain they say `SKIPPED` and pass, except
//! where the environment says `CI=true`: there they fail, since nobody reads what a passing job prints.

pub mod apiserver;
pub mod forwarder;
pub mod kubelet;
pub mod operator;
pub mod process;
pub mod programs;
pub mod registry;
pub mod sigstore;
pub mod trust;
