//! The merge itself: what all parsed files declare, with its indexes by name.
//! Core; imports only core.

use std::collections::BTreeMap;

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};
use uuid::Uuid;

use crate::fields::Field;
use crate::finding::{Finding, Place};
use crate::routing::{BindingSettings, Expect, Routing, SecretSource, is_secret_variable};
use crate::source::findings::Findings;
use crate::source::loaded::{LoadOptions, Loaded};
use crate::source::locate::BindingLocator;
use crate::source::parse::parsed_file::{
    EnvironmentDef, GuardDefs, ParsedFile, Ref, drain_all, keep_first,
};
use crate::source::sources::Sources;
use crate::source::suggest;

/// Puts the parsed files together.
///
/// `complete` says whether all that there is could be read so far.
pub(crate) fn merge_files(
    mut parsed_files: Vec<ParsedFile>,
    sources: &dyn Sources,
    options: &LoadOptions,
    complete: bool,
) -> Loaded {
    let mut merge = Merge::new(&parsed_files, sources, options);
    merge.incomplete |= !complete;
    for parsed in &mut parsed_files {
        merge.findings.extend(std::mem::take(&mut parsed.findings));
    }
    if !merge.choose_environment(&mut parsed_files) {
        // Without an environment, values that only some of them set would be errors.
        return merge.into_loaded();
    }
    merge.take_settings(&mut parsed_files);
    merge.take_tenants(&mut parsed_files);
    let defaults = merge.take_regions(&mut parsed_files);
    merge.take_configs(&mut parsed_files);
    merge.secret_variables();
    merge.look_up(&defaults);
    merge.take_expects(&mut parsed_files);
    let rollouts = drain_all(&mut parsed_files, |parsed| &mut parsed.rollouts).collect();
    merge.take_waves(rollouts);
    let prefixes = merge.region_prefixes();
    if !merge.is_within_bounds(&parsed_files) {
        return merge.into_loaded();
    }
    for (file, parsed) in (0u32..).zip(parsed_files) {
        merge.add_bindings(file, parsed, &prefixes);
    }
    merge.find_duplicates();
    merge.idle_waves();
    merge.warn_of_unused();
    merge.into_loaded()
}

pub(super) struct Merge<'a> {
    pub routing: Routing,
    pub findings: Findings,
    pub relook: BindingLocator<'a>,
    /// Whether there may be definitions that could not be read: then nothing
    /// is called unknown or unused.
    pub incomplete: bool,
    pub options: &'a LoadOptions,
    pub unusable: HashSet<(String, String)>,
    pub environments: BTreeMap<String, EnvironmentDef>,
    database: Option<String>,
    schema: Option<String>,
    /// Regions that guards name.
    guard_regions: Vec<Ref>,
    pub tenant_ix: BTreeMap<Uuid, u32>,
    pub aliases: BTreeMap<String, u32>,
    pub region_places: BTreeMap<String, Place>,
    pub config_places: BTreeMap<String, Place>,
    /// Where configs are named that there are none of.
    pub unknown_configs: Vec<Ref>,
    /// Configs that the chosen environment does not have.
    pub elsewhere: HashSet<String>,
    pub used_configs: HashSet<String>,
    pub settings_ix: HashMap<BindingSettings, u32, RandomState>,
    pub waves: Vec<Wave>,
}

/// A wave whose names are known.
pub(super) struct Wave {
    pub from: String,
    pub to: String,
    pub who: Whom,
    /// For explanations.
    pub label: String,
    pub place: Place,
    /// Whether any binding uses `from`, and whether any was moved.
    pub asked: bool,
    pub moved: bool,
}

pub(super) enum Whom {
    Percent(f64),
    /// By index.
    Tenants(Vec<u32>),
    Region(String),
}

