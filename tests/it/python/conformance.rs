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

pub const SCHEMA: &str = "lad_dev";
/// The key of the README.
const KEYS: &str = "demo:bGtyb3V0ZSBkZW1vIGtleSwgbmV2ZXIgdXNlIHRoaXM";

pub fn table() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance")
}

/// The queries of a file, without their answers.
pub fn queries(file: &Path) -> Vec<Map<String, Value>> {
    let text = fs::read_to_string(file).expect("the table");
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

/// What the command says to a query; to one with `sign`, whether a call would
/// be signed.
fn ask(lkroute: &Lkroute, query: &Map<String, Value>, place: &[&str]) -> Value {
    let sign = query.get("sign") == Some(&Value::Bool(true));
    let asked: &[&str] = match sign {
        true => &["dispatch", "--dry-run"],
        false => &["resolve"],
    };
    let asked = asked.iter().chain(&["--format", "json"]);
    let mut args: Vec<String> = asked.map(|arg| (*arg).to_owned()).collect();
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
    let mut report: Value = serde_json::from_slice(&done.stdout).expect("JSON");
    for path in ["/error/message", "/trace/0/detail"] {
        // Which database it was the package leaves to whoever gave it the pool.
        if let Some(Value::String(text)) = report.pointer_mut(path)
            && ["postgres://", "sqlite://"]
                .iter()
                .any(|place| text.starts_with(place))
            && let Some((_, alone)) = text.split_once(": ")
        {
            *text = alone.to_owned();
        }
    }
    match report.get("error").filter(|error| sign && !error.is_null()) {
        Some(error) => json!({ "exit": error["exit"], "message": error["message"] }),
        None if sign => json!({ "signs": true }),
        None => report,
    }
}

/// All queries, on two threads, as there are two cores at least.
pub fn ask_all(lkroute: &Lkroute, queries: &[Map<String, Value>], place: &[&str]) -> Vec<Value> {
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
        ("signs", "/signs"),
        ("message", "/message"),
        ("exit", "/exit"),
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
pub fn same(queries: &[Map<String, Value>], wanted: &[Value], given: &[Value], who: &str) {
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
    if report.get("message").is_some() {
        return short(report);
    }
    match report.pointer("/error").filter(|error| !error.is_null()) {
        // The question itself was wrong.
        Some(error) if report.get("trace").is_none() => {
            let message = error["message"].as_str().expect("a text");
            match message.split_once("' for '--from <NUMBER>': ") {
                // A number as the command line refuses it.
                Some((_, why)) => {
                    json!({ "message": format!("the calling number: {why}"), "hint": null })
                }
                None => json!({ "message": message, "hint": error["hint"] }),
            }
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
pub fn package_answers(
    driver: &str,
    database: &str,
    queries: &[Map<String, Value>],
) -> Option<Vec<Value>> {
    let asked = json!({
        "driver": driver, "database": database, "schema": SCHEMA, "keys": KEYS, "queries": queries,
    });
    let answers = package()?.run("answers.py", &asked);
    let answers = answers.lines();
    let answers = answers.map(|line| serde_json::from_str(line).expect("JSON"));
    Some(answers.collect())
}

pub fn postgres_database() -> Option<(Db, Lkroute)> {
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
    if let Some((db, lkroute)) = postgres_database() {
        hold_against_postgres("queries.jsonl", &db.url, &lkroute);
    }
}

/// All of them answer the queries of a file alike, and as it says.
pub fn hold_against_postgres(name: &str, url: &str, lkroute: &Lkroute) {
    let queries = queries(&table().join(name));
    let place = ["--database", url, "--schema", SCHEMA];
    let answers = ask_all(lkroute, &queries, &place);
    let lines = queries.iter().zip(&answers).map(|(query, answer)| {
        let mut line = query.clone();
        line.insert("answer".to_owned(), short(answer));
        format!("{}\n", Value::Object(line))
    });
    same_file(
        &table().join(name),
        &format!("tests/conformance/{name}"),
        &lines.collect::<String>(),
    );
    for driver in ["asyncpg", "psycopg", "psycopg-async"] {
        let Some(given) = package_answers(driver, url, &queries) else {
            return;
        };
        let answers: Vec<Value> = answers.iter().map(as_raised).collect();
        same(&queries, &answers, &given, driver);
    }
}

pub fn run_on_sqlite(path: &Path, statements: &str) {
    let script =
        "import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript(sys.stdin.read())";
    let mut python = std::process::Command::new("python3");
    let mut child = python
        .args(["-c", script])
        .arg(path)
        .stdin(std::process::Stdio::piped())
        .spawn()
        .expect("start Python");
    let mut stdin = child.stdin.take().expect("piped");
    std::io::Write::write_all(&mut stdin, statements.as_bytes()).expect("write them");
    drop(stdin);
    assert!(child.wait().expect("run it").success());
}

pub fn sqlite_database() -> (Lkroute, std::path::PathBuf) {
    let lkroute = files();
    apply(&lkroute, &ON_SQLITE);
    let path = lkroute.path().join("conformance.db");
    run_on_sqlite(&path, &rows());
    (lkroute, path)
}

const ON_SQLITE: [&str; 2] = ["--database", "sqlite://conformance.db"];

/// Command and package answer as the file says, and alike.
pub fn hold_against_sqlite(name: &str, path: &Path, lkroute: &Lkroute) {
    let wanted = wanted(name);
    let queries = queries(&table().join(name));
    let answers = ask_all(lkroute, &queries, &ON_SQLITE);
    let shortened: Vec<Value> = answers.iter().map(short).collect();
    same(&queries, &wanted, &shortened, "SQLite");
    let path = path.to_str().expect("plain");
    if let Some(given) = package_answers("sqlite", path, &queries) {
        let answers: Vec<Value> = answers.iter().map(as_raised).collect();
        same(&queries, &answers, &given, "the package on SQLite");
    }
}

/// The answers of a file.
fn wanted(name: &str) -> Vec<Value> {
    let text = fs::read_to_string(table().join(name)).expect("the table");
    let wanted = text.lines().map(|line| {
        let query: Value = serde_json::from_str(line).expect("a query");
        query["answer"].clone()
    });
    wanted.collect()
}

#[test]
fn sqlite_and_the_files_answer_as_the_table_says() {
    let (lkroute, path) = sqlite_database();
    hold_against_sqlite("queries.jsonl", &path, &lkroute);

    let (wanted, queries) = (
        wanted("queries.jsonl"),
        queries(&table().join("queries.jsonl")),
    );

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
}
