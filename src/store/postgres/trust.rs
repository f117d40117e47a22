//! Trusted servers on PostgreSQL.

use super::PgStore;
use super::sql::literal;
use crate::store::cells::Cells;
use crate::store::trouble::code;
use sqlx::Result;

impl PgStore {
    /// In one round trip where all tables are there.
    pub async fn trust(&mut self) -> Result<String> {
        match self.ask_trust().await {
            Err(error) if is_missing(&error) => {
                self.load_columns().await?;
                self.ask_trust().await
            }
            answered => answered,
        }
    }

    async fn ask_trust(&mut self) -> Result<String> {
        let answers = self.ask(&self.tables.trust_statement()).await?;
        let text = answers.iter().flatten().next();
        let text = text.map(|row| row.some_text(0)).transpose()?;
        Ok(text.unwrap_or_default().to_owned())
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
        self.ask(&sql).await.map(|_| ())
    }

    pub async fn revoke_trust(&mut self, host: &str) -> Result<u64> {
        let sql = format!(
            "DELETE FROM {}.lkroute_trusted_hosts WHERE host = {} RETURNING host",
            self.q,
            literal(host)
        );
        let gone = self.ask(&sql).await?;
        Ok(gone.iter().map(|rows| rows.len() as u64).sum())
    }
}

fn is_missing(error: &sqlx::Error) -> bool {
    code(error).as_deref() == Some("42P01")
}
