//! Whether a call may be signed: where the token would go, and with whose
//! credentials. Imports core and `secrets`.

use super::{Answer, Signing};
use crate::error::{Error, Exit, Result};
use crate::lookup::{OwnedCredentials, TrustRows};
use crate::routing::CipherText;
use crate::secrets::{self, KeyRing, Secret, Stored};
use crate::trust::{Asker, Standing, standing};

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

/// Whether a token of a config may be sent.
pub fn signing_standing(
    signing: &Signing,
    secret: Option<&Secret>,
    rows: &TrustRows,
    ring: &KeyRing,
    environment: Option<&str>,
) -> Standing {
    let shares = |owned: &&OwnedCredentials| {
        owned.id != signing.id
            && (owned.api_key.is_some() && owned.api_key == signing.api_key
                || secret.is_some_and(|secret| is_secret_of(owned, secret, ring)))
    };
    let asker = Asker {
        url: &signing.url,
        region: signing.region.as_deref(),
        owned: signing.owned,
        shares_with: match signing.owned {
            true => None,
            false => rows
                .owned
                .iter()
                .find(shares)
                .map(|owned| owned.name.as_str()),
        },
    };
    standing(&asker, environment, &rows.facts)
}

fn is_secret_of(owned: &OwnedCredentials, secret: &Secret, ring: &KeyRing) -> bool {
    let stored = owned.sealed.as_ref().map(CipherText::as_stored);
    let stored = stored.map(|text| Stored::read(text.to_owned()));
    let opened = stored.and_then(|stored| secrets::open_stored(ring, owned.id, &stored).ok());
    opened.is_some_and(|opened| opened.same(secret))
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
