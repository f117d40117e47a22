//! A loopback stand-in for livekit-server, for what a real one won't do on
//! demand: break off, hang, answer nonsense, or store and then fail.
//!
//! Where it stands in it does as livekit-server 1.13.5 does: plain-text 401s
//! that repeat the token, a JSON 401 for a missing grant, the room's own
//! dispatch without a name, 503 for a room that is not there, 500 without
//! redis. Every POST is recorded, with its claims and its decoded message.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use livekit_api::access_token::{Claims, TokenVerifier};
use livekit_protocol as proto;
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
    /// Names under which a worker takes jobs at once.
    pub workers: HashSet<String>,
    pub trunks: Vec<proto::SipOutboundTrunkInfo>,
    pub rooms: BTreeMap<String, Vec<proto::AgentDispatch>>,
    pub posts: Vec<Post>,
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

/// A status, a content type, a body, and a header more.
#[derive(Clone)]
pub struct Answer {
    pub status: u16,
    pub kind: &'static str,
    pub body: Vec<u8>,
    pub location: Option<String>,
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
            location: Some(to.to_owned()),
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
                    let _ = serve(stream, tls, &world, &stop);
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

struct Request {
    path: String,
    token: Option<String>,
    json: bool,
    length: usize,
}

impl Request {
    /// The Twirp method, or the path where there is none.
    fn method(&self) -> &str {
        match self.path.strip_prefix("/twirp/livekit.") {
            Some(call) => call.rsplit('/').next().unwrap_or(call),
            None => &self.path,
        }
    }
}

trait Wire: Read + Write {}
impl<T: Read + Write> Wire for T {}

fn serve(
    stream: TcpStream,
    tls: Option<Arc<rustls::ServerConfig>>,
    world: &Mutex<World>,
    stop: &AtomicBool,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut wire: Box<dyn Wire> = match tls {
        Some(config) => {
            let session = rustls::ServerConnection::new(config).map_err(io::Error::other)?;
            Box::new(rustls::StreamOwned::new(session, stream))
        }
        None => Box::new(stream),
    };
    while let Some(request) = read_head(&mut wire)? {
        let fault = world.lock().unwrap().next_fault(request.method());
        if let Some(Fault::Reset) = fault {
            world.lock().unwrap().record(&request, Vec::new());
            return Ok(());
        }
        let mut body = vec![0; request.length];
        wire.read_exact(&mut body)?;
        if request.path != "/" {
            world.lock().unwrap().record(&request, body.clone());
        }
        let Some(answer) = with_fault(fault, &request, &body, world, stop) else {
            return Ok(());
        };
        let clock_ahead = world.lock().unwrap().clock_ahead;
        write_answer(&mut wire, &answer, clock_ahead)?;
    }
    Ok(())
}

/// The answer, or none where the connection is to be closed.
fn with_fault(
    fault: Option<Fault>,
    request: &Request,
    body: &[u8],
    world: &Mutex<World>,
    stop: &AtomicBool,
) -> Option<Answer> {
    let own = || world.lock().unwrap().answer(request, body);
    match fault {
        None => Some(own()),
        Some(Fault::Answer(answer)) => Some(answer),
        Some(Fault::StoreThenAnswer(answer)) => {
            own();
            Some(answer)
        }
        Some(Fault::StoreThenClose) => {
            own();
            None
        }
        Some(Fault::StoreLate(after)) => {
            thread::sleep(after);
            own();
            hang(stop)
        }
        Some(Fault::Hang) => hang(stop),
        Some(Fault::Reset) => None,
    }
}

fn hang(stop: &AtomicBool) -> Option<Answer> {
    while !stop.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(10));
    }
    None
}

/// Byte by byte, so that the body stays unread in the socket.
fn read_head(wire: &mut Box<dyn Wire>) -> io::Result<Option<Request>> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if wire.read(&mut byte)? == 0 {
            return Ok(None);
        }
        head.push(byte[0]);
        if !head[0].is_ascii_uppercase() {
            wire.write_all(
                b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n400 Bad Request",
            )?;
            return Ok(None);
        }
    }
    let head = String::from_utf8_lossy(&head);
    let mut lines = head.lines();
    let path = lines
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .unwrap_or_default()
        .to_owned();
    let mut request = Request {
        path,
        token: None,
        json: false,
        length: 0,
    };
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        match name.to_ascii_lowercase().as_str() {
            "authorization" => request.token = value.strip_prefix("Bearer ").map(str::to_owned),
            "content-type" => request.json = value == "application/json",
            "content-length" => request.length = value.parse().unwrap_or(0),
            _ => {}
        }
    }
    Ok(Some(request))
}

