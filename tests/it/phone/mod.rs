//! Telephones for tests: sipp with scenarios of ours, on loopback or on the
//! address of the tests' own network (`tests/sip`).

use std::fs;
use std::net::UdpSocket;
use std::process::{Command, Stdio};

use crate::support::{Server, not_run, on_free_port, part};

/// What a phone does with a call.
#[derive(Clone, Copy, Debug)]
pub enum Manner {
    /// Refuses it, with this status and these words.
    Refuses(u16, &'static str),
    /// Rings, and nobody answers.
    Rings,
    /// Is answered, and talks until the other side hangs up.
    Answers,
}

/// A running phone.
pub struct Phone {
    pub port: u16,
    server: Server,
}

impl Phone {
    /// `None`, reported, where sipp is not installed.
    pub fn start(address: &str, manner: Manner) -> Option<Phone> {
        let Some(sipp) = part("LKROUTE_TEST_SIPP") else {
            not_run("sipp");
            return None;
        };
        let scenario = match manner {
            Manner::Refuses(status, words) => {
                include_str!("refuses.xml").replace("STATUS", &format!("{status} {words}"))
            }
            Manner::Rings => include_str!("rings.xml").to_owned(),
            Manner::Answers => include_str!("answers.xml").to_owned(),
        };
        let (server, port) = on_free_port(|port| {
            let dir = Server::dir("lkroute-phone-");
            fs::write(dir.path().join("phone.xml"), &scenario).expect("the scenario");
            let mut command = Command::new(&sipp);
            command.args([
                "-sf",
                "phone.xml",
                "-i",
                address,
                "-mi",
                address,
                "-nostdin",
            ]);
            command.args([
                "-p",
                &port.to_string(),
                "-trace_msg",
                "-message_file",
                "messages",
            ]);
            let taken = || UdpSocket::bind((address, port)).is_err();
            let server = Server::start_own(dir, &command, "KILL", taken)?;
            Ok((server, port))
        });
        Some(Phone { port, server })
    }

    /// The INVITEs that came in, each once: the number that was called, and
    /// the one that was shown.
    pub fn calls(&self) -> Vec<(String, String)> {
        let log = fs::read_to_string(self.server.path().join("messages")).unwrap_or_default();
        let mut calls: Vec<(String, (String, String))> = Vec::new();
        let mut lines = log.lines().peekable();
        while let Some(line) = lines.next() {
            let Some(called) = line.strip_prefix("INVITE sip:") else {
                continue;
            };
            let user = |text: &str| text.split('@').next().unwrap_or_default().to_owned();
            let (mut id, mut shown) = (String::new(), String::new());
            while let Some(header) = lines.next_if(|line| line.contains(':')) {
                if let Some(value) = header.strip_prefix("Call-ID:") {
                    value.trim().clone_into(&mut id);
                }
                if let Some((_, value)) = header
                    .strip_prefix("From:")
                    .and_then(|from| from.split_once("sip:"))
                {
                    shown = user(value);
                }
            }
            if !calls.iter().any(|(known, _)| *known == id) {
                calls.push((id, (user(called), shown)));
            }
        }
        calls.into_iter().map(|(_, call)| call).collect()
    }
}

/// Calls a phone as livekit-sip would, and expects this way of it.
fn call(phone: &Phone, expected: &str) {
    let sipp = part("LKROUTE_TEST_SIPP").expect("a phone runs");
    let dir = tempfile::tempdir().expect("a directory");
    let scenario = include_str!("caller.xml").replace("THEN", expected);
    fs::write(dir.path().join("caller.xml"), scenario).expect("the scenario");
    let mut command = Command::new(sipp);
    command.args([
        "-sf",
        "caller.xml",
        "-s",
        "0501234567",
        "-m",
        "1",
        "-nostdin",
    ]);
    command.args(["-i", "127.0.0.1", "-mi", "127.0.0.1", "-timeout", "20s"]);
    command.args(["-timeout_error", &format!("127.0.0.1:{}", phone.port)]);
    command.current_dir(dir.path()).stdin(Stdio::null());
    let done = command.output().expect("run sipp");
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{:?}: {said}", done.status);
}

fn request(method: &str, cseq: u32) -> String {
    let branch = if method == "CANCEL" {
        "[branch-4]"
    } else {
        "[branch]"
    };
    format!(
        "<send><![CDATA[\n\n      {method} sip:[service]@[remote_ip]:[remote_port] SIP/2.0\n      \
         Via: SIP/2.0/[transport] [local_ip]:[local_port];branch={branch}\n      \
         From: <sip:+919513456728@[local_ip]:[local_port]>;tag=[call_number]\n      \
         To: <sip:[service]@[remote_ip]:[remote_port]>{}\n      Call-ID: [call_id]\n      \
         CSeq: {cseq} {method}\n      Max-Forwards: 70\n      Content-Length: 0\n\n    ]]></send>\n",
        if method == "CANCEL" {
            ""
        } else {
            "[peer_tag_param]"
        }
    )
}

fn response(status: u16) -> String {
    format!("<recv response=\"{status}\"/>\n")
}

/// The phones of the tests, tried without LiveKit: each does what its name
/// says, and tells who called.
#[test]
fn phones_do_as_their_manner_says() {
    let start = |manner| Phone::start("127.0.0.1", manner);
    let Some(busy) = start(Manner::Refuses(486, "Busy Here")) else {
        return;
    };
    call(&busy, &(response(486) + &request("ACK", 1)));
    assert_eq!(
        busy.calls(),
        [("0501234567".to_owned(), "+919513456728".to_owned())]
    );

    let rings = start(Manner::Rings).expect("sipp is there");
    let gives_up = "<pause milliseconds=\"200\"/>\n".to_owned() + &request("CANCEL", 1);
    let ended = response(200) + &response(487) + &request("ACK", 1);
    call(&rings, &(response(180) + &gives_up + &ended));
    assert_eq!(rings.calls().len(), 1);

    let answers = start(Manner::Answers).expect("sipp is there");
    let talks = request("ACK", 1) + "<pause milliseconds=\"200\"/>\n";
    let hangs_up = request("BYE", 2) + &response(200);
    call(
        &answers,
        &(response(180) + &response(200) + &talks + &hangs_up),
    );
    assert_eq!(answers.calls().len(), 1);
}
