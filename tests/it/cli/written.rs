//! What was done, where nobody can be told, and files that are none.

use std::process::Stdio;

use super::run;
use crate::review::schema::assert_valid;
use crate::support::{Lkroute, Run, words_of};

/// The command with a standard output that is full.
#[cfg(target_os = "linux")]
fn run_full(lkroute: &Lkroute, line: &str) -> Run {
    let words: Vec<&str> = line.split_whitespace().collect();
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .expect("/dev/full");
    let mut command = lkroute.command(&words);
    command
        .stdin(Stdio::null())
        .stdout(full)
        .stderr(Stdio::piped());
    let child = command.spawn().expect("start lkroute");
    let ended = child.wait_with_output().expect("it ends");
    let mut run = run(lkroute, "--version");
    run.code = ended.status.code().expect("a code");
    run.stderr = String::from_utf8(ended.stderr).expect("UTF-8");
    lkroute.looked_through(run)
}

/// Exit 1 says that nothing was done.
#[test]
#[cfg(target_os = "linux")]
fn what_was_done_is_done_where_the_report_of_it_is_lost() {
    let lkroute = Lkroute::with_two_regions();
    // The plan can't be shown, and nothing is written.
    let unseen = run_full(&lkroute, "apply --auto-approve").expect_code(1);
    assert_contains!(unseen.stderr, "can't write to standard output");
    let json = run_full(&lkroute, "apply --auto-approve --format json").expect_code(0);
    let said = words_of(&json.stderr);
    assert_contains!(
        said,
        "warning: applied as 1; of this can't write to standard output"
    );
    lkroute.edit("routing/uae.toml", "voag-staging", "voag-dev");
    run(&lkroute, "apply --auto-approve").expect_code(0);
    for (command, id) in [("rollback", 3), ("release --all", 4)] {
        if id == 4 {
            std::fs::remove_dir_all(lkroute.path().join("routing")).expect("no files");
        }
        let line = format!("{command} --auto-approve --format json");
        let done = run_full(&lkroute, &line).expect_code(0);
        assert_contains!(done.stderr, format!("applied as {id}"));
    }
    let applies = "SELECT count(*) || '' FROM lkroute_applies";
    assert_eq!(lkroute.sql(applies), "4");
}

#[test]
#[cfg(unix)]
fn a_plan_goes_into_a_pipe_and_to_where_a_link_leads() {
    use std::os::unix::fs::{FileTypeExt, symlink};
    let lkroute = Lkroute::with_two_regions();
    let path = |name: &str| lkroute.path().join(name);
    lkroute.write("store/real.lkplan", "of before");
    symlink("store/real.lkplan", path("link")).expect("a link");
    run(&lkroute, "plan --out link").expect_code(0);
    let link = std::fs::symlink_metadata(path("link")).expect("it is there");
    assert!(link.is_symlink());
    assert_contains!(lkroute.read("store/real.lkplan"), "\"digest\"");
    run(&lkroute, "show link").expect_code(0);

    let made = std::process::Command::new("mkfifo")
        .arg(path("pipe"))
        .status();
    assert!(made.expect("mkfifo").success());
    let nobody = run(&lkroute, "plan --out pipe").expect_code(1);
    assert_contains!(nobody.stderr, "can't write `pipe`");
    let reader = path("pipe");
    let reading = std::thread::spawn(move || std::fs::read_to_string(reader).expect("text"));
    // The reader has opened it when the plan can be written.
    let saved = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        run(&lkroute, "plan --out pipe").code == 0
    });
    assert!(saved);
    assert_contains!(reading.join().expect("it ends"), "\"digest\"");
    let pipe = std::fs::symlink_metadata(path("pipe")).expect("it is there");
    assert!(pipe.file_type().is_fifo());
}

#[test]
fn a_rollback_of_nothing_is_told_in_json_too() {
    let lkroute = Lkroute::with_two_regions();
    run(&lkroute, "apply --auto-approve").expect_code(0);
    let text = run(&lkroute, "rollback --auto-approve")
        .expect_code(0)
        .stdout;
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
    let json = run(&lkroute, "rollback --auto-approve --format json").expect_code(0);
    let report = assert_valid("apply", &json.stdout);
    assert_eq!(report["applied"], serde_json::Value::Null);
    assert_contains!(words_of(&json.stderr), "Nothing to undo: before apply 1 of");
}

/// Calls fail, and nothing that lkroute wrote was changed.
#[test]
fn a_second_active_row_beside_ours_is_no_word_of_all_is_well() {
    let lkroute = Lkroute::with_two_regions();
    run(&lkroute, "apply --auto-approve").expect_code(0);
    lkroute.sql(
        "INSERT INTO voice_agent_numbers (id, tenant_id, country_code, base_number, status, rules)
         SELECT 'aaaaaaaa-0000-4000-8000-000000000001', tenant_id, '0097154', 5335200, 'active', '{}'
         FROM voice_agent_numbers WHERE base_number = 545335200",
    );
    run(&lkroute, "resolve --from +971545335200").expect_code(1);
    let drift = run(&lkroute, "drift").expect_code(7);
    assert_lacks!(drift.stdout, "all is as lkroute left it");
    assert_contains!(
        words_of(&drift.stdout),
        "2 active rows hold +971545335200 for tenant sasya"
    );
    let json = run(&lkroute, "drift --format json").expect_code(7);
    let report = assert_valid("drift", &json.stdout);
    assert_eq!(report["findings"][0]["code"], "duplicate-rows");
}
