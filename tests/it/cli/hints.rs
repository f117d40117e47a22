//! What lkroute says to do: it names commands, options and pages that there
//! are, and who follows it gets on.

use std::collections::{BTreeMap, BTreeSet};

use super::run;
use crate::support::{Lkroute, TENANT_UAE, words_of};

/// The text of every file of Rust below the directory.
fn sources(dir: &std::path::Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(std::fs::read_to_string(&path).expect("a text"));
        }
    }
}

/// What stands between backquotes in the program's texts and begins so.
fn quoted(texts: &[String], begin: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for text in texts {
        // A string goes on behind a backslash at the end of a line.
        let mut joined = String::new();
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            match line.strip_suffix('\\') {
                Some(start) => {
                    joined.push_str(start);
                    if let Some(next) = lines.peek_mut() {
                        *next = next.trim_start();
                    }
                }
                None => {
                    joined.push_str(line);
                    joined.push('\n');
                }
            }
        }
        let pieces = joined.split('`').skip(1).step_by(2);
        let pieces = pieces.filter(|piece| piece.starts_with(begin) && !piece.contains('\n'));
        found.extend(pieces.map(str::to_owned));
    }
    found
}

/// Every `lkroute …` that is printed names a command and options that it has.
#[test]
fn what_is_said_to_be_run_can_be_run() {
    let mut texts = Vec::new();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    sources(&root.join("src"), &mut texts);
    let lkroute = Lkroute::new();
    let mut helps: BTreeMap<String, String> = BTreeMap::new();
    let commands = quoted(&texts, "lkroute ");
    assert!(commands.len() > 30, "{commands:?}");
    for said in &commands {
        let words: Vec<&str> = said.split_whitespace().skip(1).collect();
        let is_word = |word: &&&str| word.chars().all(|c| c.is_ascii_lowercase() || c == '-');
        let options = words.iter().filter(|word| word.starts_with("--"));
        let names = words.iter().take_while(|word| !word.starts_with('-'));
        let mut command: Vec<&str> = names.take_while(is_word).copied().collect();
        let nested = ["secrets"];
        command.truncate(match command.first() {
            Some(first) if nested.contains(first) => 2,
            _ => 1,
        });
        let line = format!("{} --help", command.join(" "));
        let help = helps.entry(line.clone()).or_insert_with(|| {
            let ran = run(&lkroute, &line);
            format!("{}\n{}", ran.code, ran.stdout)
        });
        // A placeholder stands for a command: `lkroute {command} …`.
        if command.is_empty() {
            continue;
        }
        assert!(help.starts_with('0'), "`{said}`: there is no such command");
        for option in options {
            let end = |c: char| !c.is_ascii_lowercase() && c != '-';
            let option = option.split(end).next().unwrap_or_default();
            let there =
                help.contains(&format!("{option} ")) || help.contains(&format!("{option}\n"));
            assert!(there, "`{said}`: no {option}\n{help}");
        }
    }
    // Pages that are named are there.
    for text in &texts {
        for piece in text.split("docs/").skip(1) {
            let Some((name, _)) = piece.split_once(".md") else {
                continue;
            };
            let is_name = name.chars().all(|c| c.is_ascii_lowercase() || c == '-');
            let page = root.join(format!("docs/{name}.md"));
            assert!(!is_name || page.is_file(), "docs/{name}.md");
        }
    }
}

#[test]
fn habits_of_other_tools_are_understood_or_answered() {
    let lkroute = Lkroute::with_two_regions();
    run(&lkroute, "apply --yes").expect_code(0);
    for (line, told) in [
        ("plan --yes", "asks nothing"),
        ("plan --dry-run", "changes nothing"),
        ("apply --dry-run", "`lkroute plan`"),
        ("validate --dry-run", "changes nothing"),
        ("release --all --dry-run", "rollback, migrate and dispatch"),
    ] {
        let said = run(&lkroute, line).expect_code(1).stderr;
        assert!(said.contains(told), "{line}: {said}");
        assert!(!said.contains("auto-approve"), "{line}: {said}");
    }
    let report = run(&lkroute, "plan -o json --dry-run")
        .expect_code(1)
        .json();
    assert_eq!(report["error"]["exit"], 1);
    // What the hints lead to.
    run(&lkroute, "plan").expect_code(0);
    run(&lkroute, "plan -o json").expect_code(0).json();
    for line in ["version", "help", "help plan", "rollback --yes"] {
        run(&lkroute, line).expect_code(0);
    }
    // The hint of `cancel` is understood.
    let cancel = run(&lkroute, "cancel call-none --yes")
        .expect_code(1)
        .stderr;
    assert_lacks!(cancel, "unexpected argument");
}

