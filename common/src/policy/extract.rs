//! The images that a rule is about: where Kubernetes has them, or where the rule says they are.

use jmespath::{Rcvar, Variable};
use serde_json::Value;

use super::expression::Expression;
use super::functions::Functions;
use super::images::{ImageExtractor, ImagesRule};
use crate::image::{self, ExtractError, FoundImage, ImageRef, Place, Spot};
use crate::limits;
use crate::object::{FieldPath, Segment};

impl ImagesRule {
    /// Whether the rule itself says where objects of this kind have their images.
    #[must_use]
    pub fn has_extractors(&self, object: &Value) -> bool {
        self.extractors.contains_key(kind(object))
    }

    /// The images of an object. Extractors for its kind replace the places that Kubernetes has
    /// (`spec/kyverno.md` 1.6); kinds that neither knows have none.
    ///
    /// A blank text is no image where Kubernetes itself makes no Pod of it. What the controller of a custom
    /// kind makes of one nobody knows, so there it is an image that cannot be read.
    ///
    /// # Errors
    /// [`ExtractError`] is a fault of the rule, and never "no images".
    pub fn images(&self, object: &Value) -> Result<Vec<FoundImage>, ExtractError> {
        let Some(extractors) = self.extractors.get(kind(object)) else {
            return image::images(object);
        };
        let mut found = Vec::new();
        for extractor in extractors {
            found.extend(extractor.images(object)?);
            if found.len() > limits::IMAGES {
                return Err(ExtractError::TooMany);
            }
        }
        Ok(found)
    }
}

fn kind(object: &Value) -> &str {
    object.get("kind").and_then(Value::as_str).unwrap_or_default()
}

impl ImageExtractor {
    fn images(&self, object: &Value) -> Result<Vec<FoundImage>, ExtractError> {
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        let place = Place { path: &path, key: self.key.as_deref(), value: &[&self.value] };
        Spot::all(object, place)?.into_iter().map(|spot| self.image(spot)).collect()
    }

    fn image(&self, spot: Spot<'_>) -> Result<FoundImage, ExtractError> {
        let image = match &self.rewrite {
            None => ImageRef::parse(spot.text),
            Some(rewrite) => ImageRef::parse(&rewritten(rewrite, &spot)?),
        };
        let name = spot.key.map_or_else(|| pointer(&spot.path), str::to_owned);
        Ok(FoundImage { path: spot.path, list: self.name.clone(), name, text: spot.text.to_owned(), image })
    }
}

/// The text of an image from the text that stands there (`docker://ghcr.io/acme/app`).
fn rewritten(rewrite: &Expression, spot: &Spot<'_>) -> Result<String, ExtractError> {
    let failed = |why: String| ExtractError::Rewrite { path: spot.path.clone(), why };
    let text = Rcvar::new(Variable::String(spot.text.to_owned()));
    match rewrite.evaluate(&text, &Functions::timeless()) {
        Ok(Value::String(text)) => Ok(text),
        Ok(_) => Err(failed(format!("`{}` is no text for it", rewrite.text()))),
        Err(error) => Err(failed(error.to_string())),
    }
}

/// The place as a JSON pointer (RFC 6901), the name of images without a key.
fn pointer(path: &FieldPath) -> String {
    let step = |segment: &Segment| match segment {
        Segment::Key(key) => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
        Segment::Index(index) => format!("/{index}"),
    };
    path.segments().iter().map(step).collect()
}

#[cfg(test)]
mod tests;
