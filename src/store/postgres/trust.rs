//! Trusted servers on PostgreSQL.

use super::PgStore;
use super::read::time;
use super::sql::{literal, sets};
use crate::store::trouble::code;
use crate::store::trust::{TrustPart, TrustRows};

type Result<T> = std::result::Result<T, sqlx::Error>;

impl PgStore {
    /// In one round trip where all tables are there.
    pub async fn trust(&mut self) -> Result<TrustRows> {
        match self.ask_trust(&TrustPart::ALL).await {
            Err(error) if is_missing(&error) => {}
            answered => return answered,
        }
        let mut there = Vec::new();
        for part in TrustPart::ALL {
            match self.ask_trust(&[part]).await {
                Err(error) if is_missing(&error) => {}
                Err(error) => return Err(error),
                Ok(_) => there.push(part),
            }
        }
        self.ask_trust(&there).await
    }

    async fn ask_trust(&mut self, parts: &[TrustPart]) -> Result<TrustRows> {
        let mut found = TrustRows::default();
        if parts.is_empty() {
            return Ok(found);
        }
        let q = format!("{}.", self.q);
        let statements = parts.iter().map(|part| part.sql(&q, &time("t.at")));
        let sql = statements.collect::<Vec<_>>().join(";\n");
        let answers = sets(&mut self.conn, &sql).await?;
        for (part, rows) in parts.iter().zip(&answers) {
            rows.iter().try_for_each(|row| found.take(*part, row))?;
        }
        Ok(found)
    }

    pub async fn record_trust(&mut self, host: &str, actor: &str, reason: &str) -> Result<()> {
        let sql = format!(
            "INSERT INTO {}.lkroute_trusted_hosts (host, actor, reason) VALUES ({}, {}, {})
             ON CONFLICT (host) DO UPDATE
               SET at = now(), actor = EXCLUDED.actor, reason = EXCLUDED.reason",
            self.q,
            literal(host),
            literal(actor),
            literal(reason)
        );
        super::sql::run(&mut self.conn, &sql).await
    }

    pub async fn revoke_trust(&mut self, host: &str) -> Result<u64> {
        let sql = format!(
            "DELETE FROM {}.lkroute_trusted_hosts WHERE host = {} RETURNING host",
            self.q,
            literal(host)
        );
        let gone = sets(&mut self.conn, &sql).await?;
        Ok(gone.iter().map(|rows| rows.len() as u64).sum())
    }
}

fn is_missing(error: &sqlx::Error) -> bool {
    code(error).as_deref() == Some("42P01")
}