#[test]
fn a_name_and_an_address_are_taken_alike() {
    let lkroute = Lkroute::with_two_regions();
    run(&lkroute, "apply --auto-approve").expect_code(0);
    let both = |line: &str, name: &str, address: &str| {
        let [one, other] = [name, address].map(|word| run(&lkroute, &format!("{line} {word}")));
        assert_eq!(
            (one.code, &one.stdout),
            (other.code, &other.stdout),
            "{line}"
        );
        assert_eq!(one.stderr, other.stderr, "{line}");
        one
    };
    let config = ("uae-vm-selfhosted", "config.uae-vm-selfhosted");
    for line in [
        "list --config",
        "doctor --no-probe --config",
        "dispatches --config",
        "history --address",
        "plan --target",
        "adopt",
        "drift --accept",
        "secrets rotate --check --config",
    ] {
        let ran = both(line, config.0, config.1);
        let unknown =
            ran.stderr.contains("there is no config") || ran.stderr.contains("no address");
        assert!(!unknown, "{line}: {}", ran.stderr);
        // One that is not there is told in one way, with what there is.
        let none = both(line, "uae-vm-selfhostet", "config.uae-vm-selfhostet");
        let told = format!("{}{}", none.stdout, none.stderr);
        if told.contains("there is no config") {
            assert!(
                told.contains("did you mean `uae-vm-selfhosted`?"),
                "{line}: {told}"
            );
        }
    }
    let listed = both("list --region", "uae", "region.uae");
    assert_contains!(listed.stdout, "+971545335200");
    let none = both("list --region", "uea", "region.uea");
    assert!(
        none.code == 1 && none.stderr.contains("did you mean `uae`?"),
        "{}",
        none.stderr
    );
    both(
        "plan --number",
        "+971545335200",
        "binding.+971545335200@sasya",
    );
    let other = run(&lkroute, "list --config region.uae")
        .expect_code(1)
        .stderr;
    assert_contains!(other, "a config is asked for");
    let bare = run(&lkroute, "plan --target +971545335200")
        .expect_code(1)
        .stderr;
    assert_contains!(bare, "binding.+971545335200@TENANT");
    run(&lkroute, "plan --target binding.+971545335200@sasya").expect_code(0);
    // An address says whose number it is.
    let number = "+971545335200";
    let address = "binding.+971545335200@sasya";
    let call = "dispatch --to +971501234567 --dry-run --offline --from";
    for line in ["resolve --from", "resolve --offline --from", call] {
        let line_of = |word: &str| match line == call {
            true => format!("{line} {word}"),
            false => format!("{line} {word} --format json"),
        };
        let named = run(&lkroute, &line_of(&format!("{number} --tenant sasya")));
        let addressed = run(&lkroute, &line_of(address));
        let worked = line == call || named.code == 0;
        assert!(worked, "{line}: {}", named.stderr);
        assert_eq!(named.code, addressed.code, "{line}: {}", addressed.stderr);
        // Each rehearsal draws a room of its own.
        let told = |ran: &crate::support::Run| match line == call {
            true => ran.stdout.lines().nth(2).map(str::to_owned),
            false => Some(ran.stdout.clone()),
        };
        assert_eq!(told(&named), told(&addressed), "{line}");
        let other = line_of("binding.+971545335200@nobody");
        assert_eq!(run(&lkroute, &other).code, 1, "{other}");
    }
    for line in ["resolve --from", "plan --number"] {
        let two = run(&lkroute, &format!("{line} {address} --tenant other"));
        let said = two.expect_code(1).stderr;
        assert!(said.contains("leave --tenant out"), "{line}: {said}");
    }
    // An alias and the uuid that it stands for are one tenant.
    for line in [
        "resolve --from",
        "resolve --offline --from",
        "plan --number",
    ] {
        let both = format!("{line} {address} --tenant {TENANT_UAE}");
        run(&lkroute, &both).expect_code(0);
        let other = both.replace(TENANT_UAE, "99999999-e252-4728-9c52-4663ee552653");
        let said = run(&lkroute, &other).expect_code(1).stderr;
        assert!(said.contains("leave --tenant out"), "{line}: {said}");
    }
    let user = format!("resolve --from {address} --initiated-by {TENANT_UAE}");
    let said = run(&lkroute, &user).expect_code(1).stderr;
    assert_contains!(said, "leave --initiated-by out");
    let nobody = run(&lkroute, "plan --number binding.+971545335200@nobody");
    assert_eq!(nobody.code, 1, "{}", nobody.stdout);
    both("dispatches --number", number, address);
    // What is not there is told with what is meant.
    for (line, meant) in [
        (
            "dispatches --config uae-vm-selfhostet",
            "`uae-vm-selfhosted`?",
        ),
        (
            "import --out n --config uae-vm-selfhostet",
            "`uae-vm-selfhosted`?",
        ),
        ("import --out n --tenant sasia", "`sasya`?"),
        ("plan --target uae-vm-selfhostet", "`uae-vm-selfhosted`?"),
        ("plan --target region.uea", "`uae`?"),
        ("plan --target binding.+971545335200@sasia", "`sasya`?"),
    ] {
        let said = run(&lkroute, line).expect_code(1).stderr;
        let words = words_of(&said);
        assert!(
            words.contains(&format!("did you mean {meant}")),
            "{line}: {said}"
        );
    }
    for (line, tenant) in [
        ("import --out one --tenant", "sasya"),
        ("import --out two --tenant", TENANT_UAE),
    ] {
        run(&lkroute, &format!("{line} {tenant}")).expect_code(0);
    }
    let plus = run(&lkroute, "plan --number 971545335200")
        .expect_code(1)
        .stderr;
    assert_contains!(plus, "+971545335200?");
}

