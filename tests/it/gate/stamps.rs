//! Whose database it is: every command asks, and none takes another's.

use super::{applied, run};
use crate::support::{Lkroute, words_of};

/// Two environments with a variable each, both of which lead to production's
/// database.
fn two_environments(url: &str) -> Lkroute {
    let mut lkroute = Lkroute::with_two_regions();
    lkroute.write(
        "routing/environments.toml",
        "[environments.production]\ndatabase = \"PRODUCTION_URL\"\n\n\
         [environments.staging]\ndatabase = \"STAGING_URL\"\n",
    );
    lkroute.env("PRODUCTION_URL", url).env("STAGING_URL", url);
    lkroute
}

const COMMANDS: [&str; 17] = [
    "plan",
    "apply --auto-approve",
    "adopt --all",
    "drift",
    "drift --all",
    "history",
    "list",
    "resolve --from +971545335200",
    "dispatch --from +971545335200 --to +971501234567",
    "dispatch --from +971545335200 --to +971501234567 --dry-run",
    "dispatches",
    "doctor --no-probe",
    "import --out new",
    "secrets list",
    "rollback --to 1 --dry-run",
    "release --all",
    "migrate",
];

fn stagings_variable_on_productions_database(url: &str) {
    let lkroute = two_environments(url);
    run(&lkroute, "--env production migrate").expect_code(0);
    run(&lkroute, "--env production apply --auto-approve").expect_code(0);
    for command in COMMANDS {
        let ran = run(&lkroute, &format!("--env staging {command}")).expect_code(6);
        assert!(
            ran.stderr.contains("`production`"),
            "{command}: {}",
            ran.stderr
        );
    }
    let mut variable = two_environments(url);
    variable.env("LKROUTE_ENV", "staging");
    run(&variable, "list").expect_code(6);
    run(&variable, "--env production list").expect_code(0);
    // A blank one names none: look-ups go by the stamp, and show it.
    let mut blank = two_environments(url);
    blank.env("LKROUTE_ENV", "").env("DATABASE_URL", url);
    for command in [
        "list",
        "history",
        "dispatches",
        "dispatches --format json",
        "doctor --no-probe",
        "resolve --from +971545335200",
    ] {
        let ran = run(&blank, command);
        let all = format!("{}{}", ran.stdout, ran.stderr);
        assert!(all.contains("production"), "{command}: {all}");
    }
    run(&blank, "plan").expect_code(3);
    // A call that was placed for production is no answer to staging.
    let keyed = "dispatch --from +971545335200 --to +971501234567 --idempotency-key k1";
    run(&lkroute, &format!("--env staging {keyed}")).expect_code(6);
}

#[test]
fn stagings_variable_on_productions_sqlite_is_refused_everywhere() {
    let dir = tempfile::tempdir().expect("a directory");
    let url = format!("sqlite://{}/production.db", dir.path().display());
    stagings_variable_on_productions_database(&url);
}

#[test]
fn stagings_variable_on_productions_postgres_is_refused_everywhere() {
    let Some((_, db)) = super::world("stamps") else {
        return;
    };
    stagings_variable_on_productions_database(&format!("{}?schema=lad_dev", db.url));
}

#[test]
fn a_copy_is_stamped_anew_and_is_another_database() {
    let Some((_, db)) = super::world("restamp") else {
        return;
    };
    let lkroute = two_environments(&format!("{}?schema=lad_dev", db.url));
    run(&lkroute, "--env production migrate").expect_code(0);
    let none = run(&lkroute, "--env production migrate --restamp staging").expect_code(1);
    assert_contains!(none.stderr, "no environment yet");
    run(&lkroute, "--env production apply --auto-approve").expect_code(0);
    let state = || db.psql("SELECT environment, identity FROM lad_dev.lkroute_state");
    let before = state();
    let asked = run(&lkroute, "--env staging migrate --restamp staging").expect_code(1);
    assert_contains!(asked.stderr, "nobody is there to approve");
    assert_eq!(state(), before);
    let done = run(
        &lkroute,
        "--env staging migrate --restamp staging --auto-approve",
    );
    assert_contains!(done.expect_code(0).stderr, "from `production` to `staging`");
    let (environment, identity) = state()
        .split_once('|')
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .expect("two columns");
    assert_eq!(environment, "staging");
    assert!(
        !before.contains(&identity) && identity.len() == 36,
        "{identity}"
    );
    run(&lkroute, "--env production plan").expect_code(6);
    run(&lkroute, "--env staging plan --detailed-exitcode").expect_code(0);
    told_in_the_history(&lkroute);
}

#[test]
fn a_copy_of_a_file_is_stamped_anew() {
    let directory = Lkroute::new();
    let url = format!("sqlite://{}", directory.path().join("copy.db").display());
    let lkroute = two_environments(&url);
    run(&lkroute, "--env production apply --auto-approve").expect_code(0);
    run(
        &lkroute,
        "--env staging migrate --restamp staging --auto-approve",
    )
    .expect_code(0);
    run(&lkroute, "--env production plan").expect_code(6);
    run(&lkroute, "--env staging plan --detailed-exitcode").expect_code(0);
    told_in_the_history(&lkroute);
}

/// Who stamped it is on record, and it is no apply that could be undone.
fn told_in_the_history(lkroute: &Lkroute) {
    let history = run(lkroute, "--env staging history").expect_code(0).stdout;
    let line = history.lines().find(|line| line.contains("restamp"));
    assert!(
        line.is_some_and(|line| line.contains("a copy of `production`")),
        "{history}"
    );
    let back = run(lkroute, "--env staging rollback --auto-approve").expect_code(0);
    let told = back.stdout.contains("before apply 1 ");
    assert!(
        told && back.stdout.contains("Nothing to undo"),
        "{}",
        back.stdout
    );
}

/// The attack: environments come to a database that was applied without, and the
/// first apply has nothing to write. Then staging's files are taken.
#[test]
fn a_database_that_belongs_to_nobody_yet_is_told_of() {
    let directory = Lkroute::new();
    let url = format!("sqlite://{}", directory.path().join("old.db").display());
    let before = Lkroute::with_two_regions();
    run(&before, &format!("--database {url} apply --auto-approve")).expect_code(0);
    let lkroute = two_environments(&url);
    for command in ["plan", "apply --auto-approve"] {
        let ran = run(&lkroute, &format!("--env production {command}")).expect_code(0);
        let said = words_of(&ran.stderr);
        assert_contains!(said, "belongs to no environment yet");
        assert_contains!(said, "another than `production`");
    }
    lkroute.edit("routing/uae.toml", "voag-staging", "voag-production");
    run(&lkroute, "--env production apply --auto-approve").expect_code(0);
    let settled = run(&lkroute, "--env production plan").expect_code(0);
    assert_lacks!(settled.stderr, "no environment yet");
    run(&lkroute, "--env staging plan").expect_code(6);
}

#[test]
fn another_owner_is_refused() {
    let Some((lkroute, _db)) = applied("owner") else {
        return;
    };
    lkroute.edit(
        "routing/tenants.toml",
        "owner = \"lkroute-sample\"",
        "owner = \"others\"",
    );
    let release = "release --all --auto-approve";
    for command in ["plan", "apply --auto-approve", "adopt --all", release] {
        let ran = run(&lkroute, command).expect_code(6);
        assert_contains!(ran.stderr, "`lkroute-sample`");
    }
}
