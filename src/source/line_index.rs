//! From byte offsets to places that people can find. Core; imports only
//! [`crate::finding`].

use std::borrow::Cow;
use std::ops::Range;
use std::sync::OnceLock;

use crate::finding::Place;
use crate::list_index::index_of;

/// A longer line is not copied into findings.
const LONGEST: usize = 400;

/// In a longer line no column is counted: whoever writes a thousand values
/// into one line would have the line counted a thousand times.
const LONGEST_COUNTED: usize = 1 << 16;

/// So many lines are looked at for the beginning of a value, before that is
/// found out for all lines at once.
const NEAR: usize = 64;

/// A file with its line starts.
pub(super) struct OpenedFile<'a> {
    path: &'a str,
    text: Cow<'a, str>,
    starts: Vec<usize>,
    /// Where `"""` and `'''` stand.
    quotes: [Vec<usize>; 2],
    /// Of each line whether it names a secret, or goes on from one that does.
    secretive: OnceLock<Vec<bool>>,
}

impl<'a> OpenedFile<'a> {
    pub(super) fn new(path: &'a str, text: impl Into<Cow<'a, str>>) -> OpenedFile<'a> {
        let text = text.into();
        let after = text.match_indices('\n').map(|(at, _)| at + 1);
        let starts = std::iter::once(0).chain(after).collect();
        // Most files have none, which takes less than to find where they are.
        let all = |quotes: &str| -> Vec<usize> {
            if !text.contains(quotes) {
                return Vec::new();
            }
            text.match_indices(quotes).map(|(at, _)| at).collect()
        };
        let quotes = ["\"\"\"", "'''"].map(all);
        OpenedFile {
            path,
            text,
            starts,
            quotes,
            secretive: OnceLock::new(),
        }
    }

    pub(super) fn lines(&self) -> Lines<'_> {
        Lines {
            path: self.path,
            text: &self.text,
            starts: &self.starts,
            quotes: &self.quotes,
            secretive: &self.secretive,
            offset: 0,
        }
    }
}

/// A look at a file, or at a part of it: the first byte of the part is byte 0.
#[derive(Clone, Copy)]
pub(super) struct Lines<'a> {
    path: &'a str,
    text: &'a str,
    starts: &'a [usize],
    quotes: &'a [Vec<usize>; 2],
    secretive: &'a OnceLock<Vec<bool>>,
    offset: usize,
}

