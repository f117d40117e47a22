//! Nothing waits for ever, and what waited says for whom.

use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::{applied, applied_in, run};
use crate::support::Postgres;

/// A session of somebody else's.
pub struct Session {
    runtime: tokio::runtime::Runtime,
    conn: PgConnection,
}

impl Session {
    pub fn open(url: &str) -> Session {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().build().expect("a runtime");
        let options: sqlx::postgres::PgConnectOptions = url.parse().expect("a URL");
        // A pooler refuses connections that ask for it.
        let options = options.extra_float_digits(None);
        let conn = runtime.block_on(PgConnection::connect_with(&options));
        Session {
            conn: conn.expect("connect"),
            runtime,
        }
    }

    pub fn run(&mut self, sql: &str) {
        let ran = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut self.conn);
        self.runtime.block_on(ran).expect("run");
    }

    pub fn value(&mut self, sql: &str) -> String {
        let row = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).fetch_one(&mut self.conn);
        sqlx::Row::get(&self.runtime.block_on(row).expect("run"), 0)
    }
}

#[test]
fn a_locked_table_is_waited_for_five_seconds_and_its_holder_is_named() {
    let Some((lkroute, db)) = applied("locked") else {
        return;
    };
    let url = format!("{}?application_name=backfill", db.url);
    for (table, commands) in [
        (
            "voice_agent_numbers",
            &["plan", "resolve --from +971545335200", "list"][..],
        ),
        ("voice_agent_livekit", &["plan", "apply --auto-approve"][..]),
        (
            "lkroute_state",
            &[
                "history",
                "dispatch --from +971545335200 --to +971501234567",
            ][..],
        ),
    ] {
        let mut holder = Session::open(&url);
        holder.run(&format!(
            "BEGIN; LOCK TABLE lad_dev.{table} IN ACCESS EXCLUSIVE MODE"
        ));
        for command in commands {
            let start = Instant::now();
            let ran = run(&lkroute, &format!("--lock-timeout 1 {command}")).expect_code(1);
            let all = format!("{}{}", ran.stdout, ran.stderr).replace('\n', " ");
            let all = crate::support::words_of(&all);
            assert!(start.elapsed() < Duration::from_secs(20), "{command}");
            assert!(
                all.contains("waited 1 s for `backfill` of the role lkroute"),
                "{command}: {all}"
            );
        }
        holder.run("ROLLBACK");
    }
    // Without a word: five seconds.
    let mut holder = Session::open(&url);
    holder.run("BEGIN; LOCK TABLE lad_dev.voice_agent_numbers IN ACCESS EXCLUSIVE MODE");
    let start = Instant::now();
    let ran = run(&lkroute, "list").expect_code(1);
    assert_contains!(ran.stderr, "waited 5 s");
    assert!(start.elapsed() >= Duration::from_secs(4));
}

/// Each does something else that an apply has to wait for: who builds an index
/// writes no number, and holds no row.
#[test]
fn what_an_apply_waits_for_is_told_as_it_is() {
    let Some((lkroute, db)) = applied("told_waits") else {
        return;
    };
    lkroute.edit("routing/uae.toml", "voag-staging", "voag-two");
    let url = format!("{}?application_name=backfill", db.url);
    let more = "[[bindings]]\nnumber = \"+971545335300\"\ntenant = \"sasya\"\n";
    for (held, told) in [
        (
            "CREATE INDEX made_up ON lad_dev.voice_agent_livekit (trunk_id)",
            "is building an index on voice_agent_livekit",
        ),
        (
            "LOCK TABLE lad_dev.voice_agent_numbers IN SHARE ROW EXCLUSIVE MODE",
            "has locked voice_agent_numbers",
        ),
        (
            "UPDATE lad_dev.voice_agent_numbers SET provider = provider",
            "is writing to voice_agent_numbers",
        ),
        (
            "SELECT 1 FROM lad_dev.voice_agent_numbers FOR SHARE",
            "has locked rows of voice_agent_numbers",
        ),
        (
            "CREATE INDEX made_up ON lad_dev.voice_agent_numbers (provider)",
            "is building an index on voice_agent_numbers",
        ),
    ] {
        let mut holder = Session::open(&url);
        holder.run(&format!("BEGIN; {held}"));
        let ran = run(&lkroute, "--lock-timeout 1 apply --auto-approve").expect_code(1);
        let said = ran.words();
        assert_contains!(said, "lkroute with backfill since ");
        assert!(
            said.contains(&format!("{told}: waited 1 s for the end of")),
            "{held}: {said}"
        );
        assert_lacks!(said, "a row");
        holder.run("ROLLBACK");
        if told.contains("has locked voice") {
            lkroute.write("routing/more.toml", more);
        }
    }
    run(&lkroute, "apply --auto-approve").expect_code(0);
}

