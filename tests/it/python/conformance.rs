//! One table of queries, `tests/conformance/queries.jsonl`: the command on
//! files, on SQLite and on PostgreSQL and the package with each of its drivers
//! answer all of them alike.

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Map, Value, json};

use super::package;
use crate::support::golden::same_file;
use crate::support::{Db, Lkroute, Postgres};

const SCHEMA: &str = "lad_dev";
/// The key of the README.
const KEYS: &str = "demo:bGtyb3V0ZSBkZW1vIGtleSwgbmV2ZXIgdXNlIHRoaXM";

fn table() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance")
}

/// The queries, without their answers.
fn queries() -> Vec<Map<String, Value>> {
    let text = fs::read_to_string(table().join("queries.jsonl")).expect("the table");
    let read = |line| serde_json::from_str::<Map<String, Value>>(line).expect("a query");
    let mut queries: Vec<_> = text.lines().map(read).collect();
    queries.iter_mut().for_each(|query| {
        query.remove("answer");
    });
    queries
}

/// A directory with the files of the table.
fn files() -> Lkroute {
    let mut lkroute = Lkroute::new();
    for entry in fs::read_dir(table().join("routing")).expect("the files") {
        let entry = entry.expect("a file");
        let text = fs::read_to_string(entry.path()).expect("read it");
        lkroute.write(Path::new("routing").join(entry.file_name()), &text);
    }
    lkroute.env("LKROUTE_KEYS", KEYS);
    lkroute.env("LKROUTE_SECRET_SPARE", "a-secret-of-the-spare-server");
    lkroute
}

fn apply(lkroute: &Lkroute, database: &[&str]) {
    let mut args = vec!["apply", "--auto-approve"];
    args.extend(database);
    lkroute.run(&args).expect_code(0);
}

/// Behind the apply, what others wrote.
fn rows() -> String {
    fs::read_to_string(table().join("rows.sql")).expect("the rows")
}

fn text(query: &Map<String, Value>, key: &str) -> Option<String> {
    match query.get(key)? {
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// What the command says to a query.
fn ask(lkroute: &Lkroute, query: &Map<String, Value>, place: &[&str]) -> Value {
    let mut args: Vec<String> = ["resolve", "--format", "json"].map(str::to_owned).to_vec();
    args.extend(place.iter().map(|arg| (*arg).to_owned()));
    let options = [
        ("from", "--from"),
        ("tenant", "--tenant"),
        ("initiated_by", "--initiated-by"),
        ("to", "--to"),
        ("agent_id", "--agent-id"),
    ];
    for (key, option) in options {
        if let Some(value) = text(query, key) {
            args.extend([format!("{option}={value}")]);
        }
    }
    if query.get("strict") == Some(&Value::Bool(true)) {
        args.push("--strict".to_owned());
    }
    let mut command = lkroute.command(&args);
    for (name, value) in query
        .get("env")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        command.env(name, value.as_str().expect("a text"));
    }
    let done = command.output().expect("run lkroute");
    match serde_json::from_slice(&done.stdout) {
        Ok(report) => report,
        Err(_) => {
            let said = String::from_utf8_lossy(&done.stderr);
            let message = said.lines().next().unwrap_or_default();
            json!({ "message": message.trim_start_matches("error: ") })
        }
    }
}

/// All queries, on two threads, as there are two cores at least.
fn ask_all(lkroute: &Lkroute, queries: &[Map<String, Value>], place: &[&str]) -> Vec<Value> {
    let answers = Mutex::new(vec![Value::Null; queries.len()]);
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let ix = next.fetch_add(1, Ordering::Relaxed);
                    let Some(query) = queries.get(ix) else { break };
                    let answer = ask(lkroute, query, place);
                    answers.lock().expect("no panic")[ix] = answer;
                }
            });
        }
    });
    answers.into_inner().expect("no panic")
}

/// What is left of a report where databases differ: ids of rows that lkroute
/// inserted, and what only a database can say.
fn short(report: &Value) -> Value {
    let text = |path: &str| {
        report
            .pointer(path)
            .filter(|value| !value.is_null())
            .cloned()
    };
    let mut answer = Map::new();
    for (name, path) in [
        ("message", "/message"),
        ("error", "/error/code"),
        ("exit", "/error/exit"),
        ("source", "/source"),
        ("tenant", "/tenant"),
        ("region", "/region"),
        ("config", "/config/name"),
        ("url", "/url"),
        ("api_key", "/api_key"),
        ("secret", "/secret"),
        ("trunk_id", "/trunk_id"),
        ("trunk_source", "/trunk_source"),
        ("worker_name", "/worker_name"),
        ("worker_source", "/worker_source"),
        ("deployment", "/deployment"),
        ("dials", "/to/formatted"),
        ("country", "/to/country"),
        ("terms", "/terms"),
    ] {
        answer.extend(text(path).map(|value| (name.to_owned(), value)));
    }
    Value::Object(answer)
}

/// The part of an answer that the files alone can give.
fn of_files(mut answer: Value) -> Value {
    let members = answer.as_object_mut().expect("an object");
    members.remove("secret");
    for value in members.values_mut().filter(|value| *value == "files") {
        *value = "database".into();
    }
    answer
}