impl<'a> Lines<'a> {
    /// The part that begins at `offset`.
    pub(super) fn part_from(self, offset: usize) -> Lines<'a> {
        Lines { offset, ..self }
    }

    pub(super) fn path(&self) -> &'a str {
        self.path
    }

    /// The text of the whole file.
    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    /// The lines from that which begins at `offset` on, each with its end and its
    /// number.
    pub(super) fn lines_from(self, offset: usize) -> impl Iterator<Item = (&'a str, u32)> {
        let first = self.line_of(offset);
        (first..=index_of(self.starts.len())).filter_map(move |line| {
            let start = self.starts[line as usize - 1];
            let end = self.starts.get(line as usize);
            let line_text = self
                .text
                .get(start..end.copied().unwrap_or(self.text.len()))?;
            (!line_text.is_empty()).then_some((line_text, line))
        })
    }

    /// Whether there are strings of several lines from there on.
    pub(super) fn has_long_strings(self, offset: usize) -> bool {
        let mut all = self.quotes.iter().filter_map(|places| places.last());
        all.any(|place| *place >= offset)
    }

    fn whole_span(&self, span: &Range<usize>) -> Range<usize> {
        span.start + self.offset..span.end + self.offset
    }

    /// The text at a place.
    pub(super) fn text_at(&self, span: &Range<usize>) -> &'a str {
        self.text.get(self.whole_span(span)).unwrap_or_default()
    }

    /// The 1-based line that holds this byte.
    pub(super) fn line_of(&self, offset: usize) -> u32 {
        let offset = self.offset + offset;
        let line = self.starts.partition_point(|start| *start <= offset);
        index_of(line)
    }

    /// The text of a line, 1-based, without its end.
    fn text_of(&self, line: u32) -> &'a str {
        let ix = line as usize;
        let start = self.starts.get(ix.wrapping_sub(1)).copied();
        let end = self.starts.get(ix).copied().unwrap_or(self.text.len());
        let text = start.and_then(|start| self.text.get(start..end));
        text.unwrap_or_default().trim_end_matches(['\n', '\r'])
    }

    /// Where these bytes stand. The line's text comes along, but for a line
    /// that may hold a secret.
    pub(super) fn place_of(&self, span: Range<usize>) -> Place {
        let line = self.line_of(span.start);
        let text = match self.text_of(line) {
            text if text.len() > LONGEST || self.may_hold_secret(line) => "",
            text => text,
        };
        self.marked_place(line, span, text)
    }

    /// The same for a line that is known to hold no secret.
    pub(super) fn place_shown(&self, span: Range<usize>) -> Place {
        let line = self.line_of(span.start);
        self.marked_place(line, span, self.text_of(line))
    }

    /// The same with the line left out, whatever it seems to hold.
    pub(super) fn place_veiled(&self, span: Range<usize>) -> Place {
        self.marked_place(self.line_of(span.start), span, "")
    }

    /// Where the key or header at `span` was written before, in a file that
    /// is no valid TOML for writing it twice.
    pub(super) fn same_before(&self, span: &Range<usize>) -> Option<Range<usize>> {
        let key = self.text_at(span);
        let line = self.line_of(span.start);
        let span = self.whole_span(span);
        let own = self.text_of(line);
        let header = own.trim_start().starts_with('[');
        let same_key = |line: &str, at: usize| {
            let left = line[..at].trim_end();
            let right = line[at + key.len()..].trim_start();
            (left.is_empty() || left.ends_with([',', '{'])) && right.starts_with('=')
        };
        for line in (1..=line).rev() {
            let start = self.starts[(line - 1) as usize];
            let text = self.text_of(line);
            let mut found = text.match_indices(key).map(|(at, _)| at);
            let found = match header {
                true if text.trim() == own.trim() => found.last(),
                true => None,
                false => found.find(|at| same_key(text, *at)),
            };
            if let Some(at) = found.filter(|at| start + at < span.start) {
                let at = start + at - self.offset.min(start + at);
                return Some(at..at + key.len());
            }
        }
        None
    }

    /// The place of the first of `parts` that stands in a line, there where it
    /// stands first or `last`; else the place of the whole line.
    pub(super) fn find_part(&self, line: u32, parts: &[&str], last: bool) -> Place {
        let Some(start) = self.starts.get((line as usize).wrapping_sub(1)).copied() else {
            return Place::file(self.path);
        };
        let text = self.text_of(line);
        let find = |part: &str| {
            if last {
                text.rfind(part)
            } else {
                text.find(part)
            }
        };
        let found = parts
            .iter()
            .find_map(|part| Some((find(part)?, part.len())));
        let indent = text.len() - text.trim_start().len();
        let (at, len) = found.unwrap_or((indent, text.len() - indent));
        let at = start + at - self.offset.min(start + at);
        self.place_of(at..at + len)
    }

    fn marked_place(&self, line: u32, span: Range<usize>, text: &str) -> Place {
        let span = self.whole_span(&span);
        let chars = |from: usize, to: usize| {
            let part = self.text.get(from..to.max(from)).unwrap_or_default();
            index_of(part.chars().count())
        };
        let start = self.starts[(line - 1) as usize];
        let length = self.text_of(line).len();
        let end = start + length;
        let column = if length > LONGEST_COUNTED {
            0
        } else {
            chars(start, span.start) + 1
        };
        Place {
            file: self.path.to_owned(),
            line,
            column,
            width: chars(span.start, span.end.min(end)).max(1),
            text: if text.len() > LONGEST { "" } else { text }.to_owned(),
        }
    }

    /// Whether the line names a secret, goes on from one that does, or stands
    /// in a string of several lines.
    fn may_hold_secret(&self, line: u32) -> bool {
        let start = self.starts[(line - 1) as usize];
        let open = |all: &Vec<usize>| all.partition_point(|at| *at < start) % 2 == 1;
        if self.quotes.iter().any(open) {
            return true;
        }
        let near = (1..=line).rev().take(NEAR);
        let mut known = near.filter_map(|line| secret_by(self.text_of(line)));
        if let Some(known) = known.next() {
            return known;
        }
        let all = self.secretive.get_or_init(|| {
            let lines = (1..).take(self.starts.len());
            let by_line = lines.scan(false, |secretive, line| {
                *secretive = secret_by(self.text_of(line)).unwrap_or(*secretive);
                Some(*secretive)
            });
            by_line.collect()
        });
        let at = (line as usize).saturating_sub(1);
        all.get(at).copied().unwrap_or(true)
    }
}

