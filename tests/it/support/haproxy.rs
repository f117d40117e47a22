//! A real HAProxy that has no server behind it.

use super::{
    not_run, part,
    server::{self, Server},
};
use std::{fs, path::PathBuf, process::Command};

/// It accepts connections, finds its only backend down, and closes them.
pub struct Haproxy {
    /// The port that it listens on.
    pub port: u16,
    _server: Server,
}

impl Haproxy {
    /// `None`, reported by [`not_run`], where HAProxy is missing.
    pub fn without_backend() -> Option<Self> {
        let installed = || Some(PathBuf::from("/usr/sbin/haproxy")).filter(|path| path.exists());
        let Some(program) = part("LKROUTE_TEST_HAPROXY").or_else(installed) else {
            not_run("haproxy");
            return None;
        };
        Some(server::on_free_port(|port| {
            let dir = Server::dir("lkroute-ha-");
            let config = dir.path().join("haproxy.cfg");
            let text = format!(
                "defaults\n mode tcp\n timeout connect 1s\n timeout client 5s\n \
                 timeout server 5s\nlisten postgres\n bind 127.0.0.1:{port}\n \
                 server primary 127.0.0.1:{} check inter 100ms fall 1\n",
                server::free_port()
            );
            fs::write(&config, text).expect("write the configuration");
            let mut command = Command::new(&program);
            command.arg("-db").arg("-f").arg(&config);
            let server = Server::start(dir, &command, "TERM", || server::listens(port))?;
            Ok(Self {
                port,
                _server: server,
            })
        }))
    }
}
