//! Tests of the verifier against files, in one binary.

mod defaults;
mod judge;
mod vectors;
