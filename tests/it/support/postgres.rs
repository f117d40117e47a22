//! One real PostgreSQL cluster for the whole test process, and a database of
//! its own for each test.

use super::{
    not_run, part, plaintexts,
    server::{self, Server, unprivileged},
};
use std::{
    io::Write,
    path::PathBuf,
    process::{Command, Output, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    thread,
};

/// The shared cluster. Its superuser is `lkroute`; loopback needs no password.
pub struct Postgres {
    bin: PathBuf,
    /// The loopback port it listens on.
    pub port: u16,
    server: Server,
}

impl Postgres {
    /// The cluster of this process, started by the first test that asks; it
    /// ends with the process. `None`, reported by [`not_run`], where
    /// PostgreSQL is not installed.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Postgres>> = OnceLock::new();
        let shared = SHARED
            .get_or_init(|| Some(Self::start(bin()?, &[])))
            .as_ref();
        if shared.is_none() {
            not_run("postgres");
        }
        shared
    }

    /// A cluster of its own, for tests that need more than a database; it
    /// ends with the process.
    pub fn own() -> Option<&'static Self> {
        Self::own_with(&[])
    }

    /// The same, with these settings.
    pub fn own_with(settings: &[&str]) -> Option<&'static Self> {
        Self::shared()?;
        Some(Box::leak(Box::new(Self::start(bin()?, settings))))
    }

    fn start(bin: PathBuf, settings: &[&str]) -> Self {
        server::on_free_port(|port| {
            let dir = Server::dir("lkroute-pg-");
            let data = dir.path().join("data");
            let mut initdb = unprivileged(bin.join("initdb"));
            initdb
                .arg("-D")
                .arg(&data)
                .args(["-U", "lkroute", "-A", "trust", "-E", "UTF8"]);
            initdb.args(["--locale=C", "--no-sync"]);
            checked(&mut initdb)?;

            let mut postgres = Command::new(bin.join("postgres"));
            postgres.arg("-D").arg(&data);
            let socket = format!("unix_socket_directories={}", dir.path().display());
            for setting in [
                socket.as_str(),
                "listen_addresses=127.0.0.1",
                &format!("port={port}"),
                "max_connections=200",
                "shared_buffers=32MB",
                "fsync=off",
                "synchronous_commit=off",
                "full_page_writes=off",
                "autovacuum=off",
                "max_prepared_transactions=4",
            ]
            .iter()
            .chain(settings)
            {
                postgres.args(["-c", setting]);
            }
            let answers = || psql(&bin, &url(port, "postgres"), "SELECT 1").is_ok();
            let server = Server::start(dir, &postgres, "QUIT", answers)?;
            Ok(Self {
                bin: bin.clone(),
                port,
                server,
            })
        })
    }

    /// A new empty database, dropped with the value; `name` is for people who
    /// look at the server's log.
    pub fn database(&'static self, name: &str) -> Db {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let word: String = name
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() {
                    c.to_ascii_lowercase()
                } else {
                    '_'
                }
            })
            .take(40)
            .collect();
        let name = format!("{word}_{count}");
        self.psql("postgres", &format!("CREATE DATABASE {name}"));
        Db {
            url: url(self.port, &name),
            name,
            postgres: self,
            roles: Vec::new(),
        }
    }

    /// Its major version.
    pub fn major(&self) -> u32 {
        let version = self.psql("postgres", "SHOW server_version_num");
        version.parse::<u32>().expect("a number") / 10_000
    }

    /// The process that takes connections.
    pub fn pid(&self) -> String {
        let file = self.server.path().join("data/postmaster.pid");
        let text = std::fs::read_to_string(file).expect("a running server");
        text.lines().next().expect("its number").to_owned()
    }

    /// A program of this PostgreSQL, such as `pgbench`.
    pub fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    /// Runs SQL statements where `url` says.
    pub fn psql_at(&self, url: &str, sql: &str) -> Result<String, String> {
        psql(&self.bin, url, sql)
    }

    fn psql(&self, database: &str, sql: &str) -> String {
        psql(&self.bin, &url(self.port, database), sql).unwrap_or_else(|error| panic!("{error}"))
    }
}

/// A database of one test.
pub struct Db {
    /// `postgres://…` as the superuser `lkroute`.
    pub url: String,
    pub name: String,
    postgres: &'static Postgres,
    roles: Vec<String>,
}

impl Db {
    /// Runs SQL statements as the superuser and returns the rows of the last
    /// one, unaligned: columns by `|`, rows by line.
    ///
    /// # Panics
    /// When a statement fails.
    pub fn psql(&self, sql: &str) -> String {
        self.postgres.psql(&self.name, sql)
    }

    /// The same as whoever `url` says; the error is what psql says.
    pub fn psql_as(&self, url: &str, sql: &str) -> Result<String, String> {
        psql(&self.postgres.bin, url, sql)
    }

