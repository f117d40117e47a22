//! An apply of 100,000 numbers while the primary dies, on a highly available
//! cluster: everything or nothing, what was said of it is true, the next plan
//! works, and look-ups go on once there is a primary again. By a command of
//! its own: benches/README.md.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};

use super::{Random, how_many};
use crate::support::{Legacy, Patroni, block_on};

const NUMBERS: u32 = 100_000;
const TENANT: &str = "11111111-1111-4111-8111-111111111111";
const CONFIG: &str = "cf7a1d26-04aa-4623-8d4e-f4b079cdec6f";

struct Tree(tempfile::TempDir);

impl Tree {
    /// Files whose every number changes with `turn`.
    fn write(&self, turn: u32) {
        let mut text = format!(
            "[regions.india]\ncountry_codes = [\"+91\"]\n[tenants]\nt = \"{TENANT}\"\n\
             [configs.india]\nid = \"{CONFIG}\"\nregion = \"india\"\n\
             url = \"wss://livekit.india.example\"\napi_key = \"APImadeup\"\ntrunk_id = \"ST_madeUp\"\n\
             api_secret = {{ env = \"LKROUTE_SECRET_X\" }}\n"
        );
        let first = 919_000_000_000u64;
        let _ = write!(
            text,
            "[[bindings]]\nrange = [\"+{first}\", \"+{}\"]\ntenant = \"t\"\nconfig = \"india\"\nprovider = \"P{turn}\"\n",
            first + u64::from(NUMBERS) - 1
        );
        let routing = self.0.path().join("routing");
        std::fs::create_dir_all(&routing).expect("a directory");
        std::fs::write(routing.join("a.toml"), text).expect("write");
    }

    fn command(&self, url: &str, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lkroute"));
        command.args(["--database", url, "--schema", "lad_dev"]);
        command.args(words.split(' ')).current_dir(self.0.path());
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("LKROUTE_SECRET_X", "made-up-secret");
        command.env(
            "LKROUTE_KEYS",
            "other:bWFkZS11cCBrZXkgb2YgdGhlIHRlc3RzLCBubyAyISE",
        );
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, url: &str, words: &str) -> Output {
        self.command(url, words).output().expect("lkroute")
    }
}

fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The provider of all numbers, and how many applies are recorded.
fn state(cluster: &Patroni) -> (String, u32) {
    let sql = "SELECT string_agg(DISTINCT provider, ',') || '|' || count(*) || '|' ||
                 (SELECT count(*) FROM lad_dev.lkroute_applies)
               FROM lad_dev.voice_agent_numbers";
    let row = cluster.psql("app", sql);
    let parts: Vec<&str> = row.split('|').collect();
    assert_eq!(parts[1], NUMBERS.to_string(), "{row}");
    (parts[0].to_owned(), parts[2].parse().expect("a count"))
}

