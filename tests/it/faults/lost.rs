//! Applies that are cut, stalled, killed, out of disk, or two at once: all of
//! it is there afterwards, or nothing, and what was said of it is true.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use lkroute::error::Exit;
use lkroute::fields::{Field, Fields};
use lkroute::routing::Routing;
use lkroute::store::{DatabaseUrl, Mode, Store};

use super::link::{Fault, Link, Way};
use super::tree::{self, Tree};
use super::{Other, Random, how_many};
use crate::store::base::*;
use crate::support::block_on;

const NUMBERS: u32 = 24;

/// So many faults, then a new database: one that grows makes each slower, and
/// has no room within the limit of a full disk.
const OF_ONE_DATABASE: u32 = 250;

/// The numbers of the faults, by database.
fn databases() -> impl Iterator<Item = std::ops::Range<u32>> {
    let all = how_many("LKROUTE_FAULTS", 60);
    (0..all)
        .step_by(OF_ONE_DATABASE as usize)
        .map(move |first| first..all.min(first + OF_ONE_DATABASE))
}

/// Files whose every part changes with `turn`.
fn turned(turn: u64) -> Routing {
    let mut routing = files();
    let outbound = Fields::new()
        .with(Field::Outbound, turn.is_multiple_of(2))
        .with(Field::Provider, format!("P{}", turn % 2));
    for n in 0..NUMBERS {
        let config = if (turn + u64::from(n)).is_multiple_of(2) {
            "uae"
        } else {
            "india"
        };
        bind(
            &mut routing,
            &format!("+9190000000{n:02}"),
            n % 3,
            config,
            outbound.clone(),
        );
    }
    let config = routing.configs.get_mut("uae").expect("a config");
    config.description = Some(format!("turn {}", turn % 2));
    routing
}

/// What of a turn is in the database: the last apply, and a digest of what
/// it set, in the application's tables and in lkroute's. `None` where they
/// contradict each other.
async fn state(base: &Base, other: &mut Other) -> Option<(String, bool)> {
    let (numbers, configs) = (
        base.table("voice_agent_numbers"),
        base.table("voice_agent_livekit"),
    );
    let (applies, bindings) = (
        base.table("lkroute_applies"),
        base.table("lkroute_bindings"),
    );
    let state = base.table("lkroute_state");
    let outbound = match base.hold {
        Hold::Postgres(_) => "provider = 'P0' AND rules->>'outbound' = 'true'",
        Hold::Sqlite(_) => "provider = 'P0'",
    };
    let sql = format!(
        "SELECT CAST(coalesce(s.last_apply, 0) AS text),
           CAST((SELECT count(*) FROM {applies}) AS text),
           CAST((SELECT count(*) FROM {numbers}) AS text),
           CAST((SELECT count(*) FROM {numbers} WHERE {outbound}) AS text),
           (SELECT description FROM {configs} WHERE name = 'uae'),
           CAST((SELECT count(*) FROM {bindings} WHERE until IS NULL) AS text),
           CAST((SELECT count(*) FROM {bindings} WHERE since = s.last_apply) AS text)
         FROM {state} s"
    );
    let row = other.sql(&sql).await.remove(0);
    let row: Vec<String> = row.into_iter().map(Option::unwrap_or_default).collect();
    let all = NUMBERS.to_string();
    let even = row[4] == "turn 0";
    let outbound = if even { all.as_str() } else { "0" };
    let whole = row[1] == row[0] && row[2] == all && row[3] == outbound;
    let ours = row[5] == all && row[6] == all;
    (whole && ours).then(|| (row[0].clone(), even))
}

/// One fault: what was said of the apply, and whether it is there.
struct Seen {
    said: Result<(), Exit>,
    was: (String, bool),
    is: Option<(String, bool)>,
}

impl Seen {
    fn check(&self, what: &str) {
        let Some(is) = &self.is else {
            panic!("{what}: the database is half of one and half of the other");
        };
        let there = *is != self.was;
        match self.said {
            Ok(()) => assert!(there, "{what}: it said that it was applied"),
            Err(Exit::Unknown) => {}
            Err(exit) => assert!(!there, "{what}: exit {exit:?}, and it is there"),
        }
    }
}

