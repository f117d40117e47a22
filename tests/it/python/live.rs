//! The whole of it, and nothing stood in for: the service of
//! `python/tests/service.py`, a livekit-server, workers of two configs, a PostgreSQL
//! that crashes, and applies that move numbers while calls are placed.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::package;
use super::service::{SCHEMA, Service};
use super::stopped::{MOVING, apply_moving_numbers, crash, moving_numbers, now};
use super::world::{BACKUP_WORKER, Tables, WORKER, routed};
use crate::calls::world::{BACKUP_TRUNK, RING, backup, files};
use crate::livekit::real::{Livekit, Worker};
use crate::support::{CONFIG_UAE, Db, Lkroute, Postgres, TENANT_INDIA, block_on};

/// Where the numbers go, in turns, and the worker there.
const STATES: [(&str, &str); 2] = [
    ("india-techiemaya-cloud", WORKER),
    ("backup", BACKUP_WORKER),
];

/// How many calls are placed beside each apply, by how many callers.
const CALLS: usize = 2;
const CALLERS: usize = 2;

/// What the service said to one question, and when.
struct Said {
    began: f64,
    ended: f64,
    answer: Value,
}

/// Which state numbers were in from when on, and until when.
struct Timeline {
    states: Vec<(usize, f64, f64)>,
    /// When the database was gone.
    cut: (f64, f64),
}

impl Timeline {
    /// A state of its time, whole; or an error, where the database was away.
    fn check(&self, said: &Said, state: Option<usize>) {
        let during = |from: f64, until: f64| from <= said.ended && until >= said.began;
        if let Some(code) = said.answer["error"].as_str() {
            let is_away = ["lookup-failed", "record-failed"].contains(&code);
            let (from, until) = self.cut;
            assert!(is_away && during(from, until), "{}", said.answer);
            return;
        }
        let state = state.unwrap_or_else(|| panic!("of no state: {}", said.answer));
        let fits = |(of, from, until): &(usize, f64, f64)| *of == state && during(*from, *until);
        assert!(
            self.states.iter().any(fits),
            "too early, or late: {}",
            said.answer
        );
    }
}

/// All that runs: what is at the end of it ends with it.
struct Running {
    _livekit: Livekit,
    workers: [Worker; 2],
    service: Service,
    lkroute: Lkroute,
    tables: Tables,
}

impl Running {
    /// `None`, reported, where a part is missing.
    fn start() -> Option<Running> {
        let livekit = Livekit::alone_with_redis()?;
        let postgres = Postgres::own()?;
        package()?;
        let (first, second) = thread::scope(|scope| {
            let other = scope.spawn(|| Worker::start(&livekit, BACKUP_WORKER));
            (
                Worker::start(&livekit, WORKER),
                other.join().expect("started"),
            )
        });
        let trunk = block_on(livekit.trunk(&moving_numbers()));
        let other = backup("backup", CONFIG_UAE, &livekit.url)
            .replace(BACKUP_TRUNK, &trunk)
            .replace("deployment = \"standby\"\n", "");
        let tables = Tables::Postgres(postgres.database("python_live"));
        let text = files(&livekit.url, TENANT_INDIA, &trunk) + &other;
        let lkroute = routed(&tables, &text);
        apply_moving_numbers(&lkroute);
        let Tables::Postgres(db) = &tables else {
            return None;
        };
        // What it says is committed is there behind a crash, as where calls are placed.
        let name = db.psql("SELECT quote_ident(current_database())");
        db.psql(&format!(
            "ALTER DATABASE {} SET synchronous_commit = on",
            name.trim()
        ));
        Some(Running {
            service: Service::with_keys(db, RING)?,
            workers: [first?, second?],
            _livekit: livekit,
            lkroute,
            tables,
        })
    }

    fn db(&self) -> &Db {
        match &self.tables {
            Tables::Postgres(db) => db,
            Tables::Sqlite => panic!("on PostgreSQL"),
        }
    }

    fn said(&self, ask: impl FnOnce(&Service) -> Value) -> Said {
        let began = now();
        let answer = ask(&self.service);
        Said {
            began,
            ended: now(),
            answer,
        }
    }

    /// Moves all numbers to another state, and keeps when.
    fn move_to(&self, state: usize, line: &mut Timeline) {
        let (from, to) = (STATES[1 - state].0, STATES[state].0);
        self.lkroute.edit(MOVING, from, to);
        let began = now();
        let apply = ["apply", "--auto-approve"];
        self.lkroute.run(&apply).expect_code(0);
        line.states.last_mut().expect("one").2 = now();
        line.states.push((state, began, f64::MAX));
    }

