//! A hot standby of a test's own cluster.

use super::{
    postgres::{self, Postgres},
    server::{self, Server, unprivileged},
};
use std::process::Command;

/// A copy of a cluster that follows it and answers reads.
pub struct Standby {
    /// The loopback port it listens on.
    pub port: u16,
    primary: &'static Postgres,
    _server: Server,
}

impl Standby {
    /// Copies the cluster and starts the copy with these settings.
    pub fn of(primary: &'static Postgres, settings: &[&str]) -> Self {
        server::on_free_port(|port| {
            let dir = Server::dir("lkroute-standby-");
            let data = dir.path().join("data");
            let mut copy = unprivileged(primary.program("pg_basebackup"));
            copy.args(["--checkpoint=fast", "--write-recovery-conf", "--no-sync"]);
            copy.arg("-D").arg(&data);
            copy.arg("-d").arg(postgres::url(primary.port, "postgres"));
            postgres::checked(&mut copy)?;
            let mut command = Command::new(primary.program("postgres"));
            command.arg("-D").arg(&data);
            let socket = format!("unix_socket_directories={}", dir.path().display());
            let port_setting = format!("port={port}");
            let own = [
                socket.as_str(),
                "listen_addresses=127.0.0.1",
                &port_setting,
                "max_connections=200",
                "max_prepared_transactions=4",
                "shared_buffers=16MB",
            ];
            for setting in own.iter().chain(settings) {
                command.args(["-c", setting]);
            }
            let url = postgres::url(port, "postgres");
            let answers = || primary.psql_at(&url, "SELECT 1").is_ok();
            Ok(Self {
                port,
                primary,
                _server: Server::start(dir, &command, "QUIT", answers)?,
            })
        })
    }

    /// The URL of a database of the primary, here.
    pub fn url(&self, url: &str) -> String {
        url.replace(
            &format!(":{}/", self.primary.port),
            &format!(":{}/", self.port),
        )
    }

    /// Runs SQL as the superuser.
    ///
    /// # Panics
    /// When a statement fails.
    pub fn psql(&self, sql: &str) -> String {
        let ran = self
            .primary
            .psql_at(&postgres::url(self.port, "postgres"), sql);
        ran.unwrap_or_else(|error| panic!("{error}"))
    }
}
