//! Certificates in a policy.

use super::texts::plain;
use crate::dialect::Problem;
use crate::dialect::reader::Node;
use crate::limits;

/// PEM certificates, or the base64 of such a text.
pub(super) fn certificate_pem(node: &Node<'_, '_>) -> Option<String> {
    use base64::Engine as _;
    let text = plain(node)?;
    let decoded = || {
        let packed: String = text.split_whitespace().collect();
        String::from_utf8(base64::engine::general_purpose::STANDARD.decode(packed).ok()?).ok()
    };
    let pem = if text.contains("-----BEGIN") { Some(text.to_owned()) } else { decoded() };
    match pem.as_deref().map_or(Err("neither PEM nor base64 of PEM"), check_certificates) {
        Ok(()) => pem,
        Err(why) => {
            node.error(Problem::Certificate(why));
            None
        }
    }
}

/// Every block must be there, whole, and a certificate; a dropped one would change what is trusted.
fn check_certificates(text: &str) -> Result<(), &'static str> {
    let begun = text.matches("-----BEGIN ").count();
    if begun > limits::CERTIFICATES || text.len() > limits::CERTIFICATE_BYTES * limits::CERTIFICATES {
        return Err("too many or too large");
    }
    let blocks = pem::parse_many(text).map_err(|_| "a block is cut off or not base64")?;
    if blocks.is_empty() || blocks.len() != begun {
        return Err("no whole PEM block");
    }
    let all = blocks.iter().all(|block| block.tag() == "CERTIFICATE");
    if all { Ok(()) } else { Err("a block of another kind") }
}
