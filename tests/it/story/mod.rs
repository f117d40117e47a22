//! The whole story of a database that lkroute takes over, with the real binary
//! and on both engines: from the first look at what others made to the last
//! object given back. All that is not ours is the same at the end.

mod made;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use made::{address, number, sealed_by_python, tenant};

use crate::secrets_python::python;
use crate::store::base::*;
use crate::support::{FERNET_KEY, Lkroute, Run};

const INDIA: &str = "india-techiemaya-cloud";
const UAE: &str = "uae-vm-selfhosted";
/// A made-up key ring.
const KEYS: &str = "story:bWFkZS11cCBrZXkgb2YgdGhlIHN0b3J5LCBubyAxISE";
/// The secrets of the two configs, and of the one that comes later.
const SECRETS: [&str; 3] = [
    "made-up-secret-uae",
    "made-up-secret-india",
    "made-up-secret-vm-2",
];

#[tokio::test]
async fn a_live_database_is_taken_over_and_given_back_on_postgres() {
    if let Some(base) = Base::legacy_postgres("story") {
        tell(base).await;
    }
}

#[tokio::test]
async fn a_live_database_is_taken_over_and_given_back_on_sqlite() {
    tell(Base::legacy_sqlite().await).await;
}

struct Story {
    base: Base,
    lkroute: Lkroute,
}

async fn tell(base: Base) {
    let Some(sealed) = sealed_by_python() else {
        return;
    };
    let mut story = Story::new(base, &sealed).await;
    let before = story.others().await;
    story.imported_and_adopted().await;
    assert_eq!(story.others().await, before);
    story.written_by_others().await;
    let others = story.others().await;
    assert_ne!(others, before);
    story.changed().await;
    story.drifted().await;
    story.moved_in_waves().await;
    story.rolled_back().await;
    story.still_read_by_python().await;
    story.given_back().await;
    assert_eq!(story.others().await, others, "what is not ours");
}

impl Story {
    async fn new(base: Base, sealed: &[String]) -> Story {
        let mut lkroute = Lkroute::new();
        lkroute.env("DATABASE_URL", &base.url_text());
        if let Some(schema) = &base.schema {
            lkroute.env("LKROUTE_SCHEMA", schema);
        }
        lkroute.env("USER", "asha").env("HOSTNAME", "desk");
        let story = Story { base, lkroute };
        story.made_by_others(sealed).await;
        story
    }

    fn run(&self, line: &str) -> Run {
        let words: Vec<&str> = line.split_whitespace().collect();
        self.lkroute.run(&words)
    }

    #[track_caller]
    fn report(&self, line: &str, code: i32) -> Value {
        self.run(&format!("{line} --format json"))
            .expect_code(code)
            .json()
    }

    /// Nothing is left to do, and nothing has drifted.
    #[track_caller]
    fn settled(&self) {
        self.run("plan --detailed-exitcode").expect_code(0);
        self.run("drift").expect_code(0);
    }

    async fn imported_and_adopted(&self) {
        let before = self.application().await;
        self.run("migrate --check").expect_code(1);
        self.run("migrate").expect_code(0);
        self.run("migrate --check").expect_code(0);
        let import = self.report("import --out routing", 0);
        assert_eq!(
            (&import["summary"]["configs"], &import["summary"]["numbers"]),
            (&json!(2), &json!(999)),
            "{import:#}"
        );
        assert_eq!(import["summary"]["tenants"], 40);
        let reasons = import["not_imported"].as_array().expect("a list");
        let reasons: BTreeSet<_> = reasons
            .iter()
            .map(|reason| reason["reason"].as_str().expect("a word"))
            .collect();
        let expected = [
            "dangling-config",
            "duplicate-rows",
            "inactive",
            "rules-no-object",
            "unreadable-number",
        ];
        assert_eq!(reasons, BTreeSet::from(expected));
        self.run("import --out routing").expect_code(1);
        self.run("validate").expect_code(0);
        self.run("fmt --check").expect_code(0);

        let plan = self.report("plan --detailed-exitcode", 2);
        assert_eq!(
            (
                &plan["summary"]["adopt"],
                &plan["summary"]["create"],
                &plan["summary"]["update"]
            ),
            (&json!(1001), &json!(2), &json!(0))
        );
        self.run("apply").expect_code(1);
        self.run("apply --auto-approve").expect_code(0);
        assert_eq!(self.application().await, before);
        self.settled();
    }

