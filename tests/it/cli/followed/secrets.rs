//! Hints about keys and secrets.

use super::{Lkroute, run};
use crate::support::{CONFIG_UAE, DEMO_KEYS, Run};

const FILE: &str = "routing/uae.toml";
const CONFIG: &str = "uae-vm-selfhosted";
const SECRET: &str = "made-up-secret-0123456789abcdef";

fn seal(lkroute: &Lkroute) -> crate::support::Run {
    lkroute.run_with_input(&["secrets", "seal", "--config", CONFIG], SECRET)
}

/// The sample's secret of the UAE in another way.
fn secret_line(lkroute: &Lkroute, line: &str) {
    let text = lkroute.read(FILE);
    let lines = text.lines().map(|old| match old.starts_with("api_secret") {
        true => line,
        false => old,
    });
    let lines: Vec<&str> = lines.collect();
    lkroute.write(FILE, &(lines.join("\n") + "\n"));
}

#[test]
fn a_secret_that_is_missing_broken_or_of_another_is_sealed() {
    let mut lkroute = Lkroute::with_two_regions();
    let none = seal(&lkroute).expect_code(1);
    let made = none
        .told("LKROUTE_KEYS or --keys gives the key ring; `lkroute secrets keygen` makes a key");
    let key = made.run(&lkroute, &[]).expect_code(0).stdout;
    lkroute.env("LKROUTE_KEYS", "nonsense");
    let wrong = seal(&lkroute).expect_code(1);
    let written =
        wrong.told("`lkroute secrets keygen` writes an entry; docs/secrets.md has the format");
    written.run(&lkroute, &[]).expect_code(0);
    lkroute.env("LKROUTE_KEYS", key.trim());
    for (line, hint) in [
        ("", "`lkroute secrets seal --config NAME` writes it"),
        (
            "api_secret = { sealed = \"lkr1:broken\" }",
            "seal it anew: `lkroute secrets seal --config NAME`",
        ),
    ] {
        secret_line(&lkroute, line);
        let ran = run(&lkroute, "validate").expect_code(3);
        let words = crate::support::told(&ran.stdout, hint);
        let empty = words.run(&lkroute, &[("NAME", CONFIG)]).expect_code(1);
        let nothing = empty.told("give the API secret itself");
        nothing.then(|| seal(&lkroute)).expect_code(0);
        run(&lkroute, "validate").expect_code(0);
    }
    secret_line(&lkroute, "");
    run(&lkroute, "validate")
        .told("`lkroute secrets seal --config NAME` writes it")
        .then(|| seal(&lkroute))
        .expect_code(0);
    secret_line(&lkroute, "api_secret = { sealed = \"lkr1:broken\" }");
    run(&lkroute, "validate")
        .told("seal it anew: `lkroute secrets seal --config NAME`")
        .then(|| seal(&lkroute))
        .expect_code(0);
    lkroute.edit(FILE, CONFIG_UAE, "99999999-4cc3-4be5-8240-34366fe4d0c5");
    let other = run(&lkroute, "validate").expect_code(3);
    let anew = other.told("seal it anew: `lkroute secrets seal --config {}`");
    anew.then(|| seal(&lkroute)).expect_code(0);
    run(&lkroute, "validate").expect_code(0);
    lkroute.edit(FILE, "url = ", "url = = ");
    let broken = seal(&lkroute).expect_code(3);
    broken
        .told("`lkroute validate` says where")
        .run(&lkroute, &[])
        .expect_code(3);
}