    /// Kills a process of the database; when it was gone.
    fn cut_the_database(&self, number: &str) -> (f64, f64) {
        let began = now();
        crash(self.db());
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            let said = self.service.route(number);
            if said["config"].is_string() {
                return (began, now());
            }
            assert!(Instant::now() < until, "{said}");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// False words: "the running service obeys with the next call", "accepted". Attackers:
/// an apply in the middle of a call, a database that is gone.
#[test]
fn calls_of_a_service_go_by_one_state_each_through_applies_and_a_crash() {
    let Some(running) = Running::start() else {
        return;
    };
    let numbers = moving_numbers();
    let mut line = Timeline {
        states: vec![(0, 0.0, f64::MAX)],
        cut: (f64::MAX, 0.0),
    };
    let (routes, calls) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let (done, called) = (AtomicBool::new(false), AtomicUsize::new(0));
    let resolve_all = || {
        for number in numbers.iter().cycle() {
            let said = running.said(|service| service.route(number));
            routes.lock().expect("no panic").push(said);
            if done.load(Ordering::SeqCst) {
                break;
            }
        }
    };
    let call_some = || {
        for _ in 0..CALLS {
            let ix = called.fetch_add(1, Ordering::SeqCst);
            let to = format!("+9198765{ix:05}");
            let number = &numbers[ix % numbers.len()];
            let said = running.said(|service| service.call(number, &to));
            calls.lock().expect("no panic").push((to, said));
        }
    };
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(resolve_all);
        }
        for round in 0..4 {
            let callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(call_some)).collect();
            if round == 2 {
                line.cut = running.cut_the_database(&numbers[0]);
            }
            running.move_to((round + 1) % 2, &mut line);
            for caller in callers {
                caller.join().expect("no panic");
            }
        }
        call_some();
        done.store(true, Ordering::SeqCst);
    });

    let routes = routes.into_inner().expect("no panic");
    for said in &routes {
        let of = |(config, worker): &(&str, &str)| {
            said.answer["config"] == *config && said.answer["worker"] == *worker
        };
        line.check(said, STATES.iter().position(of));
    }
    let calls = calls.into_inner().expect("no panic");
    let mut rooms = BTreeMap::new();
    for (to, said) in &calls {
        let worker = said.answer["worker"].as_str().unwrap_or_default();
        line.check(said, STATES.iter().position(|(_, name)| *name == worker));
        if said.answer["status"] == "accepted" {
            let room = said.answer["room"].as_str().expect("a room");
            assert_eq!(rooms.insert(room.to_owned(), (worker, to)), None);
        }
    }
    println!(
        "{} routes; {} of {} calls",
        routes.len(),
        rooms.len(),
        calls.len()
    );
    assert!(
        routes.len() > 100 && rooms.len() > 10,
        "too little was asked"
    );
    are_recorded(running.db(), rooms.clone());
    are_picked_up(&running.workers, rooms);
}

/// The records say the same of them: server and worker are of one config.
fn are_recorded(db: &Db, mut rooms: BTreeMap<String, (&str, &String)>) {
    let rows = db.psql(&format!(
        "SELECT json_agg(r) FROM {SCHEMA}.lkroute_dispatches r WHERE status = 'accepted'"
    ));
    let rows: Vec<Value> = serde_json::from_str(&rows).expect("JSON");
    for row in rows {
        let text = |column: &str| row[column].as_str().expect("a text").to_owned();
        let (config, worker) = (text("config_name"), text("worker"));
        assert!(STATES.contains(&(&config, &worker)), "{row}");
        let call = rooms.remove(&text("room"));
        assert_eq!(call, Some((worker.as_str(), &text("to_number"))), "{row}");
    }
    assert!(rooms.is_empty(), "not recorded: {rooms:?}");
}

/// Each came to a worker of its config, once, and nothing else did.
fn are_picked_up(workers: &[Worker; 2], mut rooms: BTreeMap<String, (&str, &String)>) {
    let until = Instant::now() + Duration::from_secs(60);
    let taken = || workers.each_ref().map(Worker::jobs);
    while taken().iter().map(Vec::len).sum::<usize>() < rooms.len() {
        let seen = taken().concat();
        assert!(Instant::now() < until, "{} jobs of {rooms:?}", seen.len());
        thread::sleep(Duration::from_millis(100));
    }
    for (jobs, (_, name)) in taken().into_iter().zip(STATES) {
        assert!(!jobs.is_empty(), "{name}");
        for job in jobs {
            let metadata = job["metadata"].as_str().expect("a text");
            let metadata: Value = serde_json::from_str(metadata).expect("JSON");
            let call = rooms.remove(job["room"].as_str().expect("a room"));
            let to = metadata["to_number"].as_str().expect("a number").to_owned();
            assert_eq!(call, Some((name, &to)), "{job}");
        }
    }
    assert!(rooms.is_empty(), "no job of {rooms:?}");
}
