//! Hints about the database: its URL, its environment, its schema, its rows.

use super::{Lkroute, run};
use crate::gate;
use crate::support::Run;

fn sqlite(lkroute: &Lkroute) -> String {
    format!("sqlite://{}", lkroute.path().join("lkroute.db").display())
}

fn environments(lkroute: &Lkroute) {
    lkroute.write(
        "routing/environments.toml",
        "[environments.production]\ndatabase = \"PRODUCTION_URL\"\n\n\
         [environments.staging]\ndatabase = \"STAGING_URL\"\n",
    );
}

#[test]
fn variables_that_name_no_database() {
    let mut lkroute = Lkroute::with_two_regions();
    lkroute.env("CI", "true");
    let unnamed = run(&lkroute, "plan").expect_code(1);
    let hinted =
        unnamed.told("set DATABASE_URL, or say `--database sqlite://lkroute.db` if that is meant");
    hinted
        .with(&lkroute, "plan --database sqlite://lkroute.db")
        .expect_code(0);
    lkroute.env("DATABASE_URL", "");
    let empty = run(&lkroute, "plan").expect_code(1);
    let hinted =
        empty.told("a secret that this run can't see? An empty one never means the default");
    let url = sqlite(&lkroute);
    hinted.then(|| lkroute.env("DATABASE_URL", &url));
    run(&lkroute, "plan").expect_code(0);
    lkroute.env("DATABASE_URL", "mysql://h/d");
    let other = run(&lkroute, "plan").expect_code(1);
    let hinted =
        other.told("write --database sqlite://lkroute.db or postgres://HOST:PORT/DATABASE");
    hinted
        .with(&lkroute, "plan --database sqlite://lkroute.db")
        .expect_code(0);
    let mut odd = lkroute.command(&["plan"]);
    let odd = odd
        .env(
            "DATABASE_URL",
            <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"\xff"),
        )
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&odd.stderr).into_owned();
    let hinted = crate::support::told(
        &said,
        "set it again; a password in a URL is percent-encoded",
    );
    hinted.then(|| lkroute.env("DATABASE_URL", &url));
    run(&lkroute, "plan").expect_code(0);
    let mut odd = lkroute.command(&["plan"]);
    let odd = odd
        .env(
            "LKROUTE_KEYS",
            <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"\xff"),
        )
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&odd.stderr).into_owned();
    let hinted = crate::support::told(&said, "set it again, from a text file");
    let key = hinted
        .then(|| run(&lkroute, "secrets keygen"))
        .expect_code(0)
        .stdout;
    lkroute.env("LKROUTE_KEYS", key.trim());
    run(&lkroute, "plan").expect_code(0);
}

