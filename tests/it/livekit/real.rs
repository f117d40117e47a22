//! A real livekit-server, with a redis or without, and real Python workers, in
//! processes that end with the test.
//!
//! `LKROUTE_TEST_LIVEKIT_SERVER`, `LKROUTE_TEST_REDIS_SERVER` and
//! `LKROUTE_TEST_AGENT_PYTHON` name the programs; `tests/run` sets them.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use livekit_protocol as proto;
use livekit_token::{AccessToken, SIPGrants, VideoGrants};
use prost::Message;
use serde_json::Value;

use super::standin::{KEY, SECRET};
use crate::support::{Server, free_port, listens, not_run, on_free_port, part};

/// A running livekit-server that knows [`KEY`] and [`SECRET`].
pub struct Livekit {
    pub url: String,
    port: u16,
    /// Absent while it is killed.
    server: Option<Server>,
    /// Runs as long as the server does.
    _redis: Option<Server>,
    redis_port: Option<u16>,
    program: PathBuf,
    config: String,
}

impl Livekit {
    /// One with redis for all tests that leave it as it is; `None`, reported,
    /// where it is not installed.
    pub fn shared() -> Option<&'static Livekit> {
        static SHARED: OnceLock<Option<Livekit>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| {
            let program = part("LKROUTE_TEST_LIVEKIT_SERVER")?;
            let redis = part("LKROUTE_TEST_REDIS_SERVER")?;
            Some(Livekit::run(&program, Some(&redis)))
        });
        if shared.is_none() {
            not_run("livekit");
        }
        shared.as_ref()
    }

    /// One of the test's own, without redis.
    pub fn alone() -> Option<Livekit> {
        let program = part("LKROUTE_TEST_LIVEKIT_SERVER");
        if program.is_none() {
            not_run("livekit");
        }
        Some(Livekit::run(&program?, None))
    }

    /// One of the test's own, with redis.
    pub fn alone_with_redis() -> Option<Livekit> {
        let programs = (
            part("LKROUTE_TEST_LIVEKIT_SERVER"),
            part("LKROUTE_TEST_REDIS_SERVER"),
        );
        match programs {
            (Some(program), Some(redis)) => Some(Livekit::run(&program, Some(&redis))),
            _ => {
                not_run("livekit");
                None
            }
        }
    }

    /// One of the test's own, with redis, that media reach by this address;
    /// `None` where a program is missing.
    pub fn with_media(address: &str) -> Option<Livekit> {
        let program = part("LKROUTE_TEST_LIVEKIT_SERVER")?;
        let redis = part("LKROUTE_TEST_REDIS_SERVER")?;
        Some(Livekit::run_at(&program, Some(&redis), address))
    }

    fn run(program: &Path, redis: Option<&Path>) -> Livekit {
        Livekit::run_at(program, redis, "127.0.0.1")
    }

    fn run_at(program: &Path, redis: Option<&Path>, address: &str) -> Livekit {
        let redis = redis.map(start_redis);
        let redis_port = redis.as_ref().map(|(_, port)| *port);
        let ((port, config), server) = on_free_port(|port| {
            let config = config(port, redis_port, address);
            let server = start_server(program, &config, port)?;
            Ok(((port, config), server))
        });
        Livekit {
            url: format!("http://127.0.0.1:{port}"),
            port,
            server: Some(server),
            _redis: redis.map(|(server, _)| server),
            redis_port,
            program: program.to_owned(),
            config,
        }
    }

    /// Ends the server at once; what it held is gone.
    pub fn kill(&mut self) {
        self.server = None;
    }

    /// Starts it again after a kill, at the same address.
    pub fn start_again(&mut self) {
        let started = start_server(&self.program, &self.config, self.port);
        self.server = Some(started.unwrap_or_else(|error| panic!("{error}")));
    }

    /// Starts livekit-sip beside it, in the network of [`Livekit::with_media`].
    pub fn sip(&self, program: &Path, address: &str) -> Server {
        let redis = self.redis_port.map(at_port).expect("a redis");
        let (sip, health, media) = (free_port(), free_port(), free_port().min(60_000));
        let config = format!(
            "api_key: {KEY}\napi_secret: {SECRET}\nws_url: 'ws://127.0.0.1:{}'\nredis: {redis}\n\
             sip_port: {sip}\nhealth_port: {health}\nrtp_port: {media}-{}\n\
             use_external_ip: false\nlisten_ip: {address}\nnat_1_to_1_ip: {address}\n",
            self.port,
            media + 200
        );
        let mut command = Command::new(program);
        command.env("SIP_CONFIG_BODY", config);
        let dir = Server::dir("lkroute-sip-");
        let started = Server::start_own(dir, &command, "KILL", || listens(health));
        started.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Makes an outbound trunk with these numbers; its id.
    pub async fn trunk(&self, numbers: &[String]) -> String {
        self.trunk_to("sip.example", numbers).await
    }

    /// The same, to the carrier at this address.
    pub async fn trunk_to(&self, address: &str, numbers: &[String]) -> String {
        let asked = proto::CreateSipOutboundTrunkRequest {
            trunk: Some(proto::SipOutboundTrunkInfo {
                name: "made up".to_owned(),
                address: address.to_owned(),
                numbers: numbers.to_vec(),
                ..Default::default()
            }),
        };
        let made: proto::SipOutboundTrunkInfo =
            self.ask("SIP/CreateSIPOutboundTrunk", &asked).await;
        made.sip_trunk_id
    }

    pub async fn delete_trunk(&self, id: &str) {
        let sip_trunk_id = id.to_owned();
        let asked = proto::DeleteSipTrunkRequest { sip_trunk_id };
        let _: proto::SipTrunkInfo = self.ask("SIP/DeleteSIPTrunk", &asked).await;
    }

    /// Whether there is a room of that name.
    pub async fn has_room(&self, name: &str) -> bool {
        let names = vec![name.to_owned()];
        let asked = proto::ListRoomsRequest { names };
        let listed: proto::ListRoomsResponse = self.ask("RoomService/ListRooms", &asked).await;
        !listed.rooms.is_empty()
    }

    pub async fn dispatches(&self, room: &str) -> Vec<proto::AgentDispatch> {
        let asked = proto::ListAgentDispatchRequest {
            room: room.to_owned(),
            ..Default::default()
        };
        let method = "AgentDispatchService/ListDispatch";
        let listed: proto::ListAgentDispatchResponse = self.ask_of(room, method, &asked).await;
        listed.agent_dispatches
    }

    /// What lkroute has no call for, asked as LiveKit's own tools do.
    async fn ask<R: Message + Default>(&self, method: &str, message: &impl Message) -> R {
        self.ask_of("", method, message).await
    }

    async fn ask_of<R: Message + Default>(
        &self,
        room: &str,
        method: &str,
        message: &impl Message,
    ) -> R {
        let (mut video, mut sip) = (VideoGrants::default(), SIPGrants::default());
        (video.room_list, video.room_admin, sip.admin) = (true, true, true);
        room.clone_into(&mut video.room);
        let token = AccessToken::with_api_key(KEY, SECRET);
        let token = token.with_grants(video).with_sip_grants(sip).to_jwt();
        lkroute::livekit::install_crypto();
        let answer = reqwest::Client::new()
            .post(format!("{}/twirp/livekit.{method}", self.url))
            .bearer_auth(token.expect("a token"))
            .header("content-type", "application/protobuf")
            .body(message.encode_to_vec())
            .send()
            .await;
        let answer = answer.and_then(reqwest::Response::error_for_status);
        let body = answer.expect("an answer").bytes().await.expect("a body");
        R::decode(body).expect("a message")
    }
}

