//! Plans to draw: files before and after, and rows that others touched.

use lkroute::diff::differ::Differ;
use lkroute::diff::offline;
use lkroute::diff::plan::Plan;
use lkroute::diff::secret::SecretFacts;
use lkroute::fields::{Field, Fields};
use lkroute::impact::reroutes::{Reroutes, reroutes};
use lkroute::phone::{E164, Prefix};
use lkroute::routing::{
    Binding, BindingSettings, CipherText, Origin, Region, Routing, SecretSource, ServerConfig,
    Tenant,
};
use lkroute::snapshot::{NumberRow, OwnedBinding, SourceLine};
use serde_json::{Map, Value, json};
use uuid::Uuid;

pub const UAE: Uuid = Uuid::from_u128(0xe3ca4a84_4cc3_4be5_8240_34366fe4d0c5);
pub const INDIA: Uuid = Uuid::from_u128(0xcf7a1d26_04aa_4623_8d4e_f4b079cdec6f);

/// Files, written by hand.
#[derive(Clone)]
pub struct Files(pub Routing);

impl Files {
    pub fn new(files: &[&str]) -> Files {
        Files(Routing {
            environment: Some("production".into()),
            files: files.iter().map(|file| (*file).to_owned()).collect(),
            ..Routing::default()
        })
    }

    pub fn region(mut self, name: &str, code: &str, at: (u32, u32)) -> Files {
        let region = Region {
            description: None,
            country_codes: vec![Prefix::parse(code).expect("a prefix")],
            default_config: None,
            origin: origin(at),
        };
        self.0.regions.insert(name.into(), region);
        self
    }

    pub fn config(
        mut self,
        name: &str,
        id: Uuid,
        region: &str,
        worker: &str,
        at: (u32, u32),
    ) -> Files {
        let config = ServerConfig {
            region: region.into(),
            url: format!("wss://livekit.{region}.example"),
            api_key: "APIexample".into(),
            trunk_id: Some(format!("ST_{region}")),
            worker_name: Some(worker.into()),
            ..ServerConfig::of_fields(
                Some(id),
                &Fields::new(),
                SecretSource::Sealed(CipherText::new("lkr1:demo:00000000:AAAA")),
                origin(at),
            )
        };
        self.0.configs.insert(name.into(), config);
        self
    }

    pub fn tenant(mut self, id: u128, alias: Option<&str>) -> Files {
        self.0.tenants.push(Tenant {
            id: Uuid::from_u128(id),
            alias: alias.map(str::to_owned),
        });
        self
    }

    /// `count` numbers from `first` on, of the tenant with that index.
    pub fn numbers(
        mut self,
        first: &str,
        count: usize,
        tenant: u32,
        config: &str,
        provider: Option<&str>,
        at: (u32, u32),
    ) -> Files {
        let mut fields = Fields::new();
        fields.set_text(Field::Provider, provider);
        let settings = BindingSettings {
            config: config.into(),
            fields,
            adopt: Vec::new(),
            rollout: None,
        };
        if self.0.settings.last() != Some(&settings) {
            self.0.settings.push(settings);
        }
        let ix = self.0.settings.len() - 1;
        let mut number = E164::parse(first).expect("a number");
        for _ in 0..count {
            self.0.bindings.push(Binding {
                number,
                tenant,
                settings: ix as u32,
                origin: origin(at),
            });
            number = number.next().expect("another number");
        }
        self
    }
}

fn origin((file, line): (u32, u32)) -> Origin {
    Origin { file, line }
}

