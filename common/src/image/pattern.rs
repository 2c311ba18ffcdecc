//! Patterns of image references, as policies write them: `ghcr.io/acme/*`.
//!
//! `*` stands for any characters, `/` among them, `?` for one; both ends are anchored and case counts
//! (`spec/kyverno.md` 2.2).

use std::fmt;

use super::ImageRef;
use super::names::Names;
use super::reference::{DOCKER_HUB, DOCKER_HUB_ALIAS, is_host};
use crate::limits;
use crate::wildcard::{self, Pattern};

/// A pattern of image references.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImagePattern {
    typed: Pattern,
    /// With the registry's name in its normal form.
    normal: Pattern,
    /// A registry or folder with a slash behind it, read as everything below it.
    below: Option<Pattern>,
}

/// Why a text is no pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// Nothing, or only blanks.
    #[error("the pattern is empty; write one like ghcr.io/acme/*")]
    Empty,
    /// Longer than [`limits::PATTERN_BYTES`].
    #[error("the pattern is longer than {} bytes", limits::PATTERN_BYTES)]
    TooLong,
}

impl ImagePattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// [`PatternError`]. A pattern that can match nothing is no error, because Kyverno takes it; see
    /// [`Self::warning`].
    pub fn parse(typed: &str) -> Result<Self, PatternError> {
        if typed.trim().is_empty() {
            return Err(PatternError::Empty);
        }
        if typed.len() > limits::PATTERN_BYTES {
            return Err(PatternError::TooLong);
        }
        let normal = normal(typed);
        let below = is_prefix(&normal).then(|| Pattern::new(&format!("{normal}*")));
        Ok(Self { typed: Pattern::new(typed), normal: Pattern::new(&normal), below })
    }

    /// Whether the pattern covers an image *that is demanded something of*: under any name that the image
    /// has. To cover more is to demand more.
    ///
    /// Attack: `index.docker.io/nginx`, `GHCR.io/acme/app` or `ghcr.io:443/acme/app:1@sha256:…` must not
    /// be a way around a pattern that covers the plain name, whichever of the names it was written for.
    #[must_use]
    pub fn covers(&self, image: &Names) -> bool {
        let pattern = self.below.as_ref().unwrap_or(&self.normal);
        self.typed.matches(image.typed())
            || pattern.matches(image.typed())
            || image.every().iter().any(|name| pattern.matches(name))
    }

    /// Whether the pattern covers an image *that is then let through*: under the names that say what would
    /// run, and never as it was written. To cover more is to demand less.
    ///
    /// Attack: `evil:trusted@sha256:…` runs the digest, whatever the tag says, and must not be skipped by
    /// `*:trusted`.
    #[must_use]
    pub fn covers_strictly(&self, image: &Names) -> bool {
        image.that_run().iter().any(|name| self.normal.matches(name))
    }

    /// What about the pattern its author should know: that it can match nothing, or more than it seems to.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        const CHECKS: [fn(&str) -> Option<String>; 7] =
            [blank, scheme, trailing_slash, capital, no_registry, no_version, near_miss];
        CHECKS.iter().find_map(|check| check(self.normal.as_str()))
    }
}

impl ImagePattern {
    /// What about the pattern its author should know, where an image that is named by its digest alone is covered by
    /// none of `all`: `ghcr.io/acme/app:*` says nothing of `ghcr.io/acme/app@sha256:…`.
    ///
    /// What is advised covers whatever was covered, and the digest; the matcher itself says so.
    #[must_use]
    pub fn leaves_out_digests(&self, all: &[Self]) -> Option<String> {
        let pattern = self.normal.as_str();
        let (repository, _) = split_version(pattern);
        let version =
            pattern[repository.len()..].strip_prefix(':').filter(|tag| wildcard::is_pattern(tag))?;
        let example = |text: &str, suffix: &str| {
            let image = ImageRef::parse(&format!("{}{suffix}", text.replace(['*', '?'], "x")));
            image.ok().map(|image| Names::of(&image))
        };
        let digest = example(repository, &format!("@sha256:{}", "0".repeat(64)))?;
        let tag = example(repository, &format!(":{}", version.replace(['*', '?'], "1")))?;
        if !self.covers(&tag) || all.iter().any(|one| one.covers(&digest)) {
            return None;
        }
        let beside = format!("{repository}@*");
        let wide = Self::parse(&format!("{repository}*")).ok()?;
        let both = |one: &Self| one.covers(&tag) && one.covers(&digest);
        let instead = if both(&wide) && wide.warning().is_none() {
            format!("write `{wide}`, which covers both")
        } else {
            Self::parse(&beside).ok().filter(|one| one.covers(&digest))?;
            format!("write `{beside}` beside it")
        };
        Some(format!(
            "`{self}` covers tags and no digests: an image that is named by its digest alone, `{repository}@sha256:…`, is not looked at; {instead}"
        ))
    }
}

