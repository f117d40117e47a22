//! The application's two tables as they are in production: made by hand, long
//! before lkroute came, and written by other software too. Identifiers, names
//! and numbers are those of the two regions in `routing/`; the rest is made up.

use super::postgres::Db;

/// The key that the sample files are sealed with; the README publishes it.
pub const DEMO_KEYS: &str = "demo:bGtyb3V0ZSBkZW1vIGtleSwgbmV2ZXIgdXNlIHRoaXM";
pub const TENANT_UAE: &str = "734cd516-e252-4728-9c52-4663ee552653";
pub const TENANT_INDIA: &str = "e0a3e9ca-3f46-4bb0-ac10-a91b5c1d20b5";
/// Tenants that have India's number too, without a config.
pub const TENANT_B: &str = "926070b5-189b-4682-9279-ea10ca090b84";
pub const TENANT_C: &str = "1ead8e68-2375-43bd-91c9-555df2521dec";
pub const TENANT_D: &str = "05f6d939-05c7-424f-9a83-554d932bf37a";

pub const CONFIG_UAE: &str = "e3ca4a84-4cc3-4be5-8240-34366fe4d0c5";
pub const CONFIG_INDIA: &str = "cf7a1d26-04aa-4623-8d4e-f4b079cdec6f";

/// `LIVEKIT_SECRET_ENCRYPTION_KEY` of [`SECRET_UAE`] and [`SECRET_INDIA`].
pub const FERNET_KEY: &str = "bWFkZS11cCBrZXkgZm9yIGxrcm91dGUncyB0ZXN0cyE=";
/// `made-up-secret-uae`, sealed by Python's `cryptography`.
pub const SECRET_UAE: &str = "dev-s-t-gAAAAABlU_EAm4E5WdNJgyK2PNJXns4H5hBBtmzzOMSTmYP7tM0EmYiOLGjb\
    _qh8e4-L4zf95p_Z2nQui3TWE5GyCtV9qh1jyRwl1xBI1PEp0nS2DXy6tCw=";
/// `made-up-secret-india`, sealed by Python's `cryptography`.
pub const SECRET_INDIA: &str = "dev-s-t-gAAAAABlU_EAtd0BNgCy78GH7CNLKt-mIkFDKZT8sAEhDEd5k2trqbhC\
    -s1FHEk4HWEoS4Bzh9I-Qgv5alDCPZB9P9W3nU_xvEhwxLAmTM7Zmckq2OzoX2c=";

/// A schema of the application. Its methods return SQL.
#[derive(Clone)]
pub struct Legacy {
    /// Quoted where needed, so any name does.
    pub schema: String,
    /// Whether `voice_agent_livekit` has the column that came later.
    pub worker_name: bool,
    /// Whether the application's `users` and `voice_agents` are there.
    pub people: bool,
}

impl Default for Legacy {
    fn default() -> Self {
        Self {
            schema: "lad_dev".to_owned(),
            worker_name: true,
            people: true,
        }
    }
}

impl Legacy {
    pub fn named(schema: &str) -> Self {
        Self {
            schema: schema.to_owned(),
            ..Self::default()
        }
    }

    /// `"schema"."table"`.
    pub fn table(&self, table: &str) -> String {
        format!("{}.{}", quoted(&self.schema), quoted(table))
    }

