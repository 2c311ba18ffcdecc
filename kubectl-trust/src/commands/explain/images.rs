//! Explaining images that nothing runs yet.

use common::object::{ObjectRef, Origin};
use common::verdict::{Subject, SubjectKind, Verdict};
use serde_json::{Value, json};

use crate::cli::ExplainArgs;
use crate::cluster::World;
use crate::commands::judge::Item;
use crate::commands::verify::images;
use crate::output::Progress;
use crate::runtime;

/// The word in front of images: a KIND/NAME looks like one.
const WORD: &str = "image";

/// The images that are named, in `image IMAGE…`; none where something else is.
pub(super) fn named(args: &ExplainArgs) -> &[String] {
    match args.resources.split_first() {
        Some((first, images)) if first == WORD => images,
        _ => &[],
    }
}

/// A Pod for each image, which policies can look at.
pub(super) fn pods(images: &[String], namespace: Option<&str>) -> Vec<Value> {
    let pod = |image: &String| {
        json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": WORD, "namespace": namespace.unwrap_or("default")},
            "spec": {"containers": [{"name": WORD, "image": image}]}})
    };
    images.iter().map(pod).collect()
}

/// The same as what is judged.
pub(super) fn items<'p>(images: &[String], pods: &'p [Value]) -> Vec<Item<'p>> {
    let item = |(image, object): (&String, &'p Value)| {
        let (kind, source) = (SubjectKind::Image, image.clone());
        let subject = Subject { kind, source, object: ObjectRef::default() };
        Item::Object { subject, object, origin: Origin::File }
    };
    images.iter().zip(pods).map(item).collect()
}

/// Judges images by the trust flags.
///
/// # Errors
/// As `verify IMAGE`.
pub(super) fn by_flags(images: &[String], args: &ExplainArgs, world: &World) -> anyhow::Result<Verdict> {
    let entry = images::demanded(&args.trust, None)?;
    let decisions = runtime::block_on(images::judge(images, &entry, world, Progress::none()))?;
    Ok(Verdict { decisions })
}