impl fmt::Display for ImagePattern {
    /// As typed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.typed.as_str())
    }
}

/// The pattern with the registry's name as [`ImageRef`] writes it. Names of registries are lower-case
/// there, and so is every path, so whatever stands before a slash is.
fn normal(typed: &str) -> String {
    let Some((first, rest)) = typed.split_once('/') else { return typed.to_owned() };
    let host = first.to_ascii_lowercase();
    // `*:443/` is every registry on one port; without the port it would be every registry.
    let plain = if wildcard::is_pattern(&host) { &host } else { host.strip_suffix(":443").unwrap_or(&host) };
    let host = if plain == DOCKER_HUB_ALIAS { DOCKER_HUB } else { plain };
    format!("{host}/{rest}")
}

fn is_prefix(pattern: &str) -> bool {
    pattern.ends_with('/') && !wildcard::is_pattern(pattern)
}

/// The pattern up to its tag or digest, and whether there was one.
fn split_version(pattern: &str) -> (&str, bool) {
    let last = pattern.rfind('/').map_or(0, |slash| slash + 1);
    match pattern[last..].find([':', '@']) {
        Some(at) => (&pattern[..last + at], true),
        None => (pattern, false),
    }
}

fn blank(pattern: &str) -> Option<String> {
    let has = pattern.contains(|c: char| c.is_whitespace() || c.is_control());
    has.then(|| format!("`{pattern}` matches no image, because references hold no blanks; remove them"))
}

fn scheme(pattern: &str) -> Option<String> {
    let (_, rest) = pattern.split_once("//").filter(|(scheme, _)| scheme.ends_with(':'))?;
    Some(format!("`{pattern}` matches no image, because references have no scheme; write `{rest}`"))
}

fn trailing_slash(pattern: &str) -> Option<String> {
    is_prefix(pattern).then(|| {
        format!(
            "`{pattern}` matches nothing in Kyverno. Here it is read as `{pattern}*` where signatures are demanded, and skips nothing; write `{pattern}*`"
        )
    })
}

fn capital(pattern: &str) -> Option<String> {
    let (name, _) = split_version(pattern);
    // What follows a star may belong to a tag, and tags have capital letters.
    let last = name.rfind('/').map_or(0, |slash| slash + 1);
    let end = name[last..].find('*').map_or(name.len(), |star| last + star);
    let capital = name[..end].contains(|c: char| c.is_ascii_uppercase()) && end > 0;
    capital.then(|| {
        let instead = format!("{}{}", name[..end].to_ascii_lowercase(), &pattern[end..]);
        format!("`{pattern}` matches no image, because names have no capital letters; write `{instead}`")
    })
}

fn no_registry(pattern: &str) -> Option<String> {
    let first = pattern.split('/').next().unwrap_or(pattern);
    // Without a slash, `ghcr.io*` begins with a registry and `nginx:*` with a repository.
    let stem = first.split(['*', '?', ':', '@']).next().unwrap_or(first);
    let host = if first.len() == pattern.len() { stem } else { first };
    let open = first.starts_with(['*', '?']) || (wildcard::is_pattern(first) && host.len() == first.len());
    if open || is_host(host) {
        return None;
    }
    let instead = suggested(&format!("{DOCKER_HUB}/{pattern}"));
    Some(format!(
        "`{pattern}` names no registry. It matches nothing in Kyverno, and here only images that are written like this; write {instead}"
    ))
}

fn no_version(pattern: &str) -> Option<String> {
    let (_, version) = split_version(pattern);
    let last = pattern.rsplit('/').next().unwrap_or(pattern);
    let open = version || wildcard::is_pattern(last);
    (!open).then(|| {
        let instead = suggested(pattern);
        format!(
            "`{pattern}` has no tag and no digest. It matches nothing in Kyverno, and here only images that are written like this; write {instead}"
        )
    })
}

