//! Which servers may be sent a token. Core: imports only core.
//!
//! A token is signed with a secret of ours, and whoever receives it can act
//! for us as long as it lives. The address that it goes to stands in a row
//! that other software writes. So it is sent only where somebody who reviews
//! changes, or the operator, has said so: see "Secrets that are sent" in
//! `docs/semantics.md`.

use std::fmt;

use url::Url;

use crate::routing::glob::matches_glob;
use crate::routing::guards::Guards;
use crate::source::url::is_plain_to_public;

/// A server as a token would reach it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Destination {
    /// Lower case; an IPv6 address in brackets.
    host: String,
    port: u16,
    tls: bool,
}

impl Destination {
    /// The server of a LiveKit URL.
    pub fn of_url(text: &str) -> Option<Destination> {
        let url = Url::parse(text.trim()).ok()?;
        let tls = match url.scheme() {
            "wss" | "https" => true,
            "ws" | "http" => false,
            _ => return None,
        };
        Some(Destination {
            host: url.host_str()?.trim_end_matches('.').to_owned(),
            port: url.port_or_known_default()?,
            tls,
        })
    }

    /// The same, and a bare `host` or `host:port`, which is reached over TLS.
    pub fn read(text: &str) -> Option<Destination> {
        if text.contains("://") {
            Destination::of_url(text)
        } else {
            Destination::of_url(&format!("wss://{text}"))
        }
    }

    /// What an operator names as one: a server and no more, since nothing else
    /// would be recorded.
    ///
    /// # Errors
    /// It names no server; or more than one, such as a path, and then which.
    pub fn read_named(text: &str) -> Result<Destination, NotOnlyServer> {
        let text = text.trim();
        let named = Destination::read(text).ok_or(NotOnlyServer::NoServer)?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.:[]".contains(c);
        if named.host.is_empty() || named.host.contains("..") || !named.host.chars().all(is_name) {
            return Err(NotOnlyServer::NoServer);
        }
        let (_, rest) = text.split_once("://").unwrap_or(("", text));
        if rest
            .trim_end_matches('/')
            .contains(['/', '\\', '?', '#', '@'])
        {
            return Err(NotOnlyServer::More(named));
        }
        Ok(named)
    }

    /// Whether a token for `other` goes where this one goes: the same host and
    /// port, and not without TLS where this one has it.
    pub fn covers(&self, other: &Destination) -> bool {
        self.host == other.host && self.port == other.port && (other.tls || !self.tls)
    }

    /// As `lkroute trust` writes it down, and [`Destination::read`] reads it.
    pub fn to_text(&self) -> String {
        let scheme = if self.tls { "wss" } else { "ws" };
        format!("{scheme}://{}:{}", self.host, self.port)
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)?;
        if !self.tls {
            f.write_str(" without TLS")?;
        }
        Ok(())
    }
}

/// Why a text is not the name of a server alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotOnlyServer {
    NoServer,
    /// There is more in it than this server: user, path or query.
    More(Destination),
}

/// What the database says about whom to trust.
#[derive(Debug, Clone, Default)]
pub struct TrustFacts {
    /// The URLs of every version of every config that lkroute applied.
    pub applied_urls: Vec<String>,
    /// The servers that `lkroute trust` recorded.
    pub recorded: Vec<TrustedHost>,
    /// The guards of the last apply.
    pub guards: Option<Guards>,
}

/// A server that an operator recorded as trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedHost {
    /// [`Destination::to_text`].
    pub host: String,
    /// RFC 3339, UTC.
    pub at: String,
    pub actor: String,
    pub reason: String,
}

/// The config whose secret would sign.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asker<'a> {
    pub url: &'a str,
    /// The region, where lkroute knows it.
    pub region: Option<&'a str>,
    /// Whether lkroute applied this config.
    pub owned: bool,
    /// A config that lkroute applied and that has the same API key or secret;
    /// looked at for configs of others alone.
    pub shares_with: Option<&'a str>,
}

