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

    // What was superseded is undone: its run has something to do again.
    git(lkroute.path(), &["checkout", "-q", &new]);
    let again = run(&lkroute, "apply --auto-approve").expect_code(0).stdout;
    assert_contains!(again, "Applied as 3");
    git(lkroute.path(), &["checkout", "-q", &old]);
    let superseding = format!("apply --auto-approve --supersede {}", &new[..12]);
    run(&lkroute, &superseding).expect_code(0);
    lkroute.edit(
        "routing/uae.toml",
        "LiveKit on a VM in the UAE",
        "Another VM",
    );
    let other = commit(&lkroute, "beside it");
    run(&lkroute, "apply --auto-approve").expect_code(0);
    git(lkroute.path(), &["checkout", "-q", &new]);
    let stale = run(&lkroute, "apply --auto-approve").expect_code(5);
    assert_lacks!(stale.stdout, "Already applied");
    run(
        &lkroute,
        &format!("apply --auto-approve --supersede {}", &other[..12]),
    )
    .expect_code(0);

    // What comes after is fine again.
    git(lkroute.path(), &["checkout", "-q", &new]);
    run(&lkroute, "apply --auto-approve").expect_code(0);
}

#[test]
fn the_run_of_a_merge_that_is_applied_has_nothing_to_do_while_nothing_undid_it() {
    let lkroute = Lkroute::with_two_regions();
    git(lkroute.path(), &["init", "-q"]);
    let old = commit(&lkroute, "one");
    run(&lkroute, "apply --auto-approve").expect_code(0);
    lkroute.edit("routing/uae.toml", "voag-staging", "voag-production");
    let new = commit(&lkroute, "two");
    run(&lkroute, "plan --out approved.lkplan").expect_code(0);
    run(&lkroute, "apply approved.lkplan").expect_code(0);
    // The run of a merge, again: the plan that was approved is carried out.
    let again = run(&lkroute, "apply approved.lkplan").expect_code(0);
    assert_contains!(again.stdout, "Already applied as 2");
    let again = run(&lkroute, "apply --auto-approve --format json").expect_code(0);
    let report = crate::review::schema::assert_valid("apply", &again.stdout);
    assert_eq!(report["applied_already"]["id"], 2);
    assert_eq!(report["applied"], serde_json::Value::Null);
    // That of an older one does not undo the newer.
    git(lkroute.path(), &["checkout", "-q", &old]);
    let older = run(&lkroute, "apply --auto-approve").expect_code(0);
    assert_contains!(older.stdout, "Already applied as 1");
    let worker = || {
        let routes = run(&lkroute, "resolve --from +971545335200 --format json");
        routes.json()["worker_name"].clone()
    };
    assert_eq!(worker(), "voag-production");
    // Files that are not as committed are another matter.
    lkroute.edit("routing/uae.toml", "on a VM in", "on one VM in");
    run(&lkroute, "apply --auto-approve").expect_code(5);
    git(lkroute.path(), &["checkout", "-q", "routing"]);
    // Nor is it applied any more once it was undone.
    git(lkroute.path(), &["checkout", "-q", &new]);
    lkroute
        .run(&["rollback", "--auto-approve", "--reason", "calls fail"])
        .expect_code(0);
    let undone = run(&lkroute, "apply --auto-approve").expect_code(4);
    assert_lacks!(undone.stdout, "Already");
    run(&lkroute, "apply approved.lkplan").expect_code(4);
    assert_eq!(worker(), "voag-staging");
}

#[test]
fn a_part_of_a_merge_is_not_the_merge() {
    let lkroute = Lkroute::with_two_regions();
    git(lkroute.path(), &["init", "-q"]);
    let _ = commit(&lkroute, "one");
    run(&lkroute, "apply --auto-approve --target region.uae").expect_code(0);
    let rest = run(&lkroute, "apply --auto-approve").expect_code(0);
    assert_contains!(rest.stdout, "Applied as 2");
}
