//! Usage errors, in the format that was asked for. Imports core and `render`.

use std::ffi::OsString;
use std::io::Write;

use clap::error::ErrorKind;

use super::globals::Color;
use super::{failed, help, shell};
use crate::error::{Error, Exit};
use crate::render::style::wrapped;

/// Prints help, version or the error, and gives the code to exit with.
pub fn report(error: &clap::Error, args: &[OsString]) -> Exit {
    let color = match option(args, "--color").as_deref() {
        Some("always") => Color::Always,
        Some("never") => Color::Never,
        _ => Color::Auto,
    };
    anstream::ColorChoice::from(color).write_global();
    let text = error.render().ansi().to_string();
    if !error.use_stderr() {
        let _ = anstream::stdout().lock().write_all(text.as_bytes());
        return Exit::Done;
    }
    if option(args, "--format").as_deref() == Some("json") {
        let plain = error.render().to_string();
        if let Ok(report) = failed(&command(args), &[], &as_error(&plain, error.kind())) {
            let _ = anstream::stdout().lock().write_all(report.as_bytes());
        }
    }
    let lines = text
        .lines()
        .map(|line| wrapped(line, shell::width(), 2) + "\n");
    let text: String = lines.collect();
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
    Exit::Error
}

/// The command that was meant, as far as the command line can be read.
fn command(args: &[OsString]) -> String {
    let read = help::command().ignore_errors(true);
    let read = read.try_get_matches_from(args).ok();
    let named = read.as_ref().and_then(clap::ArgMatches::subcommand_name);
    named.unwrap_or_default().to_owned()
}

/// Clap's text in two parts: what is wrong, and the advice after it.
fn as_error(text: &str, kind: ErrorKind) -> Error {
    if kind == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return Error::new("no command was given").hint("try `lkroute --help`");
    }
    let text = text.trim_start_matches("error: ").trim();
    match text.split_once("\n\n") {
        Some((message, advice)) => Error::new(message).hint(advice.trim()),
        None => Error::new(text),
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
