//! `doctor`: gathers what would fail a call, from database or files and by
//! asking the servers, and has it judged. Imports core, `livekit`, the store
//! and `secrets`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures_util::{StreamExt, stream};
use uuid::Uuid;

use super::lookup::Signing;
use super::secret_sources::SourceRules;
use super::server_probes::probe_config;
use super::{
    Context, Stop, Total, database, lookup, no_such, routing_files, sealing, trusted_hosts,
};
use crate::count_words::counted;
use crate::doctor::{
    AgentTenantMismatch, Complaint, DoctorFacts, DoctorFindings, DriftSurvey, Numbers, Probed,
    Survey,
};
use crate::doctor::{ComplaintSeverity, examine};
use crate::error::Result;
use crate::fields::{Field, FieldsPool};
use crate::phone;
use crate::resolve::{Aliases, ConfigFact, Configs, Regions};
use crate::routing::Tenant;
use crate::secrets::{self, KeyRing, Secret, Stored};
use crate::snapshot::Snapshot;
use crate::store::{Mode, Store, TrustRows};
use crate::trust::Standing;

pub use crate::dispatch::Limits;

/// Servers that are asked at a time.
const AT_ONCE: usize = 32;

/// What to look at.
pub struct DoctorRequest {
    /// Only these configs; all where empty.
    pub only: BTreeSet<String>,
    pub scope: DoctorScope,
    pub limits: Limits,
    /// What opens the secrets.
    pub ring: KeyRing,
}

/// How far `doctor` looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DoctorScope {
    /// The files alone; no server is asked.
    Files,
    Database,
    /// And the servers.
    Servers,
    /// And each worker, whose entry point runs once.
    Workers,
}

/// All that was gathered.
#[derive(Default)]
struct Gathered {
    configs: Configs,
    numbers: Numbers,
    mixed: Vec<AgentTenantMismatch>,
    drift: Vec<String>,
    /// That the database is stamped with.
    environment: Option<String>,
    /// The secrets that open.
    opened: HashMap<Uuid, Secret>,
    /// Where a token would go, of each config that has a URL.
    standings: HashMap<Uuid, Standing>,
}

/// Looks at all that calls depend on; with the environment that the database
/// is stamped with.
///
/// # Errors
/// The files or the database can't be read, or a config is not known.
pub async fn examine_routing(
    context: &Context<'_>,
    request: &DoctorRequest,
) -> Result<(DoctorFindings, Option<String>), Stop> {
    let DoctorRequest { only, scope, .. } = request;
    let gathered = match scope {
        DoctorScope::Files => read_files(context, &request.ring)?,
        DoctorScope::Database | DoctorScope::Servers | DoctorScope::Workers => {
            let target = lookup::target(context)?;
            let mut store = database::open_current(context, &target, Mode::Look).await?;
            read_database(context, &mut store, &request.ring).await?
        }
    };
    check_names(only, &gathered.configs)?;
    let probes = if *scope >= DoctorScope::Servers {
        probe_servers(context, request, &gathered).await
    } else {
        BTreeMap::new()
    };
    let mut report = examine(&DoctorFacts {
        configs: &gathered.configs,
        numbers: &gathered.numbers,
        mixed: &gathered.mixed,
        drift: &gathered.drift,
        probes: &probes,
        only,
    });
    if *scope != DoctorScope::Files && only.is_empty() {
        add_environment(&mut report);
        add_files(context, &mut report);
    }
    Ok((report, gathered.environment))
}

/// Asks the servers side by side.
async fn probe_servers(
    context: &Context<'_>,
    request: &DoctorRequest,
    gathered: &Gathered,
) -> BTreeMap<String, Probed> {
    let only = &request.only;
    let wanted = |c: &&ConfigFact| only.is_empty() || only.contains(c.name());
    let configs: Vec<&ConfigFact> = gathered.configs.iter().filter(wanted).collect();
    let progress = context.progress.count("asking servers", Total::Known);
    let total = configs.len() as u64;
    let workers = request.scope == DoctorScope::Workers;
    let probes = stream::iter(configs).map(|config| async move {
        let id = config.id.unwrap_or_default();
        let (secret, standing) = (gathered.opened.get(&id), gathered.standings.get(&id));
        let probed = probe_config(config, secret, standing, request.limits, workers).await;
        (config.name().to_owned(), probed)
    });
    let mut probes = probes.buffer_unordered(AT_ONCE);
    let mut found = BTreeMap::new();
    while let Some((name, probed)) = probes.next().await {
        found.extend(probed.map(|probed| (name, probed)));
        progress.of(found.len() as u64, total);
    }
    found
}

fn check_names(only: &BTreeSet<String>, configs: &Configs) -> Result<()> {
    let names: BTreeSet<&str> = configs.iter().map(ConfigFact::name).collect();
    match only.iter().find(|name| !names.contains(name.as_str())) {
        None => Ok(()),
        Some(name) => Err(no_such("config", name, names)),
    }
}

