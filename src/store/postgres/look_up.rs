//! Looking a number up in PostgreSQL, in one round trip and without a
//! transaction block, whatever stands in between.

use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::Either;
use sqlx::postgres::PgRow;

use tokio::time::timeout;

use super::PgStore;
use super::gate::{hidden, hidden_sql};
use super::read::config_columns;
use super::sql::{config_id, literal, many};
use crate::error::{Error, Result};
use crate::resolve::{AgentFact, Regions, UserFact};
use crate::store::cells::Cells;
use crate::store::look_up::{LookUp, LookedUp};
use crate::store::rows;
use crate::store::trouble::code;

/// How long the whole answer may take: longer than the server gives itself,
/// which says more.
const NO_ANSWER: Duration = Duration::from_secs(45);

/// What the statements of a look-up ask for, in their order. The last asks a
/// table that may not be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Whose the database is.
    Stamp,
    Rows,
    /// Whether all of it could be seen, and whether agents can. Right behind
    /// the rows, whose locks keep it true.
    Checks,
    Regions,
    Alias,
    User,
    /// The tenants of the agents that matter, once these are known.
    Agents,
}

impl PgStore {
    pub async fn look_up(&mut self, asked: &LookUp) -> Result<LookedUp> {
        match timeout(NO_ANSWER, self.look(asked)).await {
            Ok(found) => found,
            Err(_) => Err(Error::new(format!(
                "{}: no answer within {} s",
                self.label,
                NO_ANSWER.as_secs()
            ))
            .hint("the connection may be cut; check the network, and try again")),
        }
    }

    async fn look(&mut self, asked: &LookUp) -> Result<LookedUp> {
        let mut found = LookedUp::default();
        found.facts.agent = asked.agent.map(|id| AgentFact { id, tenant: None });
        let mut parts = self.parts(asked);
        while !parts.is_empty() {
            let (failed, error) = match self.ask_all(&parts, asked, &mut found).await {
                Ok(()) => break,
                Err(failed) => failed,
            };
            // An error may come behind the last of them: the link was cut.
            match (parts.get(failed), code(&error).as_deref()) {
                (Some(Part::User), Some("42P01")) => {
                    found.facts.user = Some(UserFact::NoTable);
                    parts.drain(..=failed);
                }
                // A database to which nothing was ever applied.
                (Some(Part::Stamp), Some("42P01")) if self.layout.own => {
                    self.layout.own = false;
                    parts = self.parts(asked);
                }
                // A column is missing, or of another type.
                (Some(Part::Rows), Some(code)) if unknown(code) && !self.columns.are_loaded() => {
                    let loaded = self.load_columns().await;
                    loaded.map_err(|error| self.trouble(error))?;
                    parts.drain(..failed);
                }
                // No more than a remark depends on agents: a table of another
                // shape is no error.
                (Some(Part::Agents), Some(code)) if unknown(code) => {
                    parts.drain(..=failed);
                }
                _ => return Err(self.trouble(error)),
            }
        }
        if asked.agents && found.agents_readable && found.wanted_agents().next().is_some() {
            match self.ask_all(&[Part::Agents], asked, &mut found).await {
                Ok(()) => {}
                Err((_, error)) if code(&error).is_some_and(|code| unknown(&code)) => {}
                Err((_, error)) => return Err(self.trouble(error)),
            }
        }
        match found.hidden.take() {
            Some(error) => Err(error),
            None => Ok(found),
        }
    }

    fn parts(&self, asked: &LookUp) -> Vec<Part> {
        let own = self.layout.own;
        let mut parts = Vec::new();
        parts.extend(own.then_some(Part::Stamp));
        parts.extend([Part::Rows, Part::Checks]);
        parts.extend((own && asked.called).then_some(Part::Regions));
        parts.extend((own && asked.tenant.is_some()).then_some(Part::Alias));
        parts.extend(asked.initiated_by.map(|_| Part::User));
        parts
    }

