//! A LiveKit server, as far as a call needs one. Core: whoever has a network
//! sends, and hands back what was answered; what is sent, how often and what
//! it means is decided here.

use std::net::IpAddr;
use std::time::Duration;

use url::Url;

use super::cause::{Cause, Failure};
use super::reply::RequestError;

/// How long to wait for what.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// One request, from connecting to the last byte of the answer.
    pub step: Duration,
    /// All requests of one operation together.
    pub whole: Duration,
    /// After an unclear answer to the one create: how long to look for what it
    /// made. Comes on top of `whole`; LiveKit's own retries take up to 15 s.
    /// The last look may take one step longer.
    pub settle: Duration,
    /// Between two looks; attempts that may be repeated wait alike.
    pub poll: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            step: Duration::from_secs(10),
            whole: Duration::from_secs(60),
            settle: Duration::from_secs(20),
            poll: Duration::from_millis(500),
        }
    }
}

impl Limits {
    /// Those of a call, by what its caller says of them.
    pub fn of_call(step: Duration, settle: Duration) -> Limits {
        Limits {
            step,
            whole: step * 6,
            settle,
            ..Limits::default()
        }
    }
}

/// A call to place.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    pub room: &'a str,
    /// The name that the worker is registered under.
    pub agent_name: &'a str,
    /// The deployment of the workers; production where absent.
    pub deployment: Option<&'a str>,
    /// JSON with `job_id` in it; the worker gets exactly this text.
    pub metadata: &'a str,
    pub job_id: &'a str,
}

/// A room to make.
#[derive(Debug, Clone, Copy)]
pub struct NewRoom<'a> {
    pub name: &'a str,
    /// For how many seconds it stays without a participant; the server's own
    /// time where absent.
    pub empty_timeout: Option<u32>,
}

/// A dispatch, as a room lists it.
#[derive(Debug, Clone, Default)]
pub struct ListedDispatch {
    pub id: String,
    pub agent_name: String,
    pub metadata: String,
    /// The job that it became, where there is one.
    pub job: Option<JobSeen>,
}

/// The job by which an agent took a dispatch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobSeen {
    pub job_id: String,
    /// The name of the worker that took the job.
    pub agent_name: String,
    pub worker_id: String,
    /// The agent's identity in the room.
    pub participant_identity: String,
    pub status: JobStatus,
    /// What the worker reported, where the job failed.
    pub error: String,
}

enum_words! {
    /// How far an agent's job was when the server noted it; livekit-server 1.13.5
    /// does not update it afterwards.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum JobStatus {
        Pending = "pending",
        Running = "running",
        Success = "success",
        Failed = "failed",
    }
}

/// Somebody in a room, or joining.
#[derive(Debug, Clone)]
pub struct Participant {
    pub identity: String,
    pub kind: ParticipantKind,
    /// `sip.callStatus`: `dialing`, `ringing`, `active`, `hangup`.
    pub call_status: Option<String>,
    /// `sip.callID`.
    pub call_id: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParticipantKind {
    Agent,
    Phone,
    Other,
}

/// Whom to dial, through what, into which room.
#[derive(Debug, Clone, Copy)]
pub struct SipCall<'a> {
    pub trunk_id: &'a str,
    /// The number to dial, in the form that the carrier wants.
    pub to: &'a str,
    /// The number to show; one of the trunk's own where absent.
    pub from: Option<&'a str>,
    pub room: &'a str,
    /// The called person's identity in the room.
    pub identity: &'a str,
    /// Headers of the INVITE.
    pub headers: &'a [(String, String)],
    /// The name to show beside the number.
    pub display_name: Option<&'a str>,
    /// Wait for an answer, ringing this long at most. Where absent, the server
    /// says yes as soon as it has begun to dial.
    pub wait_for_answer: Option<Duration>,
}

/// The participant that stands for the called person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SipPlaced {
    pub sip_call_id: String,
    pub participant_id: String,
    pub participant_identity: String,
}

/// One server. Each request is sent once, to this server alone, with a token
/// that permits no more than it; it has a time limit, and a limit of zero is
/// none that was sent.
pub trait CallServer: Sync {
    fn limits(&self) -> Limits;

    /// The time since a fixed moment.
    fn elapsed(&self) -> Duration;

    fn pause(&self, time: Duration) -> impl Future<Output = ()> + Send;

