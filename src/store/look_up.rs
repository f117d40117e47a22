//! Everything that one resolution needs to know, of one number. Imports core.

use std::collections::HashMap;

use uuid::Uuid;

use super::cells::{Cells, Nested};
use super::rows;
use crate::diff::row_reader;
use crate::error::Error;
use crate::fields::{Field, Fields};
use crate::phone::{self, E164};
use crate::resolve::{AgentFact, ConfigFact, Facts, Provenance, RowFact, SecretState, UserFact};
use crate::routing::CipherText;
use crate::snapshot::NumberRow;

/// What to look up.
#[derive(Debug, Clone)]
pub struct LookUp {
    pub number: E164,
    /// A tenant by alias, whose id is then among the aliases of the facts.
    pub tenant: Option<String>,
    /// The user whose tenant is wanted.
    pub initiated_by: Option<Uuid>,
    /// The agent whose tenant is wanted.
    pub agent: Option<i64>,
    /// A number is going to be called: its rules want the regions.
    pub called: bool,
    /// Whether the tenant of a number's agent is wanted, for a remark. Not in
    /// a transaction, which ends where the table of agents is of another shape.
    pub agents: bool,
}

impl LookUp {
    pub fn number(number: E164) -> LookUp {
        LookUp {
            number,
            tenant: None,
            initiated_by: None,
            agent: None,
            called: false,
            agents: true,
        }
    }
}

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
    /// The default agent of each row that has one, by the row's tenant.
    pub default_agents: HashMap<Uuid, AgentFact>,
    /// That the database is stamped with.
    pub environment: Option<String>,
    /// Whether the table of agents can be read.
    pub(super) agents_readable: bool,
    /// Why some of it could not be seen.
    pub(super) hidden: Option<Error>,
}

impl LookedUp {
    /// What is known without a database.
    pub fn of(facts: Facts) -> LookedUp {
        LookedUp {
            facts,
            ..LookedUp::default()
        }
    }

    /// Takes in a row: id, tenant_id, country_code, base_number, provider,
    /// status, rules, default_agent_id, the tenant of that agent, alias; then,
    /// each as a JSON array: since, path, line, revision, settings of our
    /// version; the columns of [`rows::live_config`]; since, path, line,
    /// revision, fields of our version of the config.
    pub(super) fn row(&mut self, row: &impl Cells, asked: &LookUp) -> Result<(), sqlx::Error> {
        let live = NumberRow {
            id: row.some_uuid(0)?,
            tenant: row.some_uuid(1)?,
            country_code: row.text(2)?,
            base_number: row.int(3)?,
            provider: row.text(4)?,
            status: row.text(5)?,
            rules: row.text(6)?.map(str::as_bytes),
        };
        let number = phone::from_row(live.country_code, live.base_number);
        if number.map(|number| number.key()) != Ok(asked.number.key()) {
            return Ok(());
        }
        if let Some(id) = row.int(7)? {
            let tenant = row.text(8)?.and_then(|text| Uuid::parse_str(text).ok());
            self.default_agents
                .insert(live.tenant, AgentFact { id, tenant });
        }
        if let Some(alias) = row.text(9)? {
            self.facts.aliases.insert(live.tenant, alias.to_owned());
        }
        let nested = |ix| Nested::read(row, ix);
        let (binding, config, version) = (nested(10)?, nested(11)?, nested(12)?);
        let fields = row_reader::read_row(&live).ok();
        let settings = binding.as_ref().map(|binding| binding.text(4));
        let settings = settings.transpose()?.flatten().map(rows::fields);
        let settings = settings.transpose()?;
        self.facts.rows.push(RowFact {
            id: Some(live.id),
            tenant: live.tenant,
            rollout: settings.and_then(|settings| rollout(&settings, fields.as_ref()?)),
            fields,
            place: place(binding.as_ref(), live.id)?,
        });
        match config {
            Some(config) => self.config(&config, version.as_ref()),
            None => Ok(()),
        }
    }

    fn config(&mut self, config: &Nested, version: Option<&Nested>) -> Result<(), sqlx::Error> {
        let live = rows::live_config(config, 0)?;
        let mut fields = live.fields;
        if let Some(version) = version {
            let owned = rows::fields(version.some_text(4)?)?;
            fields.take_ours(Some(&owned));
            let url = owned.text(Field::Url).map(str::to_owned);
            self.applied_urls.extend(url.map(|url| (live.id, url)));
        }
        self.secrets.insert(live.id, live.secret);
        self.facts.configs.insert(ConfigFact {
            id: Some(live.id),
            fields,
            place: place(version, live.id)?,
            secret: SecretState::NotChecked,
        });
        Ok(())
    }

    /// Takes in the tenant of the user asked for; no row is no such user.
    pub(super) fn user(&mut self, row: Option<&impl Cells>) -> Result<(), sqlx::Error> {
        self.facts.user = Some(match row.map(|row| row.uuid(0)).transpose()? {
            None => UserFact::Unknown,
            Some(None) => UserFact::NoTenant,
            Some(Some(tenant)) => UserFact::Tenant(tenant),
        });
        Ok(())
    }

    /// The agents whose tenants matter: those of the rows, and the one asked
    /// for.
    pub(super) fn wanted_agents(&self) -> impl Iterator<Item = i64> {
        let agents = self.default_agents.values().chain(&self.facts.agent);
        agents.map(|agent| agent.id)
    }

    /// Takes in the tenant of an agent.
    pub(super) fn agent(&mut self, id: i64, tenant: Option<&str>) -> Result<(), sqlx::Error> {
        let tenant = tenant.and_then(|text| Uuid::parse_str(text).ok());
        let agents = self.default_agents.values_mut();
        let agents = agents.chain(&mut self.facts.agent);
        for agent in agents.filter(|agent| agent.id == id) {
            agent.tenant = tenant;
        }
        Ok(())
    }
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
fn place(version: Option<&Nested>, id: Uuid) -> Result<Provenance, sqlx::Error> {
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
