//! The colours of reports, and the breaking of lines. Imports the words for
//! counts.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};

pub(crate) use crate::count_words::{counted, thousands};

pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const ADDED: Style = AnsiColor::Green.on_default();
pub(crate) const REMOVED: Style = AnsiColor::Red.on_default();
pub(crate) const CHANGED: Style = AnsiColor::Yellow.on_default();
pub(crate) const NOTED: Style = AnsiColor::Cyan.on_default();
pub(crate) const ERROR: Style = AnsiColor::BrightRed.on_default().bold();

/// The text in a style, and the terminal back as it was.
pub(crate) fn paint(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// The text broken at words, every line after the first indented.
pub(crate) fn wrapped(text: &str, width: usize, indent: usize) -> String {
    let margin = " ".repeat(indent);
    textwrap::fill(text, at_words(width, indent).subsequent_indent(&margin))
}

/// The same without an indent, and words that are longer than a line broken too.
pub(crate) fn fitted(text: &str, width: usize) -> String {
    textwrap::fill(text, at_words(width, 0).break_words(true))
}

fn at_words<'a>(width: usize, indent: usize) -> textwrap::Options<'a> {
    textwrap::Options::new(width.max(indent + 20))
        .break_words(false)
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
}
