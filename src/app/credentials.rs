//! What opens the server of one config. Imports core, the store and `secrets`.

use super::{Context, Stop, database, lookup};
use crate::error::{Error, Result};
use crate::fields::Field;
use crate::secrets::{self, KeyRing, Secret, Stored};
use crate::store::Mode;

/// A server, and what opens it.
pub struct Credentials {
    pub url: String,
    pub api_key: String,
    pub api_secret: Secret,
}

/// The credentials of the config of that name, as the database holds them.
///
/// # Errors
/// There is no such config, it is not complete, or its secret does not open.
pub async fn config_credentials(
    context: &Context<'_>,
    name: &str,
    ring: &KeyRing,
) -> Result<Credentials, Stop> {
    let target = lookup::target(context)?;
    let mut store = database::open_current(context, &target, Mode::Read).await?;
    store.begin_read().await?;
    let snapshot = store.snapshot().await?;
    store.end_read().await?;
    let mut configs = snapshot.configs.iter();
    let named = configs.find(|config| config.fields.text(Field::Name) == Some(name));
    let config = named.ok_or_else(|| {
        let names = snapshot.configs.iter();
        let names = names.filter_map(|config| config.fields.text(Field::Name));
        let names: Vec<&str> = names.collect();
        Error::new(format!("no config is called `{name}`"))
            .hint(format!("there are: {}", names.join(", ")))
    })?;
    let text = |field: Field, what: &str| {
        let text = config.fields.text(field).map(str::to_owned);
        text.ok_or_else(|| Error::new(format!("config {name} has no {what}")))
    };
    let stored = Stored::read(config.secret.as_stored().to_owned());
    let secret = secrets::open_stored(ring, config.id, &stored).map_err(|error| {
        Error::new(format!(
            "the secret of config {name} does not open: {error}"
        ))
        .hint("put its key into LKROUTE_KEYS, or LIVEKIT_SECRET_ENCRYPTION_KEY")
    })?;
    Ok(Credentials {
        url: text(Field::Url, "URL")?,
        api_key: text(Field::ApiKey, "API key")?,
        api_secret: secret,
    })
}
