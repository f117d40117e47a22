//! What is loaded, and how it is asked for. Core: imports only the model.

use crate::finding::Finding;
use crate::routing::Routing;

/// The most bindings that files hold, unless more are asked for: each takes
/// memory until the end of a plan.
pub const MAX_BINDINGS: u64 = 2_000_000;

/// How to load.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// The environment to load for; needed where the files declare any.
    pub environment: Option<String>,
    /// The most bindings, ranges counted by their numbers.
    pub max_bindings: u64,
}

impl Default for LoadOptions {
    fn default() -> LoadOptions {
        LoadOptions {
            environment: None,
            max_bindings: MAX_BINDINGS,
        }
    }
}

/// What the files say.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// Of use only where there is no error among the findings.
    pub routing: Routing,
    /// By place.
    pub findings: Vec<Finding>,
    /// The environments that are declared.
    pub environments: Vec<String>,
    /// Of the chosen environment: the variable that holds the database's URL.
    pub database: Option<String>,
    /// Of the chosen environment: the schema.
    pub schema: Option<String>,
    /// A SHA-256 over what the files hold, in hex: the same wherever they lie
    /// and whatever they are called.
    pub digest: String,
}

impl Loaded {
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(Finding::is_error)
    }
}