#[test]
fn on_postgres_an_apply_is_whole_or_not_at_all() {
    let mut random = Random::seeded();
    let (mut failed, mut unknown, mut there) = (0, 0, 0);
    for faults in databases() {
        let Some(base) = block_on(Base::postgres("faults")) else {
            return;
        };
        block_on(async {
            base.settle(&turned(0)).await;
            let mut other = Other::of(&base).await;
            for n in faults {
                let what = format!("fault {n} (LKROUTE_SEED={})", random.0);
                let seen = fault_on_postgres(&base, &mut other, &mut random).await;
                seen.check(&what);
                failed += u32::from(seen.said.is_err());
                unknown += u32::from(seen.said == Err(Exit::Unknown));
                there += u32::from(seen.is.as_ref() != Some(&seen.was));
            }
        });
    }
    println!(
        "faults on PostgreSQL: {failed} said that they failed ({unknown} that it is not known), \
         {there} were applied"
    );
}

async fn fault_on_postgres(base: &Base, other: &mut Other, random: &mut Random) -> Seen {
    let was = state(base, other).await.expect("whole before");
    let plan = base.plan(&turned(u64::from(was.1))).await;
    let way = if random.below(2) == 0 {
        Way::Sent
    } else {
        Way::Answered
    };
    let kind = random.below(10);
    let fault = match kind {
        0..6 => Fault::Cut,
        6..8 => Fault::Stall(120),
        _ => Fault::None,
    };
    // Of an apply that nothing happens to: about so many bytes.
    let end = if way == Way::Sent { 16_000 } else { 9_000 };
    let link = Link::new(&base.db().url, fault, way, random.below(end));
    let url = DatabaseUrl::parse(&link.url).expect("a URL");
    let said = async {
        let mut store = Store::open(&url, base.schema.as_deref(), Mode::Write).await;
        let store = store.as_mut().map_err(|error| error.exit)?;
        let mut request = request(&plan);
        request.find_out = Duration::from_secs(20);
        let applied = store.apply(&plan, &request, &mut |_, _| ()).await;
        applied.map(|_| ()).map_err(|error| error.error.exit)
    };
    let said = match kind {
        // The server ends it.
        8 => {
            let delay = Duration::from_micros(random.below(30_000));
            let kill = async {
                tokio::time::sleep(delay).await;
                let kill = "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity
                     WHERE application_name = 'lkroute' AND datname = current_database()";
                other.sql(kill).await;
            };
            tokio::join!(said, kill).0
        }
        // Two at once: one of them is late.
        9 => {
            let (one, two) = tokio::join!(said, base.apply(&plan));
            assert!(one.is_ok() != two.is_ok(), "one of two");
            Ok(())
        }
        _ => said.await,
    };
    // What the server still does is over when the lock is free.
    let state_row = base.table("lkroute_state");
    other
        .sql(&format!("UPDATE {state_row} SET last_apply = last_apply"))
        .await;
    let is = state(base, other).await;
    if link.has_failed() && matches!(fault, Fault::Stall(_)) {
        assert_eq!(said, Ok(()), "a stall does no harm");
    }
    Seen { said, was, is }
}

/// Files whose every part changes with `turn`.
pub(super) fn write_turn(tree: &Tree, turn: u64) {
    let turn = turn % 2;
    let numbers = (0..NUMBERS).map(|n| {
        format!(
            "[[bindings]]\nnumber = \"+9715453352{n:02}\"\ntenant = \"t\"\nconfig = \"uae\"\nprovider = \"P{turn}\"\n"
        )
    });
    tree.write(&format!("turn {turn}"), &numbers.collect::<String>());
}

