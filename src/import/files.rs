//! What goes into which file: one for the settings, one for the tenants, one
//! for each region. Core.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::configs;
use super::emit;
use super::model::{Bound, ImportedConfig, ImportedSettings};
use super::regions::GuessedRegions;
use super::report::{Import, ImportCounts, ImportFile};
use super::tenants;
use crate::fields::Field;
use crate::phone::{self, E164, RowKey};
use crate::sealed::SecretFormat;

/// Calling codes whose national numbers may begin with a zero that is part of
/// the number, and that a `bigint` loses.
const ZEROS: [u16; 5] = [39, 225, 241, 242, 378];

/// All that is to be written.
pub(super) struct Content<'a> {
    pub origin: &'a str,
    pub configs: &'a [ImportedConfig],
    /// For each config.
    pub wanted: &'a [bool],
    pub regions: &'a GuessedRegions,
    pub settings: &'a [ImportedSettings],
    pub tenants: &'a [Uuid],
    /// Names that tenants have already.
    pub known: &'a BTreeMap<Uuid, String>,
    /// Sorted.
    pub bound: &'a [Bound],
}

/// The numbers of one tenant with equal settings.
struct Group<'a> {
    config: usize,
    alias: &'a str,
    numbers: Vec<E164>,
    settings: &'a ImportedSettings,
}

/// Writes the files; fills in what is known here of the import.
pub(super) fn write_import(content: &Content<'_>) -> Import {
    let mut import = Import::default();
    let aliases = tenant_aliases(content);
    let groups = binding_groups(content, &aliases, &mut import.restored_zeros);
    let (sources, env_secrets) = configs::secret_sources(content.configs, content.wanted);
    let header = emit::header_line(content.origin);
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    for (name, code) in &content.regions.codes {
        let only = content
            .regions
            .only_config(name, content.configs, content.wanted);
        let text = texts.entry(name.clone()).or_insert_with(|| header.clone());
        emit::push_region(text, name, *code, only);
    }
    let mut by_name: Vec<usize> = sources.keys().copied().collect();
    by_name.sort_unstable_by_key(|ix| &content.configs[*ix].name);
    for ix in by_name {
        let region = &content.regions.of_config[ix];
        let text = texts
            .entry(region.clone())
            .or_insert_with(|| header.clone());
        let config = &content.configs[ix];
        let mut imported = sources.keys().map(|ix| &content.configs[*ix]);
        let fallback = imported.find(|other| Some(other.id) == config.fallback);
        let fallback = fallback.map(|other| other.name.as_str());
        emit::push_config(text, config, region, fallback, &sources[&ix]);
    }
    let mut blocks = 0;
    for group in groups {
        let region = &content.regions.of_config[group.config];
        let config = &content.configs[group.config].name;
        let text = texts
            .entry(region.clone())
            .or_insert_with(|| header.clone());
        blocks += emit::push_bindings(text, &group.numbers, group.alias, config, group.settings);
    }
    import.counts = ImportCounts {
        regions: texts.len() as u64,
        configs: sources.len() as u64,
        tenants: aliases.len() as u64,
        numbers: content.bound.len() as u64,
        blocks,
    };
    let region_files = texts
        .into_iter()
        .map(|(name, text)| import_file(&name, text));
    import.files = region_files
        .chain(common_files(content, &aliases, &header))
        .collect();
    import.files.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    import.env_secrets = env_secrets;
    import.mixed_formats = configs::secret_formats(content.configs, content.wanted).len() > 1;
    for config in sources.keys().map(|ix| &content.configs[*ix]) {
        let named = |field: &Field| (config.name.clone(), *field);
        import.blank.extend(config.blank.iter().map(named));
        let user_info = config.user_info.iter().map(named);
        import.user_info.extend(user_info);
    }
    import.blank.sort_unstable();
    import.user_info.sort_unstable();
    let configs = content.configs.iter();
    import.configs_not_imported = configs
        .filter_map(|config| Some((config.name.clone(), config.refused.clone()?)))
        .collect();
    import
}

