//! Times and peak memory of processes, and of look-ups in this one.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use lkroute::diff::differ::Differ;
use lkroute::diff::secret::SecretFacts;
use lkroute::files::Tree;
use lkroute::impact::reroutes::reroutes as reroutes_of;
use lkroute::phone::E164;
use lkroute::resolve::{Query, RoutingEnv, TenantChoice, resolve};
use lkroute::source::{self, LoadOptions};
use lkroute::store::{DatabaseUrl, LookUp, Mode, Store};

use crate::tree::Number;

/// How long something took, and how much memory it held at most.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    pub seconds: f64,
    /// Bytes; 0 where it was not looked at.
    pub peak: u64,
}

impl Run {
    fn of(seconds: f64) -> Run {
        Run { seconds, peak: 0 }
    }
}

/// Runs the release binary over a tree and a database; it has to succeed.
pub fn lkroute(dir: &Path, url: &str, args: &[&str]) -> Run {
    timed(&mut command(dir, url, args))
}

pub fn command(dir: &Path, url: &str, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lkroute"));
    command
        .current_dir(dir)
        .args(args)
        .env("DATABASE_URL", url)
        .env_remove("CI");
    command
}

/// Runs a short command to its end; looking at its memory would disturb it.
pub fn wall(command: &mut Command) -> Run {
    let start = Instant::now();
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .expect("the command starts");
    let seconds = start.elapsed().as_secs_f64();
    assert!(status.success(), "{command:?} ended in {status}");
    Run::of(seconds)
}

/// How often the memory of a process is looked at: seldom enough not to be seen
/// in its time.
const LOOK: Duration = Duration::from_millis(5);

/// Runs a command to its end; another thread looks at its memory meanwhile.
pub fn timed(command: &mut Command) -> Run {
    let start = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("the command starts");
    let status = format!("/proc/{}/status", child.id());
    let (done, ended) = mpsc::channel::<()>();
    let looking = thread::spawn(move || {
        let mut peak = 0;
        while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(LOOK) {
            peak = high_water(&status).unwrap_or(0).max(peak);
        }
        peak
    });
    let code = child.wait().expect("a child");
    let seconds = start.elapsed().as_secs_f64();
    drop(done);
    assert!(code.success(), "{command:?} ended in {code}");
    Run {
        seconds,
        peak: looking.join().expect("a thread"),
    }
}

/// VmHWM, in bytes.
fn high_water(status: &str) -> Option<u64> {
    let text = std::fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kib * 1024)
}

/// The run in the middle of several.
pub fn median(times: usize, run: impl Fn() -> Run) -> Run {
    middle((0..times).map(|_| run()).collect())
}

pub fn middle(mut runs: Vec<Run>) -> Run {
    runs.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    runs[runs.len() / 2]
}

/// Ours beside a floor: the middle of each, and of the ratios.
#[derive(Debug, Clone, Copy)]
pub struct Pair {
    pub floor: Run,
    pub ours: Run,
    pub ratio: f64,
    /// The middle half of the ratios.
    pub spread: [f64; 2],
}

/// Several runs of each of two, in turn and in either order, so that both meet the
/// same weather; each ratio is of two that ran side by side. The first two, which
/// find everything cold, don't count.
pub fn side_by_side(
    times: usize,
    mut floor: impl FnMut() -> Run,
    mut ours: impl FnMut() -> Run,
) -> Pair {
    let mut pairs = Vec::with_capacity(times);
    for n in 0..=times {
        let pair = if n % 2 == 0 {
            let floor = floor();
            (floor, ours())
        } else {
            let ours = ours();
            (floor(), ours)
        };
        pairs.push(pair);
    }
    Pair::of(pairs.split_off(1))
}

impl Pair {
    /// Of runs that were made in pairs: the floor, and ours.
    pub fn of(pairs: Vec<(Run, Run)>) -> Pair {
        let ratio = |(floor, ours): &(Run, Run)| ours.seconds / floor.seconds;
        let mut ratios: Vec<f64> = pairs.iter().map(ratio).collect();
        ratios.sort_by(f64::total_cmp);
        let (floors, ours) = pairs.into_iter().unzip();
        let (half, quarter) = (ratios.len() / 2, ratios.len() / 4);
        Pair {
            floor: middle(floors),
            ours: middle(ours),
            ratio: ratios[half],
            spread: [ratios[quarter], ratios[ratios.len() - 1 - quarter]],
        }
    }
}

/// A whole plan in this process, and what of it goes into who is rerouted.
pub fn reroutes(routing: &Path, url: &str) -> (Run, Run) {
    let start = Instant::now();
    let loaded = source::load_routing(&Tree::open(routing), &LoadOptions::default());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let plan = runtime.block_on(async {
        let url = DatabaseUrl::parse(url).expect("a URL");
        let mut store = Store::open(&url, None, Mode::Read).await.expect("a store");
        store.begin_read().await.expect("begun");
        let snapshot = store.snapshot().await.expect("a snapshot");
        let facts = SecretFacts::default();
        let mut differ = Differ::new(&loaded.routing, &snapshot, &facts, uuid::Uuid::now_v7);
        store
            .run_diff(&mut differ, &mut |_| ())
            .await
            .expect("rows");
        differ.finish(uuid::Uuid::now_v7)
    });
    let planned = Instant::now();
    let reroutes = reroutes_of(&plan);
    assert!(reroutes.counts.rerouted > 0);
    let (all, rerouted) = (start.elapsed(), planned.elapsed());
    (Run::of(all.as_secs_f64()), Run::of(rerouted.as_secs_f64()))
}

/// Look-ups by number and tenant on a connection that is warm.
pub struct InProcess {
    runtime: tokio::runtime::Runtime,
    store: Store,
    from: E164,
    tenant: uuid::Uuid,
}

impl InProcess {
    pub fn open(url: &str, number: &Number) -> InProcess {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let url = DatabaseUrl::parse(url).expect("a URL");
        let store = runtime.block_on(Store::open(&url, None, Mode::Read));
        InProcess {
            runtime,
            store: store.expect("a store"),
            from: E164::parse(&number.e164).expect("a number"),
            tenant: number.tenant.parse().expect("a uuid"),
        }
    }

    /// The median of two thousand.
    pub fn resolve(&mut self) -> Run {
        let (from, tenant, store) = (self.from, self.tenant, &mut self.store);
        self.runtime.block_on(async {
            let mut times = Vec::new();
            for _ in 0..2000 {
                let start = Instant::now();
                let found = look_up(store, from, tenant).await;
                times.push(start.elapsed().as_secs_f64());
                assert!(found, "{from} is not found");
            }
            times.sort_by(f64::total_cmp);
            Run::of(times[times.len() / 2])
        })
    }
}

async fn look_up(store: &mut Store, from: E164, tenant: uuid::Uuid) -> bool {
    let found = store
        .look_up(&LookUp::number(from))
        .await
        .expect("a look-up");
    let query = Query::new(from, TenantChoice::Given(tenant));
    resolve(&query, &found.facts, &RoutingEnv::Symbolic)
        .outcome
        .is_ok()
}
