//! Applying a plan to PostgreSQL: one transaction that takes the lock row
//! first, compares again inside, and is looked for when its end is lost.

use std::time::Duration;

use serde::Serialize;
use sqlx::PgConnection;
use sqlx::postgres::PgRow;
use tokio::time::sleep;

use super::sql::{literal, run, sets, statement};
use super::{PgStore, connect, numbers, objects, records};
use crate::diff::plan::Plan;
use crate::error::{Error, Exit};
use crate::store::books::Books;
use crate::store::cells::Cells;
use crate::store::order::{Applied, ApplyError, ApplyOrder, Locked};
use crate::store::stop::Stop;
use crate::store::trouble::{code, passing, trouble};
use crate::store::work::Work;

/// How often a transaction that the server gave up is tried again.
const TRIES: u32 = 4;

/// One attempt: what its steps share.
pub(super) struct Run<'a> {
    pub conn: &'a mut PgConnection,
    /// The quoted schema.
    pub q: &'a str,
    pub work: &'a Work<'a>,
    pub order: &'a ApplyOrder,
    /// Told how much of how much is done.
    pub progress: &'a mut dyn FnMut(u64, u64),
    pub done: u64,
    pub total: u64,
}

impl Run<'_> {
    /// Runs a statement whose only value is `rows`, as JSON; the number of
    /// rows that it wrote.
    pub async fn write<T: Serialize>(
        &mut self,
        sql: impl Into<String>,
        rows: &[T],
    ) -> Result<u64, sqlx::Error> {
        if rows.is_empty() {
            return Ok(0);
        }
        let json = serde_json::to_string(rows).map_err(|e| sqlx::Error::Encode(e.into()))?;
        let done = statement(sql).bind(json).execute(&mut *self.conn);
        Ok(done.await?.rows_affected())
    }

    pub fn advance(&mut self, rows: usize) {
        self.done += rows as u64;
        (self.progress)(self.done, self.total);
    }
}

