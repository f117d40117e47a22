//! The routing variables, as the resolver sees them. Core: the shell hands in
//! a way to look them up.

/// Where credentials, trunk and worker come from when neither config nor row
/// has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoutingEnv {
    /// Not read: outcomes stay symbolic, as in `plan`, `diff` and `drift`.
    Symbolic,
    /// As this shell has them, for `resolve` and `dispatch`.
    Shell(ShellEnv),
}

/// The routing variables of one shell. The API secret's value is never here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShellEnv {
    /// `USE_SELFHOST_ROUTING_TABLE`; unset is `true`.
    pub routing_table: Option<String>,
    /// `LIVEKIT_URL`.
    pub url: Option<String>,
    /// Whether `LIVEKIT_URL` holds user info, and is left out for that: it
    /// would be shown and stored.
    pub url_refused: bool,
    /// `LIVEKIT_API_KEY`.
    pub api_key: Option<String>,
    /// Whether `LIVEKIT_API_SECRET` is set.
    pub has_api_secret: bool,
    /// `OUTBOUND_TRUNK_ID`.
    pub trunk: Option<String>,
    /// `VOICE_AGENT_NAME`.
    pub worker: Option<String>,
}

pub const ROUTING_TABLE: &str = "USE_SELFHOST_ROUTING_TABLE";
pub const URL: &str = "LIVEKIT_URL";
pub const API_KEY: &str = "LIVEKIT_API_KEY";
pub const API_SECRET: &str = "LIVEKIT_API_SECRET";
pub const TRUNK: &str = "OUTBOUND_TRUNK_ID";
pub const WORKER: &str = "VOICE_AGENT_NAME";
/// The worker where nothing names one.
pub const DEFAULT_WORKER: &str = "inbound-agent";

impl ShellEnv {
    /// Reads the variables through `get`. A blank one counts as not set, but
    /// for the flag, where only `true` enables.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> ShellEnv {
        let set = |name| get(name).filter(|value| !value.trim().is_empty());
        let url = set(URL);
        let url_refused = url.as_ref().is_some_and(|url| url.contains('@'));
        ShellEnv {
            routing_table: get(ROUTING_TABLE),
            url: url.filter(|_| !url_refused),
            url_refused,
            api_key: set(API_KEY),
            has_api_secret: set(API_SECRET).is_some(),
            trunk: set(TRUNK),
            worker: set(WORKER),
        }
    }
}

impl RoutingEnv {
    /// Whether the routing table is asked at all.
    pub fn table_enabled(&self) -> bool {
        match self {
            RoutingEnv::Symbolic => true,
            RoutingEnv::Shell(shell) => shell
                .routing_table
                .as_deref()
                .is_none_or(|value| value.eq_ignore_ascii_case("true")),
        }
    }

    /// The variables, where they are read.
    pub fn shell(&self) -> Option<&ShellEnv> {
        match self {
            RoutingEnv::Symbolic => None,
            RoutingEnv::Shell(shell) => Some(shell),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_true_enables_the_table() {
        let enabled = |value: Option<&str>| {
            let value = value.map(str::to_owned);
            RoutingEnv::Shell(ShellEnv::read(|name| {
                value.clone().filter(|_| name == ROUTING_TABLE)
            }))
            .table_enabled()
        };
        assert!(enabled(None));
        for on in ["true", "TRUE", "True"] {
            assert!(enabled(Some(on)), "{on}");
        }
        for off in ["", "1", "yes", "on", "false", " true"] {
            assert!(!enabled(Some(off)), "{off}");
        }
    }

    #[test]
    fn a_url_with_user_info_is_not_kept() {
        for url in [
            "wss://bob:made-up@lk.example",
            "wss://bob:ma/de-up@lk.example",
        ] {
            let shell = ShellEnv::read(|name| (name == URL).then(|| url.to_owned()));
            assert!(shell.url_refused && shell.url.is_none(), "{url}");
        }
    }

    #[test]
    fn the_secret_is_not_kept_and_blank_is_not_set() {
        let shell = ShellEnv::read(|name| match name {
            API_SECRET => Some("made-up-secret".into()),
            URL => Some(" ".into()),
            _ => None,
        });
        assert!(shell.has_api_secret);
        assert_eq!(shell.url, None);
        assert!(!format!("{shell:?}").contains("made-up-secret"));
    }
}
