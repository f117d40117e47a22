//! The pieces of all files → one [`Routing`]: names are looked up, what stands
//! twice is found. Core; imports only core.

use std::collections::BTreeMap;

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};
use uuid::Uuid;

use super::findings::Findings;
use super::guards::GuardDefs;
use super::piece::{ConfigDef, Def, EnvironmentDef, Piece, Ref, RegionDef};
use super::relook::Relook;
use super::suggest;
use super::waves::Wave;
use super::{LoadOptions, Loaded, Sources};
use crate::finding::{Finding, Place};
use crate::guards::Guards;
use crate::routing::{Expect, Routing, ServerConfig, Settings, Tenant};

/// Puts the pieces together.
///
/// `complete` says whether all that there is could be read so far.
pub(super) fn merge(
    mut pieces: Vec<Piece>,
    sources: &dyn Sources,
    options: &LoadOptions,
    complete: bool,
) -> Loaded {
    let mut merge = Merge::new(&pieces, sources, options);
    merge.incomplete |= !complete;
    for piece in &mut pieces {
        merge.findings.extend(std::mem::take(&mut piece.findings));
    }
    if !merge.environments(&mut pieces) {
        // Without one, what differs by environment would look like a mistake.
        return merge.finish();
    }
    merge.settings(&mut pieces);
    merge.tenants(&mut pieces);
    merge.regions(&mut pieces);
    merge.configs(&mut pieces);
    merge.guards(&mut pieces);
    merge.expects(&mut pieces);
    let rollouts = pieces.iter_mut().flat_map(|piece| piece.rollouts.drain(..));
    let rollouts = rollouts.collect();
    merge.waves(rollouts);
    let prefixes = merge.prefixes();
    for (file, piece) in (0u32..).zip(pieces) {
        merge.bindings(file, piece, &prefixes);
    }
    merge.duplicates();
    merge.idle_waves();
    merge.unused();
    merge.finish()
}

pub(super) struct Merge<'a> {
    pub routing: Routing,
    pub findings: Findings,
    pub relook: Relook<'a>,
    /// Whether there may be definitions that could not be read: then nothing
    /// is called unknown or unused.
    pub incomplete: bool,
    options: &'a LoadOptions,
    unusable: HashSet<(String, String)>,
    environments: BTreeMap<String, EnvironmentDef>,
    database: Option<String>,
    schema: Option<String>,
    pub tenant_ix: BTreeMap<Uuid, u32>,
    aliases: BTreeMap<String, u32>,
    region_places: BTreeMap<String, Place>,
    config_places: BTreeMap<String, Place>,
    /// Configs that the chosen environment does not have.
    elsewhere: HashSet<String>,
    pub used_configs: HashSet<String>,
    pub settings_ix: HashMap<Settings, u32, RandomState>,
    pub waves: Vec<Wave>,
}

