//! Every branch of the resolver.

use serde_json::{Value, json};
use uuid::{Uuid, uuid};

use super::facts::rows_of_files;
use super::samples::{INDIA, OTHER, OURS, UAE, bind, number, tree};
use super::*;
use crate::error::Exit;

pub const ROW: Uuid = uuid!("11111111-1111-4111-8111-111111111111");

pub fn row(tenant: Uuid, fields: Fields) -> RowFact {
    RowFact {
        id: Some(ROW),
        tenant,
        fields: Some(fields),
        place: Provenance {
            row: Some(ROW),
            line: Some(("routing/india.toml".into(), 12)),
            apply: Some(4),
            revision: Some("0123456789abcdef".into()),
        },
        rollout: None,
    }
}

fn bound(id: Uuid) -> Fields {
    Fields::new().with(Field::Config, id.to_string())
}

fn config(id: Uuid, name: &str) -> ConfigFact {
    ConfigFact {
        id: Some(id),
        fields: Fields::new()
            .with(Field::Name, name)
            .with(Field::Region, "india")
            .with(Field::Url, "wss://livekit.india.example")
            .with(Field::ApiKey, "APIdemo")
            .with(Field::TrunkId, "ST_MmVqEuBMDNf6")
            .with(Field::WorkerName, "voag-dev"),
        place: Provenance::default(),
        secret: SecretState::NotChecked,
    }
}

pub fn facts(rows: Vec<RowFact>) -> Facts {
    let mut configs = Configs::default();
    configs.insert(config(INDIA, "india-techiemaya-cloud"));
    Facts {
        rows,
        configs,
        aliases: [(OURS, "techiemaya-test".to_owned())].into(),
        ..Facts::default()
    }
}

pub fn shell() -> ShellEnv {
    ShellEnv {
        url: Some("wss://shell.example".into()),
        api_key: Some("APIshell".into()),
        has_api_secret: true,
        trunk: Some("ST_shell".into()),
        worker: Some("voag-shell".into()),
        ..ShellEnv::default()
    }
}

pub fn given() -> Query {
    Query::new(number(), TenantChoice::Given(OURS))
}

pub fn ask(query: &Query, facts: &Facts, shell: ShellEnv) -> Resolution {
    resolve(query, facts, &RoutingEnv::Shell(shell))
}

fn outcome(query: &Query, facts: &Facts, shell: ShellEnv) -> Outcome {
    ask(query, facts, shell).outcome.unwrap()
}

fn code(resolution: &Resolution) -> &'static str {
    resolution.outcome.as_ref().unwrap_err().code
}

fn says(resolution: &Resolution, verdict: Verdict, part: &str) -> bool {
    let mut steps = resolution.trace.iter();
    steps.any(|step| step.verdict == verdict && step.detail.contains(part))
}

#[test]
fn a_bound_number_goes_to_its_config() {
    let facts = facts(vec![row(OURS, bound(INDIA))]);
    let resolution = ask(&given(), &facts, ShellEnv::default());
    let found = resolution.outcome.as_ref().unwrap();
    assert_eq!(found.route.source, Source::Database);
    assert_eq!(
        found.route.url.as_deref(),
        Some("wss://livekit.india.example")
    );
    assert_eq!(found.route.region.as_deref(), Some("india"));
    assert_eq!(found.route.worker_label(), "voag-dev");
    assert_eq!(found.route.trunk.source, ChoiceSource::Config);
    assert_eq!(found.row, Some(ROW));
    let place = "routing/india.toml:12, apply 4, revision 0123456789ab";
    assert!(says(&resolution, Verdict::Found, place));
}

#[test]
fn the_flag_switches_all_of_it_off() {
    let mut query = given();
    query.to = Some(" 09513456728 ".into());
    let facts = facts(vec![row(OURS, bound(INDIA).with(Field::Outbound, false))]);
    let off = ShellEnv {
        routing_table: Some("1".into()),
        ..shell()
    };
    let resolution = ask(&query, &facts, off);
    let found = resolution.outcome.as_ref().unwrap();
    assert_eq!(found.route.source, Source::Environment);
    assert_eq!(found.route.worker_label(), "voag-shell");
    assert_eq!(found.to.as_ref().unwrap().formatted, "09513456728");
    assert!(says(&resolution, Verdict::Skipped, "\"1\" in this shell"));
}

