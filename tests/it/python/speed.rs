//! The package beside the drivers, for `benches/README.md`.

use super::package::Package;
use super::service::{KEYS, SCHEMA, world};
use crate::support::Postgres;

#[test]
#[ignore = "builds the wheel as a release has it, and wants a quiet machine"]
fn beside_the_drivers() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let (db, _lkroute) = world(postgres, "python_speed");
    let package = Package::install("release", &[]).expect("what the package takes");
    let done = package
        .script("speed.py")
        .args([&db.url, SCHEMA, "+971545335200"])
        .env("LKROUTE_KEYS", KEYS)
        .output()
        .expect("run it");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
    println!("{}", String::from_utf8_lossy(&done.stdout));
}
