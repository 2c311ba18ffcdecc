//! Arithmetic with numbers, Kubernetes quantities and durations.
//!
//! | | quantity | duration | number |
//! |---|---|---|---|
//! | `add` `subtract` `sum` `modulo` | with a quantity | with a duration | with a number |
//! | `multiply` | with a number | with a number | with any |
//! | `divide` | by a quantity or number | by a duration or number | by a number |

use jmespath::Variable;

use super::call::{Call, FunctionError, text};
use super::{Body, Entry};
use crate::policy::measure::{self, QuantityFormat, UNIT};

pub(super) const FUNCTIONS: [Entry; 7] = [
    entry("add", 2, |call| operands(call).and_then(|(a, b)| add(a, b)?.value())),
    entry("divide", 2, |call| operands(call).and_then(|(a, b)| divide(a, b)?.value())),
    entry("modulo", 2, |call| operands(call).and_then(|(a, b)| modulo(a, b)?.value())),
    entry("multiply", 2, |call| operands(call).and_then(|(a, b)| multiply(a, b)?.value())),
    entry("round", 2, round),
    entry("subtract", 2, |call| operands(call).and_then(|(a, b)| add(a, b.negated())?.value())),
    entry("sum", 1, sum),
];

const fn entry(name: &'static str, arguments: usize, body: Body) -> Entry {
    Entry { name, arguments, body }
}

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Number,
    Quantity(QuantityFormat),
    Duration,
}

/// Something to compute with: billionths of a number or quantity, nanoseconds of a duration.
#[derive(Clone, Copy, Debug)]
struct Operand {
    kind: Kind,
    value: i128,
}

/// An operand as it is written; `5m` is five minutes or five thousandths.
struct Written {
    first: Operand,
    /// Its other meaning.
    other: Option<Operand>,
}

impl Operand {
    fn value(self) -> Result<Variable, FunctionError> {
        Ok(match self.kind {
            Kind::Number => {
                Variable::Number(measure::to_number(self.value).ok_or(FunctionError::OutOfRange)?)
            }
            Kind::Quantity(format) => text(format.write(self.value)),
            Kind::Duration => text(measure::write_duration(self.value)),
        })
    }

    fn negated(self) -> Self {
        Self { value: -self.value, ..self }
    }

    /// Whether both count the same; the format is only how it is written.
    fn is_like(self, other: Self) -> bool {
        std::mem::discriminant(&self.kind) == std::mem::discriminant(&other.kind)
    }
}

fn read(call: &Call<'_>, at: usize, value: &Variable) -> Result<Written, FunctionError> {
    match value {
        Variable::Number(number) => {
            let value = measure::quantity(&number.to_string()).ok_or(FunctionError::OutOfRange)?;
            Ok(Written { first: Operand { kind: Kind::Number, value }, other: None })
        }
        Variable::String(typed) => {
            let format = Kind::Quantity(QuantityFormat::of(typed));
            let quantity = measure::quantity(typed).map(|value| Operand { kind: format, value });
            let duration = measure::duration(typed).map(|value| Operand { kind: Kind::Duration, value });
            match (quantity, duration) {
                (Some(first), other) => Ok(Written { first, other }),
                (None, Some(first)) => Ok(Written { first, other: None }),
                (None, None) => Err(FunctionError::unreadable(typed, "a number, quantity or duration")),
            }
        }
        Variable::Null
        | Variable::Bool(_)
        | Variable::Array(_)
        | Variable::Object(_)
        | Variable::Expref(_) => Err(call.mismatch(at, "a number, quantity or duration")),
    }
}

/// Both operands. A text that may be a quantity or a duration is what the other operand is, and a quantity
/// when that does not tell, as in Kyverno.
fn settled(a: &Written, b: &Written) -> (Operand, Operand) {
    let pairs = [(Some(a.first), Some(b.first)), (a.other, Some(b.first)), (Some(a.first), b.other)];
    let alike = pairs.into_iter().find_map(|(a, b)| a.zip(b).filter(|(a, b)| a.is_like(*b)));
    alike.unwrap_or((a.first, b.first))
}

fn operands(call: &Call<'_>) -> Result<(Operand, Operand), FunctionError> {
    Ok(settled(&read(call, 0, call.any(0))?, &read(call, 1, call.any(1))?))
}

fn in_range(kind: Kind, value: Option<i128>) -> Result<Operand, FunctionError> {
    value.map(|value| Operand { kind, value }).ok_or(FunctionError::OutOfRange)
}

fn add(a: Operand, b: Operand) -> Result<Operand, FunctionError> {
    if !a.is_like(b) {
        return Err(FunctionError::Kinds);
    }
    in_range(a.kind, a.value.checked_add(b.value))
}

fn multiply(a: Operand, b: Operand) -> Result<Operand, FunctionError> {
    let kind = match (a.kind, b.kind) {
        (kind, Kind::Number) | (Kind::Number, kind) => kind,
        (Kind::Quantity(_) | Kind::Duration, Kind::Quantity(_) | Kind::Duration) => {
            return Err(FunctionError::Kinds);
        }
    };
    // The whole part apart from the rest, so that the product does not overflow before it is scaled.
    let product = (a.value / UNIT)
        .checked_mul(b.value)
        .zip((a.value % UNIT).checked_mul(b.value))
        .and_then(|(whole, rest)| whole.checked_add(rest / UNIT));
    in_range(kind, product)
}

fn divide(a: Operand, b: Operand) -> Result<Operand, FunctionError> {
    let kind = match (a.kind, b.kind) {
        (kind, Kind::Number) => kind,
        _ if a.is_like(b) => Kind::Number,
        _ => return Err(FunctionError::Kinds),
    };
    if b.value == 0 {
        return Err(FunctionError::DivisionByZero);
    }
    let quotient = (a.value / b.value)
        .checked_mul(UNIT)
        .zip((a.value % b.value).checked_mul(UNIT))
        .and_then(|(whole, rest)| whole.checked_add(rest / b.value));
    in_range(kind, quotient)
}

/// What is left of a division; of numbers and quantities that are whole.
fn modulo(a: Operand, b: Operand) -> Result<Operand, FunctionError> {
    let whole = |operand: Operand| operand.kind == Kind::Duration || operand.value % UNIT == 0;
    if !a.is_like(b) {
        return Err(FunctionError::Kinds);
    }
    if b.value == 0 {
        return Err(FunctionError::DivisionByZero);
    }
    if whole(a) && whole(b) {
        in_range(a.kind, a.value.checked_rem(b.value))
    } else {
        Err(FunctionError::Kinds)
    }
}

/// To so many digits behind the point, halves away from zero.
fn round(call: &Call<'_>) -> Result<Variable, FunctionError> {
    let (value, digits) = (call.number(0)?, call.whole(1)?);
    let digits = u32::try_from(digits).map_err(|_| FunctionError::OutOfRange)?;
    let step = UNIT / 10_i128.pow(digits.min(9));
    let half = value.signum() * (step / 2);
    let rounded = value.checked_add(half).map(|value| value - value % step);
    in_range(Kind::Number, rounded)?.value()
}

/// All elements of a list, which must not be empty: nobody could say what kind of zero it is.
fn sum(call: &Call<'_>) -> Result<Variable, FunctionError> {
    let (first, rest) = call.list(0)?.split_first().ok_or_else(|| call.mismatch(0, "a list of numbers"))?;
    let mut total = read(call, 0, first)?;
    for item in rest {
        let (a, b) = settled(&total, &read(call, 0, item)?);
        total = Written { first: add(a, b)?, other: None };
    }
    total.first.value()
}
