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
// The core alone, as the Python package has it, leaves out who uses the rest.
#![cfg_attr(
    not(feature = "cli"),
    allow(dead_code, unreachable_pub, unused_imports)
)]
#![cfg_attr(test, allow(unreachable_pub, clippy::pedantic, clippy::print_stdout))]

#[macro_use]
mod enum_words;

// core: values in, values out
pub mod actor;
mod address;
mod count_words;
pub mod diff;
pub mod dispatch;
pub mod doctor;
pub mod error;
pub mod fields;
pub mod finding;
mod format_versions;
pub mod guards;
pub mod history;
pub mod impact;
mod import;
pub mod invisible_chars;
mod list_index;
pub mod lookup;
pub mod phone;
pub mod resolve;
pub mod routing;
mod sealed;
pub mod snapshot;
pub mod source;
mod trust;

// edges: one outside thing each
#[cfg(feature = "cli")]
pub mod files;
#[cfg(feature = "cli")]
pub mod git;
#[cfg(feature = "cli")]
pub mod livekit;
pub mod secrets;
#[cfg(feature = "cli")]
pub mod store;

// core and `secrets`
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
