//! What is said of options and variables where nobody is asked to do anything,
//! and what else of a plan goes on from there.

use std::os::unix::ffi::OsStrExt;

use super::applied::{applied, apply, worker};
use super::{Lkroute, run};
use crate::support::Run;

const FILE: &str = "routing/uae.toml";
const FROM: &str = "--from +971545335200";

fn without(lkroute: &Lkroute, key: &str) {
    let text = lkroute.read(FILE);
    let lines = text.lines().filter(|line| !line.starts_with(key));
    let text: Vec<&str> = lines.collect();
    lkroute.write(FILE, &text.join("\n"));
}

#[test]
fn what_is_taken_from_the_variables_of_a_shell() {
    let mut lkroute = applied();
    lkroute.env("LIVEKIT_URL", "wss://old.example");
    run(&lkroute, &format!("resolve {FROM} --explain"))
        .says("LIVEKIT_URL from this shell ({host}) is not used");
    without(&lkroute, "worker_name");
    let plan = run(&lkroute, "plan").expect_code(0);
    plan.says("VOICE_AGENT_NAME or inbound-agent");
    without(&lkroute, "trunk_id");
    let expect =
        "[[expect]]\nfrom = \"+971545335200\"\ntenant = \"sasya\"\nworker = \"voag-two\"\n";
    let file = lkroute.write("routing/expect.toml", expect);
    let broken = run(&lkroute, "validate").expect_code(3);
    broken.says("left to OUTBOUND_TRUNK_ID");
    broken.says("left to VOICE_AGENT_NAME, else inbound-agent");
    std::fs::remove_file(file).expect("removed");
    apply(&lkroute);
    let doctor = run(&lkroute, "doctor --no-probe");
    doctor.says(
        "it has no trunk: the number's rules decide, else OUTBOUND_TRUNK_ID of whoever calls",
    );
    doctor.says("it has no worker: VOICE_AGENT_NAME of whoever calls decides, else inbound-agent");
    lkroute.env("OUTBOUND_TRUNK_ID", "ST_madeUp");
    lkroute.env("VOICE_AGENT_NAME", "voag-shell");
    let found = run(&lkroute, &format!("resolve {FROM} --explain")).expect_code(0);
    found.says("OUTBOUND_TRUNK_ID from this shell");
    found.says("VOICE_AGENT_NAME from this shell");
    lkroute
        .env("LIVEKIT_API_KEY", "APImadeup")
        .env("LIVEKIT_API_SECRET", "made-up-secret-env");
    let fallen = run(&lkroute, "resolve --from +971545339999 --explain").expect_code(0);
    fallen.says("{fall_back} (LIVEKIT_URL from this shell: {host})");
    let mut command = lkroute.command(&["plan"]);
    command.env("LKROUTE_ENV", std::ffi::OsStr::from_bytes(b"\xff"));
    let odd = Run::of_command(&mut command).expect_code(1);
    odd.says("LKROUTE_ENV is no UTF-8 text");
    let none = run(&lkroute, "plan --env nowhere").told("there is no environment `{name}`");
    none.then(|| run(&lkroute, "plan")).expect_code(0);
}

/// A record of a call that the environment placed, and a shell without it.
#[test]
fn a_call_of_the_environment_is_looked_at_with_its_variables() {
    let mut lkroute = applied();
    lkroute.sql(
        "INSERT INTO lkroute_dispatches
           (id, at, status, from_number, to_number, room, worker, actor, detail)
         VALUES ('aaaaaaaa-0000-4000-8000-000000000001', '2026-11-26T00:00:00Z', 'accepted',
           971545335200, '+971501234567', 'call-x', 'w', 'asha', '{\"source\": \"environment\"}')",
    );
    lkroute
        .env("LIVEKIT_URL", "wss://127.0.0.1:9")
        .env("LIVEKIT_API_KEY", "APImadeup");
    run(&lkroute, "dispatches --refresh call-x").says("LIVEKIT_API_SECRET is not set");
}

#[test]
fn a_policy_that_wants_workers_and_one_that_denies_more() {
    let lkroute = applied();
    lkroute.write(
        "routing/guards.toml",
        "[guards.policy.workers]\n\"*\" = [\"voag-*\"]\n",
    );
    without(&lkroute, "worker_name");
    let refused = run(&lkroute, "plan").expect_code(4);
    refused.says("leaves `worker_name` out, so that VOICE_AGENT_NAME of each caller decides");
    let lkroute = applied();
    lkroute.edit(
        FILE,
        "allowed_outbound = \"uae\"",
        "allowed_outbound = \"global\"",
    );
    let warned = run(&lkroute, "plan").expect_code(0);
    let hinted = warned.told("`widen = \"deny\"` below `[guards.policy]` refuses this");
    hinted.then(|| lkroute.write("routing/guards.toml", "[guards.policy]\nwiden = \"deny\"\n"));
    run(&lkroute, "plan").expect_code(4);
}

#[test]
fn names_and_expectations_that_are_wrong() {
    let lkroute = applied();
    lkroute.edit(FILE, "tenant = \"sasya\"", "tenant = \"sasia\"");
    let slip = run(&lkroute, "validate").expect_code(3);
    let hinted = slip.told("did you mean `{found}`?");
    hinted.then(|| lkroute.edit(FILE, "tenant = \"sasia\"", "tenant = \"sasya\""));
    lkroute.edit(FILE, "region = \"uae\"", "region = \"somewhere\"");
    let unknown = run(&lkroute, "validate").expect_code(3);
    let hinted = unknown.told("there is {}");
    hinted.then(|| lkroute.edit(FILE, "region = \"somewhere\"", "region = \"uae\""));
    lkroute.write(
        "routing/expect.toml",
        "[[expect]]\nfrom = \"+971545335200\"\ntenant = \"sasya\"\nworker = \"voag-two\"\n",
    );
    let broken = run(&lkroute, "validate").expect_code(3);
    let hinted = broken.told("how it was resolved:");
    assert_contains!(broken.stdout, "voag-staging");
    hinted.then(|| worker(&lkroute, "voag-staging", "voag-two"));
    run(&lkroute, "validate").expect_code(0);
}
