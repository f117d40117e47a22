//! Trusted servers on SQLite.

use super::SqliteStore;
use super::sql::statement;
use crate::store::cells::Cells;
use sqlx::Result;

impl SqliteStore {
    pub async fn trust(&mut self) -> Result<String> {
        let sql = self.look_at_tables().await?.trust_statement();
        let row = statement(sql).fetch_one(&mut self.conn).await?;
        Ok(row.some_text(0)?.to_owned())
    }

    pub async fn record_trust(&mut self, host: &str, actor: &str, reason: &str) -> Result<()> {
        let sql = "INSERT INTO lkroute_trusted_hosts (host, actor, reason) VALUES (?, ?, ?)
                   ON CONFLICT (host) DO UPDATE SET
                     at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now'),
                     actor = excluded.actor, reason = excluded.reason";
        let insert = statement(sql)
            .bind(host.to_owned())
            .bind(actor.to_owned())
            .bind(reason.to_owned());
        insert.execute(&mut self.conn).await.map(drop)
    }

    pub async fn revoke_trust(&mut self, host: &str) -> Result<u64> {
        let delete = statement("DELETE FROM lkroute_trusted_hosts WHERE host = ?");
        let done = delete.bind(host.to_owned()).execute(&mut self.conn).await?;
        Ok(done.rows_affected())
    }
}
