//! The fields that lkroute manages, and sets of them.
//!
//! A [`Fields`] value is what somebody says about one object: the files
//! (declared), the last apply (owned) or the database (live). All three speak
//! of the same [`Field`]s, so that one three-way comparison serves regions,
//! configs and bindings. What is known of a field stands once, in the table of
//! `field`. Core: imports nothing of lkroute.

mod call_field;
mod field;
mod pool;
mod set;

pub use call_field::CallField;
pub use field::{Field, FieldKind, UnknownField};
pub use pool::{FieldsIx, FieldsPool};
pub use set::Fields;
