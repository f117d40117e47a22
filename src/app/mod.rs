//! The use cases: what lkroute does, one file each. A request and a
//! [`Context`] go in, a value comes out. Nothing here knows a command line,
//! prints, or ends the process. Imports model, core and adapters; shells
//! import it.

mod accept_drift;
pub mod actor;
pub mod adopt;
pub mod applied_states;
pub mod apply;
pub(crate) mod approval;
pub mod cancel;
pub(crate) mod compare_files;
pub(crate) mod credentials;
pub(crate) mod database;
pub mod dispatch;
pub mod dispatches;
pub mod doctor;
pub mod drift;
mod editing;
pub mod fmt;
pub mod history;
pub mod import;
pub(crate) mod keys;
pub mod list;
pub(crate) mod lookup;
pub mod migrate;
pub(crate) mod number_request;
pub mod planning;
pub mod release;
pub mod resolve;
pub(crate) mod revision;
pub mod rollback;
pub mod rotate;
pub(crate) mod routing_files;
pub mod seal;
pub(crate) mod sealing;
pub mod secret_list;
pub(crate) mod secret_marks;
pub(crate) mod secret_sources;
mod server_probes;
pub mod trust;
pub(crate) mod trusted_hosts;
pub(crate) mod verdict;

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;

use crate::error::Error;
use crate::files;
use crate::finding::Finding;
use crate::source::{LoadOptions, suggest};
use crate::store::LOCK_TIMEOUT;

/// What a use case works with, beside its request.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    pub settings: &'a Settings,
    pub progress: &'a dyn Progress,
    /// The time of day.
    pub clock: fn() -> Timestamp,
}

impl Context<'_> {
    /// RFC 3339, UTC, with milliseconds.
    pub fn now(&self) -> String {
        format!("{:.3}", (self.clock)())
    }
}

/// Where files and database are: the same for all that a process does.
#[derive(Clone)]
pub struct Settings {
    /// The directory of the routing files.
    pub routing: PathBuf,
    /// The environment whose values of the files count.
    pub environment: Option<String>,
    /// The database's URL, where it is not left to the variables.
    pub database: Option<String>,
    /// The schema of the tables, on PostgreSQL.
    pub schema: Option<String>,
    /// How long to wait for locks of others, where that is said.
    pub lock_timeout: Option<Duration>,
    /// The most numbers that the files may bind.
    pub max_bindings: u64,
}

impl Settings {
    /// How long what writes waits for locks.
    pub fn write_lock_timeout(&self) -> Duration {
        self.lock_timeout.unwrap_or(LOCK_TIMEOUT)
    }

    /// The directory of the routing files, as it is shown.
    pub fn routing_shown(&self) -> String {
        files::shown(&self.routing)
    }

    /// How the files are loaded.
    pub fn load_options(&self) -> LoadOptions {
        LoadOptions {
            environment: self.environment.clone(),
            max_bindings: self.max_bindings,
        }
    }
}

pub use crate::files::{make_directory, write_file};

/// A variable of this process; one that is no Unicode text reads as empty.
pub fn process_variable(name: &str) -> Option<String> {
    match std::env::var_os(name)?.into_string() {
        Ok(value) => Some(value),
        Err(_) => Some(String::new()),
    }
}

/// Nothing of that kind has the name; what may have been meant, or what there is.
pub fn no_such<'a>(kind: &str, name: &str, known: impl IntoIterator<Item = &'a str>) -> Error {
    let mut known: Vec<&str> = known.into_iter().collect();
    known.sort_unstable();
    known.dedup();
    Error {
        hint: suggest::suggestion_hint(name, known),
        ..Error::new(format!("there is no {kind} `{name}` here"))
    }
}

/// How far a use case has come, for whoever waits for it.
pub trait Progress {
    /// Something that was done or found on the way, and changes nothing.
    fn note(&self, text: &str);

    /// Something to say only where more was asked for.
    fn detail(&self, text: &str);

    /// Something that may make the answer another one than is expected.
    fn warn(&self, text: &str);

    /// Begins work that is counted.
    fn count(&self, what: &'static str, total: Total) -> Box<dyn Counter>;
}

/// Whether it is known beforehand how much there is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Total {
    Known,
    Unknown,
}

/// Work that is counted; it has ended when dropped.
pub trait Counter {
    fn at(&self, done: u64);

    fn of(&self, done: u64, total: u64);
}

/// Why a use case ended before its work was done.
#[derive(Debug)]
pub enum Stop {
    /// The files have errors.
    Invalid(Vec<Finding>),
    Error(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Error(error)
    }
}
