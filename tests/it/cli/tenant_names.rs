//! Names that are written in more than one way: aliases of tenants that change,
//! patterns of `protected`, addresses; and numbers that nobody approved.

use super::run;
use crate::review::schema::assert_valid;
use crate::support::{Lkroute, words_of};

/// Two tenants with one number on two servers.
fn shared() -> Lkroute {
    let lkroute = Lkroute::with_two_regions();
    lkroute.write(
        "routing/n.toml",
        "[[bindings]]\nnumber = \"+971545335200\"\ntenant = \"techiemaya-test\"\n\
         config = \"india-techiemaya-cloud\"\n",
    );
    run(&lkroute, "apply --auto-approve").expect_code(0);
    lkroute
}

fn rename(lkroute: &Lkroute, from: &str, to: &str) {
    for file in ["tenants", "uae", "india", "n"] {
        let file = format!("routing/{file}.toml");
        let text = lkroute.read(&file);
        let text = text.replace(&format!("{from} ="), &format!("{to} ="));
        lkroute.write(
            &file,
            &text.replace(&format!("\"{from}\""), &format!("\"{to}\"")),
        );
    }
}

fn server(lkroute: &Lkroute, tenant: &str, more: &str) -> String {
    let line = format!("resolve --from +971545335200 --tenant {tenant} --format json{more}");
    let found = run(lkroute, &line).expect_code(0).json();
    found["url"].as_str().expect("a URL").to_owned()
}

/// No number moves, and `--tenant sasya` means somebody else.
#[test]
fn a_name_that_changes_is_a_change_and_reaches_the_database() {
    let lkroute = shared();
    let before = server(&lkroute, "sasya", "");
    for (from, to) in [
        ("sasya", "TMP"),
        ("techiemaya-test", "sasya"),
        ("TMP", "techiemaya-test"),
    ] {
        rename(&lkroute, from, to);
    }
    assert_ne!(server(&lkroute, "sasya", " --offline"), before);
    let plan = run(&lkroute, "plan --detailed-exitcode")
        .expect_code(2)
        .stdout;
    assert_contains!(
        words_of(&plan),
        "Plan: 2 tenants to rename",
        "Tenants: whom these names mean to whoever calls, from this apply on"
    );
    let json = run(&lkroute, "plan --format json --out plan.lkplan").expect_code(0);
    let report = assert_valid("plan", &json.stdout);
    assert_eq!(report["summary"]["aliases"], 2);
    assert_eq!(report["aliases"].as_array().map(Vec::len), Some(2));
    for format in ["markdown", "github"] {
        let text = run(&lkroute, &format!("plan --format {format}"))
            .expect_code(0)
            .stdout;
        assert_contains!(text, "sasya\" = ");
    }
    run(&lkroute, "show plan.lkplan").expect_code(0);
    let done = run(&lkroute, "apply plan.lkplan").expect_code(0).stdout;
    assert_contains!(done, "Applied as 2: 2 tenants renamed");
    let after = server(&lkroute, "sasya", "");
    assert_eq!(after, server(&lkroute, "sasya", " --offline"));
    assert_ne!(after, before);
    run(&lkroute, "plan --detailed-exitcode").expect_code(0);
    // A plan of another naming is not the one that was approved.
    rename(&lkroute, "sasya", "sasya-new");
    let stale = run(&lkroute, "apply plan.lkplan").expect_code(5).stderr;
    assert_contains!(stale, "tenants, now: rename");
    run(&lkroute, "apply --auto-approve").expect_code(0);
    assert_eq!(server(&lkroute, "sasya-new", ""), after);
    run(&lkroute, "resolve --from +971545335200 --tenant sasya").expect_code(1);
}

/// The name goes to a tenant of its own, and its first one has none any more.
#[test]
fn a_name_means_one_tenant() {
    let lkroute = shared();
    let tenants = lkroute.read("routing/tenants.toml");
    let old = tenants
        .lines()
        .find(|line| line.starts_with("sasya ="))
        .expect("a line");
    let new = "sasya = \"11111111-1111-4111-8111-111111111111\"";
    lkroute.write("routing/tenants.toml", &tenants.replace(old, new));
    run(&lkroute, "apply --auto-approve").expect_code(4);
    let uae = lkroute.read("routing/uae.toml");
    let id = old.split('"').nth(1).expect("a uuid");
    lkroute.write(
        "routing/uae.toml",
        &uae.replace("\"sasya\"", &format!("\"{id}\"")),
    );
    lkroute.write(
        "routing/new.toml",
        "[[bindings]]\nnumber = \"+971545335299\"\ntenant = \"sasya\"\n\
         config = \"uae-vm-selfhosted\"\n",
    );
    run(&lkroute, "apply --auto-approve").expect_code(0);
    let named = "SELECT tenant_id || '' FROM lkroute_tenants WHERE alias = 'sasya'";
    assert_eq!(
        lkroute.sql_rows(named),
        ["11111111-1111-4111-8111-111111111111"]
    );
    run(&lkroute, "plan --detailed-exitcode").expect_code(0);
}

