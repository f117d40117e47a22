//! What the README shows of calls, beside a real server and a real worker.

use super::real::trunk;
use super::world::clean;
use crate::livekit::real::{Livekit, Worker};
use crate::livekit::standin::{KEY, SECRET};
use crate::support::Lkroute;

/// Ids, ports and durations differ from run to run.
fn alike(text: &str) -> String {
    let words: Vec<&str> = text.split(' ').collect();
    let shown = words.iter().enumerate().map(|(ix, word)| {
        let id = ["call-", "AD_", "AJ_", "AW_", "ST_"];
        let id = id
            .iter()
            .find(|id| word.starts_with(**id) && word.len() > 12);
        let port = word.split_once("127.0.0.1:");
        let next = words.get(ix + 1).copied().unwrap_or_default();
        match (id, port) {
            (Some(id), _) => format!("{id}…{}", &word[word.trim_end().len()..]),
            (_, Some((scheme, port))) => {
                let rest = port.trim_start_matches(|c: char| c.is_ascii_digit());
                format!("{scheme}127.0.0.1:…{rest}")
            }
            _ if uuid::Uuid::try_parse(word).is_ok() => "uuid".to_owned(),
            _ if next.starts_with("ms") => "1".to_owned(),
            _ => (*word).to_owned(),
        }
    });
    shown.collect::<Vec<_>>().join(" ")
}

#[test]
fn the_calls_of_the_readme_are_placed_like_that() {
    let Some(livekit) = Livekit::alone_with_redis() else {
        return;
    };
    let Some(_worker) = Worker::start(&livekit, "voag-staging") else {
        return;
    };
    let mut lkroute = Lkroute::with_two_regions();
    lkroute.env("LKROUTE_SECRET_MADE_UP", SECRET);
    std::fs::remove_file(lkroute.path().join("routing/india.toml")).expect("one region less");
    let uae = lkroute.read("routing/uae.toml");
    let sealed = uae.lines().find(|line| line.starts_with("api_secret"));
    for (from, to) in [
        ("http://livekit.uae.example:7880", livekit.url.as_str()),
        ("demo-uae-key", KEY),
        ("ST_svHE4RdTc7Ds", &trunk(&livekit, "+971545335200")),
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
    clean(lkroute.run(&["apply", "--auto-approve"])).expect_code(0);

    let readme = include_str!("../../../README.md");
    let (_, calls) = readme
        .split_once("\n## Calls\n")
        .expect("a section on calls");
    let (_, block) = calls.split_once("```text\n").expect("a session");
    let (block, _) = block.split_once("```").expect("its end");
    let mut printed = String::new();
    for line in block.lines() {
        let Some(command) = line.strip_prefix("$ lkroute ") else {
            continue;
        };
        let words: Vec<&str> = command.split(' ').collect();
        printed += &format!(
            "{line}\n{}",
            clean(lkroute.run(&words)).expect_code(0).stdout
        );
    }
    assert_eq!(alike(&printed), alike(block));
}
