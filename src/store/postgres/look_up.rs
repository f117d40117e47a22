//! Looking a number up in PostgreSQL, in one round trip and without a
//! transaction block, whatever stands in between.

use futures_util::TryStreamExt;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Either};

use super::PgStore;
use super::read::config_columns;
use super::sql::literal;
use crate::error::Result;
use crate::resolve::{AgentFact, Regions, UserFact};
use crate::store::cells::Cells;
use crate::store::look_up::{LookUp, LookedUp};
use crate::store::rows;
use crate::store::trouble::code;

/// What the statements of a look-up ask for, in their order. The last two ask
/// tables that may not be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Rows,
    Regions,
    Alias,
    User,
    Agents,
}

impl PgStore {
    pub async fn look_up(&mut self, asked: &LookUp) -> Result<LookedUp> {
        let mut found = LookedUp::default();
        found.facts.agent = asked.agent.map(|id| AgentFact { id, tenant: None });
        let mut parts = vec![Part::Rows, Part::Regions];
        parts.extend(asked.tenant.as_ref().map(|_| Part::Alias));
        parts.extend(asked.initiated_by.map(|_| Part::User));
        parts.push(Part::Agents);
        while !parts.is_empty() {
            let (failed, error) = match self.ask_all(&parts, asked, &mut found).await {
                Ok(()) => break,
                Err(failed) => failed,
            };
            match (parts[failed], code(&error).as_deref()) {
                (Part::User, Some("42P01")) => found.facts.user = Some(UserFact::NoTable),
                // No more than a remark depends on agents.
                (Part::Agents, Some("42P01" | "42703" | "42501")) => {}
                _ => return Err(self.trouble(error)),
            }
            parts.drain(..=failed);
        }
        Ok(found)
    }

    /// Asks for these parts; an error comes with the index of its part.
    async fn ask_all(
        &mut self,
        parts: &[Part],
        asked: &LookUp,
        found: &mut LookedUp,
    ) -> Result<(), (usize, sqlx::Error)> {
        let statements: Vec<String> = parts.iter().map(|part| self.ask(*part, asked)).collect();
        let sql = statements.join(";\n");
        let mut stream = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_many(&mut self.conn);
        let (mut ix, mut rows) = (0, Vec::new());
        while let Some(step) = stream.try_next().await.map_err(|error| (ix, error))? {
            match step {
                Either::Right(row) => rows.push(row),
                Either::Left(_) => {
                    let part = parts.get(ix).copied().unwrap_or(Part::Agents);
                    take(part, &rows, asked, found).map_err(|error| (ix, error))?;
                    rows.clear();
                    ix += 1;
                }
            }
        }
        Ok(())
    }

    fn ask(&self, part: Part, asked: &LookUp) -> String {
        let q = &self.q;
        let numbers = asked.number.key().base_numbers();
        let numbers: Vec<String> = numbers.map(|number| number.to_string()).collect();
        let numbers = format!("base_number = ANY('{{{}}}'::int8[])", numbers.join(","));
        let source = |version: &str| {
            format!(
                "{version}.since::int8,
                 (SELECT path FROM {q}.lkroute_files f WHERE f.id = {version}.file),
                 {version}.line::int8,
                 (SELECT revision FROM {q}.lkroute_applies a WHERE a.id = {version}.since)"
            )
        };
        match part {
            // A value that is no uuid must not fail the cast.
            Part::Rows => format!(
                "SELECT n.id, n.tenant_id, n.country_code::text, n.base_number::int8,
                   n.provider::text, n.status::text, n.rules::text, n.default_agent_id::int8,
                   (SELECT alias FROM {q}.lkroute_tenants t WHERE t.tenant_id = n.tenant_id),
                   {binding}, (SELECT fields FROM {q}.lkroute_settings s WHERE s.id = b.settings),
                   {config}, {version}, v.fields
                 FROM {q}.voice_agent_numbers n
                   LEFT JOIN {q}.lkroute_bindings b
                     ON b.number_id = n.id AND b.until IS NULL AND NOT b.retired
                   LEFT JOIN {q}.voice_agent_livekit c ON c.id =
                     CASE WHEN n.rules->>'livekit_config'
                         ~* '^[0-9a-f]{{8}}-?([0-9a-f]{{4}}-?){{3}}[0-9a-f]{{12}}$'
                       THEN (n.rules->>'livekit_config')::uuid END
                   LEFT JOIN {q}.lkroute_configs v ON v.id = c.id AND v.until IS NULL
                 WHERE n.{numbers}",
                binding = source("b"),
                config = config_columns(),
                version = source("v"),
            ),
            Part::Regions => format!(
                "SELECT name, since::int8, fields, file::int8, line::int8
                 FROM {q}.lkroute_regions WHERE until IS NULL"
            ),
            Part::Alias => format!(
                "SELECT tenant_id, alias FROM {q}.lkroute_tenants WHERE alias = {}",
                literal(asked.tenant.as_deref().unwrap_or_default())
            ),
            Part::User => format!(
                "SELECT tenant_id FROM {q}.users WHERE id = '{}'",
                asked.initiated_by.unwrap_or_default()
            ),
            Part::Agents => {
                let agent = asked.agent.map_or("NULL".to_owned(), |id| id.to_string());
                format!(
                    "SELECT id::int8, tenant_id FROM {q}.voice_agents WHERE id = {agent}
                       OR id IN (SELECT default_agent_id FROM {q}.voice_agent_numbers WHERE {numbers})"
                )
            }
        }
    }
}

fn take(
    part: Part,
    rows: &[PgRow],
    asked: &LookUp,
    found: &mut LookedUp,
) -> Result<(), sqlx::Error> {
    match part {
        Part::Rows => rows.iter().try_for_each(|row| found.row(row, asked)),
        Part::Regions => {
            let regions: Result<Vec<_>, _> = rows.iter().map(rows::owned_region).collect();
            found.facts.regions = Regions::of_owned(&regions?);
            Ok(())
        }
        Part::Alias => rows.iter().try_for_each(|row| {
            let alias = row.some_text(1)?.to_owned();
            found.facts.aliases.insert(row.some_uuid(0)?, alias);
            Ok(())
        }),
        Part::User => found.user(rows.first()),
        Part::Agents => rows.iter().try_for_each(|row| found.agent(row)),
    }
}
