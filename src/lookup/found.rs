//! What was found, read from the one text that a statement gives. Core.

use std::collections::HashMap;

use uuid::Uuid;

use super::columns::rebuilt_rules;
use super::json_row::{JsonCell, JsonRow, read_document, read_fields, unfold};
use super::names::SCHEMA_VERSION;
use super::{CONFIG_COLUMNS, LookUp};
use crate::diff::row_reader;
use crate::error::Error;
use crate::fields::{Field, Fields};
use crate::phone;
use crate::resolve::{
    AgentFact, ConfigFact, Facts, Provenance, Regions, RowFact, SecretState, UserFact,
};
use crate::routing::CipherText;
use crate::snapshot::{NumberRow, OwnedRegion};

/// What was found.
#[derive(Debug, Default)]
pub struct LookedUp {
    /// The rows of every tenant, and the configs that they name. The agent is
    /// the one asked for, if any.
    pub facts: Facts,
    /// The stored secrets of those configs.
    pub secrets: HashMap<Uuid, CipherText>,
    /// The URL that lkroute applied last to those of them that it manages.
    pub applied_urls: HashMap<Uuid, String>,
    /// That the database is stamped with.
    pub environment: Option<String>,
    /// What the statement goes without has come; not told by SQLite, which is
    /// inspected each time.
    outdated: bool,
    /// Tables of which rows may be hidden, and from which role.
    pub hidden: Vec<(String, String)>,
    /// The version of lkroute's tables, where it is a newer one.
    pub newer: Option<i64>,
}

/// The parts of the document, in their order.
const STATE_PART: usize = 0;
const ROWS: usize = 1;
const HIDDEN: usize = 2;
const REGIONS: usize = 3;
const ALIASES: usize = 4;
const USER: usize = 5;
const AGENT: usize = 6;
const OUTDATED: usize = 7;

impl LookedUp {
    /// What is known without a database.
    pub fn of(facts: Facts) -> LookedUp {
        LookedUp {
            facts,
            ..LookedUp::default()
        }
    }

    /// Reads what a look-up gave. `users` says whether there is a table of
    /// users.
    ///
    /// # Errors
    /// It is not what the statement gives: says which column of which part.
    pub fn read(text: &str, asked: &LookUp, users: bool) -> Result<LookedUp, String> {
        let document = read_document(text)?;
        let parts = JsonRow::read(&document)?;
        let mut found = LookedUp::default();
        found.facts.agent = asked.agent.map(|id| AgentFact { id, tenant: None });
        let part = |ix: usize| unfold(parts.get(ix)).map(Option::unwrap_or_default);
        found.state(&*part(STATE_PART)?)?;
        let within = |name: &'static str| move |error: String| format!("{name}: {error}");
        for row in JsonRow::read_all(&*part(ROWS)?)? {
            found
                .row(&row?, asked)
                .map_err(within("voice_agent_numbers"))?;
        }
        for row in JsonRow::read_all(&*part(HIDDEN)?)? {
            let row = row?;
            let names = (row.some_text(0)?.to_owned(), row.some_text(1)?.to_owned());
            found.hidden.push(names);
        }
        let mut regions = Vec::new();
        for row in JsonRow::read_all(&*part(REGIONS)?)? {
            regions.push(region(&row?).map_err(within("lkroute_regions"))?);
        }
        found.facts.regions = Regions::of_owned(&regions);
        for row in JsonRow::read_all(&*part(ALIASES)?)? {
            let row = row?;
            let alias = row.some_text(1)?.to_owned();
            found.facts.aliases.insert(row.some_uuid(0)?, alias);
        }
        if asked.initiated_by.is_some() {
            let user = user(&*part(USER)?, users).map_err(within("users"))?;
            found.facts.user = Some(user);
        }
        for row in JsonRow::read_all(&*part(AGENT)?)? {
            found.asked_agent(row?.text(0)?);
        }
        found.outdated = matches!(*part(OUTDATED)?, JsonCell::Flag(true));
        Ok(found)
    }

    /// Whether tables, columns or row-level security came since they were looked
    /// for: what was found may not be all.
    pub fn is_outdated(&self) -> bool {
        self.outdated
    }

    /// Refuses what may not be all, or what a newer lkroute wrote.
    pub fn check(&self, schema: &str) -> Result<(), Error> {
        if let Some(version) = self.newer {
            return Err(Error::new(format!(
                "the database is of a newer lkroute (version {version} of its schema)"
            ))
            .code(WRONG_DATABASE)
            .hint("use a newer lkroute"));
        }
        let Some((_, role)) = self.hidden.first() else {
            return Ok(());
        };
        let tables: Vec<String> = self
            .hidden
            .iter()
            .map(|(table, _)| format!("{schema}.{table}"))
            .collect();
        Err(hidden(&tables, role))
    }

    fn state(&mut self, state: &JsonCell<'_>) -> Result<(), String> {
        if matches!(state, JsonCell::Null) {
            return Ok(());
        }
        let state = JsonRow::read(state)?;
        self.environment = state.text(0)?.map(str::to_owned);
        self.newer = state.int(1)?.filter(|version| *version > SCHEMA_VERSION);
        Ok(())
    }

