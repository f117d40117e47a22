//! Hints about what PostgreSQL refuses: values, rights, triggers, and what
//! others hold.

use std::thread;
use std::time::{Duration, Instant};

use super::applied::worker;
use super::run;
use crate::gate::{self, Session};
use crate::support::{Cut, Db, Run, TcpCut};

const CONFIGS: &str = "lad_dev.voice_agent_livekit";
const NUMBERS: &str = "lad_dev.voice_agent_numbers";
const APPLY: &str = "apply --auto-approve";

/// Waits until the statement gives `t`.
pub fn until(db: &Db, sql: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while db.psql(sql) != "t" {
        assert!(Instant::now() < deadline, "{sql}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Whether so many of lkroute's sessions wait for a lock.
fn waiting(count: u32) -> String {
    format!(
        "SELECT count(*) >= {count} FROM pg_stat_activity WHERE wait_event_type = 'Lock'
           AND application_name = 'lkroute' AND datname = current_database()"
    )
}

#[test]
fn what_a_table_does_not_take_is_declared_otherwise() {
    let Some((lkroute, db)) = gate::applied("followed_table") else {
        return;
    };
    db.psql(&format!(
        "ALTER TABLE {CONFIGS} ADD CONSTRAINT of_theirs CHECK (worker_name <> 'voag-two')"
    ));
    worker(&lkroute, "voag-staging", "voag-two");
    let refused = run(&lkroute, APPLY).expect_code(1);
    let hinted = refused.told(
        "the table does not take what is declared: write another value, or change its constraint; nothing was changed",
    );
    hinted.then(|| worker(&lkroute, "voag-two", "voag-three"));
    run(&lkroute, APPLY).expect_code(0);
    // One that writes something else.
    db.psql(&format!(
        "CREATE FUNCTION lad_dev.upper_case() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           NEW.worker_name = upper(NEW.worker_name); RETURN NEW; END $$;
         CREATE TRIGGER theirs BEFORE UPDATE ON {CONFIGS}
           FOR EACH ROW EXECUTE FUNCTION lad_dev.upper_case()"
    ));
    worker(&lkroute, "voag-three", "voag-four");
    let rewritten = run(&lkroute, APPLY).expect_code(1);
    let hinted = rewritten.told(
        "nothing was written; a trigger or rule of the table does that: change it, or what is declared",
    );
    hinted.then(|| worker(&lkroute, "voag-four", "VOAG-FOUR"));
    run(&lkroute, APPLY).expect_code(0);
    // One that says no.
    db.psql(&format!(
        "DROP TRIGGER theirs ON {CONFIGS};
         CREATE FUNCTION lad_dev.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           RAISE EXCEPTION 'name the ticket in the description'; END $$;
         CREATE TRIGGER theirs BEFORE UPDATE ON {CONFIGS} FOR EACH ROW
           WHEN (NEW.description NOT LIKE '%T-1%') EXECUTE FUNCTION lad_dev.refuse()"
    ));
    worker(&lkroute, "VOAG-FOUR", "voag-five");
    let refused = run(&lkroute, APPLY).expect_code(1);
    let hinted = refused
        .told("nothing was changed; do what the trigger asks for, or ask its owner to change it");
    hinted.then(|| {
        let name = "LiveKit on a VM in the UAE";
        lkroute.edit("routing/uae.toml", name, &format!("{name}, T-1"));
    });
    run(&lkroute, APPLY).expect_code(0);
}

#[test]
fn what_a_role_may_not_do() {
    let Some((lkroute, mut db)) = gate::applied("followed_role") else {
        return;
    };
    let stranger = db.url.replace("//lkroute@", "//nobody_of_that_name@");
    let unknown = run(&lkroute, &format!("list --database {stranger}")).expect_code(1);
    let hinted = unknown.told("name a role in the database URL that is there, and may log in");
    hinted.then(|| run(&lkroute, "list")).expect_code(0);
    let (role, url) = db.role("writer");
    db.psql(&format!(
        "GRANT USAGE ON SCHEMA lad_dev TO {role};
         GRANT ALL ON ALL TABLES IN SCHEMA lad_dev TO {role};
         ALTER ROLE {role} SET default_transaction_read_only = on"
    ));
    let trust = format!("trust wss://livekit.other.example --reason why --database {url}");
    let refused = run(&lkroute, &trust).expect_code(1);
    let hinted = refused.told(
        "nothing can be written here: name the primary in the URL, or look at default_transaction_read_only of the role and the database",
    );
    hinted.then(|| {
        db.psql(&format!(
            "ALTER ROLE {role} RESET default_transaction_read_only"
        ));
    });
    run(&lkroute, &trust).expect_code(0);
    // A statement that waits for longer than the role may.
    db.psql(&format!(
        "ALTER ROLE {role} SET statement_timeout = '300ms'"
    ));
    let mut holder = Session::open(&db.url);
    holder.run(&format!(
        "BEGIN; LOCK TABLE {NUMBERS} IN ACCESS EXCLUSIVE MODE"
    ));
    let plan = format!("plan --lock-timeout 20 --database {url}");
    let ended = run(&lkroute, &plan).expect_code(1);
    let hinted = ended.told(
        "somebody ended it, or a statement_timeout of the role or the database: give it more time, and try again",
    );
    hinted.then(|| db.psql(&format!("ALTER ROLE {role} RESET statement_timeout")));
    thread::scope(|scope| {
        let planning = scope.spawn(|| run(&lkroute, &plan));
        until(&db, &waiting(1));
        holder.run("ROLLBACK");
        planning.join().expect("its end").expect_code(0);
    });
}

#[test]
fn rows_that_others_hold_are_waited_for_again() {
    let Some((lkroute, db)) = gate::applied("followed_rows") else {
        return;
    };
    let mut holder = Session::open(&db.url);
    let longer = |refused: Run, hint: &str, holder: &mut Session| {
        let hinted = refused.expect_code(1).told(hint);
        thread::scope(|scope| {
            let applying =
                scope.spawn(|| hinted.with(&lkroute, &format!("{APPLY} --lock-timeout 20")));
            until(&db, &waiting(1));
            holder.run("ROLLBACK");
            applying.join().expect("its end").expect_code(0);
        });
    };
    let hold = format!("BEGIN; UPDATE {CONFIGS} SET description = description");
    let short = format!("{APPLY} --lock-timeout 1");
    worker(&lkroute, "voag-staging", "voag-two");
    holder.run(&hold);
    let refused = run(&lkroute, &short);
    refused.says("{label}: a transaction of others holds a row: waited for its end until --lock-timeout was over");
    let hint = "nothing was changed; try again when it is done, or wait longer with --lock-timeout";
    longer(refused, hint, &mut holder);
    // As an apply holds it.
    worker(&lkroute, "voag-two", "voag-three");
    let lock = "BEGIN; SELECT 1 FROM lad_dev.lkroute_state FOR UPDATE";
    holder.run(lock);
    let hint = "nothing was written; try again, or give a longer --lock-timeout";
    longer(run(&lkroute, &short), hint, &mut holder);
    // What they change meanwhile makes the plan stale.
    worker(&lkroute, "voag-three", "voag-four");
    holder.run(&hold);
    let hint = "nothing was written; `lkroute plan` shows what has changed";
    thread::scope(|scope| {
        let applying = scope.spawn(|| run(&lkroute, APPLY));
        until(&db, &waiting(1));
        holder.run(&format!(
            "UPDATE {CONFIGS} SET worker_name = 'voag-theirs'; COMMIT"
        ));
        let stale = applying.join().expect("its end").expect_code(5);
        let shown = stale.told(hint).run(&lkroute, &[]).expect_code(6);
        assert_contains!(shown.stdout, "voag-theirs");
    });
    run(&lkroute, "adopt --all").expect_code(0);
    // Of two applies of one plan the later one is.
    holder.run(lock);
    thread::scope(|scope| {
        let both = [(); 2].map(|()| scope.spawn(|| run(&lkroute, APPLY)));
        until(&db, &waiting(2));
        holder.run("ROLLBACK");
        let both = both.map(|applying| applying.join().expect("its end"));
        let stale = both.iter().find(|ran| ran.code == 5).expect("one of two");
        stale.told(hint).run(&lkroute, &[]).expect_code(0);
    });
}

/// Somebody moves a table while it is waited for.
#[test]
fn a_table_that_goes_while_it_is_read_is_named_by_the_check() {
    let Some((lkroute, db)) = gate::applied("followed_gone") else {
        return;
    };
    let mut holder = Session::open(&db.url);
    holder.run("BEGIN; ALTER TABLE lad_dev.lkroute_regions RENAME TO moved");
    thread::scope(|scope| {
        let planning = scope.spawn(|| run(&lkroute, "plan --lock-timeout 20"));
        until(&db, &waiting(1));
        holder.run("COMMIT");
        let failed = planning.join().expect("its end").expect_code(1);
        let hinted = failed
            .told("is the schema the right one? `lkroute migrate --check` says what it lacks");
        let lacks = hinted.run(&lkroute, &[]).expect_code(1).stderr;
        assert_contains!(lacks, "lkroute_regions");
    });
    db.psql("ALTER TABLE lad_dev.moved RENAME TO lkroute_regions");
    run(&lkroute, "plan").expect_code(0);
    // A key of it, while it is written.
    holder.run(
        "BEGIN; ALTER TABLE lad_dev.lkroute_trusted_hosts DROP CONSTRAINT lkroute_trusted_hosts_pkey",
    );
    let trust = "trust wss://livekit.other.example --reason why";
    thread::scope(|scope| {
        let trusting = scope.spawn(|| run(&lkroute, &format!("{trust} --lock-timeout 20")));
        until(&db, &waiting(1));
        holder.run("COMMIT");
        let failed = trusting.join().expect("its end").expect_code(1);
        let hinted = failed.told(
            "a unique key of that table is gone: `lkroute migrate --check` says which, and `lkroute migrate` brings it back",
        );
        hinted.run(&lkroute, &[]).expect_code(1);
    });
    run(&lkroute, "migrate").expect_code(0);
    run(&lkroute, trust).expect_code(0);
}

#[test]
fn migrations_that_others_are_in_the_way_of() {
    let Some((lkroute, db)) = gate::world("followed_migrate") else {
        return;
    };
    db.psql(&format!("ALTER TABLE {CONFIGS} DROP COLUMN worker_name"));
    let mut holder = Session::open(&db.url);
    holder.run(&format!("BEGIN; LOCK TABLE {CONFIGS} IN ACCESS SHARE MODE"));
    let busy = run(&lkroute, "migrate").expect_code(1);
    let hinted = busy.told("nothing was changed; try again when no long transaction is running");
    hinted.then(|| holder.run("ROLLBACK"));
    db.psql("CREATE TABLE lad_dev.lkroute_files (a int)");
    let taken = run(&lkroute, "migrate").expect_code(1);
    let hinted = taken
        .told("something of others has a name that lkroute needs: rename it; nothing was changed");
    hinted.then(|| db.psql("ALTER TABLE lad_dev.lkroute_files RENAME TO theirs"));
    // What watches changes of the schema, and gives each of them up.
    db.psql(
        "CREATE FUNCTION lad_dev.give_up() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
           RAISE EXCEPTION 'another one is at it' USING ERRCODE = '40001'; END $$;
         CREATE EVENT TRIGGER theirs ON ddl_command_start EXECUTE FUNCTION lad_dev.give_up()",
    );
    let given_up = run(&lkroute, "migrate").expect_code(1);
    let hinted = given_up.told("try again in a moment");
    hinted.then(|| db.psql("DROP EVENT TRIGGER theirs"));
    // Its end is lost: it was carried out.
    let proxy = TcpCut::new(&db.url, Cut::During, "lkroute_state");
    let lost = run(&lkroute, &format!("migrate --database {}", proxy.url)).expect_code(1);
    let hinted = lost.told(
        "`lkroute migrate --check` says whether it was carried out: all of it was, or nothing",
    );
    hinted.run(&lkroute, &[]).expect_code(0);
    let unindexed = run(&lkroute, "migrate").expect_code(0);
    let hinted = unindexed.told("so look-ups read all of it: `lkroute migrate --index` builds one");
    hinted.run(&lkroute, &[]).expect_code(0);
}

#[test]
fn an_earlier_database_is_read_and_brought_up_to_date() {
    let Some((lkroute, db)) = gate::applied("followed_earlier") else {
        return;
    };
    gate::as_version_1_left_it(&db);
    let plan = run(&lkroute, "plan -v").expect_code(0);
    let hinted =
        plan.told("lkroute's own tables are not all there yet: `lkroute migrate` adds them");
    hinted.run(&lkroute, &[]).expect_code(0);
    let after = run(&lkroute, "plan -v").expect_code(0).stderr;
    assert_lacks!(after, "migrate");
}

#[test]
fn an_index_that_is_being_built_and_one_that_failed() {
    let Some((lkroute, db)) = gate::applied("followed_index") else {
        return;
    };
    // A build waits for what wrote before it.
    let mut holder = Session::open(&db.url);
    holder.run(&format!("BEGIN; UPDATE {NUMBERS} SET provider = provider"));
    thread::scope(|scope| {
        let building = scope.spawn(|| run(&lkroute, "migrate --index"));
        until(
            &db,
            "SELECT count(*) = 1 FROM pg_stat_progress_create_index p
               JOIN pg_index i ON i.indexrelid = p.index_relid",
        );
        let other = run(&lkroute, "migrate --index").expect_code(1);
        let hinted =
            other.told("wait for it: `lkroute migrate --check --index` says when it is there");
        let not_yet = hinted.run(&lkroute, &[]).expect_code(1);
        let again_later = not_yet.told("`lkroute migrate --index` builds it");
        db.psql(
            "SELECT pg_cancel_backend(pid) FROM pg_stat_activity
             WHERE query LIKE 'CREATE INDEX%' AND datname = current_database()",
        );
        let failed = building.join().expect("its end").expect_code(1);
        let again =
            failed.told("run it again: what a failed build leaves behind is taken away first");
        holder.run("ROLLBACK");
        again.then(|| again_later.run(&lkroute, &[])).expect_code(0);
        hinted.run(&lkroute, &[]).expect_code(0);
    });
}
