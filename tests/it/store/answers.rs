//! What answers in a server's place, or is no server for lkroute: each has a
//! cause and a cure.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use lkroute::error::Error;
use lkroute::fields::Fields;
use lkroute::store::{DatabaseUrl, Mode, Store};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::apply::one;
use super::base::{Base, files};
use crate::support::{Db, Haproxy, Postgres, Server, told, unprivileged};

async fn refused(url: &str) -> Error {
    let url = DatabaseUrl::parse(url).expect("a URL");
    Store::open(&url, None, Mode::Read)
        .await
        .expect_err("no store")
}

#[track_caller]
fn says(error: &Error, cause: &str, cure: &str) {
    let hint = error.hint.clone().unwrap_or_default();
    assert_contains!(error.message, cause);
    assert!(hint.contains(cure), "{error}: {hint}");
}

#[tokio::test]
async fn a_proxy_without_a_server_behind_it_is_told() {
    let Some(proxy) = Haproxy::without_backend() else {
        return;
    };
    for mode in ["prefer", "require", "disable"] {
        let url = format!("postgres://127.0.0.1:{}/x?sslmode={mode}", proxy.port);
        let error = refused(&url).await;
        says(
            &error,
            "closed without a word",
            "HAProxy while all its backends are down",
        );
    }
}

/// A database whose server has the certificate `crt` that a script makes.
fn with_certificate(postgres: &'static Postgres, script: &str) -> (Db, tempfile::TempDir) {
    let dir = Server::dir("lkroute-tls-");
    let made = unprivileged("sh")
        .current_dir(dir.path())
        .args(["-c", &format!("{script} && chmod 600 key")])
        .output()
        .expect("openssl");
    let said = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "{said}");
    let db = postgres.database("tls");
    let at = dir.path().display();
    db.psql(&format!("ALTER SYSTEM SET ssl_cert_file = '{at}/crt'"));
    db.psql(&format!("ALTER SYSTEM SET ssl_key_file = '{at}/key'"));
    db.psql("ALTER SYSTEM SET ssl = on");
    db.psql("SELECT pg_reload_conf()");
    let url = format!("{}?sslmode=require", db.url);
    while db.psql_as(&url, "SELECT 1").is_err() {
        thread::sleep(std::time::Duration::from_millis(20));
    }
    (db, dir)
}

/// Who pins a certificate with `require` is protected by libpq; here somebody in
/// between would get the password and every row.
#[tokio::test]
async fn a_pinned_certificate_is_checked_with_require_too() {
    let Some(postgres) = Postgres::own() else {
        return;
    };
    let make = |name: &str| {
        format!(
            "openssl req -x509 -nodes -newkey rsa:2048 -subj /CN={name} -keyout {name}.key \
             -addext basicConstraints=CA:FALSE -addext subjectAltName=DNS:{name} -out {name}.crt"
        )
    };
    let script = format!(
        "{} && {} && cp one.key key && cp one.crt crt",
        make("one"),
        make("two")
    );
    let (db, dir) = with_certificate(postgres, &script);
    let pinned = |name: &str| {
        let file = dir.path().join(name);
        format!("{}?sslmode=require&sslrootcert={}", db.url, file.display())
    };
    let psql = db.psql_as(&pinned("two.crt"), "SELECT 1");
    assert!(psql.is_err(), "psql refuses it");
    let error = refused(&pinned("two.crt")).await;
    says(&error, "invalid peer certificate", "sslrootcert");
    for url in [pinned("one.crt"), format!("{}?sslmode=require", db.url)] {
        let url = DatabaseUrl::parse(&url).expect("a URL");
        Store::open(&url, None, Mode::Read).await.expect("opened");
    }
}

