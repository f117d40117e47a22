//! Why an attempt at an apply ended, the same for both engines. Imports core
//! and its siblings.

use super::order::ApplyError;
use crate::error::Error;

/// Why an attempt at an apply ended.
pub(super) enum Stop {
    Sql(sqlx::Error),
    Refused(ApplyError),
    /// By [`super::ApplyOrder::stop`].
    Asked,
}

/// What is said then.
pub(super) fn stopped() -> Error {
    Error::new("stopped by a signal: the transaction was rolled back, nothing was written")
}

impl From<sqlx::Error> for Stop {
    fn from(error: sqlx::Error) -> Stop {
        Stop::Sql(error)
    }
}

impl From<ApplyError> for Stop {
    fn from(error: ApplyError) -> Stop {
        Stop::Refused(error)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Refused(error.into())
    }
}
