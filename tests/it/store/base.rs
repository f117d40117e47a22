//! A database of either engine for one test, and routing files built in Rust.

use std::collections::BTreeMap;

use lkroute::diff::differ::Differ;
use lkroute::diff::plan::Plan;
use lkroute::diff::secret::SecretFacts;
use lkroute::error::Result;
use lkroute::fields::{Field, Fields};
use lkroute::phone::{E164, Prefix};
use lkroute::routing::{
    Binding, BindingSettings, CipherText, Origin, Region, Routing, SecretSource, ServerConfig,
    Tenant,
};
use lkroute::store::{Applied, ApplyError, DatabaseUrl, Mode, PreparedSecret, Store, WriteRequest};
use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};
use tempfile::TempDir;
use uuid::Uuid;

use crate::support::{Db, Legacy, Plaintexts, Postgres, search_files};

pub use crate::support::{CONFIG_INDIA, CONFIG_UAE, TENANT_B, TENANT_INDIA, TENANT_UAE};

/// A name that has to be quoted.
pub const SCHEMA: &str = "Weird \"schema";

pub struct Base {
    pub url: DatabaseUrl,
    pub schema: Option<String>,
    pub hold: Hold,
}

pub enum Hold {
    Postgres(Db),
    Sqlite(TempDir),
}

impl Drop for Base {
    /// Looks for plain texts, as a database of PostgreSQL does by itself.
    fn drop(&mut self) {
        if let Hold::Sqlite(dir) = &self.hold
            && !std::thread::panicking()
        {
            search_files(dir.path(), &BTreeMap::new(), &Plaintexts::all());
        }
    }
}

impl Base {
    /// A migrated database, in a schema with an awkward name where there are
    /// schemas, whose tables are in the shape of production.
    pub async fn postgres(name: &str) -> Option<Base> {
        let base = Base::legacy_postgres(name)?;
        base.migrated().await;
        Some(base)
    }

    pub async fn sqlite() -> Base {
        let base = Base::empty_sqlite();
        base.migrated().await;
        base
    }

    /// The application's tables alone, before lkroute came.
    pub fn legacy_postgres(name: &str) -> Option<Base> {
        Some(Base::in_cluster(Postgres::shared()?, name, SCHEMA))
    }

    /// The same in this cluster, in a schema of this name.
    pub fn in_cluster(postgres: &'static Postgres, name: &str, schema: &str) -> Base {
        let db = postgres.database(name);
        db.psql(&Legacy::named(schema).schema_sql());
        Base {
            url: DatabaseUrl::parse(&db.url).expect("a URL"),
            schema: Some(schema.to_owned()),
            hold: Hold::Postgres(db),
        }
    }

    /// The same on SQLite.
    pub async fn legacy_sqlite() -> Base {
        let base = Base::empty_sqlite();
        let Hold::Sqlite(dir) = &base.hold else {
            unreachable!("it is SQLite");
        };
        std::fs::write(dir.path().join("test.db"), "").expect("an empty file");
        for sql in [
            include_str!("../../../migrations/sqlite/application_configs.sql"),
            include_str!("../../../migrations/sqlite/application_numbers.sql"),
            "CREATE TABLE users (id TEXT PRIMARY KEY, tenant_id TEXT, email TEXT);
             CREATE TABLE voice_agents (id INTEGER PRIMARY KEY, tenant_id TEXT, name TEXT)",
        ] {
            base.sql(sql).await;
        }
        base
    }

    fn empty_sqlite() -> Base {
        let dir = TempDir::new().expect("a directory");
        let url = format!("sqlite://{}/test.db", dir.path().display());
        Base {
            url: DatabaseUrl::parse(&url).expect("a URL"),
            schema: None,
            hold: Hold::Sqlite(dir),
        }
    }

    pub async fn migrated(&self) {
        let mut store = self.open(Mode::Write).await;
        store.migrate(false).await.expect("migrate");
    }

    pub fn db(&self) -> &Db {
        match &self.hold {
            Hold::Postgres(db) => db,
            Hold::Sqlite(_) => panic!("not PostgreSQL"),
        }
    }

    /// The URL for the command line.
    pub fn url_text(&self) -> String {
        match &self.hold {
            Hold::Postgres(db) => db.url.clone(),
            Hold::Sqlite(dir) => format!("sqlite://{}/test.db", dir.path().display()),
        }
    }

    pub async fn open(&self, mode: Mode) -> Store {
        let store = Store::open(&self.url, self.schema.as_deref(), mode).await;
        store.expect("open the database")
    }

    /// The name of a table in SQL.
    pub fn table(&self, table: &str) -> String {
        match &self.schema {
            Some(schema) => Legacy::named(schema).table(table),
            None => table.to_owned(),
        }
    }

