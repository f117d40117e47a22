//! The colours of reports, and the breaking of lines. Imports the words for
//! counts.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};

pub use crate::count_words::{counted, thousands};

pub const BOLD: Style = Style::new().bold();
pub const DIM: Style = Style::new().dimmed();
pub const ADDED: Style = AnsiColor::Green.on_default();
pub const REMOVED: Style = AnsiColor::Red.on_default();
pub const CHANGED: Style = AnsiColor::Yellow.on_default();
pub const NOTED: Style = AnsiColor::Cyan.on_default();
pub const ERROR: Style = AnsiColor::BrightRed.on_default().bold();

/// The text in a style, and the terminal back as it was.
pub fn paint(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// The text broken at words, every line after the first indented.
pub fn wrapped(text: &str, width: usize, indent: usize) -> String {
    let margin = " ".repeat(indent);
    let options = textwrap::Options::new(width.max(indent + 20))
        .break_words(false)
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .subsequent_indent(&margin);
    textwrap::fill(text, options)
}
