//! From an empty directory to resolved calls, and back.

use super::run;
use crate::support::Lkroute;

const UAE: &str = "+971545335200";

#[test]
fn apply_then_plan_is_empty_then_one_field_changes_then_resolve() {
    let lkroute = Lkroute::with_two_regions();
    run(&lkroute, "plan --detailed-exitcode").expect_code(2);
    assert!(
        !lkroute.path().join("lkroute.db").exists(),
        "plan creates nothing"
    );

    let applied = run(&lkroute, "apply --auto-approve").expect_code(0);
    assert_contains!(applied.stdout, "Applied as 1: 6 created");
    let again = run(&lkroute, "plan --detailed-exitcode").expect_code(0);
    assert_starts!(again.stdout, "No changes. 6 objects");

    lkroute.edit(
        "routing/uae.toml",
        "worker_name = \"voag-staging\"",
        "worker_name = \"voag-dev-v2\"",
    );
    let plan = run(&lkroute, "plan --detailed-exitcode --format json").expect_code(2);
    let changes = &plan.json()["changes"];
    assert_eq!(changes.as_array().map(Vec::len), Some(1), "{changes}");
    assert_eq!(changes[0]["address"], "config.uae-vm-selfhosted");
    assert_eq!(changes[0]["source"]["file"], "routing/uae.toml");
    let line = changes[0]["source"]["line"].as_u64().expect("a line") as usize;
    let text = lkroute.read("routing/uae.toml");
    assert!(
        text.lines()
            .nth(line - 1)
            .unwrap()
            .starts_with("worker_name"),
        "line {line}"
    );
    let fields = serde_json::json!([
        { "name": "worker_name", "before": "voag-staging", "after": "voag-dev-v2" }
    ]);
    assert_eq!(changes[0]["fields"], fields);

    run(&lkroute, "apply --auto-approve").expect_code(0);
    let resolved = run(&lkroute, &format!("resolve --from {UAE} --format json")).expect_code(0);
    let route = resolved.json();
    assert_eq!(route["worker_name"], "voag-dev-v2");
    assert_eq!(route["source"], "database");
    let offline = run(
        &lkroute,
        &format!("resolve --from {UAE} --format json --offline"),
    );
    assert_eq!(offline.expect_code(0).json()["worker_name"], "voag-dev-v2");
}

#[test]
fn nobody_to_approve_means_nothing_is_applied() {
    let lkroute = Lkroute::with_two_regions();
    let refused = run(&lkroute, "apply").expect_code(1);
    assert_contains!(refused.stderr, "--auto-approve");
    assert_starts!(refused.stdout, "Plan: 6 to create");
    assert!(!lkroute.path().join("lkroute.db").exists());
}

#[test]
fn drift_is_left_alone_unless_it_is_asked_for() {
    let lkroute = Lkroute::with_two_regions();
    run(&lkroute, "apply --auto-approve").expect_code(0);
    lkroute.sql("UPDATE voice_agent_livekit SET worker_name = 'elsewhere' WHERE name LIKE 'uae%'");
    let worker = "SELECT worker_name FROM voice_agent_livekit WHERE name LIKE 'uae%'";

    let plan = run(&lkroute, "plan --detailed-exitcode --format json")
        .expect_code(2)
        .json();
    assert_eq!(plan["changes"][0]["cause"], "drift");
    let drift = serde_json::json!([{
        "address": "config.uae-vm-selfhosted",
        "reverted": true,
        "fields": [{ "name": "worker_name", "applied": "voag-staging", "live": "elsewhere" }],
    }]);
    assert_eq!(plan["drift"], drift);

    let bare = run(&lkroute, "apply --auto-approve").expect_code(0);
    assert_contains!(bare.stdout, "Drift, left alone");
    assert_eq!(lkroute.sql(worker), "elsewhere");
    run(&lkroute, "apply --auto-approve --revert-drift").expect_code(0);
    assert_eq!(lkroute.sql(worker), "voag-staging");
    run(&lkroute, "plan --detailed-exitcode").expect_code(0);
}

#[test]
fn a_conflict_stops_everything_until_it_is_adopted() {
    let lkroute = Lkroute::with_two_regions();
    run(&lkroute, "apply --auto-approve").expect_code(0);
    lkroute.sql("UPDATE voice_agent_livekit SET trunk_id = 'ST_theirs' WHERE name LIKE 'uae%'");
    lkroute.edit(
        "routing/uae.toml",
        "trunk_id = \"ST_svHE4RdTc7Ds\"",
        "trunk_id = \"ST_ours\"",
    );

    let plan = run(&lkroute, "plan --format json").expect_code(6).json();
    assert_eq!(plan["summary"]["conflict"], 1);
    assert_eq!(
        plan["conflicts"][0]["adopt"],
        "lkroute adopt config.uae-vm-selfhosted"
    );
    let field = &plan["conflicts"][0]["fields"][0];
    assert_eq!(field["name"], "trunk_id");
    assert_eq!(
        (&field["live"], &field["declared"]),
        (&"ST_theirs".into(), &"ST_ours".into())
    );
    assert_eq!(plan["error"]["exit"], 6);
    let hint = plan["error"]["hint"].as_str().expect("a hint");
    assert_starts!(hint, "`lkroute adopt config.uae-vm-selfhosted`");
    run(&lkroute, "apply --auto-approve").expect_code(6);

    run(&lkroute, "adopt config.uae-vm-selfhosted").expect_code(0);
    assert_contains!(lkroute.read("routing/uae.toml"), "adopt = [\"trunk_id\"]");
    run(&lkroute, "apply --auto-approve").expect_code(0);
    let trunk = "SELECT trunk_id FROM voice_agent_livekit WHERE name LIKE 'uae%'";
    assert_eq!(lkroute.sql(trunk), "ST_ours");
    let settled = run(&lkroute, "plan --detailed-exitcode").expect_code(0);
    assert_contains!(settled.stdout, "adopt-not-needed");
}