/// Whether a token may be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    Trusted,
    /// A row of others, with credentials of its own: sent, and said.
    Unknown(Destination),
    Refused(Refusal),
}

/// Why no token is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The URL of a config that lkroute applied is not one that it applied.
    OwnConfig(Destination),
    /// A row of others would sign with credentials of this config of ours.
    SharedWith(Destination, String),
    /// The URL can't be read.
    NoUrl,
}

/// Judges where a token would go. `environment` is this shell's `LIVEKIT_URL`.
pub(crate) fn standing(
    asker: &Asker<'_>,
    environment: Option<&str>,
    facts: &TrustFacts,
) -> Standing {
    let Some(to) = Destination::of_url(asker.url) else {
        return Standing::Refused(Refusal::NoUrl);
    };
    let known = environment
        .into_iter()
        .chain(facts.applied_urls.iter().map(String::as_str))
        .chain(facts.recorded.iter().map(|trusted| trusted.host.as_str()));
    let mut known = known.filter_map(Destination::of_url);
    if known.any(|known| known.covers(&to)) || allowed(asker, &to, facts) {
        return Standing::Trusted;
    }
    match (asker.owned, asker.shares_with) {
        (true, _) => Standing::Refused(Refusal::OwnConfig(to)),
        (false, Some(config)) => Standing::Refused(Refusal::SharedWith(to, config.to_owned())),
        (false, None) => Standing::Unknown(to),
    }
}

/// Whether the stored `hosts` policy of the config's region names this host.
/// A policy says nothing of TLS, without which no token goes over a public net.
fn allowed(asker: &Asker<'_>, to: &Destination, facts: &TrustFacts) -> bool {
    let (Some(region), Some(guards)) = (asker.region, &facts.guards) else {
        return false;
    };
    let globs = guards.policy.hosts.get(region).into_iter().flatten();
    let host = to.host.trim_matches(['[', ']']);
    !is_plain_to_public(asker.url) && globs.into_iter().any(|glob| matches_glob(glob, host))
}

impl Refusal {
    /// The one sentence, for a config of that name.
    pub fn message(&self, config: &str) -> String {
        match self {
            Refusal::OwnConfig(to) => format!(
                "the row of config {config} leads to {to}, a server that lkroute never applied: \
                 no token is sent there"
            ),
            Refusal::SharedWith(to, ours) => format!(
                "config {config}, which is not lkroute's, leads to {to} with the API key or secret \
                 of config {ours}: no token is sent there"
            ),
            Refusal::NoUrl => format!("the URL of config {config} names no server"),
        }
    }

