//! Hints about calls: where they go, and through which server.

use super::{Lkroute, run};
use crate::support::{CONFIG_UAE, DEMO_KEYS};

const FILE: &str = "routing/uae.toml";
const FROM: &str = "--from +971545335200";
const RULES: &str = "rules = { outbound = true, allowed_outbound = \"uae\", required_lead_format = [\"0\", \"base_number\"] }";

fn applied() -> Lkroute {
    let lkroute = Lkroute::with_two_regions();
    apply(&lkroute);
    lkroute
}

fn apply(lkroute: &Lkroute) {
    run(lkroute, "apply --auto-approve --revert-drift").expect_code(0);
}

#[test]
fn rules_that_refuse() {
    let lkroute = applied();
    let off = "UPDATE voice_agent_numbers SET rules = json_set(rules, '$.outbound', json('false'))";
    lkroute.sql(off);
    let resolve = format!("resolve {FROM} --to +971501234567");
    let off = run(&lkroute, &resolve).expect_code(9);
    let hinted = off.told("set `outbound = true` in the binding's rules if it may call");
    hinted.then(|| apply(&lkroute));
    run(&lkroute, &resolve).expect_code(0);
    let meant = format!("resolve {FROM} --to +971501234567");
    let zero = run(&lkroute, &format!("resolve {FROM} --to +9710501234567"));
    let hinted = zero.told("did you mean {guess}?");
    hinted.then(|| run(&lkroute, &meant)).expect_code(0);
    let sheet = run(&lkroute, &format!("resolve {FROM} --to 9.71501E+11"));
    let hinted = sheet.told("write it in E.164 form, such as +971545335200");
    hinted.then(|| run(&lkroute, &meant)).expect_code(0);
    lkroute.sql("UPDATE voice_agent_numbers SET rules = json_set(rules, '$.allowed_outbound', 'atlantis') WHERE base_number = 545335200");
    let unknown = run(&lkroute, &resolve).expect_code(9);
    let hinted = unknown.told("it can be \"global\" or one of: {}");
    hinted.then(|| apply(&lkroute));
    run(&lkroute, &resolve).expect_code(0);
}

#[test]
fn whose_number_it_is() {
    let lkroute = applied();
    let other = "e0a3e9ca-3f46-4bb0-ac10-a91b5c1d20b5";
    lkroute.sql(&format!(
        "INSERT INTO voice_agent_numbers (id, tenant_id, country_code, base_number, rules)
         VALUES ('aaaaaaaa-0000-4000-8000-000000000001', '{other}', '+971', 545335200, '{{\"livekit_config\": \"{CONFIG_UAE}\"}}')"
    ));
    let several = run(&lkroute, &format!("resolve {FROM}")).expect_code(1);
    let hinted = several.told("say which with --tenant or --initiated-by");
    hinted
        .with(&lkroute, &format!("resolve {FROM} --tenant sasya"))
        .expect_code(0);
    let user = run(
        &lkroute,
        &format!("resolve {FROM} --initiated-by 99999999-e252-4728-9c52-4663ee552653"),
    )
    .expect_code(1);
    let hinted = user.told("give the tenant by name or uuid with --tenant");
    hinted
        .with(&lkroute, &format!("resolve {FROM} --tenant sasya"))
        .expect_code(0);
    lkroute
        .sql("DELETE FROM voice_agent_numbers WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001'");
    let nobody = run(&lkroute, &format!("resolve {FROM} --tenant nobody")).expect_code(1);
    let hinted = nobody.told("the number belongs to {}");
    hinted
        .then(|| run(&lkroute, &format!("resolve {FROM} --tenant sasya")))
        .expect_code(0);
    let unknown = run(&lkroute, "resolve --from +971545339999 --tenant nobody").expect_code(1);
    let hinted =
        unknown.told("aliases come from the files, with an apply; or give the tenant's uuid");
    let by_uuid = hinted.then(|| {
        run(
            &lkroute,
            "resolve --from +971545339999 --tenant 734cd516-e252-4728-9c52-4663ee552653",
        )
    });
    assert_lacks!(by_uuid.stderr, "no tenant is called");
    let mine = run(
        &lkroute,
        &format!("resolve {FROM} --strict --tenant {other}"),
    )
    .expect_code(1);
    let hinted = mine.told("say --tenant {}, or bind the number to the tenant that was asked for");
    hinted
        .with(&lkroute, &format!("resolve {FROM} --strict --tenant sasya"))
        .expect_code(0);
}

