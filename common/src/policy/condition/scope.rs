//! What expressions can see: the request, and values from outside.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jmespath::{Rcvar, ToJmespath as _, Variable};
use serde_json::{Map, Value, json};

use super::Values;
use super::fault::VariableFault;
use crate::image::{self, ImageRef};
use crate::object::FieldPath;
use crate::policy::expression::{Expression, ExpressionError};
use crate::policy::functions::Functions;
use crate::policy::selector::ReviewFacts;
use crate::policy::template::{Template, show};

/// A named value that expressions of a rule may use.
#[derive(Clone, Debug, PartialEq)]
pub struct ContextEntry {
    /// Its name.
    pub name: String,
    /// Where in the policy.
    pub path: FieldPath,
    /// Where the value comes from.
    pub source: ContextSource,
}

/// Where a named value comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum ContextSource {
    /// It is computed from what is known already.
    Variable {
        /// A value.
        value: Option<Template>,
        /// An expression, evaluated in the value if there is one.
        query: Option<Expression>,
        /// The value where the expression finds nothing.
        default: Option<Template>,
    },
    /// It has to be read (`configMap`, `apiCall`, `imageRegistry`, `globalReference`): without a value
    /// from outside, whatever needs it is a fault.
    External {
        /// What it is.
        what: String,
    },
    /// Its definition cannot be read; a fault for whatever needs it.
    Unreadable(ExpressionError),
}

/// What the request gives, beside which a rule has names of its own (`context`).
pub(in crate::policy) const OF_REQUEST: [&str; 5] =
    ["request", "image", "images", "serviceAccountName", "serviceAccountNamespace"];

/// What expressions can see.
#[derive(Debug)]
pub struct Scope {
    document: Rcvar,
    /// Names that have no value, and why.
    missing: BTreeMap<String, VariableFault>,
    /// Keys of `request`.
    request: Vec<String>,
    /// Whether what is absent or `null` has no value.
    must_say: bool,
    functions: Functions,
}

impl Scope {
    /// Puts together what can be seen for one object: `request`, `serviceAccountName`,
    /// `serviceAccountNamespace`, then `values` by their dotted paths (they win), then `context` in
    /// order, each entry seeing those before it. `now` is the time that functions of time see.
    #[must_use]
    pub fn new(facts: &ReviewFacts<'_>, context: &[ContextEntry], values: &Values, now: Timestamp) -> Self {
        let mut root = built_in(facts);
        let listed = images(facts);
        if let Ok(images) = &listed {
            root.insert("images".to_owned(), images.clone());
        }
        for (path, value) in values {
            insert(&mut root, path, value.clone());
        }
        let mut scope = Self::empty(now);
        if facts.user.is_none() {
            for name in ["serviceAccountName", "serviceAccountNamespace"] {
                scope.missing.insert(name.to_owned(), VariableFault::NoRequest(name.to_owned()));
            }
        }
        if let Err(fault) = listed {
            scope.missing.insert("images".to_owned(), fault);
        }
        scope.see(&root);
        for entry in context {
            if root.contains_key(&entry.name) {
                continue;
            }
            match scope.resolve(entry) {
                Ok(value) => {
                    root.insert(entry.name.clone(), value);
                    scope.see(&root);
                }
                Err(why) => {
                    scope.missing.insert(entry.name.clone(), why);
                }
            }
        }
        scope
    }

    /// The same for one of the object's images, as `image`. `now` is the time that functions of time see.
    #[must_use]
    pub fn with_image(&self, image: &ImageRef, now: Timestamp) -> Self {
        let mut names = self.names();
        names.insert("image".to_owned(), seen(&image::variable(image)));
        self.seeing(names, now)
    }

    /// A signed statement: expressions see its predicate at their root, beside what `beside` sees. `now` is the time
    /// that functions of time see.
    ///
    /// Unlike an object, a statement must say what it is asked for: what is absent or `null` has no value. Attack:
    /// a scan that leaves out its findings, so that none of them is forbidden.
    #[must_use]
    pub fn of_statement(predicate: &Value, beside: Option<&Self>, now: Timestamp) -> Self {
        let scope = Self::beside(beside, now);
        let mut names = scope.names();
        let mut ambiguous = Vec::new();
        for (name, value) in predicate.as_object().into_iter().flatten() {
            if names.contains_key(name) || scope.missing.contains_key(name) {
                ambiguous.push(name);
            } else {
                names.insert(name.clone(), seen(value));
            }
        }
        let mut scope = scope.seeing(names, now);
        let faults = ambiguous.into_iter().map(|name| (name.clone(), VariableFault::Ambiguous(name.clone())));
        scope.missing.extend(faults);
        scope
    }

