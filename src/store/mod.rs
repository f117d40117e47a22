//! The database: migrations, reading, applying a plan, looking numbers up.
//! Imports core, sqlx and tokio's clock.
//!
//! A [`Store`] is one connection to one of two engines, which do the same.
//! To plan: [`Store::begin_read`], [`Store::snapshot`], make a [`Differ`] of
//! it, [`Store::run_diff`], [`Store::end_read`], [`Differ::finish`].

/// Calls the same method of whichever engine it is.
macro_rules! on {
    (ref $store:expr, $engine:ident => $call:expr) => {
        match &$store.0 {
            Engine::Postgres($engine) => $call,
            Engine::Sqlite($engine) => $call,
        }
    };
    ($store:expr, $engine:ident => $call:expr) => {
        match &mut $store.0 {
            Engine::Postgres($engine) => $call,
            Engine::Sqlite($engine) => $call,
        }
    };
}

mod attempt;
mod attempt_error;
mod batch_decoder;
mod certificates;
mod checks;
mod config_writes;
mod decode;
mod dispatches;
mod engine;
mod error_map;
mod history;
mod ids;
mod list;
mod migration_text;
mod mode;
mod number_checks;
mod postgres;
mod row_batch;
mod row_ext;
mod row_limits;
mod row_patch;
mod schema;
mod server_url;
mod session;
mod side_effects;
mod sqlite;
mod trust;
mod try_read;
mod url;
mod url_parts;
mod version_rows;
mod version_writes;
mod waits;
mod write_request;
mod write_set;

pub use crate::lookup::{LookUp, LookedUp, OwnedCredentials, TrustRows};
pub use batch_decoder::BatchDecoder;
pub use decode::AgentMismatchRow;
pub use dispatches::{CallFilter, FoundCalls};
pub use error_map::INTERRUPTED;
pub use history::{EachVersion, VersionFilter};
pub use ids::RowIds;
pub use list::{ListedRow, RowFilter};
pub use mode::Mode;
#[doc(hidden)]
pub use postgres::copied_rows;
pub use row_batch::RowBatch;
pub use row_limits::RowLimits;
pub use schema::{DatabaseState, MigrationStep, SchemaState, script};
pub use url::DatabaseUrl;
pub use write_request::{
    Applied, ApplyError, LOCK_TIMEOUT, PreparedSecret, Restamp, WriteRequest, check_stamp,
};

use std::fmt;
use std::time::Duration;

use crate::diff::differ::Differ;
use crate::diff::plan::Plan;
use crate::error::{Error, Result};
use crate::fields::FieldsPool;
use crate::snapshot::{NumberRow, OwnedBinding, Snapshot};
use engine::StoreEngine;
use postgres::PgStore;
use sqlite::SqliteStore;

/// An open database.
pub struct Store(Engine);

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({})", self.label())
    }
}

enum Engine {
    Postgres(Box<PgStore>),
    Sqlite(Box<SqliteStore>),
}

impl Store {
    /// Connects. `schema` is that of the application's tables on PostgreSQL;
    /// if not given, that of the URL, else `public`.
    ///
    /// # Errors
    /// No connection within 15 seconds (5 for each of several hosts), a SQLite file that is missing (to be
    /// read) or can't be made, a schema for SQLite, which has none.
    pub async fn open(url: &DatabaseUrl, schema: Option<&str>, mode: Mode) -> Result<Store> {
        Store::open_to_wait(url, schema, mode, None).await
    }

