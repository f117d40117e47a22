//! Who applies a plan, why and with which secrets; and what an apply answers.
//! Imports core and tokio's channels.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use uuid::Uuid;

use crate::address::Address;
use crate::error::{Error, Exit, Result};
use crate::lookup::SCHEMA_VERSION;
use crate::routing::CipherText;
use crate::snapshot::ApplyId;

/// How long an apply waits for locks, where nobody says otherwise.
pub const LOCK_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a failover may take: Patroni's ttl is 30 s, and the new primary
/// may have to recover.
pub(super) const FAILOVER: Duration = Duration::from_secs(90);

/// Who applies, why, and with which secrets.
#[derive(Debug, Clone)]
pub struct WriteRequest {
    /// BatchNames this apply before it has a number, so that its fate can be
    /// found out when the connection is lost. Fresh for each apply.
    pub token: Uuid,
    /// `apply`, `rollback`, `release`, `reset-guards` or `restamp`.
    pub kind: String,
    pub actor: String,
    /// The commit of the files.
    pub revision: Option<String>,
    /// Whether the files differed from that commit.
    pub dirty: bool,
    pub owner: Option<String>,
    pub environment: Option<String>,
    pub reason: Option<String>,
    /// Of lkroute.
    pub version: String,
    /// What `history` shows of the plan.
    pub counts: Value,
    /// The guards for the next apply; null keeps those that are stored.
    pub guards: Value,
    /// A digest of what the files held.
    pub files: Option<String>,
    /// What it keeps for the budgets of later applies, as JSON.
    pub account: Value,
    /// The apply whose state a rollback brings back.
    pub restores: Option<ApplyId>,
    /// Where the database becomes that of another environment.
    pub restamp: Option<Restamp>,
    pub lock_timeout: Duration,
    /// How long it is looked for after its connection was lost during COMMIT.
    pub find_out: Duration,
    /// Told what takes long, for people who wait.
    pub notice: fn(&str),
    /// Becomes true where the apply is to be given up.
    pub stop: Option<watch::Receiver<bool>>,
    /// By config row: of every config to insert, and every one whose
    /// `api_secret` the plan writes.
    pub secrets: HashMap<Uuid, PreparedSecret>,
}

/// Makes a copy of a database that of another environment.
#[derive(Debug, Clone)]
pub struct Restamp {
    /// The environment that it was of.
    pub from: String,
    /// The copy's own.
    pub identity: Uuid,
}

/// A secret, ready to be stored.
#[derive(Debug, Clone, Default)]
pub struct PreparedSecret {
    /// The sealed text; `None` leaves the stored one.
    pub text: Option<CipherText>,
    /// The text form of the fingerprint of an `env` or `file` secret.
    pub fingerprint: Option<String>,
    /// The source to record, where it is another than the plan's.
    pub source: Option<String>,
}

impl WriteRequest {
    /// A request of that kind and actor, all else left out.
    pub fn new(token: Uuid, kind: &str, actor: &str) -> WriteRequest {
        WriteRequest {
            token,
            kind: kind.to_owned(),
            actor: actor.to_owned(),
            revision: None,
            dirty: false,
            owner: None,
            environment: None,
            reason: None,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            counts: Value::Null,
            guards: Value::Null,
            files: None,
            account: Value::Object(serde_json::Map::new()),
            restores: None,
            restamp: None,
            lock_timeout: LOCK_TIMEOUT,
            find_out: FAILOVER,
            notice: |_| (),
            stop: None,
            secrets: HashMap::new(),
        }
    }
}

impl WriteRequest {
    /// The environment that the database is stamped with.
    fn environment_before(&self) -> Option<&str> {
        match &self.restamp {
            Some(restamp) => Some(&restamp.from),
            None => self.environment.as_deref(),
        }
    }

    pub(super) fn is_asked_to_stop(&self) -> bool {
        self.stop.as_ref().is_some_and(|stop| *stop.borrow())
    }

    /// Ends when the apply is to be given up.
    pub(super) async fn asked_to_stop(&self) {
        let asked = match self.stop.clone() {
            Some(mut stop) => stop.wait_for(|asked| *asked).await.is_ok(),
            None => false,
        };
        if !asked {
            std::future::pending::<()>().await;
        }
    }
}

/// What an apply did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    pub id: ApplyId,
    /// RFC 3339, UTC.
    pub at: String,
}

/// Why an apply wrote nothing, or why that is not known (exit 8).
#[derive(Debug)]
pub struct ApplyError {
    pub error: Error,
    /// What is no longer as the plan saw it.
    pub moved: Vec<Address>,
}

impl From<Error> for ApplyError {
    fn from(error: Error) -> ApplyError {
        ApplyError {
            error,
            moved: Vec::new(),
        }
    }
}

