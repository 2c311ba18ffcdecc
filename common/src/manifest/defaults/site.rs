//! Where a comparison stands, as the rules of the table see it.

use serde_json::Value;

/// One step of a comparison, borrowed from the objects compared.
#[derive(Clone, Copy, Debug)]
pub(in crate::manifest) enum Step<'v> {
    /// A key of a map.
    Key(&'v str),
    /// An element of a list.
    Index(usize),
}

/// A place on the way from the root: how it was reached and what stands there on both sides.
#[derive(Clone, Copy, Debug)]
pub(in crate::manifest) struct Level<'v> {
    pub(in crate::manifest) step: Step<'v>,
    pub(in crate::manifest) signed: Option<&'v Value>,
    pub(in crate::manifest) found: Option<&'v Value>,
}

/// A place in the two objects, with everything above it. The last level is the place itself, the first
/// is the root (whose step means nothing).
#[derive(Clone, Copy, Debug)]
pub(in crate::manifest) struct Site<'w> {
    levels: &'w [Level<'w>],
}

impl<'w> Site<'w> {
    pub(in crate::manifest) fn new(levels: &'w [Level<'w>]) -> Self {
        Self { levels }
    }

    fn up(&self, up: usize) -> Option<&'w Level<'w>> {
        self.levels.len().checked_sub(up + 1).and_then(|at| self.levels.get(at))
    }

    /// The value found at this place.
    pub(super) fn here(&self) -> Option<&'w Value> {
        self.up(0)?.found
    }

    /// The key of this place; empty for list elements.
    pub(super) fn key(&self) -> &'w str {
        match self.up(0).map(|level| level.step) {
            Some(Step::Key(key)) => key,
            Some(Step::Index(_)) | None => "",
        }
    }

    /// The key of the map that this place is in.
    pub(super) fn key_above(&self) -> &'w str {
        match self.up(1).map(|level| level.step) {
            Some(Step::Key(key)) => key,
            Some(Step::Index(_)) | None => "",
        }
    }

    /// How far this list element lies behind the end of the signed list: 0 for the first added one.
    pub(super) fn added(&self) -> Option<usize> {
        let Step::Index(index) = self.up(0)?.step else { return None };
        index.checked_sub(self.signed_list(1).len())
    }

    /// The signed list so many levels up; empty where there is none.
    pub(super) fn signed_list(&self, up: usize) -> &'w [Value] {
        self.up(up).and_then(|level| level.signed).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// The signed map so many levels up.
    pub(super) fn signed_object(&self, up: usize) -> Option<&'w serde_json::Map<String, Value>> {
        self.up(up)?.signed?.as_object()
    }

    /// A field of the signed object so many levels up. `null` is absent.
    pub(super) fn signed(&self, up: usize, key: &str) -> Option<&'w Value> {
        self.up(up)?.signed?.get(key).filter(|value| !value.is_null())
    }

    /// A field of the found object so many levels up. `null` is absent.
    pub(super) fn found(&self, up: usize, key: &str) -> Option<&'w Value> {
        self.up(up)?.found?.get(key).filter(|value| !value.is_null())
    }

    /// A signed text field that is not empty.
    pub(super) fn signed_text(&self, up: usize, key: &str) -> Option<&'w str> {
        self.signed(up, key)?.as_str().filter(|text| !text.is_empty())
    }

    /// A value of the whole signed object.
    pub(super) fn signed_root(&self, keys: &[&str]) -> Option<&'w Value> {
        dig(self.levels.first()?.signed?, keys)
    }

    /// A value of the whole found object.
    pub(super) fn found_root(&self, keys: &[&str]) -> Option<&'w Value> {
        dig(self.levels.first()?.found?, keys)
    }
}

/// The value below some keys; `null` is absent.
pub(super) fn dig<'v>(value: &'v Value, keys: &[&str]) -> Option<&'v Value> {
    keys.iter().try_fold(value, |value, key| value.get(key)).filter(|value| !value.is_null())
}
