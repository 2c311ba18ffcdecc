//! Policies and exceptions from files.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use common::dialect::{self, CompileErrors, Compiled};
use common::limits;
use common::object::{FieldPath, ObjectRef};
use common::policy::{Exception, Policy};
use common::yaml::{self, Document, Places};

use crate::exit::ExitStatus;
use crate::input;

/// What policy files hold.
#[derive(Debug, Default)]
pub(crate) struct PolicySet {
    /// Policies, in the order of files and documents.
    pub(crate) policies: Vec<Policy>,
    /// Exceptions.
    pub(crate) exceptions: Vec<Exception>,
    /// Names of policies of kinds that are not ours to judge.
    pub(crate) not_handled: Vec<String>,
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
        let mut problems = Vec::new();
        for file in files {
            let name = file.display().to_string();
            let content =
                input::bytes(file, limits::INPUT_BYTES).map_err(|error| input::unreadable(file, &error))?;
            let documents = yaml::read(&content).with_context(|| name.clone())?;
            if documents.is_empty() {
                bail!("{name}: holds no policy");
            }
            let mut add = |document| set.add(&name, document, Some(&content)).err();
            problems.extend(documents.iter().filter_map(&mut add).map(|error| format!("{error:#}")));
        }
        if problems.is_empty() { Ok(set) } else { bail!(problems.join("\n")) }
    }

    /// Reads exception files into the set.
    ///
    /// # Errors
    /// As [`Self::read`], and a policy among the exceptions: nobody would enforce it.
    pub(crate) fn add_exceptions(&mut self, files: &[PathBuf]) -> anyhow::Result<()> {
        let read = Self::read(files)?;
        let policy = read.policies.first().map(|policy| policy.id.to_string());
        if let Some(policy) = policy.or_else(|| read.not_handled.first().cloned()) {
            bail!("the policy {policy} stands among the exceptions; give its file as that of a policy");
        }
        self.exceptions.extend(read.exceptions);
        self.warnings.extend(read.warnings);
        Ok(())
    }

    /// What a command may say at best: with a policy that nobody here judged, nothing is trusted.
    pub(crate) fn at_best(&self, status: ExitStatus) -> ExitStatus {
        let good = matches!(status, ExitStatus::Trusted | ExitStatus::Warned(_));
        if good && !self.not_handled.is_empty() { ExitStatus::Undecided } else { status }
    }

    /// Compiles one document into the set. `content` is the text it stands in, where there is one.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(crate) fn add(
        &mut self,
        file: &str,
        document: &Document,
        content: Option<&[u8]>,
    ) -> anyhow::Result<()> {
        let source = Source { file, document, content };
        if dialect::is_other_policy(&document.value) {
            let ObjectRef { kind, name, .. } = ObjectRef::of(&document.value);
            self.warnings.push(format!("{}: {kind} {name} is not judged by kubectl trust", source.place()));
            self.not_handled.push(name);
            return Ok(());
        }
        let compiled = dialect::compile(&document.value).map_err(|errors| source.failure(&errors))?;
        let warnings = match &compiled {
            Compiled::Policy(policy) => &policy.warnings,
            Compiled::Exception(exception) => &exception.warnings,
        };
        self.warnings.extend(warnings.iter().map(|warning| format!("{}: {warning}", source.place())));
        match compiled {
            Compiled::Policy(policy) => {
                if self.policies.iter().any(|known| known.id == policy.id) {
                    bail!("{}: there are two policies of the name {}", source.place(), policy.id);
                }
                self.policies.push(policy);
            }
            Compiled::Exception(exception) => self.exceptions.push(exception),
        }
        Ok(())
    }
}

/// Where a document comes from.
struct Source<'s> {
    file: &'s str,
    document: &'s Document,
    content: Option<&'s [u8]>,
}

impl Source<'_> {
    /// `policy.yaml:12`, or the name of an object of a cluster.
    fn place(&self) -> String {
        match self.content {
            Some(_) => format!("{}:{}", self.file, self.document.line),
            None => self.file.to_owned(),
        }
    }

    /// All problems of the document, each with its own place in front: `policy.yaml:12:9: spec.rules[0]…`.
    fn failure(&self, errors: &CompileErrors) -> anyhow::Error {
        let places = self.content.and_then(|content| Places::of(content, self.document.index));
        let place = |path: &FieldPath| match &places {
            Some(places) => {
                let (line, column) = places.find(path);
                format!("{}:{line}:{column}", self.file)
            }
            None => self.place(),
        };
        let lines: Vec<_> = errors.0.iter().map(|error| format!("{}: {error}", place(&error.path))).collect();
        anyhow::anyhow!("{}", lines.join("\n"))
    }
}
