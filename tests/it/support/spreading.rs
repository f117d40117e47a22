//! A proxy that spreads reads as no proxy should: within a transaction that
//! writes, and whatever comments a statement begins with.

use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    thread,
};

/// Sends what begins with SELECT to another server than all the rest.
pub struct SpreadingProxy {
    /// The database through the proxy, without TLS.
    pub url: String,
}

impl SpreadingProxy {
    /// Between a client and the servers at two ports: of what writes and, where
    /// it is another, of what reads.
    pub fn new(url: &str, writes: u16, reads: Option<u16>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a loopback port");
        let port = listener.local_addr().expect("its number").port();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                thread::spawn(move || {
                    // An error is a connection that ended, on either side.
                    let _ = serve(client, writes, reads);
                });
            }
        });
        let through = url.replace(&format!(":{writes}/"), &format!(":{port}/"));
        Self {
            url: through + "?sslmode=disable",
        }
    }
}

fn serve(mut client: TcpStream, writes: u16, reads: Option<u16>) -> io::Result<()> {
    let mut writer = TcpStream::connect(("127.0.0.1", writes))?;
    let mut reader = TcpStream::connect(("127.0.0.1", reads.unwrap_or(writes)))?;
    for stream in [&client, &writer, &reader] {
        stream.set_nodelay(true)?;
    }
    // The first message has no type.
    let start = body(&mut client)?;
    for server in [&mut writer, &mut reader] {
        server.write_all(&start)?;
    }
    answer(&mut reader, &mut io::sink(), None)?;
    let mut state = answer(&mut writer, &mut client, None)?;
    let mut is_read = false;
    loop {
        // What belongs together: a query, or all until a Sync. What a Parse
        // prepared is bound and executed where it was prepared.
        let mut whole = Vec::new();
        loop {
            let mut kind = [0];
            client.read_exact(&mut kind)?;
            let rest = body(&mut client)?;
            if matches!(kind[0], b'Q' | b'P') {
                is_read = reads_alone(&rest[4..], kind[0]);
            }
            whole.push(kind[0]);
            whole.extend(rest);
            if matches!(kind[0], b'Q' | b'S' | b'X' | b'H' | b'c' | b'd' | b'f') {
                break;
            }
        }
        let is_copied = matches!(whole[0], b'c' | b'd' | b'f');
        match is_read && !is_copied && reads.is_some() {
            // Of the transaction the other server knows nothing.
            true => {
                reader.write_all(&whole)?;
                answer(&mut reader, &mut client, Some(state))?;
            }
            false => {
                writer.write_all(&whole)?;
                // Data of a COPY has no answer of its own.
                if whole[0] != b'd' {
                    state = answer(&mut writer, &mut client, None)?;
                }
            }
        }
    }
}

/// A length and what it counts.
fn body(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut all = length.to_vec();
    all.resize(u32::from_be_bytes(length) as usize, 0);
    stream.read_exact(&mut all[4..])?;
    Ok(all)
}

/// Whether it is one statement that reads.
fn reads_alone(text: &[u8], kind: u8) -> bool {
    // A Parse begins with the name of the statement.
    let text = match kind {
        b'P' => text.splitn(2, |byte| *byte == 0).nth(1).unwrap_or_default(),
        _ => text,
    };
    let text = String::from_utf8_lossy(text);
    let text = text.split('\0').next().unwrap_or_default().trim();
    let text = match text.starts_with("/*") {
        true => text.split_once("*/").map_or("", |(_, rest)| rest).trim(),
        false => text,
    };
    text.to_uppercase().starts_with("SELECT") && !text.contains(';')
}

/// Passes an answer on, up to the state that ends it, which it gives back; in
/// its place the client sees `state`.
fn answer(server: &mut TcpStream, client: &mut impl Write, state: Option<u8>) -> io::Result<u8> {
    loop {
        let mut kind = [0];
        server.read_exact(&mut kind)?;
        let mut rest = body(server)?;
        let is = rest.last().copied().unwrap_or_default();
        if let (b'Z', Some(state), Some(last)) = (kind[0], state, rest.last_mut()) {
            *last = state;
        }
        client.write_all(&[&kind[..], &rest].concat())?;
        // A COPY from the client goes on with the client's data.
        if matches!(kind[0], b'Z' | b'G') {
            return Ok(is);
        }
    }
}
