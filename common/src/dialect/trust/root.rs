//! `TrustRoot`: whom the policies that name it trust to vouch for identities and to keep logs.

use std::sync::Arc;

use serde_json::Value;

use super::named;
use crate::dialect::reader::{Fields, Node, Report};
use crate::dialect::{Compiled, NamedTrustRoot, Problem};
use crate::trust::{Pieces, TrustError, TrustRoot};

const SOURCES: [&str; 2] = ["trustedRoot", "pem"];

/// Fields of `pem`, and what errors about the piece are called.
const PIECES: [(&str, &str); 5] = [
    ("certificateAuthorities", "--ca-roots"),
    ("intermediates", "--ca-intermediates"),
    ("rekorKeys", "--rekor-public-key"),
    ("ctLogKeys", "--ct-public-key"),
    ("timestampAuthority", "--tsa-certificate-chain"),
];

/// Compiles a `TrustRoot`.
pub(in crate::dialect) fn compile_root(document: &Value, report: &Report) -> Option<Compiled> {
    let root = Node::root(document, report).map(|fields| {
        fields.skip(&["apiVersion", "kind", "status"]);
        let metadata = fields.required("metadata", "a trust root needs a name");
        let spec = fields.required("spec", "a trust root needs authorities or logs");
        let id = named(&metadata?, super::ROOT)?;
        let root = spec?.map(source).flatten()?;
        Some(Compiled::TrustRoot(NamedTrustRoot { name: id.name, root: Arc::new(root) }))
    });
    root.flatten()
}

fn source(fields: &mut Fields<'_, '_>) -> Option<TrustRoot> {
    let found = fields.present(&SOURCES);
    let (whole, pieces) = (fields.get("trustedRoot"), fields.get("pem"));
    match (whole, pieces) {
        (Some(node), None) => {
            TrustRoot::from_json(&node.value.to_string()).map_err(|error| at(&node, &error)).ok()
        }
        (None, Some(node)) => node.map(|fields| of_pieces(&node, fields)).flatten(),
        (Some(_), Some(_)) | (None, None) => {
            fields.error(Problem::NotExactlyOne { of: SOURCES.to_vec(), found });
            None
        }
    }
}

fn of_pieces(node: &Node<'_, '_>, fields: &mut Fields<'_, '_>) -> Option<TrustRoot> {
    let texts = PIECES.map(|(name, _)| fields.text(name, "write PEM or remove the field"));
    let [ca_roots, ca_intermediates, rekor_keys, ct_keys, tsa_chain] = texts.each_ref().map(Option::as_deref);
    if ca_intermediates.is_some() && ca_roots.is_none() {
        let path = node.path.key("certificateAuthorities");
        node.report
            .error(&path, Problem::Missing("intermediates mean nothing without the authorities above"));
        return None;
    }
    let pieces = Pieces { ca_roots, ca_intermediates, rekor_keys, ct_keys, tsa_chain };
    TrustRoot::of_pieces_alone(&pieces).map_err(|error| at(node, &error)).ok()
}

/// Reports an error where its piece stands.
fn at(node: &Node<'_, '_>, error: &TrustError) {
    let piece = |piece: &str| PIECES.iter().find(|(_, flag)| *flag == piece).map(|(name, _)| *name);
    match &error {
        TrustError::Piece { piece: flag, problem } => {
            let path = piece(flag).map_or_else(|| node.path.clone(), |name| node.path.key(name));
            node.report.error(&path, Problem::TrustRoot(problem.clone()));
        }
        TrustError::TooLarge | TrustError::Unreadable(_) | TrustError::Unusable(_) | TrustError::Empty => {
            node.error(Problem::TrustRoot(error.to_string()));
        }
    }
}
