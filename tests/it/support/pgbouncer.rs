//! A real pgbouncer in front of a test's database.

use super::{
    not_run, part,
    postgres::Db,
    server::{self, Server, unprivileged},
};
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Command, Stdio},
};

/// A pooler that hands a server connection to a client for one transaction
/// only, so nothing that a session remembers can be relied on.
pub struct Pgbouncer {
    /// The database behind the pooler, as the superuser `lkroute`.
    pub url: String,
    _server: Server,
}

impl Pgbouncer {
    /// Starts pgbouncer in transaction mode with its defaults, so that start-up
    /// parameters and prepared statements behave as in an ordinary
    /// installation. `None`, reported by [`not_run`], where it is missing.
    pub fn transaction_mode(db: &Db) -> Option<Self> {
        Self::in_mode(db, "transaction")
    }

    /// The same in another `pool_mode`.
    pub fn in_mode(db: &Db, mode: &str) -> Option<Self> {
        let installed = || Some(PathBuf::from("/usr/sbin/pgbouncer")).filter(|path| path.exists());
        let Some(program) = part("LKROUTE_TEST_PGBOUNCER").or_else(installed) else {
            not_run("pgbouncer");
            return None;
        };
        Some(server::on_free_port(|port| {
            let dir = Server::dir("lkroute-pgb-");
            let users = dir.path().join("users");
            let config = dir.path().join("pgbouncer.ini");
            fs::write(&users, "\"lkroute\" \"\"\n").expect("write the users");
            fs::write(&config, ini(db, port, mode, &users)).expect("write the configuration");
            let mut command = Command::new(&program);
            command.arg(&config);
            let server = Server::start(dir, &command, "INT", || server::listens(port))?;
            let from = format!(":{}/", db.postgres().port);
            let url = db.url.replace(&from, &format!(":{port}/"));
            Ok(Self {
                url,
                _server: server,
            })
        }))
    }
}

fn ini(db: &Db, port: u16, mode: &str, users: &std::path::Path) -> String {
    format!(
        "[databases]\n* = host=127.0.0.1 port={}\n\
         [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
         auth_type = trust\nauth_file = {}\npool_mode = {mode}\ndefault_pool_size = 4\n",
        db.postgres().port,
        users.display(),
    )
}

#[test]
fn two_clients_share_a_server_connection() {
    let Some(postgres) = super::Postgres::shared() else {
        return;
    };
    let db = postgres.database("pooler");
    let Some(pooler) = Pgbouncer::transaction_mode(&db) else {
        return;
    };
    assert_eq!(
        db.psql_as(&pooler.url, "SELECT current_database()"),
        Ok(db.name.clone())
    );

    // Its transaction is over, but it stays: in session mode it would keep its
    // server connection to itself.
    let mut first = unprivileged(postgres.program("psql"));
    first
        .args(["-XqAt", "-d", &pooler.url])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut first = first.spawn().expect("psql");
    let mut input = first.stdin.take().expect("piped");
    writeln!(input, "SELECT pg_backend_pid();").expect("psql reads");
    let mut pid = String::new();
    let output = first.stdout.take().expect("piped");
    BufReader::new(output)
        .read_line(&mut pid)
        .expect("psql answers");
    let second = db.psql_as(&pooler.url, "SELECT pg_backend_pid()");
    drop(input);
    first.wait().expect("psql ends");
    assert_eq!(second.as_deref(), Ok(pid.trim()));
}