    /// The same, where reads wait for a lock for another time than 5 seconds.
    ///
    /// # Errors
    /// Those of [`Store::open`].
    pub async fn open_to_wait(
        url: &DatabaseUrl,
        schema: Option<&str>,
        mode: Mode,
        lock: Option<Duration>,
    ) -> Result<Store> {
        let lock = lock.unwrap_or(waits::LOCK);
        let label = url.label();
        match &url.0 {
            url::EngineKind::Postgres(server) => {
                let schema = schema.or(url.schema()).unwrap_or("public");
                if schema.is_empty() || schema.contains('\0') {
                    return Err(Error::new("the schema's name is empty"));
                }
                let store = PgStore::open(server, schema, mode, lock).await?;
                Ok(Store(Engine::Postgres(Box::new(store))))
            }
            url::EngineKind::Sqlite(path) => {
                if let Some(schema) = schema {
                    return Err(Error::new(format!(
                        "{label} is a SQLite database, which has no schema `{schema}`"
                    )));
                }
                if !url.exists()? && mode != Mode::Write {
                    return Err(Error::new(format!("{label} is missing"))
                        .hint("`lkroute apply` creates it; or name another with --database"));
                }
                let store = SqliteStore::open(path, label, mode, lock).await?;
                Ok(Store(Engine::Sqlite(Box::new(store))))
            }
        }
    }

    /// [`DatabaseUrl::label`] of what is open.
    pub fn label(&self) -> &str {
        on!(ref self, engine => &engine.label)
    }

    /// What the database says of itself: how far it is, whose it is. Comes
    /// before all else; read-only rights do.
    ///
    /// # Errors
    /// The role may not see every row (row-level security).
    pub async fn enter(&mut self) -> Result<DatabaseState> {
        let entered = on!(self, engine => engine.enter(false).await);
        self.told(entered).await
    }

    /// What the application's tables can hold, as they were looked at by
    /// [`Store::enter`].
    pub fn row_limits(&self) -> RowLimits {
        on!(ref self, engine => engine.row_limits())
    }

    /// How far the database is.
    pub async fn schema_state(&mut self) -> Result<SchemaState> {
        Ok(self.enter().await?.state)
    }

    /// Whether `migrate` was here; else nothing was ever applied.
    fn has_own_tables(&self) -> bool {
        on!(ref self, engine => engine.layout.own)
    }

    /// Says for whom a read waited in vain.
    async fn told<T>(&mut self, result: Result<T>) -> Result<T> {
        match result {
            Err(error) => Err(on!(self, engine => engine.explain(error).await)),
            done => done,
        }
    }

    /// Creates or upgrades what is missing, in one transaction, and returns
    /// the steps taken; none where all is there. With `dry_run`, the steps
    /// that it would take.
    ///
    /// # Errors
    /// Without the rights, an error that holds the SQL; where another schema
    /// has the application's tables, one that names it.
    pub async fn migrate(&mut self, dry_run: bool) -> Result<Vec<MigrationStep>> {
        self.migrate_anew(dry_run, false).await
    }

    /// The same; `anew` creates tables of the application although another
    /// schema has them.
    pub async fn migrate_anew(&mut self, dry_run: bool, anew: bool) -> Result<Vec<MigrationStep>> {
        for _ in 0..5 {
            let entered = on!(self, engine => engine.enter(anew).await);
            let steps = match self.told(entered).await?.state {
                SchemaState::Current => return Ok(Vec::new()),
                SchemaState::Behind(steps) => steps,
                state => return Err(state.refusal(self.label())),
            };
            if dry_run {
                return Ok(steps);
            }
            if on!(self, engine => engine.carry_out(&steps).await)? {
                on!(self, engine => engine.layout = schema::Layout::default());
                return Ok(steps);
            }
        }
        Err(Error::new("another migration is running").hint("try again in a moment"))
    }

    /// Whether look-ups without a tenant have to read the whole table, for
    /// want of an index that begins with base_number.
    pub async fn index_missing(&mut self) -> Result<bool> {
        on!(self, engine => engine.index_missing().await)
    }

    /// The statements of [`Store::create_index`], one after the other.
    pub async fn index_sql(&mut self) -> Result<Vec<String>> {
        on!(self, engine => engine.index_sql().await)
    }

    /// Builds that index; on PostgreSQL while others go on writing. False
    /// where there is one. What a failed build left behind is taken away
    /// first.
    pub async fn create_index(&mut self) -> Result<bool> {
        on!(self, engine => engine.create_index().await)
    }

