//! Applies that a person or a service manager ends: rolled back, and said so.

use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use super::Other;
use super::lost::{apply, write_turn};
use super::tree::Tree;
use crate::store::base::{Base, Hold};
use crate::support::block_on;

/// Sends a signal; the apply has to end as one that was told to.
fn end_by(name: &str, child: Child) {
    let start = Instant::now();
    let kill = format!("kill -{name} {}", child.id());
    let sent = Command::new("sh").args(["-c", &kill]).status();
    assert!(sent.expect("kill").success());
    let output = child.wait_with_output().expect("its end");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_contains!(said, "rolled back, nothing was written");
    assert!(start.elapsed() < Duration::from_secs(15), "{name}");
}

fn spawn_apply(base: &Base, tree: &Tree) -> Child {
    let mut applying = apply(tree, &base.url_text(), None);
    if let Some(schema) = &base.schema {
        applying.args(["--schema", schema]);
    }
    applying.spawn().expect("lkroute")
}

fn bases(name: &str) -> impl Iterator<Item = Base> {
    let postgres = block_on(Base::postgres(name));
    std::iter::once(block_on(Base::sqlite())).chain(postgres)
}

/// While another program holds the locks; on PostgreSQL in a wait for them,
/// which is cancelled.
#[test]
fn a_signal_rolls_back_and_says_so() {
    for base in bases("signal") {
        for name in ["INT", "TERM"] {
            let tree = Tree::new();
            write_turn(&tree, 0);
            block_on(async {
                let mut other = Other::of(&base).await;
                let lock = match &base.hold {
                    Hold::Postgres(_) => {
                        format!(
                            "BEGIN; UPDATE {} SET last_apply = NULL",
                            base.table("lkroute_state")
                        )
                    }
                    Hold::Sqlite(_) => "BEGIN IMMEDIATE".to_owned(),
                };
                other.sql(&lock).await;
                let child = spawn_apply(&base, &tree);
                thread::sleep(Duration::from_secs(2));
                end_by(name, child);
                other.sql("ROLLBACK").await;
                let applies = format!("SELECT 1 FROM {}", base.table("lkroute_applies"));
                assert!(other.sql(&applies).await.is_empty());
            });
        }
    }
}

/// How many numbers are written, each a millisecond or more.
const SLOW: u32 = 3000;

/// Makes each number that is written take its time, as triggers do.
fn slow_numbers(base: &Base) -> String {
    let table = base.table("voice_agent_numbers");
    match &base.hold {
        Hold::Postgres(_) => format!(
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
               $$ BEGIN PERFORM pg_sleep(0.001); RETURN NEW; END $$;
             CREATE TRIGGER slow BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION slow()"
        ),
        Hold::Sqlite(_) => format!(
            "CREATE TRIGGER slow AFTER INSERT ON {table} BEGIN
               SELECT count(*) FROM (WITH RECURSIVE c(n) AS
                 (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 4000) SELECT n FROM c);
             END"
        ),
    }
}

/// Whether numbers are being written right now.
async fn is_writing(base: &Base, other: &mut Other) -> bool {
    match &base.hold {
        Hold::Postgres(_) => {
            let writing = "SELECT 'yes' FROM pg_stat_activity
                 WHERE application_name = 'lkroute' AND datname = current_database()
                   AND state = 'active' AND query LIKE 'COPY%voice_agent_numbers%FROM STDIN%'";
            !other.sql(writing).await.is_empty()
        }
        Hold::Sqlite(dir) => {
            let mut files = std::fs::read_dir(dir.path())
                .expect("a directory")
                .flatten();
            files.any(|file| file.file_name().to_string_lossy().ends_with("-journal"))
        }
    }
}

#[test]
fn a_signal_in_the_midst_of_writing_rolls_back_and_says_so() {
    for base in bases("midst") {
        block_on(async {
            let mut other = Other::of(&base).await;
            other.sql(&slow_numbers(&base)).await;
            let tree = Tree::new();
            let last = 545_000_000 + SLOW - 1;
            tree.write(
                "many",
                &format!(
                    "[[bindings]]\nrange = [\"+971545000000\", \"+971{last}\"]\n\
                     tenant = \"t\"\nconfig = \"uae\"\n"
                ),
            );
            for name in ["INT", "TERM"] {
                let child = spawn_apply(&base, &tree);
                let start = Instant::now();
                while !is_writing(&base, &mut other).await {
                    assert!(
                        start.elapsed() < Duration::from_secs(60),
                        "it does not begin"
                    );
                    thread::sleep(Duration::from_millis(5));
                }
                thread::sleep(Duration::from_millis(200));
                end_by(name, child);
                assert!(!is_writing(&base, &mut other).await, "{name}: it goes on");
                for table in [
                    "voice_agent_numbers",
                    "voice_agent_livekit",
                    "lkroute_applies",
                ] {
                    let rows = format!("SELECT 'a row' FROM {}", base.table(table));
                    assert!(other.sql(&rows).await.is_empty(), "{name}: {table}");
                }
            }
        });
    }
}
