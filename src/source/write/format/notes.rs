//! Comments between tables and keys, and where they go.

use std::fmt::Write;

use toml_edit::RawString;

/// Comment lines; an empty one is a gap, and no two gaps follow each other.
#[derive(Default)]
pub(super) struct Notes {
    lines: Vec<String>,
    pub comments: usize,
}

impl Notes {
    pub(super) fn of(raw: Option<&RawString>) -> Notes {
        Notes::read_notes(raw.and_then(RawString::as_str).unwrap_or_default())
    }

    pub(super) fn read_notes(raw: &str) -> Notes {
        let mut notes = Notes::default();
        // What follows the last line break is the indentation of the next item.
        let lines = raw.split_inclusive('\n');
        for line in lines.filter(|line| line.ends_with('\n') || !line.trim().is_empty()) {
            let line = line.trim();
            if line.is_empty() && notes.lines.last().is_some_and(String::is_empty) {
                continue;
            }
            notes.comments += usize::from(!line.is_empty());
            notes.lines.push(line.to_owned());
        }
        notes
    }

    pub(super) fn followed_by(mut self, below: Notes) -> Notes {
        self.comments += below.comments;
        for line in below.lines {
            if !line.is_empty() || self.lines.last().is_none_or(|last| !last.is_empty()) {
                self.lines.push(line);
            }
        }
        self
    }

    pub(super) fn without_gap(mut self) -> Notes {
        if self.lines.last().is_some_and(String::is_empty) {
            self.lines.pop();
        }
        self
    }

    pub(super) fn write_notes(&self, out: &mut String, first: bool) {
        self.write_indented(out, first, "");
    }

    pub(super) fn write_indented(&self, out: &mut String, first: bool, margin: &str) {
        for (ix, line) in self.lines.iter().enumerate() {
            match line.is_empty() {
                true if first && ix == 0 => {}
                true => out.push('\n'),
                false => {
                    let _ = writeln!(out, "{margin}{line}");
                }
            }
        }
    }

    /// Before a table: with one empty line above, unless the comment closes
    /// what stands above it.
    pub(super) fn write_before_table(&self, out: &mut String) {
        let gap = self.lines.iter().position(String::is_empty);
        let closes = gap.is_some_and(|gap| gap > 0);
        if !out.is_empty() && gap != Some(0) && !closes {
            out.push('\n');
        }
        self.write_notes(out, out.is_empty());
    }
}
