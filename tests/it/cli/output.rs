//! What people read, word for word (`tests/golden/cli`).

use super::{masked, run};
use crate::support::{Lkroute, golden};

fn fits(text: &str) {
    let long: Vec<_> = text
        .lines()
        .filter(|line| line.chars().count() > 80)
        .collect();
    assert!(long.is_empty(), "over 80 columns: {long:#?}");
}

#[test]
fn findings() {
    let lkroute = Lkroute::new();
    lkroute.write(
        "routing/a.toml",
        "\
[tenants]
acme = \"734cd516-e252-4728-9c52-4663ee552653\"
acme-again = \"734cd516-e252-4728-9c52-4663ee552653\"

[regions.uae]
country_codes = [\"+971\"]

[configs.uae-vm]
regoin = \"uae\"
url = \"livekit.uae.example\"
api_key = \"k\"
api_secret = \"made-up-secret\"

[[bindings]]
number = \"0545335200\"
tenant = \"amce\"
config = \"uae-wm\"
",
    );
    lkroute.write(
        "routing/b.toml",
        "[regions.uae]\ncountry_codes = [\"+971\"]\n",
    );
    let report = run(&lkroute, "validate").expect_code(3);
    assert_lacks!(report.stdout, "made-up-secret");
    golden("cli/findings.txt", &report.stdout);
    fits(&report.stdout);
}

#[test]
fn rows_of_others_that_cannot_be_read_are_few_lines() {
    let lkroute = Lkroute::with_two_regions();
    run(&lkroute, "apply --auto-approve -q").expect_code(0);
    for n in 0..5 {
        let tenant = uuid::Uuid::from_u128(n);
        let insert = "INSERT INTO voice_agent_numbers (id, tenant_id, base_number) VALUES";
        lkroute.sql(&format!("{insert} ('{tenant}', '{tenant}', 7)"));
    }
    let plan = run(&lkroute, "plan").expect_code(0).stdout;
    let expected = "5 number rows of others can't be read and never match:\n  row 0000";
    assert_contains!(plan, expected);
    assert_eq!(plan.matches("country_code is empty").count(), 3, "{plan}");
    assert_contains!(plan, "  and 2 more: ");
}

#[test]
fn plan_and_apply() {
    let lkroute = Lkroute::with_two_regions();
    let plan = run(&lkroute, "plan").expect_code(0);
    golden("cli/plan-first.txt", &plan.stdout);
    fits(&plan.stdout);
    let apply = run(&lkroute, "apply --auto-approve -q").expect_code(0);
    golden("cli/apply.txt", &masked(&apply.stdout));
    let explained = run(
        &lkroute,
        "resolve --from +919513456728 --to 9876543210 --explain",
    );
    let explained = masked(&explained.expect_code(0).stdout);
    golden("cli/resolve-explain.txt", &explained);
    fits(&explained);
}

#[test]
fn a_plan_with_everything() {
    let lkroute = Lkroute::with_two_regions();
    let numbers: Vec<_> = (0..70).map(|n| format!("\"+9715453353{n:02}\"")).collect();
    let many = |provider: &str| {
        let numbers = numbers.join(", ");
        let text = format!(
            "[[bindings]]\nnumbers = [{numbers}]\ntenant = \"sasya\"\nprovider = \"{provider}\"\n"
        );
        lkroute.write("routing/many.toml", &text);
    };
    many("Old");
    let gone = "[[bindings]]\nnumber = \"+971545335401\"\ntenant = \"sasya\"\n";
    lkroute.write("routing/gone.toml", gone);
    run(&lkroute, "apply --auto-approve").expect_code(0);

    lkroute.sql(
        "UPDATE voice_agent_livekit SET trunk_id = 'ST_theirs', worker_name = 'drifted'
           WHERE name LIKE 'uae%'",
    );
    let provider = "UPDATE voice_agent_numbers SET provider = 'Theirs'";
    lkroute.sql(&format!("{provider} WHERE base_number = 9513456728"));
    std::fs::remove_file(lkroute.path().join("routing/gone.toml")).expect("remove a file");
    many("New");
    lkroute.edit(
        "routing/uae.toml",
        "trunk_id = \"ST_svHE4RdTc7Ds\"",
        "trunk_id = \"ST_ours\"",
    );
    let plan = run(&lkroute, "plan").expect_code(6);
    golden("cli/plan-everything.txt", &masked(&plan.stdout));
    fits(&plan.stdout);
    fits(&plan.stderr);
}

/// Help grows with every command, so that it is not held word for word.
#[test]
fn every_help_fits_and_has_examples() {
    let lkroute = Lkroute::new();
    let help = |words: &[&str]| {
        let mut command = lkroute.command(words);
        let output = command.env("COLUMNS", "80").output().expect("run lkroute");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        fits(&text);
        text
    };
    let all = help(&["--help"]);
    let (commands, _) = all.split_once("\nOptions:").expect("options");
    let commands = commands.lines().filter(|line| line.starts_with("  "));
    let commands: Vec<&str> = commands
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(commands.len() > 8, "{all}");
    for command in commands {
        let text = help(&[command, "--help"]);
        let nested = text.contains("Commands:");
        assert!(nested || text.contains("Examples:"), "no examples: {text}");
    }
}
