//! How long a statement may wait, how long it may take, and how long its answer
//! is waited for. Imports sqlx's error and tokio's clock.
//!
//! A pooler may give each transaction another server connection, so these
//! settings are made inside each transaction and end with it. The server keeps
//! them; where it, or the way to it, is gone, only a clock of our own ends the
//! wait.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use super::mode::Mode;

/// How long a read waits for a lock, where nobody says otherwise.
pub(super) const LOCK: Duration = Duration::from_secs(5);
/// How long a look-up may take.
pub(super) const LOOK_UP: Duration = Duration::from_secs(30);
/// How long the answer to a look-up is waited for: longer than the server gives
/// itself, which says more.
pub(super) const LOOK_UP_ANSWER: Duration = Duration::from_secs(45);
/// How long a server may be silent while whole tables are read; what is sent
/// begins long before.
pub(super) const SILENCE: Duration = Duration::from_secs(600);

/// The limits of one command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Waits {
    pub lock: Duration,
    /// None for what reads whole tables.
    pub statement: Option<Duration>,
    /// From one piece of an answer to the next.
    pub silence: Duration,
}

impl Waits {
    /// Those of what a database is opened for; `silence` is what its URL says.
    pub(super) fn of(mode: Mode, lock: Duration, silence: Option<Duration>) -> Waits {
        let is_look_up = matches!(mode, Mode::Look | Mode::Record);
        Waits {
            lock,
            statement: is_look_up.then_some(LOOK_UP),
            silence: silence.unwrap_or(if is_look_up { LOOK_UP_ANSWER } else { SILENCE }),
        }
    }

    /// An answer, or a piece of one, before the silence is too long: nobody
    /// else would notice that the server's machine, or the way to it, is gone.
    pub(super) async fn answer<T>(
        self,
        answer: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        let mut answer = pin!(answer);
        // Most pieces of a stream are there already: no clock is set for those.
        let at_once = poll_fn(|context| Poll::Ready(answer.as_mut().poll(context)));
        if let Poll::Ready(answered) = at_once.await {
            return answered;
        }
        match tokio::time::timeout(self.silence, answer).await {
            Ok(answered) => answered,
            Err(_) => Err(no_answer(self.silence)),
        }
    }

    /// One statement of PostgreSQL that makes them count in its transaction.
    pub(super) fn settings(&self) -> String {
        let set = |name: &str, limit: Duration| {
            let millis = limit.as_millis().clamp(1, i32::MAX as u128);
            format!("pg_catalog.set_config('{name}', '{millis}ms', true)")
        };
        let lock = set("lock_timeout", self.lock);
        match self.statement {
            Some(limit) => format!("SELECT {lock}, {}", set("statement_timeout", limit)),
            None => format!("SELECT {lock}"),
        }
    }
}

/// What is told of an answer that did not come.
pub(super) fn no_answer(limit: Duration) -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::new(
        std::io::ErrorKind::TimedOut,
        format!("no answer within {} s", limit.as_secs_f64()),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_never_zero_which_would_be_none() {
        let waits = Waits {
            lock: Duration::ZERO,
            statement: Some(LOOK_UP),
            silence: SILENCE,
        };
        let settings = waits.settings();
        assert!(
            settings.contains("'lock_timeout', '1ms', true"),
            "{settings}"
        );
        assert!(settings.contains("'statement_timeout', '30000ms', true"));
    }
}
