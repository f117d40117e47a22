//! Looking a number up in PostgreSQL, in one round trip and without a
//! transaction block, whatever stands in between.

use futures_util::TryStreamExt;
use sqlx::Either;
use sqlx::postgres::PgRow;

use super::PgStore;
use super::read::config_columns;
use super::sql::{literal, many};
use crate::error::Result;
use crate::resolve::{AgentFact, Regions, UserFact};
use crate::store::cells::Cells;
use crate::store::look_up::{LookUp, LookedUp};
use crate::store::rows;
use crate::store::trouble::code;

/// What the statements of a look-up ask for, in their order. The last asks a
/// table that may not be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// With the tenants of the default agents, or without.
    Rows(bool),
    Regions,
    Alias,
    Agent,
    User,
}

impl PgStore {
    pub async fn look_up(&mut self, asked: &LookUp) -> Result<LookedUp> {
        let mut found = LookedUp::default();
        found.facts.agent = asked.agent.map(|id| AgentFact { id, tenant: None });
        let mut parts = vec![Part::Rows(asked.agents)];
        parts.extend(asked.called.then_some(Part::Regions));
        parts.extend(asked.tenant.as_ref().map(|_| Part::Alias));
        parts.extend(asked.agent.map(|_| Part::Agent));
        parts.extend(asked.initiated_by.map(|_| Part::User));
        while !parts.is_empty() {
            let (failed, error) = match self.ask_all(&parts, asked, &mut found).await {
                Ok(()) => break,
                Err(failed) => failed,
            };
            // An error may come behind the last of them: the link was cut.
            let again = match (parts.get(failed), code(&error).as_deref()) {
                (Some(Part::User), Some("42P01")) => {
                    found.facts.user = Some(UserFact::NoTable);
                    None
                }
                // No more than a remark depends on agents: a table of another
                // shape, or a server without these functions, is no error.
                (Some(Part::Rows(true)), Some(code)) if unknown(code) => Some(Part::Rows(false)),
                (Some(Part::Agent), Some(code)) if unknown(code) => None,
                _ => return Err(self.trouble(error)),
            };
            parts.splice(..=failed, again);
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
        let mut stream = many(&mut self.conn, &sql);
        let (mut ix, mut rows) = (0, Vec::new());
        while let Some(step) = stream.try_next().await.map_err(|error| (ix, error))? {
            match step {
                Either::Right(row) => rows.push(row),
                Either::Left(_) => {
                    if let Some(part) = parts.get(ix) {
                        take(*part, &rows, asked, found).map_err(|error| (ix, error))?;
                    }
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
        let numbers = numbers.join(",");
        match part {
            Part::Rows(agents) => {
                let agent = match agents {
                    true => self.tenant_of_agent("n.default_agent_id"),
                    false => "NULL".to_owned(),
                };
                let config = config_id();
                format!(
                    "SELECT n.id, n.tenant_id, n.country_code::text, n.base_number::int8,
                       n.provider::text, n.status::text, n.rules::text, n.default_agent_id::int8,
                       {agent},
                       (SELECT alias FROM {q}.lkroute_tenants t WHERE t.tenant_id = n.tenant_id),
                       (SELECT json_build_array({source},
                           (SELECT fields FROM {q}.lkroute_settings s WHERE s.id = v.settings))::text
                          FROM {q}.lkroute_bindings v
                          WHERE v.number_id = n.id AND v.until IS NULL AND NOT v.retired),
                       (SELECT json_build_array({columns})::text
                          FROM {q}.voice_agent_livekit c WHERE c.id = {config}),
                       (SELECT json_build_array({source}, v.fields)::text
                          FROM {q}.lkroute_configs v WHERE v.id = {config} AND v.until IS NULL)
                     FROM {q}.voice_agent_numbers n WHERE n.base_number IN ({numbers})",
                    source = self.source(),
                    columns = config_columns(),
                )
            }
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
            Part::Agent => {
                let agent = asked.agent.unwrap_or_default().to_string();
                format!("SELECT {}", self.tenant_of_agent(&agent))
            }
        }
    }

    /// since, path, line and revision of a row called `v` of our tables.
    fn source(&self) -> String {
        let q = &self.q;
        format!(
            "v.since, (SELECT path FROM {q}.lkroute_files f WHERE f.id = v.file), v.line,
             (SELECT revision FROM {q}.lkroute_applies a WHERE a.id = v.since)"
        )
    }

    /// The tenant of an agent, as text. A statement that named a table that is
    /// not there would fail, and be an error in the server's log each time; the
    /// text inside is a statement only where the table can be read.
    fn tenant_of_agent(&self, id: &str) -> String {
        let table = format!("{}.voice_agents", self.q);
        let ask = literal(&format!("SELECT tenant_id FROM {table} WHERE id = "));
        let table = literal(&table);
        format!(
            "CASE WHEN {id} IS NOT NULL AND has_table_privilege(to_regclass({table}), 'SELECT')
               THEN substring(query_to_xml({ask} || ({id})::int8, false, true, '')::text,
                 '<tenant_id>(.*)</tenant_id>') END"
        )
    }
}

/// The id of the config that a row `n` names. A value that is no uuid must not
/// fail the cast.
fn config_id() -> &'static str {
    "CASE WHEN n.rules->>'livekit_config' ~* '^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$'
       THEN (n.rules->>'livekit_config')::uuid END"
}

/// The classes of what is unknown or forbidden, and of what is not supported.
fn unknown(code: &str) -> bool {
    code.starts_with("42") || code.starts_with("0A")
}

fn take(
    part: Part,
    rows: &[PgRow],
    asked: &LookUp,
    found: &mut LookedUp,
) -> Result<(), sqlx::Error> {
    match part {
        Part::Rows(_) => rows.iter().try_for_each(|row| found.row(row, asked)),
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
        Part::Agent => rows.iter().try_for_each(|row| found.agent(row)),
    }
}