fn write_answer(wire: &mut Box<dyn Wire>, answer: &Answer, clock_ahead: i64) -> io::Result<()> {
    let now = Timestamp::now() + SignedDuration::from_secs(clock_ahead);
    let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&now);
    let location = answer
        .location
        .iter()
        .map(|to| format!("Location: {to}\r\n"));
    let head = format!(
        "HTTP/1.1 {} Status\r\nDate: {}\r\nContent-Type: {}\r\n{}Content-Length: {}\r\n\r\n",
        answer.status,
        date.map_err(io::Error::other)?,
        answer.kind,
        location.collect::<String>(),
        answer.body.len()
    );
    wire.write_all(&[head.as_bytes(), &answer.body].concat())?;
    wire.flush()
}

impl World {
    fn new() -> World {
        World {
            keys: HashMap::from([(KEY.to_owned(), SECRET.to_owned())]),
            ready: true,
            redis: true,
            auto_create: true,
            clock_ahead: 0,
            denied: HashSet::new(),
            workers: HashSet::new(),
            trunks: Vec::new(),
            rooms: BTreeMap::new(),
            posts: Vec::new(),
            connections: 0,
            faults: Vec::new(),
            ids: 0,
        }
    }

    fn next_fault(&mut self, method: &str) -> Option<Fault> {
        let (_, times, fault) = self
            .faults
            .iter_mut()
            .find(|(of, times, _)| *times > 0 && (of == "*" || of == method))?;
        *times -= 1;
        Some(fault.clone())
    }

    fn record(&mut self, request: &Request, body: Vec<u8>) {
        let claims = request
            .token
            .as_deref()
            .and_then(|token| Claims::from_unverified(token).ok());
        self.posts.push(Post {
            method: request.method().to_owned(),
            claims,
            body,
        });
    }

    fn answer(&mut self, request: &Request, body: &[u8]) -> Answer {
        if request.path == "/" {
            return match self.ready {
                true => Answer::text(200, "OK"),
                false => Answer::text(406, "Not Ready\nNode Updated At 0001-01-01 00:00:00"),
            };
        }
        let claims = match self.claims(request.token.as_deref()) {
            Ok(claims) => claims,
            Err(refusal) => return Answer::text(401, &refusal),
        };
        let answer = match request.method() {
            "ListRooms" if claims.video.room_list => self.list_rooms(request.json, body),
            "CreateRoom" if claims.video.room_create => self.create_room(body),
            "DeleteRoom" if claims.video.room_create => self.delete_room(body),
            "CreateDispatch" => self.create_dispatch(&claims, body),
            "ListDispatch" => self.list_dispatch(&claims, body),
            "ListSIPOutboundTrunk" if claims.sip.admin => self.list_trunks(),
            "CreateSIPParticipant" if claims.sip.call => self.create_participant(body),
            name if name.starts_with('/') => Some(Answer::text(404, "404 page not found\n")),
            _ => None,
        };
        let denied = self.denied.contains(request.method());
        answer
            .filter(|_| !denied)
            .unwrap_or_else(|| Answer::twirp(401, "unauthenticated", "permissions denied"))
    }

    fn claims(&self, token: Option<&str>) -> Result<Claims, String> {
        let token = token.unwrap_or_default();
        let claims =
            Claims::from_unverified(token).map_err(|_| "invalid authorization token".to_owned())?;
        let refused = |why: &str| Err(format!("invalid token: {token}, error: {why}"));
        let Some(secret) = self.keys.get(&claims.iss) else {
            return Err(format!("invalid API key: {}", claims.iss));
        };
        if TokenVerifier::with_api_key(&claims.iss, secret)
            .verify(token)
            .is_err()
        {
            return refused("token signature is invalid: signature is invalid");
        }
        let now = Timestamp::now().as_second() + self.clock_ahead;
        if claims.nbf as i64 > now + 60 {
            return refused("token has invalid claims: token is not valid yet");
        }
        if (claims.exp as i64) < now - 60 {
            return refused("token has invalid claims: token is expired");
        }
        Ok(claims)
    }

    fn id(&mut self, prefix: &str) -> String {
        self.ids += 1;
        format!("{prefix}_standin{:04}", self.ids)
    }

