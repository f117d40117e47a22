//! Tenants, regions and configs between the files: each once, and looked up by
//! name. Core; imports only core.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::merger::Merge;
use crate::address::quoted;
use crate::finding::{Finding, Place};
use crate::list_index::push_indexed;
use crate::routing::{ServerConfig, Tenant};
use crate::source::findings::Findings;
use crate::source::parse::parsed_file::{ConfigDef, Def, ParsedFile, Ref, RegionDef, drain_all};
use crate::source::suggest;

impl Merge<'_> {
    pub(super) fn take_tenants(&mut self, parsed_files: &mut [ParsedFile]) {
        let mut places = BTreeMap::new();
        let mut by_id: BTreeMap<Uuid, (String, Place)> = BTreeMap::new();
        for def in drain_all(parsed_files, |parsed| &mut parsed.tenants) {
            if Uuid::try_parse(&def.name).is_ok() {
                let finding = Finding::error("bad-value", "an alias can't be a uuid");
                self.findings.add(finding.at(def.place.clone()));
            }
            if !is_first_definition(&mut self.findings, &mut places, "tenant", &def) {
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
        let ix = push_indexed(&mut self.routing.tenants, Tenant { id, alias });
        self.tenant_ix.insert(id, ix);
        ix
    }

    /// The index of a tenant, by alias or uuid. One that is unknown gets an
    /// index too, so that its bindings can be compared with each other.
    pub(super) fn tenant_index(&mut self, name: &Ref) -> u32 {
        if let Some(ix) = self.aliases.get(&name.name) {
            return *ix;
        }
        if let Ok(id) = Uuid::try_parse(&name.name) {
            let known = self.tenant_ix.get(&id).copied();
            return known.unwrap_or_else(|| self.add_tenant(id, None));
        }
        if !self.is_unusable("tenants", &name.name) {
            let declared = |ix: &u32| !self.routing.tenants[*ix as usize].id.is_nil();
            let known = self.aliases.iter().filter(|(_, ix)| declared(ix));
            let known: Vec<String> = known.map(|(alias, _)| alias.clone()).collect();
            let known = known.iter().map(String::as_str);
            self.add_unknown("tenant", "unknown-tenant", name, known);
        }
        let ix = self.add_tenant(Uuid::nil(), Some(name.name.clone()));
        self.aliases.insert(name.name.clone(), ix);
        ix
    }

    /// Returns the configs that are defaults, to be looked up once all are known.
    pub(super) fn take_regions(&mut self, parsed_files: &mut [ParsedFile]) -> Vec<Ref> {
        let mut defaults = Vec::new();
        let mut prefixes = BTreeMap::new();
        for def in drain_all(parsed_files, |parsed| &mut parsed.regions) {
            if !is_first_definition(&mut self.findings, &mut self.region_places, "region", &def) {
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
        defaults
    }

    /// Whether a region is declared; a finding if it is not.
    pub(super) fn check_region(&mut self, name: &Ref) -> bool {
        let known = self.routing.regions.contains_key(&name.name);
        if !known && !self.is_unusable("regions", &name.name) {
            let names: Vec<String> = self.routing.regions.keys().cloned().collect();
            let names = names.iter().map(String::as_str);
            self.add_unknown("region", "unknown-region", name, names);
        }
        known
    }

    /// Whether the environment has a config of that name; a finding if not.
    pub(super) fn check_config(&mut self, name: &Ref) -> bool {
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
            self.unknown_configs.push(name.clone());
        }
        false
    }

    /// Says which configs there are none of, and how many numbers go there: a
    /// config that is in use was perhaps deleted. Another one is offered where
    /// only a letter differs; any other is another server.
    pub(super) fn report_unknown_configs(&mut self) {
        let unknown = std::mem::take(&mut self.unknown_configs);
        if unknown.is_empty() {
            return;
        }
        let mut numbers: BTreeMap<&str, u64> = BTreeMap::new();
        for binding in &self.routing.bindings {
            let config = self.routing.settings(binding).config.as_str();
            *numbers.entry(config).or_default() += 1;
        }
        for name in &unknown {
            let goes = match numbers.get(name.name.as_str()).copied().unwrap_or_default() {
                0 => String::new(),
                1 => ", and 1 number goes to it".to_owned(),
                many => format!(", and {many} numbers go to it"),
            };
            let message = format!("there is no config `{}`{goes}", name.name);
            let known = self.config_places.keys().map(String::as_str);
            let hint = match suggest::same_but_a_slip(&name.name, known) {
                Some(slip) => format!("did you mean `{slip}`?"),
                None => format!(
                    "declare [configs.{}]; one that is to go is deleted once nothing names it",
                    quoted(&name.name)
                ),
            };
            let finding = Finding::error("unknown-config", message).at(name.place.clone());
            self.findings.add(finding.hint(hint));
        }
    }

    pub(super) fn take_configs(&mut self, parsed_files: &mut [ParsedFile]) {
        let mut ids: BTreeMap<Uuid, (String, Place)> = BTreeMap::new();
        let mut formers: Vec<(String, Ref)> = Vec::new();
        let mut fallbacks: BTreeMap<String, Ref> = BTreeMap::new();
        for def in drain_all(parsed_files, |parsed| &mut parsed.configs) {
            if !is_first_definition(&mut self.findings, &mut self.config_places, "config", &def) {
                continue;
            }
            let ConfigDef {
                config,
                id,
                formerly,
                region,
                fallback,
                elsewhere,
            } = def.value;
            if let Some(region) = &region {
                self.check_region(region);
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
            fallbacks.extend(fallback.map(|fallback| (def.name.clone(), fallback)));
            formers.extend(formerly.map(|former| (def.name.clone(), former)));
            self.routing.configs.insert(def.name, config);
        }
        self.check_formers(&formers);
        self.fallbacks(&fallbacks);
    }

    /// `formerly` says whose row is kept: no two can keep one.
    fn check_formers(&mut self, formers: &[(String, Ref)]) {
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

    /// Where something is wrong, what uses a config may be among it.
    pub(super) fn warn_of_unused(&mut self) {
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
pub(super) fn is_first_definition<T>(
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
