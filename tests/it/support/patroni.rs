//! A highly available PostgreSQL: three nodes under Patroni on loopback
//! addresses, with three of etcd. Needs `patroni` and `etcd` of the distribution.

use super::{
    postgres::Postgres,
    server::{self, Server, unprivileged},
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

/// How long a cluster may take to be whole again.
const PATIENCE: Duration = Duration::from_secs(180);

/// Three nodes, of which one is the primary, and one a synchronous standby.
pub struct Patroni {
    own: &'static Postgres,
    port: u16,
    nodes: Vec<Node>,
    etcd: Vec<Server>,
    dir: tempfile::TempDir,
}

struct Node {
    address: String,
    config: PathBuf,
    data: PathBuf,
    /// None while it is down.
    server: Option<Server>,
}

impl Patroni {
    /// Starts etcd and the nodes, and waits until all of them follow; none
    /// where a part is not installed.
    pub fn start() -> Option<Self> {
        let own = Postgres::shared()?;
        if ["/usr/bin/patroni", "/usr/bin/etcd"]
            .iter()
            .any(|program| !Path::new(program).exists())
        {
            super::not_run("patroni and etcd");
            return None;
        }
        let (etcd, clients) = server::on_free_port(|_| start_etcd());
        let port = server::free_port();
        let mut patroni = Self {
            own,
            port,
            nodes: Vec::new(),
            dir: Server::dir("lkroute-ha-"),
            etcd,
        };
        for n in 1..=3 {
            let node = patroni.configured(n, &clients);
            patroni.nodes.push(node);
            patroni.revive(n - 1);
            if n == 1 {
                patroni.until("a primary", |it| it.primary().is_some());
            }
        }
        patroni.until_whole();
        Some(patroni)
    }

    fn configured(&self, n: usize, etcd: &[u16]) -> Node {
        let address = format!("127.0.0.{n}");
        let base = self.dir.path().join(format!("node{n}"));
        let made = unprivileged("mkdir").arg("-p").arg(&base).status();
        assert!(made.expect("mkdir").success());
        let (config, data) = (base.join("patroni.yml"), base.join("data"));
        let bin = self.own.program("");
        let text = format!(
            "scope: lkroute
name: node{n}
restapi: {{listen: '{address}:{rest}', connect_address: '{address}:{rest}'}}
etcd3: {{hosts: [{etcd}]}}
bootstrap:
  dcs:
    ttl: 20
    loop_wait: 2
    retry_timeout: 4
    synchronous_mode: true
    master_start_timeout: 0
    postgresql: {{use_pg_rewind: true}}
  initdb: [{{encoding: UTF8}}, {{locale: C}}, {{auth: trust}}]
postgresql:
  listen: '{address}:{port}'
  connect_address: '{address}:{port}'
  bin_dir: '{bin}'
  data_dir: '{data}'
  pgpass: '{base}/pgpass'
  authentication:
    superuser: {{username: lkroute, password: made-up}}
    replication: {{username: lkroute, password: made-up}}
    rewind: {{username: lkroute, password: made-up}}
  pg_hba: ['local all all trust', 'host all all 127.0.0.0/8 trust', 'host replication all 127.0.0.0/8 trust']
  parameters: {{unix_socket_directories: '{base}', shared_buffers: 64MB, max_wal_size: 1GB, wal_log_hints: 'on', wal_keep_size: 512MB}}
",
            rest = self.port.wrapping_add(1).max(1025),
            etcd = addresses(etcd).join(", "),
            port = self.port,
            bin = bin.display(),
            data = data.display(),
            base = base.display(),
        );
        fs::write(&config, text).expect("write the configuration");
        Node {
            address,
            config,
            data,
            server: None,
        }
    }

    /// Starts a node that is down.
    pub fn revive(&mut self, n: usize) {
        let dir = Server::dir("lkroute-patroni-");
        let mut command = Command::new("/usr/bin/patroni");
        command.arg(&self.nodes[n].config).env("LC_ALL", "C.UTF-8");
        let server = Server::start(dir, &command, "TERM", || true).expect("start patroni");
        self.nodes[n].server = Some(server);
    }

    /// Kills a node's PostgreSQL, and with `whole` its Patroni first, as a
    /// machine does that loses its power.
    pub fn kill(&mut self, n: usize, whole: bool) {
        let node = &mut self.nodes[n];
        let pid = fs::read_to_string(node.data.join("postmaster.pid")).unwrap_or_default();
        let mut script = String::new();
        if whole {
            script += &node.signal_patroni("KILL");
        }
        if let Some(pid) = pid.lines().next() {
            // Its processes lead a session of their own.
            script += &format!("kill -9 {pid} $(pgrep -P {pid})");
        }
        run_script(&script);
        if whole {
            node.server = None;
        }
    }

    /// Holds a node's Patroni up: until it is let go it takes nothing over,
    /// while its PostgreSQL goes on.
    pub fn hold_up(&self, n: usize) {
        run_script(&self.nodes[n].signal_patroni("STOP"));
    }

    pub fn let_go(&self, n: usize) {
        run_script(&self.nodes[n].signal_patroni("CONT"));
    }

    /// Takes one of three nodes of etcd away.
    pub fn lose_etcd(&mut self) {
        drop(self.etcd.pop());
    }

    /// The node that can be written to.
    pub fn primary(&self) -> Option<usize> {
        let is_primary =
            |n: &usize| self.ask(*n, "SELECT pg_is_in_recovery()").as_deref() == Ok("f");
        (0..self.nodes.len()).find(is_primary)
    }

    /// Waits until each node is there, and one confirms each commit.
    pub fn until_whole(&self) {
        self.until("all nodes follow", |it| {
            let following = "SELECT count(*) || '/' || count(*) FILTER (WHERE sync_state = 'sync')
                             FROM pg_stat_replication WHERE state = 'streaming'";
            let primary = it.primary();
            primary.is_some_and(|n| it.ask(n, following).as_deref() == Ok("2/1"))
        });
    }

    fn until(&self, what: &str, done: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !done(self) {
            if Instant::now() > deadline {
                panic!("{what}: not within {PATIENCE:?}");
            }
            thread::sleep(Duration::from_millis(300));
        }
    }

    fn print_logs(&self) {
        for node in &self.nodes {
            let log = node.server.as_ref().map(|server| server.path().join("log"));
            let log = log.map(|log| fs::read_to_string(log).unwrap_or_default());
            let log = log.unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let end = lines[lines.len().saturating_sub(40)..].join("\n");
            eprintln!("{}:\n{end}", node.address);
        }
    }

    /// Runs SQL on one node.
    pub fn ask(&self, n: usize, sql: &str) -> Result<String, String> {
        self.own.psql_at(&self.url_of(n, "postgres"), sql)
    }

    /// Runs SQL in a database on the primary.
    pub fn psql(&self, database: &str, sql: &str) -> String {
        let primary = self.primary().expect("a primary");
        let ran = self.own.psql_at(&self.url_of(primary, database), sql);
        ran.unwrap_or_else(|error| panic!("{error}"))
    }

    /// The URL of a database on one node.
    pub fn url_of(&self, n: usize, database: &str) -> String {
        let address = &self.nodes[n].address;
        format!(
            "postgres://lkroute@{address}:{}/{database}?connect_timeout=2",
            self.port
        )
    }

    /// The URL of a database on all nodes.
    pub fn url(&self, database: &str, attributes: &str) -> String {
        let hosts = self
            .nodes
            .iter()
            .map(|node| format!("{}:{}", node.address, self.port));
        let hosts = hosts.collect::<Vec<_>>().join(",");
        format!("postgres://lkroute@{hosts}/{database}?target_session_attrs={attributes}")
    }

    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }
}

