//! Whom tokens may be sent to: what lkroute applied, and what operators
//! recorded. Imports core.

use uuid::Uuid;

use super::cells::Cells;
use super::rows;
use super::{Engine, Store};
use crate::error::Result;
use crate::fields::Field;
use crate::routing::CipherText;
use crate::trust::{TrustFacts, TrustedHost};

/// What a decision about a token needs to know.
#[derive(Debug, Clone, Default)]
pub struct TrustRows {
    pub facts: TrustFacts,
    pub owned: Vec<OwnedCredentials>,
}

/// What a config that lkroute applied signs with.
#[derive(Debug, Clone)]
pub struct OwnedCredentials {
    pub id: Uuid,
    pub name: String,
    pub api_key: Option<String>,
    /// As it was applied.
    pub sealed: Option<CipherText>,
}

/// What is asked for, one statement each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TrustPart {
    Owned,
    Applied,
    Guards,
    Recorded,
}

impl TrustPart {
    pub const ALL: [TrustPart; 4] = [
        TrustPart::Owned,
        TrustPart::Applied,
        TrustPart::Guards,
        TrustPart::Recorded,
    ];

    /// The table that it needs.
    pub fn table(self) -> &'static str {
        match self {
            TrustPart::Owned | TrustPart::Applied => "lkroute_configs",
            TrustPart::Guards => "lkroute_applies",
            TrustPart::Recorded => "lkroute_trusted_hosts",
        }
    }

    /// `q` precedes a table's name; `at` is the time as RFC 3339.
    pub fn sql(self, q: &str, at: &str) -> String {
        match self {
            TrustPart::Owned => {
                format!("SELECT id, fields, sealed FROM {q}lkroute_configs WHERE until IS NULL")
            }
            TrustPart::Applied => format!("SELECT DISTINCT fields FROM {q}lkroute_configs"),
            TrustPart::Guards => format!(
                "SELECT guards FROM {q}lkroute_applies
                 WHERE guards <> 'null' ORDER BY id DESC LIMIT 1"
            ),
            TrustPart::Recorded => format!(
                "SELECT host, {at}, actor, reason FROM {q}lkroute_trusted_hosts t ORDER BY host"
            ),
        }
    }
}

impl TrustRows {
    pub(super) fn take(
        &mut self,
        part: TrustPart,
        row: &impl Cells,
    ) -> std::result::Result<(), sqlx::Error> {
        match part {
            TrustPart::Owned => {
                let fields = rows::fields(row.some_text(1)?)?;
                let text = |field| fields.text(field).map(str::to_owned);
                self.owned.push(OwnedCredentials {
                    id: row.some_uuid(0)?,
                    name: text(Field::Name).unwrap_or_default(),
                    api_key: text(Field::ApiKey),
                    sealed: row.text(2)?.map(CipherText::new),
                });
            }
            TrustPart::Applied => {
                let fields = rows::fields(row.some_text(0)?)?;
                let url = fields.text(Field::Url).map(str::to_owned);
                self.facts.applied_urls.extend(url);
            }
            TrustPart::Guards => {
                self.facts.guards = serde_json::from_str(row.some_text(0)?).ok().flatten();
            }
            TrustPart::Recorded => self.facts.recorded.push(TrustedHost {
                host: row.some_text(0)?.to_owned(),
                at: row.some_text(1)?.to_owned(),
                actor: row.some_text(2)?.to_owned(),
                reason: row.some_text(3)?.to_owned(),
            }),
        }
        Ok(())
    }
}

impl Store {
    /// Whom tokens may be sent to; a table that is not there counts as empty.
    /// Not between [`Store::begin_read`] and [`Store::end_read`].
    pub async fn trust(&mut self) -> Result<TrustRows> {
        let found = match &mut self.0 {
            Engine::Postgres(engine) => engine.trust().await,
            Engine::Sqlite(engine) => engine.trust().await,
        };
        found.map_err(|error| super::trouble::trouble(self.label(), &error))
    }

    /// Records a server as trusted, with who and why; its time is the
    /// database's. One that is there already gets the new reason.
    pub async fn record_trust(&mut self, host: &str, actor: &str, reason: &str) -> Result<()> {
        let done = match &mut self.0 {
            Engine::Postgres(engine) => engine.record_trust(host, actor, reason).await,
            Engine::Sqlite(engine) => engine.record_trust(host, actor, reason).await,
        };
        done.map_err(|error| super::trouble::trouble(self.label(), &error))
    }

    /// Takes a server out again; whether it was there.
    pub async fn revoke_trust(&mut self, host: &str) -> Result<bool> {
        let gone = match &mut self.0 {
            Engine::Postgres(engine) => engine.revoke_trust(host).await,
            Engine::Sqlite(engine) => engine.revoke_trust(host).await,
        };
        gone.map(|rows| rows > 0)
            .map_err(|error| super::trouble::trouble(self.label(), &error))
    }
}
