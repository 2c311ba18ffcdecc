//! `kubectl trust sign`: manifests in the format of k8s-manifest-sigstore, images and files in those of cosign.

mod blobs;
pub(super) mod images;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use common::limits;
use common::manifest::message::Form;
use common::manifest::sign::{Earlier, Options, expand_lists, sign_with};
use common::object::items;
use common::yaml;
use serde_json::Value;

use crate::cli::SignArgs;
use crate::exit::ExitStatus;
use crate::input;
use crate::output::Printer;
use crate::signing::Signer;

/// An API server refuses objects with more annotation bytes; `kubectl apply` keeps a second copy of them
/// in one more annotation.
const SERVER_ANNOTATION_BYTES: usize = 256 * 1024;

/// Signs every file, and only then writes: either all files are signed or none is touched.
pub(crate) fn run(args: &SignArgs, printer: &mut Printer) -> anyhow::Result<ExitStatus> {
    if let Some(path) = &args.blob {
        blobs::run(path, args, &Signer::open(&args.signer)?, printer)?;
        return Ok(ExitStatus::Trusted);
    }
    if !args.images.is_empty() {
        images::run(args, &Signer::open(&args.signer)?, printer)?;
        return Ok(ExitStatus::Trusted);
    }
    if args.files.files.is_empty() {
        bail!("what shall be signed? Give -f FILE, an image, or --blob FILE");
    }
    let files = input::expand(&args.files.files, args.files.recursive)?;
    if args.in_place && files.iter().any(|file| file.as_os_str() == "-") {
        bail!("--in-place needs files, and - is standard input");
    }
    if let Some((key, _)) = args.annotations.iter().find(|(key, _)| is_of(key, &args.annotation_domain)) {
        bail!("--annotation {key}: the annotations of {} are the signature's own", args.annotation_domain);
    }
    let documents = read(&files)?;
    let signer = Signer::open(&args.signer)?;
    signer.gives_pieces()?;
    signer.announce(printer);
    let mut signer = signer.blocking()?;
    let options = Options {
        domain: &args.annotation_domain,
        form: if args.tarball { Form::Tarball } else { Form::Plain },
        earlier: if args.append { Earlier::Append } else { Earlier::Replace },
        whole: args.whole_file,
        annotations: &args.annotations,
    };
    let mut signed = Vec::new();
    for (file, documents) in documents {
        warn_lists(printer, &file, &documents, args.expand_lists);
        let documents = if args.expand_lists { expand_lists(documents) } else { documents };
        let count = documents.len();
        let result =
            sign_with(documents, &mut signer, &options).with_context(|| file.display().to_string())?;
        warn_size(printer, &file, &result, &args.annotation_domain);
        let target = if args.in_place { &file } else { &args.output };
        let text = written(&result, is_json(target));
        if args.in_place && has_comments(&file) {
            printer.note_line(format_args!("warning: {}: its comments are not kept", file.display()));
        }
        signed.push((file, text, count));
    }
    write(args, &signed, printer)?;
    Ok(ExitStatus::Trusted)
}

fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json")
}

/// Documents as a file of that kind holds them: what is called `.json` is read by what reads JSON only.
fn written(documents: &[Value], json: bool) -> String {
    if json {
        documents.iter().map(|document| format!("{document:#}\n")).collect::<Vec<_>>().concat()
    } else {
        documents.iter().map(yaml::to_yaml).collect::<Vec<_>>().join("---\n")
    }
}

/// Whether a file that could be read has a line that is a comment.
fn has_comments(file: &Path) -> bool {
    let text = input::text(file, limits::INPUT_BYTES).unwrap_or_default();
    text.lines().any(|line| line.trim_start().starts_with('#'))
}

fn is_of(key: &str, domain: &str) -> bool {
    key.strip_prefix(domain).is_some_and(|rest| rest.starts_with('/'))
}

fn read(files: &[PathBuf]) -> anyhow::Result<Vec<(PathBuf, Vec<Value>)>> {
    let mut all = Vec::new();
    for (file, input) in files.iter().zip(input::documents(files)) {
        let documents = input.documents.with_context(|| input.name.clone())?;
        if documents.is_empty() {
            bail!("{}: holds nothing to sign", input.name);
        }
        all.push((file.clone(), documents.into_iter().map(|document| document.value).collect()));
    }
    Ok(all)
}

fn warn_lists(printer: &mut Printer, file: &Path, documents: &[Value], expand: bool) {
    if !expand && documents.iter().any(|document| items(document).is_some()) {
        printer.note_line(format_args!(
            "warning: {}: a list is signed as one object; applied, its items carry no signature. \
             --expand-lists signs each item",
            file.display()
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

fn write(args: &SignArgs, signed: &[(PathBuf, String, usize)], printer: &mut Printer) -> anyhow::Result<()> {
    let between = if is_json(&args.output) { "" } else { "---\n" };
    let whole = || signed.iter().map(|(_, text, _)| text.as_str()).collect::<Vec<_>>().join(between);
    if args.in_place {
        // All are written before the first takes its place: a full disk leaves every file as it was.
        let staged = signed.iter().map(|(file, text, _)| input::stage(file, text.as_bytes(), false));
        let staged = staged.collect::<anyhow::Result<Vec<_>>>()?;
        for ((file, _, count), staged) in signed.iter().zip(staged) {
            staged.commit(true)?;
            printer.note_line(format_args!("{}: {count} document{} signed", file.display(), plural(*count)));
        }
    } else if args.output.as_os_str() == "-" {
        printer.raw(whole().as_bytes());
    } else {
        input::replace(&args.output, whole().as_bytes())?;
        let count: usize = signed.iter().map(|(_, _, count)| count).sum();
        printer.note_line(format_args!(
            "{}: {count} document{} signed",
            args.output.display(),
            plural(count)
        ));
    }
    Ok(())
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
