//! The wheel, which is one for all, on other versions of Python: the oldest that is
//! promised and the newest; and with the oldest libraries that its extras allow.

use std::path::Path;

use serde_json::json;

use super::package;
use super::package::Package;
use super::robust::run_on;
use super::service::{SCHEMA, run_lifecycle};
use super::world::{Tables, World, placed_by};
use crate::livekit::standin::{Fault, StandIn};

/// False word: "Python 3.10 or later". `tests/run` makes the environments of the
/// Pythons that `LKROUTE_TEST_PYTHONS` names.
#[test]
#[ignore = "wants LKROUTE_TEST_PYTHONS, the programs of other Pythons"]
fn the_wheel_works_on_each() {
    let pythons = std::env::var("LKROUTE_TEST_OTHER_PYTHONS");
    let pythons = pythons.expect("set by tests/run, for those in LKROUTE_TEST_PYTHONS");
    let package = package().expect("what the package takes");
    for python in pythons.split_whitespace() {
        println!("{python}");
        let package = package.on_another(Path::new(python));
        run_lifecycle(&package);
        run_on(&package, "connections.py", "rows", false);
        requests_that_break_are_told(&package);
        // Of deployments an older livekit-api knows nothing.
        if std::env::var_os("LKROUTE_TEST_REQUIREMENTS").is_none() {
            run_on(&package, "robust.py", "hints", false);
        }
        for case in [
            "odd_values",
            "limits",
            "task_limits",
            "closing",
            "hostile",
            "frames",
            "panics",
        ] {
            run_on(&package, "robust.py", case, false);
        }
    }
}

/// By the library for requests, which is not the package's.
fn requests_that_break_are_told(package: &Package) {
    let mut world = World::with_fallback("python_versions").expect("PostgreSQL");
    let Tables::Postgres(db) = &world.tables else {
        return;
    };
    let place = || placed_by(package, &db.url, Some(SCHEMA), &json!({}));
    world
        .standin
        .fault("CreateDispatch", 1, Fault::StoreThenClose);
    let found = place();
    assert_eq!(found[0]["status"], "accepted", "{found}");
    // Its port closes with it.
    drop(std::mem::replace(&mut world.standin, StandIn::start()));
    let by_fallback = place();
    assert_eq!(by_fallback[0]["fallback"], "backup", "{by_fallback}");
}
