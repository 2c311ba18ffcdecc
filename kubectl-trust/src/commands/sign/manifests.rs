//! Signing manifests: all files are signed before any is written.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use common::manifest::DEFAULT_DOMAIN;
use common::manifest::message::Form;
use common::manifest::sign::{Earlier, Options, expand_lists, sign_rest};
use common::object::items;
use common::yaml::Document;
use serde_json::Value;

use super::settled;
use super::texts::{self, Writing};
use crate::cli::{FileArgs, SignArgs};
use crate::input;
use crate::manifests::{PassedOver, is_manifest, kustomize};
use crate::output::Printer;
use crate::signing::{Signer, Verifying};
use crate::staging::{self, Access, Existing, Staging};

/// An API server refuses objects with more annotation bytes; `kubectl apply` keeps a second copy of them
/// in one more annotation.
const SERVER_ANNOTATION_BYTES: usize = 256 * 1024;

/// A file whose documents are signed.
pub(super) struct Source {
    /// The file as given; `-` for standard input, `-k FOLDER` for what a kustomization builds.
    pub(super) path: PathBuf,
    /// What it holds.
    pub(super) text: String,
    documents: Vec<Value>,
}

/// What becomes of a file.
struct Signed {
    path: PathBuf,
    text: String,
    documents: Vec<Value>,
    /// How many of them the key had signed already, just as they are.
    settled: usize,
}

/// Signs every file, and only then writes: either all files are signed or none is touched.
pub(super) fn run(args: &SignArgs, printer: &mut Printer) -> anyhow::Result<()> {
    if args.in_place {
        only_files(&args.files)?;
    }
    if let Some((key, _)) = args.annotations.iter().find(|(key, _)| is_of(key, &args.annotation_domain)) {
        bail!("--annotation {key}: the annotations of {} are the signature's own", args.annotation_domain);
    }
    let sources = sources(&args.files, printer)?;
    let signer = Signer::open(&args.signer)?;
    signer.gives_pieces()?;
    signer.announce(printer);
    let key = signer.unlogged_key().filter(|_| !args.force).cloned();
    let mut sign = signer.blocking()?;
    let options = Options {
        domain: &args.annotation_domain,
        form: if args.tarball { Form::Tarball } else { Form::Plain },
        earlier: if args.append { Earlier::Append } else { Earlier::Replace },
        whole: args.whole_file,
        annotations: &args.annotations,
    };
    let mut signed = Vec::with_capacity(sources.len());
    for mut source in sources {
        warn_lists(printer, &source, args.expand_lists);
        let documents = std::mem::take(&mut source.documents);
        let lists = documents.iter().any(|document| items(document).is_some());
        let documents = if args.expand_lists { expand_lists(documents) } else { documents };
        let settled = key.as_ref().map(|key| settled::documents(&documents, key, args, &options));
        let settled = settled.transpose()?.unwrap_or_default();
        let count = settled.iter().filter(|settled| **settled).count();
        let documents = if count == documents.len() {
            documents
        } else {
            let signed = sign_rest(documents, &settled, &mut sign, &options);
            signed.with_context(|| source.path.display().to_string())?
        };
        warn_size(printer, &source.path, &documents, &args.annotation_domain);
        let how = Writing {
            target: if args.in_place { &source.path } else { &args.output },
            in_place: args.in_place,
            one_for_one: !(lists && args.expand_lists),
        };
        let text = texts::of(&source, &documents, how, printer);
        signed.push(Signed { path: source.path, text, documents, settled: count });
    }
    write(args, &signed, printer)?;
    if args.in_place || args.output.as_os_str() != "-" {
        verifying(args, Verifying::by(&signer, &args.signer)).say(printer);
    }
    Ok(())
}

/// The command that verifies what was written.
fn verifying(args: &SignArgs, mut verifying: Verifying) -> Verifying {
    if args.in_place {
        verifying.flags("-f", &args.files.files);
        if args.files.recursive {
            verifying.word("-R");
        }
    } else {
        verifying.flags("-f", [&args.output]);
    }
    verifying.annotations(&args.annotations);
    if args.annotation_domain != DEFAULT_DOMAIN {
        verifying.flag("--annotation-domain", &args.annotation_domain);
    }
    verifying
}

fn is_of(key: &str, domain: &str) -> bool {
    key.strip_prefix(domain).is_some_and(|rest| rest.starts_with('/'))
}

/// That everything can be written back.
fn only_files(args: &FileArgs) -> anyhow::Result<()> {
    if args.files.iter().any(|file| file.as_os_str() == "-") {
        bail!("--in-place needs files, and - is standard input");
    }
    if let Some(folder) = args.kustomize.first() {
        bail!("--in-place needs files, and {} is none", kustomize::name(folder));
    }
    Ok(())
}