/// Whether a line names a secret; none where it goes on from the one before.
fn secret_by(line: &str) -> Option<bool> {
    if names_secret(line) {
        Some(true)
    } else {
        begins_statement(line).then_some(false)
    }
}

/// `key = …` or `[header]`, rather than the inside of a value.
fn begins_statement(line: &str) -> bool {
    let line = line.trim_start();
    let key = |c: char| c.is_alphanumeric() || "_-.\"' ".contains(c);
    let assigns = |(left, _): (&str, &str)| left.chars().all(key);
    line.starts_with('[') || line.split_once('=').is_some_and(assigns)
}

/// Names a secret, or holds a URL with user info.
fn names_secret(line: &str) -> bool {
    let line = line.trim_start().to_ascii_lowercase();
    let user_info = line
        .split_once("://")
        .is_some_and(|(_, rest)| rest.contains('@'));
    let setting = line.starts_with('[') || line.starts_with("secrets");
    user_info || !setting && (line.contains("secret") || line.contains("sealed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place_of(text: &str, part: &str) -> Place {
        let at = text.find(part).unwrap();
        OpenedFile::new("routing/a.toml", text)
            .lines()
            .place_of(at..at + part.len())
    }

    #[test]
    fn columns_count_characters() {
        let text = "a = 1\r\nname = \"Zürich\", b = 2\r\n";
        let place = place_of(text, "b = 2");
        assert_eq!((place.line, place.column, place.width), (2, 18, 5));
        assert_eq!(place.text, "name = \"Zürich\", b = 2");
        let end = OpenedFile::new("x", text)
            .lines()
            .place_of(text.len()..text.len());
        assert_eq!((end.line, end.column, end.width), (3, 1, 1));
    }

    /// Each finding looked at the whole line, or at all lines up to the
    /// beginning of its value: minutes for a megabyte.
    #[test]
    fn many_places_in_one_value_take_no_time() {
        for end in [" ", "\n"] {
            let text = format!("x = [{}]", format!("\"a\",{end}").repeat(30_000));
            let opened = OpenedFile::new("x", text.as_str());
            let lines = opened.lines();
            for (at, _) in text.match_indices('a') {
                let place = lines.place_of(at..at + 1);
                assert_eq!(place.column == 0, end == " ");
            }
        }
    }

    #[test]
    fn a_span_of_several_lines_is_marked_to_the_end_of_the_first() {
        let place = place_of("a = [\n1,\n]\n", "[\n1,\n]");
        assert_eq!((place.line, place.column, place.width), (1, 5, 1));
    }

    #[test]
    fn the_line_of_a_secret_does_not_come_along() {
        for (text, part) in [
            ("api_secret = \"hunter2\"", "hunter2"),
            ("api_secret =\n  \"hunter2\"", "hunter2"),
            ("x = { url = \"u\", api_secret = \"hunter2\" }", "url"),
            ("api_secret = { sealed =\n\"hunter2\" }", "hunter2"),
            ("api_secret = \"\"\"\na = b\nhunter2\"\"\"", "hunter2"),
            ("API_SECRET = hunter2", "hunter2"),
            ("database = \"postgres://me:hunter2@db/x", "hunter2"),
        ] {
            assert_eq!(place_of(text, part).text, "", "{text}");
        }
        let after = "api_secret = \"hunter2\"\nworker_name = 5";
        assert_eq!(place_of(after, "5").text, "worker_name = 5");
        let far = format!("api_secret = [\n{}\"x\"]", "\"y\",\n".repeat(200));
        assert_eq!(place_of(&far, "\"x\"").text, "");
        let far = format!("numbers = [\n{}\"x\"]", "\"y\",\n".repeat(200));
        assert_eq!(place_of(&far, "\"x\"").text, "\"x\"]");
        let setting = "[secrets]\nformat = \"x\"";
        assert_eq!(place_of(setting, "\"x\"").text, "format = \"x\"");
    }
}
