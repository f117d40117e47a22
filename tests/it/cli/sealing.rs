//! `secrets list` and `secrets rotate`, over the sample routing.

use serde_json::{Value, json};

use super::run;
use crate::review::schema::assert_valid;
use crate::support::{DEMO_KEYS, FERNET_KEY, Lkroute, SECRET_UAE};

/// Made-up keys.
const OTHER: &str = "other:bWFkZS11cCBrZXkgb2YgdGhlIHRlc3RzLCBubyAyISE";
const NOT_DEMO: &str = "demo:bWFkZS11cCBrZXkgb2YgdGhlIHRlc3RzLCBubyAyISE";
const UAE: &str = "uae-vm-selfhosted";

fn sample(keys: &str) -> Lkroute {
    let mut lkroute = Lkroute::with_two_regions();
    lkroute.env("LKROUTE_KEYS", keys);
    lkroute
}

/// The report on the UAE's secret.
fn listed(lkroute: &Lkroute, code: i32) -> Value {
    let report = run(lkroute, "secrets list --format json").expect_code(code);
    let report = assert_valid("secrets", &report.stdout);
    let secrets = report["secrets"].as_array().expect("a list");
    let mut of_uae = secrets.iter().filter(|secret| secret["config"] == UAE);
    of_uae.next().expect("the UAE's").clone()
}

fn store(lkroute: &Lkroute, text: &str) {
    let set = format!("UPDATE voice_agent_livekit SET livekit_api_secret = '{text}'");
    lkroute.sql(&format!("{set} WHERE name = '{UAE}'"));
}

#[test]
fn where_secrets_live_and_whether_they_open() {
    let mut lkroute = sample(DEMO_KEYS);
    let in_files = listed(&lkroute, 0);
    assert_eq!(
        (&in_files["place"], &in_files["in_files"]["state"]),
        (&json!("files"), &json!("opens"))
    );
    run(&lkroute, "apply --auto-approve").expect_code(0);
    assert_eq!(listed(&lkroute, 0)["in_database"]["key"], "demo");
    let text = run(&lkroute, "secrets list").expect_code(0).stdout;
    assert_contains!(text, "both   aes-256-gcm  demo  opens");

    let sealed = lkroute.sql("SELECT livekit_api_secret FROM voice_agent_livekit ORDER BY name");
    let (of_india, of_uae) = sealed.split_once('\n').expect("two");
    let last = if of_uae.ends_with('A') { "B" } else { "A" };
    let altered = format!("{}{last}", &of_uae[..of_uae.len() - 1]);
    for (text, state, code) in [
        ("made-up-plain text", "plain text", 1),
        (SECRET_UAE, "no key", 0),
        ("lkr1:demo:a8799afa:cut", "damaged", 1),
        ("dev-s-t-cut", "damaged", 1),
        (altered.as_str(), "wrong key or damaged", 1),
        (of_india, "other config", 1),
    ] {
        store(&lkroute, text);
        assert_eq!(
            listed(&lkroute, code)["in_database"]["state"],
            state,
            "{state}"
        );
    }
    store(&lkroute, SECRET_UAE);
    lkroute.env("LIVEKIT_SECRET_ENCRYPTION_KEY", FERNET_KEY);
    let fernet = &listed(&lkroute, 0)["in_database"];
    assert_eq!(
        (&fernet["format"], &fernet["key"], &fernet["state"]),
        (&json!("fernet"), &Value::Null, &json!("opens"))
    );
    lkroute.env("LKROUTE_KEYS", OTHER);
    assert_eq!(listed(&lkroute, 0)["in_files"]["state"], "no key");
    lkroute.env("LKROUTE_KEYS", &format!("{NOT_DEMO},x{DEMO_KEYS}"));
    assert_eq!(listed(&lkroute, 1)["in_files"]["state"], "wrong key");
    lkroute.edit("routing/uae.toml", "api_secret = {", "# api_secret = {");
    lkroute.edit(
        "routing/uae.toml",
        "trunk_id =",
        "api_secret = { env = \"LKROUTE_SECRET_MADE_UP\" }\ntrunk_id =",
    );
    let outside = listed(&lkroute, 1);
    assert_eq!(
        (
            &outside["in_files"]["source"],
            &outside["in_files"]["state"]
        ),
        (&json!("env LKROUTE_SECRET_MADE_UP"), &json!("not at hand"))
    );
    let offline = run(&lkroute, "secrets list --offline").stdout;
    assert_lacks!(offline, "database");
}

