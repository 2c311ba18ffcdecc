//! Where in its file a document stands.

use std::collections::BTreeMap;

use crate::input::Input;

/// The files and lines of what was read.
#[derive(Debug, Default)]
pub(crate) struct Lines(BTreeMap<String, usize>);

impl Lines {
    /// Those of files that are read.
    pub(crate) fn of(inputs: &[Input]) -> Self {
        let documents = inputs.iter().flat_map(|input| {
            let documents = input.documents.iter().flatten();
            documents.map(|document| (format!("{}#{}", input.name, document.index), document.line))
        });
        Self(documents.collect())
    }

    /// The file and the line, from 1, of what a verdict calls `signed.yaml#0`, or of an item in it; `None` for what
    /// stands in no file.
    pub(crate) fn place<'s>(&self, source: &'s str) -> Option<(&'s str, usize)> {
        let (file, document) = source.rsplit_once('#')?;
        let index = document.split_once('.').map_or(document, |(index, _)| index);
        if file == "-" || file.starts_with("-k ") {
            return None;
        }
        Some((file, self.0.get(&format!("{file}#{index}")).copied().unwrap_or(1)))
    }
}

#[cfg(test)]
mod tests {
    use common::yaml;

    use super::*;

    #[test]
    fn items_stand_where_their_list_does_and_standard_input_nowhere() {
        let read = |name: &str, text: &str| Input {
            name: name.to_owned(),
            documents: Ok(yaml::read(text.as_bytes()).unwrap()),
        };
        let lines = Lines::of(&[read("a#b.yaml", "a: 1\n---\n# why\nb: 2\n"), read("-", "a: 1\n")]);
        let second = lines.0.values().copied().max().unwrap();
        assert_eq!(lines.place("a#b.yaml#0"), Some(("a#b.yaml", 1)));
        assert_eq!(lines.place("a#b.yaml#1"), Some(("a#b.yaml", second)));
        assert_eq!(lines.place("a#b.yaml#1.items[3]"), Some(("a#b.yaml", second)));
        assert_eq!(lines.place("unread.yaml#0"), Some(("unread.yaml", 1)));
        for source in ["-#0", "-k overlay#0", "deployment/web", "ghcr.io/acme/app:1"] {
            assert_eq!(lines.place(source), None, "{source}");
        }
    }
}