#[test]
fn nothing_found_falls_back_visibly() {
    let inactive = bound(INDIA).with(Field::Status, "inactive");
    for rows in [
        vec![],
        vec![row(OTHER, bound(INDIA))],
        vec![row(OURS, inactive)],
        vec![row(OURS, Fields::new())],
        vec![row(OURS, Fields::new().with(Field::Config, Value::Null))],
    ] {
        let facts = facts(rows);
        let resolution = ask(&given(), &facts, shell());
        let found = resolution.outcome.as_ref().unwrap();
        assert_eq!(found.route.source, Source::Environment);
        assert_eq!(found.route.url.as_deref(), Some("wss://shell.example"));
        assert!(says(
            &resolution,
            Verdict::Fallback,
            "this shell: shell.example"
        ));

        let strict = Query {
            strict: true,
            ..given()
        };
        assert_eq!(
            code(&ask(&strict, &facts, shell())),
            "environment-credentials"
        );
    }
}

#[test]
fn inactive_rows_are_passed_over_visibly() {
    let inactive = row(OURS, bound(UAE).with(Field::Status, "inactive"));
    let facts = facts(vec![inactive, row(OURS, bound(INDIA))]);
    let resolution = ask(&given(), &facts, ShellEnv::default());
    assert!(resolution.outcome.is_ok());
    assert!(says(&resolution, Verdict::PassedOver, "\"inactive\""));
}

#[test]
fn a_failed_lookup_never_falls_back() {
    let config = |value: Value| row(OURS, Fields::new().with(Field::Config, value));
    let odd = RowFact {
        fields: None,
        ..row(OURS, Fields::new())
    };
    let cases = [
        (row(OURS, bound(UAE)), "config-dangling"),
        (config(json!("india")), "config-unreadable"),
        (config(json!("")), "config-unreadable"),
        (config(json!(7)), "config-unreadable"),
        (odd, "rules-no-object"),
    ];
    for (row, expected) in cases {
        let resolution = ask(&given(), &facts(vec![row]), shell());
        assert_eq!(code(&resolution), expected);
        assert!(says(&resolution, Verdict::Note, "today's service"));
    }
    let error = ResolveError::new("lookup-failed", "the database does not answer");
    let away = Resolution::failed(&given(), error);
    assert!(says(&away, Verdict::Note, "today's service"));
}

#[test]
fn an_upper_case_id_is_the_same_id() {
    let fields = Fields::new().with(Field::Config, INDIA.to_string().to_uppercase());
    let found = outcome(&given(), &facts(vec![row(OURS, fields)]), shell());
    assert_eq!(found.route.config.unwrap().id, Some(INDIA));
}

#[test]
fn without_a_tenant_one_match_counts_and_several_are_listed() {
    let query = Query::new(number(), TenantChoice::Any);
    let one = facts(vec![row(OURS, bound(INDIA))]);
    let found = outcome(&query, &one, shell());
    assert_eq!(found.tenant.unwrap().id, OURS);

    let several = facts(vec![row(OURS, bound(INDIA)), row(OTHER, Fields::new())]);
    let resolution = ask(&query, &several, shell());
    assert_eq!(code(&resolution), "several-tenants");
    let message = resolution.outcome.as_ref().unwrap_err().message.clone();
    assert!(message.contains("techiemaya-test") && message.contains(&OTHER.to_string()));
    assert!(says(&resolution, Verdict::Note, "first match"));
}

#[test]
fn duplicates_of_one_tenant_are_an_error() {
    let twice = facts(vec![row(OURS, bound(INDIA)), row(OURS, Fields::new())]);
    assert_eq!(code(&ask(&given(), &twice, shell())), "duplicate-rows");
}

#[test]
fn a_user_stands_for_a_tenant_or_fails() {
    let query = Query::new(number(), TenantChoice::OfUser(ROW));
    let with = |user| Facts {
        user,
        ..facts(vec![row(OURS, bound(INDIA))])
    };
    let found = outcome(&query, &with(Some(UserFact::Tenant(OURS))), shell());
    assert_eq!(found.route.source, Source::Database);
    for (user, expected) in [
        (Some(UserFact::NoTenant), "user-without-tenant"),
        (Some(UserFact::Unknown), "unknown-user"),
        (Some(UserFact::NoTable), "no-users"),
        (None, "no-users"),
    ] {
        assert_eq!(code(&ask(&query, &with(user), shell())), expected);
    }
}