/// What others did to the database since the last apply.
#[derive(Default)]
pub struct Others {
    /// A field of a config, set to a value.
    pub configs: Vec<(Uuid, Field, &'static str)>,
    /// Keys of `rules` of a number, set to a value.
    pub rules: Vec<(&'static str, &'static str, Value)>,
}

/// The plan from an applied state of the files to another.
pub fn plan(before: &Routing, after: &Routing, others: &Others) -> (Plan, Reroutes) {
    let mut snapshot = offline::applied(before);
    snapshot.last_apply = Some(lkroute::snapshot::ApplyRecord {
        id: 12,
        at: "2026-11-20T10:00:00Z".into(),
        actor: "ci".into(),
        kind: "apply".into(),
        ..Default::default()
    });
    for (id, field, value) in &others.configs {
        let row = snapshot.configs.iter_mut().find(|row| row.id == *id);
        let row = row.expect("a config to change");
        row.fields.set_text(*field, Some(value));
    }
    let mut ids = (1u128 << 64..).map(Uuid::from_u128);
    let mut new = || ids.next().expect("an id");
    let mut differ = Differ::new(after, &snapshot, &SecretFacts::default(), &mut new);
    let rows: Vec<Uuid> = before.bindings.iter().map(|_| new()).collect();
    let owned: Vec<(Fields, Map<String, Value>)> = before
        .settings
        .iter()
        .map(|settings| row_of(before, settings))
        .collect();
    for (binding, row) in before.bindings.iter().zip(&rows) {
        let fields = owned[binding.settings as usize].0.clone();
        let fields = differ.pool().intern(fields);
        differ.owned(OwnedBinding {
            row: *row,
            tenant: before.tenant(binding).id,
            number: binding.number,
            fields,
            source: Some(SourceLine {
                file: binding.origin.file,
                line: binding.origin.line,
            }),
            inserted: true,
            retired: false,
        });
    }
    for (binding, row) in before.bindings.iter().zip(&rows) {
        let (fields, rules) = &owned[binding.settings as usize];
        let mut rules = rules.clone();
        let touched = others.rules.iter();
        for (_, key, value) in touched.filter(|rule| rule.0 == binding.number.to_string()) {
            rules.insert((*key).to_owned(), value.clone());
        }
        differ.row(&NumberRow {
            id: *row,
            tenant: before.tenant(binding).id,
            country_code: Some(&binding.number.row_key().country_code()),
            base_number: Some(binding.number.row_key().base_number()),
            provider: fields.text(Field::Provider),
            status: Some("active"),
            rules: Some(json!(rules).to_string().as_bytes()),
            passed_over: None,
        });
    }
    let plan = differ.finish(&mut new);
    let moved = reroutes(&plan);
    (plan, moved)
}

fn row_of(routing: &Routing, settings: &BindingSettings) -> (Fields, Map<String, Value>) {
    let mut fields = settings.fields.clone();
    let id = routing.configs[&settings.config].id.expect("an id");
    fields.set_text(Field::Config, Some(&id.to_string()));
    let rules = fields.iter();
    let rules = rules.filter_map(|(field, value)| Some((field.rules_key()?.into(), value.clone())));
    let rules = rules.collect();
    (fields, rules)
}

const VM: &str = "uae-vm-selfhosted";
const CLOUD: &str = "india-techiemaya-cloud";
const SASYA: Option<&str> = Some("sasya UAE Number");
const TECHIEMAYA: Option<&str> = Some("TechieMaya FZE");

/// The two regions with their configs and tenants.
fn with_worker(worker: &str) -> Files {
    let techiemaya = Some("techiemaya-test");
    Files::new(&["routing/uae.toml", "routing/india.toml"])
        .region("uae", "+971", (0, 5))
        .region("india", "+91", (1, 5))
        .config(VM, UAE, "uae", worker, (0, 10))
        .config(CLOUD, INDIA, "india", "voag-dev", (1, 10))
        .tenant(0x734cd516_e252_4728_9c52_4663ee552653, Some("sasya"))
        .tenant(0xe0a3e9ca_3f46_4bb0_ac10_a91b5c1d20b5, techiemaya)
        .tenant(0x926070b5_189b_4682_9279_ea10ca090b84, None)
}

/// The two regions as they were applied.
pub fn two_regions() -> Files {
    with_worker("voag-staging")
        .numbers("+971545335200", 400, 0, VM, SASYA, (0, 21))
        .numbers("+971545339000", 9, 1, VM, None, (0, 30))
        .numbers("+971545336500", 3, 2, VM, None, (0, 36))
        .numbers("+919513456728", 2, 1, CLOUD, TECHIEMAYA, (1, 21))
}

/// A worker changes, a number moves across regions, one goes, one comes.
pub fn changed() -> Files {
    with_worker("voag-production")
        .numbers("+971545335200", 400, 0, VM, SASYA, (0, 21))
        .numbers("+971545339000", 9, 1, VM, None, (0, 30))
        .numbers("+971545336500", 2, 2, VM, None, (0, 36))
        .numbers("+919513456728", 1, 1, VM, TECHIEMAYA, (1, 21))
        .numbers("+919513456800", 20, 1, CLOUD, TECHIEMAYA, (1, 30))
}
