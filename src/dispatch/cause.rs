//! Why LiveKit did not do what was asked: a stable code, what it means, and
//! what to do about it. Core; imports nothing.

use std::fmt;

/// Makes [`Cause`] of a table: code, what has happened, what to do about it.
macro_rules! table_of_causes {
    ($($cause:ident: $code:literal, $meaning:literal, $remedy:literal;)*) => {
        /// A reason that a person can act on.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Cause {
            $($cause,)*
        }

        impl Cause {
            const ALL: [Cause; [$($code),*].len()] = [$(Cause::$cause),*];

            const fn table_entry(self) -> (&'static str, &'static str, &'static str) {
                match self {
                    $(Cause::$cause => ($code, $meaning, $remedy),)*
                }
            }
        }
    };
}

table_of_causes! {
    BadUrl: "bad-url", "the URL does not name a LiveKit server",
        "write scheme, host and port, as in wss://livekit.example:443";
    BadCredentials: "bad-credentials", "no token can be made of the API key and secret",
        "put both into the config";
    Dns: "dns", "the host name has no address",
        "check its spelling and the DNS of this machine";
    Refused: "refused", "nothing accepts connections at that host and port",
        "check that the server runs, its port, and firewalls";
    Tls: "tls", "no trusted TLS connection",
        "check scheme, port and certificate; for a private CA point SSL_CERT_FILE at its certificate";
    Proxy: "proxy", "the proxy did not let the connection through",
        "check HTTPS_PROXY, HTTP_PROXY and NO_PROXY";
    Timeout: "timeout", "no answer within the time limit",
        "check firewalls and the load of the server, or allow more time";
    ConnectionLost: "connection-lost", "the connection broke before the answer was complete",
        "check the server's log and what stands between (proxy, load balancer)";
    NotReady: "not-ready", "LiveKit runs, but says that it is not ready",
        "look into the server's log; it may be starting or have lost its redis";
    Redirect: "redirect", "the address redirects elsewhere",
        "put the final address into the config";
    NotLivekit: "not-livekit", "something answers there, but it is not LiveKit",
        "check host and port, and what a proxy there passes on";
    Unreadable: "unreadable", "the answer could not be read",
        "check what stands between here and LiveKit (proxy, load balancer)";
    KeyUnknown: "key-unknown", "the server does not know the API key",
        "put a key of this server into the config, or add this one to the server";
    SecretWrong: "secret-wrong", "the server knows the key, but the secret is wrong",
        "seal the secret that belongs to this key and apply again";
    ClockSkew: "clock-skew", "key and secret are right, but the clocks differ by more than a minute",
        "set the clocks of this machine and of the server (NTP)";
    NoGrant: "no-grant", "key and secret are right, but the server denies this permission",
        "use a key that has the permission";
    RoomMissing: "room-missing", "the server has no such room",
        "look whether it was closed, and whether the server creates rooms";
    TrunkMissing: "trunk-missing", "the server has no such SIP trunk",
        "create the trunk there, or correct the id in the config";
    SipNeedsRedis: "sip-needs-redis", "the server runs without redis and therefore without SIP",
        "give the server a redis and start the SIP service";
    SipNotRunning: "sip-not-running", "no SIP service answers behind the server",
        "start livekit-sip with the same redis";
    SipRefused: "sip-refused", "the telephone side refused the call",
        "see the SIP status";
    SipNoAnswer: "sip-no-answer", "no answer within the ring time, from the person or from the carrier",
        "call again later, or look whether the trunk's carrier can be reached";
    Rejected: "rejected", "the server rejected the request",
        "see its words";
    Unavailable: "unavailable", "the server could not do it",
        "look into its log and try again later";
}

impl Cause {
    /// The cause of that [`Cause::code`].
    pub fn of_code(code: &str) -> Option<Cause> {
        Cause::ALL.into_iter().find(|cause| cause.code() == code)
    }

