//! `kubectl trust trust-root`: whom a trust root makes trusted, or the root itself.

use anyhow::Context as _;
use common::trust::{Part, TrustRoot};

use crate::cli::{RootFormat, TrustRootArgs};
use crate::exit::ExitStatus;
use crate::output::Printer;
use crate::trust_root;

/// Prints the trust root that the flags choose.
pub(crate) fn run(args: &TrustRootArgs, printer: &mut Printer) -> anyhow::Result<ExitStatus> {
    let trusted = trust_root::whole(args.trusted_root.as_deref(), &args.tuf, args.offline)?;
    let compiled_in = || TrustRoot::public_good().context("the trust root that is compiled in is not usable");
    let root = match &trusted.root {
        Some(root) => root.clone(),
        None => compiled_in()?,
    };
    match args.output {
        // Byte for byte, so that its fingerprint stays the same.
        RootFormat::Json => printer.raw(root.json().as_bytes()),
        RootFormat::Text => {
            printer.line(format_args!("sha256:{}", root.fingerprint()));
            root.parts().iter().for_each(|part| printer.line(line(part)));
        }
    }
    trusted.say(true, printer);
    Ok(ExitStatus::Trusted)
}

fn line(part: &Part) -> String {
    let name = if part.name.is_empty() { "(no name)" } else { &part.name };
    let from = part.from.map_or_else(|| "always".to_owned(), |from| from.to_string());
    let until = part.until.map_or_else(String::new, |until| format!(" until {until}"));
    format!("  {:<21}  {name}  since {from}{until}", part.kind.word())
}
