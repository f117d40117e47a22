//! Reports: findings, plans and the routing as text, JSON, Markdown, GitHub
//! annotations, SARIF and pictures. Imports core and drawing libraries; it
//! prints nothing and decides nothing.
//!
//! Text comes with ANSI colours, which the shell strips where they are not
//! wanted; no colour says what the words don't say too.

pub mod applied;
pub(crate) mod call_reports;
pub mod calls;
pub(crate) mod clock;
pub mod doctor;
pub(crate) mod drift;
pub(crate) mod escape;
pub(crate) mod findings;
pub mod github;
pub mod graph;
pub mod guards;
pub mod history;
pub(crate) mod import;
pub mod json;
pub(crate) mod lines;
pub(crate) mod listing;
pub mod markdown;
pub(crate) mod moves;
pub mod number;
pub(crate) mod picture;
pub(crate) mod plan_rows;
pub(crate) mod rerouted;
pub mod sarif;
pub mod schema;
pub mod secrets;
pub(crate) mod stale;
pub mod text;

pub(crate) use crate::explain::style;

#[cfg(test)]
mod tests;
