//! One attempt to apply a plan: what its steps share. Imports sqlx's errors
//! and core.

use serde::Serialize;

use super::attempt_error::AttemptError;
use super::session::Session;
use super::write_request::WriteRequest;
use super::write_set::WriteSet;
use crate::error::Error;
use crate::lookup::Dialect;

/// How many of what acts on rows are named.
const NAMED: usize = 5;

pub(super) struct Attempt<'a, S> {
    pub conn: &'a mut S,
    pub dialect: Dialect<'a>,
    /// The name of the schema; empty on SQLite.
    pub schema: &'a str,
    /// The server's process, once it is known; SQLite has none.
    pub pid: &'a mut Option<i64>,
    pub write_set: &'a WriteSet<'a>,
    pub request: &'a WriteRequest,
    /// What acts on rows that are written, by name, once it was looked for.
    pub actors: Vec<String>,
    /// Told how much of how much is done.
    pub progress: &'a mut dyn FnMut(u64, u64),
    pub done: u64,
    pub total: u64,
}

impl<'a, S: Session> Attempt<'a, S> {
    pub(super) fn new(
        (conn, dialect): (&'a mut S, Dialect<'a>),
        pid: &'a mut Option<i64>,
        write_set: &'a WriteSet<'a>,
        request: &'a WriteRequest,
        progress: &'a mut dyn FnMut(u64, u64),
    ) -> Attempt<'a, S> {
        let rows = write_set.updates().len() + write_set.inserts().len() + write_set.bindings.len();
        Attempt {
            conn,
            dialect,
            schema: "",
            pid,
            write_set,
            request,
            actors: Vec::new(),
            progress,
            done: 0,
            total: rows as u64,
        }
    }

    /// What acts on rows that are written: the first few by name.
    pub(super) fn named_actors(&self) -> String {
        let mut names = self.actors[..self.actors.len().min(NAMED)].join(", ");
        if self.actors.len() > NAMED {
            names += &format!(" or {} more", self.actors.len() - NAMED);
        }
        names
    }

    pub(super) fn advance(&mut self, rows: usize) {
        self.done += rows as u64;
        (self.progress)(self.done, self.total);
    }

    /// Runs a statement whose only value is `rows`, as JSON; the number of
    /// rows that it wrote.
    pub(super) async fn write<T: Serialize>(
        &mut self,
        sql: &str,
        rows: &[T],
    ) -> Result<u64, sqlx::Error> {
        if rows.is_empty() {
            return Ok(0);
        }
        let json = serde_json::to_string(rows).map_err(|e| sqlx::Error::Encode(e.into()))?;
        self.conn.write_json(sql, json).await
    }

    /// An SQL condition: that whoever answers sees this apply's own record,
    /// and the state that the plan was made for.
    pub(super) fn seen(&self) -> String {
        let base = self.write_set.plan.base;
        let base = base.map_or("NULL".to_owned(), |id| id.to_string());
        format!(
            "EXISTS (SELECT 1 FROM {prefix}lkroute_applies a, {prefix}lkroute_state s
               WHERE a.token = '{token}' AND s.last_apply IS NOT DISTINCT FROM {base})",
            prefix = self.dialect.schema_prefix(),
            token = self.request.token.hyphenated()
        )
    }
}

/// What [`Attempt::seen`] gave.
pub(super) fn expect_seen(seen: bool) -> Result<(), AttemptError> {
    if seen {
        Ok(())
    } else {
        Err(Error::new(
            "the database does not show what this transaction has just written: something \
             between here and there sends reads to another server",
        )
        .hint("nothing was written; connect to the primary itself")
        .into())
    }
}
