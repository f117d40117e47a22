//! Where secrets may come from: a pull request names a variable or a file, and
//! must not get at what is not meant for it.

use std::os::unix::fs::symlink;
use std::process::Command;

use super::run;
use crate::support::{DEMO_KEYS, Lkroute};

/// Never in a database, an output or a report.
const OUTSIDE: &str = "made-up-outside-0123456789abcdef";
const PLAIN: &str = "made-up-secret-of-uae-0123456789";

/// The sample, with the UAE's secret from where `source` says.
fn with(source: &str) -> Lkroute {
    let mut lkroute = Lkroute::with_two_regions();
    lkroute.env("LKROUTE_KEYS", DEMO_KEYS);
    set(&lkroute, source);
    lkroute
}

fn set(lkroute: &Lkroute, source: &str) {
    let text = lkroute.read("routing/uae.toml");
    let lines = text
        .lines()
        .map(|line| match line.starts_with("api_secret") {
            true => format!("api_secret = {source}\n"),
            false => format!("{line}\n"),
        });
    lkroute.write("routing/uae.toml", &lines.collect::<String>());
}

fn stored(lkroute: &Lkroute) -> String {
    lkroute.sql("SELECT count(*) FROM lkroute_configs")
}

#[test]
fn a_variable_is_read_only_where_its_name_or_an_earlier_review_says_so() {
    let mut lkroute = with("{ env = \"GITHUB_TOKEN\" }");
    lkroute
        .env("GITHUB_TOKEN", OUTSIDE)
        .env("OTHER_TOKEN", OUTSIDE);
    let invalid = run(&lkroute, "validate").expect_code(3);
    assert_contains!(invalid.words(), "secret-variable-not-listed");
    run(&lkroute, "plan").expect_code(3);

    // Before the first apply the files' own list counts, and is named.
    lkroute.write("routing/own.toml", "[secrets]\nenv = [\"GITHUB_TOKEN\"]\n");
    let planned = run(&lkroute, "plan").expect_code(0);
    let words = planned.words();
    assert_contains!(words, "GITHUB_TOKEN, which these files list themselves");
    run(&lkroute, "apply --auto-approve").expect_code(0);

    // From then on it is the stored one that counts.
    set(&lkroute, "{ env = \"OTHER_TOKEN\" }");
    let longer = "[secrets]\nenv = [\"GITHUB_TOKEN\", \"OTHER_TOKEN\"]\n";
    lkroute.write("routing/own.toml", longer);
    let before = stored(&lkroute);
    for command in ["plan", "apply --auto-approve"] {
        let refused = run(&lkroute, command).expect_code(4);
        let words = refused.words();
        assert_contains!(
            words,
            "OTHER_TOKEN is not one that the list of the last apply"
        );
    }
    assert_eq!(stored(&lkroute), before);

    set(&lkroute, "{ env = \"GITHUB_TOKEN\" }");
    let list = run(&lkroute, "apply --auto-approve").expect_code(0);
    assert_contains!(list.words(), "+ secrets.env = ");
    set(&lkroute, "{ env = \"OTHER_TOKEN\" }");
    run(&lkroute, "plan").expect_code(0);
}

#[test]
fn a_file_is_a_regular_one_below_the_directories_for_it() {
    let lkroute = with("{ file = \"../outside.secret\" }");
    let outside = lkroute.path().join("outside.secret");
    std::fs::write(&outside, OUTSIDE).unwrap();
    let routing = lkroute.path().join("routing");
    // A link that leads out is a finding of its own, whatever it is called.
    for target in [outside.as_path(), std::path::Path::new("/dev/zero")] {
        let link = routing.join("linked.secret");
        symlink(target, &link).unwrap();
        set(&lkroute, "{ file = \"linked.secret\" }");
        let refused = run(&lkroute, "plan").expect_code(3);
        assert_contains!(refused.words(), "symlink-not-followed");
        std::fs::remove_file(&link).unwrap();
    }
    let pipe = routing.join("pipe.secret");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    std::fs::write(routing.join("large.secret"), vec![b'x'; 65 * 1024]).unwrap();
    std::fs::create_dir(routing.join("directory.secret")).unwrap();
    for file in [
        "../outside.secret",
        "pipe.secret",
        "large.secret",
        "directory.secret",
        "/etc/passwd",
    ] {
        set(&lkroute, &format!("{{ file = \"{file}\" }}"));
        let refused = run(&lkroute, "plan").expect_code(4);
        assert!(
            refused.words().contains("secret-file-refused"),
            "{file}: {refused:?}"
        );
        run(&lkroute, "apply --auto-approve").expect_code(4);
    }
    std::fs::remove_file(&pipe).unwrap();

    set(&lkroute, "{ file = \"uae.secret\" }");
    let missing = run(&lkroute, "apply --auto-approve").expect_code(1);
    assert_contains!(missing.words(), "no such file");
    std::fs::write(routing.join("uae.secret"), format!("{PLAIN}\n")).unwrap();
    run(&lkroute, "apply --auto-approve").expect_code(0);
    std::fs::remove_file(routing.join("uae.secret")).unwrap();
}

