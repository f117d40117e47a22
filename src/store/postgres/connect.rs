//! Connecting to the server that a URL means, of several the first that is as
//! wanted. Imports sqlx.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::time::timeout;

use super::sql::sets;
use crate::error::{Error, Result};
use crate::store::error_map::connection_error;
use crate::store::row_ext::RowExt;
use crate::store::server_url::{ServerUrl, Wanted};

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(15);
/// The same where there are other servers to try.
const CONNECT_EACH: Duration = Duration::from_secs(5);

/// What no connection of ours asks for: prepared statements that outlive a
/// transaction, and settings that a pooler refuses.
pub(super) fn plain(options: &PgConnectOptions) -> PgConnectOptions {
    let options = match options.get_application_name() {
        Some(_) => options.clone(),
        None => options.clone().application_name("lkroute"),
    };
    options
        .statement_cache_capacity(0)
        .extra_float_digits(None)
        .disable_statement_logging()
}

/// The oldest PostgreSQL that has all that is asked of it.
const OLDEST: u32 = 13;

/// Connects to the first host that is as wanted.
pub(super) async fn connect(server: &ServerUrl) -> Result<PgConnection> {
    Ok(connect_somewhere(server).await?.0)
}

/// The same, with the host's label.
///
/// # Errors
/// No host answers, or none of them is as wanted.
pub(super) async fn connect_somewhere(server: &ServerUrl) -> Result<(PgConnection, String)> {
    let passes: &[Wanted] = match server.wanted {
        Wanted::PreferStandby => &[Wanted::Standby, Wanted::Any],
        Wanted::Any | Wanted::ReadWrite | Wanted::ReadOnly | Wanted::Primary | Wanted::Standby => {
            &[server.wanted]
        }
    };
    let mut failed = None;
    for wanted in passes {
        for host in &server.hosts {
            match connect_to(server, host, *wanted).await {
                Ok(conn) => return Ok((conn, server.label_of(host))),
                // The first host is the one that people expect to be used.
                Err(error) => drop(failed.get_or_insert(error)),
            }
        }
    }
    let failed = failed.unwrap_or_else(|| Error::new(format!("no host in {}", server.label)));
    match server.hosts.len() {
        1 => Err(failed),
        hosts => Err(failed.within(&format!("none of {hosts} hosts will do; the first"))),
    }
}

async fn connect_to(
    server: &ServerUrl,
    host: &PgConnectOptions,
    wanted: Wanted,
) -> Result<PgConnection> {
    let limit = match (server.connect_timeout, server.hosts.len()) {
        (Some(limit), _) => limit,
        (None, 1) => CONNECT,
        (None, _) => CONNECT_EACH,
    };
    let options = plain(host);
    let label = server.label_of(host);
    let coming_about = async {
        let conn = connect_allowed(options).await;
        let mut conn = conn.map_err(|error| connection_error(&label, &error))?;
        check_version(&conn, &label)?;
        if wanted != Wanted::Any {
            check_role(&mut conn, wanted, &label).await?;
        }
        Ok(conn)
    };
    match timeout(limit, coming_about).await {
        Ok(connected) => connected,
        Err(_) => Err(Error::new(format!(
            "no connection to {label} within {} seconds",
            limit.as_secs()
        ))
        .hint("check host, port and network")),
    }
}

/// Connects; with `sslmode=allow` without TLS first, and with it where the server
/// turns that away, as libpq does.
async fn connect_allowed(options: PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    if !matches!(options.get_ssl_mode(), PgSslMode::Allow) {
        return PgConnection::connect_with(&options).await;
    }
    match PgConnection::connect_with(&options).await {
        Err(turned_away @ sqlx::Error::Database(_)) => {
            let with_tls = options.ssl_mode(PgSslMode::Require);
            match PgConnection::connect_with(&with_tls).await {
                // Such a server speaks no TLS.
                Err(sqlx::Error::Tls(_)) => Err(turned_away),
                connected => connected,
            }
        }
        connected => connected,
    }
}

fn check_version(conn: &PgConnection, label: &str) -> Result<()> {
    match conn.server_version_num() {
        Some(version) if version / 10_000 < OLDEST => Err(Error::new(format!(
            "{label} is PostgreSQL {}: lkroute needs {OLDEST} or later",
            match version / 10_000 {
                major @ 10.. => major.to_string(),
                major => format!("{major}.{}", version / 100 % 100),
            }
        ))
        .hint("its makers support it no more; upgrade the server")),
        _ => Ok(()),
    }
}

/// Whether the server is what `target_session_attrs` asks for.
async fn check_role(conn: &mut PgConnection, wanted: Wanted, label: &str) -> Result<()> {
    let sql = "SELECT pg_catalog.pg_is_in_recovery(),
                 pg_catalog.current_setting('transaction_read_only') = 'on'";
    let asked = sets(conn, sql).await;
    let asked = asked.map_err(|error| connection_error(label, &error))?;
    let row = asked.iter().flatten().next();
    let flag = |ix: usize| row.is_some_and(|row| row.flag(ix).unwrap_or_default());
    let (standby, read_only) = (flag(0), flag(0) || flag(1));
    let (is_wanted, name) = match wanted {
        Wanted::Any | Wanted::PreferStandby => (true, "any"),
        Wanted::ReadWrite => (!read_only, "read-write"),
        Wanted::ReadOnly => (read_only, "read-only"),
        Wanted::Primary => (!standby, "primary"),
        Wanted::Standby => (standby, "standby"),
    };
    if is_wanted {
        Ok(())
    } else {
        Err(Error::new(format!(
            "{label} is not {name}, as target_session_attrs asks for"
        ))
        .hint("name the other servers too: postgres://HOST1,HOST2/DATABASE"))
    }
}