#[test]
fn environments_and_their_databases() {
    let mut lkroute = Lkroute::with_two_regions();
    environments(&lkroute);
    let url = sqlite(&lkroute);
    let unset = run(&lkroute, "plan --env production").expect_code(1);
    let hinted = unset.told("set it, or say --database; no other variable counts");
    hinted
        .with(&lkroute, &format!("plan --env production --database {url}"))
        .expect_code(0);
    lkroute.env("PRODUCTION_URL", &url).env("STAGING_URL", &url);
    run(&lkroute, "apply --env production --auto-approve").expect_code(0);
    lkroute.edit("routing/uae.toml", "voag-staging", "voag-two");
    run(&lkroute, "apply --env production --auto-approve").expect_code(0);
    // Another's database.
    let hint =
        "is it the right database? A copy of one is stamped anew by `lkroute migrate --restamp`";
    let other = run(&lkroute, "list --env staging").expect_code(6);
    other.says("the database belongs to the environment `{stamped}`, not to `{wanted}`, which --env or LKROUTE_ENV names");
    let unchosen = run(&lkroute, "plan").told("an environment has to be chosen: {listed}");
    unchosen
        .then(|| run(&lkroute, "plan --env production"))
        .expect_code(0);
    let blank = lkroute.run(&["migrate", "--env", "production", "--restamp", ""]);
    blank.expect_code(1).says("--restamp names no environment");
    let asked = other
        .told(hint)
        .with(&lkroute, "migrate --env production --restamp staging")
        .expect_code(1);
    let hinted = asked.told("say --auto-approve, if it is a copy and not the database itself");
    hinted
        .with(
            &lkroute,
            "migrate --env production --restamp staging --auto-approve",
        )
        .expect_code(0);
    run(&lkroute, "list --env staging").expect_code(0);
    // What writes has to name it.
    let database = format!("--database {url}");
    let unnamed = run(
        &lkroute,
        &format!("rollback {database} --reason why --auto-approve"),
    );
    let hinted = unnamed.expect_code(6).told("say --env {stamped}");
    let named = hinted.with(
        &lkroute,
        &format!("rollback {database} --env staging --reason why --auto-approve"),
    );
    assert!([0, 1].contains(&named.code), "{}", named.stderr);
    // Another tree.
    lkroute.edit("routing/tenants.toml", "lkroute-sample", "another-tree");
    let others = run(&lkroute, "plan --env staging").expect_code(6);
    let hinted = others.told("is it the right database? Another tree or environment needs its own");
    let own = format!("sqlite://{}", lkroute.path().join("own.db").display());
    hinted
        .then(|| run(&lkroute, &format!("plan --env staging --database {own}")))
        .expect_code(0);
    // No environment yet.
    let plain = Lkroute::with_two_regions();
    run(&plain, "apply --auto-approve").expect_code(0);
    let none = run(&plain, "migrate --restamp staging --auto-approve").expect_code(1);
    let hinted = none.told("the next apply with --env that has something to write stamps it");
    let mut plain = plain;
    environments(&plain);
    let url = sqlite(&plain);
    plain.env("STAGING_URL", &url);
    plain.edit("routing/uae.toml", "voag-staging", "voag-two");
    hinted
        .with(&plain, "apply --env staging --auto-approve")
        .expect_code(0);
    run(
        &plain,
        "migrate --env staging --restamp test --auto-approve",
    )
    .expect_code(0);
}

#[test]
fn an_environment_without_a_database() {
    let lkroute = Lkroute::with_two_regions();
    lkroute.write("routing/environments.toml", "[environments.staging]\n");
    let unnamed = run(&lkroute, "plan --env staging");
    if unnamed.code == 1 {
        let hinted = unnamed
            .told("write `database = \"VARIABLE\"` into [environments.{name}], or say --database");
        let url = sqlite(&lkroute);
        hinted
            .with(&lkroute, &format!("plan --env staging --database {url}"))
            .expect_code(0);
    }
}

#[test]
fn guards_that_are_stored() {
    let lkroute = Lkroute::with_two_regions();
    run(&lkroute, "apply --auto-approve").expect_code(0);
    let fine = run(&lkroute, "migrate --reset-guards --reason why").expect_code(1);
    let hinted = fine.told("change them in the files: that is reviewed, and applied like the rest");
    hinted.then(|| lkroute.write("routing/guards.toml", "[guards]\nreroutes = { max = 9 }\n"));
    run(&lkroute, "apply --auto-approve").expect_code(0);
    lkroute.sql("UPDATE lkroute_applies SET guards = 'nonsense' WHERE guards <> 'null'");
    let broken = run(&lkroute, "plan").expect_code(1);
    let hinted = broken.told(
        "a newer lkroute may read them; `lkroute migrate --reset-guards --reason TEXT` forgets them, and keeps a record of it: then only those of the files hold",
    );
    hinted.run(&lkroute, &[("TEXT", "edited")]).expect_code(0);
    run(&lkroute, "plan").expect_code(0);
    let version = lkroute.sql("SELECT CAST(schema_version AS TEXT) FROM lkroute_state");
    lkroute.sql("UPDATE lkroute_state SET schema_version = 99");
    let newer = run(&lkroute, "plan").expect_code(1);
    let older = format!("UPDATE lkroute_state SET schema_version = {version}");
    newer
        .told("use a newer lkroute")
        .then(|| lkroute.sql(&older));
    run(&lkroute, "plan").expect_code(0);
}

