//! What a saved plan holds. Core.

use crate::diff::plan::Plan;
use crate::finding::Finding;
use crate::impact::window_sum::WindowSum;

/// A plan as `plan --out` writes it. It holds no secret: sealed values are
/// there by their hash, others by their source.
#[derive(Debug)]
pub struct SavedPlan {
    pub format_version: u32,
    /// The version of lkroute that wrote it.
    pub lkroute: String,
    pub digest: String,
    /// The commit of the files, for people; the digest does not cover it.
    pub revision: Option<String>,
    /// The addresses of `--target`.
    pub targets: Vec<String>,
    pub plan: Plan,
    /// What guards refused of it, for those who look at it.
    pub refusals: Vec<Finding>,
    /// What the applies of the window add, for the same.
    pub window: Option<WindowSum>,
}
