//! Manifests that arguments name: the documents of files, of folders, of standard input and of kustomizations.

pub(crate) mod kustomize;

use std::path::{Path, PathBuf};

use anyhow::bail;
use serde_json::Value;

use crate::cli::FileArgs;
use crate::input::{self, Input};
use crate::output::Printer;

/// What was read.
#[derive(Default)]
pub(crate) struct Manifests {
    /// The files, each with its documents or why it has none.
    pub(crate) inputs: Vec<Input>,
    passed_over: PassedOver,
}

/// What stood in folders and is no manifest.
#[derive(Debug, Default)]
pub(crate) struct PassedOver {
    documents: usize,
    files: Vec<PathBuf>,
}

impl Manifests {
    /// Reads what `-f` and `-k` name.
    ///
    /// # Errors
    /// As [`input::expand`]; a folder that holds no manifest; a kustomization that kubectl cannot build.
    pub(crate) fn read(args: &FileArgs) -> anyhow::Result<Self> {
        let mut manifests = Self::of(&args.files, args.recursive)?;
        for folder in &args.kustomize {
            manifests.inputs.push(kustomize::build(folder)?);
        }
        Ok(manifests)
    }

    /// Reads files and folders. Of a file that stands in a folder and was not named itself, documents that are no
    /// Kubernetes object are passed over: nothing applies them. A file that was named itself keeps them, so that each
    /// is an error.
    ///
    /// # Errors
    /// As [`input::expand`]; folders that hold no manifest.
    pub(crate) fn of(arguments: &[PathBuf], recursive: bool) -> anyhow::Result<Self> {
        let files = input::expand(arguments, recursive)?;
        let mut manifests = Self::default();
        for (file, mut input) in files.iter().zip(input::counted(&files)) {
            let was_found = !arguments.contains(file);
            if let (Ok(documents), true) = (&mut input.documents, was_found) {
                let before = documents.len();
                documents.retain(|document| is_manifest(&document.value));
                manifests.passed_over.count(file, before - documents.len());
            }
            // An empty file of a folder holds nothing that could be applied either.
            let is_nothing = input.documents.as_ref().is_ok_and(Vec::is_empty);
            manifests.inputs.extend(Some(input).filter(|_| !(was_found && is_nothing)));
        }
        if manifests.inputs.is_empty() && !files.is_empty() {
            bail!("{}: no Kubernetes object in this folder; nothing was verified", listed(arguments));
        }
        Ok(manifests)
    }

    /// Says on one line what was passed over.
    pub(crate) fn say(&self, printer: &mut Printer) {
        self.passed_over.line().iter().for_each(|line| printer.note_line(line));
    }
}

impl PassedOver {
    /// Counts documents of a file.
    pub(crate) fn count(&mut self, file: &Path, documents: usize) {
        if documents > 0 {
            self.documents += documents;
            self.files.push(file.to_owned());
        }
    }

    /// Counts what was passed over elsewhere.
    pub(crate) fn extend(&mut self, more: Self) {
        self.documents += more.documents;
        self.files.extend(more.files);
    }

    /// What was passed over, on one line; `None` where nothing was.
    pub(crate) fn line(&self) -> Option<String> {
        /// Names that stand on the line; the others are counted.
        const NAMED: usize = 3;
        let (count, named) = (self.files.len(), self.files.iter().take(NAMED));
        if count == 0 {
            return None;
        }
        let more = match count.saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let named: Vec<_> = named.map(|file| file.display().to_string()).collect();
        let (documents, s) = (self.documents, if self.documents == 1 { "" } else { "s" });
        Some(format!("{documents} document{s} passed over, of other kinds: {}{more}", named.join(", ")))
    }
}

/// Whether a document is, or was meant to be, an object that can be applied. A file for kustomize or the values of a
/// chart are neither.
pub(crate) fn is_manifest(document: &Value) -> bool {
    let text = |field: &str| document.get(field).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    let is_for_kustomize = api_version.starts_with("kustomize.config.k8s.io/");
    let is_meant = !api_version.is_empty() || document.get("metadata").is_some();
    !kind.is_empty() && is_meant && !is_for_kustomize
}

fn listed(arguments: &[PathBuf]) -> String {
    arguments.iter().map(|argument| argument.display().to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_meant_as_an_object_is_not_passed_over() {
        for (document, expected) in [
            (json!({"apiVersion": "v1", "kind": "Pod"}), true),
            (json!({"kind": "Pod", "metadata": {"name": "a"}}), true),
            (json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": 1}), true),
            (json!({"apiVersion": "v1"}), false),
            (json!({"kind": "Deployment", "replicas": 2}), false),
            (json!({"resources": ["a.yaml"]}), false),
            (json!({"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}), false),
            (json!({"image": {"tag": "1"}}), false),
            (json!([]), false),
            (json!("text"), false),
            (json!(null), false),
        ] {
            assert_eq!(is_manifest(&document), expected, "{document}");
        }
    }
}
