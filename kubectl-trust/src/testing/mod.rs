//! Policy tests: `kyverno-test.yaml` files as they are in the wild.

mod document;
pub(crate) mod file;
pub(crate) mod report;
pub(crate) mod rows;
pub(crate) mod run;
pub(crate) mod scope;
pub(crate) mod user;
pub(crate) mod values;