#[test]
fn odd_secrets_are_answered() {
    let mut lkroute = Lkroute::with_two_regions();
    let key = run(&lkroute, "secrets keygen").expect_code(0).stdout;
    lkroute.env("LKROUTE_KEYS", key.trim());
    let seal_text =
        |text: &str| lkroute.run_with_input(&["secrets", "seal", "--config", CONFIG], text);
    let two = seal_text("made-up\nof two lines").expect_code(1);
    let hinted = two.told(
        "LiveKit would get another secret than the one that was meant: give it in one line, without blanks or quotes around it (one line end after it is taken off)",
    );
    hinted
        .then(|| seal_text("made-up-secret-of-one-line\n"))
        .expect_code(0);
    let text = lkroute.read(FILE);
    let value = text
        .split("sealed = \"")
        .nth(1)
        .expect("a value")
        .split('"')
        .next()
        .expect("its end")
        .to_owned();
    let again = lkroute.command(&["secrets", "seal", "--config", CONFIG]);
    drop(again);
    let sealed = seal_text(&value);
    let hinted = sealed.told("a sealed value goes into the files as `{ sealed = \"…\" }`, and opens for the config that it was sealed for");
    hinted.then(|| run(&lkroute, "validate")).expect_code(0);
}

#[test]
fn a_ring_is_asked_for_and_rotated() {
    let mut lkroute = Lkroute::with_two_regions();
    lkroute.env("LKROUTE_KEYS", DEMO_KEYS);
    let without = run(&lkroute, "secrets rotate --to none").expect_code(1);
    let made = without.told("`lkroute secrets keygen` makes one");
    let key = made.run(&lkroute, &[]).expect_code(0).stdout;
    lkroute.env("LKROUTE_KEYS", key.trim());
    let closed = run(&lkroute, "secrets rotate").expect_code(1);
    let ring = closed.told("no file was changed; LKROUTE_KEYS or --keys gives the key ring, LIVEKIT_SECRET_ENCRYPTION_KEY the Fernet key");
    seal(&lkroute).expect_code(0);
    lkroute
        .run_with_input(
            &["secrets", "seal", "--config", "india-techiemaya-cloud"],
            SECRET,
        )
        .expect_code(0);
    let file = lkroute.write_private("ring", key.trim());
    ring.with(
        &lkroute,
        &format!("secrets rotate --keys {}", file.display()),
    )
    .expect_code(0);
    // A sealed text over two lines.
    let text = lkroute.read(FILE);
    let folded = text.replacen("sealed = \"lkr1:", "sealed = \"\"\"lkr1:\\\n", 1);
    let (head, tail) = folded.split_once("\"\"\"lkr1").expect("a sealed text");
    let folded = format!("{head}\"\"\"lkr1{}", tail.replacen("\" }", "\"\"\" }", 1));
    lkroute.write(FILE, &folded);
    let third = run(&lkroute, "secrets keygen").expect_code(0).stdout;
    let ring = lkroute.write_private("third", &format!("{}\n{}\n", third.trim(), key.trim()));
    let rotate = format!("secrets rotate --keys {}", ring.display());
    let two_lines = run(&lkroute, &rotate).expect_code(1);
    let hinted = two_lines.told("write it on one; no file was changed");
    hinted.then(|| lkroute.write(FILE, &text));
    let second = run(&lkroute, "secrets keygen").expect_code(0).stdout;
    let both = lkroute.write_private("ring", &format!("{}\n{}\n", second.trim(), key.trim()));
    let keys = format!("--keys {}", both.display());
    let due = run(&lkroute, &format!("secrets rotate --check {keys}")).expect_code(1);
    let hinted = due.told("`lkroute secrets rotate` does it");
    lkroute.env(
        "LKROUTE_KEYS",
        &format!("{}\n{}", second.trim(), key.trim()),
    );
    let done = hinted.run(&lkroute, &[]).expect_code(0);
    let plan =
        done.told("{} re-sealed in the files; `lkroute plan` shows what follows in the database");
    plan.run(&lkroute, &[]).expect_code(0);
    secret_line(&lkroute, "api_secret = { env = \"LKROUTE_SECRET_X\" }");
    lkroute.env("LKROUTE_SECRET_X", SECRET);
    let others = run(&lkroute, "secrets rotate").expect_code(0);
    let applied = others.told(
        "{} from a variable or a file: `lkroute apply` seals {} with the first key of the ring",
    );
    let asked = applied.run(&lkroute, &[]).expect_code(1);
    asked
        .told("`lkroute apply --auto-approve`")
        .run(&lkroute, &[]);
    run(&lkroute, "apply --auto-approve").expect_code(0);
}

