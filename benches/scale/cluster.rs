//! A PostgreSQL of this run's own, set as one would for a database of this
//! size, and the floors that its own tools give.

#[path = "../../tests/it/support/server.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod server;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::measure::{self, Run};
use crate::tree::Number;
use server::{Server, free_port, unprivileged};

pub const WITHOUT_ID: &str = "tenant_id, country_code, base_number, provider, status, rules";
pub const WITH_ID: &str = "id, tenant_id, country_code, base_number, provider, status, rules";

pub struct Cluster {
    bin: PathBuf,
    port: u16,
    _server: Server,
}

impl Cluster {
    pub fn start() -> Cluster {
        let bin = programs();
        let dir = Server::dir("lkroute-bench");
        let data = dir.path().join("data");
        let made = unprivileged(bin.join("initdb").to_str().expect("a path"))
            .args([
                "-U",
                "postgres",
                "--auth=trust",
                "-E",
                "UTF8",
                "--locale=C",
                "-D",
            ])
            .arg(&data)
            .current_dir(dir.path())
            .output()
            .expect("initdb runs");
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        let port = free_port();
        let mut command = Command::new(bin.join("postgres"));
        command
            .arg("-D")
            .arg(&data)
            .args(["-p", &port.to_string(), "-k"])
            .arg(dir.path());
        for setting in [
            "listen_addresses=127.0.0.1",
            "shared_buffers=1GB",
            "max_wal_size=8GB",
            "jit=off",
            // What they do by the clock would be done beside one of two that are
            // compared; what a load leaves is cleaned up before.
            "autovacuum=off",
            "checkpoint_timeout=1h",
            // So that the resolver's query can be read as it was sent.
            "track_activity_query_size=16384",
        ] {
            command.args(["-c", setting]);
        }
        let ready = {
            let bin = bin.clone();
            move || {
                let mut ask = Command::new(bin.join("psql"));
                let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
                ask.args(["-qc", "select 1", &url])
                    .output()
                    .is_ok_and(|out| out.status.success())
            }
        };
        let server = Server::start(dir, &command, "INT", ready).expect("PostgreSQL starts");
        Cluster {
            bin,
            port,
            _server: server,
        }
    }

    /// A fresh database of that name.
    pub fn database(&self, name: &str) -> String {
        let admin = self.url("postgres");
        self.psql(&admin, &format!("DROP DATABASE IF EXISTS {name}"));
        self.psql(&admin, &format!("CREATE DATABASE {name}"));
        self.url(name)
    }

    fn url(&self, name: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{name}", self.port)
    }

    fn command(&self, url: &str, sql: &str) -> Command {
        let mut command = Command::new(self.bin.join("psql"));
        command.args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-c", sql, url]);
        command
    }

    pub fn psql(&self, url: &str, sql: &str) -> String {
        let out = self.command(url, sql).output().expect("psql runs");
        assert!(
            out.status.success(),
            "{sql}: {}",
            String::from_utf8_lossy(&out.stderr)
        );
        String::from_utf8_lossy(&out.stdout).trim().to_owned()
    }

