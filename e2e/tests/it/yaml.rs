//! Our reader of YAML against kubectl's: what kubectl would apply is what we verify, or we say no.
//!
//! Each text goes to `kubectl annotate --local` and to [`common::yaml::read`]. Where both accept it, the
//! objects must be equal. Where only one does, the reason must be on a ledger; and since only we may be
//! the stricter ones, what kubectl refuses and we accept is a ledger of its own.

mod blocks;
mod generated;
mod ledger;
mod table;

use std::path::PathBuf;

use common::yaml::YamlError;
use e2e::process::run_with;
use serde_json::{Value, json};

use self::ledger::{LAXER, MISREAD, STRICTER};
use crate::world::World;

/// What became of a text on one side: its objects, or the refusal.
type Read = Result<Vec<Value>, String>;

/// A text and what is wrong with how the two sides read it.
#[derive(Debug)]
struct Trouble {
    text: String,
    what: String,
}

struct Readers {
    world: World,
    kubectl: PathBuf,
}

impl Readers {
    fn new() -> Option<Self> {
        let world = World::with(&["kubectl"])?;
        let kubectl = world.program("kubectl").clone();
        Some(Self { world, kubectl })
    }

    /// What kubectl makes of a stream.
    fn kubectl(&self, text: &str) -> Read {
        let arguments = ["annotate", "--local", "-f", "-", "-o", "json", "a=b"];
        let run = run_with(&mut self.world.trust.other(&self.kubectl, arguments), text.as_bytes()).unwrap();
        if run.code != 0 {
            return Err(run.stderr.trim().to_owned());
        }
        let stream = serde_json::Deserializer::from_str(&run.stdout).into_iter::<Value>();
        let objects = stream.map(|object| object.unwrap_or_else(|error| panic!("{error}: {}", run.stdout)));
        Ok(objects.map(without_mark).collect())
    }

    /// What kubectl makes of each of many texts with one object: all in one run, halved where it fails.
    fn kubectl_each(&self, texts: &[String]) -> Vec<Read> {
        let whole = self.kubectl(&texts.join("\n---\n"));
        match (whole, texts) {
            (Ok(objects), _) if objects.len() == texts.len() => {
                objects.into_iter().map(|object| Ok(vec![object])).collect()
            }
            (other, [_]) => vec![other],
            (_, several) => {
                let (left, right) = several.split_at(several.len() / 2);
                let mut all = self.kubectl_each(left);
                all.extend(self.kubectl_each(right));
                all
            }
        }
    }
}

fn ours(text: &str) -> Read {
    // Our own refusals by kind, whatever their words; the parser's have nothing but words.
    let refusal = |error: YamlError| {
        if matches!(error, YamlError::Null { .. }) {
            return "null document".to_owned();
        }
        if matches!(error, YamlError::Separator { .. }) { "separator".to_owned() } else { error.to_string() }
    };
    let documents = common::yaml::read(text.as_bytes()).map_err(refusal)?;
    Ok(documents.into_iter().map(|document| document.value).collect())
}

/// Takes away the annotation that kubectl was asked to add.
fn without_mark(mut object: Value) -> Value {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return object };
    let annotations = metadata.get_mut("annotations").and_then(Value::as_object_mut);
    if annotations.is_some_and(|annotations| annotations.remove("a").is_some() && annotations.is_empty()) {
        metadata.remove("annotations");
    }
    object
}

/// Compares what became of a text; `None` when all is well or on a ledger.
fn trouble(text: &str, ours: &Read, theirs: &Read) -> Option<Trouble> {
    let what = match (ours, theirs) {
        (Ok(ours), Ok(theirs)) if equal(&json!(ours), &json!(theirs)) => return None,
        (Ok(_), Ok(_)) if MISREAD.iter().any(|known| (known.is)(text)) => return None,
        (Ok(ours), Ok(theirs)) => {
            format!("READ DIFFERENTLY\n  ours {}\n  kubectl {}", json!(ours), json!(theirs))
        }
        (Err(_), Err(_)) => return None,
        (Err(said), Ok(_)) if STRICTER.iter().any(|(word, _)| said.contains(word)) => return None,
        (Err(said), Ok(theirs)) => format!("only kubectl reads it: {}\n  we say: {said}", json!(theirs)),
        (Ok(_), Err(said)) if LAXER.iter().any(|(word, _)| said.contains(word)) => return None,
        (Ok(ours), Err(said)) => format!("only we read it: {}\n  kubectl says: {said}", json!(ours)),
    };
    Some(Trouble { text: text.to_owned(), what })
}

/// Equal to an API server. kubectl holds integers beyond int64 as floats; we keep them exact, which can
/// only make us see more differences.
fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            left == right || (!(left.is_i64() && right.is_i64()) && left.as_f64() == right.as_f64())
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| equal(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, left)| right.get(key).is_some_and(|right| equal(left, right)))
        }
        _ => left == right,
    }
}

/// An object whose `spec` is this text.
fn document(spec: &str) -> String {
    format!("apiVersion: example.com/v1\nkind: Thing\nmetadata: {{name: x}}\nspec:{spec}")
}

/// Checks each text in a run of its own, so that none is read in the shadow of another.
fn check(texts: &[String]) {
    let Some(readers) = Readers::new() else { return };
    let troubles: Vec<_> =
        texts.iter().filter_map(|text| trouble(text, &ours(text), &readers.kubectl(text))).collect();
    report(&troubles);
}

fn report(troubles: &[Trouble]) {
    let list: Vec<_> = troubles.iter().map(|it| format!("{:?}\n  {}", it.text, it.what)).collect();
    assert!(list.is_empty(), "{} texts:\n{}", list.len(), list.join("\n"));
}

/// A ledger entry that no longer holds is a lie that hides the next defect.
#[test]
fn known_misreadings_are_misread_still() {
    let Some(readers) = Readers::new() else { return };
    for known in MISREAD {
        for spec in known.witnesses {
            let text = document(spec);
            assert!((known.is)(&text), "{}: {text:?} is no witness", known.what);
            let (ours, theirs) = (ours(&text), readers.kubectl(&text).unwrap());
            let same = ours.as_ref().map_or(true, |ours| equal(&json!(ours), &json!(theirs)));
            assert!(!same, "mended, take the entry or the witness off the ledger: {}: {text:?}", known.what);
        }
    }
}
