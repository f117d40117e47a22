//! The wheel, which is one for all, on other versions of Python: the oldest that is
//! promised and the newest.

use std::path::Path;

use super::package;
use super::robust::run_on;
use super::service::run_lifecycle;

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
        for case in [
            "odd_values",
            "limits",
            "task_limits",
            "closing",
            "hints",
            "hostile",
            "frames",
            "panics",
        ] {
            run_on(&package, "robust.py", case, false);
        }
    }
}
