//! Where a field stands in the text: for messages only, so a text that cannot be read has no places.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};

use super::options;
use super::split::{self, Chunk};
use super::tree::Key;
use crate::limits;
use crate::object::{FieldPath, Segment};

/// Line and column, both from 1.
pub type Place = (usize, usize);

/// The texts of the documents of a stream, found once for as many places as are asked for.
pub struct DocumentTexts<'t> {
    chunks: Vec<Chunk<'t>>,
}

/// The places of every field of one document.
#[derive(Debug)]
pub struct Places {
    root: Node,
    /// Lines of the text before the document.
    before: usize,
}

/// One value: where it is named (its key, or itself in a list), and what is inside.
#[derive(Debug)]
struct Node {
    at: Place,
    inside: Inside,
}

#[derive(Debug)]
enum Inside {
    Scalar,
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

/// The place of one field: that of the path, or of the deepest parent that is there.
///
/// `document` counts as [`super::Document::index`] does. `None` when the text has no such document or
/// cannot be read.
#[must_use]
pub fn locate(bytes: &[u8], document: usize, path: &FieldPath) -> Option<Place> {
    Places::of(bytes, document).map(|places| places.find(path))
}

impl<'t> DocumentTexts<'t> {
    /// Finds the documents of a text. One that cannot be read has none.
    #[must_use]
    pub fn of(bytes: &'t [u8]) -> Self {
        let readable = bytes.len() <= limits::INPUT_BYTES;
        let text = std::str::from_utf8(bytes).ok().filter(|_| readable).unwrap_or_default();
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let chunks = split::chunks(text).filter_map(Result::ok);
        Self { chunks: chunks.filter(|chunk| !split::is_blank(chunk.text)).collect() }
    }

    /// Reads the places of a document, which counts as [`super::Document::index`] does; `None` as for [`Places::of`].
    #[must_use]
    pub fn places(&self, document: usize) -> Option<Places> {
        let chunk = self.chunks.get(document)?;
        let read =
            serde_saphyr::from_str_with_options::<Spanned<Inside>>(chunk.text, options(chunk.text.len()));
        let spanned = read.ok()?;
        let root = Node { at: place(spanned.referenced), inside: spanned.value };
        Some(Places { root, before: chunk.line - 1 })
    }
}

impl Places {
    /// Reads the places of a document. JSON is read as the YAML that it is; only of a stream of several
    /// JSON objects without `---` between them nothing is known.
    #[must_use]
    pub fn of(bytes: &[u8], document: usize) -> Option<Self> {
        DocumentTexts::of(bytes).places(document)
    }

    /// The place of the path, or of the deepest parent that is there.
    #[must_use]
    pub fn find(&self, path: &FieldPath) -> Place {
        let mut node = &self.root;
        for segment in path.segments() {
            let child = match (segment, &node.inside) {
                (Segment::Key(key), Inside::Map(entries)) => {
                    entries.iter().find(|(name, _)| name == key).map(|(_, child)| child)
                }
                (Segment::Index(index), Inside::List(items)) => items.get(*index),
                (Segment::Key(_) | Segment::Index(_), _) => None,
            };
            let Some(child) = child else { break };
            node = child;
        }
        (self.before + node.at.0, node.at.1)
    }
}

fn place(location: Location) -> Place {
    let number = |number| usize::try_from(number).unwrap_or(1).max(1);
    (number(location.line()), number(location.column()))
}

impl<'de> Deserialize<'de> for Inside {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(InsideVisitor)
    }
}

struct InsideVisitor;

impl<'de> Visitor<'de> for InsideVisitor {
    type Value = Inside;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Inside, E> {
        Ok(Inside::Scalar)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Inside, E> {
        Ok(Inside::Scalar)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Inside, E> {
        Ok(Inside::Scalar)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Inside, E> {
        Ok(Inside::Scalar)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Inside, E> {
        Ok(Inside::Scalar)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Inside, E> {
        Ok(Inside::Scalar)
    }

    fn visit_str<E>(self, _: &str) -> Result<Inside, E> {
        Ok(Inside::Scalar)
    }

    fn visit_unit<E>(self) -> Result<Inside, E> {
        Ok(Inside::Scalar)
    }

    fn visit_none<E>(self) -> Result<Inside, E> {
        Ok(Inside::Scalar)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Inside, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Inside, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<Spanned<Inside>>()? {
            list.push(Node { at: place(item.referenced), inside: item.value });
        }
        Ok(Inside::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Inside, A::Error> {
        let mut map = Vec::new();
        while let Some(key) = entries.next_key::<Spanned<Key>>()? {
            let inside = entries.next_value::<Inside>()?;
            map.push((key.value.0, Node { at: place(key.referenced), inside }));
        }
        Ok(Inside::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = "# licence\n---\nkind: A\nspec:\n  rules:\n  - name: a\n    verify:\n      attestor: 1\n---\n\
                          # nothing\n---\nkind: B\nspec: {rules: [{name: x, on: y}]}\n";

    fn rule(index: usize) -> FieldPath {
        FieldPath::keys(["spec", "rules"]).index(index)
    }

    #[test]
    fn a_field_is_where_its_key_is() {
        let at = |document, path: &FieldPath| locate(POLICY.as_bytes(), document, path);
        assert_eq!(at(0, &rule(0).key("verify").key("attestor")), Some((8, 7)));
        assert_eq!(at(0, &rule(0)), Some((6, 5)));
        assert_eq!(at(0, &FieldPath::root()), Some((3, 1)));
        assert_eq!(at(1, &rule(0).key("name")), Some((13, 17)));
        assert_eq!(at(1, &rule(0).key("true")), Some((13, 26)));
    }

    #[test]
    fn what_is_missing_is_where_its_parent_is() {
        let at = |path: &FieldPath| locate(POLICY.as_bytes(), 0, path);
        assert_eq!(at(&rule(0).key("match").key("any")), Some((6, 5)));
        assert_eq!(at(&rule(3)), Some((5, 3)));
        assert_eq!(at(&FieldPath::keys(["spec", "rules", "name"])), Some((5, 3)));
    }

    #[test]
    fn json_has_places_as_well() {
        let text = "{\n  \"spec\": {\n    \"rules\": []\n  }\n}";
        assert_eq!(locate(text.as_bytes(), 0, &FieldPath::keys(["spec", "rules"])), Some((3, 5)));
    }

    #[test]
    fn an_alias_is_where_it_is_used() {
        let text = "a: &x {b: 1}\nc: *x\nd:\n  <<: *x\n  e: 1\n";
        assert_eq!(locate(text.as_bytes(), 0, &FieldPath::keys(["c"])), Some((2, 1)));
        assert_eq!(locate(text.as_bytes(), 0, &FieldPath::keys(["d", "e"])), Some((5, 3)));
    }

    #[test]
    fn what_cannot_be_read_has_no_places() {
        let root = FieldPath::root();
        let deep = "[".repeat(20_000);
        for text in [b"a: [".as_slice(), b"", b"# x\n", b"a: \xff", b"a: 1\na: 2\n", deep.as_bytes()] {
            assert_eq!(locate(text, 0, &root), None);
        }
        assert_eq!(locate(b"a: 1", 1, &root), None);
    }
}
