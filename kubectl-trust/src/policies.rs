//! Policies and exceptions from files.

use std::path::PathBuf;

use anyhow::bail;
use common::dialect::PolicySet;
use common::limits;

use crate::exit::ExitStatus;
use crate::input;
use crate::manifests::PassedOver;
use crate::warnings::Warnings;

/// Reads and compiles the policies of files and folders. In a file that was named itself a document that is no policy
/// is an error: its author believed that it would be enforced. In a folder it is passed over, and a warning counts it.
/// What their authors should know goes to `warnings`.
///
/// # Errors
/// As [`input::expand`]; an unreadable file, a document that is no policy, every problem of a policy with its path; no
/// policy at all.
pub(crate) fn read(arguments: &[PathBuf], warnings: &mut Warnings) -> anyhow::Result<PolicySet> {
    let mut set = PolicySet::default();
    let (mut problems, mut passed_over) = (Vec::new(), PassedOver::default());
    for file in input::expand(arguments, true)? {
        let name = file.display().to_string();
        let content =
            input::bytes(&file, limits::INPUT_BYTES).map_err(|error| input::unreadable(&file, &error))?;
        let added = if arguments.contains(&file) {
            set.add_file(&name, &content)
        } else {
            set.add_found_file(&name, &content).map(|others| passed_over.count(&file, others))
        };
        problems.extend(added.err().into_iter().flatten().map(|error| error.to_string()));
    }
    if !problems.is_empty() {
        bail!(problems.join("\n"));
    }
    let nothing = set.policies.is_empty() && set.exceptions.is_empty() && set.trust_roots.is_empty();
    if nothing && set.not_handled.is_empty() && !arguments.is_empty() {
        let arguments: Vec<_> = arguments.iter().map(|argument| argument.display().to_string()).collect();
        bail!("{}: no policy in this folder; nothing was judged", arguments.join(", "));
    }
    set.name_roots();
    warnings.extend(std::mem::take(&mut set.warnings));
    warnings.passed_over(passed_over);
    Ok(set)
}

/// Reads exception files into a set.
///
/// # Errors
/// As [`read`], and a policy among the exceptions: nobody would enforce it.
pub(crate) fn add_exceptions(
    set: &mut PolicySet,
    arguments: &[PathBuf],
    warnings: &mut Warnings,
) -> anyhow::Result<()> {
    let read = read(arguments, warnings)?;
    let policy = read.policies.first().map(|policy| policy.id.to_string());
    // Exceptions from policies of other kinds are exceptions all the same.
    let other = read.not_handled.iter().find(|object| object.kind != "PolicyException");
    if let Some(policy) = policy.or_else(|| other.map(|object| object.name.clone())) {
        bail!("the policy {policy} stands among the exceptions; give its file as that of a policy");
    }
    if let Some(root) = read.trust_roots.keys().next() {
        bail!("the trust root {root} stands among the exceptions; give its file as that of a policy");
    }
    set.exceptions.extend(read.exceptions);
    set.not_handled.extend(read.not_handled);
    Ok(())
}

/// What a command may say at best: with a policy that nobody here judged, nothing is trusted.
pub(crate) fn at_best(set: &PolicySet, status: ExitStatus) -> ExitStatus {
    let good = matches!(status, ExitStatus::Trusted | ExitStatus::Warned(_));
    if good && !set.not_handled.is_empty() { ExitStatus::Undecided } else { status }
}
