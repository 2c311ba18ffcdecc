//! What an image is called, in every way that patterns may mean.

use super::ImageRef;
use super::reference::{DOCKER_HUB, DOCKER_HUB_ALIAS};

/// The names of one image, made once and compared with the patterns of all policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    typed: Box<str>,
    /// Those that say what would run, and behind them the others.
    every: Vec<Box<str>>,
    /// How many say what would run.
    run: usize,
}

impl Names {
    /// The names of an image.
    #[must_use]
    pub fn of(image: &ImageRef) -> Self {
        let repository = image.repository();
        let mut repositories = vec![repository.to_string()];
        repositories.extend(repository.without_library());
        let run = repositories.len();
        if repository.registry() == DOCKER_HUB {
            let older = |name: &String| format!("{DOCKER_HUB_ALIAS}{}", &name[DOCKER_HUB.len()..]);
            repositories.extend(repositories.iter().map(older).collect::<Vec<_>>());
        }
        let version = image.version().suffix();
        let mut every: Vec<_> = repositories.iter().map(|name| [name, version.as_str()].concat()).collect();
        if let (Some(tag), Some(digest)) = (image.tag(), image.digest()) {
            every.extend(repositories.iter().map(|name| format!("{name}:{tag}@{digest}")));
        }
        let every = every.into_iter().map(String::into_boxed_str).collect();
        Self { typed: image.typed().into(), every, run }
    }

    /// As somebody typed it.
    pub(super) fn typed(&self) -> &str {
        &self.typed
    }

    /// Those that say what would run: the normal one, and that without `library/` which Kyverno uses.
    pub(super) fn that_run(&self) -> &[Box<str>] {
        &self.every[..self.run]
    }

    /// Every name but the typed one: also under the registry's older name, and with the tag that stands
    /// beside a digest.
    pub(super) fn every(&self) -> &[Box<str>] {
        &self.every
    }
}
