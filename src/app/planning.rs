//! From files and database to a plan: what `plan`, `apply` and `adopt` share.
//! Imports core, the store, `files` and `secrets`.

use std::path::Path;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::database::{self, Target};
use super::number_request::NumberRequest;
use super::revision::{CheckedOut, checked_out};
use super::secret_sources::SourceRules;
use super::{Context, Stop, Total, applied_states, routing_files, sealing};
use crate::address::Address;
use crate::diff::aliases::alias_changes;
use crate::diff::differ::Differ;
use crate::diff::earlier::Earlier;
use crate::diff::plan::Plan;
use crate::diff::secret::SecretFacts;
use crate::diff::target;
use crate::error::{Error, Result};
use crate::finding::Finding;
use crate::git::Revision;
use crate::guards::account::BudgetAccount;
use crate::guards::{self, Basis, GuardContext, exceptions};
use crate::history::undone::Undone;
use crate::impact::one_number::{OneNumber, before_and_after};
use crate::impact::reroutes::{self, Reroutes};
use crate::impact::slips;
use crate::impact::window::window_sum;
use crate::phone;
use crate::resolve::RowFact;
use crate::routing::Routing;
use crate::routing::guards::{Guards, GuardsChange};
use crate::secrets::KeyRing;
use crate::snapshot::{ApplyRecord, Snapshot};
use crate::source::Loaded;
use crate::store::{BatchDecoder, LookUp, Mode, RowBatch, RowIds, RowLimits, Store, check_stamp};

/// How many batches of rows may wait for the files to be parsed, or for the
/// comparison: 96 MB. What is owned of a million numbers is 70, and comes in less
/// time than their files are parsed in.
const WAITING: usize = 384;

/// What is wanted of a plan.
#[derive(Debug, Clone, Default)]
pub struct PlanRequest<'a> {
    /// Only these objects and what they newly depend on; empty for all.
    pub targets: &'a [Address],
    /// Drift is reverted only by an apply that was seen.
    pub leave_drift: bool,
    /// The plan is to be carried out: a SQLite file is brought up to date.
    pub to_write: bool,
    /// One number, to be looked at more closely.
    pub number: Option<NumberRequest>,
}

/// A plan, and what it was made of.
pub struct Planned {
    pub plan: Plan,
    pub reroutes: Reroutes,
    pub routing: Routing,
    pub snapshot: Snapshot,
    pub facts: SecretFacts,
    /// From where secrets may come.
    pub rules: SourceRules,
    pub target: Target,
    /// What guards refuse.
    pub refusals: Vec<Finding>,
    /// What an apply keeps for the budgets of later ones.
    pub account: BudgetAccount,
    /// The number that was asked for.
    pub number: Option<OneNumber>,
    /// A digest of what the files hold.
    pub digest: String,
    /// All applies, the newest first.
    pub applies: Vec<ApplyRecord>,
    /// What the files are a checkout of.
    pub checked_out: Option<CheckedOut>,
    /// The connection, where it may write.
    pub store: Option<Store>,
}

impl Planned {
    /// The commit that the files are of, where they are in git.
    pub fn revision(&self) -> Option<&Revision> {
        let found = self.checked_out.as_ref()?;
        Some(&found.revision)
    }

    /// The environment that is planned for, where the database was applied before
    /// its files had any: it is stamped with the next thing that is written.
    pub fn unstamped_environment(&self) -> Option<&str> {
        let stamp = &self.snapshot;
        let applied_without = stamp.last_apply.is_some() && stamp.environment.is_none();
        self.routing
            .environment
            .as_deref()
            .filter(|_| applied_without)
    }

    /// The guards that are stored when the plan is carried out.
    pub fn guards_after(&self) -> Result<Guards> {
        let mut guards = match (&self.plan.guards, self.snapshot.guards.readable()?) {
            (Some(change), _) => change.after.clone(),
            (None, Some(stored)) => stored.clone(),
            (None, None) => Guards::default(),
        };
        // Where no list was stored yet, that of the files counted.
        let listed = &self.routing.guards.secret_env;
        guards
            .secret_env
            .get_or_insert_with(|| listed.clone().unwrap_or_default());
        Ok(guards)
    }
}

/// The day in UTC, with which exceptions end.
pub fn today() -> Date {
    Timestamp::now().to_zoned(TimeZone::UTC).date()
}