/// How many moved objects an error names.
const NAMED: usize = 10;

/// The first few, and how many more there are.
fn few(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = match names.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let first: Vec<String> = names.take(NAMED).collect();
    first.join(", ") + &more
}

impl ApplyError {
    /// What is read back is not what was written: an object, and what of it.
    pub(super) fn rewritten(mut found: Vec<(Address, String)>) -> ApplyError {
        found.sort_unstable();
        let names = found
            .iter()
            .map(|(address, what)| format!("{address} ({what})"));
        Error::new(format!(
            "the database keeps other values than were written: {}",
            few(names)
        ))
        .hint("nothing was written; a trigger or rule of the table does that: change it, or what is declared")
        .into()
    }

    /// The database took rows, and does not have them; `by` names what acts on them.
    pub(super) fn left_out(what: &str, by: &str) -> ApplyError {
        let by = match by {
            "" => String::new(),
            by => format!("; on them acts {by}"),
        };
        Error::new(format!("{what} that were written are not there{by}"))
            .hint("nothing was written; a trigger or rule of the table leaves rows out: change it")
            .into()
    }

    /// Exit 5, naming what moved.
    pub(super) fn moved(what: &str, moved: Vec<Address>) -> ApplyError {
        let names = moved.iter().map(Address::to_string);
        let message = format!("{what} since the plan was made: {}", few(names));
        let error = Error::exit(Exit::Stale, message).hint(super::error_map::PLAN_AGAIN);
        ApplyError { error, moved }
    }
}

/// Refuses files of another owner or environment than the database was
/// stamped with (exit 6). `stamped` and `files` are owner and environment.
pub fn check_stamp(
    stamped: (Option<&str>, Option<&str>),
    files: (Option<&str>, Option<&str>),
) -> Result<()> {
    let check = |what: &str, stamped: Option<&str>, files: Option<&str>| match (stamped, files) {
        (Some(stamped), files) if files != Some(stamped) => {
            let files = files.map_or("none".to_owned(), |files| format!("`{files}`"));
            let message =
                format!("the database belongs to the {what} `{stamped}`, the files to {files}");
            Err(Error::exit(Exit::Conflict, message)
                .hint("is it the right database? Another tree or environment needs its own"))
        }
        _ => Ok(()),
    };
    check("owner", stamped.0, files.0)?;
    check("environment", stamped.1, files.1)
}

/// What the lock row and the record of the last apply say.
#[derive(Debug)]
pub(super) struct LockedState {
    pub last_apply: Option<ApplyId>,
    pub owner: Option<String>,
    pub environment: Option<String>,
    /// Of lkroute's tables.
    pub version: i64,
    /// Id, actor and time of the last apply.
    pub by: Option<(ApplyId, String, String)>,
}

impl LockedState {
    /// Whether the database is the one, and as far, as the plan was made for;
    /// the number of the next apply.
    pub(super) fn next(&self, base: Option<ApplyId>, request: &WriteRequest) -> Result<ApplyId> {
        if self.version > SCHEMA_VERSION {
            return Err(super::error_map::stale_plan(format!(
                "a newer lkroute has migrated the database meanwhile (version {} of its schema)",
                self.version
            ))
            .hint("use a newer lkroute"));
        }
        if self.last_apply != base {
            let by = match &self.by {
                Some((id, actor, at)) => format!("apply {id} by {actor} at {at}"),
                None => "another apply".to_owned(),
            };
            let base = base.map_or("no apply".to_owned(), |base| format!("apply {base}"));
            return Err(super::error_map::stale_plan(format!(
                "{by} came in between: the plan was made after {base}"
            )));
        }
        check_stamp(
            (self.owner.as_deref(), self.environment.as_deref()),
            (request.owner.as_deref(), request.environment_before()),
        )?;
        Ok(self.last_apply.unwrap_or(0) + 1)
    }

    /// Others held its lock for too long: who, and what they do.
    pub(super) fn busy(by: &str, waited: Duration) -> Error {
        Error::new(format!(
            "{by}: waited {} s for the end of that transaction",
            waited.as_secs()
        ))
        .hint("nothing was written; try again, or give a longer --lock-timeout")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_binds_and_its_absence_does_not() {
        let exit = |stamped, files| check_stamp(stamped, files).err().map(|error| error.exit);
        assert_eq!(exit((None, None), (Some("a"), Some("prod"))), None);
        assert_eq!(exit((Some("a"), None), (Some("a"), Some("prod"))), None);
        let conflict = Some(Exit::Conflict);
        assert_eq!(exit((Some("a"), None), (Some("b"), None)), conflict);
        assert_eq!(exit((Some("a"), None), (None, None)), conflict);
        assert_eq!(exit((None, Some("dev")), (None, Some("prod"))), conflict);
    }
}