#[test]
fn a_pattern_matches_names_as_people_write_them() {
    let lkroute = Lkroute::with_two_regions();
    let uae = lkroute.read("routing/uae.toml");
    let uae = uae.replace("[configs.uae-vm-selfhosted]", "[configs.UAE-VM]");
    lkroute.write(
        "routing/uae.toml",
        &uae.replace("uae-vm-selfhosted", "UAE-VM"),
    );
    run(&lkroute, "apply --auto-approve").expect_code(0);
    lkroute.edit("routing/uae.toml", "voag-staging", "voag-dev");
    for pattern in [
        "config.UAE-*",
        "config.UAE-VM",
        "config.uae-vm",
        "config.E3CA4A84-4CC3-4BE5-8240-34366FE4D0C5",
        "binding.*@734CD516*",
    ] {
        let guards = format!("[guards]\nprotected = [\"{pattern}\", \"config.u?e\"]\n");
        lkroute.write("routing/guards.toml", &guards);
        let plan = run(&lkroute, "plan").expect_code(4).stdout;
        let plan = words_of(&plan);
        assert_contains!(plan, "error[protected]");
        assert_contains!(
            plan,
            "`protected` has `config.u?e`, which matches nothing here"
        );
        assert_eq!(plan.matches("matches nothing here").count(), 1, "{plan}");
    }
    let hint =
        "write it as an address, such as config.NAME or binding.+971*@TENANT, or take it out";
    run(&lkroute, "plan").expect_code(4).told(hint).then(|| {
        lkroute.write(
            "routing/guards.toml",
            "[guards]\nprotected = [\"config.UAE-VM\"]\n",
        );
    });
    let plan = run(&lkroute, "plan").expect_code(4).stdout;
    assert_lacks!(words_of(&plan), "matches nothing here");
}

#[test]
fn a_uuid_is_its_alias_wherever_an_object_is_meant() {
    let lkroute = Lkroute::with_two_regions();
    run(&lkroute, "apply --auto-approve").expect_code(0);
    lkroute.sql("UPDATE voice_agent_numbers SET provider = 'Theirs' WHERE base_number = 545335200");
    let address = "binding.+971545335200@734cd516-e252-4728-9c52-4663ee552653";
    run(&lkroute, &format!("drift --accept {address}")).expect_code(0);
    assert_contains!(lkroute.read("routing/uae.toml"), "provider = \"Theirs\"");
    lkroute.edit("routing/uae.toml", "\"Theirs\"", "\"Ours\"");
    run(&lkroute, "plan").expect_code(6);
    run(&lkroute, &format!("adopt {address}")).expect_code(0);
    run(&lkroute, "plan").expect_code(0);
}

/// The digest names no number that goes with a config.
#[test]
fn an_approved_plan_is_not_carried_out_for_more_numbers() {
    let lkroute = Lkroute::with_two_regions();
    lkroute.write(
        "routing/g.toml",
        "[guards.reroutes]\nper_tenant = { percent = 100 }\n",
    );
    run(&lkroute, "apply --auto-approve").expect_code(0);
    lkroute.edit("routing/uae.toml", "voag-staging", "voag-production");
    run(&lkroute, "plan --out a.lkplan").expect_code(0);
    lkroute.edit("routing/uae.toml", "voag-production", "voag-staging");
    let more = "[tenants]\nbig = \"926070b5-189b-4682-9279-ea10ca090b84\"\n[[bindings]]\n\
                range = [\"+971500000000\", \"+971500000039\"]\ntenant = \"big\"\n\
                config = \"uae-vm-selfhosted\"\n";
    lkroute.write("routing/more.toml", more);
    run(&lkroute, "apply --auto-approve").expect_code(0);
    lkroute.edit("routing/uae.toml", "voag-staging", "voag-production");
    let stale = run(&lkroute, "apply a.lkplan").expect_code(5).stderr;
    assert_contains!(
        words_of(&stale),
        "calls of 40 numbers of `big` would change now, and of 0 when the plan was approved"
    );
    let worker = "SELECT worker_name FROM voice_agent_livekit WHERE name = 'uae-vm-selfhosted'";
    assert_eq!(lkroute.sql(worker), "voag-staging");
}

/// What the rule of a binding newly names comes with it.
#[test]
fn a_target_takes_the_region_of_its_rule_along() {
    let lkroute = Lkroute::with_two_regions();
    run(&lkroute, "apply --auto-approve").expect_code(0);
    lkroute.write(
        "routing/oman.toml",
        "[regions.oman]\ncountry_codes = [\"+968\"]\n\n[[bindings]]\n\
         number = \"+971545335201\"\ntenant = \"sasya\"\nconfig = \"uae-vm-selfhosted\"\n\
         rules = { allowed_outbound = \"oman\" }\n",
    );
    run(
        &lkroute,
        "apply --auto-approve --target binding.+971545335201@sasya",
    )
    .expect_code(0);
    run(&lkroute, "resolve --from +971545335201 --to +96892123456").expect_code(0);
}

