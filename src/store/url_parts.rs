//! The parts of a PostgreSQL URL, decoded, each where libpq sees it. Imports
//! sqlx's connection options.

use std::fmt::Write as _;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::certificates::with_certificates;
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

/// Variables of libpq's, with the parameter that each stands for: what it can't
/// say here, it is refused for. Others are read by sqlx, or say nothing that matters.
const VARIABLES: [(&str, &str); 17] = [
    ("PGHOSTADDR", "hostaddr"),
    ("PGHOST", "host"),
    ("PGPORT", "port"),
    ("PGTARGETSESSIONATTRS", "target_session_attrs"),
    ("PGCONNECT_TIMEOUT", "connect_timeout"),
    ("PGSSLMODE", "sslmode"),
    ("PGSSLROOTCERT", "sslrootcert"),
    ("PGSSLCERT", "sslcert"),
    ("PGSSLKEY", "sslkey"),
    ("PGSERVICE", "service"),
    ("PGCHANNELBINDING", "channel_binding"),
    ("PGGSSENCMODE", "gssencmode"),
    ("PGLOADBALANCEHOSTS", "load_balance_hosts"),
    ("PGREQUIREAUTH", "require_auth"),
    ("PGREQUIREPEER", "requirepeer"),
    ("PGSSLCRL", "sslcrl"),
    ("PGSSLCRLDIR", "sslcrldir"),
];

/// What the URL says, decoded.
#[derive(Default)]
pub(super) struct UrlParts {
    /// The parameters that it has.
    told: Vec<String>,
    user: Option<String>,
    password: Option<String>,
    pub hosts: Vec<String>,
    ports: Vec<String>,
    database: Option<String>,
    /// Parameters that are handed on as they are.
    passed_on: Vec<(String, String)>,
    pub schema: Option<String>,
    pub wanted: Wanted,
    pub connect_timeout: Option<Duration>,
    pub socket_timeout: Option<Duration>,
}

impl UrlParts {
    /// `variable` gives the value of one of the environment's.
    pub(super) fn read(rest: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<UrlParts> {
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
            let name = match decoded(name)?.as_str() {
                // JDBC's name.
                "targetServerType" => "target_session_attrs".to_owned(),
                name => name.to_owned(),
            };
            parts.take_parameter(&name, decoded(value)?)?;
            parts.told.push(name);
        }
        parts.fill_in(variable)?;
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
            "port" => {
                self.ports = list(&value);
                if !self
                    .ports
                    .iter()
                    .all(|port| port.is_empty() || is_port(port))
                {
                    return Err(bad_value("port"));
                }
            }
            "connect_timeout" => self.connect_timeout = limit("connect_timeout", &value)?,
            "socket_timeout" => self.socket_timeout = limit("socket_timeout", &value)?,
            "target_session_attrs" => {
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
            "sslmode" if PgSslMode::from_str(&value).is_err() => return Err(bad_value("sslmode")),
            "application_name" | "options" | "sslmode" | "sslrootcert" | "sslcert" | "sslkey" => {
                self.passed_on.push((name.to_owned(), value));
            }
            // What is asked for anyway, where it is asked for at all.
            "channel_binding" if value != "require" => {}
            "load_balance_hosts" if value == "disable" => {}
            "client_encoding" if value.eq_ignore_ascii_case("utf8") => {}
            "gssencmode" if value != "require" => {}
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
    pub(super) fn options(&self, ix: usize) -> Result<PgConnectOptions> {
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
            if !is_port(port) {
                return Err(ambiguous("a port is no number from 1 to 65535"));
            }
            put("port", port);
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
        let options = PgConnectOptions::from_str(&url);
        let options = options.map_err(|_| ambiguous("a parameter has an unknown value"))?;
        with_certificates(options, &|name| self.passed_on(name))
    }

    fn passed_on(&self, name: &str) -> Option<&str> {
        let mut passed = self.passed_on.iter();
        let found = passed.find(|(passed, value)| passed == name && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    }

    /// What variables of libpq's say of what the URL leaves out.
    fn fill_in(&mut self, variable: &dyn Fn(&str) -> Option<String>) -> Result<()> {
        for (variable_name, name) in VARIABLES {
            let said = match name {
                "host" => !self.hosts.is_empty(),
                "port" => self.ports.iter().any(|port| !port.is_empty()),
                name => self.told.iter().any(|told| told == name),
            };
            let Some(value) = variable(variable_name).filter(|value| !said && !value.is_empty())
            else {
                continue;
            };
            self.take_parameter(name, value).map_err(|_| {
                Error::new(format!("lkroute can't honour {variable_name} as it is set"))
                    .hint("unset it for lkroute, and say in the URL what is meant by it")
            })?;
        }
        Ok(())
    }
}

fn is_port(text: &str) -> bool {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    is_number && text.parse::<u16>().is_ok_and(|port| port > 0)
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

pub(super) fn ambiguous(why: &str) -> Error {
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