impl Drop for Patroni {
    /// What the nodes say of a test that fails. One that is held up would not
    /// hear that it has to end.
    fn drop(&mut self) {
        for n in 0..self.nodes.len() {
            self.let_go(n);
        }
        if thread::panicking() {
            self.print_logs();
        }
    }
}

impl Node {
    /// The script that sends a signal to its Patroni, but not to PostgreSQL.
    fn signal_patroni(&self, signal: &str) -> String {
        let keeper = self.server.as_ref().map_or(0, Server::keeper);
        format!(
            "for pid in $(pgrep -P {keeper}); do
               grep -qs patroni.yml /proc/$pid/cmdline && kill -s {signal} $pid
             done; "
        )
    }
}

fn run_script(script: &str) {
    let _ = Command::new("sh").args(["-c", script]).output();
}

/// Loopback addresses with these ports, in quotes.
fn addresses(ports: &[u16]) -> Vec<String> {
    let each = ports.iter();
    each.map(|port| format!("'127.0.0.1:{port}'")).collect()
}

/// Three nodes of etcd, and the ports that clients use.
fn start_etcd() -> Result<(Vec<Server>, Vec<u16>), String> {
    let free = || -> Vec<u16> { (0..3).map(|_| server::free_port()).collect() };
    let (clients, peers) = (free(), free());
    let cluster: Vec<String> = peers
        .iter()
        .enumerate()
        .map(|(n, peer)| format!("etcd{n}=http://127.0.0.1:{peer}"))
        .collect();
    let mut servers = Vec::new();
    for (n, (client, peer)) in clients.iter().zip(&peers).enumerate() {
        let dir = Server::dir("lkroute-etcd-");
        let (client_url, peer_url) = (
            format!("http://127.0.0.1:{client}"),
            format!("http://127.0.0.1:{peer}"),
        );
        let mut command = Command::new("/usr/bin/etcd");
        command.arg("--data-dir").arg(dir.path().join("etcd"));
        for (name, value) in [
            ("--name", &format!("etcd{n}")),
            ("--listen-client-urls", &client_url),
            ("--advertise-client-urls", &client_url),
            ("--listen-peer-urls", &peer_url),
            ("--initial-advertise-peer-urls", &peer_url),
            ("--initial-cluster", &cluster.join(",")),
        ] {
            command.arg(name).arg(value);
        }
        // The first ones answer once there is a majority.
        servers.push(Server::start(dir, &command, "TERM", || true)?);
    }
    let deadline = Instant::now() + PATIENCE;
    while !clients.iter().all(|port| server::listens(*port)) {
        if Instant::now() > deadline {
            return Err("etcd does not come up".to_owned());
        }
        thread::sleep(Duration::from_millis(100));
    }
    Ok((servers, clients))
}
