//! Trusted servers on PostgreSQL.

use super::PgStore;
use crate::store::error_map::error_code;
use crate::store::row_ext::RowExt;
use sqlx::Result;

impl PgStore {
    /// In one round trip where all tables are there.
    pub(crate) async fn trust(&mut self) -> Result<String> {
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
}

fn is_missing(error: &sqlx::Error) -> bool {
    error_code(error).as_deref() == Some("42P01")
}