/// Compares files and database. While the files are parsed on a thread of
/// their own, the database is read, where it is known without them; files
/// that are invalid come before whatever goes wrong with it.
pub async fn plan_changes(
    context: &Context<'_>,
    ring: &KeyRing,
    request: &PlanRequest<'_>,
) -> Result<Planned, Stop> {
    let (tell_environment, environment) = oneshot::channel();
    let (tell_start, start) = oneshot::channel();
    let (batches, rows) = mpsc::channel(WAITING);
    let settings = context.settings;
    // The schema may be in the files, too.
    let named = settings.database.is_some() && settings.schema.is_some();
    let early = settings.environment.is_none() || named;
    let reading = async {
        let environment = if early {
            None
        } else {
            environment.await.map_err(|_| other_side_ended())?
        };
        let target = database::target(context, environment.as_ref())?;
        let besides = read(context, &target, request, tell_start, batches).await?;
        Ok::<_, Error>((target, besides))
    };
    let comparing = async {
        let dir = settings.routing.clone();
        let asking = tokio::task::spawn_blocking(move || checked_out(&dir));
        let loaded = routing_files::valid(load_aside(context).await?)?;
        let checked_out = asking.await;
        let checked_out =
            checked_out.map_err(|error| Error::new(format!("asking git failed: {error}")))??;
        // The receiver is gone where the database is known without the files.
        let _ = tell_environment.send(routing_files::environment_database(context, &loaded));
        let Ok(start) = start.await else {
            return Ok(None);
        };
        let dir = &settings.routing;
        let compared = compare(ring, dir, loaded, start, rows).await?;
        Ok(Some((compared, checked_out)))
    };
    // What goes wrong with the files ends it at once.
    let reading = async { Ok::<_, Stop>(reading.await) };
    let (read, compared) = tokio::try_join!(reading, comparing)?;
    let (target, mut besides) = read?;
    let (compared, checked_out) = compared.ok_or_else(other_side_ended)?;
    sealing::find_undone(
        &compared.rules,
        &compared.loaded.routing,
        &compared.snapshot,
        ring,
        &mut besides.undone,
    );
    let planned = judge_plan(request, compared, target, besides)?;
    Ok(Planned {
        checked_out,
        ..planned
    })
}

/// Why one side stopped, where that is the other side's doing: never shown.
fn other_side_ended() -> Error {
    Error::new("the other side of the comparison ended")
}

/// Loads the files on a thread of their own.
async fn load_aside(context: &Context<'_>) -> Result<Loaded> {
    let settings = context.settings;
    let (dir, options) = (settings.routing.clone(), settings.load_options());
    let parsing = tokio::task::spawn_blocking(move || routing_files::read_files(&dir, &options));
    let loaded = parsing.await;
    loaded.map_err(|error| Error::new(format!("reading the files failed: {error}")))
}

/// What is read before the numbers.
#[derive(Default)]
struct Start {
    snapshot: Snapshot,
    earlier: Option<Earlier>,
}

/// What is read beside that which is compared.
#[derive(Default)]
struct Besides {
    /// All applies, the newest first.
    applies: Vec<ApplyRecord>,
    undone: Undone,
    /// What the tables can hold.
    limits: RowLimits,
    /// The rows of the number that was asked for.
    rows: Vec<RowFact>,
    /// The connection, where it may write.
    store: Option<Store>,
}

/// Reads a database, where there is one already: first all but the numbers,
/// then these.
async fn read(
    context: &Context<'_>,
    target: &Target,
    request: &PlanRequest<'_>,
    start: oneshot::Sender<Start>,
    batches: mpsc::Sender<RowBatch>,
) -> Result<Besides> {
    let mut besides = Besides::default();
    if !target.url.exists()? {
        context
            .progress
            .detail(&format!("{} is not there yet", target.url.label()));
        start
            .send(Start::default())
            .map_err(|_| other_side_ended())?;
        return Ok(besides);
    }
    if request.to_write && target.url.is_migrated_by_writing() {
        let (mut store, _) = database::open_stamped(context, target, Mode::Write).await?;
        for step in store.migrate(false).await? {
            context.progress.note(&format!("migrated: {}", step.name));
        }
    }
    let mode = if request.to_write {
        Mode::Write
    } else {
        Mode::Read
    };
    let mut store = database::open_current(context, target, mode).await?;
    besides.limits = store.row_limits();
    store.begin_read().await?;
    let found = store.snapshot().await?;
    besides.applies = store.applies().await?;
    let earlier =
        applied_states::read_earlier(&mut store, found.guards.window(), &besides.applies).await?;
    let found = Start {
        snapshot: found,
        earlier,
    };
    start.send(found).map_err(|_| other_side_ended())?;
    let progress = context.progress.count("comparing", Total::Unknown);
    let mut each = async |batch| batches.send(batch).await.map_err(|_| other_side_ended());
    store
        .stream_rows(&mut each, &mut |rows| progress.at(rows))
        .await?;
    besides.undone = applied_states::read_undone(&mut store, &besides.applies).await?;
    if let Some(number) = request.number.as_ref().map(|asked| asked.number) {
        let asked = LookUp {
            agents: false,
            ..LookUp::number(number)
        };
        besides.rows = store.look_up(&asked).await?.facts.rows;
    }
    store.end_read().await?;
    besides.store = request.to_write.then_some(store);
    Ok(besides)
}

