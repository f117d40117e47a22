//! Reports: findings, plans and the routing as text, JSON, Markdown, GitHub
//! annotations, SARIF and pictures. Imports core and drawing libraries; it
//! prints nothing and decides nothing.
//!
//! Text comes with ANSI colours, which the shell strips where they are not
//! wanted; no colour says what the words don't say too.

pub mod applied;
pub mod call_reports;
pub mod calls;
pub mod clock;
pub mod doctor;
pub mod drift;
pub mod escape;
pub mod findings;
pub mod github;
pub mod graph;
pub mod guards;
pub mod history;
pub mod import;
pub mod json;
pub mod lines;
pub mod listing;
pub mod markdown;
pub mod moves;
pub mod number;
pub mod picture;
pub mod plan_rows;
pub mod rerouted;
pub mod sarif;
pub mod schema;
pub mod secrets;
pub mod stale;
pub mod text;

pub use crate::explain::style;

#[cfg(test)]
mod tests;
