//! Looking a number up in SQLite.

use sqlx::sqlite::SqliteRow;

use super::SqliteStore;
use super::apply::{json, statement};
use super::read::{config_columns, config_id};
use crate::error::Result;
use crate::resolve::{AgentFact, Regions, UserFact};
use crate::store::cells::Cells;
use crate::store::look_up::{LookUp, LookedUp};
use crate::store::rows;

/// since, path, line and revision of a row called `v` of our tables.
const SOURCE: &str = "v.since, (SELECT path FROM lkroute_files f WHERE f.id = v.file), v.line,
    (SELECT revision FROM lkroute_applies a WHERE a.id = v.since)";

impl SqliteStore {
    pub async fn look_up(&mut self, asked: &LookUp) -> Result<LookedUp> {
        let found = self.look(asked).await;
        found.map_err(|error| self.trouble(error))
    }

    async fn look(&mut self, asked: &LookUp) -> Result<LookedUp, sqlx::Error> {
        let mut found = LookedUp::default();
        found.facts.agent = asked.agent.map(|id| AgentFact { id, tenant: None });
        // No more than a remark depends on agents.
        let agents = asked.agents && self.has("voice_agents").await?;
        let agent = match agents {
            true => "(SELECT a.tenant_id FROM voice_agents a WHERE a.id = n.default_agent_id)",
            false => "NULL",
        };
        let config = config_id("n.rules");
        self.layout.own = self.has("lkroute_state").await?;
        if self.layout.own {
            let state = self.all("SELECT environment FROM lkroute_state").await?;
            let stamp = state.first().map(|row| row.text(0)).transpose()?;
            found.environment = stamp.flatten().map(str::to_owned);
        }
        let columns = config_columns(self.layout);
        let (alias, binding, version) = match self.layout.own {
            false => ("NULL".to_owned(), "NULL".to_owned(), "NULL".to_owned()),
            true => (
                "(SELECT alias FROM lkroute_tenants t WHERE t.tenant_id = n.tenant_id)".to_owned(),
                format!(
                    "(SELECT json_array({SOURCE},
                         (SELECT fields FROM lkroute_settings s WHERE s.id = v.settings))
                       FROM lkroute_bindings v
                       WHERE v.number_id = n.id AND v.until IS NULL AND NOT v.retired)"
                ),
                format!(
                    "(SELECT json_array({SOURCE}, v.fields) FROM lkroute_configs v
                       WHERE v.id = {config} AND v.until IS NULL)"
                ),
            ),
        };
        let sql = format!(
            "SELECT n.id, n.tenant_id, n.country_code, n.base_number, n.provider, n.status,
               n.rules, n.default_agent_id, {agent},
               {alias}, {binding},
               (SELECT json_array({columns}) FROM voice_agent_livekit c
                  WHERE c.id = {config}), {version}
             FROM voice_agent_numbers n
             WHERE n.base_number IN (SELECT value FROM json_each(?))"
        );
        let numbers: Vec<i64> = asked.number.key().base_numbers().collect();
        let numbers = statement(sql).bind(json(&numbers)?);
        for row in numbers.fetch_all(&mut self.conn).await? {
            found.row(&row, asked)?;
        }
        if asked.called && self.layout.own {
            let regions = "SELECT name, since, fields, file, line FROM lkroute_regions
                           WHERE until IS NULL";
            let regions = statement(regions).fetch_all(&mut self.conn).await?;
            let regions: Result<Vec<_>, _> = regions.iter().map(rows::owned_region).collect();
            found.facts.regions = Regions::of_owned(&regions?);
        }
        if let Some(alias) = asked.tenant.as_ref().filter(|_| self.layout.own) {
            let sql = "SELECT tenant_id, alias FROM lkroute_tenants WHERE alias = ?";
            let named = statement(sql).bind(alias.clone());
            for row in named.fetch_all(&mut self.conn).await? {
                let alias = row.some_text(1)?.to_owned();
                found.facts.aliases.insert(row.some_uuid(0)?, alias);
            }
        }
        self.people(asked, agents, &mut found).await?;
        Ok(found)
    }

    async fn people(
        &mut self,
        asked: &LookUp,
        agents: bool,
        found: &mut LookedUp,
    ) -> Result<(), sqlx::Error> {
        if let Some(user) = asked.initiated_by {
            if self.has("users").await? {
                let sql = "SELECT tenant_id FROM users WHERE id = ?";
                let tenant = statement(sql).bind(user.to_string());
                let row: Option<SqliteRow> = tenant.fetch_optional(&mut self.conn).await?;
                found.user(row.as_ref())?;
            } else {
                found.facts.user = Some(UserFact::NoTable);
            }
        }
        if let Some(agent) = asked.agent.filter(|_| agents) {
            let tenant = statement("SELECT tenant_id FROM voice_agents WHERE id = ?").bind(agent);
            if let Some(row) = tenant.fetch_optional(&mut self.conn).await? {
                found.agent(agent, row.text(0)?)?;
            }
        }
        Ok(())
    }

    pub(super) async fn has(&mut self, table: &'static str) -> Result<bool, sqlx::Error> {
        let sql = "SELECT 1 FROM sqlite_master WHERE name = ?";
        let row = statement(sql).bind(table).fetch_optional(&mut self.conn);
        Ok(row.await?.is_some())
    }
}
