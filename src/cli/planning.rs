//! From files and database to a plan: what `plan`, `apply` and `adopt` share.
//! Imports core, the store, `files` and `secrets`.

use std::path::PathBuf;

use jiff::Zoned;
use uuid::Uuid;

use super::database::{self, EnvironmentDatabase, Target};
use super::number::NumberArgs;
use super::progress::Progress;
use super::report::Report;
use super::shell::Shell;
use super::{Stop, migrate, sealing};
use crate::address::Address;
use crate::error::{Error, Result};
use crate::files::Tree;
use crate::finding::Finding;
use crate::plan::diff::Differ;
use crate::plan::judgement::{self, Bench};
use crate::plan::number::{OneNumber, before_and_after};
use crate::plan::reroute::{self, Reroutes};
use crate::plan::secret::SecretFacts;
use crate::plan::{Plan, expect, target};
use crate::resolve::Configs;
use crate::routing::Routing;
use crate::secrets::KeyRing;
use crate::snapshot::{ApplyRecord, Snapshot};
use crate::source::{self, LoadOptions, Loaded};
use crate::store::{LookUp, Mode, Store, check_stamp};

/// What is wanted of a plan.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wish<'a> {
    /// Only these objects and what they newly depend on; empty for all.
    pub targets: &'a [Address],
    /// Drift is reverted only by an apply that was seen.
    pub leave_drift: bool,
    /// The plan is to be carried out: a SQLite file is brought up to date.
    pub to_write: bool,
    /// One number, to be looked at more closely.
    pub number: Option<&'a NumberArgs>,
}

/// A plan, and what it was made of.
pub struct Planned {
    pub plan: Plan,
    pub reroutes: Reroutes,
    pub routing: Routing,
    pub snapshot: Snapshot,
    pub facts: SecretFacts,
    pub target: Target,
    /// What guards refuse.
    pub refusals: Vec<Finding>,
    /// The number of the wish.
    pub number: Option<OneNumber>,
    /// A digest of what the files hold.
    pub digest: String,
    /// All applies, the newest first, where the last was a rollback or a
    /// release.
    pub undone: Vec<ApplyRecord>,
}

impl Planned {
    pub fn report(&self) -> Report<'_> {
        Report {
            plan: &self.plan,
            reroutes: &self.reroutes,
            refusals: &self.refusals,
            offline: None,
            number: self.number.as_ref(),
        }
    }
}

/// Loads the files of `--routing`, for the environment of `--env`.
pub fn load(shell: &Shell) -> Loaded {
    read_files(shell.globals.routing.clone(), shell.globals.env.clone())
}

fn read_files(dir: PathBuf, environment: Option<String>) -> Loaded {
    checked(source::load(
        &Tree::open(&dir),
        &LoadOptions { environment },
    ))
}

/// With the routing tests of the files tried.
pub fn checked(mut loaded: Loaded) -> Loaded {
    if !loaded.has_errors() {
        loaded.findings.extend(expect::check(&loaded.routing));
    }
    loaded
}

/// Loads the files, which must be valid.
pub fn load_valid(shell: &Shell) -> Result<Loaded, Stop> {
    valid(load(shell))
}

/// Loaded files that are valid.
pub fn valid(loaded: Loaded) -> Result<Loaded, Stop> {
    match loaded.has_errors() {
        true => Err(Stop::Invalid(loaded.findings)),
        false => Ok(loaded),
    }
}

/// What the chosen environment says about its database.
pub fn environment(shell: &Shell, loaded: &Loaded) -> Option<EnvironmentDatabase> {
    let name = shell.globals.env.clone()?;
    Some(EnvironmentDatabase {
        name,
        variable: loaded.database.clone(),
        schema: loaded.schema.clone(),
    })
}

