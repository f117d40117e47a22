//! The store on SQLite. Imports sqlx and the store's own shapes.

mod apply;
mod attempt;
mod dispatches;
mod engine;
mod history;
mod list;
mod look_up;
mod migrate;
mod numbers;
mod read;
mod records;
mod sql;
mod trust;

pub(super) use read::{number_row, owned_binding};

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use super::decode::ValuesById;
use super::engine::StoreEngine;
use super::error_map::{NAME_TAKEN, NO_FILE, WAIT_LONGER, database_error, is_locked};
use super::mode::Mode;
use super::row_ext::RowExt;
use super::row_limits::RowLimits;
use super::schema::{DatabaseState, Layout, MigrationStep, SchemaState};
use crate::error::{Error, Result};
use crate::lookup::sqlite_uuid_digits;
use sql::run;

pub(super) struct SqliteStore {
    conn: SqliteConnection,
    pub(super) label: String,
    /// How long another process is waited for.
    lock: Duration,
    /// What the last snapshot read of lkroute's tenants, by their number.
    tenants: ValuesById<Option<uuid::Uuid>>,
    pub(super) layout: Layout,
    limits: RowLimits,
}

impl SqliteStore {
    pub(super) async fn open(
        path: &Path,
        label: String,
        mode: Mode,
        lock: Duration,
    ) -> Result<SqliteStore> {
        // A pipe would be waited for for ever.
        if path.exists() && !path.is_file() {
            return Err(Error::new(format!("{label} is no file")).hint(NO_FILE));
        }
        if mode == Mode::Write {
            make_private(path).map_err(|error| {
                Error::new(format!("{label}: the file can't be made: {}", error.kind()))
            })?;
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .read_only(matches!(mode, Mode::Look | Mode::Read))
            .create_if_missing(mode == Mode::Write)
            .busy_timeout(lock)
            .row_buffer_size(1024)
            .disable_statement_logging();
        let conn = match mode {
            Mode::Look | Mode::Read => connect_to_read(&options).await,
            Mode::Record | Mode::Write => SqliteConnection::connect_with(&options).await,
        };
        Ok(SqliteStore {
            conn: conn.map_err(|error| file_error(&label, lock, &error))?,
            label,
            lock,
            tenants: ValuesById::default(),
            layout: Layout::default(),
            limits: RowLimits::default(),
        })
    }

    fn database_error(&self, error: sqlx::Error) -> Error {
        file_error(&self.label, self.lock, &error)
    }

    pub(super) async fn enter(&mut self, anew: bool) -> Result<DatabaseState> {
        let found = migrate::inspect(&mut self.conn).await;
        let found = found.map_err(|error| self.database_error(error))?;
        self.layout = found.layout();
        self.limits = RowLimits::new(&self.label, found.limits.iter().cloned());
        if let Some(problem) = found.lacks() {
            return Err(Error::new(format!("{}: {problem}", self.label))
                .hint("lkroute reads and writes the columns that docs/databases.md lists"));
        }
        if found.is_readable() {
            self.check_config_ids().await?;
        }
        Ok(DatabaseState {
            state: migrate::MIGRATIONS.state(&found, "", anew),
            is_readable: found.is_readable(),
            environment: found.environment,
            standby: None,
        })
    }

    /// Numbers name their config by its id, and so do lkroute's tables: in one
    /// spelling.
    async fn check_config_ids(&mut self) -> Result<()> {
        let digits = |count| "[0-9a-f]".repeat(count);
        let parts = [8, 4, 4, 4, 12].map(digits).join("-");
        let sql = format!(
            "SELECT id FROM (SELECT id, {digits} AS digits FROM voice_agent_livekit)
             WHERE length(digits) = 32 AND digits NOT GLOB '*[^0-9a-f]*'
               AND id NOT GLOB '{parts}' LIMIT 1",
            digits = sqlite_uuid_digits("id")
        );
        let found = self.sets(&sql).await;
        let found = found.map_err(|error| self.database_error(error))?;
        let Some(row) = found.iter().flatten().next() else {
            return Ok(());
        };
        let id = row.text(0).ok().flatten().unwrap_or("?");
        Err(Error::new(format!(
            "{}: voice_agent_livekit.id is {id:?}, a uuid in another spelling than its numbers are looked up by",
            self.label
        ))
        .hint("write that id in lower case, with hyphens"))
    }

    /// Carries the steps out; false where another migration was faster.
    pub(super) async fn carry_out(&mut self, steps: &[MigrationStep]) -> Result<bool> {
        match migrate::carry_out(&mut self.conn, steps).await {
            Ok(()) => Ok(true),
            // "table … already exists" has no code of its own.
            Err(error) if super::error_map::error_code(&error).as_deref() == Some("1") => {
                match self.enter(true).await?.state {
                    SchemaState::Behind(left) if left == steps => {
                        Err(self.database_error(error).hint(NAME_TAKEN))
                    }
                    _ => Ok(false),
                }
            }
            Err(error) => Err(self.database_error(error)),
        }
    }

    pub(super) async fn index_missing(&mut self) -> Result<bool> {
        let there = migrate::index_there(&mut self.conn).await;
        Ok(!there.map_err(|error| self.database_error(error))?)
    }

    pub(super) async fn index_sql(&mut self) -> Result<Vec<String>> {
        Ok(vec![migrate::INDEX.trim_end().to_owned()])
    }

    pub(super) async fn create_index(&mut self) -> Result<bool> {
        if !self.index_missing().await? {
            return Ok(false);
        }
        let built = run(&mut self.conn, migrate::INDEX).await;
        built.map_err(|error| self.database_error(error))?;
        Ok(true)
    }
}

/// What went wrong with a file, and how long it was waited for.
fn file_error(label: &str, lock: Duration, error: &sqlx::Error) -> Error {
    let told = database_error(label, error);
    if is_locked(error) {
        let waited = format!("{}: waited {} s", told.message, lock.as_secs_f64());
        return Error::new(waited).hint(WAIT_LONGER);
    }
    told
}

/// Connects for reading. Where a program was killed while it wrote, what it
/// left in the file has to be rolled back first, which only a connection that
/// may write does.
async fn connect_to_read(options: &SqliteConnectOptions) -> Result<SqliteConnection, sqlx::Error> {
    let mut conn = SqliteConnection::connect_with(options).await?;
    let look = "SELECT 1 FROM sqlite_master";
    match run(&mut conn, look).await {
        Err(error) if super::error_map::needs_recovery(&error) => {
            let writing = options.clone().read_only(false);
            let mut recovering = SqliteConnection::connect_with(&writing).await?;
            run(&mut recovering, look).await?;
            recovering.close().await?;
            SqliteConnection::connect_with(options).await
        }
        // Whoever reads would wait once more.
        Err(error) if is_locked(&error) => Err(error),
        // Anything else is told by whoever reads.
        _ => Ok(conn),
    }
}

/// Makes the file where there is none, also behind a link, for its owner alone:
/// whoever reads it reads all that is in the database. SQLite takes an empty file
/// for an empty database, and gives the files beside it the same rights.
fn make_private(path: &Path) -> std::io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}