    /// Runs SQL in which `{table}` stands for the table of that name, as
    /// other software would. The rows: columns by `|`, rows by line.
    pub async fn sql(&self, sql: &str) -> String {
        let mut sql = sql.to_owned();
        while let Some((before, rest)) = sql.split_once('{').filter(|(_, rest)| {
            let tables = ["voice_", "lkroute_", "users", "call_logs"];
            tables.iter().any(|table| rest.starts_with(table))
        }) {
            let (table, after) = rest.split_once('}').expect("a closing brace");
            sql = format!("{before}{}{after}", self.table(table));
        }
        match &self.hold {
            Hold::Postgres(db) => db.psql(&sql),
            Hold::Sqlite(dir) => sqlite(dir, &sql).await,
        }
    }

    /// Adds a number row as other software would.
    pub async fn number(&self, id: Uuid, tenant: &str, number: &str, rest: &str) {
        let (code, base) = number.rsplit_once(' ').expect("code and number");
        let columns = "id, tenant_id, country_code, base_number, provider, status, rules";
        self.sql(&format!(
            "INSERT INTO {{voice_agent_numbers}} ({columns})
             VALUES ('{id}', '{tenant}', {code}, {base}, {rest})"
        ))
        .await;
    }

    /// Every column of every row of the application's tables, but for the
    /// touch of the trigger.
    pub async fn rows(&self) -> BTreeMap<String, String> {
        let text = match self.hold {
            Hold::Postgres(_) => "rules::text",
            Hold::Sqlite(_) => "rules",
        };
        let all = self
            .sql(&format!(
                "SELECT id, tenant_id, country_code, base_number, provider, status, {text},
                   default_agent_id, created_at FROM {{voice_agent_numbers}}"
            ))
            .await;
        let rows = all
            .lines()
            .map(|line| line.split_once('|').expect("columns"));
        rows.map(|(id, rest)| (id.to_owned(), rest.to_owned()))
            .collect()
    }

    pub async fn plan(&self, routing: &Routing) -> Plan {
        self.plan_with(routing, &SecretFacts::default())
            .await
            .expect("plan")
    }

    pub async fn apply(&self, plan: &Plan) -> std::result::Result<Applied, ApplyError> {
        let mut store = self.open(Mode::Write).await;
        store.apply(plan, &request(plan), &mut |_, _| ()).await
    }

    /// Plans, applies, and sees that nothing is left to do.
    pub async fn settle(&self, routing: &Routing) -> Plan {
        let plan = self.plan(routing).await;
        self.apply(&plan).await.expect("apply");
        let left = self.plan(routing).await;
        assert_eq!(describe(&left), "", "nothing is left to do");
        plan
    }

    /// Every row of every table, lkroute's own included.
    pub async fn everything(&self) -> String {
        let mut all = String::new();
        for table in [
            "voice_agent_livekit",
            "voice_agent_numbers",
            "lkroute_state",
            "lkroute_applies",
            "lkroute_files",
            "lkroute_tenants",
            "lkroute_settings",
            "lkroute_regions",
            "lkroute_configs",
            "lkroute_bindings",
        ] {
            all += &self
                .sql(&format!("SELECT * FROM {{{table}}} ORDER BY 1, 2"))
                .await;
            all += "\n";
        }
        all
    }

    /// `rules`, status and provider of a number row.
    pub async fn row(&self, id: Uuid) -> String {
        self.sql(&format!(
            "SELECT rules, status, provider FROM {{voice_agent_numbers}} WHERE id = '{id}'"
        ))
        .await
        .replace(": ", ":")
        .replace(", ", ",")
    }

    pub async fn plan_with(&self, routing: &Routing, facts: &SecretFacts) -> Result<Plan> {
        let mut store = Store::open(&self.url, self.schema.as_deref(), Mode::Read).await?;
        plan(&mut store, routing, facts).await
    }
}

/// A request for this plan, with the sealed secrets of its configs.
pub fn request(plan: &Plan) -> WriteRequest {
    let mut request = WriteRequest::new(Uuid::now_v7(), "apply", "a test");
    request.owner = Some("tests".to_owned());
    for (id, source) in &plan.config_sources {
        if let SecretSource::Sealed(text) = source {
            let prepared = PreparedSecret {
                text: Some(text.clone()),
                ..PreparedSecret::default()
            };
            request.secrets.insert(*id, prepared);
        }
    }
    request
}

/// A database at that URL.
pub async fn open_at(url: &str, schema: Option<&str>, mode: Mode) -> Store {
    let url = DatabaseUrl::parse(url).unwrap();
    Store::open(&url, schema, mode).await.unwrap()
}