impl<'a> Merge<'a> {
    fn new(pieces: &[Piece], sources: &'a dyn Sources, options: &'a LoadOptions) -> Merge<'a> {
        Merge {
            routing: Routing {
                files: sources.paths().to_vec(),
                environment: options.environment.clone(),
                ..Routing::default()
            },
            findings: Findings::default(),
            relook: Relook::new(sources),
            incomplete: pieces.iter().any(|piece| piece.incomplete),
            options,
            unusable: pieces
                .iter()
                .flat_map(|piece| piece.unusable.clone())
                .collect(),
            environments: BTreeMap::new(),
            database: None,
            schema: None,
            tenant_ix: BTreeMap::new(),
            aliases: BTreeMap::new(),
            region_places: BTreeMap::new(),
            config_places: BTreeMap::new(),
            elsewhere: HashSet::new(),
            used_configs: HashSet::new(),
            settings_ix: HashMap::default(),
            waves: Vec::new(),
        }
    }

    fn finish(mut self) -> Loaded {
        let nothing = self.routing.regions.is_empty()
            && self.routing.configs.is_empty()
            && self.routing.bindings.is_empty();
        let mut findings = self.findings.finish(None);
        if nothing && !self.incomplete && findings.iter().all(|finding| !finding.is_error()) {
            let message = "the files declare no region, no config and no binding";
            let hint = "an empty tree would delete everything, so it is refused; \
                        `lkroute release` gives objects back";
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
    pub fn is_unusable(&self, table: &str, name: &str) -> bool {
        self.incomplete || self.unusable.contains(&(table.to_owned(), name.to_owned()))
    }

    fn unknown<'n>(
        &mut self,
        kind: &str,
        code: &'static str,
        name: &Ref,
        known: impl Iterator<Item = &'n str>,
    ) {
        let message = format!("there is no {kind} `{}`", name.name);
        let mut finding = Finding::error(code, message).at(name.place.clone());
        finding.hint = suggest::hint(&name.name, known);
        self.findings.add(finding);
    }

    /// Whether the environment is chosen, where there are any.
    fn environments(&mut self, pieces: &mut [Piece]) -> bool {
        let mut places = BTreeMap::new();
        for def in pieces
            .iter_mut()
            .flat_map(|piece| piece.environments.drain(..))
        {
            if once(&mut self.findings, &mut places, "environment", &def) {
                self.environments.insert(def.name, def.value);
            }
        }
        let names: Vec<&str> = self.environments.keys().map(String::as_str).collect();
        for name in pieces
            .iter()
            .flat_map(|piece| &piece.used.environments.list)
        {
            if names.contains(&name.name.as_str()) || self.is_unusable("environments", &name.name) {
                continue;
            }
            let message = format!("there is no environment `{}`", name.name);
            let mut finding = Finding::error("unknown-environment", message);
            finding.hint = suggest::hint(&name.name, names.iter().copied())
                .or_else(|| Some(format!("declare it: [environments.{}]", name.name)));
            self.findings.add(finding.at(name.place.clone()));
        }
        let listed = suggest::list(&names);
        let (code, message, hint) = match &self.options.environment {
            None if !names.is_empty() => {
                let message = format!("an environment has to be chosen: {listed}");
                (
                    "environment-required",
                    message,
                    "choose it with --env".to_owned(),
                )
            }
            Some(name) if !self.environments.contains_key(name) => {
                if self.is_unusable("environments", name) {
                    return false;
                }
                let hint = match names.is_empty() {
                    true => "the files declare none: leave out --env".to_owned(),
                    false => format!("there is {listed}"),
                };
                (
                    "unknown-environment",
                    format!("there is no environment `{name}`"),
                    hint,
                )
            }
            _ => return true,
        };
        self.findings.add(Finding::error(code, message).hint(hint));
        false
    }

    /// The chosen environment's definition.
    fn chosen(&mut self) -> Option<&mut EnvironmentDef> {
        self.environments
            .get_mut(self.options.environment.as_ref()?)
    }

    fn settings(&mut self, pieces: &mut [Piece]) {
        let mut owner: Option<Ref> = None;
        let mut format = None;
        for piece in pieces {
            if let Some(found) = piece.owner.take() {
                match &owner {
                    Some(first) => self.twice("`owner`", found.place, &first.place),
                    None => owner = Some(found),
                }
            }
            if let Some((found, place)) = piece.secret_format.take() {
                match &format {
                    Some((_, first)) => self.twice("`secrets.format`", place, first),
                    None => format = Some((found, place)),
                }
            }
        }
        self.routing.owner = owner.map(|owner| owner.name);
        self.routing.secret_format = format.map(|(format, _)| format);
        if let Some(chosen) = self.chosen() {
            let (database, schema) = (chosen.database.take(), chosen.schema.take());
            let format = chosen.secret_format;
            (self.database, self.schema) = (database, schema);
            self.routing.secret_format = format.or(self.routing.secret_format);
        }
    }

    fn twice(&mut self, what: &str, place: Place, first: &Place) {
        let finding = Finding::error("duplicate", format!("{what} is given twice"));
        let finding = finding.at(place).also(first.clone(), "given here first");
        self.findings.add(finding.hint("keep one of them"));
    }

    fn tenants(&mut self, pieces: &mut [Piece]) {
        let mut places = BTreeMap::new();
        let mut by_id: BTreeMap<Uuid, (String, Place)> = BTreeMap::new();
        for def in pieces.iter_mut().flat_map(|piece| piece.tenants.drain(..)) {
            if Uuid::try_parse(&def.name).is_ok() {
                let finding = Finding::error("bad-value", "an alias can't be a uuid");
                self.findings.add(finding.at(def.place.clone()));
            }
            if !once(&mut self.findings, &mut places, "tenant", &def) {
                continue;
            }
            let Some(id) = def.value else {
                self.unusable.insert(("tenants".to_owned(), def.name));
                continue;
            };
            if let Some((first, place)) = by_id.get(&id) {
                let message = format!("`{}` and `{first}` are one tenant", def.name);
                let finding = Finding::error("same-tenant", message).at(def.place);
                let finding = finding.also(place.clone(), "the other alias");
                self.findings
                    .add(finding.hint("keep one alias for a tenant"));
                self.aliases.insert(def.name, self.tenant_ix[&id]);
                continue;
            }
            let ix = self.add_tenant(id, Some(def.name.clone()));
            self.aliases.insert(def.name.clone(), ix);
            by_id.insert(id, (def.name, def.place));
        }
    }

    fn add_tenant(&mut self, id: Uuid, alias: Option<String>) -> u32 {
        let ix = u32::try_from(self.routing.tenants.len()).unwrap_or(u32::MAX);
        self.routing.tenants.push(Tenant { id, alias });
        self.tenant_ix.insert(id, ix);
        ix
    }

    /// The index of a tenant, by alias or uuid. One that is unknown gets an
    /// index too, so that its bindings can be compared with each other.
    pub fn tenant(&mut self, name: &Ref) -> u32 {
        if let Some(ix) = self.aliases.get(&name.name) {
            return *ix;
        }
        if let Ok(id) = Uuid::try_parse(&name.name) {
            let known = self.tenant_ix.get(&id).copied();
            return known.unwrap_or_else(|| self.add_tenant(id, None));
        }
        if !self.is_unusable("tenants", &name.name) {
            let known: Vec<String> = self.aliases.keys().cloned().collect();
            let known = known.iter().map(String::as_str);
            self.unknown("tenant", "unknown-tenant", name, known);
        }
        let ix = self.add_tenant(Uuid::nil(), Some(name.name.clone()));
        self.aliases.insert(name.name.clone(), ix);
        ix
    }

    fn regions(&mut self, pieces: &mut [Piece]) {
        let mut defaults = Vec::new();
        let mut prefixes = BTreeMap::new();
        for def in pieces.iter_mut().flat_map(|piece| piece.regions.drain(..)) {
            if !once(&mut self.findings, &mut self.region_places, "region", &def) {
                continue;
            }
            let RegionDef {
                region,
                codes,
                default,
            } = def.value;
            for (prefix, place) in codes {
                if let Some((first, name)) = prefixes.get(&prefix) {
                    let message = format!("`{prefix}` belongs to region `{name}` already");
                    let finding = Finding::error("same-prefix", message).at(place);
                    self.findings
                        .add(finding.also(Place::clone(first), "it stands here too"));
                    continue;
                }
                prefixes.insert(prefix, (place, def.name.clone()));
            }
            defaults.extend(default);
            self.routing.regions.insert(def.name, region);
        }
        // Looked up once all configs are known.
        if let Some(first) = pieces.first_mut() {
            first.used.defaults = defaults;
        }
    }

    /// Whether a region is declared; a finding if it is not.
    pub fn region(&mut self, name: &Ref) -> bool {
        let known = self.routing.regions.contains_key(&name.name);
        if !known && !self.is_unusable("regions", &name.name) {
            let names: Vec<String> = self.routing.regions.keys().cloned().collect();
            let names = names.iter().map(String::as_str);
            self.unknown("region", "unknown-region", name, names);
        }
        known
    }

    /// Whether the environment has a config of that name; a finding if not.
    pub fn config(&mut self, name: &Ref) -> bool {
        if self.routing.configs.contains_key(&name.name) {
            self.used_configs.insert(name.name.clone());
            return true;
        }
        if self.elsewhere.contains(&name.name) {
            let environment = self.options.environment.as_deref().unwrap_or_default();
            let message = format!(
                "config `{}` is not in environment `{environment}`",
                name.name
            );
            let finding = Finding::error("unknown-config", message).at(name.place.clone());
            let place = self.config_places[&name.name].clone();
            self.findings
                .add(finding.also(place, "its `only` leaves that out"));
        } else if !self.is_unusable("configs", &name.name) {
            let names: Vec<String> = self.config_places.keys().cloned().collect();
            let names = names.iter().map(String::as_str);
            self.unknown("config", "unknown-config", name, names);
        }
        false
    }

    fn configs(&mut self, pieces: &mut [Piece]) {
        let mut ids: BTreeMap<Uuid, (String, Place)> = BTreeMap::new();
        let mut formers: Vec<(String, Ref)> = Vec::new();
        for def in pieces.iter_mut().flat_map(|piece| piece.configs.drain(..)) {
            if !once(&mut self.findings, &mut self.config_places, "config", &def) {
                continue;
            }
            let ConfigDef {
                config,
                id,
                formerly,
                region,
                elsewhere,
            } = def.value;
            if let Some(region) = &region {
                self.region(region);
            }
            if elsewhere {
                self.elsewhere.insert(def.name);
                continue;
            }
            if let (Some(id), Some(place)) = (config.id, id) {
                if let Some((first, other)) = ids.get(&id) {
                    let message = format!("`{}` and `{first}` have the same id", def.name);
                    let finding = Finding::error("same-id", message).at(place);
                    self.findings
                        .add(finding.also(other.clone(), "the other config"));
                } else {
                    ids.insert(id, (def.name.clone(), place));
                }
            }
            formers.extend(formerly.map(|former| (def.name.clone(), former)));
            self.routing.configs.insert(def.name, config);
        }
        self.formers(&formers);
        let defaults = pieces
            .first_mut()
            .map(|first| std::mem::take(&mut first.used.defaults));
        for default in defaults.unwrap_or_default() {
            self.config(&default);
        }
    }

    /// `formerly` says whose row is kept: no two can keep one.
    fn formers(&mut self, formers: &[(String, Ref)]) {
        let mut taken: BTreeMap<&str, &Place> = BTreeMap::new();
        for (name, former) in formers {
            let keeps_its_row =
                |config: &ServerConfig| config.id.is_none() && config.formerly.is_none();
            let said = match self.routing.configs.get(&former.name) {
                _ if *name == former.name => Some("this is the name that the config has"),
                Some(config) if keeps_its_row(config) => {
                    Some("a config of that name is declared, and keeps its own row")
                }
                _ => None,
            };
            let finding =
                |message: &str| Finding::error("formerly-clash", message).at(former.place.clone());
            if let Some(said) = said {
                self.findings.add(finding(said));
            }
            if let Some(first) = taken.insert(&former.name, &former.place) {
                let finding = finding("two configs can't have had the same name");
                self.findings
                    .add(finding.also(first.clone(), "the other one"));
            }
        }
    }

    fn guards(&mut self, pieces: &mut [Piece]) {
        let mut all = GuardDefs::default();
        for piece in pieces {
            let mut defs = std::mem::take(&mut piece.guards);
            let mut keep = |what: &str, first: Option<&Place>, place: Option<&Place>| {
                if let (Some(first), Some(place)) = (first, place) {
                    self.twice(what, place.clone(), first);
                }
            };
            let place = |given: &Option<(crate::guards::Budget, Place)>| {
                given.as_ref().map(|(_, place)| place.clone())
            };
            keep(
                "`guards.deletes`",
                place(&all.deletes).as_ref(),
                place(&defs.deletes).as_ref(),
            );
            keep(
                "`guards.updates`",
                place(&all.updates).as_ref(),
                place(&defs.updates).as_ref(),
            );
            keep(
                "`guards.reroutes`",
                place(&all.reroutes).as_ref(),
                place(&defs.reroutes).as_ref(),
            );
            let policy = |defs: &GuardDefs| defs.policy.as_ref().map(|(_, place)| place.clone());
            keep(
                "`guards.policy`",
                policy(&all).as_ref(),
                policy(&defs).as_ref(),
            );
            all.deletes = all.deletes.or(defs.deletes);
            all.updates = all.updates.or(defs.updates);
            all.reroutes = all.reroutes.or(defs.reroutes);
            all.policy = all.policy.or(defs.policy);
            all.protected.append(&mut defs.protected);
            all.allow.append(&mut defs.allow);
            all.regions.append(&mut defs.regions);
        }
        if let Some(chosen) = self.chosen() {
            let mut own = std::mem::take(&mut chosen.guards);
            all.deletes = own.deletes.or(all.deletes);
            all.updates = own.updates.or(all.updates);
            all.reroutes = own.reroutes.or(all.reroutes);
            all.policy = own.policy.or(all.policy);
            all.protected.append(&mut own.protected);
            all.allow.append(&mut own.allow);
            all.regions.append(&mut own.regions);
        }
        for region in &all.regions {
            self.region(region);
        }
        let value = |given: Option<(crate::guards::Budget, Place)>| {
            given.map(|(budget, _)| budget).unwrap_or_default()
        };
        self.routing.guards = Guards {
            deletes: value(all.deletes),
            updates: value(all.updates),
            reroutes: value(all.reroutes),
            protected: all.protected,
            policy: all.policy.map(|(policy, _)| policy).unwrap_or_default(),
            allow: all.allow,
        };
    }

    fn expects(&mut self, pieces: &mut [Piece]) {
        for def in pieces.iter_mut().flat_map(|piece| piece.expects.drain(..)) {
            let tenant = self.tenant(&def.tenant);
            if let Some(region) = &def.region {
                self.region(region);
            }
            if let Some(config) = &def.config {
                let used = self.used_configs.contains(&config.name);
                self.config(config);
                if !used {
                    // An expectation is no use.
                    self.used_configs.remove(&config.name);
                }
            }
            self.routing.expects.push(Expect {
                from: def.from,
                tenant,
                to: def.to,
                config: def.config.map(|config| config.name),
                worker: def.worker,
                trunk: def.trunk,
                region: def.region.map(|region| region.name),
                place: def.place,
            });
        }
    }

    /// Where something is wrong, what uses a config may be among it.
    fn unused(&mut self) {
        if self.incomplete || self.findings.any_error() {
            return;
        }
        for (name, place) in &self.config_places {
            if self.used_configs.contains(name) || !self.routing.configs.contains_key(name) {
                continue;
            }
            let message = format!("nothing uses config `{name}`");
            let finding = Finding::warning("unused-config", message).at(place.clone());
            self.findings.add(finding);
        }
    }
}

/// Whether this is the first definition of its name; a finding if not.
fn once<T>(
    findings: &mut Findings,
    places: &mut BTreeMap<String, Place>,
    kind: &str,
    def: &Def<T>,
) -> bool {
    let Some(first) = places.get(&def.name) else {
        places.insert(def.name.clone(), def.place.clone());
        return true;
    };
    let message = format!("{kind} `{}` is defined twice", def.name);
    let finding = Finding::error("duplicate", message).at(def.place.clone());
    let finding = finding.also(first.clone(), "defined here first");
    findings.add(finding.hint("keep one of them"));
    false
}
