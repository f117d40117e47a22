//! A loopback stand-in for livekit-server, for what a real one won't do on
//! demand: break off, hang, answer nonsense, or store and then fail.
//!
//! Where it stands in it does as livekit-server 1.13.5 does: plain-text 401s
//! that repeat the token, a JSON 401 for a missing grant, the room's own
//! dispatch without a name, 503 for a room that is not there, 500 without
//! redis. Every POST is recorded, with its claims and its decoded message.

mod api;
mod wire;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use livekit_protocol as proto;
use livekit_token::Claims;
use prost::Message;

pub const KEY: &str = "made-up-key";
pub const SECRET: &str = "made-up-secret-of-some-length-0123456789";

/// What the server is and has; a test may change it at any time.
pub struct World {
    pub keys: HashMap<String, String>,
    pub ready: bool,
    pub redis: bool,
    pub auto_create: bool,
    /// Added to this machine's clock, in seconds.
    pub clock_ahead: i64,
    /// Grants that no token has here, by method.
    pub denied: HashSet<String>,
    /// Names under which a worker takes jobs at once; `NAME/DEPLOYMENT` for
    /// one that is not of production.
    pub workers: HashSet<String>,
    /// Whether an agent that took a job joins the room, as one that raises or
    /// dies does not.
    pub agents_join: bool,
    /// Who is in a room, by its name.
    pub participants: BTreeMap<String, Vec<proto::ParticipantInfo>>,
    pub trunks: Vec<proto::SipOutboundTrunkInfo>,
    pub rooms: BTreeMap<String, Vec<proto::AgentDispatch>>,
    pub posts: Vec<Post>,
    /// Requests of any kind that came with an Authorization header.
    pub authorized: usize,
    pub connections: usize,
    faults: Vec<(String, usize, Fault)>,
    ids: usize,
}

/// One POST as it came in.
#[derive(Clone)]
pub struct Post {
    pub method: String,
    pub claims: Option<Claims>,
    pub body: Vec<u8>,
}

impl Post {
    pub fn decode<M: Message + Default>(&self) -> M {
        M::decode(self.body.as_slice()).expect("a message of this kind")
    }
}

/// What goes wrong, instead of or after the server's own work.
#[derive(Clone)]
pub enum Fault {
    /// Never answers.
    Hang,
    /// Closes with the request unread, which resets the connection.
    Reset,
    Answer(Answer),
    StoreThenAnswer(Answer),
    StoreThenClose,
    /// Never answers, but does the work after this long.
    StoreLate(Duration),
}

