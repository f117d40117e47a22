//! A real service on the package, with a real PostgreSQL: calls under load
//! while an apply moves numbers, a restart in the middle, forks and threads.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::package;
use super::package::Package;
use crate::support::pages::blocks_run_by;
use crate::support::{Db, Lkroute, Postgres};

pub const SCHEMA: &str = "lad_dev";
pub const KEYS: &str = "demo:bGtyb3V0ZSBkZW1vIGtleSwgbmV2ZXIgdXNlIHRoaXM";
const NUMBER: &str = "+971545335200";
/// Of the sample's config in the UAE.
const MOVED: usize = 40;

/// The service of `python/tests/service.py`.
pub struct Service {
    child: Child,
    port: u16,
}

impl Service {
    fn start(db: &Db) -> Option<Service> {
        Service::with_keys(db, KEYS)
    }

    pub fn with_keys(db: &Db, keys: &str) -> Option<Service> {
        let mut child = package()?
            .script("service.py")
            .args([&db.url, SCHEMA])
            .env("LKROUTE_KEYS", keys)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("start the service");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("piped");
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("its port");
        let port = line.trim().parse().expect("a port");
        Some(Service { child, port })
    }

    /// What the service says of a number.
    pub fn route(&self, number: &str) -> Value {
        self.ask("GET", &format!("/route/{number}"), "")
    }

    /// What became of a call that it places.
    pub fn call(&self, number: &str, to: &str) -> Value {
        let body = json!({ "to": to }).to_string();
        self.ask("POST", &format!("/call/{number}"), &body)
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Value {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("connect");
        let limit = Some(Duration::from_secs(60));
        stream.set_read_timeout(limit).expect("set it");
        let (path, length) = (path.replace('+', "%2B"), body.len());
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nHost: service.example\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        )
        .expect("ask");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
        serde_json::from_str(body).expect("JSON")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It ends with its input.
        drop(self.child.stdin.take());
        let until = Instant::now() + Duration::from_secs(10);
        while Instant::now() < until {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn number(ix: usize) -> String {
    format!("+97154600{ix:04}")
}

/// The sample, and numbers that are going to move.
pub fn world(postgres: &'static Postgres, name: &str) -> (Db, Lkroute) {
    let db = postgres.database(name);
    db.psql(&format!("CREATE SCHEMA {SCHEMA}"));
    let mut lkroute = Lkroute::with_two_regions();
    lkroute.env("LKROUTE_KEYS", KEYS);
    lkroute.env("DATABASE_URL", &db.url);
    lkroute.env("LKROUTE_SCHEMA", SCHEMA);
    let numbers: Vec<String> = (0..MOVED).map(|ix| format!("{:?}", number(ix))).collect();
    let bound = format!(
        "[[bindings]]\nnumbers = [{}]\ntenant = \"sasya\"\nconfig = \"uae-vm-selfhosted\"\n",
        numbers.join(", ")
    );
    lkroute.write("routing/moved.toml", &bound);
    // Most of the tenant stays, as its guard has it.
    lkroute.write(
        "routing/kept.toml",
        "[[bindings]]\nrange = [\"+971546010000\", \"+971546010099\"]\n\
         tenant = \"sasya\"\nconfig = \"uae-vm-selfhosted\"\n",
    );
    lkroute.run(&["migrate"]).expect_code(0);
    lkroute.run(&["apply", "--auto-approve"]).expect_code(0);
    (db, lkroute)
}

/// Moves all of them to the other region, or back.
fn move_all(lkroute: &Lkroute, from: &str, to: &str) {
    lkroute.edit("routing/moved.toml", from, to);
    lkroute.run(&["apply", "--auto-approve"]).expect_code(0);
}

/// False word: "the running service obeys with the next call". Attackers: an
/// apply in the middle of a look-up, and a look-up that mixes two configs.
#[test]
fn each_call_under_load_goes_by_the_state_before_or_after_an_apply() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let (db, lkroute) = world(postgres, "python_service");
    let Some(service) = Service::start(&db) else {
        return;
    };
    let workers = [
        ("uae-vm-selfhosted", "voag-staging"),
        ("india-techiemaya-cloud", "voag-dev"),
    ];
    let (moves, done, calls) = (AtomicU32::new(0), AtomicBool::new(false), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for caller in 0..4 {
            let (service, moves, done, calls) = (&service, &moves, &done, &calls);
            scope.spawn(move || {
                let mut ix = caller;
                while !done.load(Ordering::SeqCst) {
                    ix = (ix + 7) % MOVED;
                    let before = moves.load(Ordering::SeqCst);
                    let route = service.route(&number(ix));
                    let after = moves.load(Ordering::SeqCst);
                    calls.fetch_add(1, Ordering::SeqCst);
                    let (config, worker) = workers
                        .into_iter()
                        .find(|(config, _)| route["config"] == *config)
                        .unwrap_or_else(|| panic!("{route}"));
                    assert_eq!(route["worker"], worker, "{route}");
                    assert_eq!(route["source"], "database");
                    assert_eq!(route["opens"], true);
                    // An odd count: a move is under way, either state may be seen.
                    if before == after && before.is_multiple_of(2) {
                        let there = (before / 2).is_multiple_of(2);
                        let wanted = workers[usize::from(!there)].0;
                        assert_eq!(config, wanted, "behind {before} changes");
                    }
                }
            });
        }
        for round in 0..4 {
            std::thread::sleep(Duration::from_millis(300));
            let names = [workers[0].0, workers[1].0];
            let (from, to) = match round % 2 {
                0 => (names[0], names[1]),
                _ => (names[1], names[0]),
            };
            moves.fetch_add(1, Ordering::SeqCst);
            move_all(&lkroute, from, to);
            moves.fetch_add(1, Ordering::SeqCst);
            // The very next call obeys.
            assert_eq!(service.route(&number(round as usize))["config"], to);
        }
        done.store(true, Ordering::SeqCst);
    });
    assert!(calls.load(Ordering::SeqCst) > 50, "{calls:?} calls");
}

/// The server is restarted by its postmaster after a crash: all connections are
/// gone, and for a while it takes none.
#[test]
fn a_service_outlives_a_restart_of_postgresql() {
    let Some(postgres) = Postgres::own() else {
        return;
    };
    let (db, _lkroute) = world(postgres, "python_cut");
    let Some(service) = Service::start(&db) else {
        return;
    };
    assert_eq!(service.route(NUMBER)["config"], "uae-vm-selfhosted");
    // This cluster commits without waiting for its disk.
    db.psql("CHECKPOINT");
    let one = "SELECT pid FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid() LIMIT 1";
    let pid = db.psql(one);
    let kill = std::process::Command::new("kill")
        .args(["-9", pid.trim()])
        .status();
    assert!(kill.expect("run kill").success());
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let route = service.route(NUMBER);
        if route["config"] == "uae-vm-selfhosted" {
            break;
        }
        // Never the environment, never another server: an error.
        assert_eq!(route["error"], "lookup-failed", "{route}");
        assert!(Instant::now() < until, "{route}");
    }
}

