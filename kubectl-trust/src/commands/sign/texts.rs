//! Signed documents as text: that which they were read from, with their annotations in it, wherever it can be.

use std::path::Path;

use common::yaml::{self, Obstacle};
use serde_json::Value;

use super::manifests::Source;
use crate::output::Printer;

/// What is written of the signed documents.
#[derive(Clone, Copy)]
pub(super) struct Writing<'w> {
    /// Where it goes, which its name says the format of.
    pub(super) target: &'w Path,
    /// The file is written back: JSON stays JSON.
    pub(super) in_place: bool,
    /// The documents are those of the file, one for one.
    pub(super) one_for_one: bool,
}

/// Whether a file is called JSON, and so read by what reads JSON only.
pub(super) fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json")
}

/// The signed documents of one file as text. Says so where the text of the file is not kept.
pub(super) fn of(source: &Source, signed: &[Value], how: Writing<'_>, printer: &mut Printer) -> String {
    if !how.one_for_one || (is_json(how.target) && !how.in_place) {
        return anew(signed, is_json(how.target));
    }
    match yaml::edit(&source.text, signed) {
        Ok(text) => text,
        Err(kept_not) => {
            let json = kept_not.why == Obstacle::Json;
            let (name, file) = (source.path.display(), how.in_place);
            if json && file {
                printer.note_line(format_args!("warning: {name}: {kept_not}; its lines are not kept"));
            } else if !json {
                printer.note_line(format_args!(
                    "warning: {name}: {kept_not}; so the file is written anew, without its comments"
                ));
            }
            anew(signed, json && file || is_json(how.target))
        }
    }
}

/// Documents as this program writes them.
fn anew(documents: &[Value], json: bool) -> String {
    if json {
        documents.iter().map(|document| format!("{document:#}\n")).collect::<Vec<_>>().concat()
    } else {
        documents.iter().map(yaml::to_yaml).collect::<Vec<_>>().join("---\n")
    }
}

/// The texts of several files as one, which says all their documents.
pub(super) fn joined(texts: &[(&str, &[Value])], json: bool) -> String {
    let all: Vec<_> = texts.iter().flat_map(|(_, documents)| documents.iter().cloned()).collect();
    if json {
        return anew(&all, json);
    }
    let mut joined = String::new();
    for (index, (text, _)) in texts.iter().enumerate() {
        if index > 0 {
            let line_end = if joined.ends_with('\n') { "" } else { "\n" };
            joined.push_str(line_end);
            joined.push_str("---\n");
        }
        // A byte order mark is one only where a text begins.
        joined.push_str(if index > 0 { text.strip_prefix('\u{feff}').unwrap_or(text) } else { text });
    }
    // A last line without an end may mean something else once it has one (`|` blocks).
    let read = yaml::read(joined.as_bytes()).unwrap_or_default();
    let same = read.iter().map(|document| &document.value).eq(&all);
    if same || texts.len() == 1 { joined } else { anew(&all, json) }
}
