//! The store on PostgreSQL. Imports sqlx and the store's own shapes.
//!
//! One connection, no session state: every table is named with its schema,
//! and nothing is set for longer than a transaction.

mod apply;
mod attempt;
mod columns;
mod connect;
pub(super) mod copy;
mod dispatches;
mod engine;
mod gate;
mod history;
mod index;
mod list;
mod lock;
mod look_up;
mod migrate;
mod number_checks;
mod numbers;
mod outcome;
mod read;
mod records;
mod sql;
mod trust;

pub(super) use read::{OWNED, number_row, owned_binding};

pub use copy::copied_rows;

use std::time::Duration;

use sqlx::PgConnection;
use sqlx::postgres::PgRow;

use connect::connect;

use super::error_map::{NAME_TAKEN, database_error};
use super::mode::Mode;
use super::schema::{DatabaseState, Layout, MigrationStep, SchemaState};
use super::server_url::ServerUrl;
use super::waits::Waits;
use crate::error::{Error, Result};
use crate::lookup::PgTables;

pub(super) struct PgStore {
    conn: PgConnection,
    server: ServerUrl,
    pub(super) label: String,
    /// As given, and in quotes.
    schema: String,
    quoted_schema: String,
    /// What the last snapshot read of lkroute's tenants, by their number.
    tenants: super::decode::ValuesById<Option<uuid::Uuid>>,
    pub(super) layout: Layout,
    pub(super) waits: Waits,
    tables: PgTables,
    /// Host, port and database of the server that answers, of several.
    place: String,
    /// Whether it is there to be written to.
    writes: bool,
    /// Whether the last error was a lock that others held for too long.
    waited: std::cell::Cell<bool>,
}

impl PgStore {
    /// Of several servers, that which can be written to, where the mode writes.
    pub(super) async fn open(
        server: &ServerUrl,
        schema: &str,
        mode: Mode,
        lock: Duration,
    ) -> Result<PgStore> {
        let writes = matches!(mode, Mode::Record | Mode::Write);
        let server = if writes {
            server.to_write()?
        } else {
            server.clone()
        };
        let (conn, place) = connect::connect_somewhere(&server).await?;
        Ok(PgStore {
            conn,
            place,
            writes,
            label: server.label.clone(),
            waits: Waits::of(mode, lock, server.socket_timeout),
            server,
            quoted_schema: sql::quoted(schema),
            schema: schema.to_owned(),
            tenants: super::decode::ValuesById::default(),
            layout: Layout::default(),
            tables: PgTables::assumed(schema),
            waited: std::cell::Cell::default(),
        })
    }

    fn database_error(&self, error: sqlx::Error) -> Error {
        let code = super::error_map::error_code(&error);
        self.waited.set(code.as_deref() == Some("55P03"));
        database_error(&self.label, &error)
    }

    /// Statements without values; the rows of each. No answer is waited for
    /// for ever.
    async fn sets(&mut self, sql: &str) -> Result<Vec<Vec<PgRow>>, sqlx::Error> {
        self.waits.answer(sql::sets(&mut self.conn, sql)).await
    }

    /// The same, with the limits of this command set for them: a transaction of
    /// their own, where none was begun.
    async fn ask(&mut self, sql: &str) -> Result<Vec<Vec<PgRow>>, sqlx::Error> {
        let sql = format!("{};\n{sql}", self.waits.settings());
        let mut found = self.sets(&sql).await?;
        // The row of the settings.
        drop(found.drain(..1.min(found.len())));
        Ok(found)
    }

    /// Statements without values and without rows.
    async fn run(&mut self, sql: &str) -> Result<(), sqlx::Error> {
        self.waits.answer(sql::run(&mut self.conn, sql)).await
    }

    pub(super) async fn enter(&mut self, anew: bool) -> Result<DatabaseState> {
        let found = self.inspect().await;
        let found = found.map_err(|error| self.database_error(error))?;
        self.layout = found.layout();
        if found.standby.is_some() && self.writes {
            return Err(self.refused_by_standby());
        }
        self.check_tables().await?;
        Ok(DatabaseState {
            standby: found.standby.map(|standby| standby.describe(&self.place)),
            state: self.schema_state(&found, anew),
            is_readable: found.is_readable(),
            environment: found.environment,
        })
    }

    fn refused_by_standby(&self) -> Error {
        Error::new(format!(
            "{} is a standby, which can't be written to",
            self.place
        ))
        .hint("name the primary, or all servers: postgres://HOST1,HOST2/DATABASE")
    }

    /// Carries the steps out; false where another migration was faster, so
    /// that one has to look again.
    pub(super) async fn carry_out(&mut self, steps: &[MigrationStep]) -> Result<bool> {
        match self.carry_out_steps(steps).await {
            Ok(()) => {
                let loaded = self.load_columns().await;
                loaded.map_err(|error| self.database_error(error))?;
                Ok(true)
            }
            Err(error @ sqlx::Error::Io(_)) => Err(self.database_error(error).hint(
                "`lkroute migrate --check` says whether it was carried out: all of it was, or nothing",
            )),
            Err(error) => match super::error_map::error_code(&error).as_deref() {
                Some("40001" | "40P01") => Ok(false),
                Some(code @ ("42P06" | "42P07" | "42701" | "42723" | "23505")) => {
                    let hint = if code == "23505" && steps.iter().any(MigrationStep::is_key) {
                        "rows there are double since the key is gone: one of each has to go; nothing \
                         was changed"
                    } else {
                        NAME_TAKEN
                    };
                    match self.enter(true).await?.state {
                        SchemaState::Behind(left) if left == steps => {
                            Err(self.database_error(error).hint(hint))
                        }
                        _ => Ok(false),
                    }
                }
                Some("42501") => Err(self.without_rights(error, &super::schema::script(steps))),
                Some("55P03") => Err(Error::new(format!(
                    "{}: a table is in use: waited 3 s for its lock",
                    self.label
                ))
                .hint("nothing was changed; try again when no long transaction is running")),
                _ => Err(self.database_error(error)),
            },
        }
    }

    fn without_rights(&self, error: sqlx::Error, script: &str) -> Error {
        let say = "lkroute may not do this itself; somebody who may can run:";
        Error::new(self.database_error(error).message)
            .lines(&format!("{say}\n\n{script}"))
            .hint("then run `lkroute migrate --check`")
    }
}
