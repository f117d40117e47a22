//! What became of an apply whose COMMIT was not answered. Imports sqlx and
//! tokio's clock.

use std::time::Duration;

use sqlx::postgres::PgRow;
use tokio::time::{Instant, sleep, timeout};

use super::sql::{TO_WRITE, sets};
use super::{PgStore, connect};
use crate::error::{Error, Exit};
use crate::store::attempt_error::AttemptError;
use crate::store::error_map::{database_error, error_code};
use crate::store::row_ext::RowExt;
use crate::store::waits::Waits;
use crate::store::write_request::{Applied, WriteRequest};

/// How long the answer to COMMIT is waited for: a standby that has to confirm
/// it may be away.
const ANSWER: Duration = Duration::from_secs(60);
/// How long one look may take.
const LOOK: Duration = Duration::from_secs(15);
/// How often something is said meanwhile.
const WORDS: Duration = Duration::from_secs(10);

impl PgStore {
    /// Commits; where the answer does not come, finds out what became of it.
    pub(super) async fn commit(
        &mut self,
        request: &WriteRequest,
        applied: Applied,
    ) -> Result<Applied, AttemptError> {
        let waits = Waits {
            silence: ANSWER.min(self.waits.silence),
            ..self.waits
        };
        let commit = super::sql::run(&mut self.conn, "COMMIT");
        let lost = match waits.answer(commit).await {
            Ok(()) => return Ok(applied),
            Err(error) => database_error(&self.label, &error).message,
        };
        self.find_out(request, lost).await
    }

    /// The answer to COMMIT did not come: looks for the apply's token over a
    /// new connection, behind the lock that a transaction still under way
    /// would hold, for as long as it may take until a standby has taken over.
    async fn find_out(
        &mut self,
        request: &WriteRequest,
        lost: String,
    ) -> Result<Applied, AttemptError> {
        let start = Instant::now();
        let mut pause = Duration::from_millis(250);
        let mut told = None;
        let failed = loop {
            let look = tokio::select! {
                found = timeout(LOOK, self.look_for(request)) => found,
                () = request.asked_to_stop() => break Error::new("stopped by a signal"),
            };
            let error = match look {
                Ok(Ok(Some(applied))) => return Ok(applied),
                Ok(Ok(None)) => {
                    let error = format!("COMMIT failed, nothing was written: {lost}");
                    return Err(Error::new(error).hint("apply again").into());
                }
                Ok(Err(error)) => error,
                Err(_) => Error::new(format!("no answer within {} s", LOOK.as_secs())),
            };
            if start.elapsed() + pause > request.find_out {
                break error;
            }
            if told.is_none_or(|told: Instant| told.elapsed() > WORDS) {
                (request.notice)(&format!(
                    "the answer to COMMIT did not come ({lost}); looking for up to {} s whether \
                     it was carried out: {error}",
                    request.find_out.as_secs()
                ));
                told = Some(Instant::now());
            }
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(3));
        };
        Err(Error::exit(
            Exit::Unknown,
            format!("whether the apply was carried out is not known: {lost}; {failed}"),
        )
        .hint(format!(
            "once the database answers, `lkroute history` lists it or not: look for an apply by {}",
            request.actor
        ))
        .into())
    }

    async fn look_for(&mut self, request: &WriteRequest) -> Result<Option<Applied>, Error> {
        let mut conn = connect(&self.server).await?;
        // Written, so that no standby that lags can say that it is absent.
        let sql = format!(
            "{TO_WRITE}; SET LOCAL lock_timeout = '10s';
             UPDATE {schema}.lkroute_state SET last_apply = last_apply;
             SELECT id::int8, {at} FROM {schema}.lkroute_applies WHERE token = '{token}';
             ROLLBACK",
            schema = self.quoted_schema,
            at = super::read::time("at"),
            token = request.token.hyphenated(),
        );
        let found = match sets(&mut conn, &sql).await {
            // This apply itself, or one that came after it.
            Err(error) if error_code(&error).as_deref() == Some("55P03") => {
                return Err(Error::new(
                    "the server answers, and lkroute's lock is held there: by another apply, or by \
                     this one while COMMIT has not ended there, as where a synchronous standby is \
                     away",
                ));
            }
            found => found.map_err(|error| self.database_error(error))?,
        };
        self.conn = conn;
        let row = found.get(3).and_then(|rows| rows.first());
        let applied = |row: &PgRow| {
            Ok(Applied {
                id: row.some_int(0)?,
                at: row.some_text(1)?.to_owned(),
            })
        };
        let applied = row.map(applied).transpose();
        applied.map_err(|error| self.database_error(error))
    }
}