/// Two configs that change names, of which one then gets another worker.
fn swapped() -> Lkroute {
    let lkroute = Lkroute::with_two_regions();
    run(&lkroute, "apply --auto-approve").expect_code(0);
    let swap = |file: &str, from: &str, to: &str| {
        let text = lkroute.read(file);
        lkroute.write(file, &text.replace(from, to));
    };
    swap("routing/uae.toml", "uae-vm-selfhosted", "TMP");
    swap(
        "routing/india.toml",
        "india-techiemaya-cloud",
        "uae-vm-selfhosted",
    );
    swap("routing/uae.toml", "TMP", "india-techiemaya-cloud");
    lkroute
}

#[test]
fn the_story_of_a_name_is_that_of_one_config() {
    let lkroute = swapped();
    run(&lkroute, "apply --auto-approve").expect_code(0);
    lkroute.edit("routing/uae.toml", "voag-staging", "voag-two");
    run(&lkroute, "apply --auto-approve").expect_code(0);
    let id = "e3ca4a84-4cc3-4be5-8240-34366fe4d0c5";
    let of = |address: &str| run(&lkroute, &format!("history --address config.{address}"));
    let now = of("india-techiemaya-cloud").expect_code(0);
    assert_contains!(now.stdout, "voag-two", "livekit.uae.example");
    assert_lacks!(now.stdout, "livekit.india.example");
    assert_contains!(words_of(&now.stderr), "another config had this name too");
    let other = of("uae-vm-selfhosted").expect_code(0);
    assert_contains!(other.stdout, "livekit.india.example");
    assert_lacks!(other.stdout, "voag-two");
    let hint =
        "another config had this name too: `lkroute history --address config.{id}` tells of it";
    let story = other.told(hint).then(|| of(id)).expect_code(0);
    assert_contains!(story.stdout, "voag-two");
}

#[test]
fn numbers_move_from_one_config_to_another_of_its_name() {
    let lkroute = swapped();
    // The bindings keep the names.
    for (file, from, to) in [
        (
            "routing/uae.toml",
            "india-techiemaya-cloud",
            "uae-vm-selfhosted",
        ),
        (
            "routing/india.toml",
            "uae-vm-selfhosted",
            "india-techiemaya-cloud",
        ),
    ] {
        let line = |name: &str| format!("default_config = \"{name}\"");
        lkroute.edit(file, &line(from), &line(to));
    }
    let plan = run(&lkroute, "plan");
    assert_contains!(
        words_of(&plan.stdout),
        "`uae-vm-selfhosted` (`livekit.uae.example:7880`) → `uae-vm-selfhosted` (`livekit.india.example`)"
    );
    let page = run(&lkroute, "plan --format markdown").stdout;
    assert_lacks!(page, "`uae-vm-selfhosted` → `uae-vm-selfhosted`");
}

#[test]
fn a_row_that_got_another_number_is_not_gone() {
    let lkroute = Lkroute::with_two_regions();
    run(&lkroute, "apply --auto-approve").expect_code(0);
    lkroute.sql(
        "UPDATE voice_agent_numbers SET base_number = 545335999 WHERE base_number = 545335200",
    );
    let drift = run(&lkroute, "drift").expect_code(7).stdout;
    assert_lacks!(drift, "its row is gone");
    assert_contains!(
        words_of(&drift),
        "its row has another number or tenant",
        "that one stays as it is"
    );
    let json = run(&lkroute, "drift --format json").expect_code(7);
    let report = assert_valid("drift", &json.stdout);
    assert_eq!(report["objects"][0]["state"], "renumbered");
    lkroute.sql("DELETE FROM voice_agent_numbers WHERE base_number = 545335999");
    assert_contains!(
        run(&lkroute, "drift").expect_code(7).stdout,
        "its row is gone"
    );
}

#[test]
fn a_secret_that_is_typed_as_an_argument_is_not_repeated() {
    let lkroute = Lkroute::with_two_regions();
    for line in [
        "secrets seal --config uae-vm-selfhosted typed-0123",
        "secrets seal typed-0123",
    ] {
        let refused = run(&lkroute, line).expect_code(1);
        assert_lacks!(refused.stderr, "typed-0123");
        let hint = "`lkroute secrets seal` asks for it, or reads it from standard input";
        refused.told(hint).then(|| {
            let seal = ["secrets", "seal", "--config", "uae-vm-selfhosted"];
            lkroute.run_with_input(&seal, "typed-0123\n")
        });
    }
}
