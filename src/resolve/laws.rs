//! The resolver's laws, as property tests.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::samples::{INDIA, OTHER, OURS, UAE, bind, number, tree};
use super::tests::{ROW, ask, facts, given, row, shell};
use super::*;
use crate::diff::row_reader::read_row;
use crate::routing::Routing;
use crate::snapshot::NumberRow;

fn rules() -> impl Strategy<Value = Fields> {
    let config = prop_oneof![
        Just(json!(INDIA)),
        Just(json!(UAE)),
        Just(json!("odd")),
        Just(Value::Null),
        Just(json!(1))
    ];
    let trunk = prop_oneof![
        Just(json!("ST_row")),
        Just(json!("")),
        Just(Value::Null),
        Just(json!(1))
    ];
    let status = prop_oneof![3 => Just(None), 1 => Just(Some(json!("inactive")))];
    (
        proptest::option::of(config),
        proptest::option::of(trunk),
        status,
    )
        .prop_map(|(config, trunk, status)| {
            let mut fields = Fields::new();
            fields.set(Field::Config, config);
            fields.set(Field::OutboundTrunkId, trunk);
            fields.set(Field::Status, status);
            fields
        })
}

fn any_row() -> impl Strategy<Value = RowFact> {
    (any::<bool>(), proptest::option::weighted(0.9, rules())).prop_map(|(ours, fields)| RowFact {
        fields,
        ..row(if ours { OURS } else { OTHER }, Fields::new())
    })
}

fn any_shell() -> impl Strategy<Value = ShellEnv> {
    any::<[bool; 5]>().prop_map(|[url, key, secret, trunk, worker]| {
        let all = shell();
        ShellEnv {
            routing_table: None,
            url: all.url.filter(|_| url),
            url_refused: false,
            api_key: all.api_key.filter(|_| key),
            has_api_secret: secret,
            trunk: all.trunk.filter(|_| trunk),
            worker: all.worker.filter(|_| worker),
        }
    })
}

proptest! {
    /// Fallback only where the look-up worked and found nothing.
    #[test]
    fn the_environment_is_used_only_where_nothing_is_bound(
        rows in prop::collection::vec(any_row(), 0..4),
        shell in any_shell(),
    ) {
        let facts = facts(rows);
        let resolution = ask(&given(), &facts, shell.clone());
        let active: Vec<&RowFact> = facts
            .rows
            .iter()
            .filter(|row| row.tenant == OURS && row.inactive().is_none())
            .collect();
        let unbound = match active.as_slice() {
            [] => true,
            [row] => row.fields.as_ref().is_some_and(|fields| {
                fields.get(Field::Config).is_none_or(Value::is_null)
            }),
            _ => false,
        };
        match resolution.outcome {
            Ok(found) => {
                prop_assert_eq!(found.route.source == Source::Environment, unbound);
                prop_assert!(found.route.url.is_some() && found.route.worker.value.is_some());
                prop_assert!(found.route.trunk.value.is_some());
            }
            Err(error) => {
                let complete = shell.url.is_some() && shell.api_key.is_some() && shell.has_api_secret;
                prop_assert_eq!(error.code == "no-credentials", unbound && !complete);
            }
        }
        prop_assert!(!resolution.trace.0.is_empty());
    }

    /// The order in which rows come does not matter.
    #[test]
    fn rows_in_any_order_give_one_outcome(rows in prop::collection::vec(any_row(), 0..4)) {
        let mut turned = facts(rows.clone());
        turned.rows.reverse();
        let one = ask(&given(), &facts(rows), shell()).outcome.map_err(|e| e.code);
        let other = ask(&given(), &turned, shell()).outcome.map_err(|e| e.code);
        prop_assert_eq!(one, other);
    }

    /// Files and database resolve alike in what the files declare.
    #[test]
    fn files_and_database_resolve_alike(declared in declared(), shell in any_shell(), any in any::<bool>()) {
        let routing = routing(&declared);
        let query = Query {
            tenant: if any { TenantChoice::Any } else { TenantChoice::Given(OURS) },
            to: Some("+919513456728".into()),
            ..given()
        };
        let files = ask(&query, &Facts::of_files(&routing, number()), shell.clone());
        let live = ask(&query, &as_database(&routing), shell);
        match (files.outcome, live.outcome) {
            (Ok(files), Ok(live)) => {
                prop_assert_eq!(files.route.source == Source::Files, live.route.source == Source::Database);
                let route = Route { source: live.route.source, ..files.route };
                prop_assert_eq!(route, live.route);
                prop_assert_eq!((files.tenant, files.to), (live.tenant, live.to));
                prop_assert_eq!(files.provider, live.provider);
            }
            (Err(files), Err(live)) => prop_assert_eq!((files.code, files.exit), (live.code, live.exit)),
            (files, live) => prop_assert!(false, "{files:?} against {live:?}"),
        }
    }
}

/// What one generated tree declares.
#[derive(Debug, Clone)]
struct Declared {
    ours: bool,
    other: bool,
    trunk: bool,
    worker: bool,
    row_trunk: bool,
    outbound: Option<bool>,
    allowed: Option<&'static str>,
}

fn declared() -> impl Strategy<Value = Declared> {
    let allowed = prop::sample::select(vec![None, Some("india"), Some("uae"), Some("global")]);
    (any::<[bool; 5]>(), any::<Option<bool>>(), allowed).prop_map(
        |([ours, other, trunk, worker, row_trunk], outbound, allowed)| Declared {
            ours,
            other,
            trunk,
            worker,
            row_trunk,
            outbound,
            allowed,
        },
    )
}

fn routing(declared: &Declared) -> Routing {
    let name = "india-techiemaya-cloud";
    let mut routing = tree();
    if let Some(config) = routing.configs.get_mut(name) {
        config.trunk_id = declared.trunk.then(|| "ST_config".into());
        config.worker_name = declared.worker.then(|| "voag-staging".into());
    }
    let mut fields = Fields::new().with(Field::Provider, "TechieMaya FZE");
    fields.set(Field::Outbound, declared.outbound.map(Value::from));
    fields.set_text(Field::AllowedOutbound, declared.allowed);
    fields.set_text(
        Field::OutboundTrunkId,
        declared.row_trunk.then_some("ST_row"),
    );
    for (there, tenant) in [(declared.ours, 0), (declared.other, 1)] {
        if there {
            bind(&mut routing, number(), tenant, name, fields.clone());
        }
    }
    routing
}

/// The rows that an apply of the files would write, read back.
fn as_database(routing: &Routing) -> Facts {
    let mut facts = Facts::of_files(routing, number());
    facts.side = Side::Database;
    for row in &mut facts.rows {
        let declared = row.fields.take().unwrap();
        let rules: serde_json::Map<String, Value> = declared
            .iter()
            .filter_map(|(field, value)| Some((field.rules_key()?.to_owned(), value.clone())))
            .collect();
        let rules = Value::from(rules).to_string();
        row.id = Some(ROW);
        row.fields = read_row(&NumberRow {
            id: ROW,
            tenant: row.tenant,
            country_code: Some("+91"),
            base_number: Some(9_513_456_728),
            provider: declared.text(Field::Provider),
            status: Some("active"),
            rules: Some(rules.as_bytes()),
            passed_over: None,
        })
        .ok();
    }
    facts
}
