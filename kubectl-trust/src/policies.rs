//! Policies and exceptions from files.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use common::dialect::{self, CompileErrors, Compiled};
use common::policy::{Exception, Policy};
use common::yaml::Document;

use crate::input::{self, Input};

/// What policy files hold.
#[derive(Debug, Default)]
pub(crate) struct PolicySet {
    /// Policies, in the order of files and documents.
    pub(crate) policies: Vec<Policy>,
    /// Exceptions.
    pub(crate) exceptions: Vec<Exception>,
    /// What their authors should know, with where.
    pub(crate) warnings: Vec<String>,
}

impl PolicySet {
    /// Reads and compiles policy files. A document that is no policy is an error: somebody believed it
    /// would be enforced.
    ///
    /// # Errors
    /// An unreadable file, a document that is no policy, every problem of a policy with its path.
    pub(crate) fn read(files: &[PathBuf]) -> anyhow::Result<Self> {
        let mut set = Self::default();
        for input in input::documents(files) {
            let Input { name, documents } = input;
            let documents = documents.with_context(|| name.clone())?;
            if documents.is_empty() {
                bail!("{name}: holds no policy");
            }
            for document in documents {
                set.add(&name, &document)?;
            }
        }
        Ok(set)
    }

    /// Compiles one document into the set.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(crate) fn add(&mut self, file: &str, document: &Document) -> anyhow::Result<()> {
        let place = format!("{file}:{}", document.line);
        let compiled = dialect::compile(&document.value).map_err(|errors| failure(&place, &errors))?;
        let warnings = match &compiled {
            Compiled::Policy(policy) => &policy.warnings,
            Compiled::Exception(exception) => &exception.warnings,
        };
        self.warnings.extend(warnings.iter().map(|warning| format!("{place}: {warning}")));
        match compiled {
            Compiled::Policy(policy) => {
                if self.policies.iter().any(|known| known.id == policy.id) {
                    bail!("{place}: there are two policies of the name {}", policy.id);
                }
                self.policies.push(policy);
            }
            Compiled::Exception(exception) => self.exceptions.push(exception),
        }
        Ok(())
    }
}

/// All problems of one document, each with the file in front of it.
fn failure(place: &str, errors: &CompileErrors) -> anyhow::Error {
    let lines: Vec<_> = errors.0.iter().map(|error| format!("{place}: {error}")).collect();
    anyhow::anyhow!("{}", lines.join("\n       "))
}
