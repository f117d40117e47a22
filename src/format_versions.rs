//! The versions of what machines read: a change that breaks a reader raises
//! one. Imports nothing of lkroute.

/// Of all reports in JSON.
pub const REPORT: u32 = 1;

/// Of saved plans; another one is not read. 2: the digest covers calls, terms,
/// guards and the database, too.
pub(crate) const SAVED_PLAN: u32 = 2;