    /// Begins to read: all until [`Store::end_read`] is of one moment.
    pub async fn begin_read(&mut self) -> Result<()> {
        on!(self, engine => engine.begin_read().await)
    }

    /// Reads all but the numbers.
    pub async fn snapshot(&mut self) -> Result<Snapshot> {
        let read = on!(self, engine => engine.snapshot().await);
        self.told(read).await
    }

    /// Hands all owned bindings, then every number row, to `differ`, which
    /// was made of this store's last [`Store::snapshot`]. `progress` is told
    /// the number of rows so far.
    pub async fn run_diff(
        &mut self,
        differ: &mut Differ<'_>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<()> {
        let mut decoder = BatchDecoder::default();
        let mut each = async |batch| decoder.decode(batch, differ);
        self.stream_rows(&mut each, progress).await
    }

    /// The same in batches, for a [`BatchDecoder`] on another thread.
    pub async fn stream_rows(
        &mut self,
        each: &mut impl AsyncFnMut(RowBatch) -> Result<()>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<()> {
        let read = on!(self, engine => engine.stream_rows(each, progress).await);
        self.told(read).await
    }

    /// Hands all owned bindings to `each`, their fields interned in `pool`.
    /// After [`Store::snapshot`], whose files their sources index.
    pub async fn owned(
        &mut self,
        pool: &mut FieldsPool,
        each: &mut dyn FnMut(OwnedBinding),
    ) -> Result<()> {
        let read = on!(self, engine => engine.owned(pool, each).await);
        self.told(read).await
    }

    /// The active numbers whose default agent is of another tenant: country
    /// code, base number and tenant of the row, then the agent and its tenant.
    /// None where there is no table of agents.
    pub async fn agent_mismatches(&mut self) -> Result<Vec<AgentMismatchRow>> {
        on!(self, engine => engine.agent_mismatches().await)
    }

    /// Hands every number row to `each`, and nothing of ours. `progress` is
    /// told the number of rows so far.
    pub async fn numbers(
        &mut self,
        each: &mut dyn FnMut(&NumberRow<'_>),
        progress: &mut dyn FnMut(u64),
    ) -> Result<()> {
        let read = on!(self, engine => engine.numbers(each, progress).await);
        self.told(read).await
    }

    /// Ends what [`Store::begin_read`] began; what was read counts only then.
    ///
    /// # Errors
    /// Row-level security came to hide rows meanwhile.
    pub async fn end_read(&mut self) -> Result<()> {
        on!(self, engine => engine.end_read().await)
    }

    /// Hands the rows of a filter to `each`, by tenant and number. After
    /// [`Store::snapshot`], whose files their sources index.
    pub async fn list(
        &mut self,
        filter: &RowFilter,
        each: &mut dyn FnMut(&ListedRow<'_>),
    ) -> Result<()> {
        let read = on!(self, engine => engine.list(filter, each).await);
        self.told(read).await
    }

    /// What is known of a number, of all its tenants: on PostgreSQL in one
    /// round trip. Needs no [`Store::begin_read`].
    pub async fn look_up(&mut self, asked: &LookUp) -> Result<LookedUp> {
        let read = on!(self, engine => engine.look_up(asked).await);
        self.told(read).await
    }

    /// Carries a plan out, as it is, in one transaction; all or nothing.
    /// `progress` is told how many of how many rows are written.
    ///
    /// # Errors
    /// Exit 5 where anything that the plan touches is no longer as it saw it,
    /// 6 where the database belongs to others, 8 where the connection was
    /// lost during COMMIT and its outcome can't be found out, else 1. Only
    /// with 8 may anything have been written.
    pub async fn apply(
        &mut self,
        plan: &Plan,
        request: &WriteRequest,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Applied, ApplyError> {
        self.row_limits().check(plan)?;
        on!(self, engine => engine.apply(plan, request, progress).await)
    }
}
