//! Hints about whom PostgreSQL lets in, and how it is asked: variables of libpq's,
//! certificates, pg_hba.conf, limits of connections.

use std::path::Path;

use super::network::speak_tls;
use super::{Lkroute, run};
use crate::gate;
use crate::support::{Db, Postgres, Run, Server, free_port, unprivileged};

fn list(lkroute: &Lkroute, url: &str) -> Run {
    run(lkroute, &format!("list --database {url}"))
}

#[test]
fn variables_of_libpq_are_honoured_or_refused() {
    let Some((mut lkroute, db)) = gate::applied("followed_variables") else {
        return;
    };
    let url = format!("postgres://lkroute@/{}", db.name);
    let ports = format!("{},{}", free_port(), db.postgres().port);
    lkroute.env("PGHOST", "127.0.0.1,127.0.0.1");
    lkroute.env("PGPORT", &ports);
    list(&lkroute, &url).expect_code(0);
    lkroute.env("PGTARGETSESSIONATTRS", "standby");
    list(&lkroute, &url).expect_code(1);
    let refused = list(&lkroute, &db.url).expect_code(1);
    assert_contains!(
        refused.words(),
        "is not standby, as target_session_attrs asks"
    );
    lkroute.env("PGTARGETSESSIONATTRS", "");
    for (name, value) in [
        ("PGSERVICE", "crm"),
        ("PGREQUIREAUTH", "scram-sha-256"),
        ("PGCONNECT_TIMEOUT", "long"),
    ] {
        lkroute.env(name, value);
        let refused = list(&lkroute, &db.url).expect_code(1);
        let named = format!("lkroute can't honour {name} as it is set");
        assert_contains!(refused.words(), named);
        let hinted = refused.told("unset it for lkroute, and say in the URL what is meant by it");
        hinted.then(|| lkroute.env(name, ""));
        list(&lkroute, &db.url).expect_code(0);
    }
}

/// Who may come in, and how; all else may not.
const LINES: &str = "
hostssl   all certain   127.0.0.1/32 trust clientcert=verify-ca
hostssl   all tls_only  127.0.0.1/32 trust
hostnossl all bare_only 127.0.0.1/32 trust
host      all by_word   127.0.0.1/32 scram-sha-256
host      all lkroute,away,few 127.0.0.1/32 trust
";

/// A server with these lines, a certificate, and those who come in.
fn guarded(db: &Db, dir: &Path) {
    let ca = "-x509 -addext basicConstraints=critical,CA:TRUE";
    let signed = |name: &str| {
        format!(
            "openssl req -new -nodes -newkey rsa:2048 -subj /CN={name} -keyout {name}.key -out csr
             printf basicConstraints=CA:FALSE > ext
             openssl x509 -req -in csr -CA ca.crt -CAkey ca.key -extfile ext -out {name}.crt"
        )
    };
    let made = format!(
        "openssl req {ca} -nodes -newkey rsa:2048 -subj /CN=ca -keyout ca.key -out ca.crt
         openssl req {ca} -nodes -newkey rsa:2048 -subj /CN=odd -keyout odd.key -out odd.crt
         {}
         {}
         openssl req -new -nodes -newkey rsa:2048 -subj /CN=old -keyout old.key -out csr
         openssl x509 -req -in csr -signkey old.key -out old.crt
         cp localhost.key key; cp localhost.crt crt; chmod 600 key",
        signed("localhost"),
        signed("certain")
    );
    let ca = dir.join("ca.crt");
    db.psql(&format!(
        "ALTER SYSTEM SET ssl_ca_file = '{}'",
        ca.display()
    ));
    db.psql(
        "CREATE ROLE certain SUPERUSER LOGIN; CREATE ROLE tls_only SUPERUSER LOGIN;
         CREATE ROLE bare_only SUPERUSER LOGIN; CREATE ROLE few LOGIN CONNECTION LIMIT 0;
         CREATE ROLE away SUPERUSER NOLOGIN;
         CREATE ROLE by_word SUPERUSER LOGIN PASSWORD 'made-up-word'",
    );
    let hba = db.psql("SHOW hba_file");
    let written = unprivileged("sh")
        .args(["-c", "printf '%s' \"$1\" > \"$0\"", &hba, LINES])
        .status();
    assert!(written.expect("a shell").success());
    speak_tls(db, dir, &made);
}

