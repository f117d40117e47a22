//! A migrated SQLite database with two configs on one stand-in, and a `lkroute`
//! whose output is looked through for secrets.

use lkroute::secrets::{KeyRing, Secret, SecretFormat, seal};
use serde_json::Value;
use uuid::Uuid;

use crate::livekit::standin::{KEY, SECRET, StandIn};
use crate::review::schema::assert_valid;
use crate::support::{CONFIG_INDIA, CONFIG_UAE, Lkroute, Run, TENANT_INDIA, TENANT_UAE, words_of};

/// `made-up key for lkroute's tests`, and another.
pub const RING: &str = "tests:bWFkZS11cCBrZXkgZm9yIGxrcm91dGUncyB0ZXN0cyE";
pub const OTHER_RING: &str = "tests:YW5vdGhlciBtYWRlLXVwIGtleSBmb3IgdGhlIHRlc3Q";

pub const FROM: &str = "+919513456728";
pub const TO: &str = "+919876543210";
pub const TRUNK: &str = "ST_MmVqEuBMDNf6";
/// Of a config that is another's fallback.
pub const BACKUP_TRUNK: &str = "ST_backup";
pub const BACKUP_WORKER: &str = "voag-backup";

pub const FILE: &str = "routing/india.toml";
pub const WORKER: &str = "worker_name = \"voag-dev\"\n";

pub struct World {
    pub lkroute: Lkroute,
    pub standin: StandIn,
}

impl World {
    /// No file, no database; the stand-in has the trunk, the shell the secret of
    /// [`files`].
    pub fn empty() -> World {
        let world = World {
            lkroute: Lkroute::new(),
            standin: StandIn::start(),
        };
        world.standin.world().trunks.push(trunk());
        world
            .with("LKROUTE_KEYS", RING)
            .with("LKROUTE_SECRET_MADE_UP", SECRET)
    }

    /// [`files`] in `FILE`, with `more` below the worker of the config; not applied.
    pub fn of_files(more: &str) -> World {
        let world = World::empty();
        let text = files(&world.standin.url(), TENANT_INDIA, TRUNK);
        world
            .lkroute
            .write(FILE, &text.replace(WORKER, &format!("{WORKER}{more}")));
        world
    }

    pub fn apply(&self) {
        self.run(&["apply", "--auto-approve"]).expect_code(0);
    }

    pub fn new() -> World {
        let world = World::empty().with("USER", "asha").with("HOSTNAME", "desk");
        world.run(&["migrate"]).expect_code(0);
        let url = world.standin.url();
        world
            .run(&["trust", &url, "--reason", "the server of the tests"])
            .expect_code(0);
        world.config(CONFIG_INDIA, "india-techiemaya-cloud", &url, "voag-dev");
        world.config(CONFIG_UAE, "uae-vm-selfhosted", &url, "voag-staging");
        world.number(TENANT_INDIA, "+91", 9_513_456_728, CONFIG_INDIA, "");
        let rules = r#", "allowed_outbound": "uae""#;
        world.number(TENANT_UAE, "+971", 545_335_200, CONFIG_UAE, rules);
        world
    }

    pub fn with(mut self, variable: &str, value: &str) -> World {
        self.lkroute.env(variable, value);
        self
    }