#[test]
fn files_of_sqlite() {
    let lkroute = Lkroute::with_two_regions();
    lkroute.write("lkroute.db", &"no database at all ".repeat(100));
    let broken = run(&lkroute, "list").expect_code(1);
    let hinted = broken.told("this file is no intact SQLite database");
    hinted
        .then(|| std::fs::remove_file(lkroute.path().join("lkroute.db")))
        .expect("removed");
    run(&lkroute, "apply --auto-approve").expect_code(0);
    lkroute.sql("DROP TABLE voice_agent_livekit");
    let gone = run(&lkroute, "resolve --from +971545335200").expect_code(1);
    let said = format!("{}{}", gone.stdout, gone.stderr);
    assert_contains!(said, "lkroute");
}

#[test]
fn urls_of_postgresql() {
    let lkroute = Lkroute::with_two_regions();
    let at = |url: &str| run(&lkroute, &format!("list --database {url}")).expect_code(1);
    // Nothing listens there: what leads on comes as far as the network.
    let sound = |ran: Run| {
        ran.told("check host, port and network; nothing was changed by this")
            .then(|| ());
    };
    let base = "postgres://lkroute@127.0.0.1:1/lad";
    let unknown = at(&format!("{base}?made_up=1"));
    let hint = "it may be a piece of a password that is not percent-encoded, so it is not shown; docs/databases.md lists the parameters that count";
    unknown.told(hint).then(|| sound(at(base)));
    let several = at(&format!("{base}?schema=a,b"));
    let hinted = several.told("lkroute's tables are in one: name it alone, or with --schema");
    sound(hinted.with(&lkroute, &format!("list --schema a --database {base}")));
    let value = at(&format!("{base}?target_session_attrs=some"));
    let hinted = value.told("docs/databases.md lists the parameters and their values");
    hinted.then(|| sound(at(&format!("{base}?target_session_attrs=any"))));
    let refused = at(&format!("{base}?channel_binding=require"));
    let hinted = refused.told("take it out; docs/databases.md lists the parameters that count");
    hinted.then(|| sound(at(base)));
    let mut twice = Lkroute::with_two_regions();
    twice.env("LKROUTE_SCHEMA", "one");
    let both = run(&twice, &format!("list --database {base}?schema=two")).expect_code(1);
    let hinted = both.told("let them agree, or say --schema, which comes before all");
    sound(hinted.with(
        &twice,
        &format!("list --schema two --database {base}?schema=two"),
    ));
}

