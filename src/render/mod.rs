//! Reports: findings and plans as text and JSON. Imports core and drawing
//! libraries; it prints nothing and decides nothing.
//!
//! Text comes with ANSI colours, which the shell strips where they are not
//! wanted; no colour says what the words don't say too.

pub mod findings;
pub mod import;
pub mod json;
pub mod lines;
pub mod resolution;
pub mod style;
pub mod text;

#[cfg(test)]
mod tests;