#[tokio::test]
async fn a_certificate_of_version_1_is_told() {
    let Some(postgres) = Postgres::own() else {
        return;
    };
    // A request that is signed without extensions gives version 1.
    let (db, _dir) = with_certificate(
        postgres,
        "openssl req -new -nodes -newkey rsa:2048 -subj /CN=localhost -keyout key -out csr &&
         openssl x509 -req -in csr -signkey key -out crt &&
         openssl x509 -in crt -noout -text | grep -q 'Version: 1 '",
    );
    for mode in ["require", "prefer"] {
        let error = refused(&format!("{}?sslmode={mode}", db.url)).await;
        says(&error, "UnsupportedCertVersion", "X.509 version 1");
    }
    let error = refused(&format!("{}?sslmode=verify-full", db.url)).await;
    assert!(error.hint.is_some(), "{error}");
}

/// A real one where the tests run on it ([`super::majors`]), else one that says
/// that it is PostgreSQL 12, and is asked nothing more.
#[tokio::test]
async fn a_server_that_is_too_old_is_told() {
    let old = Postgres::shared().filter(|postgres| postgres.major() < 13);
    let url = match old {
        Some(postgres) => format!("postgres://lkroute@127.0.0.1:{}/postgres", postgres.port),
        None => stand_in_for_12(),
    };
    for url in [
        url.clone(),
        url.replace("?", "?target_session_attrs=read-write&"),
    ] {
        let error = refused(&url).await;
        says(
            &error,
            "is PostgreSQL 12: lkroute needs 13 or later",
            "upgrade the server",
        );
    }
}

pub fn stand_in_for_12() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("its number").port();
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let mut bytes = [0; 4096];
            let _ = client.read(&mut bytes);
            let version = b"server_version\x0012.22\0";
            let mut answer = b"R\0\0\0\x08\0\0\0\0S\0\0\0".to_vec();
            answer.push(4 + version.len() as u8);
            answer.extend(version);
            answer.extend(b"K\0\0\0\x0c\0\0\0\x01\0\0\0\x01Z\0\0\0\x05I");
            client.write_all(&answer).expect("answer");
            let _ = client.read(&mut bytes);
        }
    });
    format!("postgres://x@127.0.0.1:{port}/x?sslmode=disable")
}

/// The server's word is lost with the connection where it comes while rows are sent.
#[tokio::test]
async fn a_limit_of_transactions_is_told() {
    let Some(base) = Base::postgres("limits").await else {
        return;
    };
    if base.db().postgres().major() < 17 {
        return;
    }
    base.settle(&files()).await;
    let name = &base.db().name;
    base.sql(&format!(
        "CREATE FUNCTION {slow}() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN PERFORM pg_sleep(2); RETURN NEW; END $$;
         CREATE TRIGGER slow BEFORE INSERT ON {numbers} FOR EACH ROW EXECUTE FUNCTION {slow}();
         ALTER DATABASE \"{name}\" SET transaction_timeout = '1s'",
        slow = base.table("slow"),
        numbers = base.table("voice_agent_numbers"),
    ))
    .await;
    let plan = base.plan(&one("+919000000001", Fields::new())).await;
    let error = base.apply(&plan).await.expect_err("it takes 2 s").error;
    assert_contains!(error.message, "transaction_timeout of 1 s");
    let hint = error.hint.clone().unwrap_or_default();
    let hinted = told(
        &hint,
        "nothing was changed; give it more time: ALTER ROLE … SET transaction_timeout = …, or the same of the database",
    );
    // One that reads, and is ended while it waits.
    let mut holder = PgConnection::connect(&base.db().url).await.unwrap();
    let lock = format!(
        "SET transaction_timeout = 0; BEGIN; LOCK TABLE {}",
        base.table("voice_agent_livekit")
    );
    let lock = sqlx::raw_sql(AssertSqlSafe(lock));
    lock.execute(&mut holder).await.expect("the lock");
    let mut store = base.open(Mode::Read).await;
    store.begin_read().await.expect("begun");
    let ended = store.snapshot().await.expect_err("it waits");
    says(&ended, "transaction timeout", "transaction_timeout = …");
    drop(holder);
    let reset = format!("ALTER DATABASE \"{name}\" RESET transaction_timeout");
    hinted.then(|| base.db().psql(&reset));
    base.apply(&plan).await.expect("applied");
}
