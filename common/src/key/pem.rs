//! PEM blocks (RFC 7468), read strictly: a block that is cut off is an error, never skipped.

use super::KeyError;
use crate::limits;

/// One PEM block.
pub(super) struct Block {
    pub(super) label: String,
    pub(super) der: Vec<u8>,
}

/// Reads every block of a text.
///
/// A dropped block would lower "all of these keys" to "the readable ones", so the number of blocks
/// must equal the number of `-----BEGIN ` lines.
pub(super) fn blocks(text: &str) -> Result<Vec<Block>, KeyError> {
    if text.len() > limits::KEY_BYTES {
        return Err(KeyError::TooLarge);
    }
    let begun = text.matches("-----BEGIN ").count();
    if begun == 0 {
        return Err(KeyError::NotPem);
    }
    if begun > limits::KEYS {
        return Err(KeyError::TooLarge);
    }
    let mut blocks = Vec::with_capacity(begun);
    for (index, part) in split(text).enumerate() {
        let block = pem::parse(part).map_err(|_| KeyError::BrokenPem { index: index + 1 })?;
        blocks.push(Block { label: block.tag().to_owned(), der: block.into_contents() });
    }
    Ok(blocks)
}

/// The text from each `-----BEGIN ` to the next.
fn split(text: &str) -> impl Iterator<Item = &str> {
    const BEGIN: &str = "-----BEGIN ";
    let mut rest = text.find(BEGIN).map_or("", |start| &text[start..]);
    std::iter::from_fn(move || {
        let part = Some(rest).filter(|rest| !rest.is_empty())?;
        let end = part[BEGIN.len()..].find(BEGIN).map_or(part.len(), |next| next + BEGIN.len());
        rest = &part[end..];
        Some(&part[..end])
    })
}

/// Writes one block with 64 columns and `\n` line ends, as cosign and OpenSSL do.
pub(super) fn write(label: &str, der: &[u8]) -> String {
    let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    pem::encode_config(&pem::Pem::new(label, der), config)
}
