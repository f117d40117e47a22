//! Standard output and error, colours, width: where commands speak. Imports
//! core and `render`.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use jiff::Timestamp;

use super::globals::Globals;
use super::progress::ProgressLine;
use crate::app::{self, Context, Counter, Settings, Total};
use crate::error::{Error, Result};
use crate::invisible_chars::is_invisible;
use crate::render::clock;
use crate::render::escape::{clipped_to, visible};
use crate::render::style::{BOLD, CHANGED, DIM, ERROR, NOTED, paint, wrapped};
use crate::render::text::View;

/// Characters of an error that are shown.
const LONGEST: usize = 10_000;

/// Without a terminal reports are as wide as this.
const WIDTH: usize = 80;

/// What a command runs in.
pub(crate) struct Shell {
    pub globals: Globals,
    pub settings: Settings,
}

impl Shell {
    pub(crate) fn new(globals: Globals) -> Shell {
        anstream::ColorChoice::from(globals.color).write_global();
        clock::choose_zone(std::env::var_os("CI").is_none());
        let settings = Settings {
            routing: globals.routing.clone(),
            environment: globals.env.clone(),
            database: globals.database.clone(),
            schema: globals.schema.clone(),
            lock_timeout: globals.lock_timeout.map(Duration::from_secs),
            max_bindings: globals.max_bindings,
        };
        Shell { globals, settings }
    }

    /// What the use cases work with.
    pub(crate) fn context(&self) -> Context<'_> {
        Context {
            settings: &self.settings,
            progress: self,
            clock: Timestamp::now,
        }
    }

    /// Writes a report to standard output. A reader that left early, as
    /// `head` does, is no error.
    pub(crate) fn print(&self, text: &str) -> Result<()> {
        self.print_commands(&without_commands(text))
    }

    /// The same for a report whose lines are commands to the runner of CI.
    pub(crate) fn print_commands(&self, text: &str) -> Result<()> {
        let mut out = anstream::stdout().lock();
        let text = harmless(text);
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        match written {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                let message = format!("can't write to standard output: {error}");
                Err(Error::new(message))
            }
            _ => Ok(()),
        }
    }

    /// Writes the report of what was done, as `done` says in short. Where that
    /// fails it was done all the same: that is said on standard error, and the exit
    /// code stays that of what was done.
    pub(crate) fn print_done(&self, report: &str, done: &str) {
        if let Err(error) = self.print(report) {
            self.warn(&format!("{done}; of this {error}"));
        }
    }

    /// Writes a line to standard error; nothing can be done where that fails.
    pub(crate) fn say(&self, text: &str) {
        let _ = writeln!(anstream::stderr().lock(), "{}", shown(text));
    }

    /// A sentence on standard error, unless asked to be quiet.
    pub(crate) fn note(&self, text: &str) {
        if !self.globals.quiet {
            self.say(&wrapped(&visible(text), self.width(), 0));
        }
    }

    /// The same, only where more was asked for.
    pub(crate) fn detail(&self, text: &str) {
        if self.globals.verbose > 0 {
            self.say(&paint(DIM, visible(text)));
        }
    }

    /// Something that may be wrong, and changes nothing.
    pub(crate) fn warn(&self, text: &str) {
        warn(text);
    }

    pub(crate) fn complain(&self, error: &Error) {
        self.say(&complaint(error, self.width()));
    }

    /// Begins work that is counted.
    pub(crate) fn count(&self, what: &'static str, total: Total) -> Box<dyn Counter> {
        Box::new(ProgressLine::new(self.globals.quiet, what, total))
    }

    pub(crate) fn width(&self) -> usize {
        width()
    }

    pub(crate) fn view(&self, full: bool) -> View {
        View {
            width: self.width(),
            full,
            quiet: self.globals.quiet,
            back: false,
        }
    }

    /// Whether somebody sits there to answer.
    pub(crate) fn is_interactive(&self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Asks on the terminal; the answer without its line end.
    pub(crate) fn ask(&self, question: &str) -> Result<String> {
        let mut err = anstream::stderr().lock();
        let _ = write!(err, "{} ", paint(BOLD, question));
        let _ = err.flush();
        let mut answer = String::new();
        io::stdin()
            .read_line(&mut answer)
            .map_err(|error| Error::new(format!("can't read the answer: {error}")))?;
        Ok(answer.trim().to_owned())
    }
}

impl app::Progress for Shell {
    fn note(&self, text: &str) {
        Shell::note(self, text);
    }

    fn detail(&self, text: &str) {
        Shell::detail(self, text);
    }

    fn warn(&self, text: &str) {
        Shell::warn(self, text);
    }

    fn count(&self, what: &'static str, total: Total) -> Box<dyn Counter> {
        Shell::count(self, what, total)
    }
}

/// See [`Shell::warn`]; for what has no shell at hand.
pub(crate) fn warn(text: &str) {
    let text = wrapped(&visible(text), width().saturating_sub(9), 0);
    let text = text.replace('\n', &format!("\n{}", " ".repeat(9)));
    let text = format!("{}: {text}", paint(CHANGED.bold(), "warning"));
    let _ = writeln!(anstream::stderr().lock(), "{}", shown(&text));
}