    fn list_rooms(&self, json: bool, body: &[u8]) -> Option<Answer> {
        if json {
            return Some(Answer::new(200, "application/json", r#"{"rooms":[]}"#));
        }
        let asked = proto::ListRoomsRequest::decode(body).ok()?;
        let names = self.rooms.keys().filter(|name| asked.names.contains(name));
        let rooms = names.map(|name| proto::Room {
            name: name.clone(),
            ..Default::default()
        });
        Some(Answer::proto(&proto::ListRoomsResponse {
            rooms: rooms.collect(),
        }))
    }

    fn create_room(&mut self, body: &[u8]) -> Option<Answer> {
        let asked = proto::CreateRoomRequest::decode(body).ok()?;
        self.open_room(&asked.name);
        Some(Answer::proto(&proto::Room {
            name: asked.name,
            ..Default::default()
        }))
    }

    /// A room begins with a dispatch without a name, for workers without one.
    fn open_room(&mut self, name: &str) {
        if self.rooms.contains_key(name) {
            return;
        }
        let own = proto::AgentDispatch {
            id: self.id("AD"),
            room: name.to_owned(),
            state: Some(Default::default()),
            ..Default::default()
        };
        self.rooms.insert(name.to_owned(), vec![own]);
    }

    fn delete_room(&mut self, body: &[u8]) -> Option<Answer> {
        let asked = proto::DeleteRoomRequest::decode(body).ok()?;
        Some(match self.rooms.remove(&asked.room) {
            Some(_) => Answer::proto(&proto::DeleteRoomResponse {}),
            None => Answer::twirp(404, "not_found", "requested room does not exist"),
        })
    }

    fn create_dispatch(&mut self, claims: &Claims, body: &[u8]) -> Option<Answer> {
        let asked = proto::CreateAgentDispatchRequest::decode(body).ok()?;
        if !(claims.video.room_admin && claims.video.room == asked.room) {
            return None;
        }
        if self.auto_create {
            self.open_room(&asked.room);
        }
        let mut dispatch = proto::AgentDispatch {
            id: self.id("AD"),
            agent_name: asked.agent_name,
            room: asked.room,
            metadata: asked.metadata,
            state: Some(Default::default()),
            ..Default::default()
        };
        let Some(room) = self.rooms.get_mut(&dispatch.room) else {
            return Some(no_such_room());
        };
        let answer = Answer::proto(&dispatch);
        if self.workers.contains(&dispatch.agent_name) {
            dispatch.state = Some(proto::AgentDispatchState {
                jobs: vec![job(&dispatch)],
                ..Default::default()
            });
        }
        room.push(dispatch);
        Some(answer)
    }

    fn list_dispatch(&self, claims: &Claims, body: &[u8]) -> Option<Answer> {
        let asked = proto::ListAgentDispatchRequest::decode(body).ok()?;
        if !(claims.video.room_admin && claims.video.room == asked.room) {
            return None;
        }
        let Some(room) = self.rooms.get(&asked.room) else {
            return Some(no_such_room());
        };
        let agent_dispatches = room.clone();
        Some(Answer::proto(&proto::ListAgentDispatchResponse {
            agent_dispatches,
        }))
    }

    fn list_trunks(&self) -> Option<Answer> {
        if !self.redis {
            return Some(no_redis());
        }
        let items = self.trunks.clone();
        Some(Answer::proto(&proto::ListSipOutboundTrunkResponse {
            items,
        }))
    }

    fn create_participant(&mut self, body: &[u8]) -> Option<Answer> {
        let asked = proto::CreateSipParticipantRequest::decode(body).ok()?;
        if !self.redis {
            return Some(no_redis());
        }
        if !self
            .trunks
            .iter()
            .any(|trunk| trunk.sip_trunk_id == asked.sip_trunk_id)
        {
            let msg = "twirp error unknown: requested sip trunk does not exist";
            return Some(Answer::twirp(404, "not_found", msg));
        }
        Some(Answer::proto(&proto::SipParticipantInfo {
            participant_id: self.id("PA"),
            sip_call_id: self.id("SCL"),
            participant_identity: asked.participant_identity,
            room_name: asked.room_name,
        }))
    }
}

fn job(dispatch: &proto::AgentDispatch) -> proto::Job {
    proto::Job {
        id: dispatch.id.replace("AD_", "AJ_"),
        dispatch_id: dispatch.id.clone(),
        agent_name: dispatch.agent_name.clone(),
        metadata: dispatch.metadata.clone(),
        state: Some(proto::JobState {
            status: proto::JobStatus::JsRunning as i32,
            worker_id: "AW_standin".to_owned(),
            participant_identity: "agent-standin".to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn no_such_room() -> Answer {
    Answer::twirp(
        503,
        "unavailable",
        "twirp error unknown: no response from servers",
    )
}

fn no_redis() -> Answer {
    let msg = "twirp error unknown: sip not connected (redis required)";
    Answer::twirp(500, "internal", msg)
}