#[test]
fn schemas_tables_and_rights() {
    let Some((_, mut db)) = gate::world("followed") else {
        return;
    };
    let mut lkroute = Lkroute::with_two_regions();
    lkroute.env("DATABASE_URL", &db.url);
    let elsewhere = run(&lkroute, "migrate").expect_code(1);
    let hint = "say --schema (or LKROUTE_SCHEMA, or ?schema= in the URL); `lkroute migrate --create-application-tables` makes tables of its own all the same";
    let tables = elsewhere.told(hint);
    tables
        .with(&lkroute, "--schema lad_dev migrate --check")
        .expect_code(1);
    lkroute.env("LKROUTE_SCHEMA", "lad_dev");
    let unmigrated = run(&lkroute, "apply --auto-approve").expect_code(1);
    let hinted =
        unmigrated.told("run `lkroute migrate`, or `lkroute migrate --dry-run` to see the SQL");
    let dry = hinted.with(&lkroute, "migrate --dry-run").expect_code(0);
    assert_contains!(dry.stdout, "CREATE TABLE");
    let migrated = hinted.run(&lkroute, &[]).expect_code(0);
    migrated
        .told("so look-ups read all of it: `lkroute migrate --index` builds one")
        .run(&lkroute, &[])
        .expect_code(0);
    run(&lkroute, "apply --auto-approve").expect_code(0);
    // A role without rights, a wrong password, a database that is not there.
    let (role, url) = db.role("reader");
    db.psql(&format!("GRANT USAGE ON SCHEMA lad_dev TO {role}"));
    let denied = run(&lkroute, &format!("list --database {url}")).expect_code(1);
    let hinted = denied.told("the README lists the GRANTs that each command needs");
    hinted.then(|| {
        db.psql(&format!(
            "GRANT SELECT ON ALL TABLES IN SCHEMA lad_dev TO {role}"
        ))
    });
    run(&lkroute, &format!("list --database {url}")).expect_code(0);
    let none = db.url.replace(&db.name, "made_up_database");
    let missing = run(&lkroute, &format!("list --database {none}")).expect_code(1);
    let hinted = missing.told("check the database's name in the URL");
    hinted.then(|| run(&lkroute, "list")).expect_code(0);
    // Rows that are hidden.
    db.psql("ALTER TABLE lad_dev.voice_agent_numbers ENABLE ROW LEVEL SECURITY");
    let hidden = run(&lkroute, &format!("list --database {url}")).expect_code(1);
    let hinted = hidden.told(
        "what is hidden would count as not there; use a role with BYPASSRLS, or give it a policy of its own, and no other: USING (true)",
    );
    hinted.then(|| {
        db.psql(&format!(
            "CREATE POLICY p ON lad_dev.voice_agent_numbers TO {role} USING (true)"
        ))
    });
    run(&lkroute, &format!("list --database {url}")).expect_code(0);
    // A table of ours that somebody dropped.
    db.psql("ALTER TABLE lad_dev.lkroute_tenants RENAME TO kept");
    let gone = run(&lkroute, "apply --auto-approve").expect_code(1);
    let hinted = gone.told("somebody dropped it: bring it back from a backup of the database");
    hinted.then(|| db.psql("ALTER TABLE lad_dev.kept RENAME TO lkroute_tenants"));
    run(&lkroute, "apply --auto-approve").expect_code(0);
    // A column of a type that can't be written.
    db.psql("ALTER TABLE lad_dev.voice_agent_livekit ALTER description TYPE bytea USING NULL");
    let odd = run(&lkroute, "plan").expect_code(1);
    let hinted = odd.told("lkroute reads and writes the types that docs/databases.md lists");
    hinted.then(|| db.psql("ALTER TABLE lad_dev.voice_agent_livekit ALTER description TYPE text USING 'LiveKit on a VM in the UAE'"));
    run(&lkroute, "plan").expect_code(0);
    lkroute.env("LKROUTE_SCHEMA", "made_up");
    tables.run(&lkroute, &[]).expect_code(0);
}

#[test]
fn locks_that_others_hold() {
    let Some((lkroute, db)) = gate::applied("followedlock") else {
        return;
    };
    lkroute.edit("routing/uae.toml", "voag-staging", "voag-two");
    let hold = |table: &str, seconds: u32| {
        let url = db.url.clone();
        let sql = format!(
            "BEGIN; SET application_name = 'holder'; LOCK TABLE lad_dev.{table} IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep({seconds}); ROLLBACK"
        );
        let postgres = db.postgres();
        let held = std::thread::spawn(move || postgres.psql_at(&url, &sql));
        let locked = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND relation IS NOT NULL";
        let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while db.psql(locked) == "0" && std::time::Instant::now() < until {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        held
    };
    let held = hold("voice_agent_numbers", 4);
    let waited = run(&lkroute, "plan --lock-timeout 1").expect_code(1);
    let hinted = waited
        .told("nothing was changed; try again when it is done, or wait longer with --lock-timeout");
    hinted
        .with(&lkroute, "plan --lock-timeout 30")
        .expect_code(0);
    held.join().expect("no panic").expect("psql");
}