/// Compares files and database. While the files are parsed on a thread of
/// their own, the database is asked, where it is known without them; files
/// that are invalid come before whatever goes wrong with it.
pub async fn plan(shell: &Shell, ring: &KeyRing, wish: Wish<'_>) -> Result<Planned, Stop> {
    let globals = &shell.globals;
    let (dir, environment_name) = (globals.routing.clone(), globals.env.clone());
    let mut parsing = tokio::task::spawn_blocking(move || read_files(dir, environment_name));
    // The schema may be in the files, too.
    let named = globals.database.is_some() && globals.schema.is_some();
    let early = globals.env.is_none() || named;
    let reading = async {
        match early {
            true => read(shell, database::target(shell, None)?, wish.to_write).await,
            false => std::future::pending().await,
        }
    };
    tokio::pin!(reading);
    let mut found = None;
    let loaded = tokio::select! {
        loaded = &mut parsing => loaded,
        database = &mut reading => {
            found = Some(database);
            parsing.await
        }
    };
    let loaded =
        loaded.map_err(|error| Error::new(format!("reading the files failed: {error}")))?;
    let loaded = valid(loaded)?;
    let found = match (found, early) {
        (Some(found), _) => found?,
        (None, true) => reading.await?,
        (None, false) => {
            let environment = environment(shell, &loaded);
            read(
                shell,
                database::target(shell, environment.as_ref())?,
                wish.to_write,
            )
            .await?
        }
    };
    compare(shell, ring, wish, loaded, found).await
}

/// A database, read up to its numbers; no store where there is nothing yet.
struct Found {
    target: Target,
    store: Option<Store>,
    snapshot: Snapshot,
}

async fn read(shell: &Shell, target: Target, to_write: bool) -> Result<Found> {
    if !target.url.exists() {
        shell.detail(&format!("{} is not there yet", target.url.label()));
        return Ok(Found {
            target,
            store: None,
            snapshot: Snapshot::default(),
        });
    }
    if to_write && target.url.file().is_some() {
        let mut store = database::open(shell, &target, Mode::Write).await?;
        migrate::say(shell, &store.migrate(false).await?);
    }
    let mut store = database::open_current(shell, &target, Mode::Read).await?;
    store.begin_read().await?;
    let snapshot = store.snapshot().await?;
    Ok(Found {
        target,
        store: Some(store),
        snapshot,
    })
}

async fn compare(
    shell: &Shell,
    ring: &KeyRing,
    wish: Wish<'_>,
    loaded: Loaded,
    found: Found,
) -> Result<Planned, Stop> {
    let Found {
        target,
        store,
        snapshot,
    } = found;
    let routing = loaded.routing;
    check_stamp(
        (snapshot.owner.as_deref(), snapshot.environment.as_deref()),
        (routing.owner.as_deref(), routing.environment.as_deref()),
    )?;
    let facts = sealing::facts(&routing, &snapshot, ring);
    let mut differ = Differ::new(&routing, &snapshot, &facts, Uuid::new_v4);
    let mut undone = Vec::new();
    let number = wish.number.and_then(|args| args.number);
    let mut rows = Vec::new();
    if let Some(mut store) = store {
        let last = snapshot.last_apply.as_ref();
        if last.is_some_and(|last| last.kind != "apply") {
            undone = store.applies().await?;
        }
        let progress = Progress::rows(shell, "comparing");
        store
            .feed(&mut differ, &mut |rows| progress.at(rows))
            .await?;
        if let Some(number) = number {
            rows = store.look_up(&LookUp::number(number)).await?.facts.rows;
        }
        store.end_read().await?;
    }
    let mut plan = differ.finish(Uuid::now_v7);
    if let Some(unknown) = target::unknown(&plan, &routing, wish.targets).first() {
        let message = format!("--target {unknown}: neither the files nor the database know it");
        return Err(Error::new(message).into());
    }
    if !wish.targets.is_empty() {
        plan = target::narrow(plan, wish.targets);
    }
    if wish.leave_drift {
        plan = plan.without_drift();
    }
    let reroutes = reroute::reroutes(&plan, &Configs::of_snapshot(&snapshot));
    let number = match (wish.number, number) {
        (Some(args), Some(number)) => {
            let (before, after) = before_and_after(&plan, &routing, &snapshot, rows, number);
            args.resolve(&before, &after)?
        }
        _ => None,
    };
    let judgement = judgement::judge(
        &plan,
        &Bench {
            routing: &routing,
            snapshot: &snapshot,
            reroutes: &reroutes,
            applied: snapshot
                .last_apply
                .as_ref()
                .and_then(|apply| apply.guards.as_ref()),
            today: Zoned::now().date(),
            undoes: false,
        },
    );
    plan.findings.splice(0..0, loaded.findings);
    plan.findings.extend(judgement.warnings);
    let refusals = judgement.refusals;
    Ok(Planned {
        plan,
        reroutes,
        routing,
        snapshot,
        facts,
        target,
        refusals,
        number,
        digest: loaded.digest,
        undone,
    })
}