#[test]
fn secrets_are_sealed_anew_in_the_files_and_then_in_the_database() {
    let mut lkroute = sample(DEMO_KEYS);
    run(&lkroute, "apply --auto-approve").expect_code(0);
    let files = || {
        (
            lkroute.read("routing/uae.toml"),
            lkroute.read("routing/india.toml"),
        )
    };
    let before = files();
    let none = run(&lkroute, "secrets rotate --to none").expect_code(1);
    assert_contains!(none.stderr, "no key named `none`");
    let same = run(&lkroute, "secrets rotate").expect_code(0);
    assert_contains!(same.stderr, "sealed so already");
    run(&lkroute, "secrets rotate --config none").expect_code(1);
    lkroute.env("LKROUTE_KEYS", OTHER);
    let closed = run(&lkroute, "secrets rotate").expect_code(1);
    assert_contains!(closed.stderr, "`demo`");
    let files = || {
        (
            lkroute.read("routing/uae.toml"),
            lkroute.read("routing/india.toml"),
        )
    };
    assert_eq!(files(), before, "nothing is written");

    lkroute.env("LKROUTE_KEYS", &format!("{OTHER},{DEMO_KEYS}"));
    run(&lkroute, &format!("secrets rotate --config {UAE}")).expect_code(0);
    let plan = run(&lkroute, "plan --format json").expect_code(0).json();
    assert_eq!(plan["summary"]["reseal"], 1);
    assert_eq!(plan["changes"][0]["fields"][0]["after"], "re-sealed");
    run(&lkroute, "secrets rotate --to other").expect_code(0);
    let file = lkroute.read("routing/uae.toml");
    let kept = |text: &str| {
        text.lines()
            .filter(|line| !line.contains("sealed ="))
            .count()
    };
    assert_eq!(kept(&file), kept(&before.0), "all else is kept");
    run(&lkroute, "apply --auto-approve").expect_code(0);
    lkroute.env("LKROUTE_KEYS", OTHER);
    assert_eq!(listed(&lkroute, 0)["in_database"]["state"], "opens");
    run(&lkroute, "plan --detailed-exitcode").expect_code(0);

    // The database in the form of the Python service, and the files as well.
    lkroute.env("LIVEKIT_SECRET_ENCRYPTION_KEY", FERNET_KEY);
    lkroute.write("routing/secrets.toml", "[secrets]\nformat = \"fernet\"\n");
    run(&lkroute, "apply --auto-approve").expect_code(0);
    assert_eq!(listed(&lkroute, 0)["in_database"]["format"], "fernet");
    run(&lkroute, "secrets rotate --format fernet").expect_code(0);
    let listed = listed(&lkroute, 0);
    assert_eq!(
        (&listed["in_files"]["format"], &listed["place"]),
        (&json!("fernet"), &json!("both"))
    );
    let plan = run(&lkroute, "plan --format json").expect_code(0).json();
    assert_eq!(plan["summary"]["reseal"], 2);
}

