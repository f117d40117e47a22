//! The grants of the README are enough for the commands that they name, and
//! name each table that is read or written.

use crate::support::{Legacy, Lkroute, Postgres};

/// The SQL of the README, by the comment before each part.
fn parts() -> Vec<(String, String)> {
    let readme = include_str!("../../README.md");
    let block = readme.split("```sql\n").nth(1).expect("a block of SQL");
    let block = block.split("```").next().expect("its end");
    let mut parts: Vec<(String, String)> = Vec::new();
    for line in block.lines() {
        match (line.strip_prefix("-- "), parts.last_mut()) {
            (Some(comment), Some((title, sql))) if sql.is_empty() => *title += comment,
            (Some(comment), _) => parts.push((comment.to_owned(), String::new())),
            (None, Some((_, sql))) => *sql += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    parts
}

#[test]
fn the_grants_of_the_readme_are_enough() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let mut db = postgres.database("grants");
    Legacy::named("lad_dev").install(&db);
    db.psql("TRUNCATE lad_dev.voice_agent_livekit, lad_dev.voice_agent_numbers");
    let (reader, reader_url) = db.role("reader");
    let (writer, writer_url) = db.role("writer");
    let (migrator, migrator_url) = db.role("migrator");
    let (operator, operator_url) = db.role("operator");
    let mut lkroute = Lkroute::with_two_regions();
    lkroute.env("LKROUTE_SCHEMA", "lad_dev");
    let run = |url: &str, command: &str, code: i32| {
        let args: Vec<&str> = command.split(' ').collect();
        let run = lkroute.run(&[&args[..], &["--database", url]].concat());
        run.expect_code(code)
    };
    run(&db.url, "migrate", 0);
    let parts = parts();
    assert!(parts.len() >= 4, "{parts:?}");
    for (title, sql) in &parts {
        assert!(!sql.contains("ALL TABLES"), "{title}: {sql}");
        let sql = sql.replace("lkroute_reader", &reader);
        let sql = sql.replace("lkroute_writer", &writer);
        let sql = sql.replace("lkroute_operator", &operator);
        db.psql(&sql.replace("lkroute_migrator", &migrator));
    }
    db.psql(&format!("GRANT {reader} TO {operator}"));
    for command in ["plan", "list", "history", "dispatches", "migrate --check"] {
        run(&reader_url, command, 0);
    }
    run(&reader_url, "apply --auto-approve", 1);
    run(&writer_url, "apply --auto-approve", 0);
    run(&reader_url, "plan --detailed-exitcode", 0);
    run(&reader_url, "drift", 0);
    run(
        &reader_url,
        "resolve --from +971545335200 --to +971545335201 --tenant sasya",
        0,
    );
    run(
        &reader_url,
        "history --address binding.+971545335200@sasya",
        0,
    );
    // Each kind of object changes, and comes back.
    lkroute.edit("routing/uae.toml", "voag-staging", "voag-production");
    lkroute.edit("routing/tenants.toml", "sasya =", "sasya-new =");
    let uae = lkroute.read("routing/uae.toml");
    let uae = uae.replace("tenant = \"sasya\"", "tenant = \"sasya-new\"");
    lkroute.write(
        "routing/uae.toml",
        &uae.replace("UAE, self-hosted", "The Emirates, self-hosted"),
    );
    run(&writer_url, "apply --auto-approve", 0);
    run(&writer_url, "rollback --to 1 --auto-approve", 0);
    run(
        &operator_url,
        "trust voice.partner.example --reason partner",
        0,
    );
    lkroute.edit("routing/uae.toml", "voag-production", "voag-next");
    run(&operator_url, "apply --auto-approve", 1);
    run(&writer_url, "trust other.example --reason none", 1);
    // False word: "history by adding to it".
    for (table, change) in [
        ("lkroute_applies", "actor = 'somebody'"),
        ("lkroute_configs", "fields = '{}'"),
        ("lkroute_bindings", "since = 0"),
    ] {
        for sql in [
            format!("UPDATE lad_dev.{table} SET {change}"),
            format!("DELETE FROM lad_dev.{table}"),
        ] {
            let told = db.psql_as(&writer_url, &sql).expect_err("refused");
            assert_contains!(told, "permission denied");
        }
    }
    let _ = migrator_url;
}
