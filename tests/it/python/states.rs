//! The conformance table on databases in odd states: of another environment, of a
//! newer lkroute, never applied, with rows that others turned. Each state of
//! `tests/conformance/states` has its statements and its queries.

use std::fs;

use serde_json::Value;

use super::conformance::{
    SCHEMA, ask_all, hold_against_postgres, hold_against_sqlite, package_answers,
    postgres_database, queries, run_on_sqlite, same, sqlite_database, table,
};

/// The names of all states.
fn states() -> Vec<String> {
    let listed = fs::read_dir(table().join("states")).expect("the states");
    let names = listed.map(|entry| entry.expect("a file").file_name());
    let names = names.filter_map(|name| Some(name.to_str()?.strip_suffix(".sql")?.to_owned()));
    names.collect()
}

/// Both engines in one state.
fn hold_in_state(name: &str) {
    let statements = table().join(format!("states/{name}.sql"));
    let statements = fs::read_to_string(statements).expect("its statements");
    let queries = format!("states/{name}.jsonl");
    let Some((db, lkroute)) = postgres_database() else {
        return;
    };
    db.psql(&format!("SET search_path = {SCHEMA}; {statements}"));
    hold_against_postgres(&queries, &db.url, &lkroute);
    let (lkroute, path) = sqlite_database();
    run_on_sqlite(&path, &statements);
    // Where no schema is said, an environment is one of the files.
    fs::remove_dir_all(lkroute.path().join("routing")).expect("remove the files");
    hold_against_sqlite(&queries, &path, &lkroute);
}

#[test]
fn they_answer_alike_in_every_state_of_a_database() {
    let states = states();
    assert!(states.len() >= 7, "{states:?}");
    std::thread::scope(|scope| {
        let (one, other) = states.split_at(states.len() / 2);
        scope.spawn(|| one.iter().for_each(|name| hold_in_state(name)));
        other.iter().for_each(|name| hold_in_state(name));
    });
}

/// False word: "row-level security". What a role may not see must not count as
/// not there, in whatever driver.
#[test]
fn hidden_rows_are_an_error_for_all() {
    let Some((mut db, lkroute)) = postgres_database() else {
        return;
    };
    let (role, url) = db.role("reader");
    db.psql(&format!(
        "GRANT USAGE ON SCHEMA {SCHEMA} TO {role};
         GRANT SELECT ON ALL TABLES IN SCHEMA {SCHEMA} TO {role}"
    ));
    let queries = queries(&table().join("states/approved.jsonl"));
    let refuse = |refused: bool| {
        let place = ["--database", url.as_str(), "--schema", SCHEMA];
        let answers: Vec<Value> = ask_all(&lkroute, &queries, &place);
        for (query, answer) in queries.iter().zip(&answers) {
            let said = answer.to_string();
            let hides = said.contains("row-level security may hide rows");
            assert_eq!(hides, refused, "{query:?}: {answer}");
        }
        for driver in ["asyncpg", "psycopg", "psycopg-async"] {
            if let Some(given) = package_answers(driver, &url, &queries) {
                same(&queries, &answers, &given, driver);
            }
        }
    };
    refuse(false);
    for table in [
        "voice_agent_numbers",
        "voice_agent_livekit",
        "lkroute_configs",
    ] {
        db.psql(&format!(
            "ALTER TABLE {SCHEMA}.{table} ENABLE ROW LEVEL SECURITY"
        ));
        refuse(true);
        db.psql(&format!(
            "CREATE POLICY all_of_it ON {SCHEMA}.{table} TO {role} USING (true)"
        ));
    }
    refuse(false);
}