fn start_server(program: &Path, config: &str, port: u16) -> Result<Server, String> {
    let mut command = Command::new(program);
    command.args(["--config-body", config]);
    let dir = Server::dir("lkroute-lk-");
    Server::start_own(dir, &command, "KILL", || is_ready(port))
}

fn config(port: u16, redis: Option<u16>, address: &str) -> String {
    let redis = redis.map_or(String::new(), |port| format!("redis: {}\n", at_port(port)));
    format!(
        "port: {port}\nbind_addresses: ['127.0.0.1']\n\
         rtc: {{tcp_port: {}, udp_port: {}, node_ip: {address}, use_external_ip: false}}\n\
         keys: {{{KEY}: {SECRET}}}\n{redis}",
        free_port(),
        free_port()
    )
}

fn at_port(port: u16) -> String {
    format!("{{address: '127.0.0.1:{port}'}}")
}

fn start_redis(program: &Path) -> (Server, u16) {
    on_free_port(|port| {
        let mut command = Command::new(program);
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        command.args(["--port", &port.to_string()]);
        let server = Server::start(Server::dir("lkroute-redis-"), &command, "KILL", || {
            listens(port)
        })?;
        Ok((server, port))
    })
}

/// Whether `GET /` says 200: it says 406 for a moment after the start.
fn is_ready(port: u16) -> bool {
    let ask = || {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map(|_| answer)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.0 200"))
}

/// A running Python worker, registered under a name.
pub struct Worker {
    server: Server,
}

impl Worker {
    /// `None`, reported, where `livekit-agents` is not installed.
    pub fn start(livekit: &Livekit, name: &str) -> Option<Worker> {
        Worker::start_with(livekit, name, [("WORKER_STAYS", "")])
    }

    /// One that stays in the room until it is closed, as one that talks does.
    pub fn staying(livekit: &Livekit, name: &str) -> Option<Worker> {
        Worker::start_with(livekit, name, [("WORKER_STAYS", "1")])
    }

    /// One that is not of production, but of this deployment.
    pub fn deployed(livekit: &Livekit, name: &str, deployment: &str) -> Option<Worker> {
        Worker::start_with(livekit, name, [("LIVEKIT_AGENT_DEPLOYMENT", deployment)])
    }

    fn start_with(livekit: &Livekit, name: &str, more: [(&str, &str); 1]) -> Option<Worker> {
        let Some(python) = part("LKROUTE_TEST_AGENT_PYTHON") else {
            not_run("livekit-agents");
            return None;
        };
        let dir = Server::dir("lkroute-worker-");
        let script = dir.path().join("worker.py");
        fs::write(&script, include_str!("worker.py")).expect("the script");
        let mut command = Command::new(python);
        command
            .arg(&script)
            .env("WORKER_NAME", name)
            .envs(more)
            .env("WORKER_JOBS", dir.path().join("jobs"))
            .env("LIVEKIT_URL", livekit.url.replace("http", "ws"))
            .env("LIVEKIT_API_KEY", KEY)
            .env("LIVEKIT_API_SECRET", SECRET);
        for variable in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
            command
                .env_remove(variable)
                .env_remove(variable.to_lowercase());
        }
        let log = dir.path().join("log");
        let registered =
            || fs::read_to_string(&log).is_ok_and(|log| log.contains("registered worker"));
        let server = Server::start_own(dir, &command, "KILL", registered);
        Some(Worker {
            server: server.unwrap_or_else(|error| panic!("{error}")),
        })
    }

    /// Waits until it has registered so many times: once, and once again after
    /// each restart of the server.
    pub fn registered(&self, times: usize) {
        let until = Instant::now() + Duration::from_secs(60);
        let log = self.server.path().join("log");
        while Instant::now() < until {
            let log = fs::read_to_string(&log).unwrap_or_default();
            if log.matches("registered worker").count() >= times {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("the worker does not come back");
    }

    /// The jobs that it took so far: `room`, `id`, `metadata`.
    pub fn jobs(&self) -> Vec<Value> {
        let lines = fs::read_to_string(self.server.path().join("jobs")).unwrap_or_default();
        lines
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    }

    /// Waits for its next job, some seconds at most.
    pub fn job_after(&self, seen: usize) -> Option<Value> {
        let until = Instant::now() + Duration::from_secs(15);
        while Instant::now() < until {
            if let Some(job) = self.jobs().into_iter().nth(seen) {
                return Some(job);
            }
            thread::sleep(Duration::from_millis(50));
        }
        None
    }
}

/// A way to `livekit` that breaks once: the first request that contains `text`
/// arrives there, its answer does not come back.
pub fn breaking_after(livekit: &Livekit, text: &'static str) -> String {
    let (listener, target) = (TcpListener::bind("127.0.0.1:0").unwrap(), livekit.port);
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut broken = false;
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), TcpStream::connect(("127.0.0.1", target)));
            broken |= pass(
                client,
                server.unwrap(),
                if broken { None } else { Some(text) },
            );
        }
    });
    format!("http://{address}")
}

/// Passes requests and answers in turn; true if it broke off.
fn pass(mut client: TcpStream, mut server: TcpStream, breaking: Option<&str>) -> bool {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let Ok(length @ 1..) = client.read(&mut buffer) else {
            return false;
        };
        let request = String::from_utf8_lossy(&buffer[..length]).into_owned();
        server.write_all(&buffer[..length]).unwrap();
        let Ok(length @ 1..) = server.read(&mut buffer) else {
            return false;
        };
        if breaking.is_some_and(|text| request.contains(text)) {
            return true;
        }
        client.write_all(&buffer[..length]).unwrap();
    }
}