#[test]
fn what_the_environment_lacks() {
    let mut lkroute = applied();
    let none = run(&lkroute, "resolve --from +971545339999").expect_code(1);
    let bind = none.told("bind the number to a config and apply, or set the variables");
    lkroute.env("LIVEKIT_URL", "wss://key@old.example");
    lkroute
        .env("LIVEKIT_API_KEY", "APImadeup")
        .env("LIVEKIT_API_SECRET", "made-up-secret-env");
    let info = run(&lkroute, "resolve --from +971545339999").expect_code(1);
    info.says("no credentials: {nothing}, and LIVEKIT_URL of this shell holds user info");
    let hinted = info.told("write wss://HOST alone: LiveKit takes its key from LIVEKIT_API_KEY");
    hinted.then(|| lkroute.env("LIVEKIT_URL", "wss://old.example"));
    let trunk = run(&lkroute, "resolve --from +971545339999").expect_code(1);
    let hinted = trunk.told("set the variable OUTBOUND_TRUNK_ID, or bind the number to a config");
    // A row without a config.
    lkroute.sql("INSERT INTO voice_agent_numbers (id, tenant_id, country_code, base_number, rules)
         VALUES ('aaaaaaaa-0000-4000-8000-000000000001', '734cd516-e252-4728-9c52-4663ee552653', '+971', 545339998, '{}')");
    let row = run(&lkroute, "resolve --from +971545339998").expect_code(1);
    let of_row = row.told("set `outbound_trunk_id` in the binding's rules or the variable OUTBOUND_TRUNK_ID; or bind the number to a config that has a `trunk_id`");
    lkroute.edit(FILE, "trunk_id = \"ST_svHE4RdTc7Ds\"\n", "");
    apply(&lkroute);
    let config = run(&lkroute, &format!("resolve {FROM}")).expect_code(1);
    let of_config = config.told("set `trunk_id` in the config, `outbound_trunk_id` in the binding's rules, or the variable OUTBOUND_TRUNK_ID");
    lkroute.env("OUTBOUND_TRUNK_ID", "ST_madeUp");
    bind.then(|| hinted.with(&lkroute, "resolve --from +971545339999 --explain"))
        .expect_code(0);
    of_row
        .with(&lkroute, "resolve --from +971545339998")
        .expect_code(0);
    of_config
        .with(&lkroute, &format!("resolve {FROM}"))
        .expect_code(0);
    let strict = run(&lkroute, "resolve --from +971545339998 --strict --explain").expect_code(1);
    strict.says("--strict refuses the environment");
    let hinted = strict.told("route the number to a config, or leave --strict out");
    hinted
        .with(&lkroute, "resolve --from +971545339998 --strict")
        .expect_code(1);
    run(&lkroute, "resolve --from +971545339998").expect_code(0);
    lkroute.sql(&format!(
            "UPDATE voice_agent_numbers SET rules = json_set(rules, '$.livekit_config', '{}') WHERE base_number = 545339998",
            "99999999-e252-4728-9c52-4663ee552653"
        ));
    let dangling = run(&lkroute, "resolve --from +971545339998").expect_code(1);
    let hinted =
        dangling.told("point the number to a config that exists, or take livekit_config out");
    hinted.then(|| lkroute.sql(&format!("UPDATE voice_agent_numbers SET rules = json_set(rules, '$.livekit_config', '{CONFIG_UAE}') WHERE base_number = 545339998")));
    run(&lkroute, "resolve --from +971545339998").expect_code(0);
    assert!(lkroute.read(FILE).contains(RULES));
}

#[test]
fn servers_and_calls_that_are_named_wrongly() {
    let lkroute = applied();
    let call = run(&lkroute, "cancel call-none --yes").expect_code(1);
    let hinted = call
        .told("name its room, its dispatch (AD_…) or its record, as `lkroute dispatches` shows");
    hinted.run(&lkroute, &[]).expect_code(0);
    lkroute.sql(
        "INSERT INTO lkroute_dispatches
           (id, at, status, from_number, to_number, room, worker, actor, detail)
         VALUES ('aaaaaaaa-0000-4000-8000-000000000001', '2026-11-26T00:00:00Z', 'accepted',
           971545335200, '+971501234567', 'call-x', 'w', 'asha', '{}')",
    );
    let asked = run(&lkroute, "cancel call-x").expect_code(1);
    let done = asked
        .told("say --yes")
        .with(&lkroute, "cancel call-x --yes");
    assert_lacks!(done.stderr, "say --yes");
    let missing = run(&lkroute, "trust other.example").expect_code(1);
    missing.says("--reason is missing: it is recorded with your name");
    let named = missing
        .told("lkroute trust {} --reason 'why'")
        .run(&lkroute, &[]);
    named.expect_code(0);
    let odd = lkroute
        .run(&["trust", "no server", "--reason", "why"])
        .expect_code(1);
    let hinted = odd.told("write livekit.example, livekit.example:7880 or ws://10.0.0.7:7880");
    hinted
        .then(|| run(&lkroute, "trust ws://10.0.0.7:7880 --reason why"))
        .expect_code(0);
}

/// A row that leads to a server of others, until somebody says that it is ours.
#[test]
fn a_server_that_was_never_applied() {
    let mut lkroute = applied();
    lkroute.env("LKROUTE_KEYS", DEMO_KEYS);
    let call = format!("dispatch {FROM} --to +971501234567 --dry-run");
    run(&lkroute, &call).expect_code(0);
    lkroute.sql(&format!(
        "UPDATE voice_agent_livekit SET livekit_url = 'http://127.0.0.1:9' WHERE id = '{CONFIG_UAE}'"
    ));
    let refused = run(&lkroute, &call).expect_code(6);
    let hint = "see `lkroute drift`: who changed the row? If the server is yours, apply it from the files, or say `lkroute trust {to} --reason …`";
    let hinted = refused.told(hint);
    hinted.run(&lkroute, &[]).expect_code(7);
    let words = crate::support::words_of(&refused.stderr);
    let trust = words
        .split("or say `lkroute ")
        .nth(1)
        .expect("a command")
        .split('`')
        .next()
        .expect("its end");
    run(&lkroute, &trust.replace('…', "ours")).expect_code(0);
    run(&lkroute, &call).expect_code(0);
    let host = trust.split(' ').nth(1).expect("a host");
    run(&lkroute, &format!("trust {host} --revoke")).expect_code(0);
    lkroute.sql(&format!(
        "UPDATE voice_agent_livekit SET livekit_url = 'no url' WHERE id = '{CONFIG_UAE}'"
    ));
    let odd = run(&lkroute, &call);
    let hinted = odd.told("correct the URL of that row");
    hinted.then(|| apply(&lkroute));
    run(&lkroute, &call).expect_code(0);
}
