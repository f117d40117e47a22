//! Bringing a SQLite file up to date. Imports sqlx and the shapes of
//! migrations.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, SqliteConnection};

use super::sql::run;
use crate::lookup::{CONFIG_COLUMNS, ColumnLimit, NUMBER_COLUMNS};
use crate::store::row_ext::RowExt;
use crate::store::schema::{
    CONFIGS, KeyColumns, MigrationStep, Migrations, NUMBERS, STATE, SchemaInspection,
};

pub(super) const MIGRATIONS: Migrations = Migrations {
    schema: None,
    configs: include_str!("../../../migrations/sqlite/application_configs.sql"),
    numbers: include_str!("../../../migrations/sqlite/application_numbers.sql"),
    worker_name: include_str!("../../../migrations/sqlite/application_worker_name.sql"),
    own: &[
        (
            "create lkroute's own tables",
            include_str!("../../../migrations/sqlite/0001_lkroute.sql"),
        ),
        (
            "give the database an identity",
            include_str!("../../../migrations/sqlite/0002_identity.sql"),
        ),
        (
            "make room for trusted servers",
            include_str!("../../../migrations/sqlite/0003_trusted_hosts.sql"),
        ),
        (
            "keep accounts for budgets",
            include_str!("../../../migrations/sqlite/0004_budget_account.sql"),
        ),
    ],
};

// Whoever reads a database refuses one of a later version than it knows.
const _: () = assert!(MIGRATIONS.own.len() as i64 == crate::lookup::SCHEMA_VERSION);

pub(super) const INDEX: &str = include_str!("../../../migrations/sqlite/index.sql");

pub(super) async fn inspect(conn: &mut SqliteConnection) -> Result<SchemaInspection, sqlx::Error> {
    let mut found = SchemaInspection {
        schema: true,
        ..SchemaInspection::default()
    };
    let sql = format!(
        "SELECT lower(m.name), lower(c.name), c.pk, m.type, c.hidden, c.type, c.\"notnull\",
           c.dflt_value IS NOT NULL OR c.hidden <> 0,
           EXISTS (SELECT 1 FROM pragma_table_list l WHERE l.name = m.name AND l.strict)
         FROM sqlite_master m JOIN pragma_table_xinfo(m.name) c
         WHERE m.type IN ('table', 'view')
           AND (lower(m.name) IN ('{CONFIGS}', '{NUMBERS}') OR m.name GLOB 'lkroute_*')"
    );
    let rows = sqlx::query(AssertSqlSafe(sql))
        .fetch_all(&mut *conn)
        .await?;
    let mut keys: BTreeMap<(String, String), KeyColumns> = BTreeMap::new();
    for row in &rows {
        let (table, column) = (row.some_text(0)?.to_owned(), row.some_text(1)?.to_owned());
        if row.some_int(2)? > 0 {
            let primary = keys.entry((table.clone(), String::new())).or_default();
            primary.insert(column.clone());
        }
        if row.text(3)? == Some("view") {
            found.unfit = Some(format!("{table} is a view, and no table"));
        }
        // Generated, virtual or stored.
        let is_read =
            NUMBER_COLUMNS.contains(&column.as_str()) || CONFIG_COLUMNS.contains(&column.as_str());
        if is_read && matches!(row.some_int(4)?, 2 | 3) {
            found.unfit = Some(format!(
                "{table}.{column} is generated, and can't be written"
            ));
        }
        let kind = row.text(5)?.unwrap_or_default().to_uppercase();
        if is_read && row.flag(8)? && !takes(&column, &kind) {
            found.unfit = Some(format!(
                "{table}.{column} is {kind} in a STRICT table, and can't hold what lkroute writes"
            ));
        }
        // What is put there becomes a fraction.
        if column == "base_number" && is_real(&kind) {
            found.unfit = Some(format!(
                "{table}.base_number is {kind}, and no whole number"
            ));
        }
        if [CONFIGS, NUMBERS].contains(&table.as_str()) {
            let limit = ColumnLimit {
                not_null: row.flag(6)?,
                has_default: row.flag(7)?,
                shown: kind,
                ..ColumnLimit::default()
            };
            found.limits.push(((table.clone(), column.clone()), limit));
        }
        found.tables.insert(table.clone());
        found.columns.insert((table, column));
    }
    let sql = "SELECT m.name, i.name, c.name FROM sqlite_master m
         JOIN pragma_index_list(m.name) i ON i.\"unique\" = 1 AND i.partial = 0
         JOIN pragma_index_xinfo(i.name) c ON c.key = 1
         WHERE m.type = 'table' AND m.name GLOB 'lkroute_*'";
    for row in &sqlx::query(sql).fetch_all(&mut *conn).await? {
        let (table, index) = (row.some_text(0)?.to_owned(), row.some_text(1)?.to_owned());
        // The value of an expression has no name, and is no column's.
        let column = row.text(2)?.unwrap_or_default().to_owned();
        keys.entry((table, index)).or_default().insert(column);
    }
    let keys = keys.into_iter().map(|((table, _), key)| (table, key));
    found.keys = keys.collect();
    if found.tables.contains(STATE) {
        let sql = "SELECT schema_version, environment FROM lkroute_state";
        if let Some(row) = sqlx::query(sql).fetch_optional(conn).await? {
            found.version = Some(row.some_int(0)?);
            found.environment = row.text(1)?.map(str::to_owned);
        }
    }
    Ok(found)
}

/// Whether a column of a STRICT table takes what lkroute writes into it.
fn takes(column: &str, kind: &str) -> bool {
    match kind {
        "TEXT" | "ANY" => true,
        "INT" | "INTEGER" => matches!(column, "base_number" | "country_code"),
        _ => false,
    }
}

/// Whether a column of this type makes fractions of numbers.
fn is_real(kind: &str) -> bool {
    let has = |words: &[&str]| words.iter().any(|word| kind.contains(word));
    has(&["REAL", "FLOA", "DOUB"]) && !has(&["INT", "CHAR", "CLOB", "TEXT", "BLOB"])
}

/// Carries the steps out, all or none.
pub(super) async fn carry_out(
    conn: &mut SqliteConnection,
    steps: &[MigrationStep],
) -> Result<(), sqlx::Error> {
    run(conn, "BEGIN IMMEDIATE").await?;
    for step in steps {
        if let Err(error) = run(conn, &step.sql).await {
            // The first error is the one to report.
            let _ = run(conn, "ROLLBACK").await;
            return Err(error);
        }
    }
    run(conn, "COMMIT").await
}

/// Any index that begins with base_number will do.
pub(super) async fn index_there(conn: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    let sql = "SELECT 1 FROM pragma_index_list('voice_agent_numbers') i
               JOIN pragma_index_info(i.name) c ON c.seqno = 0
               WHERE c.name = 'base_number' AND i.partial = 0";
    Ok(sqlx::query(sql).fetch_optional(conn).await?.is_some())
}
