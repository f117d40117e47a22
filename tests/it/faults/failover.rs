//! An apply of 100,000 numbers while the primary dies, on a highly available
//! cluster: everything or nothing, what was said of it is true, the next plan
//! works, and look-ups go on once there is a primary again; and an apply whose
//! COMMIT a failover of a minute, or a longer one, leaves open. By commands of
//! their own: benches/README.md.

use std::collections::BTreeMap;
use std::process::{Child, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};

use super::tree::{Tree, said};
use super::{Random, how_many};
use crate::support::{Legacy, Patroni, block_on};

/// How much longer than the failover itself a look-up may fail: one of the
/// last before the new primary is asked for seconds.
const BEHIND: Duration = Duration::from_secs(8);

const FIRST: u64 = 971_500_000_000;

/// A cluster with so many numbers in its database, and files of which every
/// number changes with a turn.
struct World {
    cluster: Patroni,
    tree: Tree,
    url: String,
    numbers: u64,
}

/// The provider of all numbers, and how many applies are recorded.
type State = (String, u32);

impl World {
    /// None where a part is not installed.
    fn applied(numbers: u64) -> Option<World> {
        let cluster = Patroni::start()?;
        cluster.psql("postgres", "CREATE DATABASE app");
        cluster.psql("app", &Legacy::default().schema_sql());
        let world = World {
            url: cluster.url("app", "any"),
            tree: Tree::new(),
            cluster,
            numbers,
        };
        world.turn(0);
        for words in ["migrate", "apply --auto-approve"] {
            let ran = world.run(words);
            assert!(ran.status.success(), "{words}: {}", said(&ran));
        }
        Some(world)
    }

    fn turn(&self, turn: u32) {
        let range = format!(
            "[[bindings]]\nrange = [\"+{FIRST}\", \"+{}\"]\ntenant = \"t\"\nconfig = \"uae\"\nprovider = \"P{turn}\"\n",
            FIRST + self.numbers - 1
        );
        self.tree.write("one", &range);
    }

    fn run(&self, words: &str) -> Output {
        self.run_at(&self.url, words)
    }

    fn run_at(&self, url: &str, words: &str) -> Output {
        self.tree.run(url, &format!("--schema lad_dev {words}"))
    }

    fn begin_apply(&self) -> Child {
        let words = "--schema lad_dev apply --auto-approve";
        self.tree
            .command(&self.url, words)
            .spawn()
            .expect("lkroute")
    }

    fn state(&self) -> State {
        let sql = "SELECT string_agg(DISTINCT provider, ',') || '|' || count(*) || '|' ||
                     (SELECT count(*) FROM lad_dev.lkroute_applies)
                   FROM lad_dev.voice_agent_numbers";
        let row = self.cluster.psql("app", sql);
        let parts: Vec<&str> = row.split('|').collect();
        assert_eq!(parts[1], self.numbers.to_string(), "{row}");
        (parts[0].to_owned(), parts[2].parse().expect("a count"))
    }

    /// Whether the apply of a turn is there: all of it, or nothing; and what
    /// was said of it, and what is said now.
    fn check(&self, what: &str, turn: u32, before: &State, code: Option<i32>) -> bool {
        let after = self.state();
        let there = after == (format!("P{turn}"), before.1 + 1);
        assert!(there || after == *before, "{what}: {before:?}, {after:?}");
        match code {
            Some(0) => assert!(there, "{what}: it said that it was applied"),
            Some(8) => {}
            _ => assert!(!there, "{what}: exit {code:?}, and it is there"),
        }
        let history = self.run("history --format json");
        assert!(history.status.success(), "{}", said(&history));
        let listed = String::from_utf8_lossy(&history.stdout);
        assert_eq!(
            listed.matches("\"kind\": \"apply\"").count(),
            after.1 as usize,
            "{what}: {listed}"
        );
        let plan = self.run("plan --detailed-exitcode");
        let pending = if there { 0 } else { 2 };
        assert_eq!(plan.status.code(), Some(pending), "{what}: {}", said(&plan));
        there
    }
}

