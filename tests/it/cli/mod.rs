//! The real binary, as people and pipelines use it, over the sample routing
//! and SQLite.

mod editing;
mod followed;
mod guards;
mod hints;
mod journey;
mod list;
mod output;
mod past;
mod plaintexts;
mod released;
mod revisions;
mod rotation;
mod sealing;
mod secret_sources;
mod slips;
mod takeover;
mod tenant_names;
mod usage;
mod written;

use crate::support::{Lkroute, Run};

/// Runs a command given as one line of words.
fn run(lkroute: &Lkroute, line: &str) -> Run {
    let words: Vec<&str> = line.split_whitespace().collect();
    lkroute.run(&words)
}

/// The text with what differs from run to run masked: durations, dates and
/// the ids of rows, which are of version 7.
fn masked(text: &str) -> String {
    let mut masked = text.to_owned();
    let ids: Vec<String> = (0..text.len().saturating_sub(35))
        .filter_map(|at| text.get(at..at + 36))
        .filter(|id| uuid::Uuid::parse_str(id).is_ok_and(|id| id.get_version_num() == 7))
        .map(str::to_owned)
        .collect();
    for id in ids {
        masked = masked.replace(&id, "xxxxxxxx-xxxx-7xxx-xxxx-xxxxxxxxxxxx");
    }
    let words = |line: &str| {
        if let Some((start, _)) = line.split_once("expires = ") {
            return format!("{start}expires = <date>\n");
        }
        match line
            .split_once(" in ")
            .map(|(start, rest)| (start, rest.split_once(" s")))
        {
            Some((start, Some((time, rest)))) if time.parse::<f64>().is_ok() => {
                format!("{start} in <time> s{rest}\n")
            }
            _ => format!("{line}\n"),
        }
    };
    masked.lines().map(words).collect()
}