    pub fn hint(&self) -> String {
        let to = match self {
            Refusal::OwnConfig(to) | Refusal::SharedWith(to, _) => to.to_text(),
            Refusal::NoUrl => return "correct the URL of that row".to_owned(),
        };
        format!(
            "see `lkroute drift`: who changed the row? If the server is yours, apply it from the \
             files, or say `lkroute trust {to} --reason …`"
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::routing::guards::Policy;

    fn asker(url: &str, owned: bool) -> Asker<'_> {
        Asker {
            url,
            region: Some("uae"),
            owned,
            shares_with: None,
        }
    }

    fn applied(url: &str) -> TrustFacts {
        TrustFacts {
            applied_urls: vec![url.to_owned()],
            ..TrustFacts::default()
        }
    }

    #[test]
    fn only_the_same_server_is_trusted_and_never_less_securely() {
        let facts = applied("wss://lk.example");
        let trusted = |url: &str| standing(&asker(url, true), None, &facts) == Standing::Trusted;
        for url in [
            "wss://lk.example",
            "https://LK.example",
            "wss://lk.example:443",
            "wss://lk.example./",
        ] {
            assert!(trusted(url), "{url}");
        }
        for url in [
            "ws://lk.example",
            "ws://lk.example:443",
            "wss://lk.example:444",
            "wss://lk.example.evil.example",
            "wss://evil.example",
            "wss://lk.example@evil.example",
            "lk.example",
            "",
        ] {
            assert!(!trusted(url), "{url}");
        }
        let plain = applied("ws://10.0.0.1:7880");
        let up = standing(&asker("wss://10.0.0.1:7880", true), None, &plain);
        assert_eq!(up, Standing::Trusted);
    }

    #[test]
    fn a_server_is_named_without_anything_else() {
        let lk = Destination::read("lk.example").unwrap();
        for text in [
            "lk.example",
            "wss://lk.example/",
            " LK.example:443 ",
            "lk.example.",
        ] {
            assert_eq!(Destination::read_named(text).as_ref(), Ok(&lk), "{text}");
        }
        for text in [
            "https://lk.example/path?x=y",
            "lk.example/path",
            "lk.example?x",
            "lk.example#x",
            "wss://user:password@lk.example",
            "wss://lk.example\\@evil.example",
        ] {
            let more = Err(NotOnlyServer::More(lk.clone()));
            assert_eq!(Destination::read_named(text), more, "{text}");
        }
        for text in [
            "",
            "*.lk.example",
            "lk..example",
            "lk.example;x",
            "ftp://lk.example",
        ] {
            let none = Err(NotOnlyServer::NoServer);
            assert_eq!(Destination::read_named(text), none, "{text}");
        }
        for text in ["ws://10.0.0.7:7880", "[::1]:7880"] {
            assert!(Destination::read_named(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_was_recorded_allowed_or_named_by_the_environment_counts() {
        let url = "wss://new.uae.example";
        let none = TrustFacts::default();
        let refused = standing(&asker(url, true), None, &none);
        assert!(matches!(refused, Standing::Refused(Refusal::OwnConfig(_))));
        assert_eq!(
            standing(&asker(url, true), Some("https://new.uae.example"), &none),
            Standing::Trusted
        );
        let recorded = Destination::read("new.uae.example").unwrap();
        let recorded = TrustFacts {
            recorded: vec![TrustedHost {
                host: recorded.to_text(),
                at: String::new(),
                actor: String::new(),
                reason: String::new(),
            }],
            ..TrustFacts::default()
        };
        assert_eq!(
            standing(&asker(url, true), None, &recorded),
            Standing::Trusted
        );
        let hosts = BTreeMap::from([("uae".to_owned(), vec!["*.uae.example".to_owned()])]);
        let policy = TrustFacts {
            guards: Some(Guards {
                policy: Policy {
                    hosts,
                    ..Policy::default()
                },
                ..Guards::default()
            }),
            ..TrustFacts::default()
        };
        let of = |url: &str, region: Option<&'static str>| {
            let asker = Asker {
                region,
                ..asker(url, true)
            };
            standing(&asker, None, &policy) == Standing::Trusted
        };
        assert!(of(url, Some("uae")));
        assert!(!of(url, Some("india")) && !of(url, None));
        // A row may spell it in any way that a URL parser takes.
        for plain in ["ws://", "WS://", " http://", "ws:", "http:\\\\", "hTtp:/"] {
            assert!(!of(&format!("{plain}new.uae.example"), Some("uae")));
        }
    }

    #[test]
    fn a_row_of_others_is_warned_of_unless_it_borrows_credentials() {
        let none = TrustFacts::default();
        let url = "wss://theirs.example";
        let unknown = standing(&asker(url, false), None, &none);
        assert!(matches!(unknown, Standing::Unknown(_)));
        let borrowing = Asker {
            shares_with: Some("uae"),
            ..asker(url, false)
        };
        let refused = standing(&borrowing, None, &none);
        let Standing::Refused(refusal) = refused else {
            panic!("{refused:?}")
        };
        let message = refusal.message("theirs");
        assert!(message.contains("theirs.example:443") && message.contains("config uae"));
    }
}
