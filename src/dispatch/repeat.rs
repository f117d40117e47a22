//! What is said where an idempotency key has a record already: nothing is
//! sent. Core.

use uuid::Uuid;

use super::call_failure::TWICE;
use super::record::{Record, Status};
use crate::error::{Error, Exit};
use crate::phone::E164;

/// An idempotency key as it is kept.
///
/// # Errors
/// It is blank, as where a variable is not set, and would be one for all calls; or a
/// database can't keep it.
pub fn read_key(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        Err("a blank key would be one for all calls".to_owned())
    } else if text.contains('\0') {
        Err("no key holds a NUL".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

/// Why an idempotency key that has a record can't be used: the record is of
/// another call than the one that is asked for.
pub fn clash(
    first: &Record,
    from: E164,
    to_input: &str,
    tenant: Option<Uuid>,
) -> Result<(), Error> {
    let same_tenant = tenant.is_none() || first.tenant.is_none() || tenant == first.tenant;
    if first.is_between(from, to_input) && same_tenant {
        return Ok(());
    }
    let key = first.idempotency_key.as_deref().unwrap_or_default();
    let (from, to) = (first.from, &first.to);
    let message = format!("the idempotency key `{key}` belongs to a call from {from} to {to}");
    let error = Error::new(message).code("key-clash");
    Err(error.hint("give each call a key of its own"))
}

/// Why the first call of a key is none, or none that is sure.
pub fn first_outcome(first: &Record) -> Option<Error> {
    let message = match (&first.detail.message, first.status) {
        (Some(message), _) => message.clone(),
        (None, Status::InQueue) => format!(
            "its command still runs, or was ended before it knew more; its room would be {}",
            first.room
        ),
        (None, _) => return None,
    };
    let exit = first.status.exit();
    let error = Error::exit(exit, format!("the first call with this key: {message}"));
    Some(match exit {
        Exit::Unknown => error.hint(format!(
            "`lkroute dispatches --refresh {}` looks again; {TWICE}",
            first.room
        )),
        _ => error,
    })
}
