//! Hints about the way to a server of PostgreSQL: nothing there, something
//! else, TLS, a connection that is lost, standbys.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::thread;

use super::applied::worker;
use super::{Lkroute, run};
use crate::faults::link::{Fault, Link, Way};
use crate::gate;
use crate::store::answers::stand_in_for_12;
use crate::support::{
    Cut, Db, Haproxy, Postgres, Run, Server, SpreadingProxy, Standby, TcpCut, spawn_piped,
    unprivileged,
};

const APPLY: &str = "apply --auto-approve";

fn at(lkroute: &Lkroute, command: &str, url: &str) -> Run {
    run(lkroute, &format!("{command} --database {url}"))
}

/// Something that answers whatever it is asked with these bytes.
fn answering(bytes: &'static [u8]) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("its number").port();
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let _ = client.read(&mut [0; 4096]);
            let _ = client.write_all(bytes);
        }
    });
    port
}

#[test]
fn what_listens_there_is_another() {
    let Some((lkroute, db)) = gate::applied("followed_other") else {
        return;
    };
    let leads_on = || drop(at(&lkroute, "list", &db.url).expect_code(0));
    // Its kernel takes connections, and nobody answers.
    let silent = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = silent.local_addr().expect("its number").port();
    let url = format!("postgres://127.0.0.1:{port}/x?connect_timeout=1");
    let hung = at(&lkroute, "list", &url).expect_code(1);
    hung.told("check host, port and network").then(leads_on);
    let port = answering(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    let url = format!("postgres://127.0.0.1:{port}/x");
    let web = at(&lkroute, "list", &url).expect_code(1);
    web.told("is it PostgreSQL that listens there?")
        .then(leads_on);
    let old = at(&lkroute, "list", &stand_in_for_12()).expect_code(1);
    old.told("its makers support it no more; upgrade the server")
        .then(leads_on);
    let raw = db.url.replace("//lkroute@", "//lkroute:a@b#c@");
    let unclear = at(&lkroute, "list", &raw).expect_code(1);
    let hinted = unclear.told(
        "characters such as @ : / ? # % in user or password are percent-encoded (%40 %3A %2F %3F %23 %25)",
    );
    let encoded = db.url.replace("//lkroute@", "//lkroute:a%40b%23c@");
    hinted
        .then(|| at(&lkroute, "list", &encoded))
        .expect_code(0);
    let Some(proxy) = Haproxy::without_backend() else {
        return;
    };
    let url = format!("postgres://127.0.0.1:{}/x", proxy.port);
    let closed = at(&lkroute, "list", &url).expect_code(1);
    let hinted = closed.told(
        "a proxy that has no server behind it, such as HAProxy while all its backends are down, does that: look there; nothing was changed by this",
    );
    hinted.then(leads_on);
}

/// Has a server speak TLS with the certificate that this line of the shell makes
/// in `crt` and `key` of the directory.
pub fn speak_tls(db: &Db, dir: &std::path::Path, line: &str) {
    let made = unprivileged("sh")
        .current_dir(dir)
        .args(["-ec", line])
        .output();
    let made = made.expect("openssl");
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let at = dir.display();
    for (name, value) in [("cert_file", "crt"), ("key_file", "key")] {
        db.psql(&format!("ALTER SYSTEM SET ssl_{name} = '{at}/{value}'"));
    }
    db.psql("ALTER SYSTEM SET ssl = on");
    let loaded = db.psql("SELECT pg_conf_load_time()");
    db.psql("SELECT pg_reload_conf()");
    super::postgres::until(db, &format!("SELECT pg_conf_load_time() > '{loaded}'"));
    let url = format!("{}?sslmode=require", db.url);
    while db.psql_as(&url, "SELECT 1").is_err() {
        thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn tls_that_the_server_and_the_url_agree_on() {
    let Some(postgres) = Postgres::own() else {
        return;
    };
    let (lkroute, db) = gate::applied_in(postgres, "followed_tls");
    let url = db.url.replace("127.0.0.1", "localhost");
    let with = |parameters: &str| at(&lkroute, "list", &format!("{url}?{parameters}"));
    let none = with("sslmode=require").expect_code(1);
    let hinted = none.told("sslmode and sslrootcert in the URL say what is expected");
    hinted.then(|| with("sslmode=prefer")).expect_code(0);
    // A request that is signed without extensions gives version 1.
    let dir = Server::dir("lkroute-tls-");
    speak_tls(
        &db,
        dir.path(),
        "openssl req -new -nodes -newkey rsa:2048 -subj /CN=localhost -keyout key -out csr
         openssl x509 -req -in csr -signkey key -out crt; chmod 600 key",
    );
    let old = with("sslmode=require").expect_code(1);
    let hinted = old.told(
        "the server's certificate is of X.509 version 1, which is not taken (psql does): make one of version 3, as `openssl req -x509 -addext subjectAltName=DNS:HOST -addext basicConstraints=CA:FALSE` does, or say sslmode=disable where nobody can listen",
    );
    with("sslmode=disable").expect_code(0);
    let words = crate::support::words_of(&old.stderr);
    let line = words
        .split("as `")
        .nth(1)
        .and_then(|rest| rest.split('`').next());
    let line = line.expect("a command").replace("HOST", "localhost");
    hinted.then(|| {
        let more = "-nodes -newkey rsa:2048 -subj /CN=localhost -keyout key -out crt";
        speak_tls(&db, dir.path(), &format!("{line} {more}; chmod 600 key"));
    });
    with("sslmode=require").expect_code(0);
    let unknown = with("sslmode=verify-full").expect_code(1);
    let hinted =
        unknown.told("sslmode and sslrootcert in the URL say what is expected of a certificate");
    let root = dir.path().join("crt").display().to_string();
    let verified = format!("sslmode=verify-full&sslrootcert={root}");
    hinted.then(|| with(&verified)).expect_code(0);
}

#[test]
fn connections_that_are_lost_are_made_again() {
    let Some((lkroute, db)) = gate::applied("followed_lost") else {
        return;
    };
    let bytes = |command: &str| {
        let link = Link::new(&db.url, Fault::None, Way::Answered, 0);
        at(&lkroute, command, &link.url).expect_code(0);
        link.passed(Way::Answered)
    };
    let plan = bytes("plan");
    let cut = Link::new(&db.url, Fault::Cut, Way::Answered, plan / 2);
    let lost = at(&lkroute, "plan", &cut.url).expect_code(1);
    let hinted = lost.told("the server, or something on the way to it, ended it; try again");
    hinted
        .then(|| at(&lkroute, "plan", &cut.url))
        .expect_code(0);
    let quick = "&socket_timeout=1";
    let stall = Link::new(&db.url, Fault::Stall(60_000), Way::Answered, plan / 2);
    let hung = at(&lkroute, "plan", &(stall.url.clone() + quick)).expect_code(1);
    let hinted =
        hung.told("is the connection cut, or the server overloaded? Look there, and try again");
    hinted
        .then(|| at(&lkroute, "plan", &stall.url))
        .expect_code(0);
    // The same of an apply, in its own transaction.
    worker(&lkroute, "voag-staging", "voag-two");
    let apply = bytes(APPLY);
    let within = |fault: Fault, quick: &str, part: u64| {
        let at_byte = plan + (apply - plan) * part / 100;
        let link = Link::new(&db.url, fault, Way::Answered, at_byte);
        let ran = at(
            &lkroute,
            &format!("{APPLY} --lock-timeout 1"),
            &(link.url.clone() + quick),
        );
        (ran.expect_code(1), link)
    };
    worker(&lkroute, "voag-two", "voag-three");
    let parts = [50, 60, 70, 80, 90];
    let find = |fault: Fault, quick: &str, hint: &str| {
        let ran = parts.iter().map(|part| within(fault, quick, *part));
        let mut ran = ran.filter(|(ran, _)| crate::support::find_hint(&ran.stderr, hint).is_some());
        ran.next().expect("one of them")
    };
    let hint = "nothing was written; is the connection cut, or the server overloaded? apply again";
    let (hung, link) = find(Fault::Stall(60_000), quick, hint);
    let applied = hung.told(hint).then(|| at(&lkroute, APPLY, &link.url));
    applied.expect_code(0);
    worker(&lkroute, "voag-three", "voag-four");
    let hint = "nothing was written; apply again once the server answers";
    let (cut, link) = find(Fault::Cut, "", hint);
    let applied = cut.told(hint).then(|| at(&lkroute, APPLY, &link.url));
    applied.expect_code(0);
}

#[test]
fn an_answer_to_commit_that_is_lost_is_looked_for() {
    let Some((lkroute, db)) = gate::applied("followed_commit") else {
        return;
    };
    worker(&lkroute, "voag-staging", "voag-two");
    let proxy = TcpCut::new(&db.url, Cut::Before, "lkroute_applies (id");
    let failed = at(&lkroute, APPLY, &proxy.url).expect_code(1);
    let again = failed.told("apply again");
    again
        .then(|| at(&lkroute, APPLY, &proxy.url))
        .expect_code(0);
    worker(&lkroute, "voag-two", "voag-three");
    let proxy = TcpCut::new(&db.url, Cut::During, "lkroute_applies (id").refuse_after();
    let mut command = lkroute.command(&["apply", "--auto-approve", "--database", &proxy.url]);
    let child = spawn_piped(&mut command);
    while proxy.cuts() == 0 {
        thread::sleep(std::time::Duration::from_millis(20));
    }
    // It would look for a minute and a half.
    thread::sleep(std::time::Duration::from_millis(500));
    let stop = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(stop.expect("kill").success());
    let unknown = Run::of(child).expect_code(8);
    let hinted = unknown.told(
        "once the database answers, `lkroute history` lists it or not: look for an apply by {}",
    );
    let listed = hinted.run(&lkroute, &[]).expect_code(0).stdout;
    let applies = db.psql("SELECT count(*) FROM lad_dev.lkroute_applies");
    assert!(applies == "3" && listed.contains('3'), "{listed}");
}

#[test]
fn a_standby_reads_and_the_primary_writes() {
    let Some(postgres) = Postgres::own() else {
        return;
    };
    let (lkroute, db) = gate::applied_in(postgres, "followed_standby");
    let standby = Standby::of(postgres, &[]);
    let own = standby.url(&db.url);
    let both = own.replace(
        &format!(":{}/", standby.port),
        &format!(":{},127.0.0.1:{}/", standby.port, postgres.port),
    );
    worker(&lkroute, "voag-staging", "voag-two");
    let refused = at(&lkroute, APPLY, &own).expect_code(1);
    let hinted = refused.told("name the primary, or all servers: postgres://HOST1,HOST2/DATABASE");
    hinted.then(|| at(&lkroute, APPLY, &both)).expect_code(0);
    worker(&lkroute, "voag-two", "voag-three");
    let only = format!("{own}?target_session_attrs=standby");
    let refused = at(&lkroute, APPLY, &only).expect_code(1);
    let hinted = refused
        .told("target_session_attrs=prefer-standby reads from one, and writes to the primary");
    let prefer = format!("{both}?target_session_attrs=prefer-standby");
    hinted.then(|| at(&lkroute, APPLY, &prefer)).expect_code(0);
    let standbys = |url: &str| format!("{url}?target_session_attrs=standby");
    let refused = at(&lkroute, "list", &standbys(&db.url)).expect_code(1);
    let hinted = refused.told("name the other servers too: postgres://HOST1,HOST2/DATABASE");
    hinted
        .then(|| at(&lkroute, "list", &standbys(&both)))
        .expect_code(0);
    // A proxy that sends what reads to the standby.
    worker(&lkroute, "voag-three", "voag-four");
    standby.psql("SELECT pg_wal_replay_pause()");
    let proxy = SpreadingProxy::new(&db.url, postgres.port, Some(standby.port));
    let refused = at(&lkroute, APPLY, &proxy.url).expect_code(1);
    let hinted = refused.told("nothing was written; connect to the primary itself");
    hinted.then(|| at(&lkroute, APPLY, &db.url)).expect_code(0);
}

/// A standby that gives every read up, until it tells its primary what it reads.
#[test]
fn a_standby_that_ends_every_read_is_told_to_tell_its_primary() {
    let Some(postgres) = Postgres::own() else {
        return;
    };
    let (lkroute, db) = gate::applied_in(postgres, "followed_recovery");
    let settings = [
        "max_standby_streaming_delay=0",
        "wal_receiver_status_interval=1",
    ];
    let standby = Standby::of(postgres, &settings);
    let own = standby.url(&db.url);
    let whole = Link::new(&own, Fault::None, Way::Answered, 0);
    at(&lkroute, "list", &whole.url).expect_code(0);
    let late = whole.passed(Way::Answered) * 9 / 10;
    let over = std::sync::atomic::AtomicBool::new(false);
    let listed = |code: i32| {
        let link = Link::each(&own, Fault::Stall(1500), Way::Answered, late);
        at(&lkroute, "list", &link.url).expect_code(code)
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(std::sync::atomic::Ordering::SeqCst) {
                db.psql("UPDATE lad_dev.voice_agent_numbers SET created_at = created_at");
                db.psql("VACUUM lad_dev.voice_agent_numbers");
            }
        });
        let ended = listed(1);
        let hinted = ended.told(
            "others were in the way each time; on a standby, what its primary removed meanwhile was still read: hot_standby_feedback = on, or a longer max_standby_streaming_delay",
        );
        hinted.then(|| {
            standby.psql("ALTER SYSTEM SET hot_standby_feedback = on");
            standby.psql("SELECT pg_reload_conf()");
        });
        super::postgres::until(
            &db,
            "SELECT count(*) = 1 FROM pg_stat_replication WHERE backend_xmin IS NOT NULL",
        );
        listed(0);
        over.store(true, std::sync::atomic::Ordering::SeqCst);
    });
}