    /// The stable name that scripts may match.
    pub const fn code(self) -> &'static str {
        self.table_entry().0
    }

    /// What has happened, in one phrase.
    pub const fn meaning(self) -> &'static str {
        self.table_entry().1
    }

    /// What to do about it, in one phrase.
    pub const fn remedy(self) -> &'static str {
        self.table_entry().2
    }

    /// Asking again without changing something first would change nothing.
    pub const fn is_final(self) -> bool {
        !matches!(
            self,
            Cause::Dns
                | Cause::Refused
                | Cause::Timeout
                | Cause::ConnectionLost
                | Cause::NotReady
                | Cause::Unreadable
                | Cause::Unavailable
        )
    }

    /// The server was not reached, or turned the request away at its door:
    /// nothing can have come of it.
    pub const fn keeps_out(self) -> bool {
        matches!(
            self,
            Cause::Dns | Cause::Refused | Cause::KeyUnknown | Cause::SecretWrong
        )
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A cause and, where there is something to add, the words of the server or
/// the system. Shown as one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub cause: Cause,
    /// One line without tokens or control characters.
    pub detail: Option<String>,
}

impl Failure {
    pub fn new(cause: Cause, detail: &str) -> Failure {
        // For these two causes the server or the system only repeats the meaning.
        let repeats = matches!(cause, Cause::Refused | Cause::SecretWrong);
        let detail = one_line(detail);
        Failure {
            cause,
            detail: (!detail.is_empty() && !repeats).then_some(detail),
        }
    }
}

impl Failure {
    /// What it means, in the words of who reported it.
    pub fn meaning(&self) -> String {
        let words = self.detail.iter().map(|detail| format!(" ({detail})"));
        self.cause.meaning().to_owned() + &words.collect::<String>()
    }
}

impl From<Cause> for Failure {
    fn from(cause: Cause) -> Failure {
        Failure {
            cause,
            detail: None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.cause.meaning(), self.cause.remedy())?;
        match &self.detail {
            Some(detail) => write!(f, " ({detail})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Failure {}

const LONGEST_DETAIL: usize = 200;

/// Foreign text made fit to show: LiveKit's own error texts repeat the whole
/// token, and what isn't LiveKit may answer with anything.
pub fn one_line(text: &str) -> String {
    let shown = without_tokens(text);
    let words = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut line: String = words
        .chars()
        .filter(|c| !c.is_control())
        .take(LONGEST_DETAIL)
        .collect();
    if words.chars().count() > LONGEST_DETAIL {
        line.push('…');
    }
    line
}

/// A JSON Web Token is base64url parts joined by dots, the first two of which
/// begin `{"`, so `eyJ`. Each of these is taken out alone too: an answer may
/// have put something between them, and a signature alone signs nothing.
fn without_tokens(text: &str) -> String {
    let in_token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let mut shown = String::with_capacity(text.len());
    for piece in text.split_inclusive(|c| !in_token(c)) {
        let run = piece.trim_end_matches(|c| !in_token(c));
        match run.find("eyJ").filter(|start| run.len() - start > 8) {
            Some(start) => {
                shown.push_str(&run[..start]);
                shown.push_str("<token>");
                shown.push_str(&piece[run.len()..]);
            }
            None => shown.push_str(piece),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_one_line_that_says_what_to_do() {
        let failure = Failure::from(Cause::SecretWrong);
        assert_eq!(
            failure.to_string(),
            "the server knows the key, but the secret is wrong: \
             seal the secret that belongs to this key and apply again"
        );
    }

    #[test]
    fn tokens_control_characters_and_length_are_cut() {
        let token = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJrIn0.c2lnbmF0dXJl";
        assert_eq!(
            one_line(&format!("invalid token: {token}, error: x")),
            "invalid token: <token>, error: x"
        );
        assert_eq!(
            one_line(&format!("?access_token={token}")),
            "?access_token=<token>"
        );
        assert_eq!(one_line(&format!("a_{token}")), "a_<token>");
        assert_eq!(
            one_line(&format!("{}x", token.replace('.', " . "))),
            "<token> . <token> . c2lnbmF0dXJlx"
        );
        assert_eq!(one_line("eyJ is no token"), "eyJ is no token");
        assert_eq!(one_line(&format!("<{token}>é")), "<<token>>é");
        assert_eq!(one_line("a\r\n\x1b[31mb"), "a [31mb");
        assert_eq!(
            one_line(&"x".repeat(999)).chars().count(),
            LONGEST_DETAIL + 1
        );
    }
}
