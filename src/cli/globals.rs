//! The options that every command takes. Imports core.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};

use super::names::{count, nfc_name};
use crate::error::{Error, Result};
use crate::invisible_chars::in_nfc;
use crate::source::MAX_BINDINGS;

/// Said once, for all commands.
#[derive(Args, Clone)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Globals {
    /// The directory of the routing files
    #[arg(long, global = true, value_name = "DIR", default_value = "routing")]
    pub routing: PathBuf,

    /// The environment that is meant, e.g. production: its values of the files
    /// count, and a database of another one is refused [env: LKROUTE_ENV]
    #[arg(long, global = true, value_name = "NAME", value_parser = nfc_name)]
    pub env: Option<String>,

    // Not `env = …`: which variable counts is for the environment to say.
    /// The database: postgres://… or sqlite://FILE [env: DATABASE_URL]
    /// [default: sqlite://lkroute.db]
    #[arg(long, global = true, value_name = "URL")]
    pub database: Option<String>,

    /// The schema of the tables, on PostgreSQL [env: LKROUTE_SCHEMA]
    #[arg(long, global = true, value_name = "NAME")]
    pub schema: Option<String>,

    /// How long to wait for locks of others [default: 5; what writes: 30]
    #[arg(long, global = true, value_name = "SECONDS", value_parser = count::<u64>)]
    pub lock_timeout: Option<u64>,

    /// The most numbers that the files may bind
    #[arg(long, global = true, value_name = "N", default_value_t = MAX_BINDINGS, value_parser = count::<u64>)]
    pub max_bindings: u64,

    /// When to use colours; NO_COLOR is understood too
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "WHEN",
        default_value = "auto"
    )]
    pub color: Color,

    /// Say less: headlines, and what is wrong
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Say more: what is read, and how long it took
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
}

impl Globals {
    /// With the environment of `LKROUTE_ENV`, where the command line names
    /// none; a blank one names none either.
    pub(crate) fn with_variables(
        mut self,
        get: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Globals> {
        if self.env.is_some() {
            return Ok(self);
        }
        let unreadable = |_| Error::new("LKROUTE_ENV is no UTF-8 text");
        let named = get("LKROUTE_ENV").map(OsString::into_string);
        let named = named.transpose().map_err(unreadable)?;
        self.env = named
            .filter(|name| !name.trim().is_empty())
            .map(|name| in_nfc(&name));
        Ok(self)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

impl From<Color> for anstream::ColorChoice {
    fn from(color: Color) -> anstream::ColorChoice {
        match color {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::Always,
            Color::Never => anstream::ColorChoice::Never,
        }
    }
}

/// How a report is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    Text,
    Json,
}

/// How what people review is reported: `markdown` for a comment on a pull
/// request, `github` as annotations on the lines, `sarif` (findings and
/// refusals, without the changes) for code scanning.
// No text on the values themselves: it would make every `--help` twice as long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReviewFormat {
    Text,
    Json,
    Markdown,
    Github,
    Sarif,
}

impl From<ReportFormat> for ReviewFormat {
    fn from(format: ReportFormat) -> ReviewFormat {
        match format {
            ReportFormat::Text => ReviewFormat::Text,
            ReportFormat::Json => ReviewFormat::Json,
        }
    }
}

#[derive(Args, Clone, Copy)]
pub(crate) struct ReviewFormatted {
    /// How the report is printed; markdown is for comments on pull requests,
    /// github for annotations on their lines, sarif for code scanning
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    pub format: ReviewFormat,
}

#[derive(Args, Clone, Copy)]
pub(crate) struct Formatted {
    /// How the report is printed
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    pub format: ReportFormat,
}

/// For commands beside which people use `lk`, whose `-j` is short for JSON.
#[derive(Args, Clone, Copy)]
pub(crate) struct CallFormatted {
    /// How the report is printed
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    format: ReportFormat,

    /// The same as --format json
    #[arg(short, long, conflicts_with = "format")]
    json: bool,
}

impl CallFormatted {
    pub(crate) fn format(self) -> ReportFormat {
        if self.json {
            ReportFormat::Json
        } else {
            self.format
        }
    }
}
