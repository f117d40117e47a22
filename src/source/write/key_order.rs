//! The keys of the files, in the order in which `fmt` writes them. Core: imports
//! the model.

use std::sync::LazyLock;

use crate::fields::Field;

/// What comes before the other fields.
const FIRST: [&str; 21] = [
    "owner",
    "guard",
    "addresses",
    "id",
    "formerly",
    "number",
    "numbers",
    "range",
    "from",
    "tenant",
    "to",
    "max",
    "percent",
    "per_region",
    "per_tenant",
    "tenants",
    "config",
    "worker",
    "trunk",
    "region",
    "description",
];

/// What comes after the fields.
const LAST: [&str; 21] = [
    "dials",
    "refused",
    "database",
    "schema",
    "secrets",
    "window",
    "deletes",
    "updates",
    "reroutes",
    "protected",
    "policy",
    "plain_http",
    "hosts",
    "workers",
    "cross_region",
    "widen",
    "require",
    "reason",
    "expires",
    "adopt",
    "only",
];

/// The keys of all tables, in the order in which they are written: fields that
/// [`FIRST`] does not name stand in the order of their table.
pub(super) static ORDER: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let mut order = FIRST.to_vec();
    let lists = [&Field::OF_REGION[..], &Field::OF_CONFIG, &Field::OF_BINDING];
    let declared = |field: &Field| lists.iter().any(|list| list.contains(field));
    let declared = Field::ALL.into_iter().filter(declared);
    // The name of a config is that of its table.
    for field in declared.filter(|field| *field != Field::Name) {
        let key = field.file_key();
        if FIRST.contains(&key) {
            continue;
        }
        if field.rules_key().is_some() && !order.contains(&"rules") {
            order.push("rules");
        }
        order.push(key);
    }
    order.extend(LAST);
    order
});

/// Tables whose keys are names: these stay as they are ordered.
pub(super) const NAMED: [&str; 7] = [
    "tenants",
    "regions",
    "configs",
    "environments",
    "env",
    "hosts",
    "workers",
];
