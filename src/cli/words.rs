//! The words of the command line before they are parsed. Imports nothing of
//! lkroute.

use std::ffi::{OsStr, OsString};

use clap::Command;

/// `--format` is an option of each command, since not every command prints
/// every format; given before the command it means the same.
pub fn format_after_the_command(args: &[OsString], whole: &Command) -> Vec<OsString> {
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
    use crate::cli::help;

    fn moved(line: &str) -> String {
        let args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let moved = format_after_the_command(&args, &help::command());
        moved.join(OsStr::new(" ")).into_string().unwrap()
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
