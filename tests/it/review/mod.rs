//! Reports for pull requests: Markdown, annotations, SARIF, pictures, schemas.

mod commands;
mod github;
mod graph;
mod hostile;
mod markdown;
mod number;
mod oracle;
mod sarif;
mod saved;
pub mod schema;
mod story;
mod terms;
mod world;
