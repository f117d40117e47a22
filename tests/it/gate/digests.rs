//! What was approved is told by its digest, however the database is reached.

use super::{applied, run};
use crate::support::Pgbouncer;

#[test]
fn another_role_a_pooler_or_another_name_of_the_host_changes_no_digest() {
    let Some((lkroute, mut db)) = applied("digests") else {
        return;
    };
    lkroute.edit("routing/uae.toml", "voag-staging", "voag-staging-2");
    let digest = |url: &str| {
        let plan = run(&lkroute, &format!("plan --format json --database {url}"));
        plan.json()["digest"].as_str().expect("a digest").to_owned()
    };
    let there = digest(&db.url);
    let (role, url) = db.role("reader");
    db.psql(&format!(
        "GRANT USAGE ON SCHEMA lad_dev TO {role};
         GRANT SELECT ON ALL TABLES IN SCHEMA lad_dev TO {role}"
    ));
    assert_eq!(digest(&url), there);
    let by_name = db.url.replace("127.0.0.1", "localhost");
    assert_eq!(digest(&by_name), there);
    let Some(pooler) = Pgbouncer::transaction_mode(&db) else {
        return;
    };
    assert_eq!(digest(&pooler.url), there);
    run(&lkroute, &format!("apply --auto-approve --expect {there}")).expect_code(0);
}
