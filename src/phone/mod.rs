//! Phone numbers: E.164 inside, whatever shape they come in.
//!
//! - [`E164`] is a number, [`NumberRange`] a run of them, [`Prefix`] the
//!   beginning that a region owns, [`PrefixSet`] the numbers with one of some
//!   beginnings;
//! - [`from_row`] reads a row of `voice_agent_numbers`, and [`RowKey`] is what
//!   such a row can tell apart;
//! - [`parse_dialled`], [`number_doubt`] and [`E164::country`] ask libphonenumber,
//!   whose metadata is loaded at their first use and by nothing else here;
//! - [`format_lead`] writes a number the way a carrier wants it.
//!
//! Pure: may import `rlibphonenumber` and nothing of lkroute.

mod country;
mod dialled;
mod e164;
mod error;
mod lead;
mod number;
mod plans;
mod prefix;
mod prefix_set;
mod range;
mod row;
#[cfg(test)]
mod samples;
mod validity;

pub use country::Country;
pub use dialled::parse_dialled;
pub use error::{ImpossibleLength, PhoneError, Unreadable};
pub use lead::{BadLeadPart, DEFAULT_LEAD, LeadPart, format_lead};
pub use number::E164;
pub use prefix::Prefix;
pub use prefix_set::PrefixSet;
pub use range::{NumberRange, RangeError};
pub use row::{RowKey, from_row};
pub use validity::{number_doubt, shared_countries};
