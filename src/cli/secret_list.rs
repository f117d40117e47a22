//! `lkroute secrets list`: where secrets live, and whether they open. Imports
//! what commands share, the store, `secrets` and `render`.

use std::collections::BTreeMap;

use clap::Args;
use uuid::Uuid;

use super::globals::{Format, Formatted};
use super::keys::KeyArgs;
use super::shell::Shell;
use super::{Stop, database, lookup, routing_files, sealing};
use crate::app::secret_sources::SourceRules;
use crate::error::{Error, Exit, Result};
use crate::fields::Field;
use crate::render::json;
use crate::render::secrets::{self as report, SealedReport, SecretReport, SecretsReport};
use crate::routing::{Routing, SecretSource};
use crate::secrets::{KeyRing, OpenError, Stored, open_stored};
use crate::snapshot::{LiveConfig, Snapshot};
use crate::store::Mode;

const EXAMPLES: &str = "\
Examples:
  lkroute secrets list
  lkroute secrets list --offline --format json

It opens each value with the keys at hand and says how that went, never what
came out: opens, no key, wrong key, damaged, plain text. Exit 1 where a value
does not open for another reason than a missing key.";

/// Say where each secret lives, and whether it opens
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct SecretListArgs {
    /// Look into the files alone
    #[arg(long)]
    offline: bool,

    #[command(flatten)]
    pub formatted: Formatted,

    #[command(flatten)]
    keys: KeyArgs,
}

impl SecretListArgs {
    pub fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        let ring = self.keys.ring()?;
        let routing = match self.offline || shell.globals.routing.exists() {
            true => Some(routing_files::load_valid(&shell.context())?.routing),
            false => None,
        };
        let snapshot = match self.offline {
            true => Snapshot::default(),
            false => snapshot(shell)?,
        };
        let applied = snapshot.guards.readable()?;
        let routing = routing.as_ref();
        let dir = &shell.globals.routing;
        let rules = routing.map(|routing| SourceRules::new(dir, routing, applied));
        let secrets = all(routing.zip(rules.as_ref()), &snapshot, &ring);
        let environment = shell
            .globals
            .env
            .as_deref()
            .or(snapshot.environment.as_deref());
        let report = SecretsReport::new(environment, secrets);
        shell.print(&match self.formatted.format {
            Format::Text => report::text(&report),
            Format::Json => json::text(&report)?,
        })?;
        let ours: Vec<Uuid> = snapshot
            .owned_configs
            .iter()
            .map(|owned| owned.id)
            .collect();
        let plain = report.secrets.iter().find(|secret| {
            let stored = secret.in_database.as_ref();
            stored.is_some_and(|stored| stored.state == "plain text")
                && secret.id.is_some_and(|id| ours.contains(&id))
        });
        if let Some(secret) = plain {
            let message = format!("the secret of {} is stored as plain text", secret.config);
            let hint = "take it for leaked: get a new one, `lkroute secrets seal` it, and apply";
            let error = Error::new(message).hint(hint);
            shell.complain(&error);
            return Ok(error.exit);
        }
        let values = report.secrets.iter();
        let values = values.flat_map(|secret| secret.in_files.iter().chain(&secret.in_database));
        let fine = ["opens", "no key", "plain text", "at hand", "not at hand"];
        match values
            .map(|value| value.state)
            .find(|state| !fine.contains(state))
        {
            None => Ok(Exit::Done),
            Some(state) => {
                let error = Error::new(format!("not every secret opens: {state}"));
                shell.complain(&error);
                Ok(error.exit)
            }
        }
    }
}

/// The rows of configs; none where there is no database yet.
fn snapshot(shell: &Shell) -> Result<Snapshot, Stop> {
    let target = lookup::target(&shell.context())?;
    if !target.url.exists() {
        shell.note(&format!("{} is not there yet", target.url.label()));
        return Ok(Snapshot::default());
    }
    Ok(database::block_on(async {
        let mut store = database::open_current(&shell.context(), &target, Mode::Look).await?;
        store.begin_read().await?;
        let snapshot = store.snapshot().await?;
        store.end_read().await?;
        Ok::<_, Error>(snapshot)
    })?)
}

fn all(
    files: Option<(&Routing, &SourceRules)>,
    snapshot: &Snapshot,
    ring: &KeyRing,
) -> Vec<SecretReport> {
    let mut secrets: BTreeMap<String, SecretReport> = BTreeMap::new();
    let mut known: Vec<Uuid> = Vec::new();
    for (name, config) in files.iter().flat_map(|(routing, _)| &routing.configs) {
        let row = sealing::Row::find(snapshot, name, config).live;
        let id = config.id.or(row.map(|row| row.id));
        known.extend(row.map(|row| row.id));
        let at_hand = || files.and_then(|(routing, rules)| rules.read(routing, config).ok());
        let state = |here: bool| if here { "at hand" } else { "not at hand" };
        let in_files = match &config.api_secret {
            SecretSource::Sealed(text) => stored(text.as_stored(), id, ring),
            SecretSource::Env(name) => outside(format!("env {name}"), state(at_hand().is_some())),
            SecretSource::File(path) => outside(format!("file {path}"), state(at_hand().is_some())),
        };
        secrets.insert(name.clone(), entry(name, id, Some(in_files), row, ring));
    }
    for row in snapshot
        .configs
        .iter()
        .filter(|row| !known.contains(&row.id))
    {
        let name = row.fields.text(Field::Name).unwrap_or_default();
        let of_others = entry(name, Some(row.id), None, Some(row), ring);
        secrets.entry(name.to_owned()).or_insert(of_others);
    }
    secrets.into_values().collect()
}

fn entry(
    name: &str,
    id: Option<Uuid>,
    in_files: Option<SealedReport>,
    row: Option<&LiveConfig>,
    ring: &KeyRing,
) -> SecretReport {
    let in_database = row.map(|row| stored(row.secret.as_stored(), Some(row.id), ring));
    SecretReport {
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

fn outside(source: String, state: &'static str) -> SealedReport {
    SealedReport {
        source,
        format: None,
        key: None,
        state,
    }
}

fn stored(text: &str, id: Option<Uuid>, ring: &KeyRing) -> SealedReport {
    let stored = Stored::read(text.to_owned());
    let opened = open_stored(ring, id.unwrap_or_default(), &stored);
    let state = match (&stored, opened) {
        (Stored::Plain(_), _) => "plain text",
        (_, Ok(_)) => "opens",
        (_, Err(error)) => state(&error),
    };
    SealedReport {
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