    /// The schema and its tables, with the trigger on `updated_at`.
    pub fn schema_sql(&self) -> String {
        let schema = quoted(&self.schema);
        let worker_name = if self.worker_name {
            "worker_name varchar(255),"
        } else {
            ""
        };
        let people = if self.people {
            format!(
                "CREATE TABLE {schema}.users (
                   id uuid PRIMARY KEY, tenant_id uuid, email varchar(255));
                 CREATE TABLE {schema}.voice_agents (
                   id bigint PRIMARY KEY, tenant_id uuid, name varchar(255));"
            )
        } else {
            String::new()
        };
        format!(
            "CREATE SCHEMA {schema};
             CREATE FUNCTION {schema}.touch() RETURNS trigger LANGUAGE plpgsql AS
               $$ BEGIN NEW.updated_at = clock_timestamp(); RETURN NEW; END $$;
             CREATE TABLE {schema}.voice_agent_livekit (
               id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
               name varchar(255) NOT NULL UNIQUE,
               description text,
               livekit_url varchar(500) NOT NULL,
               livekit_api_key varchar(255) NOT NULL,
               livekit_api_secret text NOT NULL,
               trunk_id varchar(255),
               {worker_name}
               created_at timestamptz NOT NULL DEFAULT now(),
               updated_at timestamptz NOT NULL DEFAULT now());
             CREATE TABLE {schema}.voice_agent_numbers (
               id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
               tenant_id uuid NOT NULL,
               country_code varchar,
               base_number bigint,
               provider varchar,
               status varchar,
               rules jsonb,
               default_agent_id bigint,
               created_at timestamptz DEFAULT now(),
               updated_at timestamptz DEFAULT now());
             CREATE TRIGGER touch BEFORE UPDATE ON {schema}.voice_agent_livekit
               FOR EACH ROW EXECUTE FUNCTION {schema}.touch();
             CREATE TRIGGER touch BEFORE UPDATE ON {schema}.voice_agent_numbers
               FOR EACH ROW EXECUTE FUNCTION {schema}.touch();
             {people}"
        )
    }

    /// The two configs, with [`SECRET_UAE`] and [`SECRET_INDIA`]; the worker
    /// names too where the column is there.
    pub fn configs_sql(&self) -> String {
        let table = self.table("voice_agent_livekit");
        let workers = if self.worker_name {
            format!(
                "UPDATE {table} SET worker_name = 'voag-staging' WHERE id = '{CONFIG_UAE}';
                 UPDATE {table} SET worker_name = 'voag-dev' WHERE id = '{CONFIG_INDIA}';"
            )
        } else {
            String::new()
        };
        format!(
            "INSERT INTO {table}
               (id, name, description, livekit_url, livekit_api_key, livekit_api_secret, trunk_id)
             VALUES
               ('{CONFIG_UAE}', 'uae-vm-selfhosted', 'UAE, self-hosted VM',
                'http://livekit.uae.example:7880', 'APImadeupuae', '{SECRET_UAE}',
                'ST_svHE4RdTc7Ds'),
               ('{CONFIG_INDIA}', 'india-techiemaya-cloud', NULL,
                'wss://livekit.india.example', 'APImadeupindia', '{SECRET_INDIA}',
                'ST_MmVqEuBMDNf6');
             {workers}"
        )
    }

    /// The two numbers, each with the config of its region where `routed`, and
    /// India's for the other four tenants. Agent 33 is of the UAE's tenant and
    /// is the default of India's number; user `…0001` is of India's tenant.
    pub fn numbers_sql(&self, routed: bool) -> String {
        let config = |id: &str| match routed {
            true => format!(r#""livekit_config": "{id}", "#),
            false => String::new(),
        };
        let (uae, india) = (config(CONFIG_UAE), config(CONFIG_INDIA));
        let numbers = self.table("voice_agent_numbers");
        let people = if self.people {
            format!(
                "INSERT INTO {} (id, tenant_id) VALUES
                   ('00000000-0000-4000-8000-000000000001', '{TENANT_INDIA}');
                 INSERT INTO {} (id, tenant_id, name) VALUES (33, '{TENANT_UAE}', 'Agent 33');",
                self.table("users"),
                self.table("voice_agents"),
            )
        } else {
            String::new()
        };
        format!(
            r#"INSERT INTO {numbers} (tenant_id, country_code, base_number, provider, status,
                 rules, default_agent_id)
               VALUES
                 ('{TENANT_UAE}', '+971', 545335200, 'sasya UAE Number', 'active',
                  '{{{uae}"outbound": true, "allowed_outbound": "uae"}}', NULL),
                 ('{TENANT_INDIA}', '+91', 9513456728, 'TechieMaya FZE', 'active',
                  '{{{india}"inbound": true, "number_type": "mobile"}}', 33),
                 ('{TENANT_B}', '+91', 9513456728, 'Tenant B', 'active', '{{}}', NULL),
                 ('{TENANT_C}', '+91', 9513456728, 'Tenant C', NULL,
                  '{{"outbound_trunk_id": "ST_madeUpTrunk"}}', NULL),
                 ('{TENANT_D}', '+91', 9513456728, NULL, 'active', NULL, NULL),
                 ('{TENANT_UAE}', '+91', 9513456728, 'sasya', 'active', '{{}}', NULL);
               {people}"#
        )
    }

    /// A hundred rows that are nobody's business but the admin UI's: tenant B,
    /// `+971500000001` to `+971500000100`, keys that lkroute does not know.
    pub fn foreign_sql(&self) -> String {
        format!(
            r#"INSERT INTO {} (tenant_id, country_code, base_number, provider, status, rules,
                 default_agent_id, created_at, updated_at)
               SELECT '{TENANT_B}', '+971', 500000000 + n, 'Carrier ' || n % 7,
                 CASE n % 3 WHEN 0 THEN 'active' WHEN 1 THEN NULL ELSE 'inactive' END,
                 jsonb_build_object('number_type', 'local', 'is_default', n % 10 = 0,
                   'capabilities', jsonb_build_array('voice', 'sms'), 'ui', jsonb_build_object(
                     'colour', n, 'note', 'é “quoted” \ and ' || n, 'nothing', NULL)),
                 n, timestamptz '2024-01-01' + n * interval '1 hour', NULL
               FROM generate_series(1, 100) n;"#,
            self.table("voice_agent_numbers"),
        )
    }

    /// Rows in the shapes that real tables have: each provider says which.
    pub fn odd_sql(&self) -> String {
        format!(
            r#"INSERT INTO {} (tenant_id, country_code, base_number, provider, status, rules)
               VALUES
                 ('{TENANT_B}', NULL, 9000000001, 'no country code', 'active', '{{}}'),
                 ('{TENANT_B}', '91', 9000000002, 'no plus sign', 'active', '{{}}'),
                 ('{TENANT_B}', '+91', 9000000003, 'twice', 'active', '{{"n": 1}}'),
                 ('{TENANT_B}', '+91', 9000000003, 'twice', NULL, '{{"n": 2}}'),
                 ('{TENANT_B}', ' 0091 ', 9000000003, 'twice, spelled otherwise', 'active', '{{}}'),
                 ('{TENANT_B}', '+91', 9000000003, 'twice, but inactive', 'inactive', '{{}}'),
                 ('{TENANT_B}', '+91', 9000000004, 'rules is an array', 'active', '["a", 1]'),
                 ('{TENANT_B}', '+91', 9000000005, 'rules is null', 'active', NULL),
                 ('{TENANT_B}', '+91', 9000000006, 'rules is JSON null', 'active', 'null'),
                 ('{TENANT_B}', '+91', 9000000007, 'config is JSON null', 'active',
                  '{{"livekit_config": null}}'),
                 ('{TENANT_B}', '+91', 9000000008, 'config is dangling', 'active',
                  '{{"livekit_config": "00000000-0000-4000-8000-00000000dead"}}'),
                 ('{TENANT_B}', '+91', 9000000009, 'config is no uuid', 'active',
                  '{{"livekit_config": 7}}'),
                 ('{TENANT_B}', '+91', NULL, 'no number', 'active', '{{}}'),
                 ('{TENANT_B}', 'India', 9000000010, 'country code in words', 'active', '{{}}'),
                 ('{TENANT_B}', '+1242', 5550100, 'area code as country code', 'active', '{{}}'),
                 ('{TENANT_B}', '+39', 612345678, 'lost its zero', 'active', '{{}}');"#,
            self.table("voice_agent_numbers"),
        )
    }

    /// All of it in `db`: tables, configs, routed numbers, foreign and odd rows.
    pub fn install(&self, db: &Db) {
        for sql in [
            self.schema_sql(),
            self.configs_sql(),
            self.numbers_sql(true),
            self.foreign_sql(),
            self.odd_sql(),
        ] {
            db.psql(&sql);
        }
    }
}

