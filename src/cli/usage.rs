//! Usage errors, in the format that was asked for. Imports core and `render`.

use std::ffi::OsString;
use std::io::Write;

use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::failure::failed_report;
use super::globals::Color;
use super::shell;
use crate::error::{Error, Exit};
use crate::invisible_chars::visible;
use crate::render::style::wrapped;

/// Prints help, version or the error, and gives the code to exit with.
pub(super) fn report(error: &clap::Error, args: &[OsString], whole: Command) -> Exit {
    let color = match option(args, "--color").as_deref() {
        Some("always") => Color::Always,
        Some("never") => Color::Never,
        _ => Color::Auto,
    };
    anstream::ColorChoice::from(color).write_global();
    let command = command(args, whole);
    if let Some(error) = habit(error, &command) {
        if option(args, "--format").as_deref() == Some("json")
            && let Ok(report) = failed_report(&command, &[], &error)
        {
            let _ = anstream::stdout().lock().write_all(report.as_bytes());
        }
        let text = shell::complaint(&error, shell::width()) + "\n";
        let _ = anstream::stderr().lock().write_all(text.as_bytes());
        return Exit::Error;
    }
    let text = on_one_line(error.render().ansi().to_string(), args);
    if !error.use_stderr() {
        let _ = anstream::stdout().lock().write_all(text.as_bytes());
        return Exit::Done;
    }
    if option(args, "--format").as_deref() == Some("json") {
        let plain = on_one_line(error.render().to_string(), args);
        if let Ok(report) = failed_report(&command, &[], &as_error(&plain, error.kind())) {
            let _ = anstream::stdout().lock().write_all(report.as_bytes());
        }
    }
    let lines = text
        .lines()
        .map(|line| wrapped(line, shell::width(), 2) + "\n");
    let text: String = lines.collect();
    let text = shell::without_commands(&text);
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
    Exit::Error
}

/// What to say to options that other tools have here.
fn habit(error: &clap::Error, command: &str) -> Option<Error> {
    let Some(ContextValue::String(option)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    if error.kind() != ErrorKind::UnknownArgument || command.is_empty() {
        return None;
    }
    // What stands there may be the secret itself: it is not repeated.
    if command == "secrets" && !option.starts_with('-') {
        let error = Error::new("a secret is not taken as an argument, where others see it");
        return Some(
            error.hint("`lkroute secrets seal` asks for it, or reads it from standard input"),
        );
    }
    let hint = match (option.as_str(), command) {
        ("--dry-run" | "--check", "apply") => "`lkroute plan` shows what an apply would do",
        ("--dry-run" | "--check", "plan" | "diff" | "drift" | "validate") => {
            "it changes nothing: leave the option out"
        }
        ("--yes" | "--auto-approve", _) => "it asks nothing: leave the option out",
        ("--dry-run", _) => "of the commands that write, rollback, migrate and dispatch have it",
        _ => return None,
    };
    Some(Error::new(format!("`lkroute {command}` has no {option}")).hint(hint))
}

/// Clap quotes arguments as they are: each is put on one line, to be seen.
fn on_one_line(mut text: String, args: &[OsString]) -> String {
    for arg in args.iter().filter_map(|arg| arg.to_str()) {
        let value = arg.split_once('=').map_or(arg, |(_, value)| value);
        for part in [arg, value] {
            let seen = visible(part);
            if seen != part {
                text = text.replace(part, &seen);
            }
        }
    }
    text
}

/// The command that was meant, as far as the command line can be read.
fn command(args: &[OsString], whole: Command) -> String {
    let read = whole.ignore_errors(true);
    let read = read.try_get_matches_from(args).ok();
    let named = read.as_ref().and_then(clap::ArgMatches::subcommand_name);
    named.unwrap_or_default().to_owned()
}

/// Clap's text in two parts: what is wrong, and the advice after it.
fn as_error(text: &str, kind: ErrorKind) -> Error {
    let none = [
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
        ErrorKind::MissingSubcommand,
    ];
    if none.contains(&kind) {
        return Error::new("no command was given").hint("try `lkroute --help`");
    }
    let text = text.trim_start_matches("error: ").trim();
    let (message, advice) = text.split_once("\n\n").unwrap_or((text, ""));
    let (first, rest) = message.split_once('\n').unwrap_or((message, ""));
    let error = Error::new(first).lines(rest);
    let advice: Vec<&str> = advice.split_whitespace().collect();
    if advice.is_empty() {
        error
    } else {
        error.hint(advice.join(" "))
    }
}

/// The value of an option on a command line that could not be parsed.
fn option(args: &[OsString], name: &str) -> Option<String> {
    let mut args = args.iter().filter_map(|arg| arg.to_str());
    while let Some(arg) = args.next() {
        if arg == name {
            return args.next().map(str::to_owned);
        }
        if let Some(value) = arg
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix('='))
        {
            return Some(value.to_owned());
        }
    }
    None
}