    /// The admin UI goes on: keys and rows of its own.
    async fn written_by_others(&self) {
        let rules = match self.base.schema {
            Some(_) => r#"rules || '{"ui": {"colour": 7}, "capabilities": []}'"#,
            None => r#"json_patch(rules, '{"ui": {"colour": 7}, "capabilities": []}')"#,
        };
        let set = format!("UPDATE {{voice_agent_numbers}} SET rules = {rules}");
        self.base
            .sql(&format!("{set} WHERE default_agent_id < 500"))
            .await;
        self.base
            .sql(&format!(
                "INSERT INTO {{voice_agent_livekit}}
                   (id, name, livekit_url, livekit_api_key, livekit_api_secret)
                 VALUES ('{}', 'theirs', 'wss://theirs.example', 'APItheirs', 'made-up-plain-of-theirs')",
                id(0x7e15)
            ))
            .await;
        self.settled();
    }

    /// A reviewed change, with the exception that it needs, applied as it was
    /// approved.
    async fn changed(&self) {
        self.lkroute
            .edit("routing/uae.toml", "voag-staging", "voag-production");
        let plan = self.report("plan", 4);
        let refusals = plan["refusals"].as_array().expect("a list");
        assert_eq!(refusals.len(), 1, "{refusals:#?}");
        let hint = refusals[0]["hint"].as_str().expect("what to do");
        let (_, exception) = hint.split_once('\n').expect("a block to paste");
        let exception = exception.replace("\"\"", "\"the workers are ready\"");
        self.lkroute
            .write("routing/exceptions.toml", &(exception + "\n"));
        self.run("plan --detailed-exitcode --out approved.lkplan")
            .expect_code(2);
        self.run("show approved.lkplan").expect_code(0);
        let applied = self.report("apply approved.lkplan --auto-approve", 0);
        assert_eq!(applied["applied"]["id"], 2);
        self.settled();
        self.run("apply approved.lkplan --auto-approve")
            .expect_code(5);
    }

