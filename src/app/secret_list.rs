//! Where secrets live, and whether they open; never what they are. Imports
//! core, the files, the store and `secrets`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::secret_sources::SourceRules;
use super::{Context, Stop, database, lookup, routing_files, sealing};
use crate::fields::Field;
use crate::routing::{Routing, SecretSource};
use crate::secrets::{KeyRing, OpenError, Stored, open_stored};
use crate::snapshot::{LiveConfig, Snapshot};
use crate::store::Mode;

/// The secrets of files and database.
pub struct ListedSecrets {
    /// That of the settings, else of the database.
    pub environment: Option<String>,
    /// By name.
    pub secrets: Vec<ListedSecret>,
    /// A config of lkroute's whose secret is stored as plain text.
    pub leaked: Option<String>,
}

/// The secret of one config.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "SecretReport")]
pub struct ListedSecret {
    pub config: String,
    pub id: Option<Uuid>,
    /// `files`, `database` or `both`.
    pub place: &'static str,
    pub in_files: Option<ListedValue>,
    pub in_database: Option<ListedValue>,
}

/// One value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "SealedReport")]
pub struct ListedValue {
    /// `sealed`, or where it comes from: `env NAME`, `file PATH`.
    pub source: String,
    /// `aes-256-gcm`, `fernet`, `plain text` or `damaged`; null where it is
    /// not in the files.
    pub format: Option<&'static str>,
    /// Null for formats that name no key.
    pub key: Option<String>,
    /// `opens`, `no key`, `wrong key`, `wrong key or damaged`, `other config`,
    /// `damaged`, `plain text`, `at hand` or `not at hand`.
    pub state: &'static str,
}

/// Opens each value with the keys at hand, and says how that went.
///
/// # Errors
/// Files or database can't be read.
pub async fn list_secrets(
    context: &Context<'_>,
    ring: &KeyRing,
    offline: bool,
) -> Result<ListedSecrets, Stop> {
    let settings = context.settings;
    let routing = if offline || settings.routing.exists() {
        Some(routing_files::load_valid(context)?.routing)
    } else {
        None
    };
    let snapshot = if offline {
        Snapshot::default()
    } else {
        read_snapshot(context).await?
    };
    let applied = snapshot.guards.readable()?;
    let routing = routing.as_ref();
    let rules = routing.map(|routing| SourceRules::new(&settings.routing, routing, applied));
    let secrets = all_secrets(routing.zip(rules.as_ref()), &snapshot, ring);
    let is_ours = |id: Uuid| snapshot.owned_configs.iter().any(|owned| owned.id == id);
    let leaked = secrets.iter().find(|secret| {
        let stored = secret.in_database.as_ref();
        stored.is_some_and(|stored| stored.state == "plain text") && secret.id.is_some_and(is_ours)
    });
    Ok(ListedSecrets {
        environment: settings
            .environment
            .clone()
            .or(snapshot.environment.clone()),
        leaked: leaked.map(|secret| secret.config.clone()),
        secrets,
    })
}

/// The rows of configs; none where there is no database yet.
async fn read_snapshot(context: &Context<'_>) -> Result<Snapshot, Stop> {
    let target = lookup::target(context)?;
    if !target.url.exists()? {
        context
            .progress
            .note(&format!("{} is not there yet", target.url.label()));
        return Ok(Snapshot::default());
    }
    let mut store = database::open_current(context, &target, Mode::Look).await?;
    store.begin_read().await?;
    let snapshot = store.snapshot().await?;
    store.end_read().await?;
    Ok(snapshot)
}

fn all_secrets(
    files: Option<(&Routing, &SourceRules)>,
    snapshot: &Snapshot,
    ring: &KeyRing,
) -> Vec<ListedSecret> {
    let mut secrets: BTreeMap<String, ListedSecret> = BTreeMap::new();
    let mut known: Vec<Uuid> = Vec::new();
    for (name, config) in files.iter().flat_map(|(routing, _)| &routing.configs) {
        let row = sealing::SecretRow::find(snapshot, name, config).live;
        let id = config.id.or(row.map(|row| row.id));
        known.extend(row.map(|row| row.id));
        let at_hand = || files.and_then(|(routing, rules)| rules.read(routing, config).ok());
        let state = |here: bool| if here { "at hand" } else { "not at hand" };
        let in_files = match &config.api_secret {
            SecretSource::Sealed(text) => stored(text.as_stored(), id, ring),
            SecretSource::Env(name) => outside(format!("env {name}"), state(at_hand().is_some())),
            SecretSource::File(path) => outside(format!("file {path}"), state(at_hand().is_some())),
        };
        secrets.insert(
            name.clone(),
            listed_secret(name, id, Some(in_files), row, ring),
        );
    }
    for row in snapshot
        .configs
        .iter()
        .filter(|row| !known.contains(&row.id))
    {
        let name = row.fields.text(Field::Name).unwrap_or_default();
        let of_others = listed_secret(name, Some(row.id), None, Some(row), ring);
        secrets.entry(name.to_owned()).or_insert(of_others);
    }
    secrets.into_values().collect()
}

fn listed_secret(
    name: &str,
    id: Option<Uuid>,
    in_files: Option<ListedValue>,
    row: Option<&LiveConfig>,
    ring: &KeyRing,
) -> ListedSecret {
    let in_database = row.map(|row| stored(row.secret.as_stored(), Some(row.id), ring));
    ListedSecret {
        config: name.to_owned(),
        id,
        place: match (&in_files, &in_database) {
            (Some(_), Some(_)) => "both",
            (Some(_), None) => "files",
            (None, _) => "database",
        },
        in_files,
        in_database,
    }
}

fn outside(source: String, state: &'static str) -> ListedValue {
    ListedValue {
        source,
        format: None,
        key: None,
        state,
    }
}

fn stored(text: &str, id: Option<Uuid>, ring: &KeyRing) -> ListedValue {
    let stored = Stored::read(text.to_owned());
    let opened = open_stored(ring, id.unwrap_or_default(), &stored);
    let state = match (&stored, opened) {
        (Stored::Plain(_), _) => "plain text",
        (_, Ok(_)) => "opens",
        (_, Err(error)) => state(&error),
    };
    ListedValue {
        source: "sealed".to_owned(),
        format: Some(stored.format_name()),
        key: stored
            .sealed()
            .and_then(|sealed| Some(sealed.key_id()?.to_owned())),
        state,
    }
}

/// Why a value does not open, in few words.
fn state(error: &OpenError) -> &'static str {
    match error {
        OpenError::NoKey(_) => "no key",
        OpenError::WrongConfig => "other config",
        OpenError::WrongKey { .. } => "wrong key",
        OpenError::WrongKeyOrDamaged { .. } => "wrong key or damaged",
        OpenError::Malformed(_) | OpenError::Altered { .. } | OpenError::NotText => "damaged",
    }
}