#[test]
fn a_wrong_tenant_names_the_tenants_that_have_the_number() {
    let lkroute = Lkroute::with_two_regions();
    run(&lkroute, "apply --auto-approve").expect_code(0);
    let other = "99999999-e252-4728-9c52-4663ee552653";
    for tenant in ["nobody", other] {
        let line = format!("resolve --from +971545335200 --tenant {tenant}");
        let said = run(&lkroute, &line).expect_code(1).stderr;
        let hint = said.split_once("hint:").map_or("", |(_, hint)| hint);
        assert!(hint.contains("sasya"), "{tenant}: {said}");
    }
    for tenant in ["sasya", TENANT_UAE] {
        let line = format!("resolve --from +971545335200 --tenant {tenant}");
        run(&lkroute, &line).expect_code(0);
    }
}

#[test]
fn a_secret_that_is_missing_names_what_writes_it() {
    let lkroute = Lkroute::with_two_regions();
    let file = lkroute.read("routing/uae.toml");
    let without: Vec<&str> = file
        .lines()
        .filter(|line| !line.starts_with("api_secret"))
        .collect();
    lkroute.write("routing/uae.toml", &without.join("\n"));
    let said = run(&lkroute, "validate").expect_code(3).stdout;
    assert_contains!(said, "missing-key");
    let command = "lkroute secrets seal --config";
    let words = words_of(&said);
    assert!(words.contains(command), "{said}");
}

#[test]
fn a_variable_that_can_not_be_read_is_named() {
    use std::os::unix::ffi::OsStrExt;
    let lkroute = Lkroute::with_two_regions();
    for name in [
        "DATABASE_URL",
        "LKROUTE_ENV",
        "LKROUTE_KEYS",
        "LKROUTE_SCHEMA",
    ] {
        let mut command = lkroute.command(&["plan"]);
        let ran = command
            .env(name, std::ffi::OsStr::from_bytes(b"\xff"))
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&ran.stderr);
        assert_eq!(ran.status.code(), Some(1), "{name}: {said}");
        assert_contains!(said, name, "UTF-8");
    }
}

#[test]
fn files_for_several_environments_name_the_option() {
    let lkroute = Lkroute::with_two_regions();
    lkroute.write(
        "routing/environments.toml",
        "[environments.production]\ndatabase = \"PRODUCTION\"\n\n\
         [environments.staging]\ndatabase = \"STAGING\"\n",
    );
    let said = run(&lkroute, "validate").expect_code(3).stdout;
    assert_contains!(said, "--env");
    run(&lkroute, "--env staging validate").expect_code(0);
}

/// The words of what went wrong, on one line.
fn refused(lkroute: &Lkroute, line: &str, hint: &str) {
    let ran = run(lkroute, line);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    let words = words_of(&said);
    assert!(
        ran.code != 0 && words.contains(hint),
        "{line}: {hint}\n{said}"
    );
}

#[test]
fn hints_without_a_database_lead_to_one() {
    let lkroute = Lkroute::with_two_regions();
    refused(&lkroute, "list", "`lkroute apply` creates it");
    refused(&lkroute, "migrate --check", "`lkroute migrate` creates it");
    run(&lkroute, "migrate").expect_code(0);
    run(&lkroute, "migrate --check").expect_code(0);
    refused(&lkroute, "apply", "say `lkroute apply --auto-approve`");
    run(&lkroute, "apply --auto-approve").expect_code(0);
    run(&lkroute, "list").expect_code(0);
}

