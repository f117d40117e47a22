//! Bindings: which config each number gets, and which stand twice. Core;
//! imports only core.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::merger::Merge;
use crate::count_words::so_are_more;
use crate::finding::Finding;
use crate::list_index::push_indexed;
use crate::phone::{E164, Prefix, RowKey, shared_countries};
use crate::routing::{Binding, BindingSettings, Origin};
use crate::source::parse::parsed_file::{Local, ParsedFile, Ref, Spec};
use crate::source::suggest;

/// What `allowed_outbound` can be for the Python service of today.
const KNOWN_OUTBOUND: [&str; 3] = ["india", "uae", "global"];

/// Settings, and why they are no good.
type MergedBinding = (u32, Option<BindingProblem>);

fn count_numbers(bindings: &[Local]) -> usize {
    bindings.iter().map(|local| local.count as usize).sum()
}

/// A binding that gets no config.
#[derive(Debug, Clone, PartialEq, Eq)]
enum BindingProblem {
    NoRegion,
    NoDefault(String),
}

/// The regions' prefixes, with their names.
pub(super) struct Prefixes(Vec<(Prefix, String)>);

impl Prefixes {
    /// The region whose prefix fits a number best, as an index.
    fn best_region(&self, number: E164) -> Option<usize> {
        let fitting = self.0.iter().enumerate();
        let fitting = fitting.filter(|(_, (prefix, _))| prefix.is_prefix_of(number));
        fitting
            .max_by_key(|(_, (prefix, _))| prefix.len())
            .map(|(ix, _)| ix)
    }

    pub(super) fn region_of(&self, number: E164) -> Option<&str> {
        self.best_region(number).map(|ix| self.0[ix].1.as_str())
    }
}