pub async fn plan(store: &mut Store, routing: &Routing, facts: &SecretFacts) -> Result<Plan> {
    store.begin_read().await?;
    let snapshot = store.snapshot().await?;
    let mut differ = Differ::new(routing, &snapshot, facts, Uuid::now_v7);
    store.run_diff(&mut differ, &mut |_| ()).await?;
    store.end_read().await?;
    Ok(differ.finish(Uuid::now_v7))
}

async fn sqlite(dir: &TempDir, sql: &str) -> String {
    let url = format!("sqlite://{}/test.db", dir.path().display());
    let mut conn = SqliteConnection::connect(&url).await.expect("connect");
    let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut conn).await;
    let rows = rows.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let text = |row: &sqlx::sqlite::SqliteRow, ix: usize| {
        let text: Option<String> = row.try_get_unchecked(ix).expect("a text");
        text.unwrap_or_default()
    };
    let line = |row: &sqlx::sqlite::SqliteRow| {
        let columns = (0..row.len()).map(|ix| text(row, ix));
        columns.collect::<Vec<_>>().join("|")
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

pub fn e164(text: &str) -> E164 {
    E164::parse(text).expect("a number")
}

pub fn uuid(text: &str) -> Uuid {
    Uuid::parse_str(text).expect("a uuid")
}

/// A made-up id.
pub fn id(n: u16) -> Uuid {
    uuid(&format!("00000000-0000-4000-8000-00000000{n:04x}"))
}

/// A made-up sealed secret.
pub fn sealed(word: &str) -> CipherText {
    CipherText::new(format!("lkr1:made-up:00000000:{word}"))
}

/// Routing files with one region and one config each for India and the UAE,
/// no bindings, and the tenants that tests use.
pub fn files() -> Routing {
    let origin = Origin { file: 0, line: 1 };
    let region = |code: &str, config: &str| Region {
        description: None,
        country_codes: vec![Prefix::parse(code).expect("a prefix")],
        default_config: Some(config.to_owned()),
        origin,
    };
    let tenant = |id: &str, alias: &str| Tenant {
        id: uuid(id),
        alias: Some(alias.to_owned()),
    };
    Routing {
        owner: Some("tests".to_owned()),
        files: vec![
            "routing/india.toml".to_owned(),
            "routing/uae.toml".to_owned(),
        ],
        regions: BTreeMap::from([
            ("india".to_owned(), region("+91", "india")),
            ("uae".to_owned(), region("+971", "uae")),
        ]),
        configs: BTreeMap::from([
            ("india".to_owned(), config(Some(CONFIG_INDIA), "india", 10)),
            ("uae".to_owned(), config(Some(CONFIG_UAE), "uae", 20)),
        ]),
        tenants: vec![
            tenant(TENANT_INDIA, "tenant-a"),
            tenant(TENANT_B, "tenant-b"),
            tenant(TENANT_UAE, "tenant-uae"),
        ],
        ..Routing::default()
    }
}

pub fn config(id: Option<&str>, region: &str, line: u32) -> ServerConfig {
    ServerConfig {
        region: region.to_owned(),
        url: format!("wss://livekit.{region}.example"),
        api_key: format!("APImadeup{region}"),
        trunk_id: Some("ST_madeUp".to_owned()),
        worker_name: Some("voag-dev".to_owned()),
        ..ServerConfig::of_fields(
            id.map(uuid),
            &Fields::new(),
            SecretSource::Sealed(sealed(region)),
            Origin { file: 0, line },
        )
    }
}

/// Declares a number: the tenant by its index in [`files`].
pub fn bind(routing: &mut Routing, number: &str, tenant: u32, config: &str, fields: Fields) {
    bind_adopting(routing, number, tenant, config, fields, &[]);
}

pub fn bind_adopting(
    routing: &mut Routing,
    number: &str,
    tenant: u32,
    config: &str,
    fields: Fields,
    adopt: &[Field],
) {
    let settings = BindingSettings {
        config: config.to_owned(),
        fields,
        adopt: adopt.to_vec(),
        rollout: None,
    };
    let known = routing.settings.iter().position(|known| *known == settings);
    let ix = known.unwrap_or_else(|| {
        routing.settings.push(settings);
        routing.settings.len() - 1
    });
    let line = 100 + routing.bindings.len() as u32;
    routing.bindings.push(Binding {
        number: e164(number),
        tenant,
        settings: ix as u32,
        origin: Origin { file: 1, line },
    });
}

/// The changes of a plan, a line each.
pub fn describe(plan: &Plan) -> String {
    let changes = plan.changes.iter().map(|change| {
        let fields = plan.patch(change).fields.iter();
        let fields: Vec<_> = fields
            .map(|f| format!("{} {:?}", f.field, f.kind))
            .collect();
        let address = plan.address(change.object);
        format!(
            "{} {address}: {}",
            change.action.as_str(),
            fields.join(", ")
        )
    });
    changes.collect::<Vec<_>>().join("\n")
}