/// An MD5 over every column of the rows of `table` that `condition` (SQL)
/// chooses: the same before and after means that they are byte-identical.
pub fn table_checksum(db: &Db, schema: &str, table: &str, condition: &str) -> String {
    let (schema, table) = (quoted(schema), quoted(table));
    db.psql(&format!(
        "SELECT count(*) || ':' || md5(coalesce(string_agg(t::text, E'\\n' ORDER BY t::text), ''))
         FROM (SELECT * FROM {schema}.{table} WHERE {condition}) t"
    ))
}

fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

#[test]
fn the_tables_are_in_the_shape_of_production() {
    let Some(postgres) = super::Postgres::shared() else {
        return;
    };
    let db = postgres.database("legacy");
    let legacy = Legacy::default();
    legacy.install(&db);
    let bare = Legacy {
        worker_name: false,
        people: false,
        ..Legacy::named("Lad \"prod\"")
    };
    bare.install(&db);

    let tenants = "SELECT count(DISTINCT tenant_id) FROM lad_dev.voice_agent_numbers
                   WHERE base_number = 9513456728";
    assert_eq!(db.psql(tenants), "5");
    let columns = |schema: &str| {
        db.psql(&format!(
            "SELECT count(*) FROM information_schema.columns WHERE column_name = 'worker_name'
             AND table_schema = '{schema}'"
        ))
    };
    assert_eq!(
        (columns("lad_dev"), columns(&bare.schema)),
        ("1".into(), "0".into())
    );
}

#[test]
fn a_checksum_tells_any_change_of_the_chosen_rows() {
    let Some(postgres) = super::Postgres::shared() else {
        return;
    };
    let db = postgres.database("checksum");
    let legacy = Legacy::default();
    legacy.install(&db);
    let sum = || {
        table_checksum(
            &db,
            "lad_dev",
            "voice_agent_numbers",
            "country_code = '+971'",
        )
    };
    let before = sum();
    assert_starts!(before, "101:");

    let set = |what: &str| {
        db.psql(&format!(
            "UPDATE {} SET {what}",
            legacy.table("voice_agent_numbers")
        ));
    };
    set("provider = 'other' WHERE country_code = '+91'");
    assert_eq!(sum(), before);
    // Only the trigger changes anything here.
    set("rules = rules WHERE base_number = 500000001");
    assert_ne!(sum(), before);
}
