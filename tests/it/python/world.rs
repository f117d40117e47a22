//! A number, its config and the fallback of it on two stand-ins, and a call that
//! the command and the package place alike.

use serde_json::{Value, json};

use super::package;
use super::package::Package;
use super::service::SCHEMA;
use crate::calls::world::{BACKUP_TRUNK, RING, TRUNK, files, files_with_fallback, trunk};
pub use crate::calls::world::{BACKUP_WORKER, FROM, TO};
use crate::livekit::standin::{KEY, SECRET, StandIn};
use crate::support::{Db, Lkroute, Postgres, TENANT_INDIA, block_on};

pub const WORKER: &str = "voag-dev";

/// Where the tables are.
pub enum Tables {
    Postgres(Db),
    Sqlite,
}

pub struct World {
    pub tables: Tables,
    pub lkroute: Lkroute,
    pub standin: StandIn,
    pub backup: StandIn,
}

/// What one call was, however it was placed.
#[derive(Debug, PartialEq)]
pub struct Told {
    /// All columns of its record but what differs from call to call.
    pub record: Value,
    /// The methods that each server was asked for, repeated looks taken as one.
    pub asked: [Vec<String>; 2],
    pub exit: i64,
    pub message: Value,
    pub hint: Value,
    pub warnings: Vec<String>,
}

/// `lkroute` with this database, and the files applied.
pub fn routed(tables: &Tables, files: &str) -> Lkroute {
    let mut lkroute = Lkroute::new();
    for (name, value) in [
        ("LKROUTE_KEYS", RING),
        ("LKROUTE_SECRET_MADE_UP", SECRET),
        ("LKROUTE_SECRET_BACKUP", SECRET),
        ("USER", "asha"),
        ("HOSTNAME", "desk"),
    ] {
        lkroute.env(name, value);
    }
    if let Tables::Postgres(db) = tables {
        db.psql(&format!("CREATE SCHEMA IF NOT EXISTS {SCHEMA}"));
        lkroute.env("DATABASE_URL", &db.url);
        lkroute.env("LKROUTE_SCHEMA", SCHEMA);
    }
    lkroute.write("routing/all.toml", files);
    lkroute.run(&["migrate"]).expect_code(0);
    lkroute.run(&["apply", "--auto-approve"]).expect_code(0);
    lkroute
}

/// What `python/tests/dispatch.py` says of its calls, on this database.
pub fn by_package(database: &str, schema: Option<&str>, more: &Value) -> Value {
    placed_by(package().expect("made"), database, schema, more)
}

/// The same of a package in an environment of its own.
pub fn placed_by(package: &Package, database: &str, schema: Option<&str>, more: &Value) -> Value {
    let mut asked = json!({
        "database": database, "schema": schema, "keys": RING, "from": FROM, "to": TO,
    });
    let members = asked.as_object_mut().expect("an object");
    members.extend(more.as_object().expect("an object").clone());
    let said = package.run("dispatch.py", &asked);
    serde_json::from_str(&said).expect("JSON")
}

/// How a connection broke is said in the words of two libraries.
fn without_library_words(text: &str) -> String {
    const BROKE: &str = "before the answer was complete";
    let Some((before, after)) = text.split_once(&format!("{BROKE} (")) else {
        return text.to_owned();
    };
    // A text of the system within it has parentheses of its own.
    let mut open = 1;
    let end = after.find(|c| {
        open += i32::from(c == '(') - i32::from(c == ')');
        open == 0
    });
    let after = end.map_or("", |end| &after[end + 1..]);
    // The record says it a second time.
    format!("{before}{BROKE}{}", without_library_words(after))
}

impl World {
    /// On PostgreSQL; none, reported, where it or Python is missing.
    pub fn new(name: &str) -> Option<World> {
        Self::on(Tables::Postgres(Postgres::shared()?.database(name)), false)
    }

    /// Where the config has a fallback.
    pub fn with_fallback(name: &str) -> Option<World> {
        Self::on(Tables::Postgres(Postgres::shared()?.database(name)), true)
    }

