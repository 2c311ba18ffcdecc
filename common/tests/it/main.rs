//! The integration tests of `common`: one binary, a module per subject.

mod dialect;