fn shown(text: &str) -> String {
    harmless(&without_commands(text)).into_owned()
}

/// The text, without what a runner of CI takes for a command to it wherever a
/// log has it: GitHub's `::error::…` at the beginning of a line, behind blanks
/// too, where a wrapped name may put it, and `##[…]` and `##vso[…]` anywhere.
/// `::: file`, which stands before a second place, is none.
pub(super) fn without_commands(text: &str) -> Cow<'_, str> {
    let begins = |line: &str| {
        let rest = plain_start(line).strip_prefix("::");
        rest.is_some_and(|rest| !rest.starts_with(':'))
    };
    if !text.contains("##") && !text.lines().any(begins) {
        return Cow::Borrowed(text);
    }
    let text = text
        .replace("##[", "\\u0023#[")
        .replace("##vso[", "\\u0023#vso[");
    let lines = text.split_inclusive('\n').map(|line| {
        if begins(line) {
            line.replacen("::", "\\u003a:", 1)
        } else {
            line.to_owned()
        }
    });
    Cow::Owned(lines.collect())
}

/// A line from where a runner begins to read it: colours may be taken out.
fn plain_start(line: &str) -> &str {
    let line = line.trim_start();
    match colour(line) {
        Some(length) => plain_start(&line[length..]),
        None => line,
    }
}

/// What goes to a terminal or into a log: line breaks and colours as they are,
/// everything else that can't be seen written out, as JSON does it. Texts of
/// others went through [`visible`] where they were put into a sentence; this is
/// for what was forgotten.
fn harmless(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\n')) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let (mut rest, mut last) = (text, ' ');
    while let Some(c) = rest.chars().next() {
        let length = colour(rest).unwrap_or(c.len_utf8());
        match c {
            '\n' | '\t' => out.push(c),
            _ if length > c.len_utf8() => out.push_str(&rest[..length]),
            _ if is_invisible(c, last) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
            _ => out.push(c),
        }
        last = c;
        rest = &rest[length..];
    }
    Cow::Owned(out)
}

/// The length of a sequence that sets a colour, where a text begins with one.
fn colour(text: &str) -> Option<usize> {
    let inner = text.strip_prefix("\u{1b}[")?;
    let end = inner.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    inner[end..].starts_with('m').then_some(end + 3)
}

/// `error: …` and `hint: …`, wrapped. Of a message of several lines only the
/// first is wrapped: the rest is text to copy.
pub(crate) fn complaint(error: &Error, width: usize) -> String {
    let tag = |style, word: &str, text: &str| {
        let margin = word.len() + 2;
        // A trigger of a database may raise an error of megabytes.
        let text = clipped_to(text, LONGEST);
        let lines: Vec<String> = text.lines().map(visible).collect();
        let text = lines.join("\n");
        let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
        let first = wrapped(first, width.saturating_sub(margin), 0);
        let first = first.replace('\n', &format!("\n{}", " ".repeat(margin)));
        let rest = if rest.is_empty() {
            String::new()
        } else {
            format!("\n{rest}")
        };
        format!("{}: {first}{rest}", paint(style, word))
    };
    let message = tag(ERROR, "error", &error.message);
    match &error.hint {
        Some(hint) => format!("{message}\n{}", tag(NOTED.bold(), "hint", hint)),
        None => message,
    }
}

/// Columns of the terminal, within what reads well.
pub(crate) fn width() -> usize {
    terminal_size::terminal_size().map_or(WIDTH, |(width, _)| usize::from(width.0).clamp(40, 120))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_floods_no_log() {
        let error = Error::new("x".repeat(5_000_000)).hint("y");
        assert!(complaint(&error, 80).len() < 20_000);
    }

    #[test]
    fn no_line_is_a_command_to_a_runner() {
        for (text, expected) in [
            ("a ::error::b", "a ::error::b"),
            ("::error::b", "\\u003a:error::b"),
            ("a\n  ::error::b\nc", "a\n  \\u003a:error::b\nc"),
            ("\u{1b}[1m ::x", "\u{1b}[1m \\u003a:x"),
            ("x ##[error]y", "x \\u0023#[error]y"),
            ("##vso[task.x]y", "\\u0023#vso[task.x]y"),
            ("## a title", "## a title"),
            (" ::: routing/a.toml:2:1", " ::: routing/a.toml:2:1"),
        ] {
            assert_eq!(without_commands(text), expected);
        }
    }

    #[test]
    fn what_was_forgotten_is_written_out_at_the_end() {
        let text = "a\n\u{1b}[1;31mred\u{1b}[0m\u{1b}[2J\u{202e}\u{e0041}ü\r\n";
        let harmless = harmless(text);
        assert_eq!(
            harmless,
            "a\n\u{1b}[1;31mred\u{1b}[0m\\u001b[2J\\u202e\\udb40\\udc41ü\\u000d\n"
        );
        let json = format!("\"{}\"", super::harmless("\u{202e}\u{e0041}"));
        let read: String = serde_json::from_str(&json).unwrap();
        assert_eq!(read, "\u{202e}\u{e0041}");
    }
}