/// Files and database, compared.
struct Compared {
    plan: Plan,
    loaded: Loaded,
    snapshot: Snapshot,
    facts: SecretFacts,
    rules: SourceRules,
}

/// Compares the rows as they come, on a thread of its own.
async fn compare(
    ring: &KeyRing,
    routing_dir: &Path,
    loaded: Loaded,
    Start { snapshot, earlier }: Start,
    mut rows: mpsc::Receiver<RowBatch>,
) -> Result<Compared, Stop> {
    let routing = &loaded.routing;
    check_stamp(
        (snapshot.owner.as_deref(), snapshot.environment.as_deref()),
        (routing.owner.as_deref(), routing.environment.as_deref()),
    )?;
    let rules = SourceRules::new(routing_dir, routing, snapshot.guards.readable()?);
    let facts = sealing::facts(&rules, routing, &snapshot, ring);
    let comparing = tokio::task::spawn_blocking(move || {
        let mut differ = Differ::new(&loaded.routing, &snapshot, &facts, Uuid::new_v4);
        differ.since(earlier);
        let mut decoder = BatchDecoder::default();
        let mut is_foreseen = false;
        while let Some(batch) = rows.blocking_recv() {
            // New and changed numbers are looked at for slips. What the library knows
            // of such is loaded while the rows come.
            if !is_foreseen
                && batch.is_of_numbers()
                && let Some(number) = differ.foreseen_change()
            {
                is_foreseen = true;
                tokio::task::spawn_blocking(move || phone::number_doubt(number));
            }
            decoder.decode(batch, &mut differ)?;
        }
        let mut ids = RowIds::new()?;
        let plan = differ.finish(|| ids.make());
        Ok(Compared {
            plan,
            loaded,
            snapshot,
            facts,
            rules,
        })
    });
    let compared = comparing.await;
    compared.map_err(|error| Error::new(format!("comparing failed: {error}")))?
}

/// The part of a plan that was asked for, and what its guards say.
fn judge_plan(
    request: &PlanRequest<'_>,
    compared: Compared,
    target: Target,
    besides: Besides,
) -> Result<Planned, Stop> {
    let Compared {
        mut plan,
        loaded,
        snapshot,
        facts,
        rules,
    } = compared;
    let routing = loaded.routing;
    let stored = snapshot.guards.readable()?;
    plan.guards = GuardsChange::between(stored, &routing.guards);
    plan.aliases = alias_changes(&snapshot.tenants, &routing, &plan);
    if let Some(unknown) = target::unknown(&plan, &routing, request.targets).first() {
        let message = format!("--target {unknown}: neither the files nor the database know it");
        return Err(Error::new(message)
            .hint(target::like_target(unknown, &routing))
            .into());
    }
    if !request.targets.is_empty() {
        plan = target::narrow(plan, request.targets);
    }
    let day = today();
    plan = besides.undone.hold_back(plan, |plan, changes| {
        let allow = &routing.guards.allow;
        exceptions::excepted(plan, changes, "undone", (allow, &snapshot.tenants, day))
    });
    if request.leave_drift {
        plan = plan.without_drift();
    }
    besides.limits.check(&plan)?;
    let mut reroutes = reroutes::reroutes(&plan);
    reroutes.window = window_sum(&mut plan);
    let number = match &request.number {
        Some(asked) => {
            let rows = besides.rows;
            let (before, after) = before_and_after(&plan, &routing, &snapshot, rows, asked.number);
            Some(asked.resolve(&before, &after)?.with_secrets(&plan))
        }
        None => None,
    };
    let guard_report = guards::evaluate(
        &plan,
        &GuardContext {
            routing: &routing,
            snapshot: &snapshot,
            reroutes: &reroutes,
            applied: stored,
            today: day,
            basis: Basis::Files,
            secrets: Some(&facts),
        },
    );
    plan.findings.splice(0..0, loaded.findings);
    plan.findings.extend(guard_report.warnings);
    plan.findings.extend(rules.own_lists(&routing));
    plan.findings
        .extend(slips::find_slips(&plan, &snapshot.tenants, &routing));
    let mut refusals = guard_report.refusals;
    refusals.extend_from_slice(facts.refusals());
    let (held, told): (Vec<Finding>, Vec<Finding>) = exceptions::held_back(&plan, day)
        .into_iter()
        .partition(Finding::is_error);
    plan.findings.extend(told);
    refusals.extend(held);
    Ok(Planned {
        plan,
        reroutes,
        routing,
        snapshot,
        facts,
        rules,
        target,
        refusals,
        account: guard_report.account,
        number,
        digest: loaded.digest,
        applies: besides.applies,
        checked_out: None,
        store: besides.store,
    })
}
