//! `kubectl trust`: sign, verify, compare, test and explain what may run in a cluster.

mod cli;
mod clock;
mod cluster;
mod commands;
mod completion;
mod environment;
mod exit;
mod images;
mod input;
mod interruption;
mod io_error;
mod manifests;
mod output;
mod policies;
mod policy_report;
mod predicate;
mod prompt;
mod report;
mod run;
mod runtime;
mod signing;
mod staging;
mod testing;
mod text;
mod trust;
mod trust_root;
mod waiting;
mod warnings;

use std::process::ExitCode;

fn main() -> ExitCode {
    run::run(std::env::args_os()).into()
}