#[track_caller]
fn same(queries: &[Map<String, Value>], wanted: &[Value], given: &[Value], who: &str) {
    let wrong = queries.iter().zip(wanted).zip(given);
    let wrong: Vec<String> = wrong
        .filter(|((_, wanted), given)| wanted != given)
        .map(|((query, wanted), given)| {
            format!(
                "{}\n  wanted {wanted}\n  {who} {given}",
                Value::Object(query.clone())
            )
        })
        .collect();
    assert_eq!(wanted.len(), given.len(), "{who}");
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// What an exception of the package says of a report.
fn as_raised(report: &Value) -> Value {
    match report.pointer("/error").filter(|error| !error.is_null()) {
        // The question itself was wrong.
        Some(error) if report.get("trace").is_none() => {
            json!({ "message": error["message"], "hint": error["hint"] })
        }
        Some(error) => {
            let mut trace = report["trace"].clone();
            for step in trace.as_array_mut().into_iter().flatten() {
                let detail = step["detail"].as_str().expect("a text");
                step["detail"] = lkroute::invisible_chars::visible(detail).into();
            }
            json!({ "error": error, "trace": trace })
        }
        None => report.clone(),
    }
}

/// What the package says of the same queries, as the command reports them.
fn package_answers(
    driver: &str,
    database: &str,
    queries: &[Map<String, Value>],
) -> Option<Vec<Value>> {
    let asked = json!({
        "driver": driver, "database": database, "schema": SCHEMA, "keys": KEYS, "queries": queries,
    });
    let answers = package()?.run("answers.py", &asked);
    Some(
        answers
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect(),
    )
}

fn postgres_database() -> Option<(Db, Lkroute)> {
    let db = Postgres::shared()?.database("conformance");
    db.psql(&format!("CREATE SCHEMA {SCHEMA}"));
    let lkroute = files();
    let place = ["--database", &db.url, "--schema", SCHEMA];
    lkroute
        .run(&[&["migrate"], &place[..]].concat())
        .expect_code(0);
    apply(&lkroute, &place);
    db.psql(&format!("SET search_path = {SCHEMA}; {}", rows()));
    Some((db, lkroute))
}

#[test]
fn the_command_and_the_package_answer_alike_on_postgresql() {
    let Some((db, lkroute)) = postgres_database() else {
        return;
    };
    let queries = queries();
    let place = ["--database", &db.url, "--schema", SCHEMA];
    let answers = ask_all(&lkroute, &queries, &place);
    let lines = queries.iter().zip(&answers).map(|(query, answer)| {
        let mut line = query.clone();
        line.insert("answer".to_owned(), short(answer));
        format!("{}\n", Value::Object(line))
    });
    let path = table().join("queries.jsonl");
    same_file(
        &path,
        "tests/conformance/queries.jsonl",
        &lines.collect::<String>(),
    );
    for driver in ["asyncpg", "psycopg", "psycopg-async"] {
        let Some(given) = package_answers(driver, &db.url, &queries) else {
            return;
        };
        let answers: Vec<Value> = answers.iter().map(as_raised).collect();
        same(&queries, &answers, &given, driver);
    }
}

#[test]
fn sqlite_and_the_files_answer_as_the_table_says() {
    let text = fs::read_to_string(table().join("queries.jsonl")).expect("the table");
    let wanted = text.lines().map(|line| {
        let query: Value = serde_json::from_str(line).expect("a query");
        query["answer"].clone()
    });
    let wanted: Vec<Value> = wanted.collect();
    let queries = queries();
    let lkroute = files();
    let place = ["--database", "sqlite://conformance.db"];
    apply(&lkroute, &place);
    let path = lkroute.path().join("conformance.db");
    let script =
        "import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript(sys.stdin.read())";
    let mut python = std::process::Command::new("python3");
    let mut child = python
        .args(["-c", script])
        .arg(&path)
        .stdin(std::process::Stdio::piped())
        .spawn()
        .expect("start Python");
    let mut stdin = child.stdin.take().expect("piped");
    std::io::Write::write_all(&mut stdin, rows().as_bytes()).expect("write the rows");
    drop(stdin);
    assert!(child.wait().expect("run it").success());

    let answers = ask_all(&lkroute, &queries, &place);
    let shortened: Vec<Value> = answers.iter().map(short).collect();
    same(&queries, &wanted, &shortened, "SQLite");

    let (of_files_alone, their_answers): (Vec<_>, Vec<_>) = queries
        .iter()
        .cloned()
        .zip(wanted)
        .filter(|(query, _)| query.contains_key("files"))
        .unzip();
    let given = ask_all(&lkroute, &of_files_alone, &["--offline"]);
    let given: Vec<Value> = given.iter().map(|given| of_files(short(given))).collect();
    let their_answers: Vec<Value> = their_answers.into_iter().map(of_files).collect();
    same(&of_files_alone, &their_answers, &given, "the files");

    let path = path.to_str().expect("plain");
    if let Some(given) = package_answers("sqlite", path, &queries) {
        let answers: Vec<Value> = answers.iter().map(as_raised).collect();
        same(&queries, &answers, &given, "the package on SQLite");
    }
}
