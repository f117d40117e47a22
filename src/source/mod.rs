//! The files → [`crate::routing::Routing`], with every problem that they have,
//! and back to text. Core: text in, values out; imports the model, `phone`, and
//! the text form of sealed values.
//!
//! [`load()`] reads each file for itself into a value that no longer needs its
//! text ([`parse`]), puts these together and finds what is wrong between them
//! ([`merge`]). Reading never stops at the first problem. [`write`] formats and
//! edits the text of files.

mod findings;
mod line_index;
mod load;
mod loaded;
mod locate;
mod merge;
mod number_warnings;
mod parse;
mod sources;
pub(crate) mod suggest;
#[cfg(test)]
mod tests;
pub(crate) mod tree_rules;
pub mod url;
pub(crate) mod write;

pub use load::load_routing;
pub use loaded::{LoadOptions, Loaded, MAX_BINDINGS};
pub use number_warnings::doubtful_numbers;
pub use parse::schema::routing_schema;
pub use sources::{Sources, Texts};
pub use write::format::format_text;
pub use write::redact::redacted;
