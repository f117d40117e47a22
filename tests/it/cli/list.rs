//! The reverse look-up, from the files and from the database.

use super::run;
use crate::support::Lkroute;

#[test]
fn numbers_are_found_by_config_tenant_and_region() {
    let lkroute = Lkroute::with_two_regions();
    run(&lkroute, "apply --auto-approve").expect_code(0);
    lkroute.sql(
        "INSERT INTO voice_agent_numbers (id, tenant_id, country_code, base_number, status) VALUES
           ('00000000-0000-0000-0000-000000000001', '926070b5-189b-4682-9279-ea10ca090b84',
            '91', 9513456728, 'inactive')",
    );
    for place in ["", " --offline"] {
        for filter in [
            "--config uae-vm-selfhosted",
            "--tenant sasya",
            "--region uae",
        ] {
            let list = run(&lkroute, &format!("list {filter}{place}")).expect_code(0);
            let columns: Vec<_> = list.stdout.split_whitespace().collect();
            let expected = [
                "+971545335200",
                "sasya",
                "uae-vm-selfhosted",
                "routing/uae.toml:20",
            ];
            assert_eq!(columns, expected, "{filter}{place}");
        }
        let none = run(
            &lkroute,
            &format!("list --tenant sasya --region india{place}"),
        );
        assert_eq!(none.expect_code(0).stdout, "");
        run(&lkroute, &format!("list --config nope{place}")).expect_code(1);
        run(&lkroute, &format!("list --tenant nobody{place}")).expect_code(1);
    }
    let all = run(&lkroute, "list --format json").expect_code(0).json();
    let numbers = all["numbers"].as_array().expect("a list");
    assert_eq!(numbers.len(), 3);
    let theirs = numbers
        .iter()
        .find(|number| number["status"] == "inactive")
        .expect("theirs");
    assert_eq!(theirs["number"], "+919513456728");
    assert!(theirs["since"].is_null() && theirs["config"].is_null());
    let narrow = run(&lkroute, "list").expect_code(0).stdout;
    assert!(narrow.lines().all(|line| line.len() <= 80), "{narrow}");
    assert_eq!(
        run(&lkroute, "list --offline")
            .expect_code(0)
            .stdout
            .lines()
            .count(),
        2
    );
}

#[test]
fn a_name_that_others_wrote_is_found_in_either_form() {
    let lkroute = Lkroute::with_two_regions();
    run(&lkroute, "apply --auto-approve").expect_code(0);
    lkroute.sql("INSERT INTO voice_agent_livekit (id, name, livekit_url, livekit_api_key, livekit_api_secret)
           VALUES ('00000000-0000-0000-0000-000000000002', 'kafe\u{301}', 'wss://cafe.example', 'k', 's');
         INSERT INTO voice_agent_numbers (id, tenant_id, country_code, base_number, rules) VALUES
           ('00000000-0000-0000-0000-000000000001', '926070b5-189b-4682-9279-ea10ca090b84',
            '91', 9513456728,
            '{\"livekit_config\": \"00000000-0000-0000-0000-000000000002\"}')");
    for name in ["kafe\u{301}", "kaf\u{e9}"] {
        let list = run(&lkroute, &format!("list --config {name}")).expect_code(0);
        assert_contains!(list.stdout, "+919513456728");
    }
}