    async fn drifted(&self) {
        let (rules, live) = match self.base.schema {
            Some(_) => (
                "jsonb_set(rules, '{outbound}', 'true')",
                "rules->>'outbound'",
            ),
            None => (
                "json_set(rules, '$.outbound', json('true'))",
                "json_extract(rules, '$.outbound')",
            ),
        };
        self.base
            .sql(&format!(
                "UPDATE {{voice_agent_numbers}} SET rules = {rules} WHERE default_agent_id = 760"
            ))
            .await;
        self.base
            .sql(&format!(
                "UPDATE {{voice_agent_livekit}} SET trunk_id = 'ST_theirs' WHERE name = '{UAE}'"
            ))
            .await;

        let drift = self.report("drift", 7);
        let objects = drift["objects"].as_array().expect("a list");
        let [config, binding] = objects.as_slice() else {
            panic!("{drift:#}");
        };
        assert_eq!(
            (&config["address"], &binding["address"]),
            (&json!(format!("config.{UAE}")), &json!(self.known_as(760)))
        );
        let field = &binding["fields"][0];
        assert_eq!(
            (&field["name"], &field["applied"], &field["live"]),
            (&json!("rules.outbound"), &json!(false), &json!(true))
        );
        assert_eq!(
            (&field["by"]["id"], &config["fields"][0]["by"]["id"]),
            (&json!(1), &json!(1))
        );
        assert!(binding["touched"].is_string(), "{binding:#}");

        // Setting it back would stop the number's calls: the guards see that.
        let refused = self.run("plan --detailed-exitcode").expect_code(4);
        assert_contains!(refused.stdout, "route-lost");
        // Nobody has looked at it, so nothing happens to it.
        self.run("apply --auto-approve").expect_code(0);
        assert_eq!(
            self.report("drift", 7)["objects"].as_array().map(Vec::len),
            Some(2)
        );

        // Both sides changed the same field.
        let before = self.lkroute.read("routing/uae.toml");
        self.lkroute
            .edit("routing/uae.toml", "ST_svHE4RdTc7Ds", "ST_another");
        self.run("plan").expect_code(6);
        self.run("apply --auto-approve").expect_code(6);
        self.lkroute.write("routing/uae.toml", &before);

        self.run(&format!("drift --accept {}", self.known_as(760)))
            .expect_code(0);
        self.run("fmt --check").expect_code(0);
        let plan = self.report("plan", 0);
        assert_eq!(
            (&plan["summary"]["adopt"], &plan["summary"]["update"]),
            (&json!(1), &json!(1))
        );
        self.run("apply --auto-approve --revert-drift")
            .expect_code(0);
        self.settled();
        let of = |what: &str, rest: &str| format!("SELECT {what} {rest}");
        let outbound = self
            .base
            .sql(&of(
                live,
                "FROM {voice_agent_numbers} WHERE default_agent_id = 760",
            ))
            .await;
        assert!(["true", "1"].contains(&outbound.as_str()), "{outbound}");
        let trunk = self
            .base
            .sql(&of(
                "trunk_id",
                &format!("FROM {{voice_agent_livekit}} WHERE name = '{UAE}'"),
            ))
            .await;
        assert_eq!(trunk, "ST_svHE4RdTc7Ds");
    }

    /// The address as the imported files name the tenant.
    fn known_as(&self, n: u32) -> String {
        let tenants = self.lkroute.read("routing/tenants.toml");
        let tenant = tenant(n / 25);
        let line = tenants.lines().find(|line| line.contains(&tenant));
        let alias = line
            .and_then(|line| line.split_whitespace().next())
            .expect("an alias");
        address(n).replace(&tenant, alias)
    }

    async fn moved_in_waves(&mut self) {
        self.lkroute
            .env("LKROUTE_KEYS", KEYS)
            .env("LIVEKIT_SECRET_ENCRYPTION_KEY", FERNET_KEY);
        let seal = ["secrets", "seal", "--config", "india-vm-2"];
        self.lkroute.write(
            "routing/vm-2.toml",
            "[configs.india-vm-2]\nregion = \"india\"\nurl = \"wss://vm-2.india.example\"\n\
             api_key = \"APImadeupvm2\"\ntrunk_id = \"ST_madeUp\"\nworker_name = \"voag-dev-v2\"\n",
        );
        self.lkroute
            .run_with_input(&seal, SECRETS[2])
            .expect_code(0);
        let mut earlier = BTreeSet::new();
        for percent in [10, 20, 40] {
            self.lkroute.write("routing/waves.toml", &wave(percent));
            self.run("plan --detailed-exitcode").expect_code(2);
            self.run("apply --auto-approve").expect_code(0);
            self.settled();
            let moved = self.users_of("india-vm-2").await;
            assert!(moved.is_superset(&earlier) && moved.len() > earlier.len());
            let share = moved.len() * 100 / 800;
            assert!(share.abs_diff(percent) < 5, "{share} % of {percent} %");
            assert!(moved.is_disjoint(&(0..200).collect()), "the UAE stays");
            let new = *moved.difference(&earlier).next().expect("some");
            self.in_wave(new, percent);
            earlier = moved;
            self.a_day_passes().await;
        }
        let list = self.report("list --config india-vm-2", 0);
        let list = list["numbers"].as_array().expect("a list");
        let waves: BTreeSet<&str> = list
            .iter()
            .filter_map(|number| number["rollout"].as_str())
            .collect();
        assert_eq!((list.len(), waves.len()), (earlier.len(), 3), "{waves:?}");
    }

