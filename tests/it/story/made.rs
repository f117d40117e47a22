//! What others made before the story begins, and go on owning.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{INDIA, SECRETS, Story, UAE};
use crate::secrets_python::python;
use crate::store::base::*;
use crate::support::FERNET_KEY;

/// Secrets as the Python service writes them.
pub(super) fn sealed_by_python() -> Option<Vec<String>> {
    let code = "from cryptography.fernet import Fernet\n\
                seal = lambda plain: 'dev-s-t-' + Fernet(data['key']).encrypt(plain.encode()).decode()\n\
                print(json.dumps([seal(plain) for plain in data['plain']]))";
    let sealed = python(code, &json!({ "key": FERNET_KEY, "plain": SECRETS[..2] }))?;
    serde_json::from_value(sealed).expect("texts")
}

pub(super) fn tenant(n: u32) -> String {
    format!("{n:08x}-0000-4000-8000-000000000000")
}

/// The nth number: 200 in a row in the UAE, then 800 scattered over India; of
/// each tenant 25.
pub(super) fn number(n: u32) -> (&'static str, u64) {
    match n {
        0..200 => ("+971", 500_000_000 + u64::from(n)),
        _ => ("+91", 9_000_000_000 + u64::from(n) * 7),
    }
}

pub(super) fn address(n: u32) -> String {
    let (code, base) = number(n);
    format!("binding.{code}{base}@{}", tenant(n / 25))
}
impl Story {
    pub(super) async fn made_by_others(&self, sealed: &[String]) {
        let mut rows = Vec::new();
        let mut row = |tenant: u32, (code, base): (&str, u64), status: &str, rules: Value| {
            let nth = rows.len();
            rows.push(format!(
                "('{}', '{}', '{code}', {base}, 'Carrier {}', {status}, '{rules}', {nth})",
                id(u16::try_from(nth).expect("few")),
                self::tenant(tenant),
                tenant % 3,
            ));
        };
        for n in 0..1000 {
            let config = if n < 200 { CONFIG_UAE } else { CONFIG_INDIA };
            let rules = json!({ "livekit_config": config, "outbound": n % 3 == 0,
                "number_type": "mobile", "is_default": n % 25 == 0,
                "capabilities": ["voice", n], "ui": { "note": "é “quoted” \\ and", "nothing": null } });
            row(
                n / 25,
                number(n),
                if n % 2 == 0 { "'active'" } else { "NULL" },
                rules,
            );
        }
        let (india, dangling) = (
            json!({ "livekit_config": CONFIG_INDIA }),
            json!({ "livekit_config": id(0xdead) }),
        );
        let at = |n: u64| ("+91", 8_000_000_000 + n);
        for (number, status, rules) in [
            (at(1), "'active'", &india),
            (at(1), "NULL", &india),
            (number(999), "'active'", &json!({ "is_default": true })),
            (at(2), "'active'", &dangling),
            (at(3), "NULL", &dangling),
            (at(4), "'inactive'", &india),
            (at(5), "'active'", &json!(["no", "object"])),
            (at(6), "'active'", &json!({ "is_default": true })),
            (("+91", 7), "'active'", &india),
            (("India", 8_000_000_007), "'active'", &india),
        ] {
            row(39, number, status, rules.clone());
        }
        self.base
            .sql(&format!(
                "INSERT INTO {{voice_agent_livekit}}
                   (id, name, description, livekit_url, livekit_api_key, livekit_api_secret,
                    trunk_id, worker_name)
                 VALUES
                   ('{CONFIG_UAE}', '{UAE}', 'UAE, self-hosted VM', 'http://livekit.uae.example:7880',
                    'APImadeupuae', '{}', 'ST_svHE4RdTc7Ds', 'voag-staging'),
                   ('{CONFIG_INDIA}', '{INDIA}', NULL, 'wss://livekit.india.example',
                    'APImadeupindia', '{}', 'ST_MmVqEuBMDNf6', NULL)",
                sealed[0], sealed[1],
            ))
            .await;
        for rows in rows.chunks(200) {
            self.base
                .sql(&format!(
                    "INSERT INTO {{voice_agent_numbers}} (id, tenant_id, country_code, base_number,
                       provider, status, rules, default_agent_id)
                     VALUES {}",
                    rows.join(",\n")
                ))
                .await;
        }
        let user = id(1);
        for sql in [
            format!(
                "INSERT INTO {{users}} (id, tenant_id, email) VALUES ('{user}', '{}', 'a@b.example')",
                tenant(30)
            ),
            format!(
                "INSERT INTO {{voice_agents}} (id, tenant_id, name) VALUES (33, '{}', 'Agent 33')",
                tenant(0)
            ),
            format!(
                "CREATE TABLE {{call_logs}} (id integer PRIMARY KEY, number_id {} NOT NULL REFERENCES {{voice_agent_numbers}} (id))",
                if self.base.schema.is_some() {
                    "uuid"
                } else {
                    "text"
                }
            ),
            "INSERT INTO {call_logs} SELECT default_agent_id, id FROM {voice_agent_numbers}"
                .to_owned(),
        ] {
            self.base.sql(&sql).await;
        }
    }

    /// Every byte of the application's tables.
    pub(super) async fn application(&self) -> String {
        let mut all = String::new();
        for table in [
            "voice_agent_livekit",
            "voice_agent_numbers",
            "users",
            "voice_agents",
            "call_logs",
        ] {
            all += &self
                .base
                .sql(&format!("SELECT * FROM {{{table}}} ORDER BY id"))
                .await;
        }
        all
    }

    /// All that is not ours: whole rows of others, and of rows that lkroute
    /// manages the columns and the keys of `rules` that it does not.
    pub(super) async fn others(&self) -> String {
        let (keys, text) = match self.base.schema {
            Some(_) => ("rules - 'livekit_config' - 'outbound'", "n::text"),
            None => (
                "json_remove(rules, '$.livekit_config', '$.outbound')",
                "n.id || n.tenant_id || n.country_code || n.base_number || n.provider
                   || coalesce(n.status, '-') || n.rules || n.default_agent_id || n.created_at
                   || n.updated_at",
            ),
        };
        let mut all = String::new();
        for sql in [
            format!("SELECT {text} FROM {{voice_agent_numbers}} n WHERE default_agent_id >= 1000 ORDER BY id"),
            format!(
                "SELECT id, tenant_id, country_code, base_number, status, default_agent_id, created_at,
                   {keys} FROM {{voice_agent_numbers}} WHERE default_agent_id < 1000 ORDER BY id"
            ),
            "SELECT * FROM {voice_agent_livekit} WHERE name = 'theirs'".to_owned(),
            format!("SELECT id, created_at FROM {{voice_agent_livekit}} WHERE name IN ('{UAE}', '{INDIA}') ORDER BY id"),
            "SELECT * FROM {users}".to_owned(),
            "SELECT * FROM {voice_agents}".to_owned(),
            "SELECT * FROM {call_logs} ORDER BY id".to_owned(),
        ] {
            let rows = self.base.sql(&sql).await;
            all += &(rows + "\n");
        }
        all
    }

    /// The numbers that use the config of this name, by their place.
    pub(super) async fn users_of(&self, config: &str) -> BTreeSet<u32> {
        let key = match self.base.schema {
            Some(_) => "rules->>'livekit_config'",
            None => "json_extract(rules, '$.livekit_config')",
        };
        let rows = self
            .base
            .sql(&format!(
                "SELECT default_agent_id FROM {{voice_agent_numbers}}
                 WHERE default_agent_id < 1000 AND {key} =
                   (SELECT CAST(id AS text) FROM {{voice_agent_livekit}} WHERE name = '{config}')"
            ))
            .await;
        rows.lines().map(|n| n.parse().expect("a place")).collect()
    }
}