    /// Asks for these parts; an error comes with the index of its part.
    async fn ask_all(
        &mut self,
        parts: &[Part],
        asked: &LookUp,
        found: &mut LookedUp,
    ) -> Result<(), (usize, sqlx::Error)> {
        let mut statements = vec![self.waits.settings()];
        statements.extend(parts.iter().map(|part| self.ask(*part, asked, found)));
        let sql = statements.join(";\n");
        let mut stream = many(&mut self.conn, &sql);
        let (mut ended, mut rows) = (0usize, Vec::new());
        loop {
            // The first statement is none of the parts.
            let ix = ended.saturating_sub(1);
            match stream.try_next().await.map_err(|error| (ix, error))? {
                None => break,
                Some(Either::Right(row)) => rows.push(row),
                Some(Either::Left(_)) => {
                    let part = parts.get(ix).filter(|_| ended > 0);
                    match part {
                        None => {}
                        Some(Part::Checks) => {
                            found.agents_readable =
                                rows.iter().any(|row| row.flag(2).unwrap_or_default());
                            let named = |row: &&PgRow| matches!(row.text(0), Ok(Some(_)));
                            let named = rows.iter().filter(named);
                            found.hidden = hidden(&self.label, &self.schema, named).err();
                        }
                        Some(part) => {
                            take(*part, &rows, asked, found).map_err(|error| (ix, error))?;
                        }
                    }
                    rows.clear();
                    ended += 1;
                }
            }
        }
        Ok(())
    }

    fn ask(&self, part: Part, asked: &LookUp, found: &LookedUp) -> String {
        let q = &self.q;
        match part {
            Part::Stamp => format!("SELECT environment FROM {q}.lkroute_state"),
            Part::Rows => self.rows_sql(asked),
            Part::Checks => {
                let agents = literal(&format!("{q}.voice_agents"));
                format!(
                    "SELECT h.relname, h.current_user,
                       has_table_privilege(to_regclass({agents}), 'SELECT')
                     FROM (SELECT 1) one LEFT JOIN ({}) h ON true",
                    hidden_sql(&self.schema)
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
                "SELECT tenant_id::text::uuid FROM {q}.users WHERE id = '{}'",
                asked.initiated_by.unwrap_or_default()
            ),
            Part::Agents => {
                let ids: Vec<String> = found.wanted_agents().map(|id| id.to_string()).collect();
                format!(
                    "SELECT id::int8, tenant_id::text FROM {q}.voice_agents WHERE id IN ({})",
                    ids.join(", ")
                )
            }
        }
    }

    /// The columns that [`LookedUp::row`] reads.
    fn rows_sql(&self, asked: &LookUp) -> String {
        let q = &self.q;
        let numbers = asked.number.key().base_numbers();
        let numbers: Vec<String> = numbers.map(|number| number.to_string()).collect();
        let config = config_id("n.rules");
        let columns = config_columns(&self.columns, self.layout);
        let (id, tenant) = (self.columns.number_id("n"), self.columns.tenant_id("n"));
        let (alias, binding, version) = match self.layout.own {
            false => (
                "NULL::text".to_owned(),
                "NULL".to_owned(),
                "NULL".to_owned(),
            ),
            true => {
                let source = self.source();
                (
                    format!(
                        "(SELECT alias FROM {q}.lkroute_tenants t WHERE t.tenant_id = {tenant})"
                    ),
                    format!(
                        "(SELECT json_build_array({source},
                             (SELECT fields FROM {q}.lkroute_settings s WHERE s.id = v.settings))
                           FROM {q}.lkroute_bindings v
                           WHERE v.number_id = {id} AND v.until IS NULL AND NOT v.retired)"
                    ),
                    format!(
                        "(SELECT json_build_array({source}, v.fields) FROM {q}.lkroute_configs v
                           WHERE v.id = {config} AND v.until IS NULL)"
                    ),
                )
            }
        };
        format!(
            "SELECT {id}, {tenant}, n.country_code::text, {base},
               n.provider::text, n.status::text, n.rules::text, {agent}, NULL::text, {alias}, {binding}::text,
               (SELECT json_build_array({columns})::text
                  FROM {q}.voice_agent_livekit c WHERE {row} = {config}), {version}::text
             FROM {q}.voice_agent_numbers n WHERE {compared} IN ({numbers})",
            base = self.columns.base_number("n"),
            agent = self.columns.agent_id("n"),
            row = self.columns.config_row_id("c"),
            compared = self.columns.base_number_compared("n"),
            numbers = numbers.join(",")
        )
    }

    /// since, path, line and revision of a row called `v` of our tables.
    fn source(&self) -> String {
        let q = &self.q;
        format!(
            "v.since, (SELECT path FROM {q}.lkroute_files f WHERE f.id = v.file), v.line,
             (SELECT revision FROM {q}.lkroute_applies a WHERE a.id = v.since)"
        )
    }
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
        Part::Stamp => {
            let stamp = rows.first().map(|row| row.text(0)).transpose()?;
            found.environment = stamp.flatten().map(str::to_owned);
            Ok(())
        }
        Part::Rows => rows.iter().try_for_each(|row| found.row(row, asked)),
        Part::Checks => Ok(()),
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
        Part::Agents => rows
            .iter()
            .try_for_each(|row| found.agent(row.some_int(0)?, row.text(1)?)),
    }
}