/// What the README shows, with its output.
#[test]
fn a_merge_is_obeyed_by_the_next_call() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let (db, lkroute) = world(postgres, "python_merge");
    let Some(service) = Service::start(&db) else {
        return;
    };
    let program = Path::new(env!("CARGO_BIN_EXE_lkroute"));
    let path = std::env::var("PATH").expect("a PATH");
    let path = format!(
        "{}:{path}",
        program.parent().expect("a directory").display()
    );
    for block in blocks_run_by("README.md", "a_merge_is_obeyed_by_the_next_call") {
        let mut shown = String::new();
        for line in block.lines() {
            let Some(command) = line.strip_prefix("$ ") else {
                continue;
            };
            let mut shell = lkroute.command(&[""; 0]);
            let variables: Vec<_> = shell
                .get_envs()
                .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
                .collect();
            shell = std::process::Command::new("/bin/sh");
            let done = shell
                .args(["-c", command])
                .current_dir(lkroute.path())
                .env_clear()
                .envs(variables)
                .env("PATH", &path)
                .env("NO_PROXY", "127.0.0.1")
                .env("SERVICE", format!("http://127.0.0.1:{}", service.port))
                .output()
                .expect("run it");
            shown += &format!("{line}\n{}", String::from_utf8_lossy(&done.stdout));
            if !shown.ends_with('\n') {
                shown.push('\n');
            }
        }
        let same = |text: &str| -> Vec<String> {
            // How long an apply took is its own.
            let lines = text.lines();
            lines
                .map(|line| match line.split_once(" in 0.") {
                    Some((before, after)) => format!("{before} in 0.{}", &after[1..]),
                    None => line.to_owned(),
                })
                .collect()
        };
        assert_eq!(same(&shown), same(&block));
    }
}

#[test]
fn secrets_stay_inside_and_forks_threads_and_transactions_work() {
    if let Some(package) = package() {
        run_lifecycle(package);
    }
}

#[track_caller]
pub fn run_lifecycle(package: &Package) {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let (db, lkroute) = world(postgres, "python_life");
    let env = ["env", "--config", "uae-vm-selfhosted", "--", "sh", "-c"];
    let print = ["printf %s \"$LIVEKIT_API_SECRET\" > secret"];
    lkroute.run(&[&env[..], &print[..]].concat()).expect_code(0);
    let secret = std::fs::read_to_string(lkroute.path().join("secret")).expect("the secret");
    std::fs::remove_file(lkroute.path().join("secret")).expect("remove it");
    let explain = [
        "resolve",
        "--from",
        NUMBER,
        "--to",
        "0501234567",
        "--explain",
    ];
    let explained = lkroute.run(&explain).expect_code(0);
    let done = package
        .script("lifecycle.py")
        .args([&db.url, SCHEMA, NUMBER, &secret])
        .env("LKROUTE_KEYS", KEYS)
        .env("EXPLAINED", explained.stdout)
        .output()
        .expect("run it");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
    assert_eq!(String::from_utf8_lossy(&done.stdout), "all well\n");
}