impl PgStore {
    pub async fn apply(
        &mut self,
        plan: &Plan,
        order: &ApplyOrder,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Applied, ApplyError> {
        let work = Work::new(plan, order)?;
        for attempt in 1.. {
            let stop = match self.attempt(&work, order, progress).await {
                Ok(applied) => return Ok(applied),
                Err(stop) => stop,
            };
            // The reason is reported; the server rolls back in any case.
            let _ = run(&mut self.conn, "ROLLBACK").await;
            match stop {
                Stop::Refused(error) => return Err(error),
                Stop::Sql(error) if passing(&error) && attempt < TRIES => {
                    sleep(Duration::from_millis(50 << attempt)).await;
                }
                Stop::Sql(error) => return Err(self.trouble(error).into()),
            }
        }
        Err(Error::new("the apply was not tried").into())
    }

    async fn attempt(
        &mut self,
        work: &Work<'_>,
        order: &ApplyOrder,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Applied, Stop> {
        let mut run = Run {
            conn: &mut self.conn,
            q: &self.q,
            work,
            order,
            progress,
            done: 0,
            total: (work.updates().len() + work.inserts().len() + work.bindings.len()) as u64,
        };
        let id = begin(&mut run).await?;
        let mut books = records::books(&mut run).await?;
        let before = objects::check(&mut run).await?;
        numbers::update(&mut run).await?;
        objects::write(&mut run).await?;
        numbers::insert(&mut run).await?;
        records::write(&mut run, &mut books, id, &before).await?;
        let at = records::finish(&mut run, id).await?;
        let applied = Applied { id, at };
        match super::sql::run(&mut self.conn, "COMMIT").await {
            Ok(()) => Ok(applied),
            Err(error) => self.find_out(order, error).await,
        }
    }

    /// The answer to COMMIT did not come: looks for the apply's token over a
    /// new connection, behind the lock that a transaction still under way
    /// would hold.
    async fn find_out(&mut self, order: &ApplyOrder, lost: sqlx::Error) -> Result<Applied, Stop> {
        let mut found = Err(Error::new("not looked for"));
        for wait in [0, 500, 2000, 4000] {
            sleep(Duration::from_millis(wait)).await;
            found = self.look_for(order).await;
            if found.is_ok() {
                break;
            }
        }
        let lost = trouble(&self.label, &lost).message;
        match found {
            Ok(Some(applied)) => Ok(applied),
            Ok(None) => Err(
                Error::new(format!("COMMIT failed, nothing was written: {lost}"))
                    .hint("apply again")
                    .into(),
            ),
            Err(error) => Err(Error::exit(
                Exit::Unknown,
                format!("whether the apply was carried out is not known: {lost}; {error}"),
            )
            .hint("`lkroute plan` shows it: an empty plan means that it was carried out")
            .into()),
        }
    }

    async fn look_for(&mut self, order: &ApplyOrder) -> Result<Option<Applied>, Error> {
        let mut conn = connect(&self.server).await?;
        let sql = format!(
            "BEGIN; SET LOCAL lock_timeout = '10s';
             SELECT 1 FROM {q}.lkroute_state FOR UPDATE;
             SELECT id::int8, {at} FROM {q}.lkroute_applies WHERE token = '{token}';
             ROLLBACK",
            q = self.q,
            at = super::read::time("at"),
            token = order.token.hyphenated(),
        );
        let found = sets(&mut conn, &sql).await;
        let found = found.map_err(|error| self.trouble(error))?;
        self.conn = conn;
        let row = found.get(3).and_then(|rows| rows.first());
        let applied = |row: &PgRow| {
            Ok(Applied {
                id: row.some_int(0)?,
                at: row.some_text(1)?.to_owned(),
            })
        };
        let applied = row.map(applied).transpose();
        applied.map_err(|error| self.trouble(error))
    }
}

/// Begins, takes the lock row, and checks that the database is the one, and
/// as far, as the plan was made for. The number of this apply.
async fn begin(run: &mut Run<'_>) -> Result<i64, Stop> {
    let timeout = literal(&format!("{}ms", run.order.lock_timeout.as_millis().max(1)));
    let sql = format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
         SET LOCAL lock_timeout = {timeout};
         SELECT last_apply::int8, owner, environment FROM {q}.lkroute_state FOR UPDATE;
         SELECT a.id::int8, a.actor, {at} FROM {q}.lkroute_applies a
           ORDER BY a.id DESC LIMIT 1",
        q = run.q,
        at = super::read::time("a.at"),
    );
    let found = match sets(run.conn, &sql).await {
        Err(error) if code(&error).as_deref() == Some("55P03") => {
            return Err(Locked::busy(run.order.lock_timeout).into());
        }
        found => found?,
    };
    let row = |ix: usize| found.get(ix).and_then(|rows| rows.first());
    let state = row(2).ok_or_else(|| Error::new("lkroute_state has no row"))?;
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let by = |row: &PgRow| {
        let (actor, at) = (row.some_text(1)?.to_owned(), row.some_text(2)?.to_owned());
        Ok::<_, sqlx::Error>((row.some_int(0)?, actor, at))
    };
    let locked = Locked {
        last_apply: state.int(0)?,
        owner: owned(state.text(1)?),
        environment: owned(state.text(2)?),
        by: row(3).map(by).transpose()?,
    };
    Ok(locked.next(run.work.plan.base, run.order)?)
}

/// Numbers by which lkroute's tables know things, as they are.
pub(super) async fn known(run: &mut Run<'_>) -> Result<Books, sqlx::Error> {
    let sql = format!(
        "SELECT id::int8, path FROM {q}.lkroute_files;
         SELECT id::int8, tenant_id, alias FROM {q}.lkroute_tenants;
         SELECT id::int8, fields FROM {q}.lkroute_settings",
        q = run.q
    );
    let found = sets(run.conn, &sql).await?;
    let set = |ix: usize| found.get(ix).into_iter().flatten();
    let mut books = Books::default();
    for row in set(0) {
        books.known_file(row.some_int(0)?, row.some_text(1)?);
    }
    for row in set(1) {
        books.known_tenant(row.some_int(0)?, row.some_uuid(1)?, row.text(2)?);
    }
    for row in set(2) {
        let fields = crate::store::rows::fields(row.some_text(1)?)?;
        books.known_settings(row.some_int(0)?, fields);
    }
    Ok(books)
}
