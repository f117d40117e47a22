//! Listing number rows of SQLite.

use futures_util::TryStreamExt;

use super::SqliteStore;
use super::read::{number_columns, number_row};
use super::sql::{json, statement};
use crate::error::Result;
use crate::lookup::{sqlite_config_id, sqlite_uuid_digits};
use crate::store::decode;
use crate::store::list::{ListedRow, RowFilter};
use crate::store::row_ext::RowExt;

impl SqliteStore {
    pub(crate) async fn list(
        &mut self,
        filter: &RowFilter,
        each: &mut dyn FnMut(&ListedRow<'_>),
    ) -> Result<()> {
        let listed = self.list_rows(filter, each).await;
        listed.map_err(|error| self.database_error(error))
    }

    async fn list_rows(
        &mut self,
        filter: &RowFilter,
        each: &mut dyn FnMut(&ListedRow<'_>),
    ) -> Result<(), sqlx::Error> {
        let config = sqlite_config_id("n.rules");
        let (ours, joined) = if self.layout.own {
            (
                "b.since, b.file, b.line, s.fields ->> '$.rollout'",
                format!(
                    "LEFT JOIN lkroute_bindings b
                       ON b.number_id = n.id AND b.until IS NULL AND NOT b.retired
                     LEFT JOIN lkroute_settings s
                       ON s.id = b.settings AND s.fields ->> '$.config' = {config}"
                ),
            )
        } else {
            ("NULL, NULL, NULL, NULL", String::new())
        };
        let sql = format!(
            "SELECT {columns}, {ours}
                   FROM voice_agent_numbers n {joined}
                   WHERE (?1 IS NULL OR {tenant} = replace(?1, '-', '')) AND (?2 IS NULL OR {config}
                     IN (SELECT value FROM json_each(?2)))
                   ORDER BY n.tenant_id, n.country_code, n.base_number, n.id",
            columns = number_columns(),
            tenant = sqlite_uuid_digits("n.tenant_id"),
        );
        let configs = filter.configs.as_ref().map(|configs| json(configs));
        let query = statement(sql)
            .bind(filter.tenant.map(|tenant| tenant.to_string()))
            .bind(configs.transpose()?);
        let mut stream = query.fetch(&mut self.conn);
        while let Some(row) = stream.try_next().await? {
            each(&ListedRow {
                row: number_row(&row, 0)?,
                since: row.int(7)?,
                rollout: row.text(10)?,
                source: decode::source(&row, 8)?,
            });
        }
        Ok(())
    }
}
