//! A real pgpool-II that spreads reads over a primary and a hot standby, which
//! lags.

use super::{
    not_run, part,
    postgres::{self, Postgres},
    server::{self, Server},
    standby::Standby,
};
use std::{fs, path::PathBuf, process::Command};

/// A cluster of its own with a standby that stays at the moment when it was
/// made, and pgpool in front of both, with its sample settings: reads go to
/// the standby as long as a transaction has written nothing.
pub struct Pgpool {
    /// The port of pgpool.
    port: u16,
    primary: &'static Postgres,
    standby: Standby,
    _server: Server,
}

impl Pgpool {
    /// Starts the standby and pgpool; what `primary` holds now is all that the
    /// standby will ever show. `None`, reported by [`not_run`], where pgpool is
    /// missing.
    pub fn before(primary: &'static Postgres) -> Option<Self> {
        let installed = || Some(PathBuf::from("/usr/sbin/pgpool")).filter(|path| path.exists());
        let Some(program) = part("LKROUTE_TEST_PGPOOL").or_else(installed) else {
            not_run("pgpool");
            return None;
        };
        let standby = Standby::of(primary, &["recovery_min_apply_delay=1h"]);
        let (pool, port) = server::on_free_port(|port| {
            let dir = Server::dir("lkroute-pool-");
            let config = dir.path().join("pgpool.conf");
            let pcp = dir.path().join("pcp.conf");
            fs::write(&pcp, "").expect("write the users");
            let text = settings(dir.path(), port, primary.port, standby.port);
            fs::write(&config, text).expect("write the configuration");
            let mut command = Command::new(&program);
            command.arg("-n").arg("-f").arg(&config).arg("-F").arg(&pcp);
            let url = postgres::url(port, "postgres");
            let answers = || primary.psql_at(&url, "SELECT 1").is_ok();
            let server = Server::start(dir, &command, "INT", answers)?;
            Ok((server, port))
        });
        Some(Self {
            port,
            primary,
            standby,
            _server: pool,
        })
    }

    /// The URL of a database of the primary, through pgpool.
    pub fn url(&self, url: &str) -> String {
        url.replace(
            &format!(":{}/", self.primary.port),
            &format!(":{}/", self.port),
        )
    }

    /// The URL of a database of the primary, on the standby.
    pub fn standby(&self, url: &str) -> String {
        self.standby.url(url)
    }
}

fn settings(dir: &std::path::Path, port: u16, primary: u16, standby: u16) -> String {
    let dir = dir.display();
    format!(
        "backend_clustering_mode = 'streaming_replication'\n\
         listen_addresses = '127.0.0.1'\nport = {port}\nsocket_dir = '{dir}'\n\
         pcp_socket_dir = '{dir}'\npcp_listen_addresses = ''\npid_file_name = '{dir}/pid'\n\
         logdir = '{dir}'\nwd_ipc_socket_dir = '{dir}'\nnum_init_children = 8\n\
         backend_hostname0 = '127.0.0.1'\nbackend_port0 = {primary}\nbackend_weight0 = 0\n\
         backend_hostname1 = '127.0.0.1'\nbackend_port1 = {standby}\nbackend_weight1 = 1\n\
         load_balance_mode = on\nsr_check_period = 10\nsr_check_user = 'lkroute'\n\
         sr_check_database = 'postgres'\nenable_pool_hba = off\npool_passwd = ''\n"
    )
}
