//! HTTP/1.1 as far as the stand-in needs it, and its faults.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Answer, Fault, World};

pub struct Request {
    pub path: String,
    /// The value of the Authorization header.
    authorization: Option<String>,
    pub token: Option<String>,
    length: usize,
}

impl Request {
    /// The Twirp method, or the path where there is none.
    pub fn method(&self) -> &str {
        match self.path.strip_prefix("/twirp/livekit.") {
            Some(call) => call.rsplit('/').next().unwrap_or(call),
            None => &self.path,
        }
    }
}

trait Wire: Read + Write {}
impl<T: Read + Write> Wire for T {}

pub fn serve(
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
        let fault = {
            let mut world = world.lock().unwrap();
            world.authorized += usize::from(request.authorization.is_some());
            world.next_fault(request.method())
        };
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
    let target = lines
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .unwrap_or_default();
    // A proxy is asked with scheme and host.
    let host_and_path = target.strip_prefix("http://");
    let path = host_and_path.and_then(|rest| Some(&rest[rest.find('/')?..]));
    let path = path.unwrap_or(target).to_owned();
    let mut request = Request {
        path,
        authorization: None,
        token: None,
        length: 0,
    };
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        match name.to_ascii_lowercase().as_str() {
            "authorization" => {
                request.token = value.strip_prefix("Bearer ").map(str::to_owned);
                request.authorization = Some(value.to_owned());
            }
            "content-length" => request.length = value.parse().unwrap_or(0),
            _ => {}
        }
    }
    Ok(Some(request))
}

fn write_answer(wire: &mut Box<dyn Wire>, answer: &Answer, clock_ahead: i64) -> io::Result<()> {
    let now = Timestamp::now() + SignedDuration::from_secs(clock_ahead);
    let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&now);
    let head = format!(
        "HTTP/1.1 {} Status\r\nDate: {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n",
        answer.status,
        date.map_err(io::Error::other)?,
        answer.kind,
        answer.body.len()
    );
    let mut sent = head.into_bytes();
    if let Some(to) = &answer.location {
        sent.extend([b"Location: ", &to[..], b"\r\n"].concat());
    }
    sent.extend([b"\r\n", &answer.body[..]].concat());
    wire.write_all(&sent)?;
    wire.flush()
}