#[test]
fn a_target_leaves_the_rest_outstanding() {
    let lkroute = Lkroute::with_two_regions();
    let target = format!("binding.{UAE}@sasya");
    let plan = run(&lkroute, &format!("plan --format json --target {target}")).expect_code(0);
    let plan = plan.json();
    let addresses: Vec<_> = plan["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["address"].clone())
        .collect();
    assert_eq!(
        addresses,
        ["region.uae", "config.uae-vm-selfhosted", target.as_str()]
    );
    assert_eq!(plan["outstanding"].as_array().map(Vec::len), Some(3));

    run(&lkroute, &format!("apply --auto-approve --target {target}")).expect_code(0);
    run(
        &lkroute,
        &format!("plan --detailed-exitcode --target {target}"),
    )
    .expect_code(2);
    run(&lkroute, "apply --auto-approve").expect_code(0);
    run(
        &lkroute,
        &format!("plan --detailed-exitcode --target {target}"),
    )
    .expect_code(0);
    let typo = run(&lkroute, "plan --target config.uae-vm").expect_code(1);
    assert_contains!(typo.stderr, "neither the files nor the database");
}

#[test]
fn a_config_in_use_is_not_deleted() {
    let lkroute = Lkroute::with_two_regions();
    run(&lkroute, "apply --auto-approve").expect_code(0);
    lkroute.sql(
        "INSERT INTO voice_agent_numbers (id, tenant_id, country_code, base_number, rules) VALUES (
           '00000000-0000-0000-0000-000000000001', '926070b5-189b-4682-9279-ea10ca090b84', '971', 1,
           '{\"livekit_config\": \"e3ca4a84-4cc3-4be5-8240-34366fe4d0c5\"}')",
    );
    std::fs::remove_file(lkroute.path().join("routing/uae.toml")).expect("remove a file");
    let plan = run(&lkroute, "plan --format json").expect_code(4).json();
    let codes: Vec<_> = plan["refusals"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["code"].clone())
        .collect();
    assert!(codes.contains(&"config-in-use".into()), "{codes:?}");
    run(&lkroute, "apply --auto-approve").expect_code(4);
}

#[test]
fn another_owner_is_turned_away() {
    let lkroute = Lkroute::with_two_regions();
    run(&lkroute, "apply --auto-approve").expect_code(0);
    lkroute.edit(
        "routing/tenants.toml",
        "owner = \"lkroute-sample\"",
        "owner = \"somebody-else\"",
    );
    let refused = run(&lkroute, "plan").expect_code(6);
    assert_contains!(refused.stderr, "lkroute-sample");
}

/// The answer goes through a terminal, as `script` of util-linux makes one.
#[test]
fn on_a_terminal_only_yes_is_a_yes() {
    let lkroute = Lkroute::with_two_regions();
    let answer = |answer: &str| {
        let binary = env!("CARGO_BIN_EXE_lkroute");
        let mut command = lkroute.command(&["none"]);
        let environment: Vec<_> = command
            .get_envs()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
            .collect();
        command = std::process::Command::new("script");
        command
            .env_clear()
            .envs(environment)
            .current_dir(lkroute.path());
        command.args(["-qec", &format!("{binary} apply"), "/dev/null"]);
        command.stdin(std::process::Stdio::piped());
        command
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        let mut child = command.spawn().ok()?;
        let mut stdin = child.stdin.take().expect("piped");
        // The answer is typed once the question is there.
        std::thread::sleep(std::time::Duration::from_millis(500));
        let _ = std::io::Write::write_all(&mut stdin, format!("{answer}\n").as_bytes());
        let output = child.wait_with_output().expect("run script");
        Some((
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        ))
    };
    let Some((code, shown)) = answer("y") else {
        return crate::support::not_run("script");
    };
    assert_eq!(code, Some(1), "{shown}");
    assert_contains!(shown, "Apply this? Only `yes` is a yes:");
    assert!(!lkroute.path().join("lkroute.db").exists());
    let (code, shown) = answer("yes").expect("script");
    assert_eq!(code, Some(0), "{shown}");
    assert_contains!(shown, "Applied as 1");
    run(&lkroute, "plan --detailed-exitcode").expect_code(0);
}
