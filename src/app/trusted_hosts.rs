//! Whether a call may be signed, by what the database says of its server.
//! Imports core, the store and `answer`.

use super::lookup::{Answer, Signing};
use super::process_variable;
use crate::answer;
pub(crate) use crate::answer::UNKNOWN_SERVER;
use crate::error::Result;
use crate::resolve::env::URL;
use crate::secrets::{KeyRing, Secret};
use crate::store::{Store, TrustRows};
use crate::trust::Standing;

/// Refuses a call that must not be signed; else what there is to warn of.
///
/// # Errors
/// Exit 6 where no token may be sent there, 1 for a plain text.
pub(crate) async fn approve_signing(
    store: &mut Store,
    answer: &Answer,
    strict: bool,
    ring: &KeyRing,
) -> Result<Vec<String>> {
    let rows = if answer.needs_trust() {
        store.trust().await?
    } else {
        TrustRows::default()
    };
    answer::approve_signing(
        answer,
        strict,
        &rows,
        ring,
        process_variable(URL).as_deref(),
    )
}

/// The same for whoever has the rows already.
pub(crate) fn signing_standing(
    signing: &Signing,
    secret: Option<&Secret>,
    rows: &TrustRows,
    ring: &KeyRing,
) -> Standing {
    answer::signing_standing(
        signing,
        secret,
        rows,
        ring,
        process_variable(URL).as_deref(),
    )
}