#[test]
fn who_is_not_let_in_is_told_how() {
    let Some(postgres) = Postgres::own() else {
        return;
    };
    let (lkroute, db) = gate::applied_in(postgres, "followed_logins");
    let dir = Server::dir("lkroute-logins-");
    guarded(&db, dir.path());
    let file = |name: &str| dir.path().join(name).display().to_string();
    let with = |user: &str, parameters: &str| {
        let url = db.url.replace("//lkroute@", &format!("//{user}@"));
        list(&lkroute, &format!("{url}?{parameters}"))
    };
    let hint = "pg_hba.conf of the server has no line that lets this in: say sslmode=require where it wants TLS, sslmode=disable where it wants none, or let it name this user, database and address";
    for (user, wrong, right) in [
        ("tls_only", "disable", "require"),
        ("bare_only", "require", "disable"),
    ] {
        let refused = with(user, &format!("sslmode={wrong}")).expect_code(1);
        let right = format!("sslmode={right}");
        refused
            .told(hint)
            .then(|| with(user, &right))
            .expect_code(0);
        // Without TLS first, and then with it.
        with(user, "sslmode=allow").expect_code(0);
    }
    // A client certificate.
    let certificate = |name: &str| {
        let (certificate, key) = (file(&format!("{name}.crt")), file(&format!("{name}.key")));
        format!("sslmode=require&sslcert={certificate}&sslkey={key}")
    };
    let leads_on = || with("certain", &certificate("certain")).expect_code(0);
    let none = with("certain", "sslmode=require").expect_code(1);
    none.told("name a client certificate that the server trusts, and its key: sslcert=FILE&sslkey=FILE in the URL")
        .then(leads_on);
    let odd = with("certain", &certificate("odd")).expect_code(1);
    odd.told("the server ended the handshake: where it asks for a client certificate, sslcert and sslkey in the URL have to name one that it trusts")
        .then(leads_on);
    let old = with("certain", &certificate("old")).expect_code(1);
    assert_contains!(old.words(), "what sslcert, sslkey or sslrootcert names");
    assert_lacks!(old.words(), "peer");
    old.told("name files of PEM: certificates of X.509 version 3, and the key of the client's")
        .then(leads_on);
    let missing = with("certain", &certificate("missing")).expect_code(1);
    assert_contains!(missing.words(), "missing.crt");
    missing
        .told("name a file of PEM that is there, by its whole path")
        .then(leads_on);
    let half = format!("sslmode=require&sslcert={}", file("certain.crt"));
    let half = with("certain", &half).expect_code(1);
    half.told("name both: a client certificate, and its key")
        .then(leads_on);
    // The system's own do not know this one.
    let weak = with("lkroute", "sslmode=require&sslrootcert=system").expect_code(1);
    let hinted = weak.told("say sslmode=verify-full, or name a file");
    with("lkroute", "sslrootcert=system").expect_code(1);
    let root = format!("sslmode=verify-ca&sslrootcert={}", file("ca.crt"));
    hinted.then(|| with("lkroute", &root)).expect_code(0);
    // Who.
    let refused = with("away", "").expect_code(1);
    let hinted = refused.told("name a role in the database URL that is there, and may log in");
    hinted.then(|| with("lkroute", "")).expect_code(0);
    let word = with("by_word:made-up-slip", "").expect_code(1);
    let hinted = word.told("check user and password in the database URL");
    hinted
        .then(|| with("by_word:made-up-word", ""))
        .expect_code(0);
    let full = with("few", "").expect_code(1);
    let hinted = full.told("others have all connections that are allowed: try again in a moment, or raise max_connections, or the CONNECTION LIMIT of the role or the database");
    hinted.then(|| {
        db.psql("ALTER ROLE few SUPERUSER CONNECTION LIMIT 1");
    });
    with("few", "").expect_code(0);
}
