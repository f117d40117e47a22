//! What opens the server of a config, for those it may be sent to. Imports
//! core, the store and `secrets`.

use uuid::Uuid;

use super::lookup::Signing;
use super::{Context, Stop, database, lookup, no_such, trusted_hosts};
use crate::error::{Error, Exit, Result};
use crate::fields::Field;
use crate::resolve::Configs;
use crate::secrets::{self, KeyRing, Secret, Stored};
use crate::snapshot::Snapshot;
use crate::store::{Mode, Store, TrustRows};
use crate::trust::Standing;

/// A server, and what opens it.
pub(crate) struct Credentials {
    pub url: String,
    pub api_key: String,
    pub api_secret: Secret,
}

/// What the database says of servers, read once.
pub(super) struct KnownServers {
    snapshot: Snapshot,
    configs: Configs,
    trust: TrustRows,
}

impl KnownServers {
    pub(super) async fn read(store: &mut Store) -> Result<KnownServers> {
        let trust = store.trust().await?;
        store.begin_read().await?;
        let snapshot = store.snapshot().await?;
        store.end_read().await?;
        Ok(KnownServers {
            configs: Configs::of_snapshot(&snapshot),
            snapshot,
            trust,
        })
    }

    /// The config of that name.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn id_of(&self, name: &str) -> Result<Uuid> {
        let mut configs = self.configs.iter();
        let named = configs.find(|config| config.name() == name);
        named.and_then(|config| config.id).ok_or_else(|| {
            no_such(
                "config",
                name,
                self.configs.iter().map(|config| config.name()),
            )
        })
    }

    /// The credentials of a config, with what there is to warn of.
    ///
    /// # Errors
    /// It is gone or not complete, its secret does not open, or nothing may be
    /// signed for its server (exit 6).
    pub(super) fn credentials(
        &self,
        id: Uuid,
        ring: &KeyRing,
    ) -> Result<(Credentials, Option<String>)> {
        let mut rows = self.snapshot.configs.iter();
        let row = rows.find(|row| row.id == id);
        let row = row.ok_or_else(|| Error::new("its config is gone"))?;
        let mut configs = self.configs.iter();
        let config = configs.find(|config| config.id == Some(id));
        let config = config.ok_or_else(|| Error::new("its config is gone"))?;
        let name = config.name();
        let stored = Stored::read(row.secret.as_stored().to_owned());
        let secret = secrets::open_stored(ring, id, &stored).map_err(|error| {
            Error::new(format!(
                "the secret of config {name} does not open: {error}"
            ))
            .hint("put its key into LKROUTE_KEYS, or LIVEKIT_SECRET_ENCRYPTION_KEY")
        })?;
        let mut owned = self.snapshot.owned_configs.iter();
        let applied = owned.find(|owned| owned.id == id);
        let applied = applied.and_then(|owned| owned.fields.text(Field::Url));
        let lacking = |what| Error::new(format!("config {name} has no {what}"));
        let signing = Signing::of(config, applied).ok_or_else(|| lacking("URL"))?;
        let warning =
            match trusted_hosts::signing_standing(&signing, Some(&secret), &self.trust, ring) {
                Standing::Trusted => None,
                Standing::Unknown(to) => Some(format!(
                    "config {name}, which is not lkroute's, leads to {to}, {}",
                    trusted_hosts::UNKNOWN_SERVER
                )),
                Standing::Refused(refusal) => {
                    let message = refusal.message(name);
                    return Err(Error::exit(Exit::Conflict, message).hint(refusal.hint()));
                }
            };
        let credentials = Credentials {
            url: signing.url,
            api_key: signing.api_key.ok_or_else(|| lacking("API key"))?,
            api_secret: secret,
        };
        Ok((credentials, warning))
    }
}

/// What a command gets to work on the server of a config.
pub(crate) struct ConfigAccess {
    pub credentials: Credentials,
    /// What there is to warn of.
    pub warning: Option<String>,
    /// Variables that hold secrets of configs, by the list of the last apply.
    pub secret_variables: Vec<String>,
}

/// The credentials of the config of that name, as the database holds them.
///
/// # Errors
/// There is no such config, it is not complete, its secret does not open, or
/// its server is not trusted.
pub(crate) async fn config_credentials(
    context: &Context<'_>,
    name: &str,
    ring: &KeyRing,
) -> Result<ConfigAccess, Stop> {
    let target = lookup::target(context)?;
    let mut store = database::open_current(context, &target, Mode::Read).await?;
    let known = KnownServers::read(&mut store).await?;
    let guards = known.snapshot.guards.readable()?;
    let secret_variables = guards.and_then(|guards| guards.secret_env.clone());
    let (credentials, warning) = known.credentials(known.id_of(name)?, ring)?;
    Ok(ConfigAccess {
        credentials,
        warning,
        secret_variables: secret_variables.unwrap_or_default(),
    })
}