fn import_file(name: &str, text: String) -> ImportFile {
    ImportFile {
        name: format!("{name}.toml"),
        text,
    }
}

/// The files beside those of the regions, where there is something to say.
fn common_files(
    content: &Content<'_>,
    aliases: &BTreeMap<Uuid, String>,
    header: &str,
) -> Vec<ImportFile> {
    let mut files = Vec::new();
    let formats = configs::secret_formats(content.configs, content.wanted);
    // Of mixed formats none is written: it would change the secrets of the other one.
    if formats == BTreeSet::from([SecretFormat::Fernet]) {
        let mut text = header.to_owned();
        emit::secret_format(&mut text, SecretFormat::Fernet.as_str());
        files.push(import_file("settings", text));
    }
    if !aliases.is_empty() {
        let mut by_alias: Vec<_> = aliases
            .iter()
            .map(|(id, name)| (name.as_str(), *id))
            .collect();
        by_alias.sort_unstable();
        let mut text = header.to_owned();
        emit::push_tenants(&mut text, by_alias.into_iter());
        files.push(import_file("tenants", text));
    }
    files
}

/// A name for each tenant with numbers to import, by its commonest provider.
fn tenant_aliases(content: &Content<'_>) -> BTreeMap<Uuid, String> {
    let mut providers: BTreeMap<Uuid, BTreeMap<&str, usize>> = BTreeMap::new();
    for same in content.bound.chunk_by(belong_together) {
        let tenant = providers
            .entry(content.tenants[same[0].tenant as usize])
            .or_default();
        let fields = &content.settings[same[0].settings as usize].fields;
        if let Some(provider) = fields.text(Field::Provider) {
            *tenant.entry(provider).or_default() += same.len();
        }
    }
    let commonest = |providers: &BTreeMap<&str, usize>| {
        let most = providers.iter().rev().max_by_key(|(_, numbers)| **numbers);
        most.map(|(provider, _)| (*provider).to_owned())
    };
    let providers = providers
        .iter()
        .map(|(id, of)| (*id, commonest(of)))
        .collect();
    tenants::aliases_by_provider(&providers, content.known)
}

fn belong_together(a: &Bound, b: &Bound) -> bool {
    (a.settings, a.tenant) == (b.settings, b.tenant)
}

/// The groups as they follow one another in the files: by config, by tenant,
/// by their first number. Adds to `restored` the numbers that got a zero.
fn binding_groups<'a>(
    content: &Content<'a>,
    aliases: &'a BTreeMap<Uuid, String>,
    restored: &mut Vec<E164>,
) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for same in content.bound.chunk_by(belong_together) {
        let settings = &content.settings[same[0].settings as usize];
        let mut numbers: Vec<E164> = same
            .iter()
            .map(|row| row_number(row.key, restored))
            .collect();
        numbers.sort_unstable();
        let alias = aliases.get(&content.tenants[same[0].tenant as usize]);
        groups.push(Group {
            config: settings.config as usize,
            alias: alias.map_or("", String::as_str),
            numbers,
            settings,
        });
    }
    let name = |group: &Group<'_>| &content.configs[group.config].name;
    groups.sort_unstable_by(|a, b| {
        (name(a), a.alias, a.numbers.first()).cmp(&(name(b), b.alias, b.numbers.first()))
    });
    restored.sort_unstable();
    groups
}

/// The number of a row. Where it is valid with the zero that the row can't
/// hold, and only then, it is written with it.
fn row_number(key: RowKey, restored: &mut Vec<E164>) -> E164 {
    let number = key.number();
    if !ZEROS.contains(&number.calling_code()) {
        return number;
    }
    let zero = format!("+{}0{}", number.calling_code(), number.national());
    let zero = E164::parse(&zero).ok();
    match zero.filter(|zero| {
        phone::number_doubt(number).is_some() && phone::number_doubt(*zero).is_none()
    }) {
        None => number,
        Some(zero) => {
            restored.push(zero);
            zero
        }
    }
}
