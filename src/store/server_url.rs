//! The URL of a PostgreSQL server, in the form of libpq, taken apart so that
//! it is certain what each part is. Imports sqlx's connection options.
//!
//! A password that is not percent-encoded makes a URL that can be read in two
//! ways. Such a URL is refused, and nothing of it is repeated: what looks like
//! a host or a database's name may be the rest of the password.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;

use super::url_parts::{UrlParts, ambiguous};
use crate::error::{Error, Result};

pub(super) use super::url_parts::Wanted;

/// Where a PostgreSQL database is.
#[derive(Clone)]
pub(super) struct ServerUrl {
    /// One for each host, in their order; never empty.
    pub hosts: Vec<PgConnectOptions>,
    pub wanted: Wanted,
    pub schema: Option<String>,
    /// Host, port and database, for people.
    pub label: String,
    /// How long each host may take to answer, where the URL says so.
    pub connect_timeout: Option<Duration>,
    /// The same of a connection, from one piece of an answer to the next.
    pub socket_timeout: Option<Duration>,
}

impl ServerUrl {
    /// Reads what follows `postgres://`.
    pub(super) fn parse(rest: &str) -> Result<ServerUrl> {
        ServerUrl::parse_with(rest, &|name| std::env::var(name).ok())
    }

    /// The same; `variable` gives the value of one of the environment's.
    fn parse_with(rest: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<ServerUrl> {
        let parts = UrlParts::read(rest, variable)?;
        let (mut hosts, mut labels) = (Vec::new(), Vec::new());
        for ix in 0..parts.hosts.len().max(1) {
            let options = parts.options(ix)?;
            labels.push(place(&options));
            hosts.push(options);
        }
        let first = hosts.first().ok_or_else(|| ambiguous("no host"))?;
        let database = first.get_database().unwrap_or(first.get_username());
        Ok(ServerUrl {
            label: format!("postgres://{}/{database}", labels.join(",")),
            hosts,
            wanted: parts.wanted,
            schema: parts.schema,
            connect_timeout: parts.connect_timeout,
            socket_timeout: parts.socket_timeout,
        })
    }

    /// Of several hosts, that which can be written to.
    ///
    /// # Errors
    /// The URL asks for a standby alone.
    pub(super) fn to_write(&self) -> Result<ServerUrl> {
        let wanted = match self.wanted {
            Wanted::Standby | Wanted::ReadOnly => {
                return Err(Error::new(format!(
                    "target_session_attrs for {} asks for a standby, which can't be written to",
                    self.label
                ))
                .hint(
                    "target_session_attrs=prefer-standby reads from one, and writes to the primary",
                ));
            }
            Wanted::Any | Wanted::PreferStandby if self.hosts.len() > 1 => Wanted::ReadWrite,
            Wanted::PreferStandby => Wanted::Any,
            wanted @ (Wanted::Any | Wanted::ReadWrite | Wanted::Primary) => wanted,
        };
        Ok(ServerUrl {
            wanted,
            ..self.clone()
        })
    }

    /// The label of one of its hosts.
    pub(super) fn label_of(&self, host: &PgConnectOptions) -> String {
        let database = host.get_database().unwrap_or(host.get_username());
        format!("postgres://{}/{database}", place(host))
    }
}

/// Host and port, or the directory of the socket.
fn place(options: &PgConnectOptions) -> String {
    let host = options.get_host();
    match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None if host.starts_with('/') => host.to_owned(),
        None if host.contains(':') => format!("[{host}]:{}", options.get_port()),
        None => format!("{host}:{}", options.get_port()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_that_is_not_encoded_is_refused_and_not_repeated() {
        for url in [
            "lkroute:/Zq7xSECRETxx9K@db.example/lad",
            "lkroute:4/ZqSECRET@db.example:5432/lad",
            "lkroute:Zq?SECRET=x@db.example/lad",
            "lkroute:Zq#SECRET@db.example/lad",
            "lkroute:Zq@SECRET@db.example/lad",
            "lkroute:Zq@SECRET/x@db.example/lad",
            "lkroute:Zq:SECRET@db.example/lad",
            "lkroute:Zq%SECRET@db.example/lad",
            "lkroute:Zq SECRET@db.example/lad",
            "lkroute:SECRET/lad",
            "lkroute:SECRET",
            "db.example/lad/SECRET",
            "db.example/lad?password=a&SECRET=1",
            "db.example/lad?password=a&SECRET",
            "db.example/lad?sslmode=SECRET",
            "db.example/lad?target_session_attrs=SECRET",
            "db.example/lad?schema=a&currentSchema=SECRET",
            "db.example:SECRET/lad",
            "[::1]SECRET/lad",
            "db.example,b:SECRET/lad",
        ] {
            let error = ServerUrl::parse(url).err();
            let error = error.unwrap_or_else(|| panic!("{url} was read"));
            assert!(!format!("{error:?}").contains("SECRET"), "{url}: {error:?}");
        }
    }

    #[test]
    fn every_part_is_read_as_libpq_reads_it() {
        for (url, label) in [
            ("bob:a%2Fb%40c@db.example:6432/lad", "db.example:6432/lad"),
            (
                "a.example:1,b.example/lad",
                "a.example:1,b.example:5432/lad",
            ),
            ("[::1]:5433/lad", "[::1]:5433/lad"),
            ("/lad?host=/var/run/pg&user=u", "/var/run/pg/lad"),
            ("%2Fvar%2Frun%2Fpg/lad", "/var/run/pg/lad"),
            (
                "/?host=a.example,b.example&port=1,2&dbname=lad",
                "a.example:1,b.example:2/lad",
            ),
            (
                "a.example,b.example/lad?port=7",
                "a.example:7,b.example:7/lad",
            ),
            (
                "bob@h/my%20db?sslmode=disable&application_name=x",
                "h:5432/my db",
            ),
        ] {
            let read = ServerUrl::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
            assert_eq!(read.label, format!("postgres://{label}"), "{url}");
        }
        let read = ServerUrl::parse("u:a%2Bb+c@h/d").unwrap();
        // sqlx gives a password away only in its URL.
        let url = sqlx::ConnectOptions::to_url_lossy(&read.hosts[0]);
        assert_eq!(url.password(), Some("a%2Bb%2Bc"));
    }

    /// A variable that is passed over sends a plan to another server than psql.
    #[test]
    fn variables_of_libpq_fill_what_the_url_leaves_out() {
        let read = |url: &str, set: &[(&str, &str)]| {
            let variable = |name: &str| {
                let found = set.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            ServerUrl::parse_with(url, &variable)
        };
        let hosts = [("PGHOST", "a.example,::1"), ("PGPORT", "1,2")];
        for (url, set, label) in [
            ("/lad", &hosts[..], "a.example:1,[::1]:2/lad"),
            ("/lad", &hosts[..1], "a.example:5432,[::1]:5432/lad"),
            ("h:7/lad", &hosts[..], "h:7/lad"),
            ("h,i/lad", &[("PGPORT", "9")][..], "h:9,i:9/lad"),
            ("/lad?port=3&host=h", &hosts[..], "h:3/lad"),
            (
                "/lad",
                &[("PGHOSTADDR", "127.0.0.9")][..],
                "127.0.0.9:5432/lad",
            ),
            (
                "h/lad",
                &[("PGGSSENCMODE", "disable"), ("PGSERVICE", "")][..],
                "h:5432/lad",
            ),
        ] {
            let read = read(url, set).unwrap_or_else(|error| panic!("{url}: {error}"));
            assert_eq!(read.label, format!("postgres://{label}"), "{url}");
        }
        let wanted = |url, value| {
            let set = [("PGTARGETSESSIONATTRS", value)];
            read(url, &set).map(|read| read.wanted)
        };
        assert_eq!(wanted("h/d", "standby").unwrap(), Wanted::Standby);
        let own = "h/d?target_session_attrs=primary";
        assert_eq!(wanted(own, "standby").unwrap(), Wanted::Primary);
        for (name, value) in [
            ("PGTARGETSESSIONATTRS", "odd"),
            ("PGSERVICE", "crm"),
            // A slip is no `prefer`.
            ("PGSSLMODE", "verify_full"),
            ("PGPORT", "odd"),
            ("PGHOSTADDR", "127.0.0.1"),
            ("PGCHANNELBINDING", "require"),
            ("PGREQUIREAUTH", "scram-sha-256"),
            ("PGSSLCRL", "/crl"),
            ("PGCONNECT_TIMEOUT", "odd"),
        ] {
            let error = read("h/d", &[(name, value)]).err().expect(name);
            assert!(error.message.contains(name), "{error}");
        }
    }

    #[test]
    fn certificates_are_files_that_are_there() {
        let read = |url: &str| ServerUrl::parse_with(url, &|_| None);
        for (url, named) in [
            (
                "h/d?sslmode=verify-ca&sslrootcert=/nowhere/ca.pem",
                "`/nowhere/ca.pem`",
            ),
            ("h/d?sslcert=/nowhere/c&sslkey=/nowhere/k", "`/nowhere/c`"),
            ("h/d?sslcert=/nowhere/c", "belong together"),
            (
                "h/d?sslmode=require&sslrootcert=system",
                "verify-full alone",
            ),
        ] {
            let error = read(url).err().expect(url);
            assert!(error.message.contains(named), "{url}: {error}");
        }
        let system = read("h/d?sslrootcert=system").unwrap();
        let mode = system.hosts[0].get_ssl_mode();
        assert!(matches!(mode, sqlx::postgres::PgSslMode::VerifyFull));
        let unused = read("h/d?sslmode=disable&sslrootcert=/nowhere/ca.pem");
        assert!(unused.is_ok());
    }

    #[test]
    fn what_prisma_and_jdbc_add_is_honoured() {
        let read = |url: &str| ServerUrl::parse(url).unwrap();
        let prisma = read("h/d?schema=lad_dev&pgbouncer=true&connection_limit=1");
        assert_eq!(prisma.schema.as_deref(), Some("lad_dev"));
        let jdbc = read("a,b/d?currentSchema=x&targetServerType=primary&connect_timeout=7");
        assert_eq!(jdbc.schema.as_deref(), Some("x"));
        assert_eq!(jdbc.wanted, Wanted::Primary);
        assert_eq!(jdbc.connect_timeout, Some(Duration::from_secs(7)));
        let prisma = read("h/d?socket_timeout=3");
        assert_eq!(prisma.socket_timeout, Some(Duration::from_secs(3)));
        assert_eq!(read("h/d?socket_timeout=0").socket_timeout, None);
        let error = ServerUrl::parse("h/d?channel_binding=require")
            .err()
            .unwrap();
        assert!(error.message.contains("channel_binding"), "{error}");
    }
}