#[test]
#[ignore = "takes minutes, and needs Patroni and etcd"]
fn an_apply_while_the_primary_dies_is_whole_or_not_at_all() {
    let Some(mut world) = World::applied(100_000) else {
        return;
    };
    world.turn(1);
    let start = Instant::now();
    let ran = world.run("apply --auto-approve");
    assert!(ran.status.success(), "{}", said(&ran));
    let usual = start.elapsed();
    println!("an apply of {} takes {usual:.1?}", world.numbers);

    let mut random = Random::seeded();
    let mut ends: BTreeMap<String, u32> = BTreeMap::new();
    let mut gaps = Vec::new();
    let kills = how_many("LKROUTE_FAILOVERS", 10);
    for n in 0..kills {
        if n == kills / 2 {
            // A majority of etcd is left.
            world.cluster.lose_etcd();
        }
        world.cluster.until_whole();
        let before = world.state();
        world.turn(n + 2);
        let whole = n % 2 == 1;
        let part = random.below(110) as u32;
        let primary = world.cluster.primary().expect("a primary");
        let mut child = world.begin_apply();
        let at_commit = n % 4 >= 2;
        let moment = match at_commit {
            true => {
                await_commit(&world.cluster.url_of(primary, "app"), &mut child);
                "in COMMIT".to_owned()
            }
            false => {
                thread::sleep(usual * part / 100);
                format!("at {part} %")
            }
        };
        let killed = Instant::now();
        world.cluster.kill(primary, whole);
        let (output, gap) = end_beside_look_ups(&world, child, killed);
        if whole {
            world.cluster.revive(primary);
        }
        world.cluster.until_whole();
        let what = format!("kill {n} {moment}, whole node: {whole}: {}", said(&output));
        let code = output.status.code();
        let there = world.check(&what, n + 2, &before, code);
        let code = code.expect("a code");
        println!("kill {n} {moment}, whole node: {whole}: exit {code}, applied: {there}; {gap}");
        let end = if there { "applied" } else { "nothing written" };
        *ends.entry(format!("exit {code}, {end}")).or_default() += 1;
        gaps.push(gap.failed);
    }
    gaps.sort_unstable();
    println!(
        "{ends:?}; look-ups again after {:.1?} to {:.1?}",
        gaps.first(),
        gaps.last()
    );
    // Reads go to a standby where that is asked for.
    let replica = world.cluster.url("app", "prefer-standby");
    let plan = world.run_at(&replica, "plan");
    assert!(
        plan.status.success() && said(&plan).contains("is a standby"),
        "{}",
        said(&plan)
    );
    assert_eq!(world.cluster.nodes(), 3);
}

/// The COMMIT is on the standby, which does not say so; then the primary dies,
/// and nobody takes over for a while: the apply is found by its token. Where
/// that lasts longer than the look, it is not known (8), and `history` tells.
#[test]
#[ignore = "takes minutes, and needs Patroni and etcd"]
fn a_commit_is_looked_for_as_long_as_is_said() {
    let Some(mut world) = World::applied(1000) else {
        return;
    };
    let remote = "ALTER DATABASE app SET synchronous_commit = remote_apply";
    world.cluster.psql("app", remote);
    for (turn, held_up, expected) in [(1, Some(Duration::from_secs(50)), 0), (2, None, 8)] {
        world.cluster.until_whole();
        let before = world.state();
        world.turn(turn);
        let primary = world.cluster.primary().expect("a primary");
        let others: Vec<usize> = (0..world.cluster.nodes())
            .filter(|n| *n != primary)
            .collect();
        for n in &others {
            world.cluster.hold_up(*n);
            let paused = world.cluster.ask(*n, "SELECT pg_wal_replay_pause()");
            paused.expect("a standby");
        }
        let mut child = world.begin_apply();
        await_commit(&world.cluster.url_of(primary, "app"), &mut child);
        let killed = Instant::now();
        world.cluster.kill(primary, true);
        let let_go = |world: &World| others.iter().for_each(|n| world.cluster.let_go(*n));
        if let Some(time) = held_up {
            thread::sleep(time);
            let_go(&world);
        }
        let output = child.wait_with_output().expect("its end");
        let took = killed.elapsed();
        let_go(&world);
        world.cluster.revive(primary);
        world.cluster.until_whole();
        let what = format!("held up for {held_up:?}: {}", said(&output));
        let code = output.status.code();
        let there = world.check(&what, turn, &before, code);
        println!(
            "nobody took over for {held_up:?}: exit {code:?} after {took:.1?}, applied: {there}"
        );
        assert!(there, "{what}: a standby had it");
        assert_eq!(code, Some(expected), "{what}");
        assert_contains!(what, "looking for up to 90 s");
    }
}