#[test]
fn the_agents_tenant_is_mentioned_where_it_differs() {
    let agent = |tenant| Facts {
        agent: Some(AgentFact { id: 33, tenant }),
        ..facts(vec![row(OURS, bound(INDIA))])
    };
    let note = |tenant| {
        says(
            &ask(&given(), &agent(tenant), shell()),
            Verdict::Note,
            "agent 33",
        )
    };
    assert!(note(Some(OTHER)));
    assert!(note(None));
    assert!(!note(Some(OURS)));
}

/// A config with or without a value of its own, a row with or without one.
fn choices(of_config: bool, of_row: bool, of_shell: bool) -> (Facts, ShellEnv) {
    let mut config = config(INDIA, "india-techiemaya-cloud");
    if !of_config {
        config.fields.set(Field::TrunkId, None);
        config.fields.set(Field::WorkerName, Some(json!(" ")));
    }
    let mut fields = bound(INDIA);
    fields.set_text(Field::OutboundTrunkId, of_row.then_some("ST_row"));
    let mut facts = facts(vec![row(OURS, fields)]);
    facts.configs.insert(config);
    let shell = if of_shell {
        shell()
    } else {
        ShellEnv::default()
    };
    (facts, shell)
}

#[test]
fn trunk_and_worker_are_sought_in_order() {
    use ChoiceSource::{Config, Default, Environment, Rules};
    let cases = [
        ((true, true, true), Some((Config, Config))),
        ((true, false, false), Some((Config, Config))),
        ((false, true, true), Some((Rules, Environment))),
        ((false, true, false), Some((Rules, Default))),
        ((false, false, true), Some((Environment, Environment))),
        ((false, false, false), None),
    ];
    for ((config, row, env), expected) in cases {
        let (facts, shell) = choices(config, row, env);
        let resolution = ask(&given(), &facts, shell);
        match (expected, &resolution.outcome) {
            (Some(sources), Ok(found)) => {
                assert_eq!(
                    (found.route.trunk.source, found.route.worker.source),
                    sources
                );
            }
            (None, Err(error)) => {
                assert_eq!(error.code, "no-trunk");
                for looked in [
                    "trunk_id of config",
                    "outbound_trunk_id",
                    "OUTBOUND_TRUNK_ID",
                ] {
                    assert!(error.message.contains(looked), "{}", error.message);
                }
            }
            (expected, got) => panic!("{expected:?} expected, got {got:?}"),
        }
    }
}

#[test]
fn what_is_shadowed_is_said() {
    let (facts, shell) = choices(true, true, true);
    let resolution = ask(&given(), &facts, shell);
    for shadowed in ["ST_row", "ST_shell", "voag-shell", "(shell.example)"] {
        assert!(says(&resolution, Verdict::Shadowed, shadowed), "{shadowed}");
    }
}

#[test]
fn a_trunk_that_is_no_text_is_an_error() {
    let fields = bound(INDIA).with(Field::OutboundTrunkId, 7);
    assert_eq!(
        code(&ask(&given(), &facts(vec![row(OURS, fields)]), shell())),
        "trunk-unreadable"
    );
}

#[test]
fn nothing_anywhere_names_all_that_was_looked_for() {
    let resolution = ask(
        &given(),
        &facts(vec![row(OTHER, bound(INDIA))]),
        ShellEnv::default(),
    );
    let error = resolution.outcome.as_ref().unwrap_err();
    assert_eq!((error.code, error.exit), ("no-credentials", Exit::Error));
    for part in [
        "+919513456728",
        "techiemaya-test",
        "LIVEKIT_URL",
        "LIVEKIT_API_KEY",
        "LIVEKIT_API_SECRET",
    ] {
        assert!(error.message.contains(part), "{}", error.message);
    }
}

#[test]
fn a_config_without_url_or_key_is_an_error() {
    for field in [Field::Url, Field::ApiKey] {
        let mut facts = facts(vec![row(OURS, bound(INDIA))]);
        facts
            .configs
            .get_mut(INDIA)
            .unwrap()
            .fields
            .set(field, None);
        assert_eq!(code(&ask(&given(), &facts, shell())), "config-incomplete");
    }
}

