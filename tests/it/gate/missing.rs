//! What is missing: `plan` and `migrate --check` agree on it, whatever it is.

use std::thread;

use sqlx::{Connection, SqliteConnection};

use super::{applied, run};
use crate::support::{Db, Lkroute, Run};

/// Whether both go on; where they don't, both name the thing in one way.
fn agree(lkroute: &Lkroute, thing: &str) -> bool {
    let (plan, check) = thread::scope(|scope| {
        let plan = scope.spawn(|| run(lkroute, "plan"));
        let check = run(lkroute, "migrate --check");
        (plan.join().expect("its end"), check)
    });
    let both = format!("{thing}: plan: {}; check: {}", plan.words(), check.words());
    assert!(plan.code <= 1 && check.code <= 1, "{both}");
    assert_eq!(plan.code, check.code, "{both}");
    if plan.code == 1 {
        let error = |ran: &Run| {
            let said = ran.words();
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
         FROM pg_constraint c WHERE c.connamespace = 'lad_dev'::regnamespace
           AND (c.conrelid::regclass::text NOT LIKE '%.lkroute\\_%' OR c.contype NOT IN ('p', 'u'))
         ORDER BY 1",
    );
    for (table, constraint) in columns(&constraints) {
        db.psql(&format!(
            "ALTER TABLE {table} DROP CONSTRAINT {constraint} CASCADE"
        ));
        agree(&lkroute, &constraint);
    }
    let indexes = db.psql(
        "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
         WHERE c.relnamespace = 'lad_dev'::regnamespace
           AND (i.indrelid::regclass::text NOT LIKE '%.lkroute\\_%' OR NOT i.indisunique)",
    );
    assert_contains!(indexes, "lkroute_dispatches_at");
    for index in indexes.lines() {
        db.psql(&format!("DROP INDEX lad_dev.\"{index}\""));
        assert!(agree(&lkroute, index));
    }
}

/// Without them nothing keeps a call from being placed twice under one key, or
/// a number from having two owners: told by `migrate --check`, and brought back.
#[test]
fn unique_keys_of_our_own_tables() {
    let Some((lkroute, db)) = applied("keys") else {
        return;
    };
    let keys = db.psql(
        "SELECT c.conrelid::regclass::text || '|' || c.conname || ' ' ||
           (SELECT string_agg(a.attname, ', ' ORDER BY k.n) FROM unnest(c.conkey) WITH ORDINALITY k(no, n)
              JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.no)
         FROM pg_constraint c WHERE c.connamespace = 'lad_dev'::regnamespace
           AND c.conrelid::regclass::text LIKE '%.lkroute\\_%' AND c.contype IN ('p', 'u')",
    );
    let keys = columns(&keys);
    assert!(keys.len() >= 12, "{keys:?}");
    for (table, key) in &keys {
        let (constraint, key) = key.split_once(' ').expect("a name and columns");
        db.psql(&format!("ALTER TABLE {table} DROP CONSTRAINT {constraint}"));
        let (_, table) = table.split_once('.').expect("a schema");
        let check = run(&lkroute, "migrate --check").expect_code(1);
        let missing = format!("the unique key ({key}) of {table}, which is gone");
        assert_contains!(check.words(), missing);
        // What only reads goes on, and what writes does not.
        run(&lkroute, "plan").expect_code(0);
    }
    let refused = run(&lkroute, "apply --auto-approve").expect_code(1);
    assert_contains!(refused.words(), "`lkroute migrate`");
    // Behind a call that is in doubt, another one under its key.
    let call = "INSERT INTO lad_dev.lkroute_dispatches
           (id, at, status, idempotency_key, from_number, to_number, room, worker, actor, detail)
         VALUES (gen_random_uuid(), now(), 'unknown', 'k', 1, '2', 'r', 'w', 'a', '{}')";
    db.psql(&format!("{call}; {call}"));
    let failed = run(&lkroute, "migrate").expect_code(1);
    let hinted = failed.told(
        "rows there are double since the key is gone: one of each has to go; nothing was changed",
    );
    hinted.then(|| {
        db.psql(
            "DELETE FROM lad_dev.lkroute_dispatches WHERE id <> (SELECT min(id::text)::uuid
               FROM lad_dev.lkroute_dispatches)",
        )
    });
    run(&lkroute, "migrate").expect_code(0);
    run(&lkroute, "migrate --check").expect_code(0);
    let twice = db.psql_as(&db.url, call);
    let twice = twice.expect_err("the key");
    assert_contains!(twice, "lkroute_dispatches_idempotency_key_key");
}

#[test]
fn a_unique_key_of_our_own_on_sqlite() {
    let lkroute = Lkroute::with_two_regions();
    run(&lkroute, "apply --auto-approve").expect_code(0);
    run(&lkroute, "migrate --check").expect_code(0);
    let file = lkroute.path().join("lkroute.db");
    let sql = |sql: &str| {
        crate::support::block_on(async {
            let file = file.to_str().expect("a path");
            let mut conn = SqliteConnection::connect(file).await.expect("connect");
            let ran = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()));
            ran.execute(&mut conn).await.expect("run");
        });
    };
    // As a tool does that copies a table.
    sql("CREATE TABLE copied AS SELECT * FROM lkroute_dispatches;
         DROP TABLE lkroute_dispatches;
         ALTER TABLE copied RENAME TO lkroute_dispatches");
    let check = run(&lkroute, "migrate --check").expect_code(1);
    let missing = "the unique key (idempotency_key) of lkroute_dispatches, which is gone";
    assert_contains!(check.words(), missing);
    run(&lkroute, "migrate").expect_code(0);
    run(&lkroute, "migrate --check").expect_code(0);
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
