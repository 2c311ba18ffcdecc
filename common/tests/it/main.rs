//! Tests of the verifier against files, in one binary.

mod defaults;
mod dialect;
mod judge;
mod vectors;
