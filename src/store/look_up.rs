//! Everything that one resolution needs to know, of one number. Imports core.

use std::collections::HashMap;

use uuid::Uuid;

use super::cells::Cells;
use super::rows;
use crate::fields::Field;
use crate::phone::{self, E164};
use crate::plan::live;
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
}

impl LookUp {
    pub fn number(number: E164) -> LookUp {
        LookUp {
            number,
            tenant: None,
            initiated_by: None,
            agent: None,
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
    /// The default agent of each row that has one, by the row's tenant.
    pub default_agents: HashMap<Uuid, AgentFact>,
}

/// Where the columns of a config begin in a row of the look-up, and those of
/// our version of it.
const CONFIG: usize = 14;
const VERSION: usize = 23;

impl LookedUp {
    /// Takes in a row: id, tenant_id, country_code, base_number, provider,
    /// status, rules, default_agent_id, alias; since, path, line, revision of
    /// our version, and the settings; the columns of [`rows::live_config`]; since, path, line,
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
            let agent = AgentFact { id, tenant: None };
            self.default_agents.insert(live.tenant, agent);
        }
        if let Some(alias) = row.text(8)? {
            self.facts.aliases.insert(live.tenant, alias.to_owned());
        }
        self.facts.rows.push(RowFact {
            id: Some(live.id),
            tenant: live.tenant,
            fields: live::read_row(&live).ok(),
            place: place(row, live.id, 9)?,
            rollout: rollout(row.text(13)?)?,
        });
        if row.uuid(CONFIG)?.is_some() {
            self.config(row)?;
        }
        Ok(())
    }

    fn config(&mut self, row: &impl Cells) -> Result<(), sqlx::Error> {
        let live = rows::live_config(row, CONFIG)?;
        let mut fields = live.fields;
        if let Some(owned) = row.text(VERSION + 4)? {
            let region = rows::fields(owned)?.get(Field::Region).cloned();
            fields.set(Field::Region, region);
        }
        self.secrets.insert(live.id, live.secret);
        self.facts.configs.insert(ConfigFact {
            id: Some(live.id),
            fields,
            place: place(row, live.id, VERSION)?,
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

    /// Takes in an agent: id, tenant_id.
    pub(super) fn agent(&mut self, row: &impl Cells) -> Result<(), sqlx::Error> {
        let (id, tenant) = (row.some_int(0)?, row.uuid(1)?);
        let asked = self.facts.agent.iter_mut();
        for agent in asked.chain(self.default_agents.values_mut()) {
            if agent.id == id {
                agent.tenant = tenant;
            }
        }
        Ok(())
    }
}

/// The wave among the settings of a binding.
fn rollout(settings: Option<&str>) -> Result<Option<String>, sqlx::Error> {
    let settings = settings.map(rows::fields).transpose()?;
    Ok(settings.and_then(|fields| fields.text(Field::Rollout).map(str::to_owned)))
}

/// since, path, line and revision from `first` on.
fn place(row: &impl Cells, id: Uuid, first: usize) -> Result<Provenance, sqlx::Error> {
    let line = row
        .int(first + 2)?
        .and_then(|line| u32::try_from(line).ok());
    Ok(Provenance {
        row: Some(id),
        line: row.text(first + 1)?.map(str::to_owned).zip(line),
        apply: row.int(first)?,
        revision: row.text(first + 3)?.map(str::to_owned),
    })
}
