//! Writing YAML that every reader of the field reads alike.

use serde_json::Value;

/// Writes one document: keys sorted, two spaces, block style, strings that YAML 1.1 would read as
/// something else in quotes. The text ends in a line feed.
#[must_use]
pub fn to_yaml(value: &Value) -> String {
    let options = serde_saphyr::ser_options! {
        compact_list_indent: true,
        prefer_block_scalars: true,
        // Long strings without line ends stay on one line: an annotation of base64 must not be folded.
        folded_wrap_chars: usize::MAX,
    };
    let mut text = String::new();
    match serde_saphyr::to_fmt_writer_with_options(&mut text, value, options) {
        Ok(()) => text,
        // A `Value` holds nothing the writer refuses; JSON is YAML, should that ever change.
        Err(_) => format!("{value}\n"),
    }
}
