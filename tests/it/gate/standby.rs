//! On read replicas: what they show may be old, which is said; they can't be
//! written to; and they end what stands in the way of what they replay.

use std::thread;
use std::time::{Duration, Instant};

use super::{applied_in, run};
use crate::faults::link::{Fault, Link, Way};
use crate::support::{Lkroute, Postgres, Run, Standby, words_of};

const READING: [&str; 5] = ["plan", "drift", "list", "history", "doctor --no-probe"];

/// What it says on standard error, on one line.
fn said(ran: &Run) -> String {
    words_of(&ran.stderr)
}

fn until(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_replica_says_how_far_it_lags() {
    let Some(postgres) = Postgres::own() else {
        return;
    };
    let (mut lkroute, db) = applied_in(postgres, "lag");
    let standby = Standby::of(postgres, &[]);
    lkroute.env("DATABASE_URL", &standby.url(&db.url));
    let shows_all = "SELECT pg_last_wal_replay_lsn() >= pg_last_wal_receive_lsn()
                       AND EXISTS (SELECT FROM pg_stat_wal_receiver)";
    until("it follows", || standby.psql(shows_all) == "t");
    let each = |lkroute: &Lkroute, words: &str| {
        for command in READING {
            let said = said(&run(lkroute, command));
            assert!(said.contains(words), "{command}: {said}");
        }
    };
    each(&lkroute, "is a standby, and shows all that it received");

    // A plan that is made there is the plan that is approved.
    lkroute.edit("routing/uae.toml", "voag-staging", "voag-other");
    let digest = |url: &str| {
        let plan = run(&lkroute, &format!("plan --format json --database {url}"));
        plan.json()["digest"].as_str().expect("a digest").to_owned()
    };
    assert_eq!(digest(&standby.url(&db.url)), digest(&db.url));
    lkroute.edit("routing/uae.toml", "voag-other", "voag-staging");

    // Others change a row, of which the standby has heard and shows nothing.
    standby.psql("SELECT pg_wal_replay_pause()");
    db.psql("UPDATE lad_dev.voice_agent_numbers SET provider = 'others'");
    until("it hears of it", || standby.psql(shows_all) == "f");
    each(&lkroute, "behind: what is newer is not seen here");

    // It can't know how far it lags.
    standby.psql("SELECT pg_wal_replay_resume()");
    standby.psql("ALTER SYSTEM SET primary_conninfo = ''");
    standby.psql("SELECT pg_reload_conf()");
    let gone = "SELECT count(*) FROM pg_stat_wal_receiver";
    until("it is alone", || standby.psql(gone) == "0");
    each(&lkroute, "is a standby without its primary");
}

#[test]
fn an_apply_plans_on_the_primary() {
    let Some(postgres) = Postgres::own() else {
        return;
    };
    let (mut lkroute, db) = applied_in(postgres, "primary");
    let standby = Standby::of(postgres, &["recovery_min_apply_delay=1h"]);
    db.psql("UPDATE lad_dev.voice_agent_numbers SET provider = 'others'");
    let both = standby.url(&db.url).replace(
        &format!(":{}/", standby.port),
        &format!(":{},127.0.0.1:{}/", standby.port, postgres.port),
    );
    let several = |attributes: &str| format!("{both}?target_session_attrs={attributes}");

    // The standby does not know of the drift, the primary does.
    lkroute.env("DATABASE_URL", &several("prefer-standby"));
    let planned = run(&lkroute, "plan --detailed-exitcode");
    assert_eq!(planned.code, 0, "{}", planned.stdout);
    let applied = run(&lkroute, "apply --auto-approve --revert-drift").expect_code(0);
    assert_lacks!(said(&applied), "standby");
    let theirs = "SELECT count(*) FROM lad_dev.voice_agent_numbers
                  WHERE provider = 'others' AND rules ? 'livekit_config'";
    assert_eq!(db.psql(theirs), "0", "{}", applied.stdout);

    for (url, why) in [
        (
            several("standby"),
            "asks for a standby, which can't be written to",
        ),
        (
            standby.url(&db.url),
            "is a standby, which can't be written to",
        ),
    ] {
        lkroute.env("DATABASE_URL", &url);
        for command in ["apply --auto-approve", "migrate"] {
            let refused = run(&lkroute, command).expect_code(1);
            assert_contains!(said(&refused), why);
        }
    }
}

#[test]
fn a_conflict_with_recovery_is_tried_again() {
    let Some(postgres) = Postgres::own() else {
        return;
    };
    let (mut lkroute, db) = applied_in(postgres, "conflict");
    let standby = Standby::of(postgres, &["max_standby_streaming_delay=0"]);
    let url = standby.url(&db.url);
    for command in ["plan --detailed-exitcode", "list"] {
        let whole = Link::new(&url, Fault::None, Way::Answered, 0);
        lkroute.env("DATABASE_URL", &whole.url);
        run(&lkroute, command).expect_code(0);
        // Within its last transaction, which reads the numbers.
        let at = whole.passed(Way::Answered) * 9 / 10;
        let link = Link::new(&url, Fault::Stall(3000), Way::Answered, at);
        lkroute.env("DATABASE_URL", &link.url);
        let ran = thread::scope(|scope| {
            let running = scope.spawn(|| run(&lkroute, command));
            until("it is stalled", || link.has_failed());
            db.psql("UPDATE lad_dev.voice_agent_numbers SET created_at = created_at");
            db.psql("VACUUM lad_dev.voice_agent_numbers");
            running.join().expect("its end")
        });
        let ran = ran.expect_code(0);
        assert!(
            said(&ran).contains("conflict with recovery; trying again"),
            "{command}: {}",
            ran.stderr
        );
    }
}
