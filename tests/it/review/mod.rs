//! Reports for pull requests: Markdown, annotations, SARIF, pictures, schemas.

mod graph;
mod hostile;
mod markdown;
mod world;