/// The pattern, with every tag and digest if it has neither.
fn suggested(pattern: &str) -> String {
    let last = pattern.rsplit('/').next().unwrap_or(pattern);
    if split_version(pattern).1 || wildcard::is_pattern(last) {
        return format!("`{pattern}`");
    }
    format!("`{pattern}:*` and `{pattern}@*`")
}

/// Attack A6: a star that ends (or begins) in the middle of an owner's name takes in other owners.
fn near_miss(pattern: &str) -> Option<String> {
    let segments: Vec<_> = pattern.split('/').collect();
    let word = |c: char| c.is_ascii_alphanumeric();
    let first = segments.first()?;
    if let Some(host) = first.strip_prefix('*').filter(|host| segments.len() > 1 && host.starts_with(word)) {
        let instead = &pattern[1..];
        return Some(format!("`{pattern}` also matches the registry `evil{host}`; write `{instead}`"));
    }
    let is_cut = |segment: &&str| {
        let stem = segment.strip_suffix('*');
        stem.is_some_and(|stem| stem.ends_with(word) && !stem.contains([':', '@', '*']))
    };
    let at = segments.iter().take(2).position(is_cut)?;
    let stem = segments[..=at].join("/");
    let stem = stem.trim_end_matches('*');
    let other = if at == 0 { format!("{stem}.evil.example") } else { format!("{stem}-evil") };
    let rest = segments[at + 1..].join("/");
    let below = if rest.is_empty() { "*".to_owned() } else { rest };
    Some(format!("`{pattern}` also matches `{other}/…`; write `{stem}/{below}` if that is not meant"))
}

#[cfg(test)]
mod tests {
    use super::super::ImageRef;
    use super::*;

    const HEX: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    fn pattern(typed: &str) -> ImagePattern {
        ImagePattern::parse(typed).unwrap()
    }

    fn image(typed: &str) -> Names {
        Names::of(&ImageRef::parse(&typed.replace("HEX", HEX)).unwrap())
    }

    #[test]
    fn patterns_cover_images_under_every_name() {
        // pattern, image, whether it is demanded something of, whether it may be skipped
        for (typed, of, covers, strictly) in [
            ("*", "nginx", true, true),
            ("nginx", "nginx", true, false),
            ("nginx", "nginx:1", false, false),
            ("docker.io/nginx:latest", "nginx", true, true),
            ("docker.io/nginx:*", "docker.io/library/nginx:1", true, true),
            ("docker.io/library/*", "nginx", true, true),
            ("index.docker.io/nginx:*", "nginx", true, true),
            ("INDEX.docker.io:443/nginx:*", "nginx", true, true),
            ("index.docker.?o/*", "nginx", true, false),
            ("docker.io/*", "index.docker.io/nginx", true, true),
            ("ghcr.io/acme/*", "ghcr.io/acme/a/b:1", true, true),
            ("ghcr.io/acme/app", "ghcr.io/acme/app", true, false),
            ("ghcr.io/acme/app", "ghcr.io/acme/app:latest", false, false),
            ("ghcr.io/acme/app:?", "ghcr.io/acme/app:1", true, true),
            ("ghcr.io/acme/app:v1", "ghcr.io/acme/app:V1", false, false),
            ("ghcr.io/acme/app:*", "ghcr.io/acme/app:1@sha256:HEX", true, false),
            ("ghcr.io/acme/app@*", "ghcr.io/acme/app:1@sha256:HEX", true, true),
            ("ghcr.io/acme/app:*", "ghcr.io/acme/app@sha256:HEX", false, false),
            ("GHCR.io/acme/*", "ghcr.io/acme/app:1", true, true),
            ("ghcr.io:443/acme/*", "ghcr.io/acme/app:1", true, true),
            ("*:443/acme/*", "ghcr.io/acme/app:1", false, false),
            ("*:443/acme/*", "ghcr.io:443/acme/app:1", true, false),
            ("registry.k8s.io/", "registry.k8s.io/etcd:3", true, false),
            ("registry.k8s.io/", "registry.k8s.io.evil.example/etcd:3", false, false),
        ] {
            assert_eq!(pattern(typed).covers(&image(of)), covers, "{typed} {of}");
            assert_eq!(pattern(typed).covers_strictly(&image(of)), strictly, "strictly {typed} {of}");
        }
    }

