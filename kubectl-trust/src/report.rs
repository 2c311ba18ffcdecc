//! Verdicts in the formats that other programs read.

pub(crate) mod junit;
mod lines;
mod names;
mod sarif;

pub(crate) use self::lines::Lines;
pub(crate) use self::names::names;
pub(crate) use self::sarif::sarif;