/// What the arguments name. Files of a folder that hold no manifest (kustomizations, values of charts) are passed over,
/// which is said.
fn sources(args: &FileArgs, printer: &mut Printer) -> anyhow::Result<Vec<Source>> {
    let mut passed_over = PassedOver::default();
    let mut sources = Vec::new();
    for path in input::expand(&args.files, args.recursive)? {
        let read = input::with_text(&path).with_context(|| path.display().to_string())?;
        if !args.files.contains(&path) && !read.1.iter().any(|document| is_manifest(&document.value)) {
            passed_over.count(&path, read.1.len());
            continue;
        }
        sources.push(source(path, read)?);
    }
    for folder in &args.kustomize {
        let name = PathBuf::from(kustomize::name(folder));
        sources.push(source(name, kustomize::text(folder)?)?);
    }
    if sources.is_empty() {
        bail!("no Kubernetes object in these folders; nothing was signed");
    }
    passed_over.line().iter().for_each(|line| printer.note_line(line));
    Ok(sources)
}

fn source(path: PathBuf, (text, documents): (String, Vec<Document>)) -> anyhow::Result<Source> {
    if documents.is_empty() {
        bail!("{}: holds nothing to sign", path.display());
    }
    let documents = documents.into_iter().map(|document| document.value).collect();
    Ok(Source { path, text, documents })
}

fn warn_lists(printer: &mut Printer, source: &Source, expand: bool) {
    if !expand && source.documents.iter().any(|document| items(document).is_some()) {
        printer.note_line(format_args!(
            "warning: {}: a list is signed as one object; applied, its items carry no signature. \
             --expand-lists signs each item",
            source.path.display()
        ));
    }
}

fn warn_size(printer: &mut Printer, file: &Path, documents: &[Value], domain: &str) {
    let size = |document: &Value| {
        let annotations = document.pointer("/metadata/annotations").and_then(Value::as_object);
        let bytes = |(key, value): (&String, &Value)| key.len() + value.as_str().map_or(0, str::len);
        annotations.map_or(0, |annotations| annotations.iter().map(bytes).sum::<usize>())
    };
    let largest = documents.iter().map(size).max().unwrap_or(0);
    let (file, kib) = (file.display(), largest / 1024);
    if largest > SERVER_ANNOTATION_BYTES {
        printer.note_line(format_args!(
            "warning: {file}: {kib} KiB of annotations ({domain}/message); API servers refuse more than 256 KiB of them"
        ));
    } else if largest * 2 > SERVER_ANNOTATION_BYTES {
        printer.note_line(format_args!(
            "warning: {file}: {kib} KiB of annotations; apply it with `kubectl apply --server-side`, \
             which does not store them twice"
        ));
    }
}

impl Signed {
    /// Nothing of it was signed.
    fn is_settled(&self) -> bool {
        self.settled == self.documents.len()
    }
}

fn write(args: &SignArgs, signed: &[Signed], printer: &mut Printer) -> anyhow::Result<()> {
    let texts: Vec<_> = signed.iter().map(|file| (&*file.text, &*file.documents)).collect();
    let whole = || texts::joined(&texts, texts::is_json(&args.output));
    if args.in_place {
        let mut staging = Staging::default();
        for file in signed.iter().filter(|file| !file.is_settled()) {
            staging.add(&file.path, file.text.as_bytes(), Access::Kept)?;
        }
        staging.commit(Existing::Replaced)?;
        for file in signed {
            say(&file.path, std::slice::from_ref(file), printer);
        }
    } else if args.output.as_os_str() == "-" {
        printer.raw(whole().as_bytes());
        for file in signed.iter().filter(|_| signed.iter().all(Signed::is_settled)) {
            say(&file.path, std::slice::from_ref(file), printer);
        }
    } else {
        staging::replace(&args.output, whole().as_bytes())?;
        say(&args.output, signed, printer);
    }
    Ok(())
}

/// How many documents of files were signed, and how many were already.
fn say(path: &Path, files: &[Signed], printer: &mut Printer) {
    let all: usize = files.iter().map(|file| file.documents.len()).sum();
    let settled: usize = files.iter().map(|file| file.settled).sum();
    let documents = |count: usize| format!("{count} document{}", if count == 1 { "" } else { "s" });
    let (path, signed) = (path.display(), documents(all - settled));
    let already = "already signed by this key, unchanged (--force signs again)";
    match settled {
        0 => printer.note_line(format_args!("{path}: {signed} signed")),
        _ if settled == all => printer.note_line(format_args!("{path}: {} {already}", documents(all))),
        _ => printer.note_line(format_args!("{path}: {signed} signed, {settled} {already}")),
    }
}
