//! Commands that edit the files of one tree at once: no edit is lost.

use std::process::{Child, Stdio};

use sqlx::{Connection, SqliteConnection};

use super::tree::{Tree, said};
use crate::support::block_on;

const URL: &str = "sqlite://test.db";
const NUMBERS: std::ops::Range<u64> = 971_545_335_200..971_545_335_208;

#[test]
fn takeovers_of_drift_at_once_are_all_in_the_files() {
    let tree = Tree::new();
    let numbers: Vec<String> = NUMBERS.map(|number| format!("\"+{number}\"")).collect();
    let group = format!(
        "[[bindings]]\nnumbers = [{}]\ntenant = \"t\"\nconfig = \"uae\"\nprovider = \"P\"\n",
        numbers.join(", ")
    );
    tree.write("one", &group);
    let applied = tree.run(URL, "apply --auto-approve");
    assert!(applied.status.success(), "{}", said(&applied));
    let file = format!("sqlite://{}/test.db", tree.path().display());
    let sql = |sql: &'static str| -> Vec<String> {
        block_on(async {
            let mut conn = SqliteConnection::connect(&file).await.expect("connect");
            let rows = sqlx::query_scalar(sql).fetch_all(&mut conn).await;
            rows.expect("rows")
        })
    };
    sql("UPDATE voice_agent_numbers SET provider = 'of ' || base_number");
    let accept = |number: &u64| -> Child {
        let words = format!("drift --accept binding.+{number}@t");
        let mut command = tree.command(URL, &words);
        command.stdout(Stdio::null()).spawn().expect("lkroute")
    };
    let (mut left, mut late) = (NUMBERS.collect::<Vec<u64>>(), 0);
    while !left.is_empty() {
        let all: Vec<(u64, Child)> = left
            .iter()
            .map(|number| (*number, accept(number)))
            .collect();
        left.clear();
        for (number, child) in all {
            let ended = child.wait_with_output().expect("its end");
            match ended.status.code() {
                Some(0) => {}
                // It says so, and is done again.
                Some(5) => {
                    assert_contains!(said(&ended), "has changed while it was edited");
                    left.push(number);
                    late += 1;
                }
                code => panic!("{code:?}: {}", said(&ended)),
            }
        }
    }
    println!("{late} of them came too late once");
    // What is not in the files would be left as drift.
    let applied = tree.run(URL, "apply --auto-approve");
    assert!(applied.status.success(), "{}", said(&applied));
    let drift = tree.run(URL, "drift");
    assert_eq!(drift.status.code(), Some(0), "{}", said(&drift));
    let held = sql("SELECT DISTINCT provider FROM voice_agent_numbers");
    assert_eq!(held.len(), numbers.len(), "{held:?}");
}