/// In one pass over the rows, all of one moment.
async fn read_database(
    context: &Context<'_>,
    store: &mut Store,
    ring: &KeyRing,
) -> Result<Gathered> {
    let trust = store.trust().await?;
    store.begin_read().await?;
    let snapshot = store.snapshot().await?;
    let aliases: Aliases = snapshot.tenants.iter().cloned().collect();
    let mut configs = Configs::of_snapshot(&snapshot);
    let mut opened = HashMap::new();
    for config in &snapshot.configs {
        let stored = Stored::read(config.secret.as_stored().to_owned());
        let secret = secrets::open_stored(ring, config.id, &stored);
        if let Some(fact) = configs.get_mut(config.id) {
            fact.secret = lookup::secret_state(&stored, &secret);
        }
        opened.extend(secret.ok().map(|secret| (config.id, secret)));
    }
    let standings = standings(&snapshot, &configs, &opened, &trust, ring);
    let mut drift = DriftSurvey::new(&snapshot, &aliases);
    let mut pool = FieldsPool::default();
    store
        .owned(&mut pool, &mut |binding| drift.owned(binding))
        .await?;
    let regions = Regions::of_owned(&snapshot.owned_regions);
    let mut survey = Survey::new(&configs, regions, &aliases);
    let progress = context.progress.count("examining", Total::Unknown);
    let mut each = |row: &crate::snapshot::NumberRow<'_>| {
        survey.row(row);
        drift.row(row, &mut pool);
    };
    store
        .numbers(&mut each, &mut |rows| progress.at(rows))
        .await?;
    let mixed = store.agent_mismatches().await?;
    store.end_read().await?;
    let label = |id: Uuid| aliases.get(&id).cloned().unwrap_or_else(|| id.to_string());
    let mixed = mixed.into_iter().filter_map(|mixed| {
        Some(AgentTenantMismatch {
            number: phone::from_row(mixed.country_code.as_deref(), mixed.base_number).ok()?,
            tenant: label(mixed.tenant),
            agent: mixed.agent,
            agent_tenant: label(mixed.agent_tenant),
        })
    });
    let (mixed, drift, numbers) = (mixed.collect(), drift.finish(), survey.finish());
    Ok(Gathered {
        configs,
        numbers,
        mixed,
        drift,
        environment: snapshot.environment,
        opened,
        standings,
    })
}

/// Where the token of each config would go.
fn standings(
    snapshot: &Snapshot,
    configs: &Configs,
    opened: &HashMap<Uuid, Secret>,
    trust: &TrustRows,
    ring: &KeyRing,
) -> HashMap<Uuid, Standing> {
    let applied: HashMap<Uuid, Option<&str>> = snapshot
        .owned_configs
        .iter()
        .map(|owned| (owned.id, owned.fields.text(Field::Url)))
        .collect();
    let each = configs.iter().filter_map(|config| {
        let id = config.id?;
        let signing = Signing::of(config, applied.get(&id).copied().flatten())?;
        let standing = trusted_hosts::signing_standing(&signing, opened.get(&id), trust, ring);
        Some((id, standing))
    });
    each.collect()
}

/// What the files say; their secrets as far as keys and sources are at hand.
fn read_files(context: &Context<'_>, ring: &KeyRing) -> Result<Gathered, Stop> {
    let routing = routing_files::load_valid(context)?.routing;
    let aliases: Aliases = routing.tenants.iter().filter_map(Tenant::aliased).collect();
    let rules = SourceRules::new(&context.settings.routing, &routing, None);
    let mut configs = Configs::default();
    for mut fact in Configs::of_files(&routing).iter().cloned() {
        if let Some(config) = routing.configs.get(fact.name()) {
            fact.secret = sealing::state(&rules, &routing, config, ring);
        }
        configs.insert(fact);
    }
    let numbers = Survey::of_files(&routing, &configs, &aliases);
    Ok(Gathered {
        configs,
        numbers,
        ..Gathered::default()
    })
}

/// A shell that switches routing off makes all of this moot for its own calls.
fn add_environment(report: &mut DoctorFindings) {
    if !lookup::environment().table_enabled() {
        report.others.push(Complaint {
            check: "table-switched-off".to_owned(),
            severity: ComplaintSeverity::Note,
            subject: "environment".to_owned(),
            message: "USE_SELFHOST_ROUTING_TABLE is not \"true\" in this shell: calls from here \
                      use the environment's credentials"
                .to_owned(),
            action: "unset it, unless that is meant".to_owned(),
        });
    }
}

/// Files that are at hand have to be valid; outside the repository there are
/// none.
fn add_files(context: &Context<'_>, report: &mut DoctorFindings) {
    let directory = &context.settings.routing;
    if !directory.exists() {
        return;
    }
    let loaded = routing_files::load_files(context);
    if loaded.has_errors() {
        let errors = loaded.findings.iter().filter(|f| f.is_error()).count();
        let count = counted(errors as u64, "error");
        report.well = false;
        report.others.push(Complaint {
            check: "files-invalid".to_owned(),
            severity: ComplaintSeverity::Problem,
            subject: "files".to_owned(),
            message: format!("the files in {} have {count}", directory.display()),
            action: "see `lkroute validate`".to_owned(),
        });
    }
}