#[test]
fn a_variable_or_a_file_that_is_not_there() {
    let mut lkroute = Lkroute::with_two_regions();
    let key = run(&lkroute, "secrets keygen").expect_code(0).stdout;
    secret_line(&lkroute, "api_secret = { env = \"LKROUTE_SECRET_X\" }");
    let unset = run(&lkroute, "apply --auto-approve").expect_code(1);
    let unset = unset.told("nothing was changed: set {name} for this command");
    lkroute.env("LKROUTE_SECRET_X", SECRET);
    let without = unset.with(&lkroute, "apply --auto-approve").expect_code(1);
    let keys = without.told("nothing was changed; LKROUTE_KEYS or --keys gives the key ring, LIVEKIT_SECRET_ENCRYPTION_KEY the Fernet key");
    lkroute.env("LKROUTE_KEYS", key.trim());
    keys.with(&lkroute, "apply --auto-approve").expect_code(0);
    // A variable that the last apply's list does not name.
    secret_line(&lkroute, "api_secret = { env = \"OTHER_SECRET\" }");
    lkroute.env("OTHER_SECRET", SECRET);
    let listed = "[secrets]\nenv = [\"OTHER_SECRET\"]\n";
    lkroute.write("routing/list.toml", listed);
    let refused = run(&lkroute, "plan").expect_code(4);
    let hinted = refused.told(
        "apply the longer list first, in a change of its own: which variables a change may read is for an earlier review to say",
    );
    secret_line(&lkroute, "api_secret = { env = \"LKROUTE_SECRET_X\" }");
    hinted
        .then(|| run(&lkroute, "apply --auto-approve"))
        .expect_code(0);
    secret_line(&lkroute, "api_secret = { env = \"OTHER_SECRET\" }");
    run(&lkroute, "apply --auto-approve").expect_code(0);
    // A first apply takes the files' own list, and says so.
    let mut other = Lkroute::with_two_regions();
    other
        .env("LKROUTE_KEYS", key.trim())
        .env("OTHER_SECRET", SECRET);
    other.write("routing/list.toml", listed);
    secret_line(&other, "api_secret = { env = \"OTHER_SECRET\" }");
    let warned = run(&other, "plan").expect_code(0);
    let hinted =
        warned.told("the list is stored by the first apply; from then on the stored one counts");
    hinted
        .then(|| run(&other, "apply --auto-approve"))
        .expect_code(0);
    let after = run(&other, "plan").expect_code(0).stdout;
    assert_lacks!(after, "secret-variable-listed");
    // A file that is not there yet.
    let mut absent = Lkroute::with_two_regions();
    absent.env("LKROUTE_KEYS", key.trim());
    secret_line(&absent, "api_secret = { file = \"later\" }");
    let missing = run(&absent, "apply --auto-approve").expect_code(1);
    let hinted = missing.told(
        "nothing was changed: put the secret there, or into the directory that LKROUTE_SECRETS_DIR names",
    );
    hinted.then(|| absent.write_private("routing/later", SECRET));
    run(&absent, "apply --auto-approve").expect_code(0);
    // A file elsewhere.
    secret_line(&lkroute, "api_secret = { file = \"../outside\" }");
    lkroute.write_private("outside", SECRET);
    let refused = run(&lkroute, "plan").expect_code(4);
    let hinted = refused.told(
        "a secret's file is a regular file below the routing directory, or below the directory that LKROUTE_SECRETS_DIR names",
    );
    secret_line(&lkroute, "api_secret = { file = \"secret\" }");
    lkroute.write_private("elsewhere/secret", SECRET);
    let dir = lkroute.path().join("elsewhere").display().to_string();
    lkroute.env("LKROUTE_SECRETS_DIR", &dir);
    hinted.with(&lkroute, "plan").expect_code(0);
}

