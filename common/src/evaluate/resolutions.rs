//! Which manifest each image of one request is.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use crate::digest::Digest;
use crate::gather::{self, Resolved};
use crate::image::ImageRef;
use crate::policy::images::RegistryCredentials;
use crate::registry::Registry;
use crate::verdict::Reason;

/// The answer to a question that is asked once.
type Asking = Arc<OnceCell<Result<Resolved, Reason>>>;

/// Which manifest each image of one request is, asked once however many rules ask.
///
/// 1. A digest says so itself.
/// 2. A tag is asked for once with the credentials of each policy: what one may not read, or could not, is no
///    fault for another, and what one may read is not shown to another.
/// 3. All answers must be the same, so that every verdict and every pin of a request speaks of one manifest. The
///    first stands, and whoever got another one refuses the image. Attack: a registry that serves a signed image
///    to the credentials of one policy and another image to everybody else.
#[derive(Default)]
pub(super) struct Resolutions {
    known: Mutex<BTreeMap<String, Tagged>>,
}

/// What is known of one tag.
#[derive(Default)]
struct Tagged {
    asked: Vec<(RegistryCredentials, Asking)>,
    /// The first answer.
    digest: Option<Digest>,
}

impl Resolutions {
    pub(super) async fn of(
        &self,
        image: &ImageRef,
        credentials: &RegistryCredentials,
        registry: &dyn Registry,
    ) -> Result<Resolved, Reason> {
        // (1)
        if image.digest().is_some() {
            return gather::resolve(image, registry).await;
        }
        // (2)
        let name = image.to_string();
        let asking = self.with(&name, |tagged| tagged.asking(credentials));
        let resolved = asking.get_or_init(|| gather::resolve(image, registry)).await.clone()?;
        // (3)
        let first = self.with(&name, |tagged| tagged.digest.get_or_insert(resolved.digest.clone()).clone());
        if first == resolved.digest {
            return Ok(resolved);
        }
        let (image, second) = (image.typed().to_owned(), resolved.digest.to_string());
        Err(Reason::ImageAmbiguous { image, first: first.to_string(), second })
    }

    fn with<T>(&self, name: &str, look: impl FnOnce(&mut Tagged) -> T) -> T {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        look(known.entry(name.to_owned()).or_default())
    }
}

impl Tagged {
    fn asking(&mut self, credentials: &RegistryCredentials) -> Asking {
        if let Some((_, asking)) = self.asked.iter().find(|(with, _)| with == credentials) {
            return Arc::clone(asking);
        }
        let asking = Asking::default();
        self.asked.push((credentials.clone(), Arc::clone(&asking)));
        asking
    }
}