#[test]
#[ignore = "takes minutes, and needs Patroni and etcd"]
fn an_apply_while_the_primary_dies_is_whole_or_not_at_all() {
    let Some(mut cluster) = Patroni::start() else {
        return;
    };
    cluster.psql("postgres", "CREATE DATABASE app");
    cluster.psql("app", &Legacy::default().schema_sql());
    let url = cluster.url("app", "any");
    let tree = Tree(tempfile::tempdir().expect("a directory"));
    tree.write(0);
    for words in ["migrate", "apply --auto-approve"] {
        let ran = tree.run(&url, words);
        assert!(ran.status.success(), "{words}: {}", said(&ran));
    }
    tree.write(1);
    let start = Instant::now();
    let ran = tree.run(&url, "apply --auto-approve");
    assert!(ran.status.success(), "{}", said(&ran));
    let usual = start.elapsed();
    println!("an apply of {NUMBERS} takes {usual:.1?}");

    let mut random = Random::seeded();
    let mut ends: BTreeMap<String, u32> = BTreeMap::new();
    let mut gaps = Vec::new();
    for n in 0..how_many("LKROUTE_FAILOVERS", 10) {
        cluster.until_whole();
        let before = state(&cluster);
        tree.write(n + 2);
        let whole = n % 2 == 1;
        let part = random.below(110) as u32;
        let primary = cluster.primary().expect("a primary");
        let mut child = tree
            .command(&url, "apply --auto-approve")
            .spawn()
            .expect("lkroute");
        let at_commit = n % 4 >= 2;
        let moment = match at_commit {
            true => {
                await_commit(&cluster.url_of(primary, "app"), &mut child);
                "in COMMIT".to_owned()
            }
            false => {
                thread::sleep(usual * part / 100);
                format!("at {part} %")
            }
        };
        let killed = Instant::now();
        cluster.kill(primary, whole);
        let over = AtomicBool::new(false);
        let (output, gap) = thread::scope(|scope| {
            let looking = scope.spawn(|| until_it_resolves(&tree, &cluster, killed, &over));
            let stdout = child.stdout.take();
            // A pipe that nobody reads would hold it up.
            let drained = scope
                .spawn(move || stdout.map(|mut out| std::io::copy(&mut out, &mut std::io::sink())));
            let output = child.wait_with_output().expect("its end");
            let _ = drained.join();
            over.store(true, Ordering::SeqCst);
            (output, looking.join().expect("look-ups"))
        });
        if whole {
            cluster.revive(primary);
        }
        cluster.until_whole();
        let after = state(&cluster);
        let what = format!("kill {n} {moment}, whole node: {whole}: {}", said(&output));
        let there = after == (format!("P{}", n + 2), before.1 + 1);
        assert!(there || after == before, "{what}: {before:?}, {after:?}");
        let code = output.status.code().expect("a code");
        match code {
            0 => assert!(there, "{what}: it said that it was applied"),
            8 => {}
            _ => assert!(!there, "{what}: exit {code}, and it is there"),
        }
        let history = tree.run(&url, "history");
        assert!(history.status.success(), "{}", said(&history));
        let plan = tree.run(&url, "plan --detailed-exitcode");
        let pending = if there { 0 } else { 2 };
        assert_eq!(plan.status.code(), Some(pending), "{what}: {}", said(&plan));
        println!(
            "kill {n} {moment}, whole node: {whole}: exit {code}, applied: {there}; look-ups again after {gap:.1?}"
        );
        *ends
            .entry(format!(
                "exit {code}, {}",
                if there { "applied" } else { "nothing written" }
            ))
            .or_default() += 1;
        gaps.push(gap);
    }
    gaps.sort_unstable();
    println!(
        "{ends:?}; look-ups again after {:.1?} to {:.1?}",
        gaps.first(),
        gaps.last()
    );
    // Reads go to a standby where that is asked for.
    let replica = cluster.url("app", "prefer-standby");
    let plan = tree.run(&replica, "plan");
    assert!(
        plan.status.success() && said(&plan).contains("is a standby"),
        "{}",
        said(&plan)
    );
    assert_eq!(cluster.nodes(), 3);
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

/// From the kill to the last look-up on the primary that failed; each that
/// works is right. On whatever server answers they may go on at once.
fn until_it_resolves(
    tree: &Tree,
    cluster: &Patroni,
    killed: Instant,
    over: &AtomicBool,
) -> Duration {
    let mut last = Duration::ZERO;
    let deadline = killed + Duration::from_secs(120);
    let mut failed = String::new();
    loop {
        for (attributes, words) in [
            ("any", "resolve --from +919000000001"),
            ("read-write", "resolve --from +919000000001"),
            (
                "read-write",
                "dispatch --from +919000000001 --to +919000000002 --dry-run",
            ),
        ] {
            let ran = tree.run(&cluster.url("app", attributes), words);
            let out = String::from_utf8_lossy(&ran.stdout).into_owned();
            match ran.status.code() {
                Some(0) => assert!(out.contains("livekit.india.example"), "{words}: {out}"),
                code => {
                    assert_eq!(code, Some(1), "{words}: {}", said(&ran));
                    failed = format!("{attributes}: {}", said(&ran));
                    last = killed.elapsed();
                }
            }
        }
        if over.load(Ordering::SeqCst) && killed.elapsed() > last + Duration::from_secs(3) {
            return last;
        }
        assert!(Instant::now() < deadline, "for two minutes: {failed}");
        thread::sleep(Duration::from_millis(200));
    }
}
