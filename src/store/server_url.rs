//! The URL of a PostgreSQL server, in the form of libpq, taken apart so that
//! it is certain what each part is. Imports sqlx's connection options.
//!
//! A password that is not percent-encoded makes a URL that can be read in two
//! ways. Such a URL is refused, and nothing of it is repeated: what looks like
//! a host or a database's name may be the rest of the password.

use std::fmt::Write as _;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;

use crate::error::{Error, Result};

/// Which of several servers is wanted: libpq's `target_session_attrs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Wanted {
    #[default]
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    PreferStandby,
}

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

const ENCODE: &str = "characters such as @ : / ? # % in user or password are percent-encoded (%40 %3A \
    %2F %3F %23 %25)";

/// Parameters of other software that change nothing for one connection
/// without prepared statements.
const WITHOUT_EFFECT: [&str; 6] = [
    "pgbouncer",
    "connection_limit",
    "pool_timeout",
    "statement_cache_size",
    "statement-cache-capacity",
    "fallback_application_name",
];

/// Parameters that others know. These names are ours to print; any other may
/// be a piece of a password.
const REFUSED: [&str; 28] = [
    "channel_binding",
    "client_encoding",
    "gssdelegation",
    "gssencmode",
    "gsslib",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "krbsrvname",
    "load_balance_hosts",
    "passfile",
    "replication",
    "require_auth",
    "requirepeer",
    "search_path",
    "service",
    "ssl",
    "sslaccept",
    "sslcrl",
    "sslcrldir",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
    "sslidentity",
    "sslnegotiation",
    "sslpassword",
    "sslsni",
    "tcp_user_timeout",
];

/// What the URL says, decoded.
#[derive(Default)]
struct UrlParts {
    user: Option<String>,
    password: Option<String>,
    hosts: Vec<String>,
    ports: Vec<String>,
    database: Option<String>,
    /// Parameters that are handed on as they are.
    passed_on: Vec<(String, String)>,
    schema: Option<String>,
    wanted: Wanted,
    connect_timeout: Option<Duration>,
    socket_timeout: Option<Duration>,
}