impl Merge<'_> {
    pub(super) fn region_prefixes(&self) -> Prefixes {
        let regions = self.routing.regions.iter();
        let codes = regions.flat_map(|(name, region)| {
            region
                .country_codes
                .iter()
                .map(|code| (*code, name.clone()))
        });
        Prefixes(codes.collect())
    }

    /// Takes over the bindings of one file.
    pub(super) fn add_bindings(&mut self, file: u32, parsed: ParsedFile, prefixes: &Prefixes) {
        let used = &parsed.used;
        let tenants: Vec<u32> = used
            .tenants
            .list
            .iter()
            .map(|name| self.tenant_index(name))
            .collect();
        for name in &used.configs.list {
            self.check_config(name);
        }
        for name in &used.regions.list {
            self.check_region(name);
        }
        for name in &used.outbound.list {
            self.check_outbound(name);
        }
        let mut outcomes: HashMap<(u32, Option<usize>), MergedBinding, RandomState> =
            HashMap::default();
        self.routing
            .bindings
            .reserve(count_numbers(&parsed.bindings));
        for local in &parsed.bindings {
            let spec = &parsed.specs[local.spec as usize];
            let by_number = spec.config.is_none() && spec.region.is_none();
            let tenant = tenants.get(local.tenant as usize).copied();
            let mut troubled: Vec<(BindingProblem, Binding, u64)> = Vec::new();
            for number in local.numbers() {
                let code = by_number.then(|| prefixes.best_region(number)).flatten();
                let outcome = outcomes.entry((local.spec, code)).or_insert_with(|| {
                    let region = code.map(|ix| prefixes.0[ix].1.as_str());
                    self.merge_spec(&parsed, spec, region)
                });
                let (settings, trouble) = outcome;
                let mut binding = Binding {
                    number,
                    tenant: tenant.unwrap_or_default(),
                    settings: *settings,
                    origin: Origin {
                        file,
                        line: local.line,
                    },
                };
                if let Some(trouble) = trouble {
                    match troubled.iter_mut().find(|(other, ..)| other == trouble) {
                        Some((.., count)) => *count += 1,
                        None => troubled.push((trouble.clone(), binding, 1)),
                    }
                }
                // A tenant that is missing was reported already; such a binding is left out.
                if tenant.is_none() {
                    continue;
                }
                if !self.waves.is_empty() {
                    let region = spec
                        .region
                        .and_then(|ix| used.regions.list.get(ix as usize));
                    let region = region.map(|region| region.name.as_str());
                    binding.settings = self
                        .rolled_settings(&binding, region.or_else(|| prefixes.region_of(number)));
                }
                self.routing.bindings.push(binding);
            }
            for (trouble, first, count) in troubled {
                self.add_problem(&first, &trouble, count);
            }
        }
    }

    /// Whether the files hold no more bindings than they may: said before
    /// ranges become numbers, each of which takes memory.
    pub(super) fn is_within_bounds(&mut self, parsed_files: &[ParsedFile]) -> bool {
        let (mut total, mut beyond) = (0, None);
        for (file, parsed) in (0u32..).zip(parsed_files) {
            for local in &parsed.bindings {
                total += u64::from(local.count);
                if total > self.options.max_bindings && beyond.is_none() {
                    let line = local.line;
                    beyond = Some((local.first, Origin { file, line }));
                }
            }
        }
        let Some((number, origin)) = beyond else {
            return true;
        };
        let first = Binding {
            number,
            tenant: 0,
            settings: 0,
            origin,
        };
        let message = format!(
            "these files bind {total} numbers, the most is {}",
            self.options.max_bindings
        );
        let finding = Finding::error("too-many-bindings", message).at(self.relook.place_of(&first));
        self.findings.add(finding.hint(format!(
            "this is the first beyond; if they are all meant, say `--max-bindings {total}`"
        )));
        false
    }

    /// The settings of a spec, for numbers of a region.
    fn merge_spec(
        &mut self,
        parsed: &ParsedFile,
        spec: &Spec,
        region: Option<&str>,
    ) -> MergedBinding {
        let named = |list: &[Ref], ix: Option<u32>| Some(list.get(ix? as usize)?.name.clone());
        let config = named(&parsed.used.configs.list, spec.config);
        let region = named(&parsed.used.regions.list, spec.region).or(region.map(str::to_owned));
        let (config, trouble) = match (config, region) {
            (Some(config), _) => (config, None),
            (None, None) => (String::new(), Some(BindingProblem::NoRegion)),
            (None, Some(name)) => match self.routing.regions.get(&name) {
                Some(region) => match &region.default_config {
                    Some(config) => (config.clone(), None),
                    None => (String::new(), Some(BindingProblem::NoDefault(name))),
                },
                // A region that is not declared was reported at the place of its name.
                None => (String::new(), None),
            },
        };
        let settings = self.intern_settings(BindingSettings {
            config,
            fields: spec.fields.clone(),
            adopt: spec.adopt.clone(),
            rollout: None,
        });
        (settings, trouble.filter(|_| !self.incomplete))
    }

    pub(super) fn intern_settings(&mut self, settings: BindingSettings) -> u32 {
        let list = &mut self.routing.settings;
        *self
            .settings_ix
            .entry(settings)
            .or_insert_with_key(|settings| push_indexed(list, settings.clone()))
    }

    /// `count` numbers of one range, the first of them that of `binding`.
    fn add_problem(&mut self, binding: &Binding, trouble: &BindingProblem, count: u64) {
        let relook = &mut self.relook;
        let (number, is, names) = match count {
            1 => (binding.number.to_string(), "is", "names"),
            _ => {
                let more = format!("{} and {} more of this range", binding.number, count - 1);
                (more, "are", "name")
            }
        };
        match trouble {
            BindingProblem::NoRegion => self.findings.add_many("no-region", || {
                let message = format!("{number} {is} in no region, and {names} no config");
                let finding = Finding::error("no-region", message).at(relook.place_of(binding));
                let hint = "name a `config` or a `region`, or add its prefix to the `country_codes` of a region";
                finding.hint(hint)
            }),
            BindingProblem::NoDefault(region) => self.findings.add_many("region-without-default", || {
                let message = format!("region `{region}` has no `default_config`, and {number} {names} no config");
                let finding = Finding::error("region-without-default", message);
                let hint = format!("name a `config` here, or a `default_config` under [regions.{region}]");
                finding.at(relook.place_of(binding)).hint(hint)
            }),
        }
    }

    /// `+1` is one code for 25 countries, to some of which a call costs as much
    /// as to the other end of the world.
    fn lets_islands_through(&mut self, name: &Ref) {
        let Some(region) = self.routing.regions.get(&name.name) else {
            return;
        };
        let others = self.routing.regions.iter();
        let others = others.filter(|(other, _)| **other != name.name);
        let others = others.flat_map(|(_, region)| region.country_codes.iter().copied());
        let shared = shared_countries(&region.country_codes, others);
        let Some((next, prefixes)) = shared.iter().next() else {
            return;
        };
        let countries: Vec<&str> = shared.keys().copied().collect();
        let message = format!(
            "`+1` of region `{}` lets calls through not to the USA alone: also to {}",
            name.name,
            countries.join(", ")
        );
        let codes: Vec<String> = prefixes.iter().map(|code| format!("\"{code}\"")).collect();
        let codes = codes.join(", ");
        let hint = format!(
            "give those that are not meant a region of their own, such as, for {next}, \
             country_codes = [{codes}]"
        );
        let finding = Finding::warning("outbound-shared-code", message);
        self.findings.add(finding.at(name.place.clone()).hint(hint));
    }

    /// `allowed_outbound`: the name of a region.
    fn check_outbound(&mut self, name: &Ref) {
        self.lets_islands_through(name);
        if !self.routing.regions.contains_key(&name.name) {
            if self.is_unusable("regions", &name.name) {
                return;
            }
            let message = format!("`{}` is neither `global` nor a region", name.name);
            let finding = Finding::error("unknown-region", message).at(name.place.clone());
            let names = self.routing.regions.keys().map(String::as_str);
            let hint = suggest::suggestion_hint(&name.name, names.chain(["global"]));
            self.findings.add(finding.hint_of(hint));
        } else if !KNOWN_OUTBOUND.contains(&name.name.as_str()) {
            let message = format!("the Python service of today does not know `{}`", name.name);
            let finding =
                Finding::warning("outbound-unknown-today", message).at(name.place.clone());
            let known = suggest::quoted_list(&KNOWN_OUTBOUND);
            self.findings.add(finding.hint(format!("it knows {known}")));
        }
    }

    /// No number of a tenant stands twice, and no two of them are one row.
    /// Sorts the bindings, so that such would lie side by side.
    pub(super) fn find_duplicates(&mut self) {
        let bindings = std::mem::take(&mut self.routing.bindings);
        let keys = (0u32..).zip(&bindings);
        let mut keys: Vec<(u32, RowKey, u32)> = keys
            .map(|(ix, binding)| (binding.tenant, binding.number.row_key(), ix))
            .collect();
        keys.sort();
        let alike = keys.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1));
        let mut twice: Vec<(u32, u32)> = alike
            .flat_map(|alike| alike[1..].iter().map(|(.., ix)| (*ix, alike[0].2)))
            .collect();
        twice.sort_unstable();
        let pair =
            |(second, first): (u32, u32)| (&bindings[second as usize], &bindings[first as usize]);
        // Two ranges that overlap are one mistake.
        let alike = twice.chunk_by(|one, next| {
            let of = |pair: (&Binding, &Binding)| {
                let (second, first) = pair;
                let same = second.number == first.number;
                (second.origin, first.origin, second.tenant, same)
            };
            of(pair(*one)) == of(pair(*next))
        });
        for alike in alike {
            let (second, first) = pair(alike[0]);
            self.add_duplicate(second, first, alike.len() - 1);
        }
        let sorted = keys.into_iter().map(|(.., ix)| bindings[ix as usize]);
        self.routing.bindings = sorted.collect();
    }

    fn add_duplicate(&mut self, binding: &Binding, first: &Binding, more: usize) {
        let relook = &mut self.relook;
        let and_more = so_are_more(more as u64);
        let tenant = self.routing.tenants[binding.tenant as usize].label();
        if first.number == binding.number {
            self.findings.add_many("duplicate-binding", || {
                let message = format!("{} of `{tenant}` is bound twice{and_more}", binding.number);
                Finding::error("duplicate-binding", message)
                    .at(relook.second_place(binding))
                    .also(relook.place_of(first), "bound here first")
                    .hint("keep one of them: there is no precedence")
            });
        } else {
            self.findings.add_many("same-row", || {
                let (one, other) = (binding.number, first.number);
                let message = format!("{one} and {other} of `{tenant}` would be one row{and_more}");
                Finding::error("same-row", message)
                    .at(relook.place_of(binding))
                    .also(relook.place_of(first), "the other number")
                    .hint("the database keeps the national number as an integer, without its leading zero")
            });
        }
    }
}