#[test]
fn plain_text_in_the_database() {
    let mut lkroute = Lkroute::with_two_regions();
    let key = run(&lkroute, "secrets keygen").expect_code(0).stdout;
    lkroute.env("LKROUTE_KEYS", key.trim());
    seal(&lkroute).expect_code(0);
    run(&lkroute, "apply --auto-approve").expect_code(0);
    lkroute.sql(&format!(
            "UPDATE voice_agent_livekit SET livekit_api_secret = 'made-up-secret-in-clear' WHERE id = '{CONFIG_UAE}'"
        ));
    let listed = run(&lkroute, "secrets list").expect_code(1);
    let hinted =
        listed.told("take it for leaked: get a new one, `lkroute secrets seal` it, `lkroute adopt` it, and apply");
    hinted.then(|| seal(&lkroute)).expect_code(0);
    let call = "dispatch --from +971545335200 --to +971501234567 --dry-run";
    let refused = run(&lkroute, call);
    let hinted = refused.told(
        "somebody wrote it there since the last apply: take it for leaked, get a new one from LiveKit, `lkroute secrets seal --config {name}`, `lkroute adopt config.{name}`, and apply",
    );
    let named = hinted.run(&lkroute, &[]);
    named
        .told("give the API secret itself")
        .then(|| seal(&lkroute))
        .expect_code(0);
    run(&lkroute, &format!("adopt config.{CONFIG}")).expect_code(0);
    run(&lkroute, "apply --auto-approve").expect_code(0);
    run(&lkroute, call).expect_code(0);
    // Without the key that it is sealed with.
    let without = |line: &str| {
        let mut command = lkroute.command(&line.split(' ').collect::<Vec<_>>());
        Run::of_command(command.env_remove("LKROUTE_KEYS"))
    };
    let hinted = without(&call.replace(" --dry-run", "")).told(
        "put its key into LKROUTE_KEYS (or LIVEKIT_SECRET_ENCRYPTION_KEY), or seal the secret again and apply;",
    );
    hinted.with(&lkroute, call).expect_code(0);
    let env = "env --config uae-vm-selfhosted -- true";
    let hint = "put its key into LKROUTE_KEYS, or LIVEKIT_SECRET_ENCRYPTION_KEY";
    without(env).told(hint).with(&lkroute, env).expect_code(0);
}

/// A table that the Python service reads: the files say in which form.
#[test]
fn a_table_of_fernet_values_asks_for_the_form() {
    let mut lkroute = Lkroute::with_two_regions();
    run(&lkroute, "apply --auto-approve").expect_code(0);
    lkroute.sql(
        "INSERT INTO voice_agent_livekit
           (id, name, livekit_url, livekit_api_key, livekit_api_secret)
         VALUES ('cccccccc-0000-4000-8000-000000000001', 'theirs', 'wss://theirs.example',
           'APItheirs', 'dev-s-t-Z0FBQUFBQm1hZGUtdXA')",
    );
    let key = run(&lkroute, "secrets keygen").expect_code(0).stdout;
    lkroute.env("LKROUTE_KEYS", key.trim());
    seal(&lkroute).expect_code(0);
    let refused = run(&lkroute, "plan").expect_code(4);
    let hinted = refused.told("write `[secrets]` and `format = \"fernet\"` into the files as long as that service reads the table, else `format = \"aes-256-gcm\"`");
    hinted.then(|| {
        lkroute.write(
            "routing/secrets.toml",
            "[secrets]\nformat = \"aes-256-gcm\"\n",
        )
    });
    run(&lkroute, "plan").expect_code(0);
}
