//! A small tree of files, built in memory, for tests of this room and of its
//! neighbours.

use uuid::{Uuid, uuid};

use crate::fields::Fields;
use crate::phone::{E164, Prefix};
use crate::routing::{
    Binding, BindingSettings, CipherText, Origin, Region, Routing, SecretSource, ServerConfig,
    Tenant,
};

pub const UAE: Uuid = uuid!("e3ca4a84-4cc3-4be5-8240-34366fe4d0c5");
pub const INDIA: Uuid = uuid!("cf7a1d26-04aa-4623-8d4e-f4b079cdec6f");
/// The tenant of index 0, `techiemaya-test`.
pub const OURS: Uuid = uuid!("e0a3e9ca-3f46-4bb0-ac10-a91b5c1d20b5");
/// The tenant of index 1, which has no alias.
pub const OTHER: Uuid = uuid!("734cd516-e252-4728-9c52-4663ee552653");

pub fn number() -> E164 {
    E164::parse("+919513456728").unwrap()
}

const LINE: Origin = Origin { file: 0, line: 3 };

/// Two regions with a config each, two tenants, no binding yet.
pub fn tree() -> Routing {
    let region = |code: &str| Region {
        description: None,
        country_codes: vec![Prefix::parse(code).unwrap()],
        default_config: None,
        origin: LINE,
    };
    let config = |id: Uuid, region: &str, trunk: &str, worker: &str| ServerConfig {
        region: region.into(),
        url: format!("wss://livekit.{region}.example"),
        api_key: format!("API{region}"),
        trunk_id: Some(trunk.into()),
        worker_name: Some(worker.into()),
        ..ServerConfig::of_fields(
            Some(id),
            &Fields::new(),
            SecretSource::Sealed(CipherText::new("lkr1:demo")),
            LINE,
        )
    };
    let tenant = |id, alias: Option<&str>| Tenant {
        id,
        alias: alias.map(str::to_owned),
    };
    Routing {
        files: vec!["routing/all.toml".into()],
        regions: [
            ("india".to_owned(), region("+91")),
            ("uae".to_owned(), region("+971")),
        ]
        .into(),
        configs: [
            (
                "india-techiemaya-cloud".to_owned(),
                config(INDIA, "india", "ST_MmVqEuBMDNf6", "voag-dev"),
            ),
            (
                "uae-vm-selfhosted".to_owned(),
                config(UAE, "uae", "ST_svHE4RdTc7Ds", "voag-staging"),
            ),
        ]
        .into(),
        tenants: vec![tenant(OURS, Some("techiemaya-test")), tenant(OTHER, None)],
        ..Routing::default()
    }
}

/// Adds a binding; `tenant` is 0 or 1.
pub fn bind(routing: &mut Routing, number: E164, tenant: u32, config: &str, fields: Fields) {
    let settings = u32::try_from(routing.settings.len()).unwrap();
    routing.settings.push(BindingSettings {
        config: config.into(),
        fields,
        adopt: Vec::new(),
        rollout: None,
    });
    routing.bindings.push(Binding {
        number,
        tenant,
        settings,
        origin: LINE,
    });
}