    /// A wave a day: what is moved within a day counts together.
    async fn a_day_passes(&self) {
        let yesterday = match self.base.schema {
            Some(_) => "at - interval '1 day'",
            None => "strftime('%Y-%m-%dT%H:%M:%fZ', at, '-1 day')",
        };
        let update = format!("UPDATE {{lkroute_applies}} SET at = {yesterday}");
        self.base.sql(&update).await;
    }

    /// The explanation says which wave took a number along.
    fn in_wave(&self, n: u32, percent: usize) {
        let (code, base) = number(n);
        let tenant = tenant(n / 25);
        let line = format!("resolve --from {code}{base} --tenant {tenant} --explain");
        let explained = self.run(&line).expect_code(0).stdout;
        let words: Vec<&str> = explained.split_whitespace().collect();
        let wave = format!("by rollout {INDIA} → india-vm-2: {percent} %");
        assert!(words.join(" ").contains(&wave), "{explained}");
    }

    /// The last wave is undone, and the next run does not bring it back.
    async fn rolled_back(&self) {
        let before = self.users_of("india-vm-2").await;
        let history = self.report("history", 0);
        let last = history["applies"][0]["id"].as_u64().expect("an id");
        let back = [
            "rollback",
            "--to",
            &(last - 1).to_string(),
            "--auto-approve",
            "--reason",
            "calls fail",
        ];
        self.lkroute.run(&back).expect_code(0);
        let after = self.users_of("india-vm-2").await;
        assert!(after.is_subset(&before) && after.len() < before.len());
        let held = self.run("apply --auto-approve").expect_code(4);
        assert_contains!(held.stdout, "calls fail");
        assert_eq!(self.users_of("india-vm-2").await, after);
        self.lkroute.write("routing/waves.toml", &wave(20));
        self.settled();
    }

    /// With what lkroute has sealed by then.
    async fn still_read_by_python(&self) {
        let stored = self
            .base
            .sql(&format!(
                "SELECT livekit_api_secret FROM {{voice_agent_livekit}}
                 WHERE name IN ('{UAE}', '{INDIA}', 'india-vm-2') ORDER BY name DESC"
            ))
            .await;
        let code = "from cryptography.fernet import Fernet\n\
                    print(json.dumps([Fernet(data['key']).decrypt(text[8:]).decode() for text in data['texts']]))";
        let texts: Vec<&str> = stored.lines().collect();
        let opened =
            python(code, &json!({ "key": FERNET_KEY, "texts": texts })).expect("as before");
        assert_eq!(opened, json!([SECRETS[0], SECRETS[2], SECRETS[1]]));
    }

    async fn given_back(&self) {
        let before = self.application().await;
        let released = self.known_as(998);
        self.run(&format!("release {released} --auto-approve"))
            .expect_code(1);
        std::fs::remove_dir_all(self.lkroute.path().join("routing")).expect("leave the repository");
        self.run("plan").expect_code(3);
        self.run("release --all").expect_code(1);
        self.run(&format!("release {released} --auto-approve"))
            .expect_code(0);
        self.run("release --all --auto-approve").expect_code(0);
        let ours = "SELECT count(*) FROM {lkroute_bindings} WHERE until IS NULL";
        assert_eq!(self.base.sql(ours).await, "0");
        self.run("drift").expect_code(0);
        assert_eq!(self.application().await, before);
    }
}

fn wave(percent: usize) -> String {
    format!("[[rollouts]]\nfrom = \"{INDIA}\"\nto = \"india-vm-2\"\npercent = {percent}\n")
}
