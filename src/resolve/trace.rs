//! What the resolver did, step by step, and how it ends where it can't go on.
//! Core.

use std::fmt;

use crate::error::{Error, Exit};
use crate::invisible_chars::visible;

enum_words! {
    /// What a step is about.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Topic {
        /// `USE_SELFHOST_ROUTING_TABLE`.
        Flag = "flag",
        /// Asking the database at all.
        Lookup = "lookup",
        Tenant = "tenant",
        Number = "number",
        Config = "config",
        Credentials = "credentials",
        Trunk = "trunk",
        Worker = "worker",
        Agent = "agent",
        /// The carrier rules of the number.
        Rules = "rules",
    }
}

enum_words! {
    /// How a step ended.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Verdict {
        Found = "found",
        /// Looked for, and not there.
        Nothing = "nothing",
        /// The environment, or a built-in default, took its place.
        Fallback = "fallback",
        /// Seen and not used.
        PassedOver = "passed over",
        /// There, but something before it in the order wins.
        Shadowed = "shadowed",
        /// Not looked for.
        Skipped = "skipped",
        /// Worth knowing; changes nothing.
        Note = "note",
        Refused = "refused",
        Failed = "failed",
    }
}

/// One step: what was looked at, how it ended, and where that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub topic: Topic,
    pub verdict: Verdict,
    /// A sentence without a full stop.
    pub detail: String,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (topic, verdict) = (self.topic.as_str(), self.verdict.as_str());
        write!(f, "{topic}: {verdict}: {}", self.detail)
    }
}

/// The steps, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace(pub Vec<Step>);

impl Trace {
    pub fn push(&mut self, topic: Topic, verdict: Verdict, detail: impl Into<String>) {
        self.0.push(Step {
            topic,
            verdict,
            detail: detail.into(),
        });
    }

    pub fn iter(&self) -> impl Iterator<Item = &Step> {
        self.0.iter()
    }
}

/// Why there is no route, or no call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ResolveError {
    /// Stable, kebab-case.
    pub code: &'static str,
    pub message: String,
    pub hint: Option<String>,
    pub exit: Exit,
}

impl ResolveError {
    pub fn new(code: &'static str, message: impl Into<String>) -> ResolveError {
        ResolveError {
            code,
            message: visible(&message.into()),
            hint: None,
            exit: Exit::Error,
        }
    }

    /// The rules of the number don't allow the call.
    pub fn refused(code: &'static str, message: impl Into<String>) -> ResolveError {
        ResolveError {
            exit: Exit::CallRefused,
            ..ResolveError::new(code, message)
        }
    }

    pub fn hint(mut self, hint: impl Into<String>) -> ResolveError {
        self.hint = Some(visible(&hint.into()));
        self
    }
}

impl From<ResolveError> for Error {
    fn from(error: ResolveError) -> Error {
        Error {
            exit: error.exit,
            code: Some(error.code),
            message: error.message,
            hint: error.hint,
        }
    }
}
