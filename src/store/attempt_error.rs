//! Why an attempt at an apply ended, the same for both engines. Imports core
//! and its siblings.

use super::write_request::ApplyError;
use crate::error::Error;

/// Why an attempt at an apply ended.
pub(super) enum AttemptError {
    Sql(sqlx::Error),
    Refused(ApplyError),
    /// By [`super::WriteRequest::stop`].
    Stopped,
}

/// What is said then.
pub(super) fn stopped_by_signal() -> Error {
    Error::new("stopped by a signal: the transaction was rolled back, nothing was written")
}

impl From<sqlx::Error> for AttemptError {
    fn from(error: sqlx::Error) -> AttemptError {
        AttemptError::Sql(error)
    }
}

impl From<ApplyError> for AttemptError {
    fn from(error: ApplyError) -> AttemptError {
        AttemptError::Refused(error)
    }
}

impl From<Error> for AttemptError {
    fn from(error: Error) -> AttemptError {
        AttemptError::Refused(error.into())
    }
}