/// The attack of a server that takes a call and then cuts, hangs or answers
/// nonsense: methods and faults after which something of it may be there.
pub fn may_have_created() -> [(&'static str, Fault); 12] {
    let refused = Answer::text(401, "invalid API key: x");
    // A gateway's own JSON for what it gave up on.
    let cut_off = Answer::twirp(502, "aborted", "upstream gave up");
    let no_trunk = Answer::twirp(404, "not_found", "requested sip trunk");
    [
        ("CreateRoom", Fault::StoreThenClose),
        ("CreateRoom", Fault::Reset),
        ("CreateRoom", Fault::Hang),
        ("CreateRoom", Fault::Answer(Answer::html(502))),
        ("CreateDispatch", Fault::StoreThenClose),
        ("CreateDispatch", Fault::Reset),
        ("CreateDispatch", Fault::Hang),
        ("CreateDispatch", Fault::StoreThenAnswer(Answer::empty(503))),
        ("CreateDispatch", Fault::StoreThenAnswer(Answer::empty(202))),
        ("CreateDispatch", Fault::StoreThenAnswer(cut_off)),
        ("CreateDispatch", Fault::Answer(refused)),
        ("CreateDispatch", Fault::Answer(no_trunk)),
    ]
}

/// A status, a content type, a body, and a header more.
#[derive(Clone)]
pub struct Answer {
    pub status: u16,
    pub kind: &'static str,
    pub body: Vec<u8>,
    pub location: Option<Vec<u8>>,
}

impl Answer {
    pub fn new(status: u16, kind: &'static str, body: impl Into<Vec<u8>>) -> Answer {
        Answer {
            status,
            kind,
            body: body.into(),
            location: None,
        }
    }

    pub fn text(status: u16, body: &str) -> Answer {
        Answer::new(status, "text/plain; charset=utf-8", body)
    }

    pub fn html(status: u16) -> Answer {
        let page = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>";
        Answer::new(status, "text/html", page)
    }

    pub fn empty(status: u16) -> Answer {
        Answer::new(status, "text/plain", "")
    }

    pub fn twirp(status: u16, code: &str, msg: &str) -> Answer {
        let error = serde_json::json!({"code": code, "msg": msg});
        Answer::new(status, "application/json", error.to_string())
    }

    pub fn sip(status: u16, sip_status: &str, words: &str) -> Answer {
        let meta = serde_json::json!({"sip_status_code": sip_status, "sip_status": words});
        let msg = format!("twirp error unknown: INVITE failed: sip status: {sip_status}");
        let error = serde_json::json!({"code": "unavailable", "msg": msg, "meta": meta});
        Answer::new(status, "application/json", error.to_string())
    }

    pub fn redirect(status: u16, to: &str) -> Answer {
        Answer {
            location: Some(to.as_bytes().to_vec()),
            ..Answer::empty(status)
        }
    }

    fn proto(message: &impl Message) -> Answer {
        Answer::new(200, "application/protobuf", message.encode_to_vec())
    }
}

/// The running stand-in; stops accepting when dropped.
pub struct StandIn {
    pub addr: SocketAddr,
    scheme: &'static str,
    world: Arc<Mutex<World>>,
    stop: Arc<AtomicBool>,
}

impl StandIn {
    pub fn start() -> StandIn {
        StandIn::start_on("127.0.0.1:0", None)
    }

    pub fn start_v6() -> StandIn {
        StandIn::start_on("[::1]:0", None)
    }

    /// Speaks TLS with this certificate and key (PEM).
    pub fn start_tls(certificate: &Path, key: &Path) -> StandIn {
        use rustls::pki_types::pem::PemObject;
        use rustls::pki_types::{CertificateDer, PrivateKeyDer};
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(ring)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from_pem_file(certificate).unwrap()],
                PrivateKeyDer::from_pem_file(key).unwrap(),
            )
            .unwrap();
        StandIn::start_on("127.0.0.1:0", Some(Arc::new(config)))
    }

    fn start_on(bind: &str, tls: Option<Arc<rustls::ServerConfig>>) -> StandIn {
        let listener = TcpListener::bind(bind).expect("a loopback port");
        let standin = StandIn {
            addr: listener.local_addr().unwrap(),
            scheme: if tls.is_some() { "https" } else { "http" },
            world: Arc::new(Mutex::new(World::new())),
            stop: Arc::new(AtomicBool::new(false)),
        };
        let (world, stop) = (standin.world.clone(), standin.stop.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let (Ok(stream), tls) = (stream, tls.clone()) else {
                    continue;
                };
                let (world, stop) = (world.clone(), stop.clone());
                world.lock().unwrap().connections += 1;
                thread::spawn(move || {
                    let _ = wire::serve(stream, tls, &world, &stop);
                });
            }
        });
        standin
    }

    pub fn url(&self) -> String {
        self.url_as(self.scheme)
    }

    pub fn url_as(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.addr)
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// The next `times` requests of this method (`/` for the health check,
    /// `*` for any) meet this fault.
    pub fn fault(&self, method: &str, times: usize, fault: Fault) {
        self.world().faults.push((method.to_owned(), times, fault));
    }

    pub fn posts(&self, method: &str) -> Vec<Post> {
        self.world()
            .posts
            .iter()
            .filter(|post| post.method == method)
            .cloned()
            .collect()
    }

    /// No fault is left.
    pub fn mend(&self) {
        self.world().faults.clear();
    }

    /// As after a restart: rooms, dispatches and participants are forgotten.
    pub fn forget(&self) {
        let mut world = self.world();
        world.rooms.clear();
        world.participants.clear();
    }

    /// The dispatches that this server holds under a name.
    pub fn dispatches(&self) -> Vec<proto::AgentDispatch> {
        let world = self.world();
        let all = world.rooms.values().flatten();
        all.filter(|dispatch| !dispatch.agent_name.is_empty())
            .cloned()
            .collect()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.addr);
    }
}