pub(super) fn apply(tree: &Tree, url: &str, limit: Option<u64>) -> Command {
    let words = "apply --auto-approve --quiet";
    let mut command = match limit {
        // A signal would be another kill: let the write fail instead.
        Some(limit) => {
            let mut bash = Command::new("bash");
            let script = "trap '' XFSZ; ulimit -f $1; shift; exec \"$@\"";
            bash.args(["-c", script, "limit", &limit.to_string()]);
            bash.arg(tree::program());
            tree.prepare(bash, url, words)
        }
        None => tree.command(url, words),
    };
    command.stdout(Stdio::null());
    command
}

fn exit(status: ExitStatus) -> Result<(), Exit> {
    match status.code() {
        Some(0) => Ok(()),
        Some(8) => Err(Exit::Unknown),
        Some(5) => Err(Exit::Stale),
        // Killed: it said nothing.
        None => Err(Exit::Unknown),
        Some(_) => Err(Exit::Error),
    }
}

#[test]
fn on_sqlite_an_apply_is_whole_or_not_at_all() {
    let mut random = Random::seeded();
    let (mut killed, mut there) = (0, 0);
    for faults in databases() {
        let base = block_on(Base::sqlite());
        let (tree, url) = (Tree::new(), base.url_text());
        write_turn(&tree, 0);
        let first = apply(&tree, &url, None).output().expect("lkroute");
        let said = String::from_utf8_lossy(&first.stderr);
        assert!(first.status.success(), "{said}");
        for n in faults {
            let what = format!("fault {n} (LKROUTE_SEED={})", random.0);
            let was = block_on(async { state(&base, &mut Other::of(&base).await).await });
            let was = was.expect("whole before");
            write_turn(&tree, u64::from(was.1));
            let (said, was_killed) = fault_on_sqlite(&tree, &url, &mut random, &what);
            killed += u32::from(was_killed);
            // A reader goes on, whatever was left behind.
            let read = block_on(async {
                Store::open(&base.url, None, Mode::Read)
                    .await?
                    .schema_state()
                    .await
            });
            read.unwrap_or_else(|error| panic!("{what}: {error}"));
            let is = block_on(async { state(&base, &mut Other::of(&base).await).await });
            there += u32::from(is.as_ref() != Some(&was));
            Seen { said, was, is }.check(&what);
        }
    }
    println!("faults on SQLite: {killed} killed, {there} were applied");
}

/// What was said of the apply, and whether it was killed.
fn fault_on_sqlite(
    tree: &Tree,
    url: &str,
    random: &mut Random,
    what: &str,
) -> (Result<(), Exit>, bool) {
    match random.below(10) {
        // Killed at any time; it takes about 30 ms.
        0..7 => {
            let mut child = apply(tree, url, None).spawn().expect("lkroute");
            thread::sleep(Duration::from_micros(random.below(60_000)));
            child.kill().expect("kill it");
            let status = child.wait().expect("its end");
            (exit(status), status.signal().is_some())
        }
        // The disk is full: files can't grow beyond so many blocks.
        7..9 => {
            let output = apply(tree, url, Some(random.below(200))).output();
            (exit(output.expect("lkroute").status), false)
        }
        _ => {
            let mut one = apply(tree, url, None).spawn().expect("lkroute");
            let two = apply(tree, url, None).output().expect("lkroute");
            let one = exit(one.wait().expect("its end"));
            let two = exit(two.status);
            assert!(one.is_ok() || two.is_ok(), "{what}: {one:?} {two:?}");
            (Ok(()), false)
        }
    }
}

/// What the database says of itself is asked again before the write, over the
/// connection that the plan was made with.
#[test]
fn an_apply_connects_once() {
    let Some((mut lkroute, db)) = crate::gate::applied("connects_once") else {
        return;
    };
    lkroute.edit("routing/india.toml", "TechieMaya FZE", "Another carrier");
    let link = Link::new(&db.url, Fault::None, Way::Sent, 0);
    lkroute.env("DATABASE_URL", &link.url);
    let applied = lkroute.run(&["apply", "--auto-approve"]).expect_code(0);
    assert!(
        applied.stdout.contains("Applied as 2"),
        "{}",
        applied.stdout
    );
    assert_eq!(link.connections(), 1);
}