impl<'a> Merge<'a> {
    fn new(
        parsed_files: &[ParsedFile],
        sources: &'a dyn Sources,
        options: &'a LoadOptions,
    ) -> Merge<'a> {
        Merge {
            routing: Routing {
                files: sources.paths().to_vec(),
                environment: options.environment.clone(),
                ..Routing::default()
            },
            findings: Findings::default(),
            relook: BindingLocator::new(sources),
            incomplete: parsed_files.iter().any(|parsed| parsed.incomplete),
            options,
            unusable: parsed_files
                .iter()
                .flat_map(|parsed| parsed.unusable.clone())
                .collect(),
            environments: BTreeMap::new(),
            database: None,
            schema: None,
            guard_regions: Vec::new(),
            tenant_ix: BTreeMap::new(),
            aliases: BTreeMap::new(),
            region_places: BTreeMap::new(),
            config_places: BTreeMap::new(),
            unknown_configs: Vec::new(),
            elsewhere: HashSet::new(),
            used_configs: HashSet::new(),
            settings_ix: HashMap::default(),
            waves: Vec::new(),
        }
    }

    fn into_loaded(mut self) -> Loaded {
        self.report_unknown_configs();
        let nothing = self.routing.regions.is_empty()
            && self.routing.configs.is_empty()
            && self.routing.bindings.is_empty();
        let mut findings = self.findings.into_findings(None);
        if nothing && !self.incomplete && findings.iter().all(|finding| !finding.is_error()) {
            let message = "the files declare no region, no config and no binding";
            let hint = "an empty tree would delete everything, so it is refused; \
                        `lkroute release --all` gives objects back";
            findings.push(Finding::error("no-objects", message).hint(hint));
        }
        findings.sort_by(|a, b| {
            let key = |finding: &'_ Finding| {
                let place = finding.place.as_ref();
                place.map(|place| (place.file.clone(), place.line, place.column))
            };
            key(a).cmp(&key(b))
        });
        self.routing.expects.sort_by(|a, b| a.place.cmp(&b.place));
        Loaded {
            routing: self.routing,
            findings,
            environments: self.environments.into_keys().collect(),
            database: self.database,
            schema: self.schema,
            digest: String::new(),
        }
    }

    /// Whether a name is defined in a way that can't be read.
    pub(super) fn is_unusable(&self, table: &str, name: &str) -> bool {
        self.incomplete || self.unusable.contains(&(table.to_owned(), name.to_owned()))
    }

    pub(super) fn add_unknown<'n>(
        &mut self,
        kind: &str,
        code: &'static str,
        name: &Ref,
        known: impl Iterator<Item = &'n str>,
    ) {
        let message = format!("there is no {kind} `{}`", name.name);
        let finding = Finding::error(code, message).at(name.place.clone());
        self.findings
            .add(finding.hint_of(suggest::suggestion_hint(&name.name, known)));
    }

    fn take_settings(&mut self, parsed_files: &mut [ParsedFile]) {
        let (mut owner, mut format, mut guards) = (None, None, GuardDefs::default());
        let mut variables = None;
        let mut twice = Vec::new();
        for parsed in parsed_files {
            keep_first(&mut owner, parsed.owner.take(), "owner", &mut twice);
            keep_first(
                &mut format,
                parsed.secret_format.take(),
                "secrets.format",
                &mut twice,
            );
            keep_first(
                &mut variables,
                parsed.secret_env.take(),
                "secrets.env",
                &mut twice,
            );
            twice.extend(guards.join_with(std::mem::take(&mut parsed.guards)));
        }
        for (what, place, first) in twice {
            let finding = Finding::error("duplicate", format!("`{what}` is given twice"));
            let finding = finding.at(place).also(first, "given here first");
            self.findings.add(finding.hint("keep one of them"));
        }
        let mut format = format.map(|(format, _)| format);
        let mut variables = variables.map(|(variables, _)| variables);
        if let Some(chosen) = self.chosen_environment() {
            let mut own = std::mem::take(chosen);
            format = own.secret_format.or(format);
            variables = own.secret_env.or(variables);
            own.guards.join_with(guards);
            guards = own.guards;
            (self.database, self.schema) = (own.database, own.schema);
        }
        self.routing.owner = owner.map(|(owner, _)| owner);
        self.routing.secret_format = format;
        (self.routing.guards, self.guard_regions) = guards.into_guards();
        self.routing.guards.secret_env = Some(variables.unwrap_or_default());
    }

    /// Secrets come from variables that are named for it: in a pull request,
    /// any other name might take what is not the files' to take.
    fn secret_variables(&mut self) {
        let listed = self.routing.guards.secret_env.clone().unwrap_or_default();
        for (name, config) in &self.routing.configs {
            let SecretSource::Env(variable) = &config.api_secret else {
                continue;
            };
            if variable.is_empty() || is_secret_variable(variable) || listed.contains(variable) {
                continue;
            }
            let message = format!(
                "config `{name}` takes its secret from {variable}, which `[secrets] env` does not name"
            );
            let place = self.routing.field_place(config, Field::ApiSecret);
            self.findings.add(
                Finding::error("secret-variable-not-listed", message)
                    .at(place)
                    .hint(format!(
                        "call it LKROUTE_SECRET_…, or list it: `[secrets]` `env = [\"{variable}\"]`"
                    )),
            );
        }
    }

    /// Names that are used before all is known.
    fn look_up(&mut self, defaults: &[Ref]) {
        for default in defaults {
            self.check_config(default);
        }
        for region in std::mem::take(&mut self.guard_regions) {
            self.check_region(&region);
        }
    }

    fn take_expects(&mut self, parsed_files: &mut [ParsedFile]) {
        for def in drain_all(parsed_files, |parsed| &mut parsed.expects) {
            let tenant = self.tenant_index(&def.tenant);
            if let Some(region) = &def.region {
                self.check_region(region);
            }
            if let Some(config) = &def.config {
                let used = self.used_configs.contains(&config.name);
                self.check_config(config);
                if !used {
                    // A config that only an expectation names still counts as unused.
                    self.used_configs.remove(&config.name);
                }
            }
            self.routing.expects.push(Expect {
                tenant,
                ..def.expect
            });
        }
    }
}
