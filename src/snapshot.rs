//! What the database holds: the rows that are there, and what lkroute stored
//! about those it owns. Core: imports only core; `store` fills it.

use serde_json::Value;
use uuid::Uuid;

use crate::fields::{Field, Fields, FieldsIx};
use crate::phone::{self, E164};
use crate::routing::CipherText;
use crate::routing::guards::StoredGuards;

/// The number of an apply, counting from 1.
pub type ApplyId = i64;

/// The small part of a snapshot, read first: all but the numbers.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Stamped by the first apply.
    pub owner: Option<String>,
    pub environment: Option<String>,
    /// The name that `migrate` drew for this database; `None` before that.
    pub identity: Option<Uuid>,
    /// That of the tables, on PostgreSQL.
    pub schema: Option<String>,
    pub last_apply: Option<ApplyRecord>,
    pub guards: StoredGuards,
    /// Every config row, ours or not.
    pub configs: Vec<LiveConfig>,
    pub odd_configs: Vec<OddConfigRow>,
    /// Configs that rows of the application point to by a foreign key, each with
    /// the column, quoted as in SQL.
    pub referenced_configs: Vec<(Uuid, String)>,
    pub owned_configs: Vec<OwnedConfig>,
    pub owned_regions: Vec<OwnedRegion>,
    /// Paths that [`SourceLine::file`] of owned things index.
    pub files: Vec<String>,
    /// Aliases of tenants as of the apply that wrote them last.
    pub tenants: Vec<(Uuid, String)>,
}

/// One apply, as recorded.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ApplyRecord {
    pub id: ApplyId,
    /// RFC 3339, UTC.
    pub at: String,
    pub actor: String,
    /// The commit that was applied, where the files were in git; of a
    /// rollback that of the state which it brought back.
    pub revision: Option<String>,
    /// Whether the files differed from that commit.
    pub dirty: bool,
    /// `apply`, `rollback`, `release`, `reset-guards` or `restamp`.
    pub kind: String,
    pub reason: Option<String>,
    /// Of lkroute.
    pub version: String,
    /// How many objects were created, updated, …, as `apply` counts them.
    pub counts: Value,
    /// [`crate::source::Loaded::digest`] of the files.
    pub files: Option<String>,
    /// The apply whose state a rollback brought back.
    pub restores: Option<ApplyId>,
}

/// Where an owned object was declared when it was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SourceLine {
    /// Index into [`Snapshot::files`].
    pub file: u32,
    pub line: u32,
}

/// A row of `voice_agent_livekit`.
#[derive(Debug, Clone)]
pub struct LiveConfig {
    pub id: Uuid,
    /// All config fields but the region; `api_secret` by its hash.
    pub fields: Fields,
    pub secret: CipherText,
    /// RFC 3339, where the row has it.
    pub updated_at: Option<String>,
    /// Fields whose bytes are no text: `\u{fffd}` stands for those.
    pub broken: Vec<Field>,
}

/// A row of `voice_agent_livekit` whose id is no uuid: passed over, as nothing
/// can name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OddConfigRow {
    pub id: String,
    pub name: String,
}

/// What the last apply set a config to.
#[derive(Debug, Clone)]
pub struct OwnedConfig {
    pub id: Uuid,
    /// All config fields, the region too; `api_secret` by the hash of what
    /// was stored.
    pub fields: Fields,
    /// [`crate::routing::SecretSource::describe`] of what was declared.
    pub secret_source: String,
    /// The text form of the fingerprint of an `env` or `file` secret.
    pub fingerprint: Option<String>,
    pub since: ApplyId,
    pub source: Option<SourceLine>,
    /// Whether lkroute inserted the row.
    pub inserted: bool,
}

/// What the last apply set a region to; regions live in our tables only.
#[derive(Debug, Clone)]
pub struct OwnedRegion {
    pub name: String,
    pub fields: Fields,
    pub since: ApplyId,
    pub source: Option<SourceLine>,
}

/// What the last apply set a binding to.
#[derive(Debug, Clone, Copy)]
pub struct OwnedBinding {
    /// The id of the number row.
    pub row: Uuid,
    pub tenant: Uuid,
    pub number: E164,
    /// In the pool that the store was given.
    pub fields: FieldsIx,
    pub source: Option<SourceLine>,
    /// Whether lkroute inserted the row.
    pub inserted: bool,
    /// Whether it was removed from the files since, and the row, which
    /// lkroute had inserted, made inactive: kept so that declaring it again
    /// reactivates the same row.
    pub retired: bool,
}

/// Why a row is passed over.
pub const BROKEN_BYTES: &str = "broken bytes";
/// The same, where it could not be found again by its id.
pub const OTHER_SPELLING: &str = "an id in another spelling than lkroute writes";
/// The same, where an id is no uuid; `provider` holds what it is.
pub const NO_UUID: &str = "no uuid";

/// A row of `voice_agent_numbers`, as it passes by in the stream.
#[derive(Debug, Clone, Copy)]
pub struct NumberRow<'a> {
    pub id: Uuid,
    pub tenant: Uuid,
    pub country_code: Option<&'a str>,
    pub base_number: Option<i64>,
    pub provider: Option<&'a str>,
    /// NULL counts as active.
    pub status: Option<&'a str>,
    /// JSON text; `None` for SQL NULL.
    pub rules: Option<&'a [u8]>,
    /// Why it is passed over, whether its number can be read or not.
    pub passed_over: Option<&'static str>,
}

impl NumberRow<'_> {
    /// The number of the row.
    ///
    /// # Errors
    /// Why it can't be read.
    pub fn number(&self) -> Result<E164, String> {
        match self.passed_over {
            Some(NO_UUID) => {
                let what = self.provider.unwrap_or("NULL");
                let number = self.any_number();
                let number = number.map_or(String::new(), |number| format!(", of {number}"));
                Err(format!(
                    "its id, or its tenant's, is no uuid: `{what}`{number}"
                ))
            }
            Some(what) => Err(format!("it has {what}")),
            None => self.any_number(),
        }
    }

    /// The same, where it is passed over too: calls are by that number.
    ///
    /// # Errors
    /// Why it can't be read.
    pub fn any_number(&self) -> Result<E164, String> {
        let number = phone::from_row(self.country_code, self.base_number);
        number.map_err(|reason| reason.to_string())
    }

    /// NULL counts as active.
    pub fn is_active(&self) -> bool {
        self.status.is_none_or(|status| status == "active")
    }
}
