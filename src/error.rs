//! "Could not be done": the one error type of the edges and the shell, and the
//! exit codes. A problem *in the files* is a [`crate::finding::Finding`].
//! Imports `invisible_chars`.

use crate::invisible_chars::visible;

/// What a process ends with; each code means one thing (`semantics.md`,
/// "Exit codes").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done, or nothing to do.
    Done = 0,
    /// An error, of usage too.
    Error = 1,
    /// Changes are pending; only with `--detailed-exitcode`.
    Pending = 2,
    /// The files are invalid.
    Invalid = 3,
    /// A guard refused.
    Refused = 4,
    /// What was planned is no longer what is there.
    Stale = 5,
    /// A field holds a value that is not ours.
    Conflict = 6,
    /// `drift` found some.
    Drift = 7,
    /// Whether it happened can't be known (dispatch, apply).
    Unknown = 8,
    /// The call is refused by its rules.
    CallRefused = 9,
    /// Dispatched, and seen to have no agent.
    NoAgent = 10,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> std::process::ExitCode {
        std::process::ExitCode::from(exit as u8)
    }
}

/// An error with the exit code it ends in, and what to do about it. Message
/// and hint quote what others wrote: they are one line each, with everything
/// to be seen, but for what [`Error::lines`] adds.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    pub exit: Exit,
    /// Stable, kebab-case, where programs may want to tell errors apart.
    pub code: Option<&'static str>,
    pub message: String,
    pub hint: Option<String>,
}

impl Error {
    pub fn new(message: impl Into<String>) -> Error {
        Error::exit(Exit::Error, message)
    }

    pub fn exit(exit: Exit, message: impl Into<String>) -> Error {
        Error {
            exit,
            code: None,
            message: visible(&message.into()),
            hint: None,
        }
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Error {
        self.hint = Some(visible(&hint.into()));
        self
    }

    /// With a stable name, for programs that tell errors apart.
    pub fn code(mut self, code: &'static str) -> Error {
        self.code = Some(code);
        self
    }

    /// More lines of the message, as they are to be shown or copied.
    pub fn lines(mut self, lines: &str) -> Error {
        for line in lines.lines() {
            self.message.push('\n');
            self.message += &visible(line);
        }
        self
    }

    /// With something before the message.
    pub fn within(mut self, what: &str) -> Error {
        self.message = format!("{}: {}", visible(what), self.message);
        self
    }
}

pub type Result<T, E = Error> = std::result::Result<T, E>;
