//! `trust-operator`: decides what may run in a cluster, when the API server asks.

use std::process::ExitCode;

fn main() -> ExitCode {
    operator::run(std::env::args_os())
}
