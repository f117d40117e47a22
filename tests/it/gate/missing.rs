//! What is missing: `plan` and `migrate --check` agree on it, whatever it is.

use std::thread;

use super::{applied, run};
use crate::support::{Db, Lkroute, Run};

fn said(ran: &Run) -> String {
    let all = format!("{} {}", ran.stdout, ran.stderr);
    all.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether both go on; where they don't, both name the thing in one way.
fn agree(lkroute: &Lkroute, thing: &str) -> bool {
    let (plan, check) = thread::scope(|scope| {
        let plan = scope.spawn(|| run(lkroute, "plan"));
        let check = run(lkroute, "migrate --check");
        (plan.join().expect("its end"), check)
    });
    let both = format!("{thing}: plan: {}; check: {}", said(&plan), said(&check));
    assert!(plan.code <= 1 && check.code <= 1, "{both}");
    assert_eq!(plan.code, check.code, "{both}");
    if plan.code == 1 {
        let error = |ran: &Run| {
            let said = said(ran);
            let from = said.find("error").unwrap_or_default();
            said[from..].to_owned()
        };
        assert_eq!(error(&plan), error(&check), "{thing}");
        let last = thing.rsplit('.').next().expect("a name");
        let is_named = error(&plan).contains(last) || error(&plan).contains("application's table");
        assert!(is_named, "{both}");
    }
    plan.code == 0
}

/// Table and column of the application's and of ours.
fn columns(rows: &str) -> Vec<(String, String)> {
    let pairs = rows.lines().map(|row| row.split_once('|').expect("two"));
    let pairs = pairs.map(|(table, column)| (table.to_owned(), column.to_owned()));
    pairs.collect()
}

/// Columns without which there is a plan, and a dispatch, all the same.
fn is_spare(table: &str, column: &str) -> bool {
    let spare = ["created_at", "updated_at", "default_agent_id"];
    !table.starts_with("lkroute_") && spare.contains(&column)
}

#[test]
fn columns_and_tables_on_postgres() {
    let Some((lkroute, db)) = applied("missing") else {
        return;
    };
    let all = columns(&db.psql(
        "SELECT table_name, column_name FROM information_schema.columns
         WHERE table_schema = 'lad_dev'
           AND (table_name LIKE 'lkroute\\_%' OR table_name IN ('voice_agent_numbers', 'voice_agent_livekit'))
         ORDER BY 1, ordinal_position",
    ));
    assert!(all.len() > 70, "{}", all.len());
    assert!(agree(&lkroute, "nothing"));
    for (table, column) in &all {
        // What a migration brings is no reason for plan to fail.
        if column == "worker_name" {
            continue;
        }
        let rename = |from: &str, to: &str| {
            db.psql(&format!(
                "ALTER TABLE lad_dev.{table} RENAME COLUMN {from} TO {to}"
            ));
        };
        rename(column, "moved");
        let goes_on = agree(&lkroute, &format!("{table}.{column}"));
        rename("moved", column);
        assert_eq!(goes_on, is_spare(table, column), "{table}.{column}");
    }
    let mut tables: Vec<&str> = all.iter().map(|(table, _)| table.as_str()).collect();
    tables.dedup();
    for table in tables {
        let rename = |from: &str, to: &str| {
            db.psql(&format!("ALTER TABLE lad_dev.{from} RENAME TO {to}"));
        };
        rename(table, "moved");
        let goes_on = agree(&lkroute, table);
        rename("moved", table);
        assert!(!goes_on, "{table}");
    }
    assert!(agree(&lkroute, "nothing"));
}

/// One after the other, and none is brought back: a plan reads without them.
#[test]
fn constraints_and_indexes() {
    let Some((lkroute, db)) = applied("constraints") else {
        return;
    };
    let constraints = db.psql(
        "SELECT c.conrelid::regclass::text || '|' || quote_ident(c.conname)
         FROM pg_constraint c WHERE c.connamespace = 'lad_dev'::regnamespace ORDER BY 1",
    );
    for (table, constraint) in columns(&constraints) {
        db.psql(&format!(
            "ALTER TABLE {table} DROP CONSTRAINT {constraint} CASCADE"
        ));
        agree(&lkroute, &constraint);
    }
    let indexes = db.psql("SELECT indexname FROM pg_indexes WHERE schemaname = 'lad_dev'");
    for index in indexes.lines() {
        db.psql(&format!("DROP INDEX lad_dev.\"{index}\""));
        assert!(agree(&lkroute, index));
    }
}

/// The rights of the role that asks, table by table.
#[test]
fn privileges() {
    let Some((mut lkroute, mut db)) = applied("privileges") else {
        return;
    };
    let (role, url) = db.role("planner");
    lkroute.env("DATABASE_URL", &url);
    db.psql(&format!(
        "GRANT USAGE ON SCHEMA lad_dev TO {role};
         GRANT SELECT ON ALL TABLES IN SCHEMA lad_dev TO {role}"
    ));
    assert!(agree(&lkroute, "nothing"));
    let tables = tables(&db);
    assert!(tables.len() > 10, "{tables:?}");
    let mut needed = 0;
    for table in &tables {
        db.psql(&format!("REVOKE SELECT ON lad_dev.{table} FROM {role}"));
        needed += u32::from(!agree(&lkroute, table));
        db.psql(&format!("GRANT SELECT ON lad_dev.{table} TO {role}"));
    }
    assert!(needed >= 8, "{needed}");
    db.psql(&format!("REVOKE USAGE ON SCHEMA lad_dev FROM {role}"));
    assert!(!agree(&lkroute, "lad_dev"));
}

fn tables(db: &Db) -> Vec<String> {
    let tables = db.psql("SELECT tablename FROM pg_tables WHERE schemaname = 'lad_dev'");
    tables.lines().map(str::to_owned).collect()
}