    pub fn on(tables: Tables, fallback: bool) -> Option<World> {
        package()?;
        let (standin, other) = (StandIn::start(), StandIn::start());
        let files = match fallback {
            true => files_with_fallback(&standin.url(), &other.url()),
            false => files(&standin.url(), TENANT_INDIA, TRUNK),
        };
        let world = World {
            lkroute: routed(&tables, &files),
            tables,
            standin,
            backup: other,
        };
        world.reset();
        Some(world)
    }

    /// The servers as they were, with a trunk each and no worker.
    pub fn reset(&self) {
        for (standin, trunk_id) in [(&self.standin, TRUNK), (&self.backup, BACKUP_TRUNK)] {
            standin.forget();
            standin.mend();
            let mut world = standin.world();
            world.trunks = vec![trunk()];
            world.trunks[0].sip_trunk_id = trunk_id.to_owned();
            world.workers.clear();
            world.participants.clear();
            world.posts.clear();
            world.redis = true;
            world.agents_join = true;
            world.keys.insert(KEY.to_owned(), SECRET.to_owned());
        }
    }

    pub fn creates(&self) -> usize {
        self.standin.posts("CreateDispatch").len()
    }

    /// Runs SQL that names its table behind FROM or UPDATE, without a schema.
    pub fn sql(&self, sql: &str) -> String {
        match &self.tables {
            Tables::Postgres(db) => {
                let sql = sql.replace("FROM ", &format!("FROM {SCHEMA}."));
                db.psql(&sql.replace("UPDATE ", &format!("UPDATE {SCHEMA}.")))
            }
            Tables::Sqlite => block_on(async {
                use sqlx::{Connection, Row};
                let url = format!("sqlite://{}", self.sqlite());
                let conn = sqlx::SqliteConnection::connect(&url).await;
                let sql = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()));
                let rows = sql
                    .fetch_all(&mut conn.expect("a file"))
                    .await
                    .expect("SQL");
                let text = |row: &sqlx::sqlite::SqliteRow| -> String { row.get(0) };
                rows.iter().map(text).collect::<Vec<_>>().join("\n")
            }),
        }
    }

    fn sqlite(&self) -> String {
        self.lkroute.path().join("lkroute.db").display().to_string()
    }

    /// The last record: all of it but ids and times, of which it is told
    /// whether they are there.
    pub fn record(&self) -> Value {
        let columns = [
            "status",
            "idempotency_key",
            "from_number",
            "to_number",
            "tenant_id",
            "config_id",
            "config_name",
            "room",
            "dispatch_id",
            "worker",
            "worker_seen",
            "actor",
            "at",
            "finished_at",
        ];
        let pairs = columns.map(|name| format!("'{name}', {name}")).join(", ");
        let (object, detail) = match self.tables {
            Tables::Postgres(_) => ("json_build_object", "detail::json"),
            Tables::Sqlite => ("json_object", "json(detail)"),
        };
        let row = self.sql(&format!(
            "SELECT {object}({pairs}, 'detail', {detail}) FROM lkroute_dispatches
             ORDER BY at DESC, id DESC LIMIT 1"
        ));
        let mut row: Value = serde_json::from_str(&row).expect("JSON");
        let room = row["room"].as_str().expect("a room").to_owned();
        for (of, own) in [
            ("", "at"),
            ("", "finished_at"),
            ("", "dispatch_id"),
            ("/detail", "job_id"),
            ("/detail", "call_log_id"),
            ("/detail", "dialled_at"),
            ("/detail", "dial_ended_at"),
            ("/detail", "answered_after"),
            ("/detail", "sip_call_id"),
            ("/detail/agent", "job_id"),
            // Where an agent was seen first is chance.
            ("/detail", "in_room"),
        ] {
            if let Some(object) = row.pointer_mut(of).and_then(Value::as_object_mut) {
                let there = object.get(own).is_some_and(|value| !value.is_null());
                object.insert(own.to_owned(), there.into());
            }
        }
        let text = without_library_words(&row.to_string().replace(&room, "ROOM"));
        serde_json::from_str(&text).expect("JSON")
    }

    fn asked(&self) -> [Vec<String>; 2] {
        [&self.standin, &self.backup].map(|standin| {
            let posts = &standin.world().posts;
            let mut methods: Vec<String> = posts.iter().map(|post| post.method.clone()).collect();
            methods.dedup();
            // How often it is looked, and at what first, is chance.
            methods.retain(|method| !method.starts_with("List") || method.contains("Trunk"));
            methods.dedup();
            methods
        })
    }

    /// What was said, with the room's name and times taken out.
    fn told(&self, exit: i64, error: [&Value; 2], warnings: &[Value]) -> Told {
        let room =
            self.sql("SELECT room FROM lkroute_dispatches ORDER BY at DESC, id DESC LIMIT 1");
        let same = |text: &Value| match text.as_str() {
            Some(text) => json!(without_library_words(&text.replace(room.trim(), "ROOM"))),
            None => Value::Null,
        };
        // Said of the option, before the call.
        let warnings = warnings
            .iter()
            .filter(|text| !text.to_string().contains("--wait-for-agent is shorter"));
        let warnings = warnings.map(&same);
        Told {
            record: self.record(),
            asked: self.asked(),
            exit,
            message: same(error[0]),
            hint: same(error[1]),
            warnings: warnings
                .filter_map(|text| Some(text.as_str()?.to_owned()))
                .collect(),
        }
    }

    pub fn by_command(&self, args: &[&str]) -> Told {
        let call = ["dispatch", "--from", FROM, "--to", TO, "--format", "json"];
        let limits = ["--timeout", "1s", "--settle", "600ms"];
        let run = self.lkroute.run(&[&call[..], &limits, args].concat());
        let report = run.json();
        let error = &report["error"];
        // Warnings are of the terminal: words in a line, and lines broken.
        let said = run.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        let parts = said.split("warning: ").skip(1);
        let warnings: Vec<Value> = parts
            .map(|text| {
                let end = text.find(" error: ").unwrap_or(text.len());
                json!(text[..end].trim())
            })
            .collect();
        self.told(
            i64::from(run.code),
            [&error["message"], &error["hint"]],
            &warnings,
        )
    }

    pub fn by_package(&self, more: &Value) -> Value {
        match &self.tables {
            Tables::Postgres(db) => by_package(&db.url, Some(SCHEMA), more),
            Tables::Sqlite => {
                let mut more = more.clone();
                more["driver"] = "sqlite".into();
                by_package(&self.sqlite(), None, &more)
            }
        }
    }

    /// One call by the package, as [`World::by_command`] tells one.
    pub fn told_by_package(&self, more: &Value) -> Told {
        let end = self.by_package(more)[0].clone();
        assert!(
            !end.to_string().contains("eyJ") && !end.to_string().contains(SECRET),
            "{end}"
        );
        let exit = end["exit"].as_i64().unwrap_or(0);
        let warnings = end["warnings"].as_array().cloned().unwrap_or_default();
        self.told(exit, [&end["message"], &end["hint"]], &warnings)
    }

    /// Places the call both ways at the same fault; what was told, which is the
    /// same.
    #[track_caller]
    pub fn both(&self, name: &str, args: &[&str], more: &Value, fault: &dyn Fn(&World)) -> Told {
        self.reset();
        fault(self);
        let wanted = self.by_command(args);
        self.reset();
        fault(self);
        let told = self.told_by_package(more);
        assert_eq!(told, wanted, "{name}");
        for standin in [&self.standin, &self.backup] {
            let creates = standin.posts("CreateDispatch");
            assert!(creates.len() <= 1, "{name}");
            // One grant, and five minutes.
            for post in creates {
                let claims = post.claims.expect("a token");
                assert!(claims.exp - claims.nbf <= 300, "{name}");
                assert!(
                    !claims.video.room_create && claims.video.room_admin,
                    "{name}"
                );
            }
        }
        told
    }
}
