//! The package beside the drivers, for `benches/README.md`.

use super::package::{Package, root};
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
    println!("{}", String::from_utf8_lossy(&done.stdout));
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
    // As the page says.
    let size = std::fs::metadata(&package.wheel).expect("the wheel").len();
    let size = format!("{}.{} MB", size / 1_000_000, size / 100_000 % 10);
    let page = std::fs::read_to_string(root().join("docs/python.md")).expect("the page");
    let words = page.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains(&format!("The wheel has {size}")), "{size}");
}