impl ServerUrl {
    /// Reads what follows `postgres://`.
    pub(super) fn parse(rest: &str) -> Result<ServerUrl> {
        let parts = UrlParts::read(rest)?;
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
}

impl ServerUrl {
    /// Of several hosts, that which can be written to.
    ///
    /// # Errors
    /// The URL asks for a standby alone.
    pub(super) fn to_write(&self) -> Result<ServerUrl> {
        let wanted = match self.wanted {
            Wanted::Standby | Wanted::ReadOnly => {
                return Err(Error::new(format!(
                    "the URL of {} asks for a standby, which can't be written to",
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
        None => format!("{host}:{}", options.get_port()),
    }
}

impl UrlParts {
    fn read(rest: &str) -> Result<UrlParts> {
        if rest.contains(|c: char| c.is_control() || c.is_whitespace()) {
            return Err(ambiguous("it holds a blank or a line break"));
        }
        if rest.contains('#') {
            return Err(ambiguous("it holds a #, which belongs to no part"));
        }
        let authority_ends = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(authority_ends);
        if tail.contains('@') || authority.matches('@').count() > 1 {
            return Err(ambiguous("it can't be told where user and password end"));
        }
        let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
        let mut parts = UrlParts::default();
        let hosts = match authority.split_once('@') {
            Some((user, hosts)) => {
                parts.take_user(user)?;
                hosts
            }
            None => authority,
        };
        parts.take_hosts(hosts)?;
        let name = path.strip_prefix('/').unwrap_or(path);
        if name.contains('/') {
            return Err(ambiguous("the database's name holds a /"));
        }
        parts.database = Some(decoded(name)?).filter(|name| !name.is_empty());
        for parameter in query.split('&').filter(|text| !text.is_empty()) {
            let (name, value) = parameter
                .split_once('=')
                .ok_or_else(|| ambiguous("a parameter has no value"))?;
            parts.take_parameter(&decoded(name)?, decoded(value)?)?;
        }
        Ok(parts)
    }

    fn take_user(&mut self, text: &str) -> Result<()> {
        let (user, password) = match text.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (text, None),
        };
        if password.is_some_and(|password| password.contains(':')) {
            return Err(ambiguous("user and password hold more than one :"));
        }
        self.user = Some(decoded(user)?).filter(|user| !user.is_empty());
        self.password = password.map(decoded).transpose()?;
        Ok(())
    }

    fn take_hosts(&mut self, text: &str) -> Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        for host in text.split(',') {
            let (host, port) = match host.strip_prefix('[').and_then(|host| host.split_once(']')) {
                Some((host, port)) => (
                    host,
                    port.strip_prefix(':').or(port.is_empty().then_some("")),
                ),
                None => match host.split_once(':') {
                    Some((host, port)) => (host, Some(port)),
                    None => (host, Some("")),
                },
            };
            let port = port.ok_or_else(|| ambiguous("a host is not readable"))?;
            self.hosts.push(decoded(host)?);
            self.ports.push(port.to_owned());
        }
        Ok(())
    }

    fn take_parameter(&mut self, name: &str, value: String) -> Result<()> {
        match name {
            "schema" | "currentSchema" => return self.take_schema(value),
            "user" => self.user = Some(value),
            "password" => self.password = Some(value),
            "dbname" => self.database = Some(value),
            "host" => self.hosts = list(&value),
            "hostaddr" if self.hosts.is_empty() => self.hosts = list(&value),
            "hostaddr" => return Err(refused("hostaddr", "beside a host")),
            "port" => self.ports = list(&value),
            "connect_timeout" => self.connect_timeout = limit("connect_timeout", &value)?,
            "socket_timeout" => self.socket_timeout = limit("socket_timeout", &value)?,
            "target_session_attrs" | "targetServerType" => {
                self.wanted = match value.as_str() {
                    "any" => Wanted::Any,
                    "read-write" => Wanted::ReadWrite,
                    "read-only" => Wanted::ReadOnly,
                    "primary" => Wanted::Primary,
                    "standby" | "secondary" => Wanted::Standby,
                    "prefer-standby" | "preferSecondary" => Wanted::PreferStandby,
                    _ => return Err(bad_value("target_session_attrs")),
                }
            }
            "application_name" | "options" | "sslmode" | "sslrootcert" | "sslcert" | "sslkey" => {
                self.passed_on.push((name.to_owned(), value));
            }
            // What is asked for anyway, where it is asked for at all.
            "channel_binding" if value != "require" => {}
            "load_balance_hosts" if value == "disable" => {}
            "client_encoding" if value.eq_ignore_ascii_case("utf8") => {}
            _ if WITHOUT_EFFECT.contains(&name) => {}
            _ => {
                return Err(match REFUSED.iter().find(|known| **known == name) {
                    Some(known) => refused(known, "in the URL"),
                    None => Error::new("the PostgreSQL URL has a parameter that lkroute does not know")
                        .hint("it may be a piece of a password that is not percent-encoded, so it is not shown; docs/databases.md lists the parameters that count"),
                });
            }
        }
        Ok(())
    }

    fn take_schema(&mut self, value: String) -> Result<()> {
        if value.contains(',') {
            return Err(Error::new("the PostgreSQL URL names several schemas")
                .hint("lkroute's tables are in one: name it alone, or with --schema"));
        }
        if value.is_empty() || self.schema.as_ref().is_some_and(|schema| *schema != value) {
            return Err(bad_value("schema"));
        }
        self.schema = Some(value);
        Ok(())
    }

    /// What leads to one of the hosts.
    fn options(&self, ix: usize) -> Result<PgConnectOptions> {
        let mut url = String::from("postgres:///?");
        let mut put = |name: &str, value: &str| {
            // Writing to a String does not fail.
            let _ = write!(url, "{name}={}&", encoded(value));
        };
        let some = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        for (name, value) in [
            ("user", some(&self.user)),
            ("password", some(&self.password)),
            ("dbname", some(&self.database)),
            (
                "host",
                self.hosts.get(ix).cloned().filter(|host| !host.is_empty()),
            ),
        ] {
            if let Some(value) = value {
                put(name, &value);
            }
        }
        // One port is that of every host.
        let ports = (self.ports.len(), self.hosts.len().max(1));
        let port = match ports {
            (1, _) => self.ports.first(),
            (0, _) => None,
            (ports, hosts) if ports == hosts => self.ports.get(ix),
            _ => return Err(ambiguous("there are more or fewer ports than hosts")),
        };
        if let Some(port) = port.filter(|port| !port.is_empty()) {
            let known: Option<u16> = port.parse().ok().filter(|port| *port > 0);
            let known = known.filter(|_| port.bytes().all(|byte| byte.is_ascii_digit()));
            let known = known.ok_or_else(|| ambiguous("a port is no number from 1 to 65535"))?;
            put("port", &known.to_string());
        }
        for (name, value) in &self.passed_on {
            put(name, value);
        }
        let host = self.hosts.get(ix).map(String::as_str).unwrap_or_default();
        let odd = |c: char| c.is_control() || c.is_whitespace() || "@:/?#%\\'\"".contains(c);
        let v6 = host.parse::<std::net::Ipv6Addr>().is_ok();
        if !host.starts_with('/') && !v6 && host.contains(odd) {
            return Err(ambiguous("a host is not readable"));
        }
        PgConnectOptions::from_str(&url).map_err(|_| ambiguous("a parameter has an unknown value"))
    }
}

/// A limit in seconds; zero waits for ever in libpq, and as long as nothing is
/// said here.
fn limit(name: &str, value: &str) -> Result<Option<Duration>> {
    let seconds = value.parse().map_err(|_| bad_value(name))?;
    Ok((seconds > 0).then(|| Duration::from_secs(seconds)))
}

/// The parts of a list with commas.
fn list(value: &str) -> Vec<String> {
    value.split(',').map(str::to_owned).collect()
}

fn ambiguous(why: &str) -> Error {
    Error::new(format!("the PostgreSQL URL can't be read: {why}")).hint(ENCODE)
}

fn bad_value(name: &str) -> Error {
    Error::new(format!(
        "{name} in the PostgreSQL URL has no value that lkroute knows"
    ))
    .hint("docs/databases.md lists the parameters and their values")
}

fn refused(name: &str, place: &str) -> Error {
    Error::new(format!("lkroute can't honour `{name}` {place}"))
        .hint("take it out; docs/databases.md lists the parameters that count")
}

/// Without percent signs; a sign that begins no code is an error.
fn decoded(text: &str) -> Result<String> {
    let wrong = || ambiguous("a % begins no code of two hexadecimal digits");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let code = rest
            .get(..2)
            .and_then(|code| std::str::from_utf8(code).ok());
        let code = code.filter(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let code = code.ok_or_else(wrong)?;
        bytes.push(u8::from_str_radix(code, 16).map_err(|_| wrong())?);
        rest = &rest[2..];
    }
    let text = String::from_utf8(bytes).map_err(|_| ambiguous("it is not UTF-8"))?;
    if text.contains('\0') {
        Err(ambiguous("it holds a zero byte"))
    } else {
        Ok(text)
    }
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
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
            ("[::1]:5433/lad", "::1:5433/lad"),
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