    /// The application's table of numbers, with the two indexes that an
    /// application of this kind has, and those of its people, empty.
    pub fn numbers_table(&self, url: &str) {
        self.psql(
            url,
            "CREATE TABLE voice_agent_numbers (id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
               tenant_id uuid NOT NULL, country_code varchar, base_number bigint, provider varchar,
               status varchar, rules jsonb, default_agent_id bigint,
               created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now());
             CREATE INDEX ON voice_agent_numbers (tenant_id, country_code, base_number);
             CREATE TABLE users (id uuid PRIMARY KEY, tenant_id uuid);
             CREATE TABLE voice_agents (id bigint PRIMARY KEY, tenant_id uuid)",
        );
    }

    pub fn copy_out(&self, url: &str, columns: &str, file: &Path) {
        let select =
            format!("SELECT {columns} FROM voice_agent_numbers ORDER BY tenant_id, base_number");
        self.psql(url, &format!("\\copy ({select}) TO '{}'", file.display()));
    }

    pub fn time_copy_out(&self, url: &str) -> Run {
        let sql = format!("COPY (SELECT {WITH_ID} FROM voice_agent_numbers) TO STDOUT");
        measure::timed(&mut self.command(url, &sql))
    }

    /// The same rows into a table of the same shape and indexes.
    pub fn copy_in(&self, columns: &str, file: &Path) -> Run {
        let url = self.database("floor");
        self.numbers_table(&url);
        let sql = format!(
            "\\copy voice_agent_numbers ({columns}) FROM '{}'",
            file.display()
        );
        measure::timed(&mut self.command(&url, &sql))
    }

    /// How large our own tables are, beside the application's.
    pub fn bookkeeping(&self, url: &str) -> String {
        let size = |like: &str| {
            self.psql(
                url,
                &format!(
                    "SELECT round(coalesce(sum(pg_total_relation_size(oid)), 0) / 1000000) FROM pg_class
                     WHERE relkind = 'r' AND relname LIKE '{like}'"
                ),
            )
        };
        format!(
            "{} MB beside {} MB of numbers",
            size("lkroute%"),
            size("voice_agent_numbers")
        )
    }

    /// What an administrator would write, with the old value in the WHERE;
    /// rolled back.
    pub fn update_by_hand(&self, url: &str, rows: u64, times: usize) -> Run {
        let sql = format!(
            "BEGIN; CREATE TEMP TABLE ids ON COMMIT DROP AS
               SELECT array_agg(id) AS ids, array_agg(config) AS old FROM
                 (SELECT id, rules->>'livekit_config' AS config, row_number() OVER (ORDER BY base_number) / 5000 AS part
                  FROM voice_agent_numbers ORDER BY base_number LIMIT {rows}) s GROUP BY part;
             SELECT clock_timestamp() AS start \\gset
             UPDATE voice_agent_numbers n
               SET rules = n.rules || jsonb_build_object('livekit_config', '00000000-0000-4000-9000-000000000009')
               FROM (SELECT unnest(ids) AS id, unnest(old) AS old FROM ids) u
               WHERE n.id = u.id AND n.rules->>'livekit_config' IS NOT DISTINCT FROM u.old;
             SELECT extract(epoch FROM clock_timestamp() - :'start');
             ROLLBACK;"
        );
        measure::median(times, || {
            let mut command = Command::new(self.bin.join("psql"));
            command.args(["-XqAt", "-v", "ON_ERROR_STOP=1", url]);
            let seconds = with_input(command, &sql);
            self.psql(url, "VACUUM voice_agent_numbers");
            Run { seconds, peak: 0 }
        })
    }

    /// What lkroute, which is connected, has sent last.
    pub fn last_query(&self, url: &str) -> String {
        self.psql(
            url,
            "SELECT query FROM pg_stat_activity WHERE application_name = 'lkroute'",
        )
    }

    /// The least that a resolver could ask for.
    pub fn join(number: &Number) -> String {
        format!(
            "SELECT n.id, n.tenant_id, n.country_code, n.base_number, n.provider, n.status, n.rules, c.*
             FROM voice_agent_numbers n
             LEFT JOIN voice_agent_livekit c ON c.id::text = n.rules->>'livekit_config'
             WHERE n.tenant_id = '{}' AND n.country_code = '+91' AND n.base_number = {}",
            number.tenant,
            &number.e164[3..]
        )
    }

    /// The median over two seconds on one warm connection; `protocol` is
    /// `simple` or `prepared`.
    pub fn pgbench(&self, url: &str, protocol: &str, sql: &str) -> Run {
        let dir = tempfile::tempdir().expect("a directory");
        let script = dir.path().join("script.sql");
        // Several statements go in one message, as the resolver sends them.
        let sql = format!("{};", sql.replace(";\n", "\\;\n"));
        std::fs::write(&script, sql).expect("written");
        let done = Command::new(self.bin.join("pgbench"))
            .args(["-n", "-M", protocol, "-T", "2", "--log", "-f"])
            .arg(&script)
            .arg(url)
            .current_dir(dir.path())
            .output()
            .expect("pgbench runs");
        let error = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{error}");
        let log = std::fs::read_dir(dir.path()).expect("a directory");
        let log = log
            .flatten()
            .map(|entry| entry.path())
            .find(|path| *path != script)
            .expect("pgbench's log");
        let log = std::fs::read_to_string(log).expect("pgbench's log");
        let times = log.lines().filter_map(|line| line.split(' ').nth(2));
        let mut times: Vec<f64> = times.filter_map(|time| time.parse().ok()).collect();
        times.sort_by(f64::total_cmp);
        Run {
            seconds: times[times.len() / 2] / 1e6,
            peak: 0,
        }
    }

    pub fn psql_running(&self, url: &str, sql: &str) -> Run {
        measure::wall(&mut self.command(url, sql))
    }
}

/// The last line that a script prints, as a number.
fn with_input(mut command: Command, sql: &str) -> f64 {
    use std::io::Write;
    use std::process::Stdio;
    let started = Instant::now();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("psql starts");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(sql.as_bytes()).expect("written");
    drop(input);
    let out = child.wait_with_output().expect("psql ends");
    assert!(out.status.success());
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let last = text.lines().rev().find_map(|line| line.trim().parse().ok());
    last.unwrap_or_else(|| started.elapsed().as_secs_f64())
}

fn programs() -> PathBuf {
    if let Some(dir) = std::env::var_os("LKROUTE_TEST_PG_BIN") {
        return dir.into();
    }
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .collect();
    found.sort();
    found
        .pop()
        .expect("PostgreSQL's server programs; or set LKROUTE_TEST_PG_BIN")
}