/// It gives way to who waits for it for a second, and to nobody who tries for less: an
/// apply after a large one would end with a word of an autovacuum each time.
#[test]
fn an_autovacuum_gives_way_to_an_apply() {
    let settings = ["autovacuum=on", "autovacuum_naptime=1s"];
    let Some(postgres) = Postgres::own_with(&settings) else {
        return;
    };
    let (lkroute, db) = applied_in(postgres, "autovacuum");
    let rows = "INSERT INTO lad_dev.voice_agent_numbers (id, tenant_id, base_number, status)
                SELECT gen_random_uuid(), gen_random_uuid(), n, 'inactive'
                FROM generate_series(1, 20000) n";
    db.psql(rows);
    db.psql(
        "ALTER TABLE lad_dev.voice_agent_numbers SET (autovacuum_vacuum_threshold = 1,
           autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 100,
           autovacuum_vacuum_cost_limit = 1)",
    );
    db.psql("UPDATE lad_dev.voice_agent_numbers SET default_agent_id = NULL");
    let working = "SELECT count(*) FROM pg_stat_activity
                   WHERE query LIKE 'autovacuum: VACUUM%voice_agent_numbers%'";
    let deadline = Instant::now() + Duration::from_secs(60);
    while db.psql(working) == "0" {
        assert!(Instant::now() < deadline, "no autovacuum");
        std::thread::sleep(Duration::from_millis(50));
    }
    let more = "[[bindings]]\nnumber = \"+971545335300\"\ntenant = \"sasya\"\n";
    lkroute.write("routing/more.toml", more);
    assert_eq!(db.psql(working), "1", "it goes on");
    run(&lkroute, "--lock-timeout 20 apply --auto-approve").expect_code(0);
}

#[test]
fn nothing_is_set_for_longer_than_a_transaction() {
    let Some((mut lkroute, db)) = applied("pooled") else {
        return;
    };
    let Some(pooler) = crate::support::Pgbouncer::transaction_mode(&db) else {
        return;
    };
    lkroute.env("DATABASE_URL", &pooler.url);
    for command in [
        "plan",
        "list",
        "history",
        "resolve --from +971545335200",
        "drift",
    ] {
        run(&lkroute, command);
    }
    let mut session = Session::open(&pooler.url);
    for setting in ["lock_timeout", "statement_timeout"] {
        assert_eq!(session.value(&format!("SHOW {setting}")), "0", "{setting}");
    }
}

#[test]
fn a_pooler_that_takes_no_transactions_is_told() {
    let Some((mut lkroute, db)) = applied("statement_mode") else {
        return;
    };
    let Some(pooler) = crate::support::Pgbouncer::in_mode(&db, "statement") else {
        return;
    };
    lkroute.env("DATABASE_URL", &pooler.url);
    let refused = run(&lkroute, "plan").expect_code(1);
    let hinted = refused.told(
        "pgbouncer hands the server on with every statement: say pool_mode = transaction for this database there, or name the server itself",
    );
    let pooler = crate::support::Pgbouncer::transaction_mode(&db).expect("pgbouncer");
    hinted.then(|| lkroute.env("DATABASE_URL", &pooler.url));
    run(&lkroute, "plan").expect_code(0);
}