    /// The predicates of named attestations, each under its name, beside what `beside` sees. `absent` are names of
    /// attestations that are not there. The policy gives these names, so they win over all others.
    #[must_use]
    pub fn of_statements<'n>(
        predicates: &Map<String, Value>,
        absent: impl IntoIterator<Item = &'n str>,
        beside: Option<&Self>,
        now: Timestamp,
    ) -> Self {
        let scope = Self::beside(beside, now);
        let mut names = scope.names();
        names.extend(predicates.iter().map(|(name, predicate)| (name.clone(), seen(predicate))));
        let mut scope = scope.seeing(names, now);
        scope.missing.retain(|name, _| !predicates.contains_key(name));
        let absent =
            absent.into_iter().map(|name| (name.to_owned(), VariableFault::NoAttestation(name.to_owned())));
        scope.missing.extend(absent);
        scope
    }

    /// What a statement is seen beside. Without a request, what requests give has no value.
    fn beside(beside: Option<&Self>, now: Timestamp) -> Self {
        let no_request = |name: &str| (name.to_owned(), VariableFault::NoRequest(name.to_owned()));
        let alone = || Self { missing: OF_REQUEST.map(no_request).into(), ..Self::empty(now) };
        let scope = beside.map_or_else(alone, |scope| scope.seeing(scope.names(), now));
        Self { must_say: true, ..scope }
    }

    /// What stands at the root of expressions. Values are shared, not copied.
    fn names(&self) -> BTreeMap<String, Rcvar> {
        self.document.as_object().cloned().unwrap_or_default()
    }

    /// The same, where that stands at the root.
    fn seeing(&self, names: BTreeMap<String, Rcvar>, now: Timestamp) -> Self {
        Self {
            document: Rcvar::new(Variable::Object(names)),
            missing: self.missing.clone(),
            request: self.request.clone(),
            must_say: self.must_say,
            functions: Functions::at(now),
        }
    }

    fn empty(now: Timestamp) -> Self {
        let (document, missing, request) = (seen(&Value::Null), BTreeMap::new(), vec![]);
        Self { document, missing, request, must_say: false, functions: Functions::at(now) }
    }

    fn see(&mut self, root: &Map<String, Value>) {
        let request = root.get("request").and_then(Value::as_object);
        self.request = request.map(|request| request.keys().cloned().collect()).unwrap_or_default();
        self.document = seen(root);
        self.missing.retain(|name, _| !root.contains_key(name));
    }

    fn resolve(&self, entry: &ContextEntry) -> Result<Value, VariableFault> {
        let named = |why| VariableFault::Definition { name: entry.name.clone(), why: Box::new(why) };
        match &entry.source {
            ContextSource::External { what } => {
                Err(VariableFault::NotRead { name: entry.name.clone(), what: what.clone() })
            }
            ContextSource::Unreadable(error) => Err(named(error.clone().into())),
            ContextSource::Variable { value, query, default } => {
                let found = self.computed(value.as_ref(), query.as_ref());
                match (found, default) {
                    (Ok(Value::Null) | Err(_), Some(default)) => self.render(default).map_err(named),
                    (found, _) => found.map_err(named),
                }
            }
        }
    }

    fn computed(&self, value: Option<&Template>, query: Option<&Expression>) -> Result<Value, VariableFault> {
        match (value, query) {
            (Some(value), Some(query)) => {
                let value = self.render(value)?;
                Ok(query.evaluate(&seen(&value), &self.functions)?)
            }
            (Some(value), None) => self.render(value),
            (None, Some(query)) => self.value_of(query),
            (None, None) => Ok(Value::Null),
        }
    }

    /// The value of a template.
    ///
    /// # Errors
    /// [`VariableFault`].
    pub fn render(&self, template: &Template) -> Result<Value, VariableFault> {
        template.render(&mut |expression| self.value_of(expression))
    }

    /// A message of a policy with the values of its variables. One of which a variable has none stays as its
    /// author wrote it: the message explains a decision and makes none.
    #[must_use]
    pub fn text(&self, message: &str) -> String {
        let value = Template::parse_text(message).ok().and_then(|template| self.render(&template).ok());
        match value {
            Some(value) => show(&value),
            None => message.to_owned(),
        }
    }

    /// The value of an expression; `null` where a path leads nowhere.
    fn value_of(&self, expression: &Expression) -> Result<Value, VariableFault> {
        for path in expression.variables() {
            self.check(path)?;
        }
        if self.must_say {
            expression.compared().iter().try_for_each(|path| self.said(path))?;
        }
        match expression.evaluate(&self.document, &self.functions) {
            Ok(Value::Null) if self.must_say => {
                let whole = || VariableFault::Absent(expression.text().to_owned());
                Err(self.first_absent(expression).unwrap_or_else(whole))
            }
            Err(error) if self.must_say => Err(self.first_absent(expression).unwrap_or(error.into())),
            found => Ok(found?),
        }
    }

    /// The first of the paths in an expression at which the document says nothing: why it has no value.
    fn first_absent(&self, expression: &Expression) -> Option<VariableFault> {
        expression.variables().iter().find_map(|path| self.said(path).err())
    }

    /// Whether the document says something at a path: a comparison with what is not there has an answer, and the
    /// answer is about nothing.
    fn said(&self, path: &[String]) -> Result<(), VariableFault> {
        let step = |value: Rcvar, key: &String| Some(Rcvar::clone(value.as_object()?.get(key)?));
        let found = path.iter().try_fold(Rcvar::clone(&self.document), step);
        let said = found.is_some_and(|value| !value.is_null());
        if said { Ok(()) } else { Err(VariableFault::Absent(path.join("."))) }
    }

    /// A path may lead nowhere (an object without labels), but what it begins with must be known: a
    /// misspelt `reqeust.object` would otherwise be "absent" for every object.
    fn check(&self, path: &[String]) -> Result<(), VariableFault> {
        let Some(first) = path.first() else { return Ok(()) };
        if let Some(fault) = self.missing.get(first) {
            return Err(fault.clone());
        }
        let root = self.document.as_object();
        if !root.is_some_and(|root| root.contains_key(first)) {
            let name = path.join(".");
            return Err(if self.must_say {
                VariableFault::Absent(name)
            } else {
                VariableFault::Unknown(name)
            });
        }
        match path.get(1) {
            Some(key) if first == "request" && !self.request.contains(key) => {
                let user = ["userInfo", "roles", "clusterRoles"].contains(&key.as_str());
                let name = path.join(".");
                Err(if user { VariableFault::NoRequest(name) } else { VariableFault::Unknown(name) })
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// A value as the library sees it. Serialising JSON cannot fail; if it did, variables would be faults.
fn seen(value: &impl serde::Serialize) -> Rcvar {
    value.to_jmespath().unwrap_or_else(|_| Rcvar::new(Variable::Null))
}

/// `request` and its like (`spec/kyverno.md` 1.3).
fn built_in(facts: &ReviewFacts<'_>) -> Map<String, Value> {
    let object = facts.object_ref();
    let mut request = json!({
        "object": facts.object,
        "oldObject": facts.old_object,
        "operation": facts.operation.as_str(),
        "namespace": facts.namespace,
        "name": object.name,
        "subResource": facts.subresource,
        "kind": {"group": object.group(), "version": object.version(), "kind": object.kind},
    });
    let mut root = Map::new();
    if let Some(user) = facts.user {
        request["userInfo"] = json!({"username": user.username, "groups": user.groups});
        request["roles"] = json!(user.roles);
        request["clusterRoles"] = json!(user.cluster_roles);
        let account = user.username.strip_prefix("system:serviceaccount:");
        let (namespace, name) = account.and_then(|account| account.split_once(':')).unwrap_or_default();
        root.insert("serviceAccountName".to_owned(), json!(name));
        root.insert("serviceAccountNamespace".to_owned(), json!(namespace));
    }
    root.insert("request".to_owned(), request);
    root
}

/// `images`: the images of the object, by list and container (`spec/kyverno.md` 1.3).
fn images(facts: &ReviewFacts<'_>) -> Result<Value, VariableFault> {
    let found = image::images(facts.subject()).map_err(|error| VariableFault::Images(error.to_string()))?;
    image::variables(&found).map_err(|error| VariableFault::Images(error.to_string()))
}

/// Puts a value at a dotted path, making maps on the way.
fn insert(root: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            root.insert(path.to_owned(), value);
        }
        Some((first, rest)) => {
            let child = root.entry(first).or_insert(Value::Null);
            if !child.is_object() {
                *child = Value::Object(Map::new());
            }
            if let Some(child) = child.as_object_mut() {
                insert(child, rest, value);
            }
        }
    }
}