    /// Attack A5: another spelling of the registry is no way around a pattern.
    #[test]
    fn a5_the_typed_form_is_no_way_around_a_pattern() {
        for typed in ["GHCR.io/acme/app", "ghcr.io:443/acme/app", "GHCR.IO:443/acme/app", "ghcr.io/acme/app"]
        {
            for version in ["", ":1", "@sha256:HEX", ":1@sha256:HEX"] {
                let of = image(&format!("{typed}{version}"));
                assert!(pattern("ghcr.io/acme/*").covers(&of), "{of:?}");
                assert_eq!(pattern("ghcr.io/acme/app:*").covers(&of), !version.starts_with('@'), "{of:?}");
            }
        }
        for typed in ["nginx", "library/nginx", "docker.io/nginx", "Index.Docker.io:443/library/nginx"] {
            for form in ["docker.io/nginx:*", "docker.io/library/nginx:*", "index.docker.io/nginx:*"] {
                assert!(pattern(form).covers(&image(typed)), "{form} {typed}");
            }
        }
    }

    /// Attack A6: names that begin or end like the one that is meant.
    #[test]
    fn a6_names_that_look_alike_are_others() {
        for typed in [
            "ghcr.io/acme-evil/app",
            "evilghcr.io/acme/app",
            "ghcr.io.evil.com/acme/app",
            "evil.com/ghcr.io/acme/a",
        ] {
            for form in ["ghcr.io/acme/*", "ghcr.io/acme/", "ghcr.io/acme/app:*", "ghcr.io/*/app:*"] {
                let expected = form == "ghcr.io/*/app:*" && typed == "ghcr.io/acme-evil/app";
                assert_eq!(pattern(form).covers(&image(typed)), expected, "{form} {typed}");
                assert_eq!(pattern(form).covers_strictly(&image(typed)), expected, "{form} {typed}");
            }
        }
    }

    /// Attack: a trusted tag beside a digest that was never trusted.
    #[test]
    fn a_tag_beside_a_digest_skips_nothing() {
        let evil = image("evil:trusted@sha256:HEX");
        assert!(!pattern("*:trusted").covers_strictly(&evil));
        assert!(!pattern("*:trusted*").covers_strictly(&evil));
        assert!(pattern("*:trusted*").covers(&evil));
    }

    #[test]
    fn patterns_that_match_nothing_or_too_much_say_so() {
        for (typed, words, instead) in [
            ("nginx", "names no registry", "`docker.io/nginx:*` and `docker.io/nginx@*`"),
            ("nginx:1.27", "names no registry", "`docker.io/nginx:1.27`"),
            ("nginx*", "names no registry", "`docker.io/nginx*`"),
            ("acme/*", "names no registry", "`docker.io/acme/*`"),
            ("ghcr.io/acme/app", "no tag and no digest", "`ghcr.io/acme/app:*` and `ghcr.io/acme/app@*`"),
            ("*/app", "no tag and no digest", "`*/app:*` and `*/app@*`"),
            ("ghcr.io/Acme/App:V1", "capital letters", "`ghcr.io/acme/app:V1`"),
            ("ghcr.io/Acme/*", "capital letters", "`ghcr.io/acme/*`"),
            ("https://ghcr.io/acme/*", "no scheme", "`ghcr.io/acme/*`"),
            ("ghcr.io/acme/* ", "no blanks", "remove them"),
            ("registry.k8s.io/", "matches nothing in Kyverno", "`registry.k8s.io/*`"),
            ("ghcr.io/acme*", "`ghcr.io/acme-evil/…`", "`ghcr.io/acme/*`"),
            ("ghcr.io/acme*/app:*", "`ghcr.io/acme-evil/…`", "`ghcr.io/acme/app:*`"),
            ("ghcr.io*", "`ghcr.io.evil.example/…`", "`ghcr.io/*`"),
            ("*ghcr.io/acme/*", "`evilghcr.io`", "`ghcr.io/acme/*`"),
        ] {
            let warning = pattern(typed).warning().unwrap_or_else(|| panic!("{typed}"));
            assert!(warning.contains(words) && warning.contains(instead), "{typed}: {warning}");
        }
    }