#[test]
fn hints_about_the_files_lead_on() {
    let mut lkroute = Lkroute::with_two_regions();
    let uae = lkroute.read("routing/uae.toml");
    lkroute.write("routing/uae.toml", &format!("{uae}\n\n\n"));
    refused(&lkroute, "fmt --check", "`lkroute fmt` rewrites them");
    run(&lkroute, "fmt").expect_code(0);
    run(&lkroute, "fmt --check").expect_code(0);
    lkroute.edit("routing/uae.toml", "provider = ", "provder = ");
    refused(&lkroute, "validate", "did you mean `provider`?");
    lkroute.edit("routing/uae.toml", "provder = ", "provider = ");
    lkroute.edit(
        "routing/uae.toml",
        "default_config = ",
        "# default_config = ",
    );
    refused(
        &lkroute,
        "validate",
        "a `default_config` under [regions.uae]",
    );
    lkroute.edit(
        "routing/uae.toml",
        "# default_config = ",
        "default_config = ",
    );
    run(&lkroute, "validate").expect_code(0);
    // Keys: made by the command that is named, they do what was wanted.
    let seal = ["secrets", "seal", "--config", "uae-vm-selfhosted"];
    let secret = "made-up-secret-0123456789abcdef";
    let none = lkroute.run_with_input(&seal, secret).expect_code(1).stderr;
    assert_contains!(none, "`lkroute secrets keygen`");
    let key = run(&lkroute, "secrets keygen").expect_code(0).stdout;
    lkroute.env("LKROUTE_KEYS", key.trim());
    lkroute.run_with_input(&seal, secret).expect_code(0);
    run(&lkroute, "validate").expect_code(0);
    refused(
        &lkroute,
        "secrets rotate",
        "LKROUTE_KEYS or --keys gives the key ring",
    );
}

#[test]
fn hints_about_what_was_applied_lead_on() {
    let lkroute = Lkroute::with_two_regions();
    run(&lkroute, "apply --auto-approve").expect_code(0);
    let config = "config.uae-vm-selfhosted";
    refused(
        &lkroute,
        &format!("drift --accept {config}"),
        "`lkroute drift` lists",
    );
    run(&lkroute, "drift").expect_code(0);
    refused(&lkroute, &format!("adopt {config}"), "`lkroute plan` lists");
    run(&lkroute, "plan").expect_code(0);
    refused(
        &lkroute,
        "rollback --to 9",
        "`lkroute history` has them all",
    );
    run(&lkroute, "history").expect_code(0);
    refused(
        &lkroute,
        "trust --revoke a.example",
        "`lkroute trust` lists",
    );
    run(&lkroute, "trust").expect_code(0);
    refused(
        &lkroute,
        "import --out routing",
        "name a new directory with --out",
    );
    run(&lkroute, "import --out other").expect_code(0);
    let number = "binding.+971545335200@sasya";
    let release = format!("release {number} --auto-approve");
    refused(&lkroute, &release, "take it out of the files first");
    let text = lkroute.read("routing/uae.toml");
    let start = text.split("[[bindings]]").next().expect("a start");
    lkroute.write("routing/uae.toml", start);
    run(&lkroute, &release).expect_code(0);
    refused(&lkroute, &release, "`lkroute history --address`");
    run(&lkroute, &format!("history --address {number}")).expect_code(0);
}

/// A config that goes while rows of others hold it: the numbers move first.
#[test]
fn a_config_that_is_held_by_rows_goes_when_they_have_moved() {
    let lkroute = Lkroute::with_two_regions();
    run(&lkroute, "apply --auto-approve").expect_code(0);
    let id = "e3ca4a84-4cc3-4be5-8240-34366fe4d0c5";
    lkroute.sql(&format!(
        "INSERT INTO voice_agent_numbers (id, tenant_id, country_code, base_number, rules)
             VALUES ('aaaaaaaa-0000-4000-8000-000000000001', '{TENANT_UAE}', '+971', 545335301,
               '{{\"livekit_config\": \"{id}\"}}')"
    ));
    std::fs::remove_file(lkroute.path().join("routing/uae.toml")).expect("removed");
    refused(
        &lkroute,
        "plan",
        "1 number row still holds its id (1 of tenant sasya)",
    );
    refused(&lkroute, "plan", "move them to another config first");
    lkroute.sql("UPDATE voice_agent_numbers SET rules = '{}' WHERE base_number = 545335301");
    let plan = run(&lkroute, "plan");
    assert_lacks!(plan.stdout, "config-in-use");
}