#[test]
fn an_override_of_an_environment_is_sealed_anew_where_it_stands() {
    let mut lkroute = sample(DEMO_KEYS);
    let file = lkroute.read("routing/uae.toml");
    let sealed = file.lines().find(|line| line.starts_with("api_secret"));
    let sealed = sealed.expect("a sealed secret").to_owned();
    lkroute.write(
        "routing/env.toml",
        "[environments.test]\ndatabase = \"MADE_UP_A\"\n[environments.prod]\ndatabase = \"MADE_UP_B\"\n",
    );
    lkroute.edit(
        "routing/uae.toml",
        &sealed,
        "api_secret = { env = \"LKROUTE_SECRET_MADE_UP\" }",
    );
    lkroute.edit(
        "routing/uae.toml",
        "[[bindings]]",
        &format!("[configs.{UAE}.env.prod] # live\n{sealed}\n\n[[bindings]]"),
    );
    lkroute.env("LKROUTE_KEYS", &format!("{OTHER},{DEMO_KEYS}"));
    run(&lkroute, "--env prod secrets rotate").expect_code(0);
    let after = lkroute.read("routing/uae.toml");
    let below = after.split_once("# live\n").expect("the override").1;
    assert!(
        below.starts_with("api_secret = { sealed = \"lkr1:other:"),
        "{after}"
    );
    assert_contains!(after, "env = \"LKROUTE_SECRET_MADE_UP\"");
    run(&lkroute, "--env test secrets rotate --to demo").expect_code(0);
}

#[test]
fn a_secret_from_a_variable_moves_to_the_key_that_is_first_in_the_ring() {
    let mut lkroute = sample(DEMO_KEYS);
    let file = lkroute.read("routing/uae.toml");
    let sealed = file.lines().find(|line| line.starts_with("api_secret"));
    let sealed = sealed.expect("a sealed secret").to_owned();
    let source = "api_secret = { env = \"LKROUTE_SECRET_MADE_UP\" }";
    lkroute.edit("routing/uae.toml", &sealed, source);
    lkroute.env("LKROUTE_SECRET_MADE_UP", "made-up-secret-one");
    let summary = |lkroute: &Lkroute, what: &str| {
        let plan = run(lkroute, "plan --format json").expect_code(0).json();
        plan["summary"][what].clone()
    };
    run(&lkroute, "apply --auto-approve").expect_code(0);
    lkroute.env("LKROUTE_KEYS", &format!("{OTHER},{DEMO_KEYS}"));
    assert_eq!(summary(&lkroute, "reseal"), 1);
    let rotated = run(&lkroute, "secrets rotate").expect_code(0);
    let said = "1 secret from a variable or a file: `lkroute apply` seals it";
    assert_contains!(rotated.stderr, said);
    run(&lkroute, "apply --auto-approve").expect_code(0);

    // The old key has left; another secret is still told from the same.
    lkroute.env("LKROUTE_KEYS", OTHER);
    assert_eq!(listed(&lkroute, 0)["in_database"]["state"], "opens");
    run(&lkroute, "plan --detailed-exitcode").expect_code(0);
    lkroute.env("LKROUTE_SECRET_MADE_UP", "made-up-secret-two");
    assert_eq!(summary(&lkroute, "update"), 1);

    // Without any key of the ring, nothing can be said of it.
    lkroute.env("LKROUTE_KEYS", DEMO_KEYS);
    assert_eq!(summary(&lkroute, "update"), 0);
    assert_eq!(summary(&lkroute, "unchecked"), 1);

    // Fernet values have no key id; the stored one tells as much.
    lkroute
        .env("LKROUTE_KEYS", OTHER)
        .env("LIVEKIT_SECRET_ENCRYPTION_KEY", FERNET_KEY);
    lkroute.write("routing/secrets.toml", "[secrets]\nformat = \"fernet\"\n");
    run(&lkroute, "apply --auto-approve").expect_code(0);
    lkroute.env("LKROUTE_KEYS", "");
    run(&lkroute, "plan --detailed-exitcode").expect_code(0);
    lkroute.env("LKROUTE_SECRET_MADE_UP", "made-up-secret-three");
    assert_eq!(summary(&lkroute, "update"), 1);
}
