//! The config whose secret signs, as it was found, and whether it may. Imports
//! core and `secrets`.

use uuid::Uuid;

use crate::fields::Field;
use crate::lookup::{OwnedCredentials, TrustRows};
use crate::resolve::{ConfigFact, SecretState};
use crate::routing::CipherText;
use crate::secrets::{self, KeyRing, Secret, Stored};
use crate::trust::{Asker, Standing, standing};

/// The config whose secret would sign a call's tokens.
#[derive(Debug, Clone)]
pub struct Signing {
    pub id: Uuid,
    pub name: String,
    pub url: String,
    pub api_key: Option<String>,
    /// The region that lkroute knows it by.
    pub region: Option<String>,
    /// Whether lkroute applied it.
    pub owned: bool,
    /// Its URL is the one that lkroute applied last.
    pub as_applied: bool,
    /// Its secret is stored as plain text.
    pub plain_text: bool,
}

impl Signing {
    /// `applied` is the URL that was applied last, where it was.
    pub fn of(config: &ConfigFact, applied: Option<&str>) -> Option<Signing> {
        let text = |field| config.text(field).map(str::to_owned);
        Some(Signing {
            id: config.id?,
            name: config.name().to_owned(),
            url: text(Field::Url)?,
            api_key: text(Field::ApiKey),
            region: text(Field::Region),
            owned: config.place.apply.is_some(),
            as_applied: applied.is_some() && applied == config.fields.text(Field::Url),
            plain_text: config.secret == SecretState::PlainText,
        })
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
        shares_with: if signing.owned {
            None
        } else {
            rows.owned
                .iter()
                .find(shares)
                .map(|owned| owned.name.as_str())
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