/// Until the apply has sent its COMMIT, or ends.
fn await_commit(url: &str, child: &mut Child) {
    block_on(async {
        let mut conn = PgConnection::connect(url).await.expect("connect");
        let committing = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'lkroute'
                            AND state = 'active' AND query = 'COMMIT'";
        while child.try_wait().expect("a child").is_none() {
            let found = sqlx::raw_sql(committing).fetch_all(&mut conn).await;
            if !found.expect("a look").is_empty() {
                break;
            }
        }
    });
}

/// From a kill on: how long there was no primary, and when the last look-up on
/// one failed.
#[derive(Default)]
struct Gap {
    without_primary: Duration,
    failed: Duration,
}

impl std::fmt::Display for Gap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "a primary after {:.1?}, look-ups on it after {:.1?}",
            self.without_primary, self.failed
        )
    }
}

/// The end of an apply, with look-ups all the while.
fn end_beside_look_ups(world: &World, mut child: Child, killed: Instant) -> (Output, Gap) {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let looking = scope.spawn(|| until_it_resolves(world, killed, &over));
        let stdout = child.stdout.take();
        // A pipe that nobody reads would hold it up.
        let drained = scope
            .spawn(move || stdout.map(|mut out| std::io::copy(&mut out, &mut std::io::sink())));
        let output = child.wait_with_output().expect("its end");
        let _ = drained.join();
        over.store(true, Ordering::SeqCst);
        (output, looking.join().expect("look-ups"))
    })
}

/// To the last look-up on the primary that failed; each that works is right,
/// and they work once there is a primary again. On whatever server answers they
/// may go on at once.
fn until_it_resolves(world: &World, killed: Instant, over: &AtomicBool) -> Gap {
    let mut gap = Gap::default();
    let mut is_back = false;
    let deadline = killed + Duration::from_secs(120);
    let mut failed = String::new();
    loop {
        if !is_back {
            gap.without_primary = killed.elapsed();
            is_back = world.cluster.primary().is_some();
        }
        for (attributes, words) in [
            ("any", "resolve --from +971500000001"),
            ("read-write", "resolve --from +971500000001"),
            (
                "read-write",
                "dispatch --from +971500000001 --to +971500000002 --dry-run",
            ),
        ] {
            let ran = world.run_at(&world.cluster.url("app", attributes), words);
            let out = String::from_utf8_lossy(&ran.stdout).into_owned();
            match ran.status.code() {
                Some(0) => assert!(out.contains("livekit.uae.example"), "{words}: {out}"),
                code => {
                    assert_eq!(code, Some(1), "{words}: {}", said(&ran));
                    failed = format!("{attributes}: {}", said(&ran));
                    gap.failed = killed.elapsed();
                }
            }
        }
        let is_quiet = killed.elapsed() > gap.failed + Duration::from_secs(3);
        if over.load(Ordering::SeqCst) && is_back && is_quiet {
            assert!(gap.failed < gap.without_primary + BEHIND, "{gap}: {failed}");
            return gap;
        }
        assert!(Instant::now() < deadline, "for two minutes: {failed}");
        thread::sleep(Duration::from_millis(200));
    }
}
