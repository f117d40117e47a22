//! A loopback link to a server that fails at a chosen byte.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// What goes wrong, and after how many bytes of a direction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    None,
    /// The connection is cut, both ways.
    Cut,
    /// Nothing passes for so many milliseconds.
    Stall(u64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Way {
    Sent,
    Answered,
}

/// A link that fails once, where it is not of [`Link::each`]; later connections
/// over it are good.
pub struct Link {
    pub url: String,
    port: u16,
    shared: Arc<Shared>,
}

impl Drop for Link {
    /// Ends its listener, of which a campaign would leave thousands.
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

struct Shared {
    target: u16,
    fault: Fault,
    way: Way,
    at: u64,
    /// Each connection fails, by its own bytes.
    each: bool,
    connections: AtomicU64,
    /// Bytes that passed, by way.
    passed: [AtomicU64; 2],
    failed: AtomicU64,
    over: AtomicBool,
}

impl Link {
    pub fn new(url: &str, fault: Fault, way: Way, at: u64) -> Link {
        Link::open(url, fault, way, at, false)
    }

    /// The same fault on every connection.
    pub fn each(url: &str, fault: Fault, way: Way, at: u64) -> Link {
        Link::open(url, fault, way, at, true)
    }

    fn open(url: &str, fault: Fault, way: Way, at: u64, each: bool) -> Link {
        let rest = url.split_once("127.0.0.1:").expect("a loopback URL").1;
        let target = rest.split('/').next().and_then(|port| port.parse().ok());
        let target = target.expect("a port");
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a loopback port");
        let port = listener.local_addr().expect("its number").port();
        let shared = Arc::new(Shared {
            target,
            fault,
            way,
            at,
            each,
            connections: AtomicU64::new(0),
            passed: Default::default(),
            failed: AtomicU64::new(0),
            over: AtomicBool::new(false),
        });
        let through = url.replace(&format!("127.0.0.1:{target}"), &format!("127.0.0.1:{port}"));
        let of_thread = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if of_thread.over.load(Ordering::SeqCst) {
                    break;
                }
                let shared = Arc::clone(&of_thread);
                shared.connections.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || shared.pass(&client));
            }
        });
        Link {
            url: through + "?sslmode=disable",
            port,
            shared,
        }
    }

    /// How many connections were made over it.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// How many bytes have passed that way.
    pub fn passed(&self, way: Way) -> u64 {
        self.shared.passed[way as usize].load(Ordering::SeqCst)
    }

    pub fn has_failed(&self) -> bool {
        self.shared.failed.load(Ordering::SeqCst) > 0
    }
}

impl Shared {
    fn pass(self: &Arc<Self>, client: &TcpStream) {
        let Ok(server) = TcpStream::connect(("127.0.0.1", self.target)) else {
            return;
        };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        thread::scope(|scope| {
            scope.spawn(|| self.copy(&server, client, Way::Answered));
            self.copy(client, &server, Way::Sent);
        });
    }

    /// Until either side ends, or the fault comes.
    fn copy(&self, mut from: &TcpStream, mut to: &TcpStream, way: Way) {
        let mut bytes = [0; 8192];
        let (mut own, mut has_failed) = (0, false);
        while let Ok(read @ 1..) = from.read(&mut bytes) {
            let all = self.passed[way as usize].fetch_add(read as u64, Ordering::SeqCst);
            let before = if self.each { own } else { all };
            own += read as u64;
            let due = way == self.way && self.at < before + read as u64;
            let mut whole = read;
            let fails = due && self.fault != Fault::None && !has_failed;
            if fails && (self.failed.fetch_add(1, Ordering::SeqCst) == 0 || self.each) {
                has_failed = true;
                match self.fault {
                    Fault::Cut => whole = self.at.saturating_sub(before) as usize,
                    Fault::Stall(millis) => thread::sleep(Duration::from_millis(millis)),
                    Fault::None => {}
                }
            }
            if to.write_all(&bytes[..whole]).is_err() || whole < read {
                break;
            }
        }
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    }
}
