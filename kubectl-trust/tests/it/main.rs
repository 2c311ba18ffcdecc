//! The program as people call it: what it prints, where, and how it ends.

mod bad_documents;
mod bad_files;
mod bad_keys;
mod bad_policies;
mod bad_usage;
mod hostile;
mod policies;
mod support;
mod transcripts;
