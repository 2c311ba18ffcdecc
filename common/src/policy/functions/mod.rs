//! Functions of expressions that `JMESPath` itself does not have: those that Kyverno's policies use.
//!
//! A function gets what it takes or there is an error; an error is never taken for an answer. The time is
//! a parameter: the same expression over the same document at the same time has the same value.

mod arithmetic;
mod call;
mod layout;
mod patterns;
mod quoted;
mod structure;
mod text;
mod time;

use std::fmt;
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use jmespath::functions::Function;
use jmespath::{Context, ErrorReason, JmespathError, Rcvar, Runtime, Variable};

use call::{Call, FunctionError, Shared};
pub(super) use quoted::unquote;

/// One function.
struct Entry {
    /// What expressions call it.
    name: &'static str,
    /// How many arguments it takes.
    arguments: usize,
    body: Body,
}

type Body = fn(&Call<'_>) -> Result<Variable, FunctionError>;

const TABLES: [&[Entry]; 6] = [
    &arithmetic::FUNCTIONS,
    &patterns::FUNCTIONS,
    &quoted::FUNCTIONS,
    &structure::FUNCTIONS,
    &text::FUNCTIONS,
    &time::FUNCTIONS,
];

fn entries() -> impl Iterator<Item = &'static Entry> {
    TABLES.iter().flat_map(|table| table.iter())
}

/// Whether a function is one of these, which need [`Functions`] to be evaluated.
pub(super) fn is_known(name: &str) -> bool {
    entries().any(|entry| entry.name == name)
}

/// The functions for the expressions of one scope: what they may spend is counted together.
pub(super) struct Functions {
    shared: Arc<Shared>,
    /// Few expressions need it, and building it takes longer than evaluating most.
    runtime: OnceLock<Runtime>,
}

impl Functions {
    /// The functions at a time.
    pub(super) fn at(now: Timestamp) -> Self {
        Self::of(Shared::new(Some(now)))
    }

    /// The functions for what must not depend on the time.
    pub(super) fn timeless() -> Self {
        Self::of(Shared::new(None))
    }

    fn of(shared: Shared) -> Self {
        Self { shared: Arc::new(shared), runtime: OnceLock::new() }
    }

    /// Those of `JMESPath` and these.
    pub(super) fn runtime(&self) -> &Runtime {
        self.runtime.get_or_init(|| {
            let mut runtime = Runtime::new();
            runtime.register_builtin_functions();
            for entry in entries() {
                let shared = Arc::clone(&self.shared);
                runtime.register_function(entry.name, Box::new(Registered { entry, shared }));
            }
            runtime
        })
    }
}

impl fmt::Debug for Functions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Functions").field("now", &self.shared.now).finish_non_exhaustive()
    }
}

/// A function as the library calls it.
struct Registered {
    entry: &'static Entry,
    shared: Arc<Shared>,
}

impl Function for Registered {
    fn evaluate(&self, arguments: &[Rcvar], context: &mut Context<'_>) -> Result<Rcvar, JmespathError> {
        let Entry { name, arguments: expected, body } = self.entry;
        let found = Call::new(arguments, *expected, &self.shared).and_then(|call| {
            let value = body(&call)?;
            call.spend_for(&value)?;
            Ok(Rcvar::new(value))
        });
        found.map_err(|why| {
            let why = if *name == quoted::QUOTED { why.to_string() } else { format!("{name}: {why}") };
            JmespathError::from_ctx(context, ErrorReason::Parse(why))
        })
    }
}

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod tests;
