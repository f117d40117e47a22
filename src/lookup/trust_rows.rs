//! Whom tokens may be sent to, as the database says it. Core.

use uuid::Uuid;

use super::json_row::{JsonRow, read_document, read_fields, unfold};
use crate::fields::Field;
use crate::routing::CipherText;
use crate::trust::{TrustFacts, TrustedHost};

/// What a decision about a token needs to know.
#[derive(Debug, Clone, Default)]
pub struct TrustRows {
    pub facts: TrustFacts,
    pub owned: Vec<OwnedCredentials>,
}

/// What a config that lkroute applied signs with, or signed with: a key that
/// was replaced may open its server still.
#[derive(Debug, Clone)]
pub struct OwnedCredentials {
    pub id: Uuid,
    pub name: String,
    pub api_key: Option<String>,
    /// As it was applied.
    pub sealed: Option<CipherText>,
}

/// The statement of either engine. `prefix` precedes a table's name; `at` is the
/// time as RFC 3339; a table that is not there counts as empty.
pub(super) fn statement(
    prefix: &str,
    at: &str,
    array: &str,
    group: &str,
    has: &dyn Fn(&str) -> bool,
) -> String {
    let parts = [
        (
            "lkroute_configs",
            format!(
                "(SELECT {group}({array}(id, fields, sealed))
                  FROM {prefix}lkroute_configs)"
            ),
        ),
        (
            "lkroute_configs",
            format!(
                "(SELECT {group}({array}(d.fields))
                  FROM (SELECT DISTINCT fields FROM {prefix}lkroute_configs) d)"
            ),
        ),
        (
            "lkroute_applies",
            format!(
                "(SELECT {group}({array}(a.guards)) FROM (SELECT guards FROM {prefix}lkroute_applies
                  WHERE guards <> 'null' ORDER BY id DESC LIMIT 1) a)"
            ),
        ),
        (
            "lkroute_trusted_hosts",
            format!(
                "(SELECT {group}({array}(t.host, {at}, t.actor, t.reason))
                  FROM {prefix}lkroute_trusted_hosts t)"
            ),
        ),
    ];
    let parts = parts.map(|(table, sql)| if has(table) { sql } else { "NULL".to_owned() });
    // A text in either engine.
    format!("SELECT CAST({array}({}) AS text)", parts.join(", "))
}

impl TrustRows {
    /// What the statement gave.
    ///
    /// # Errors
    /// It is something else.
    pub fn read(text: &str) -> Result<TrustRows, String> {
        let document = read_document(text)?;
        let parts = JsonRow::read(&document)?;
        let part = |ix| unfold(parts.cell(ix)?).map(Option::unwrap_or_default);
        let mut found = TrustRows::default();
        for row in JsonRow::read_all(&*part(0)?)? {
            let row = row?;
            let fields = read_fields(row.some_text(1)?)?;
            let text = |field| fields.text(field).map(str::to_owned);
            found.owned.push(OwnedCredentials {
                id: row.some_uuid(0)?,
                name: text(Field::Name).unwrap_or_default(),
                api_key: text(Field::ApiKey),
                sealed: row.text(2)?.map(CipherText::new),
            });
        }
        for row in JsonRow::read_all(&*part(1)?)? {
            let fields = read_fields(row?.some_text(0)?)?;
            let url = fields.text(Field::Url).map(str::to_owned);
            found.facts.applied_urls.extend(url);
        }
        for row in JsonRow::read_all(&*part(2)?)? {
            let guards = serde_json::from_str(row?.some_text(0)?);
            found.facts.guards = guards.ok().flatten();
        }
        for row in JsonRow::read_all(&*part(3)?)? {
            let row = row?;
            found.facts.recorded.push(TrustedHost {
                host: row.some_text(0)?.to_owned(),
                at: row.some_text(1)?.to_owned(),
                actor: row.some_text(2)?.to_owned(),
                reason: row.some_text(3)?.to_owned(),
            });
        }
        found
            .facts
            .recorded
            .sort_by(|one, other| one.host.cmp(&other.host));
        Ok(found)
    }
}
