//! Listing number rows of PostgreSQL.

use super::PgStore;
use super::copy::CopiedRow;
use super::read::number_row;
use super::sql::config_id;
use crate::error::Result;
use crate::snapshot::SourceLine;
use crate::store::list::{ListedRow, RowFilter};

impl PgStore {
    pub(crate) async fn list(
        &mut self,
        filter: &RowFilter,
        each: &mut dyn FnMut(&ListedRow<'_>),
    ) -> Result<()> {
        let mut wanted = "true".to_owned();
        if let Some(tenant) = filter.tenant {
            wanted += &format!(" AND {} = '{tenant}'", self.tables.columns().tenant_id("n"));
        }
        if let Some(configs) = &filter.configs {
            let ids: Vec<String> = configs.iter().map(ToString::to_string).collect();
            wanted += &format!(
                " AND {} = ANY('{{{}}}'::uuid[])",
                config_id("n.rules"),
                ids.join(",")
            );
        }
        let (ours, joined) = if self.layout.own {
            (
                "b.since, b.file, b.line, s.fields::json->>'rollout'",
                format!(
                    "LEFT JOIN {schema}.lkroute_bindings b
                       ON b.number_id = {id} AND b.until IS NULL AND NOT b.retired
                     LEFT JOIN {schema}.lkroute_settings s ON s.id = b.settings
                       AND s.fields::json->>'config' = ({config})::text",
                    schema = self.quoted_schema,
                    config = config_id("n.rules"),
                    id = self.tables.columns().number_id("n"),
                ),
            )
        } else {
            (
                "NULL::int4, NULL::int4, NULL::int4, NULL::text",
                String::new(),
            )
        };
        let sql = format!(
            "COPY (SELECT {columns}, {ours}
               FROM {schema}.voice_agent_numbers n {joined}
               WHERE {wanted} ORDER BY n.tenant_id, n.country_code, n.base_number, n.id
             ) TO STDOUT (FORMAT binary)",
            columns = self.tables.columns().of_numbers("n"),
            schema = self.quoted_schema
        );
        self.stream(&sql, |row: CopiedRow<'_, 11>| {
            let source = row.int4(8)?.zip(row.int4(9)?);
            each(&ListedRow {
                row: number_row(row)?,
                since: row.int4(7)?.map(i64::from),
                rollout: row.text(10)?,
                source: source.and_then(|(file, line)| {
                    Some(SourceLine {
                        file: file.try_into().ok()?,
                        line: line.try_into().ok()?,
                    })
                }),
            });
            Ok(())
        })
        .await
    }
}
