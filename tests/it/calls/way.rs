//! Hints about the way to a server of LiveKit, followed: its certificate, and
//! the proxy in between.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

use super::world::{World, trunk};
use crate::livekit::standin::StandIn;
use crate::livekit::tls::certificate;

const DOCTOR: &str = "doctor --config india-techiemaya-cloud";

/// All configs on this server, which is trusted.
fn on(world: &World, url: &str) {
    world.sql(&format!(
        "UPDATE voice_agent_livekit SET livekit_url = '{url}'"
    ));
    world
        .run(&["trust", url, "--reason", "the server of the tests"])
        .expect_code(0);
}

#[test]
fn a_private_ca_is_named_by_its_variable() {
    let dir = tempfile::tempdir().expect("a directory");
    let (certificate, key) = certificate(&dir, "IP:127.0.0.1");
    let server = StandIn::start_tls(&certificate, &key);
    server.world().trunks.push(trunk());
    let mut world = World::new();
    on(&world, &server.url_as("wss"));
    let refused = world.dispatch(&[]).expect_code(1);
    let hinted = refused.told(
        "check scheme, port and certificate; for a private CA point SSL_CERT_FILE at its certificate",
    );
    world
        .lkroute
        .env("SSL_CERT_FILE", &certificate.display().to_string());
    hinted.with(&world.lkroute, DOCTOR).expect_code(0);
    world.dispatch(&[]).expect_code(0);
}

/// A proxy that opens tunnels, each to the same port, where it opens any.
fn proxy(to: Option<u16>) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("its address"));
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            thread::spawn(move || drop(tunnel(client, to)));
        }
    });
    url
}

fn tunnel(mut client: TcpStream, to: Option<u16>) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let Some(port) = to else {
        return client.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    };
    let mut server = TcpStream::connect(("127.0.0.1", port))?;
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    let (mut from, mut into) = (server.try_clone()?, client.try_clone()?);
    let answers = thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut into);
        let _ = into.shutdown(Shutdown::Both);
    });
    let _ = std::io::copy(&mut client, &mut server);
    let _ = server.shutdown(Shutdown::Both);
    let _ = answers.join();
    Ok(())
}

#[test]
fn a_proxy_that_says_no_is_named_by_its_variables() {
    let dir = tempfile::tempdir().expect("a directory");
    let (certificate, key) = certificate(&dir, "DNS:livekit.private.example");
    let server = StandIn::start_tls(&certificate, &key);
    server.world().trunks.push(trunk());
    let mut world = World::new();
    on(&world, "wss://livekit.private.example");
    world
        .lkroute
        .env("SSL_CERT_FILE", &certificate.display().to_string());
    world.lkroute.env("HTTPS_PROXY", &proxy(None));
    let refused = world.dispatch(&[]).expect_code(1);
    let hinted = refused.told("check HTTPS_PROXY, HTTP_PROXY and NO_PROXY");
    world
        .lkroute
        .env("HTTPS_PROXY", &proxy(Some(server.addr.port())));
    hinted.with(&world.lkroute, DOCTOR).expect_code(0);
    world.dispatch(&[]).expect_code(0);
}
