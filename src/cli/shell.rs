//! Standard output and error, colours, width: where commands speak. Imports
//! core and `render`.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use jiff::Timestamp;

use super::globals::Globals;
use super::progress::ProgressLine;
use crate::app::{self, Context, Counter, Settings, Total};
use crate::error::{Error, Result};
use crate::render::escape::visible;
use crate::render::style::{BOLD, CHANGED, DIM, ERROR, NOTED, paint, wrapped};
use crate::render::text::View;

/// Without a terminal reports are as wide as this.
const WIDTH: usize = 80;

/// What a command runs in.
pub struct Shell {
    pub globals: Globals,
    settings: Settings,
}

impl Shell {
    pub fn new(globals: Globals) -> Shell {
        anstream::ColorChoice::from(globals.color).write_global();
        let settings = Settings {
            routing: globals.routing.clone(),
            environment: globals.env.clone(),
            database: globals.database.clone(),
            schema: globals.schema.clone(),
            lock_timeout: globals.lock_timeout.map(Duration::from_secs),
        };
        Shell { globals, settings }
    }

    /// What the use cases work with.
    pub fn context(&self) -> Context<'_> {
        Context {
            settings: &self.settings,
            progress: self,
            clock: Timestamp::now,
        }
    }

    /// Writes a report to standard output. A reader that left early, as
    /// `head` does, is no error.
    pub fn print(&self, text: &str) -> Result<()> {
        let mut out = anstream::stdout().lock();
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        match written {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                let message = format!("can't write to standard output: {error}");
                Err(Error::new(message))
            }
            _ => Ok(()),
        }
    }

    /// Writes a line to standard error; nothing can be done where that fails.
    pub fn say(&self, text: &str) {
        let _ = writeln!(anstream::stderr().lock(), "{text}");
    }

    /// A sentence on standard error, unless asked to be quiet.
    pub fn note(&self, text: &str) {
        if !self.globals.quiet {
            self.say(&wrapped(text, self.width(), 0));
        }
    }

    /// The same, only where more was asked for.
    pub fn detail(&self, text: &str) {
        if self.globals.verbose > 0 {
            self.say(&paint(DIM, text));
        }
    }

    /// Something that may be wrong, and changes nothing.
    pub fn warn(&self, text: &str) {
        let text = wrapped(text, self.width().saturating_sub(9), 0);
        let text = text.replace('\n', &format!("\n{}", " ".repeat(9)));
        self.say(&format!("{}: {text}", paint(CHANGED.bold(), "warning")));
    }

    pub fn complain(&self, error: &Error) {
        self.say(&complaint(error, self.width()));
    }

    /// Begins work that is counted.
    pub fn count(&self, what: &'static str, total: Total) -> Box<dyn Counter> {
        Box::new(ProgressLine::new(self, what, total))
    }

    pub fn width(&self) -> usize {
        width()
    }

    pub fn view(&self, full: bool) -> View {
        View {
            width: self.width(),
            full,
            quiet: self.globals.quiet,
            back: false,
        }
    }

    /// Whether somebody sits there to answer.
    pub fn is_interactive(&self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Asks on the terminal; the answer without its line end.
    pub fn ask(&self, question: &str) -> Result<String> {
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
    fn detail(&self, text: &str) {
        Shell::detail(self, text);
    }

    fn count(&self, what: &'static str, total: Total) -> Box<dyn Counter> {
        Shell::count(self, what, total)
    }
}

/// `error: …` and `hint: …`, wrapped. Of a message of several lines only the
/// first is wrapped: the rest is text to copy.
pub fn complaint(error: &Error, width: usize) -> String {
    let tag = |style, word: &str, text: &str| {
        let margin = word.len() + 2;
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
pub fn width() -> usize {
    terminal_size::terminal_size().map_or(WIDTH, |(width, _)| usize::from(width.0).clamp(40, 120))
}