    /// Takes in a row: id, tenant_id, country_code, base_number, provider,
    /// status, rules, default_agent_id, the tenant of that agent,
    /// alias; since, path, line, revision, settings of our version as an array;
    /// an array of the config and its fallback.
    fn row(&mut self, row: &JsonRow<'_>, asked: &LookUp) -> Result<(), String> {
        let rules = row.text(6)?.map(rebuilt_rules);
        let live = NumberRow {
            id: row.some_uuid(0)?,
            tenant: row.some_uuid(1)?,
            country_code: row.text(2)?,
            base_number: row.int(3)?,
            provider: row.text(4)?,
            status: row.text(5)?,
            rules: rules.as_deref().map(str::as_bytes),
            passed_over: None,
        };
        let number = phone::from_row(live.country_code, live.base_number);
        if number.map(|number| number.row_key()) != Ok(asked.number.row_key()) {
            return Ok(());
        }
        if let Some(id) = row.int(7)? {
            let tenant = row.text(8)?.and_then(|text| Uuid::parse_str(text).ok());
            let agents = &mut self.facts.default_agents;
            agents.insert(live.id, AgentFact { id, tenant });
        }
        if let Some(alias) = row.text(9)? {
            self.facts.aliases.insert(live.tenant, alias.to_owned());
        }
        let binding = unfold(row.cell(10)?)?;
        let binding = binding.as_deref().map(JsonRow::read).transpose()?;
        let fields = row_reader::read_row(&live).ok();
        let settings = binding.as_ref().map(|binding| binding.text(4));
        let settings = settings.transpose()?.flatten().map(read_fields);
        let settings = settings.transpose()?;
        self.facts.rows.push(RowFact {
            id: Some(live.id),
            tenant: live.tenant,
            rollout: settings.and_then(|settings| rollout(&settings, fields.as_ref()?)),
            fields,
            place: place(binding.as_ref(), live.id)?,
        });
        let configs = unfold(row.cell(11)?)?.unwrap_or_default();
        for config in JsonRow::read_all(&configs)? {
            self.config(&config?)
                .map_err(|error| format!("voice_agent_livekit: {error}"))?;
        }
        Ok(())
    }

    /// Takes in a config: id, [`CONFIG_COLUMNS`]; since, path, line, revision,
    /// fields of our version as an array.
    fn config(&mut self, config: &JsonRow<'_>) -> Result<(), String> {
        let version = unfold(config.cell(1 + CONFIG_COLUMNS.len())?)?;
        let version = version.as_deref().map(JsonRow::read).transpose()?;
        let id = config.some_uuid(0)?;
        let mut fields = Fields::new();
        for (field, at) in Field::COLUMNS_OF_CONFIG.into_iter().zip(1..) {
            if field == Field::ApiSecret {
                // Among the fields would be its digest, which no call depends on.
                let secret = CipherText::new(config.some_text(at)?);
                self.secrets.insert(id, secret);
            } else {
                fields.set_text(field, config.text(at)?);
            }
        }
        if let Some(version) = &version {
            let owned = read_fields(version.some_text(4)?)?;
            fields.take_ours(Some(&owned));
            let url = owned.text(Field::Url).map(str::to_owned);
            self.applied_urls.extend(url.map(|url| (id, url)));
        }
        self.facts.configs.insert(ConfigFact {
            id: Some(id),
            fields,
            place: place(version.as_ref(), id)?,
            secret: SecretState::NotChecked,
        });
        Ok(())
    }

    /// Takes in the tenant of the agent asked for.
    fn asked_agent(&mut self, tenant: Option<&str>) {
        if let Some(agent) = &mut self.facts.agent {
            agent.tenant = tenant.and_then(|text| Uuid::parse_str(text).ok());
        }
    }
}

const _: () = assert!(CONFIG_COLUMNS.len() == Field::COLUMNS_OF_CONFIG.len());

/// The code of an error that this database is none to be asked, whatever it holds.
pub const WRONG_DATABASE: &str = "wrong-database";

/// The error where rows of tables may be hidden from a role.
pub fn hidden(tables: &[String], role: &str) -> Error {
    Error::new(format!(
        "row-level security may hide rows of {} from the role {role}",
        tables.join(", ")
    ))
    .code(WRONG_DATABASE)
    .hint(
        "what is hidden would count as not there; use a role with BYPASSRLS, or give it a policy \
         of its own, and no other: USING (true)",
    )
}

/// The tenant of the user asked for; no row is no such user.
fn user(rows: &JsonCell<'_>, table: bool) -> Result<UserFact, String> {
    if !table {
        return Ok(UserFact::NoTable);
    }
    match JsonRow::read_all(rows)?.next() {
        None => Ok(UserFact::Unknown),
        Some(row) => Ok(match row?.uuid(0)? {
            None => UserFact::NoTenant,
            Some(tenant) => UserFact::Tenant(tenant),
        }),
    }
}

/// Columns: name, fields.
fn region(row: &JsonRow<'_>) -> Result<OwnedRegion, String> {
    Ok(OwnedRegion {
        name: row.some_text(0)?.to_owned(),
        fields: read_fields(row.some_text(1)?)?,
        since: 0,
        source: None,
    })
}

/// The wave that put a number on its config, unless others changed that.
fn rollout(owned: &Fields, live: &Fields) -> Option<String> {
    let same = owned.get(Field::Config) == live.get(Field::Config);
    owned
        .text(Field::Rollout)
        .filter(|_| same)
        .map(str::to_owned)
}

/// since, path, line and revision of a version; without one, not ours.
fn place(version: Option<&JsonRow<'_>>, id: Uuid) -> Result<Provenance, String> {
    let mut place = Provenance {
        row: Some(id),
        ..Provenance::default()
    };
    if let Some(version) = version {
        let line = version.int(2)?.and_then(|line| u32::try_from(line).ok());
        place.apply = version.int(0)?;
        place.line = version.text(1)?.map(str::to_owned).zip(line);
        place.revision = version.text(3)?.map(str::to_owned);
    }
    Ok(place)
}
