//! A plan in a file: what was approved. It is shown, and compared with what
//! would be applied now; it is never a source of writes. Core.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::reroute::Reroutes;
use super::{Plan, digest};

/// The form of the file; another one is not read.
const FORMAT_VERSION: u32 = 1;
/// How many differing changes are named, rather than counted.
const SHOWN: usize = 20;

/// A plan as `plan --out` writes it. It holds no secret: sealed values are
/// there by their hash, others by their source.
#[derive(Debug, Serialize, Deserialize)]
pub struct Saved {
    pub format_version: u32,
    /// The version of lkroute that wrote it.
    pub lkroute: String,
    pub digest: String,
    /// The commit of the files, for people; the digest does not cover it.
    pub revision: Option<String>,
    /// The addresses of `--target`.
    pub targets: Vec<String>,
    pub plan: Plan,
    pub reroutes: Reroutes,
}

/// Why a file is no saved plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSaved {
    #[error("it is no plan that `lkroute plan --out` wrote")]
    Unreadable,
    #[error("it is a plan of format {0}, and this lkroute reads format {FORMAT_VERSION}")]
    Version(u64),
    #[error("its digest does not fit what it holds: it was changed after it was written")]
    Changed,
}

impl Saved {
    pub fn new(plan: Plan, reroutes: Reroutes, revision: Option<String>) -> Saved {
        Saved {
            format_version: FORMAT_VERSION,
            lkroute: env!("CARGO_PKG_VERSION").to_owned(),
            digest: digest::digest(&plan),
            revision,
            targets: Vec::new(),
            plan,
            reroutes,
        }
    }

    /// Reads a file back.
    ///
    /// # Errors
    /// See [`NotSaved`].
    pub fn read(text: &str) -> Result<Saved, NotSaved> {
        #[derive(Deserialize)]
        struct Version {
            format_version: u64,
        }
        let version: Version = serde_json::from_str(text).map_err(|_| NotSaved::Unreadable)?;
        if version.format_version != u64::from(FORMAT_VERSION) {
            return Err(NotSaved::Version(version.format_version));
        }
        let saved: Saved = serde_json::from_str(text).map_err(|_| NotSaved::Unreadable)?;
        if !saved.plan.is_sound() || digest::digest(&saved.plan) != saved.digest {
            return Err(NotSaved::Changed);
        }
        Ok(saved)
    }
}

/// How the plan of now differs from the approved one, a line a change: `-` was
/// approved and is not there now, `+` is there now and was not approved.
pub fn difference(approved: &Plan, now: &Plan) -> Vec<String> {
    let lines = |plan: &Plan| -> BTreeSet<String> {
        let changes = plan.changes.iter();
        changes.map(|change| digest::line(plan, change)).collect()
    };
    let (approved, now) = (lines(approved), lines(now));
    let gone = approved.difference(&now).map(|line| format!("- {line}"));
    let new = now.difference(&approved).map(|line| format!("+ {line}"));
    let all: Vec<String> = gone.chain(new).collect();
    let more = all.len().saturating_sub(SHOWN);
    let mut shown: Vec<String> = all.into_iter().take(SHOWN).collect();
    if more > 0 {
        shown.push(format!("… and {more} more"));
    }
    shown
}
