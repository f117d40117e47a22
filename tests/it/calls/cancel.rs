//! Ending a call, and running a command with a config's credentials.

use super::world::{World, said};
use crate::livekit::standin::{KEY, SECRET};

#[test]
fn a_call_is_ended_by_its_room_or_its_dispatch() {
    let world = World::new();
    world.standin.world().workers.insert("voag-dev".to_owned());
    for part in ["room", "dispatch_id", "record_id"] {
        let call = world.json(&[], 0);
        let name = call[part].as_str().unwrap();
        let run = world.run(&["cancel", name]).expect_code(1);
        assert_contains!(said(&run), "nobody is there to ask");
        let run = world.run(&["cancel", name, "-y"]).expect_code(0);
        assert_contains!(run.stdout, "Ended; an agent was there");
        assert!(world.standin.world().rooms.is_empty());
        assert_eq!(world.recorded()[0], "cancelled");
    }
    let run = world.run(&["cancel", "call-none", "-y"]).expect_code(1);
    assert_contains!(said(&run), "no call is known by");
}

/// What is over is not said to have been ended, and keeps what became of it.
#[test]
fn a_call_that_is_over_is_not_ended() {
    let world = World::new();
    world.standin.world().workers.insert("voag-dev".to_owned());
    let call = world.json(&["--sip"], 0);
    assert_eq!(world.recorded()[0], "answered");
    world.standin.forget();
    let room = call["room"].as_str().unwrap();
    let run = world.run(&["cancel", room, "-y"]).expect_code(0);
    let words = "Nothing was there to end: room or dispatch were gone already";
    assert_contains!(run.stdout, words);
    assert_eq!(world.recorded()[0], "answered");
}

#[test]
fn a_command_gets_the_credentials_of_a_config() {
    // What opens more than this server stays here.
    let world = World::new()
        .with("LKROUTE_KEYS_OLD", super::world::OTHER_RING)
        .with("LKROUTE_SECRET_OTHER", "made-up-secret-of-another")
        .with("LKROUTE_SECRETS_DIR", "/made/up")
        .with("LKROUTE_FERNET_KEYS", crate::support::FERNET_KEY)
        .with("MADE_UP_SECRET", "made-up-secret-that-is-listed")
        .with("STAGING_URL", "postgres://lkroute:made-up@db.example/lad")
        .with("PGPASSWORD", "made-up")
        .with("PGSERVICEFILE", "/made/up")
        .with(
            "ASYNC_URL",
            "postgresql+asyncpg://lkroute:made-up@db.example/lad",
        )
        .with("LOUD_URL", " \"POSTGRES://lkroute:made-up@db.example/lad\"")
        .with("JDBC_URL", "jdbc:postgresql://db.example/lad?user=lkroute")
        .with(
            "LIBPQ_DSN",
            "host=db.example user=lkroute password = made-up",
        )
        .with("DATABASE_URL", "sqlite://lkroute.db")
        .with("LKROUTE_ENV", "");
    // The list of the last apply.
    world.sql(
        "INSERT INTO lkroute_applies
           (id, token, at, kind, actor, dirty, version, counts, guards)
         VALUES (1, 't', '2026-11-26T00:00:00Z', 'apply', 'asha', 0, '1', '{}',
           '{\"secret_env\": [\"MADE_UP_SECRET\"]}')",
    );
    let script = r#"test "$LIVEKIT_API_KEY" = "$1" && test "$LIVEKIT_API_SECRET" = "$2" &&
        ! env | grep -E '^(LKROUTE_KEYS|LKROUTE_FERNET|LKROUTE_SECRET|DATABASE_URL)' >&2 &&
        ! env | grep -E '^(MADE_UP_SECRET|[A-Z]*_URL=.*(postgres|POSTGRES)|LIBPQ|PG)' >&2 &&
        env | grep -q '^USER=asha' && echo "$LIVEKIT_URL"; exit 7"#;
    let command = ["--", "sh", "-c", script, "sh", KEY, SECRET];
    let env = ["env", "--config", "india-techiemaya-cloud"];
    let run = world.run(&[&env[..], &command].concat()).expect_code(7);
    assert_eq!(run.stdout.trim(), world.standin.url());
    let none = ["env", "--config", "india", "--", "true"];
    let run = world.run(&none).expect_code(1);
    assert_contains!(said(&run), "there is no config `india` here");
}
