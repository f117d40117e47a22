//! Whether a call may be signed: where the token would go, and with whose
//! credentials. Imports core and `secrets`.

use super::Answer;
use super::signing::signing_standing;
use crate::error::{Error, Exit, Result};
use crate::lookup::TrustRows;
use crate::secrets::KeyRing;
use crate::trust::Standing;

/// What is said of a config of others whose server nobody approved.
pub const UNKNOWN_SERVER: &str = "a server that lkroute never applied";

impl Answer {
    /// Whether [`approve_signing`] needs to know whom tokens may be sent to: not for a
    /// config at the URL that lkroute applied last.
    pub fn needs_trust(&self) -> bool {
        let signing = self.signing.as_ref();
        signing.is_some_and(|signing| !signing.as_applied)
    }
}

/// Refuses a call whose secret is stored for everybody to read, or must not
/// sign for where the call leads; else what there is to warn of. `rows` counts
/// where [`Answer::needs_trust`]; `environment` is `LIVEKIT_URL`.
///
/// # Errors
/// Exit 6 where no token may be sent there, 1 for a plain text.
pub fn approve_signing(
    answer: &Answer,
    strict: bool,
    rows: &TrustRows,
    ring: &KeyRing,
    environment: Option<&str>,
) -> Result<Vec<String>> {
    let stored = plain_text(answer, strict)?;
    let server = check_server(answer, rows, ring, environment)?;
    Ok(stored.into_iter().chain(server).collect())
}

fn check_server(
    answer: &Answer,
    rows: &TrustRows,
    ring: &KeyRing,
    environment: Option<&str>,
) -> Result<Option<String>> {
    let Some(signing) = answer.signing.as_ref().filter(|_| answer.needs_trust()) else {
        return Ok(None);
    };
    let name = &signing.name;
    match signing_standing(signing, answer.secret.as_ref(), rows, ring, environment) {
        Standing::Trusted => Ok(None),
        Standing::Unknown(to) => Ok(Some(format!(
            "config {name}, which is not lkroute's, leads to {to}, {UNKNOWN_SERVER}"
        ))),
        Standing::Refused(refusal) => {
            Err(Error::exit(Exit::Conflict, refusal.message(name)).hint(refusal.hint()))
        }
    }
}

/// A secret that stands in the database as plain text: a warning, where
/// others wrote it.
///
/// # Errors
/// lkroute applied that config, or the call is to be strict.
fn plain_text(answer: &Answer, strict: bool) -> Result<Option<String>> {
    let Some(signing) = answer.signing.as_ref().filter(|signing| signing.plain_text) else {
        return Ok(None);
    };
    let name = &signing.name;
    let message = format!("the secret of config {name} stands in the database as plain text");
    match (signing.owned, strict) {
        (false, false) => Ok(Some(format!("{message}: {SEAL_OF_OTHERS}"))),
        (false, true) => {
            Err(Error::new(format!("{message}, and --strict takes none")).hint(SEAL_OF_OTHERS))
        }
        (true, _) => Err(Error::new(message).hint(format!(
            "somebody wrote it there since the last apply: take it for leaked, get a new one from \
             LiveKit, `lkroute secrets seal --config {name}`, `lkroute adopt config.{name}`, and apply"
        ))),
    }
}

/// What to do about a plain text of others.
pub const SEAL_OF_OTHERS: &str = "`lkroute import` takes the config into files, `lkroute secrets \
                                  seal` seals its secret, and an apply writes that";
