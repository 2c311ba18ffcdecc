//! Policies and exceptions from files.

use std::path::PathBuf;

use anyhow::bail;
use common::dialect::PolicySet;
use common::limits;

use crate::exit::ExitStatus;
use crate::input;

/// Reads and compiles policy files. A document that is no policy is an error: somebody believed it would be
/// enforced.
///
/// # Errors
/// An unreadable file, a document that is no policy, every problem of a policy with its path.
pub(crate) fn read(files: &[PathBuf]) -> anyhow::Result<PolicySet> {
    let mut set = PolicySet::default();
    let mut problems = Vec::new();
    for file in files {
        let name = file.display().to_string();
        let content =
            input::bytes(file, limits::INPUT_BYTES).map_err(|error| input::unreadable(file, &error))?;
        let errors = set.add_file(&name, &content).err().into_iter().flatten();
        problems.extend(errors.map(|error| error.to_string()));
    }
    if !problems.is_empty() {
        bail!(problems.join("\n"));
    }
    set.name_roots();
    Ok(set)
}

/// Reads exception files into a set.
///
/// # Errors
/// As [`read`], and a policy among the exceptions: nobody would enforce it.
pub(crate) fn add_exceptions(set: &mut PolicySet, files: &[PathBuf]) -> anyhow::Result<()> {
    let read = read(files)?;
    let policy = read.policies.first().map(|policy| policy.id.to_string());
    if let Some(policy) = policy.or_else(|| read.not_handled.first().cloned()) {
        bail!("the policy {policy} stands among the exceptions; give its file as that of a policy");
    }
    if let Some(root) = read.trust_roots.keys().next() {
        bail!("the trust root {root} stands among the exceptions; give its file as that of a policy");
    }
    set.exceptions.extend(read.exceptions);
    set.warnings.extend(read.warnings);
    Ok(())
}

/// What a command may say at best: with a policy that nobody here judged, nothing is trusted.
pub(crate) fn at_best(set: &PolicySet, status: ExitStatus) -> ExitStatus {
    let good = matches!(status, ExitStatus::Trusted | ExitStatus::Warned(_));
    if good && !set.not_handled.is_empty() { ExitStatus::Undecided } else { status }
}
