//! Words as bash parts them.
//!
//! Readline ends a word at every character of `COMP_WORDBREAKS`, so `--key=cos` arrives as the three words `--key`, `=`
//! and `cos`, and what bash puts in is put in behind the last of them.

use std::ffi::{OsStr, OsString};

/// The characters of `COMP_WORDBREAKS` (bash(1), its default) that stand inside the arguments of this program.
const BREAKS: [&str; 2] = ["=", ":"];

/// The words as they were typed, the index of the one to complete, and how much of that one bash keeps as it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Typed {
    pub(super) words: Vec<OsString>,
    pub(super) index: usize,
    pub(super) kept: OsString,
}

/// Puts words together again. `index` is that of the word to complete.
pub(super) fn typed(parts: &[OsString], index: usize) -> Typed {
    let is_break = |part: &OsStr| BREAKS.iter().any(|known| part == *known);
    let mut typed = Typed { words: Vec::new(), index: 0, kept: OsString::new() };
    let mut before = None;
    for (at, part) in parts.iter().enumerate() {
        let joins = is_break(part) || before.is_some_and(is_break);
        match typed.words.last_mut().filter(|_| joins) {
            Some(word) => {
                if at == index {
                    typed.kept.clone_from(word);
                }
                word.push(part);
            }
            None => typed.words.push(part.clone()),
        }
        if at == index {
            typed.index = typed.words.len() - 1;
        }
        before = Some(part);
    }
    typed
}

/// What bash is to put in for a candidate.
pub(super) fn put_in(candidate: &OsStr, kept: &OsStr) -> String {
    let candidate = candidate.to_string_lossy();
    let kept = kept.to_string_lossy();
    candidate.strip_prefix(&*kept).unwrap_or(&candidate).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_bash_parted_is_one_word_again() {
        for (parts, index, words, at, kept) in [
            ("t verify --key = cos", 4, "t verify --key=cos", 2, "--key="),
            ("t verify reg : 5000/app --ke", 5, "t verify reg:5000/app --ke", 3, ""),
            ("t verify -a k = v --ke", 6, "t verify -a k=v --ke", 4, ""),
            ("t sign --key k", 3, "t sign --key k", 3, ""),
        ] {
            let split = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
            let expected = Typed { words: split(words), index: at, kept: kept.into() };
            assert_eq!(typed(&split(parts), index), expected, "{parts}");
        }
        assert_eq!(put_in("--key=cosign.pub".as_ref(), "--key=".as_ref()), "cosign.pub");
    }

    /// Right behind `=` the script hands on an empty word in the place of the break.
    #[test]
    fn an_empty_value_follows_its_flag() {
        let parts = ["t", "verify", "--key", ""].map(OsString::from);
        let expected = Typed { words: parts.to_vec(), index: 3, kept: OsString::new() };
        assert_eq!(typed(&parts, 3), expected);
    }
}
