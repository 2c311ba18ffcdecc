//! `imageExtractors` (`spec/kyverno.md` 1.6).

use std::collections::BTreeMap;

use crate::dialect::Problem;
use crate::dialect::reader::{Fields, Node};
use crate::policy::expression::Expression;
use crate::policy::images::{CUSTOM_EXTRACTOR, ImageExtractor};

/// Lists of places where images stand, by kind.
pub(in crate::dialect) fn extractors(node: &Node<'_, '_>) -> BTreeMap<String, Vec<ImageExtractor>> {
    let kind = |(kind, node): (&str, Node<'_, '_>)| {
        if node.value.as_array().is_some_and(Vec::is_empty) {
            node.error(Problem::Empty("list the places of images"));
        }
        (kind.to_owned(), node.list().iter().filter_map(extractor).collect())
    };
    node.entries().into_iter().map(kind).collect()
}

fn extractor(node: &Node<'_, '_>) -> Option<ImageExtractor> {
    const PATH: &str = "write a path like /spec/image";
    let read = |fields: &mut Fields<'_, '_>| {
        let path = fields.required("path", PATH);
        let mut text = |name| fields.text(name, "write a name or remove the field");
        let (value, name, key) = (text("value"), text("name"), text("key"));
        let rewrite = fields.get("jmesPath").map(|node| rewrite(&node));
        let path = path?;
        let steps = path.text(PATH)?.split('/').filter(|step| !step.is_empty());
        let mut steps: Vec<_> = steps.map(str::to_owned).collect();
        if steps.is_empty() {
            path.error(Problem::Empty(PATH));
        }
        let value = if value.is_some() { value } else { steps.pop() }?;
        // The last step of a path alone is a field, and no field is called so.
        if value == "*" {
            let problem = Problem::Missing("write the field below `path` that holds the image");
            fields.report.error(&fields.path.key("value"), problem);
        }
        let name = name.unwrap_or_else(|| CUSTOM_EXTRACTOR.to_owned());
        Some(ImageExtractor { path: steps, value, name, key, rewrite: rewrite.flatten() })
    };
    node.map(read).flatten()
}

fn rewrite(node: &Node<'_, '_>) -> Option<Expression> {
    let text = node.text("write an expression or remove the field")?;
    Expression::of_value(text).map_err(|error| node.error(Problem::Expression(error))).ok()
}
