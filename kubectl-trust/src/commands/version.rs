//! `kubectl trust version`.

use serde_json::json;

use crate::cli::{Format, VersionArgs};
use crate::exit::ExitStatus;
use crate::output::Printer;

/// Prints the version.
pub(crate) fn run(args: &VersionArgs, printer: &mut Printer) -> ExitStatus {
    let VersionArgs { client: _, output } = args;
    let version = env!("CARGO_PKG_VERSION");
    let value = json!({"clientVersion": {"version": version}});
    match output {
        Format::Text => printer.line(format_args!("kubectl-trust {version}")),
        Format::Json => printer.json(&value),
        Format::Yaml => printer.yaml(&value),
    }
    ExitStatus::Trusted
}