    /// The outbound trunks, by id, with the numbers that each lists.
    fn list_trunks(
        &self,
        limit: Duration,
    ) -> impl Future<Output = Result<Vec<(String, Vec<String>)>, RequestError>> + Send;

    /// The name of the room.
    fn create_room(
        &self,
        room: &NewRoom<'_>,
        limit: Duration,
    ) -> impl Future<Output = Result<String, RequestError>> + Send;

    /// The id of the dispatch.
    fn create_dispatch(
        &self,
        call: &Call<'_>,
        limit: Duration,
    ) -> impl Future<Output = Result<String, RequestError>> + Send;

    fn list_dispatches(
        &self,
        room: &str,
        limit: Duration,
    ) -> impl Future<Output = Result<Vec<ListedDispatch>, RequestError>> + Send;

    /// Those that have left are not among them.
    fn list_participants(
        &self,
        room: &str,
        limit: Duration,
    ) -> impl Future<Output = Result<Vec<Participant>, RequestError>> + Send;

    fn dial(
        &self,
        call: &SipCall<'_>,
        limit: Duration,
    ) -> impl Future<Output = Result<SipPlaced, RequestError>> + Send;
}

/// What is left until then, of a step at most.
pub(super) fn time_left<S: CallServer>(server: &S, until: Duration) -> Duration {
    let left = until.saturating_sub(server.elapsed());
    left.min(server.limits().step)
}

/// Looks for an outbound trunk and gives the numbers that it lists; changes
/// nothing. [`Cause::TrunkMissing`] means that the server listed its trunks
/// and this one is not among them.
pub async fn find_trunk<S: CallServer>(server: &S, trunk_id: &str) -> Result<Vec<String>, Failure> {
    let listed = server.list_trunks(server.limits().step).await;
    let listed = listed.map_err(|error| error.failure)?;
    let mut trunks = listed.into_iter();
    let found = trunks.find(|(id, _)| id == trunk_id);
    let found = found.map(|(_, numbers)| numbers);
    found.ok_or_else(|| Failure::new(Cause::TrunkMissing, trunk_id))
}

/// Whether a trunk may show this number: it lists none, all, or this one.
pub(super) fn lists_number(listed: &[String], number: &str) -> bool {
    let digits = |text: &str| -> String { text.chars().filter(char::is_ascii_digit).collect() };
    listed.is_empty()
        || listed.iter().any(|other| other == "*")
        || listed.iter().any(|other| digits(other) == digits(number))
}

/// The address that HTTP requests go to: `ws` and `wss` are LiveKit's usual
/// spelling for what its API answers on `http` and `https`.
pub fn http_base(url: &str) -> Result<Url, Failure> {
    let bad = |detail: &str| Failure::new(Cause::BadUrl, detail);
    let mut base = Url::parse(url).map_err(|error| bad(&error.to_string()))?;
    let scheme = match base.scheme() {
        "ws" | "http" => "http",
        "wss" | "https" => "https",
        other => return Err(bad(&format!("scheme {other}"))),
    };
    base.set_scheme(scheme).map_err(|()| bad("scheme"))?;
    base.set_path("");
    Ok(base)
}

/// Whether that is a server of this machine, for which no proxy is asked.
pub fn is_loopback(base: &Url) -> bool {
    let host = base.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    match address {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(url: &str) -> String {
        http_base(url).map_or_else(|failure| failure.cause.code().to_owned(), String::from)
    }

    #[test]
    fn every_scheme_ends_at_http_or_https() {
        assert_eq!(base("ws://127.0.0.1:7880"), "http://127.0.0.1:7880/");
        assert_eq!(base("wss://lk.example"), "https://lk.example/");
        assert_eq!(base("WSS://lk.example"), "https://lk.example/");
        assert_eq!(base("http://[::1]:7880"), "http://[::1]:7880/");
        assert_eq!(base("ftp://lk.example"), "bad-url");
        assert_eq!(base("lk.example"), "bad-url");
    }

    #[test]
    fn a_trunk_lists_a_number_however_it_is_written() {
        let lists = |listed: &[&str]| {
            let listed: Vec<String> = listed.iter().map(|&text| text.to_owned()).collect();
            lists_number(&listed, "+971545335200")
        };
        assert!(lists(&[]) && lists(&["*"]) && lists(&["971545335200"]));
        assert!(lists(&["+14155550100", "+971 54 533 5200"]));
        assert!(!lists(&["+14155550100"]) && !lists(&["545335200"]));
    }
}