    #[test]
    fn honest_patterns_have_no_warning() {
        for typed in [
            "*",
            "*/*",
            "*:1.0",
            "*.amazonaws.com/*",
            "ghcr.io/acme/*",
            "GHCR.io/acme/*",
            "ghcr.io/acme/app*",
            "ghcr.io/acme/app:*",
            "ghcr.io/acme/app:V1",
            "ghcr.io/acme/app@sha256:*",
            "docker.io/nginx:1*",
            "localhost:5000/app:*",
            "127.0.0.1:5000/*",
            "gh?r.io/acme/*",
            "*@sha256:*",
            "*V1",
        ] {
            assert_eq!(pattern(typed).warning(), None, "{typed}");
        }
    }

    #[test]
    fn a_pattern_of_tags_says_that_it_leaves_out_digests() {
        let warning = |all: &[&str]| {
            let all: Vec<_> = all.iter().map(|typed| pattern(typed)).collect();
            all[0].leaves_out_digests(&all)
        };
        for (typed, instead) in [
            ("ghcr.io/acme/app:*", "write `ghcr.io/acme/app*`, which covers both"),
            ("ghcr.io/acme/app:v*", "write `ghcr.io/acme/app*`, which covers both"),
            ("ghcr.io/acme/app:?", "write `ghcr.io/acme/app*`, which covers both"),
            ("ghcr.io/*/app:v?", "write `ghcr.io/*/app*`, which covers both"),
            // The wider pattern would take in other owners.
            ("docker.io/nginx:1*", "write `docker.io/nginx@*` beside it"),
            ("localhost:5000/app:*", "write `localhost:5000/app@*` beside it"),
        ] {
            let told = warning(&[typed]).unwrap_or_else(|| panic!("{typed}"));
            assert!(told.ends_with(instead), "{told}");
            // What is advised is taken literally, and says nothing more.
            let advised = instead.split('`').nth(1).unwrap();
            let both = if instead.contains("beside") { vec![typed, advised] } else { vec![advised] };
            let both: Vec<_> = both.into_iter().map(pattern).collect();
            let repository = typed.replace('*', "x").rsplit_once(':').unwrap().0.to_owned();
            for version in [":v1", "@sha256:HEX", ":v1@sha256:HEX"] {
                let of = image(&format!("{repository}{version}"));
                let before = pattern(typed).covers(&of);
                let after = both.iter().any(|one| one.covers(&of));
                assert!(after || (!before && !version.starts_with('@')), "{typed} {version}");
            }
            assert!(both.iter().all(|one| one.leaves_out_digests(&both).is_none()), "{typed}");
        }
        for covered in [
            &["ghcr.io/acme/app:*", "ghcr.io/acme/app@*"][..],
            &["ghcr.io/acme/app:*", "ghcr.io/acme/*"],
            &["ghcr.io/acme/*"],
            &["ghcr.io/acme/*:*"],
            &["*:*"],
            &["*"],
            &["ghcr.io/acme/app:1.0"],
            &["ghcr.io/acme/app@sha256:*"],
        ] {
            assert_eq!(warning(covered), None, "{covered:?}");
        }
    }

    #[test]
    fn hostile_patterns_end() {
        assert_eq!(ImagePattern::parse(" "), Err(PatternError::Empty));
        assert_eq!(ImagePattern::parse(&"*".repeat(5_000)), Err(PatternError::TooLong));
        for typed in ["/", "//", ":", "@", "*:", "é*", "?", "a:b/", "[::1]:5000/", "*//*"] {
            let found = pattern(typed);
            assert_eq!(found.to_string(), typed);
            drop((found.warning(), found.leaves_out_digests(&[]), found.covers(&image("nginx"))));
        }
        let long = pattern(&"*a".repeat(2_048));
        assert!(!long.covers(&image(&format!("b{}", "/a".repeat(100)))));
    }

    proptest::proptest! {
        /// What may be skipped is always covered as well.
        #[test]
        fn strict_is_within_covered(
            typed in "(ghcr\\.io|docker\\.io|index\\.docker\\.io|\\*|nginx)(/[a*?]{1,3}){0,2}(:[1*]{1,2})?/?",
            of in "(GHCR\\.io/|docker\\.io/|index\\.docker\\.io/)?(a|aa|nginx)(/a{1,2})?(:1{1,2})?",
        ) {
            let (pattern, image) = (pattern(&typed), image(&of));
            proptest::prop_assert!(!pattern.covers_strictly(&image) || pattern.covers(&image));
            drop((pattern.warning(), pattern.leaves_out_digests(&[])));
        }
    }
}
