//! The URL of a LiveKit server: what its clients understand, and what they
//! would drop without a word. Core; imports nothing of lkroute.

use std::net::IpAddr;

use url::{Host, Url};

/// A problem of a URL: code, message, hint.
pub struct Problem {
    pub code: &'static str,
    pub message: String,
    pub hint: Option<String>,
}

fn url_problem(code: &'static str, message: &str, hint: impl Into<Option<String>>) -> Problem {
    Problem {
        code,
        message: message.to_owned(),
        hint: hint.into(),
    }
}

const SCHEMES: [&str; 4] = ["wss", "https", "ws", "http"];

/// Everything that is wrong with a URL.
pub fn url_problems(text: &str) -> Vec<Problem> {
    let Some((scheme, rest)) = text.split_once("://") else {
        let hint = format!("write `wss://{text}`, or `ws://{text}` where there is no TLS");
        let name = |c: char| c.is_alphanumeric() || ".-:[]".contains(c);
        let bare = !text.is_empty() && text.chars().all(name);
        return vec![url_problem(
            "bad-url",
            "the URL has no scheme",
            bare.then_some(hint),
        )];
    };
    if !SCHEMES.contains(&scheme) {
        let lower = scheme.to_lowercase();
        if SCHEMES.contains(&lower.as_str()) {
            let hint =
                format!("write `{lower}` in lower case: LiveKit clients refuse it otherwise");
            return vec![url_problem(
                "bad-url",
                "the URL's scheme is in upper case",
                hint,
            )];
        }
        let hint = "LiveKit is reached by wss, https, ws or http".to_owned();
        return vec![url_problem(
            "bad-url",
            "the URL has no scheme that LiveKit knows",
            hint,
        )];
    }
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    let parsed = match Url::parse(text) {
        Ok(url) if !host.is_empty() && !host.starts_with(':') => url,
        Ok(_) => return vec![url_problem("bad-url", "the URL has no host", None)],
        Err(error) => return vec![url_problem("bad-url", &format!("no URL: {error}"), None)],
    };
    let mut found = Vec::new();
    if !parsed.username().is_empty() || parsed.password().is_some() || rest.contains('@') {
        let hint = "take out what stands before `@`; the key goes into `api_key`".to_owned();
        found.push(url_problem(
            "url-user-info",
            "the URL holds user info",
            hint,
        ));
    }
    if !matches!(parsed.path(), "" | "/") {
        let hint = "LiveKit clients drop a path silently: give the host alone".to_owned();
        found.push(url_problem("url-path", "the URL has a path", hint));
    }
    if parsed.query().is_some() || parsed.fragment().is_some() {
        let hint = "LiveKit clients drop a query silently: give the host alone".to_owned();
        found.push(url_problem(
            "url-query",
            "the URL has a query or a fragment",
            hint,
        ));
    }
    found
}

/// Whether the URL is plain `http` or `ws` to a host that is not known to be
/// private: as it would be requested, however a row spells it.
pub fn is_plain_to_public(text: &str) -> bool {
    let Ok(url) = Url::parse(text.trim()) else {
        return false;
    };
    matches!(url.scheme(), "http" | "ws") && url.host().is_some_and(|host| is_public(&host))
}

fn is_public(host: &Host<&str>) -> bool {
    let ip = match host {
        Host::Domain(name) => {
            let name = name.trim_end_matches('.').to_lowercase();
            let private = [".local", ".internal", ".localhost"];
            return name.contains('.') && !private.iter().any(|end| name.ends_with(end));
        }
        Host::Ipv4(ip) => IpAddr::V4(*ip),
        Host::Ipv6(ip) => IpAddr::V6(*ip).to_canonical(),
    };
    match ip {
        IpAddr::V4(ip) => {
            let shared = ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64;
            !(ip.is_loopback() || ip.is_private() || ip.is_link_local() || shared)
        }
        IpAddr::V6(ip) => !(ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_urls_have_no_problem() {
        for url in [
            "wss://livekit.india.example",
            "http://livekit.uae.example:7880",
            "https://lk.example/",
            "ws://127.0.0.1:7880",
            "ws://[::1]:7880",
        ] {
            assert!(url_problems(url).is_empty(), "{url}");
        }
    }

    #[test]
    fn bad_urls_say_why() {
        for (url, codes) in [
            ("", "bad-url"),
            ("livekit.uae.example:7880", "bad-url"),
            ("WSS://lk.example", "bad-url"),
            ("ftp://lk.example", "bad-url"),
            ("wss://", "bad-url"),
            ("wss://:7880", "bad-url"),
            ("wss:///path", "bad-url"),
            ("wss://lk.example:99999", "bad-url"),
            ("wss://user:pw@lk.example", "url-user-info"),
            ("wss://lk.example/base", "url-path"),
            ("wss://lk.example?x=1", "url-query"),
            (
                "wss://a@lk.example/b?c#d",
                "url-user-info url-path url-query",
            ),
        ] {
            let found: Vec<_> = url_problems(url).iter().map(|p| p.code).collect();
            assert_eq!(found.join(" "), codes, "{url}");
        }
        let hint = url_problems("lk.example:7880").remove(0).hint;
        assert!(hint.is_some_and(|hint| hint.contains("wss://lk.example:7880")));
    }

    #[test]
    fn public_is_what_is_not_known_to_be_private() {
        for (url, public) in [
            ("http://livekit.uae.example:7880", true),
            ("wss://livekit.india.example", false),
            ("http://localhost:7880", false),
            ("ws://127.0.0.1", false),
            ("ws://10.0.0.5:7880", false),
            ("ws://172.16.3.4", false),
            ("ws://172.32.3.4", true),
            ("ws://192.168.1.2", false),
            ("ws://100.64.0.1", false),
            ("ws://[::1]", false),
            ("ws://[fd00::1]", false),
            ("ws://[::ffff:10.0.0.1]", false),
            ("ws://[2001:db8::1]", true),
            ("http://livekit:7880", false),
            ("http://lk.internal", false),
            ("http://vm.local.", false),
            ("http://internal.example", true),
            ("WS://lk.uae.example", true),
            (" http://lk.uae.example", true),
            ("ws:lk.uae.example", true),
            ("http:\\\\lk.uae.example", true),
            ("Ws://10.0.0.5", false),
        ] {
            assert_eq!(is_plain_to_public(url), public, "{url}");
        }
    }
}
