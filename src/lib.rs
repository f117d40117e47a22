//! lkroute: config-as-code for LiveKit call routing.
//!
//! One direction of flow: files → `source` → [`routing`]; database → `store`
//! → [`snapshot`]; both → [`diff`] → [`impact`] → [`guards`] → `render` or
//! `store`; routing or rows → [`resolve`] → explain, dispatch, doctor.

// Input, files, a database or a network never end the process by a panic.
#![cfg_attr(
    not(test),
    warn(
        clippy::expect_used,
        clippy::panic,
        clippy::todo,
        clippy::unimplemented,
        clippy::unwrap_used,
    )
)]
#![cfg_attr(test, allow(unreachable_pub, clippy::pedantic, clippy::print_stdout))]

// core: values in, values out
pub mod actor;
pub mod address;
pub mod count_words;
pub mod diff;
#[allow(unreachable_pub, clippy::match_bool, reason = "older than the lint")]
pub mod dispatch;
pub mod doctor;
pub mod error;
pub mod fields;
pub mod finding;
pub mod format_versions;
pub mod guards;
pub mod history;
pub mod impact;
pub mod import;
pub mod invisible_chars;
pub mod list_index;
#[allow(unreachable_pub, clippy::match_bool, reason = "older than the lint")]
pub mod lookup;
pub mod phone;
pub mod resolve;
pub mod routing;
pub mod sealed;
pub mod snapshot;
pub mod source;
pub mod trust;

// edges: one outside thing each
#[cfg(feature = "cli")]
pub mod files;
#[cfg(feature = "cli")]
pub mod git;
#[cfg(feature = "cli")]
#[allow(unreachable_pub, clippy::match_bool, reason = "older than the lint")]
pub mod livekit;
pub mod secrets;
#[cfg(feature = "cli")]
#[allow(unreachable_pub, clippy::match_bool, reason = "older than the lint")]
pub mod store;

// core and `secrets`
#[allow(unreachable_pub, clippy::match_bool, reason = "older than the lint")]
pub mod answer;
// core as text
#[cfg(feature = "explain")]
pub mod explain;

// use cases
#[cfg(feature = "cli")]
pub mod app;

// shell
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
pub mod render;

// tests of all readers
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod fuzzing;
