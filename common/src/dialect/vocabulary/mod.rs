//! What our dialects say in the same words: whom a rule trusts, what it is about, under which conditions.

pub(super) mod attestors;
pub(super) mod autogen;
pub(super) mod conditions;
pub(super) mod extractors;
pub(super) mod images;
mod logs;
pub(super) mod manifests;
pub(super) mod matching;
pub(super) mod metadata;
pub(super) mod policy_value;
pub(super) mod reading;
pub(super) mod rules;
pub(super) mod secrets;
pub(super) mod texts;
pub(super) mod webhook;
