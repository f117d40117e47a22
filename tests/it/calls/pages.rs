//! What the README and docs/calls.md show of calls, beside a real server and a
//! real worker.

use std::fs;

use super::real::trunk;
use super::world::clean;
use crate::livekit::real::{Livekit, Worker};
use crate::livekit::standin::{KEY, SECRET};
use crate::support::pages::blocks_run_by;
use crate::support::{Lkroute, block_on, console_run_by, console_where};

/// Ids, ports and durations differ from run to run; each kind is shown as one.
const IDS: [&str; 5] = [
    "call-c8f4bdd5d37d489ab9a1f4ab0091d8fa-b0008e1f",
    "AD_YhD5TbAYmaY9",
    "AJ_8zAayuYSz4BW",
    "AW_LvQiQFEE3rnq",
    "ST_biKyGMaykLJu",
];
const RECORD: &str = "01a1fc40-66c1-7671-abca-c4f9ed04dece";
const JOB: &str = "c8f4bdd5-d37d-489a-b9a1-f4ab0091d8fa";

fn alike(text: &str) -> String {
    let words: Vec<&str> = text.split(' ').collect();
    let shown = words.iter().enumerate().map(|(ix, word)| {
        let next = words.get(ix + 1).copied().unwrap_or_default();
        match word.split_once("127.0.0.1:") {
            Some((scheme, port)) => {
                let rest = port.trim_start_matches(|c: char| c.is_ascii_digit());
                format!("{scheme}127.0.0.1:7880{rest}")
            }
            None if next.starts_with("ms") => "1".to_owned(),
            None if next.starts_with('s') && is_fraction(word) => "0.0".to_owned(),
            None => with_known_id(word),
        }
    });
    shown.collect::<Vec<_>>().join(" ")
}

/// Of seconds, as an apply says how long it took; limits are whole.
fn is_fraction(word: &str) -> bool {
    word.contains('.') && word.parse::<f64>().is_ok()
}

/// Other ids of the same kind and length become one.
fn with_known_id(word: &str) -> String {
    let is_id = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let id = word.trim_matches(|c| !is_id(c));
    let known = match uuid::Uuid::try_parse(id) {
        Ok(id) if id.get_version_num() == 7 => Some(&RECORD),
        Ok(_) => Some(&JOB),
        Err(_) => IDS.iter().find(|known| {
            let (start, _) = known.split_at(3);
            id.starts_with(start) && id.len() == known.len()
        }),
    };
    known.map_or(word.to_owned(), |known| word.replace(id, known))
}

/// Times of day, at the start of a line.
fn at_ten(line: &str) -> String {
    match line.split_once(" UTC  ") {
        Some((moment, rest)) if moment.starts_with("20") && moment.len() == 19 => {
            format!("2026-11-21 10:07:14 UTC  {rest}")
        }
        _ => line.to_owned(),
    }
}

fn masked(text: &str) -> String {
    let lines = text.lines().map(|line| at_ten(&alike(line)) + "\n");
    lines.collect()
}

/// The UAE sample alone, with a real server in place of its own.
fn desk(livekit: &Livekit, trunk: &str) -> Lkroute {
    let mut lkroute = Lkroute::with_two_regions();
    lkroute.env("LKROUTE_SECRET_MADE_UP", SECRET);
    fs::remove_file(lkroute.path().join("routing/india.toml")).expect("one region less");
    let uae = lkroute.read("routing/uae.toml");
    let sealed = uae.lines().find(|line| line.starts_with("api_secret"));
    for (from, to) in [
        ("http://livekit.uae.example:7880", livekit.url.as_str()),
        ("demo-uae-key", KEY),
        ("ST_svHE4RdTc7Ds", trunk),
        (
            sealed.expect("a secret"),
            r#"api_secret = { env = "LKROUTE_SECRET_MADE_UP" }"#,
        ),
    ] {
        lkroute.edit("routing/uae.toml", from, to);
    }
    let key = ["secrets", "keygen"];
    let key = clean(lkroute.run(&key)).expect_code(0).stdout;
    lkroute.env("LKROUTE_KEYS", key.trim());
    lkroute.env("NO_PROXY", "127.0.0.1");
    clean(lkroute.run(&["apply", "--auto-approve"])).expect_code(0);
    lkroute
}

#[test]
fn calls_are_placed_as_the_pages_show() {
    let Some(livekit) = Livekit::alone_with_redis() else {
        return;
    };
    let Some(worker) = Worker::start(&livekit, "voag-staging") else {
        return;
    };
    let mut worker = Some(worker);
    let trunk = trunk(&livekit, "+971545335200");
    let lkroute = desk(&livekit, &trunk);

    let blocks = blocks_run_by("README.md", "calls_are_placed_as_the_pages_show");
    let mut printed = String::new();
    for line in blocks[0].lines() {
        if let Some(command) = line.strip_prefix("$ lkroute ") {
            let words: Vec<&str> = command.split(' ').collect();
            let run = clean(lkroute.run(&words)).expect_code(0);
            printed += &format!("{line}\n{}", run.stdout);
        }
    }
    assert_eq!(masked(&printed), masked(&blocks[0]));

    console_where(
        "docs/calls.md",
        &lkroute,
        |text| masked(&text),
        |event| match event {
            "the worker is stopped" => worker = None,
            "the worker runs" => {
                worker = Worker::start(&livekit, "voag-staging");
                assert!(worker.is_some());
            }
            "the trunk is deleted" => block_on(livekit.delete_trunk(&trunk)),
            other => panic!("what is {other:?}?"),
        },
    );
}

#[test]
fn a_worker_that_is_gone_is_found_and_replaced() {
    let name = "a_worker_that_is_gone_is_found_and_replaced";
    let Some(livekit) = Livekit::alone_with_redis() else {
        return;
    };
    let Some(_spare) = Worker::start(&livekit, "voag-spare") else {
        return;
    };
    let trunk = trunk(&livekit, "+971545335200");
    let lkroute = desk(&livekit, &trunk);
    for page in ["docs/troubleshooting.md", "docs/incidents.md"] {
        console_run_by(page, name, &lkroute, |text| masked(&text));
    }
}
