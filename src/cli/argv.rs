//! The arguments as they were typed, before clap reads them. Imports the formats.

use std::ffi::{OsStr, OsString};

use clap::{Command, ValueEnum};

use super::globals::ReviewFormat;

/// Habits of other tools, as what they mean here: `version`, `help COMMAND`,
/// `-o json`.
pub(super) fn habits(args: &[OsString]) -> Vec<OsString> {
    let mut words: Vec<OsString> = args.to_vec();
    match words.get(1).and_then(|word| word.to_str()) {
        Some("version") if words.len() == 2 => words[1] = "--version".into(),
        Some("help") => {
            words.remove(1);
            words.push("--help".into());
        }
        _ => {}
    }
    for ix in 1..words.len() {
        let next = words.get(ix + 1).and_then(|word| word.to_str());
        let is_format = next.is_some_and(|next| ReviewFormat::from_str(next, false).is_ok());
        if words[ix] == "-o" && is_format {
            words[ix] = "--format".into();
        }
    }
    words
}

/// `--format` is an option of each command, since not every command prints
/// every format; given before the command it means the same.
pub(super) fn format_after_the_command(args: &[OsString], whole: &Command) -> Vec<OsString> {
    let mut words = args.iter().cloned();
    let mut early: Vec<OsString> = words.next().into_iter().collect();
    let mut format = Vec::new();
    while let Some(word) = words.next() {
        if word == "--format" {
            format = [word].into_iter().chain(words.next()).collect();
        } else if word.as_encoded_bytes().starts_with(b"--format=") {
            format = vec![word];
        } else if takes_the_next(&word, whole) {
            early.push(word);
            early.extend(words.next());
        } else if word.as_encoded_bytes().starts_with(b"-") {
            early.push(word);
        } else {
            early.push(word);
            break;
        }
    }
    early.into_iter().chain(format).chain(words).collect()
}

fn takes_the_next(word: &OsStr, whole: &Command) -> bool {
    let long = word.to_str().and_then(|word| word.strip_prefix("--"));
    let mut options = whole.get_arguments();
    long.is_some_and(|long| {
        options.any(|option| option.get_long() == Some(long) && option.get_action().takes_values())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::command_line;

    fn moved(line: &str) -> String {
        let args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let moved = format_after_the_command(&args, &command_line());
        moved.join(OsStr::new(" ")).into_string().unwrap()
    }

    #[test]
    fn habits_of_other_tools_are_understood() {
        for (given, expected) in [
            ("lkroute version", "lkroute --version"),
            ("lkroute help", "lkroute --help"),
            ("lkroute help plan", "lkroute plan --help"),
            ("lkroute plan -o json", "lkroute plan --format json"),
            ("lkroute trust version", "lkroute trust version"),
            ("lkroute import -o dir", "lkroute import -o dir"),
        ] {
            let args: Vec<OsString> = given.split(' ').map(OsString::from).collect();
            let read = habits(&args).join(OsStr::new(" "));
            assert_eq!(read.into_string().unwrap(), expected);
        }
    }

    #[test]
    fn a_format_before_the_command_comes_after_it() {
        for (given, expected) in [
            ("lkroute plan", "lkroute plan"),
            (
                "lkroute --format json plan --full",
                "lkroute plan --format json --full",
            ),
            (
                "lkroute -v --format=json plan",
                "lkroute -v plan --format=json",
            ),
            (
                "lkroute --routing plan --format json plan",
                "lkroute --routing plan plan --format json",
            ),
            (
                "lkroute --routing=a --format json apply --target --format",
                "lkroute --routing=a apply --format json --target --format",
            ),
            ("lkroute --format", "lkroute --format"),
        ] {
            assert_eq!(moved(given), expected);
        }
    }
}
