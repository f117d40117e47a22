//! Looking a number up in SQLite.

use sqlx::sqlite::SqliteRow;

use super::SqliteStore;
use super::apply::{json, statement};
use super::read::CONFIG_COLUMNS;
use crate::error::Result;
use crate::resolve::{AgentFact, Regions, UserFact};
use crate::store::cells::Cells;
use crate::store::look_up::{LookUp, LookedUp};
use crate::store::rows;

impl SqliteStore {
    pub async fn look_up(&mut self, asked: &LookUp) -> Result<LookedUp> {
        let found = self.look(asked).await;
        found.map_err(|error| self.trouble(error))
    }

    async fn look(&mut self, asked: &LookUp) -> Result<LookedUp, sqlx::Error> {
        let mut found = LookedUp::default();
        found.facts.agent = asked.agent.map(|id| AgentFact { id, tenant: None });
        let source = |version: &str| {
            format!(
                "{version}.since, (SELECT path FROM lkroute_files f WHERE f.id = {version}.file),
                 {version}.line,
                 (SELECT revision FROM lkroute_applies a WHERE a.id = {version}.since)"
            )
        };
        let sql = format!(
            "SELECT n.id, n.tenant_id, n.country_code, n.base_number, n.provider, n.status,
               n.rules, n.default_agent_id,
               (SELECT alias FROM lkroute_tenants t WHERE t.tenant_id = n.tenant_id),
               {binding}, (SELECT fields FROM lkroute_settings s WHERE s.id = b.settings),
               {CONFIG_COLUMNS}, {version}, v.fields
             FROM voice_agent_numbers n
               LEFT JOIN lkroute_bindings b
                 ON b.number_id = n.id AND b.until IS NULL AND NOT b.retired
               LEFT JOIN voice_agent_livekit c ON c.id = lower(
                 CASE WHEN json_valid(n.rules) THEN n.rules ->> '$.livekit_config' END)
               LEFT JOIN lkroute_configs v ON v.id = c.id AND v.until IS NULL
             WHERE n.base_number IN (SELECT value FROM json_each(?))",
            binding = source("b"),
            version = source("v"),
        );
        let numbers: Vec<i64> = asked.number.key().base_numbers().collect();
        let numbers = statement(sql).bind(json(&numbers)?);
        for row in numbers.fetch_all(&mut self.conn).await? {
            found.row(&row, asked)?;
        }
        let regions = "SELECT name, since, fields, file, line FROM lkroute_regions
                       WHERE until IS NULL";
        let regions = statement(regions).fetch_all(&mut self.conn).await?;
        let regions: Result<Vec<_>, _> = regions.iter().map(rows::owned_region).collect();
        found.facts.regions = Regions::of_owned(&regions?);
        if let Some(alias) = &asked.tenant {
            let sql = "SELECT tenant_id, alias FROM lkroute_tenants WHERE alias = ?";
            let named = statement(sql).bind(alias.clone());
            for row in named.fetch_all(&mut self.conn).await? {
                let alias = row.some_text(1)?.to_owned();
                found.facts.aliases.insert(row.some_uuid(0)?, alias);
            }
        }
        self.people(asked, &mut found).await?;
        Ok(found)
    }

    async fn people(&mut self, asked: &LookUp, found: &mut LookedUp) -> Result<(), sqlx::Error> {
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
        let mut agents: Vec<i64> = found
            .default_agents
            .values()
            .map(|agent| agent.id)
            .collect();
        agents.extend(asked.agent);
        if !agents.is_empty() && self.has("voice_agents").await? {
            let sql = "SELECT id, tenant_id FROM voice_agents
                       WHERE id IN (SELECT value FROM json_each(?))";
            let agents = statement(sql).bind(json(&agents)?);
            for row in agents.fetch_all(&mut self.conn).await? {
                found.agent(&row)?;
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