    /// Makes a role that may log in and nothing else, for this database alone.
    /// Returns its name, for GRANT, and its URL.
    pub fn role(&mut self, word: &str) -> (String, String) {
        let role = format!("{}_{word}", self.name);
        self.psql(&format!("CREATE ROLE {role} LOGIN"));
        self.roles.push(role.clone());
        let url = self.url.replace("//lkroute@", &format!("//{role}@"));
        (role, url)
    }

    /// All rows of all tables, as [`plaintexts::search_postgres`] takes them.
    fn rows(&self) -> String {
        let mut command = unprivileged(self.postgres.program("psql"));
        command.args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-d", &self.url, "-f", "-"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut psql = command.spawn().expect("psql");
        let mut stdin = psql.stdin.take().expect("piped");
        let asked = stdin.write_all(plaintexts::postgres_rows().as_bytes());
        asked.expect("ask psql");
        drop(stdin);
        let output = psql.wait_with_output().expect("psql");
        assert!(output.status.success(), "psql can't read {}", self.name);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The cluster that it is in.
    pub fn postgres(&self) -> &'static Postgres {
        self.postgres
    }
}

impl Drop for Db {
    /// Looks through every column for plain texts, and drops the database.
    fn drop(&mut self) {
        let rows = (!thread::panicking()).then(|| self.rows());
        let Self {
            name,
            roles,
            postgres,
            ..
        } = self;
        let sql = |sql: String| {
            // A failure must not hide the test's own by panicking twice.
            if let Err(error) = psql(&postgres.bin, &url(postgres.port, "postgres"), &sql) {
                eprintln!("{error}");
            }
        };
        sql(format!("DROP DATABASE {name} WITH (FORCE)"));
        roles
            .iter()
            .for_each(|role| sql(format!("DROP ROLE {role}")));
        if let Some(rows) = rows {
            plaintexts::search_postgres(&rows, name);
        }
    }
}

pub(super) fn url(port: u16, database: &str) -> String {
    format!("postgres://lkroute@127.0.0.1:{port}/{database}")
}

fn psql(bin: &std::path::Path, url: &str, sql: &str) -> Result<String, String> {
    let mut command = unprivileged(bin.join("psql"));
    command.args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", sql]);
    let output = checked(&mut command)?;
    Ok(String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned())
}

pub(super) fn checked(command: &mut Command) -> Result<Output, String> {
    let output = command
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(output);
    }
    Err(format!(
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    ))
}

/// Where initdb and postgres are: as `tests/run` found them, else the newest
/// that a distribution installed, else what `pg_config` says.
fn bin() -> Option<PathBuf> {
    let installed = || {
        let versions = std::fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten()
            .flatten();
        let major = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
        let newest = versions.map(|entry| entry.path()).max_by_key(major)?;
        Some(newest.join("bin"))
    };
    let configured = || {
        let output = checked(Command::new("pg_config").arg("--bindir")).ok()?;
        Some(PathBuf::from(String::from_utf8(output.stdout).ok()?.trim()))
    };
    let found = part("LKROUTE_TEST_PG_BIN")
        .or_else(installed)
        .or_else(configured)?;
    found.join("initdb").exists().then_some(found)
}

#[test]
fn each_test_has_a_database_of_its_own() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let one = postgres.database("One test!");
    let two = postgres.database("One test!");
    one.psql("CREATE TABLE t (a int); INSERT INTO t VALUES (7)");
    assert_eq!(one.psql("SELECT a, a + 1 FROM t"), "7|8");
    assert_eq!(two.psql("SELECT to_regclass('t') IS NULL"), "t");

    let gone = one.name.clone();
    drop(one);
    let count = format!("SELECT count(*) FROM pg_database WHERE datname = '{gone}'");
    assert_eq!(two.psql(&count), "0");
}

#[test]
#[should_panic(expected = "holds \"made-up-secret\" in base64")]
fn a_secret_in_a_column_is_found() {
    let Some(postgres) = Postgres::shared() else {
        panic!("not run: holds \"made-up-secret\" in base64");
    };
    let db = postgres.database("plaintexts");
    db.psql(
        "CREATE SCHEMA \"Weird \"\"schema\";
         CREATE TABLE \"Weird \"\"schema\".t AS SELECT 1 AS one,
           jsonb_build_object('a', encode('a made-up-secret', 'base64')) AS two",
    );
}

#[test]
fn a_role_may_only_do_what_is_granted() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let mut db = postgres.database("role");
    let (reader, url) = db.role("reader");
    db.psql(&format!(
        "CREATE TABLE t (a int); GRANT SELECT ON t TO {reader}"
    ));
    assert_eq!(
        db.psql_as(&url, "SELECT count(*) FROM t"),
        Ok("0".to_owned())
    );
    let refused = db
        .psql_as(&url, "INSERT INTO t VALUES (1)")
        .expect_err("no right to");
    assert_contains!(refused, "permission denied");
}
