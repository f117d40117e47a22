//! An older revision does not undo a newer one.

use super::run;
use crate::git::git;
use crate::support::Lkroute;

fn commit(lkroute: &Lkroute, message: &str) -> String {
    git(lkroute.path(), &["add", "routing"]);
    git(lkroute.path(), &["commit", "-qm", message]);
    git(lkroute.path(), &["rev-parse", "HEAD"])
}

#[test]
fn an_older_revision_is_stale_unless_the_newer_is_superseded() {
    let lkroute = Lkroute::with_two_regions();
    git(lkroute.path(), &["init", "-q"]);
    let old = commit(&lkroute, "one");
    lkroute.edit("routing/uae.toml", "LiveKit on a VM in the UAE", "A VM");
    let new = commit(&lkroute, "two");
    run(&lkroute, "apply --auto-approve").expect_code(0);

    git(lkroute.path(), &["checkout", "-q", &old]);
    let stale = run(&lkroute, "apply --auto-approve --format json").expect_code(5);
    let error = stale.json()["error"]["message"].to_string();
    assert!(
        error.contains(&old[..12]) && error.contains(&new[..12]),
        "{error}"
    );
    run(&lkroute, "plan").expect_code(0);
    run(
        &lkroute,
        &format!("apply --auto-approve --supersede {}", &old[..12]),
    )
    .expect_code(5);
    run(
        &lkroute,
        &format!("apply --auto-approve --supersede {}", &new[..12]),
    )
    .expect_code(0);
    run(&lkroute, "plan --detailed-exitcode").expect_code(0);

    // What comes after is fine again.
    git(lkroute.path(), &["checkout", "-q", &new]);
    run(&lkroute, "apply --auto-approve").expect_code(0);
}