#[test]
fn a_directory_of_secrets_may_be_elsewhere() {
    let mut lkroute = with("{ file = \"livekit/uae\" }");
    let secrets = tempfile::TempDir::new().unwrap();
    std::fs::create_dir(secrets.path().join("livekit")).unwrap();
    std::fs::write(secrets.path().join("livekit/uae"), PLAIN).unwrap();
    run(&lkroute, "apply --auto-approve").expect_code(1);
    lkroute.env("LKROUTE_SECRETS_DIR", secrets.path().to_str().unwrap());
    run(&lkroute, "apply --auto-approve").expect_code(0);
    let same = run(&lkroute, "plan --detailed-exitcode").expect_code(0);
    assert_contains!(same.words(), "No changes");
}

#[test]
fn two_servers_share_a_secret_only_where_an_exception_says_so() {
    let mut lkroute = with("{ env = \"LKROUTE_SECRET_UAE\" }");
    lkroute.env("LKROUTE_SECRET_UAE", PLAIN);
    run(&lkroute, "apply --auto-approve").expect_code(0);
    let config = "[configs.evil]\nregion = \"uae\"\nurl = \"wss://evil.example\"\napi_key = \"k\"\n\
                  api_secret = { env = \"LKROUTE_SECRET_UAE\" }\n";
    lkroute.write("routing/evil.toml", config);
    let refused = run(&lkroute, "plan").expect_code(4);
    let words = refused.words();
    assert_contains!(words, "secret-shared", "config `evil`");
    run(&lkroute, "apply --auto-approve").expect_code(4);
    let expires = (jiff::Zoned::now().date() + jiff::Span::new().days(3)).to_string();
    let allow = format!(
        "{config}\n[[guards.allow]]\nguard = \"secret-shared\"\naddresses = [\"config.evil\", \
         \"config.uae-vm-selfhosted\"]\nreason = \"one project, two regions\"\nexpires = \"{expires}\"\n"
    );
    lkroute.write("routing/evil.toml", &allow);
    run(&lkroute, "plan").expect_code(0);
}

/// A config on another host with the secret of the first, by another name of
/// its file: a link, a hard link, a directory beside which nothing lies.
#[test]
fn one_secret_by_another_name_is_shared_all_the_same() {
    let mut lkroute = with("{ file = \"uae.secret\" }");
    let routing = lkroute.path().join("routing");
    let secrets = tempfile::TempDir::new().unwrap();
    lkroute.env("LKROUTE_SECRETS_DIR", secrets.path().to_str().unwrap());
    std::fs::write(secrets.path().join("uae.secret"), PLAIN).unwrap();
    run(&lkroute, "apply --auto-approve").expect_code(0);
    std::fs::create_dir(routing.join("more")).unwrap();
    let evil = |file: &str| {
        let config = format!(
            "[configs.evil]\nregion = \"uae\"\nurl = \"wss://evil.example\"\napi_key = \"k\"\n\
             api_secret = {{ file = \"{file}\" }}\n"
        );
        lkroute.write("routing/more/evil.toml", &config);
        let refused = run(&lkroute, "plan").expect_code(4);
        assert_contains!(refused.words(), "secret-shared");
        run(&lkroute, "apply --auto-approve").expect_code(4);
    };
    evil("uae.secret");
    std::os::unix::fs::symlink("uae.secret", secrets.path().join("link")).unwrap();
    evil("link");
    std::fs::hard_link(
        secrets.path().join("uae.secret"),
        secrets.path().join("hard"),
    )
    .unwrap();
    evil("hard");
}