#[test]
fn the_symbolic_environment_has_no_values() {
    let resolution = resolve(&given(), &facts(vec![]), &RoutingEnv::Symbolic);
    let route = resolution.outcome.unwrap().route;
    assert_eq!((route.url.as_ref(), route.secret), (None, None));
    assert_eq!(route.worker_label(), "VOICE_AGENT_NAME or inbound-agent");
    assert_eq!(route.trunk_label(), "OUTBOUND_TRUNK_ID");
}

#[test]
fn the_rules_judge_the_called_number() {
    let to = |to: &str| Query {
        to: Some(to.into()),
        ..given()
    };
    let rules = bound(INDIA)
        .with(Field::AllowedOutbound, "india")
        .with(Field::RequiredLeadFormat, json!(["0", "base_number"]));
    let facts = facts(vec![row(OURS, rules.clone())]);
    let called = outcome(&to("9513456728"), &facts, shell()).to.unwrap();
    assert_eq!(
        (called.formatted.as_str(), called.country),
        ("09513456728", Some("IN"))
    );
    let refused = ask(&to("+971545335200"), &facts, shell());
    assert_eq!(refused.outcome.unwrap_err().exit, Exit::CallRefused);

    let silent = super::tests::facts(vec![row(OURS, rules.with(Field::Outbound, false))]);
    assert_eq!(
        code(&ask(&to("+919513456728"), &silent, shell())),
        "outbound-refused"
    );
    let without_to = ask(&given(), &silent, shell());
    assert!(without_to.outcome.is_ok());
    assert!(says(&without_to, Verdict::Note, "outbound = false"));
}

#[test]
fn the_report_has_every_key_and_no_secret() {
    let resolution = ask(&given(), &facts(vec![row(OURS, bound(INDIA))]), shell());
    let report = serde_json::to_value(Report::from(&resolution)).unwrap();
    let keys = [
        "format_version",
        "source",
        "tenant",
        "from",
        "region",
        "config",
        "url",
        "api_key",
        "secret",
        "trunk_id",
        "trunk_source",
        "worker_name",
        "worker_source",
        "to",
        "trace",
    ];
    for key in keys {
        assert!(report.get(key).is_some(), "{key}");
    }
    assert_eq!(report["config"]["id"], json!(INDIA));
    assert_eq!(report["to"], Value::Null);
    let failed = Report::from(&ask(&given(), &facts(vec![]), ShellEnv::default()));
    let error = failed.error.unwrap();
    assert_eq!((error.exit, error.code), (1, Some("no-credentials")));
    assert!(!failed.trace.is_empty());

    let mut no_trunk = facts(vec![row(OURS, bound(INDIA))]);
    let config = no_trunk.configs.get_mut(INDIA).unwrap();
    config.fields.set(Field::TrunkId, None);
    let failed = Report::from(&ask(&given(), &no_trunk, ShellEnv::default()));
    assert_eq!(failed.error.unwrap().code, Some("no-trunk"));
    assert_eq!(failed.tenant, Some(OURS), "found before that");
    assert_eq!(failed.config.unwrap().id, Some(INDIA));
    assert!(failed.region.is_some());
}

#[test]
fn a_config_without_an_id_is_found_by_its_name_in_the_files() {
    let mut routing = tree();
    bind(
        &mut routing,
        number(),
        0,
        "india-techiemaya-cloud",
        Fields::new(),
    );
    for config in routing.configs.values_mut() {
        config.id = None;
    }
    let facts = Facts::of_files(&routing, number());
    let resolution = ask(&given(), &facts, ShellEnv::default());
    let config = resolution.outcome.as_ref().unwrap().route.config.clone();
    let config = config.unwrap();
    assert_eq!(
        (config.id, config.name.as_str()),
        (None, "india-techiemaya-cloud")
    );
    assert!(says(&resolution, Verdict::Note, "rules.outbound"));
    assert_eq!(rows_of_files(&routing, |_| false).len(), 0);
}

#[test]
fn a_host_is_shown_without_user_info() {
    for (url, host) in [
        ("wss://livekit.india.example", "livekit.india.example"),
        (
            "http://u:p@livekit.uae.example:7880/x?y",
            "livekit.uae.example:7880",
        ),
        ("ws://[::1]:7880", "[::1]:7880"),
        ("", ""),
    ] {
        assert_eq!(host_of(url), host);
    }
}
