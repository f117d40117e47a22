//! A session in which every secret and key is at hand and every command says
//! all that it can: [`Lkroute`] itself looks through what they leave.

use super::run;
use crate::support::{DEMO_KEYS, FERNET_KEY, Lkroute};

/// A made-up key.
const KEYS: &str = "other:bWFkZS11cCBrZXkgb2YgdGhlIHRlc3RzLCBubyAyISE";

/// One secret from the environment, one from a file, one sealed; the servers
/// are not there.
fn sample() -> Lkroute {
    let mut lkroute = Lkroute::with_two_regions();
    for (file, source) in [
        ("uae", "{ env = \"LKROUTE_SECRET_MADE_UP\" }"),
        ("india", "{ file = \"india.secret\" }"),
    ] {
        let name = format!("routing/{file}.toml");
        let text = lkroute.read(&name);
        let lines = text.lines().map(|line| match line.split_once(" = ") {
            Some(("api_secret", _)) => format!("api_secret = {source}\n"),
            Some(("url", _)) => "url = \"ws://127.0.0.1:1\"\n".to_owned(),
            _ => format!("{line}\n"),
        });
        lkroute.write(&name, &lines.collect::<String>());
    }
    lkroute.write("routing/india.secret", "made-up-secret-of-a-file\n");
    lkroute
        .env("LKROUTE_SECRET_MADE_UP", "made-up-secret-of-a-variable")
        .env("LKROUTE_KEYS", &format!("{KEYS},{DEMO_KEYS}"))
        .env("LIVEKIT_SECRET_ENCRYPTION_KEY", FERNET_KEY)
        .env("LIVEKIT_API_SECRET", "made-up-secret-of-the-environment")
        .env("RUST_BACKTRACE", "full")
        .env("RUST_LOG", "trace");
    lkroute
}

#[test]
fn the_most_talkative_session_gives_no_secret_away() {
    let lkroute = sample();
    let config = "id = \"00000000-0000-4000-8000-00000000c0f1\"\nregion = \"uae\"\n\
                  url = \"ws://127.0.0.1:1\"\napi_key = \"made-up\"\n";
    lkroute.write(
        "routing/sealed.toml",
        &format!("[configs.sealed]\n{config}"),
    );
    let seal = ["secrets", "seal", "--config", "sealed", "-vv"];
    lkroute
        .run_with_input(&seal, "made-up-secret-to-seal")
        .expect_code(0);
    for (line, code) in [
        ("validate", 0),
        ("plan --full --out saved.lkplan", 0),
        ("plan --format markdown", 0),
        ("show saved.lkplan --format json", 0),
        ("apply saved.lkplan --auto-approve", 0),
        ("secrets list --format json", 0),
        ("secrets list", 0),
        ("resolve --from +971545335200 --explain", 0),
        ("resolve --from +971545335200 --format json", 0),
        ("doctor", 1),
        (
            "dispatch --from +971545335200 --to 0501234567 --timeout 200ms",
            1,
        ),
        ("history 1 --format json", 0),
        ("secrets rotate --to demo", 0),
        ("plan", 0),
        ("apply --auto-approve --format json", 0),
        ("rollback --to 1 --auto-approve --reason test", 0),
        ("graph", 0),
        ("list --format json", 0),
        ("import --out imported", 0),
    ] {
        run(&lkroute, &format!("{line} -vv")).expect_code(code);
    }
    let set = "UPDATE voice_agent_livekit SET livekit_api_secret = 'made-up-plain-text'";
    lkroute.sql(set);
    for (line, code) in [
        ("drift --format json", 7),
        ("drift --all", 1),
        ("plan --format json", 6),
        ("secrets list", 1),
        ("import --out again", 0),
        ("release --all --routing nowhere --auto-approve", 0),
        ("plan", 6),
        ("adopt --all", 0),
        ("apply --auto-approve", 0),
    ] {
        run(&lkroute, &format!("{line} -vv")).expect_code(code);
    }
}

#[test]
fn what_is_broken_is_not_quoted() {
    let mut lkroute = sample();
    for keys in [
        "made-up-secret",
        "kb2843125:bWFkZS11cCBrZXkgb2YgdGhlIHRlc3RzLCBubyAyISE",
        "one:bWFkZS11cCBrZXkgb2Y",
    ] {
        lkroute.env("LKROUTE_KEYS", keys);
        run(&lkroute, "plan -vv").expect_code(1);
    }
    lkroute.env("LKROUTE_KEYS", KEYS);
    lkroute.env("LIVEKIT_SECRET_ENCRYPTION_KEY", "made-up-secret");
    run(&lkroute, "secrets list -vv").expect_code(1);
    lkroute.write(
        "routing/more.toml",
        "[configs.more]\napi_secret = \"made-up-secret\"\n",
    );
    for format in ["text", "json", "markdown", "github", "sarif"] {
        run(&lkroute, &format!("plan -vv --format {format}"));
    }
    run(&lkroute, "validate -vv").expect_code(3);
    run(&lkroute, "validate --format json").expect_code(3);
}

#[test]
fn user_and_password_in_a_url_of_others_are_not_shown() {
    let lkroute = Lkroute::with_two_regions();
    run(&lkroute, "apply --auto-approve").expect_code(0);
    let password = "hunter2-of-others";
    let url = |host: &str| format!("wss://bob:{password}@{host}.example");
    let theirs = "aaaaaaaa-0000-4000-8000-000000000001";
    let rules = format!("{{\"livekit_config\": \"{theirs}\", \"outbound\": true}}");
    lkroute.sql(&format!(
            "INSERT INTO voice_agent_livekit
               (id, name, livekit_url, livekit_api_key, livekit_api_secret, trunk_id)
               VALUES ('{theirs}', 'theirs', '{}', 'k', 'dev-s-t-x', 'ST_x');
             INSERT INTO voice_agent_numbers (id, tenant_id, country_code, base_number, status, rules)
               VALUES ('aaaaaaaa-0000-4000-8000-000000000002',
                 '734cd516-e252-4728-9c52-4663ee552653', '+971', 500000099, 'active', '{rules}');
             UPDATE voice_agent_livekit SET livekit_url = '{}' WHERE name = 'uae-vm-selfhosted'",
            url("theirs"),
            url("drifted")
        ));
    let from = "--from +971500000099 --tenant sasya";
    let call = format!("dispatch --dry-run {from} --to +971501234567");
    for line in [
        &format!("resolve {from}"),
        "plan",
        "plan --number +971500000099",
        "diff HEAD",
        "drift",
        "doctor --no-probe",
        "list",
        "graph",
        &call,
        "apply --auto-approve",
        "history --address config.uae-vm-selfhosted",
        "drift --accept --dry-run",
        "import --out imported",
    ] {
        for format in [
            "",
            " --format json",
            " --format markdown",
            " --format github",
        ] {
            let ran = run(&lkroute, &format!("{line}{format}"));
            let said = ran.stdout + &ran.stderr;
            assert!(!said.contains(password), "{line}{format}: {said}");
        }
    }
    let shown = run(&lkroute, &format!("resolve {from}"))
        .expect_code(0)
        .stdout;
    assert_contains!(shown, "wss://…@theirs.example");
}
