//! Regions, guessed: a config belongs where most of its numbers are. Core.

use std::collections::BTreeMap;

use super::model::ImportedConfig;
use crate::phone::{Country, Prefix};

/// Short English names for the calling codes that are common with us; `india`
/// and `uae` are what `allowed_outbound` says today.
const NAMES: [(u16, &str); 42] = [
    (1, "usa"),
    (7, "russia"),
    (20, "egypt"),
    (27, "south-africa"),
    (31, "netherlands"),
    (32, "belgium"),
    (33, "france"),
    (34, "spain"),
    (39, "italy"),
    (41, "switzerland"),
    (43, "austria"),
    (44, "uk"),
    (45, "denmark"),
    (46, "sweden"),
    (47, "norway"),
    (48, "poland"),
    (49, "germany"),
    (52, "mexico"),
    (55, "brazil"),
    (60, "malaysia"),
    (61, "australia"),
    (62, "indonesia"),
    (63, "philippines"),
    (64, "new-zealand"),
    (65, "singapore"),
    (66, "thailand"),
    (81, "japan"),
    (82, "south-korea"),
    (84, "vietnam"),
    (86, "china"),
    (90, "turkey"),
    (91, "india"),
    (92, "pakistan"),
    (94, "sri-lanka"),
    (234, "nigeria"),
    (254, "kenya"),
    (880, "bangladesh"),
    (965, "kuwait"),
    (966, "saudi-arabia"),
    (971, "uae"),
    (974, "qatar"),
    (977, "nepal"),
];

/// Where configs go that serve no number and whose name tells nothing.
const UNKNOWN: &str = "unassigned";

/// Regions by name, and the region of each config.
#[derive(Debug, Default)]
pub(super) struct GuessedRegions {
    /// With the calling code, where there is one.
    pub codes: BTreeMap<String, Option<u16>>,
    /// For each config, imported or not.
    pub of_config: Vec<String>,
}

impl GuessedRegions {
    /// Makes sure of a region that a rule speaks of; whether there is one.
    pub(super) fn is_known(&mut self, name: &str) -> bool {
        if self.codes.contains_key(name) {
            return true;
        }
        let named = NAMES.iter().find(|(_, known)| *known == name);
        if let Some((code, name)) = named {
            self.codes.insert((*name).to_owned(), Some(*code));
        }
        named.is_some()
    }

    /// The only config of a region, which is then its default.
    pub(super) fn only_config<'a>(
        &self,
        region: &str,
        configs: &'a [ImportedConfig],
        wanted: &[bool],
    ) -> Option<&'a str> {
        let mut of_region = (0..configs.len())
            .filter(|ix| wanted[*ix] && self.of_config[*ix] == region)
            .map(|ix| configs[ix].name.as_str());
        let only = of_region.next()?;
        of_region.next().is_none().then_some(only)
    }
}

/// The region's name for a calling code: a short name, else the ISO code of
/// the main country, else the code itself.
fn name_of(code: u16) -> String {
    let short = NAMES.iter().find(|(known, _)| *known == code);
    match (short, Country::main_of(code)) {
        (Some((_, name)), _) => (*name).to_owned(),
        (None, Some(country)) => country.code().to_ascii_lowercase(),
        (None, None) => format!("code-{code}"),
    }
}

/// The calling code whose region's name is part of the name of a config.
fn code_in_name(name: &str) -> Option<u16> {
    let parts = |text: &str| format!("-{}-", super::tenants::alias_slug(text));
    let name = parts(name);
    let matching = NAMES.iter().find(|(_, known)| name.contains(&parts(known)));
    matching.map(|(code, _)| *code)
}

/// Finds the region of each config, and the regions of those that are wanted.
pub(super) fn guess_regions(configs: &[ImportedConfig], wanted: &[bool]) -> GuessedRegions {
    let mut regions = GuessedRegions::default();
    for (config, wanted) in configs.iter().zip(wanted) {
        let code = config.main_code().or_else(|| code_in_name(&config.name));
        let code = code.filter(|code| Prefix::parse(&format!("+{code}")).is_ok());
        let name = code.map_or_else(|| UNKNOWN.to_owned(), name_of);
        regions.of_config.push(name.clone());
        if *wanted {
            regions.codes.insert(name, code);
        }
    }
    regions
}