/// A value in the form of the Python service opens for whichever config it is
/// copied to: as it is, or as an older commit has it.
#[test]
fn a_fernet_value_that_is_copied_is_shared() {
    let mut lkroute = with("{ env = \"LKROUTE_SECRET_UAE\" }");
    lkroute.env("LKROUTE_SECRET_UAE", PLAIN);
    let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    lkroute.env("LIVEKIT_SECRET_ENCRYPTION_KEY", key);
    lkroute.write("routing/secrets.toml", "[secrets]\nformat = \"fernet\"\n");
    let seal = || {
        let args = "secrets seal --config uae-vm-selfhosted";
        let args: Vec<&str> = args.split(' ').collect();
        lkroute.run_with_input(&args, PLAIN).expect_code(0);
        let text = lkroute.read("routing/uae.toml");
        let from = text.find("dev-s-t-").expect("a Fernet value");
        let sealed = text[from..].split('"').next().unwrap_or_default();
        sealed.to_owned()
    };
    let (one, other) = (seal(), seal());
    for copied in [&one, &other] {
        set(&lkroute, &format!("{{ sealed = \"{one}\" }}"));
        let config = format!(
            "[configs.evil]\nid = \"0f0c3a5e-58a5-4d0c-9a3b-0f3d2b1c4e5f\"\nregion = \"uae\"\n\
             url = \"wss://evil.example\"\napi_key = \"k\"\napi_secret = {{ sealed = \"{copied}\" }}\n"
        );
        lkroute.write("routing/evil.toml", &config);
        let refused = run(&lkroute, "plan").expect_code(4);
        assert_contains!(refused.words(), "secret-shared");
    }
}

#[test]
fn a_line_end_is_taken_off_and_what_is_no_secret_is_refused() {
    let mut lkroute = with("{ env = \"LKROUTE_SECRET_UAE\" }");
    lkroute.env("LKROUTE_SECRET_UAE", &format!("{PLAIN}\r\n"));
    run(&lkroute, "apply --auto-approve").expect_code(0);
    lkroute.env("LKROUTE_SECRET_UAE", PLAIN);
    run(&lkroute, "plan --detailed-exitcode").expect_code(0);
    for odd in [
        "made-up\nmade-up-again",
        " made-up-secret",
        "made-up-secret\n\n",
        "lkr1:demo:a8799afa:AAAA",
        // Of a later lkroute; as an editor saves a text; as a line of `.env` has it.
        "lkr2:demo:a8799afa:AAAA",
        "\u{feff}made-up-secret",
        "\"made-up-secret\"",
    ] {
        lkroute.env("LKROUTE_SECRET_UAE", odd);
        let refused = run(&lkroute, "plan").expect_code(4);
        assert!(
            refused.words().contains("odd-secret"),
            "{odd:?}: {refused:?}"
        );
        run(&lkroute, "apply --auto-approve").expect_code(4);
        let args = ["secrets", "seal", "--config", "india-techiemaya-cloud"];
        let seal = lkroute.run_with_input(&args, odd).expect_code(1);
        assert_contains!(seal.words(), "nothing was sealed");
    }
}

/// A secret that was rolled back stays away, though the variable that brought
/// it still holds it: its fingerprint tells.
#[test]
fn a_secret_of_a_variable_that_was_undone_is_held_back() {
    let mut lkroute = with("{ env = \"LKROUTE_SECRET_UAE\" }");
    let live = |lkroute: &Lkroute| {
        let stored = "SELECT livekit_api_secret FROM voice_agent_livekit
                      WHERE name = 'uae-vm-selfhosted'";
        lkroute.sql(stored)
    };
    lkroute.env("LKROUTE_SECRET_UAE", PLAIN);
    run(&lkroute, "apply --auto-approve").expect_code(0);
    let good = live(&lkroute);
    lkroute.env("LKROUTE_SECRET_UAE", OUTSIDE);
    run(&lkroute, "apply --auto-approve").expect_code(0);
    assert_ne!(live(&lkroute), good);
    let back = ["rollback", "--auto-approve", "--reason", "calls fail"];
    lkroute.run(&back).expect_code(0);
    assert_eq!(live(&lkroute), good);
    // The next merge, about something else.
    let text = lkroute.read("routing/uae.toml");
    let other = text.replace("on a VM in", "on one VM in");
    lkroute.write("routing/uae.toml", &other);
    let plan = run(&lkroute, "plan").expect_code(0);
    let why = "brings back what apply 2 set and apply 3 undid: calls fail";
    assert_contains!(plan.words(), why);
    run(&lkroute, "apply --auto-approve").expect_code(0);
    assert_eq!(live(&lkroute), good);
    run(&lkroute, "apply --auto-approve").expect_code(4);
    // A third one ends the memory.
    lkroute.env("LKROUTE_SECRET_UAE", "made-up-third-0123456789abcdef");
    run(&lkroute, "apply --auto-approve").expect_code(0);
    assert_ne!(live(&lkroute), good);
}
