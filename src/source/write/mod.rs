//! Text of files in and out: canonical form, edits in place, and what may be
//! shown of a file. Core: imports the model, `phone`, and what `parse` says of a
//! broken file.

pub(crate) mod edit;
pub(crate) mod format;
mod key_order;
pub(crate) mod redact;