    fn config(&self, id: &str, name: &str, url: &str, worker: &str) {
        let sealed = sealed(id, SECRET);
        self.sql(&format!(
            "INSERT INTO voice_agent_livekit (id, name, livekit_url, livekit_api_key,
               livekit_api_secret, trunk_id, worker_name)
             VALUES ('{id}', '{name}', '{url}', '{KEY}', '{sealed}', '{TRUNK}', '{worker}')"
        ));
    }

    pub fn number(&self, tenant: &str, code: &str, base: i64, config: &str, rules: &str) {
        let id = Uuid::new_v4();
        self.sql(&format!(
            "INSERT INTO voice_agent_numbers (id, tenant_id, country_code, base_number, provider,
               status, rules)
             VALUES ('{id}', '{tenant}', '{code}', {base}, 'TechieMaya FZE', 'active',
               '{{\"livekit_config\": \"{config}\"{rules}}}')"
        ));
    }

    /// Runs SQL; the first column of each row.
    pub fn sql(&self, sql: &str) -> Vec<String> {
        self.lkroute.sql_rows(sql)
    }

    /// Runs a command, whose output must hold no sealed secret either.
    pub fn run(&self, args: &[&str]) -> Run {
        clean(self.lkroute.run(args))
    }

    /// Places a call; the limits are short.
    pub fn dispatch(&self, args: &[&str]) -> Run {
        let call = ["dispatch", "--from", FROM, "--to", TO];
        let limits = ["--timeout", "1s", "--settle", "600ms"];
        self.run(&[&call[..], &limits, args].concat())
    }

    pub fn json(&self, args: &[&str], code: i32) -> Value {
        let args = [args, &["--format", "json"]].concat();
        let run = self.dispatch(&args).expect_code(code);
        let report = assert_valid("dispatch", &run.stdout);
        assert_eq!(report["format_version"], 1);
        if code != 0 {
            assert_eq!(report["error"]["exit"], code, "{report}");
        }
        report
    }

    /// The statuses of the records, the latest first.
    pub fn recorded(&self) -> Vec<String> {
        self.sql("SELECT status FROM lkroute_dispatches ORDER BY at DESC, id DESC")
    }

    /// How many creates reached the server.
    pub fn creates(&self) -> usize {
        self.standin.posts("CreateDispatch").len()
    }
}

/// `lkroute` with `files` applied, where another server than a stand-in is asked.
pub fn routed(files: &str) -> Lkroute {
    let mut lkroute = Lkroute::new();
    lkroute
        .env("LKROUTE_SECRET_MADE_UP", SECRET)
        .env("LKROUTE_KEYS", RING);
    lkroute.write(FILE, files);
    clean(lkroute.run(&["apply", "--auto-approve"])).expect_code(0);
    lkroute
}

pub fn trunk() -> livekit_protocol::SipOutboundTrunkInfo {
    livekit_protocol::SipOutboundTrunkInfo {
        sip_trunk_id: TRUNK.to_owned(),
        ..Default::default()
    }
}

pub fn sealed(id: &str, secret: &str) -> String {
    let ring = KeyRing::parse(RING).expect("a ring");
    let id = Uuid::parse_str(id).expect("a uuid");
    let secret = Secret::new(secret.to_owned());
    let sealed = seal(&ring, id, &secret, SecretFormat::Aes256Gcm, None).expect("sealed");
    sealed.as_str().to_owned()
}

/// Asserts that no output holds a token or a sealed secret, either.
#[track_caller]
pub fn clean(run: Run) -> Run {
    for text in [&run.stdout, &run.stderr] {
        let found = ["eyJ", "lkr1:"].iter().find(|held| text.contains(**held));
        assert_eq!(found, None, "{text}");
    }
    run
}

/// Standard error without its line breaks.
pub fn said(run: &Run) -> String {
    words_of(&run.stderr)
}

/// The files of a config on one server with a fallback on another.
pub fn files_with_fallback(url: &str, other: &str) -> String {
    let fallback = format!("{WORKER}fallback = \"backup\"\n");
    let text = files(url, TENANT_INDIA, TRUNK).replace(WORKER, &fallback);
    text + &backup("backup", CONFIG_UAE, other)
}

/// A config that may be the fallback of another.
pub fn backup(name: &str, id: &str, url: &str) -> String {
    let variable = format!("LKROUTE_SECRET_{}", name.to_uppercase());
    format!(
        r#"
[configs.{name}]
id = "{id}"
region = "india"
url = "{url}"
api_key = "{KEY}"
api_secret = {{ env = "{variable}" }}
trunk_id = "{BACKUP_TRUNK}"
worker_name = "{BACKUP_WORKER}"
deployment = "standby"
"#
    )
}

/// Routing files with one config on `url`, and one number of `tenant`.
pub fn files(url: &str, tenant: &str, trunk: &str) -> String {
    format!(
        r#"
[tenants]
techiemaya-test = "{tenant}"

[regions.india]
country_codes = ["+91"]

[configs.india-techiemaya-cloud]
id = "{CONFIG_INDIA}"
region = "india"
url = "{url}"
api_key = "{KEY}"
api_secret = {{ env = "LKROUTE_SECRET_MADE_UP" }}
trunk_id = "{trunk}"
worker_name = "voag-dev"

[[bindings]]
number = "{FROM}"
tenant = "techiemaya-test"
config = "india-techiemaya-cloud"
provider = "TechieMaya FZE"
rules = {{ outbound = true }}
"#
    )
}
