//! A short way through files of many `[[bindings]]` that differ in `number`
//! and `tenant` only, and through long lists of `numbers`. Core; imports only its
//! siblings and `phone`.
//!
//! A block is read as TOML once; the next one with the same lines, but for
//! these two, is known to be read alike, whatever those lines are. Of a list
//! with a number a line, one is read as TOML, as they differ in their digits only.
//! Anything out of the ordinary, every finding among it, gives the file to the
//! plain way, so that both ways give the same result.

use std::borrow::Cow;
use std::ops::Range;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::parsed_file::{Local, ParsedFile};
use super::raw::{At, Text};
use super::reader::FileReader;
use super::syntax;
use crate::phone::E164;
use crate::source::line_index::Lines;

const HEADER: &str = "[[bindings]]";
/// With fewer blocks, and less text, the plain way is as good.
const FEWEST: usize = 16;
const SHORTEST: usize = 4096;

/// What stands for the two lines in the text of a block. No TOML has these
/// characters.
const NUMBER: char = '\0';
const TENANT: char = '\u{1}';
/// The same for a list.
const LIST: char = '\u{2}';

/// Reads a file; `None` if it is not for this way.
pub(super) fn read_fast(
    lines: Lines<'_>,
    number: u32,
    environment: Option<&str>,
) -> Option<ParsedFile> {
    let text = lines.text();
    let first = if text.starts_with(HEADER) {
        0
    } else {
        text.find("\n[[bindings]]")? + 1
    };
    let (before, blocks) = text.split_at(first);
    let is_other = |line: &str| line.trim_start().starts_with('#') || !line.contains("bindings");
    if !is_bulk(blocks) || lines.has_long_strings(first) || !before.lines().all(is_other) {
        return None;
    }
    let mut reader = FileReader::new(lines, number, environment);
    reader.read_tables(syntax::read_shape(lines, before));
    if reader.parsed.incomplete {
        return None;
    }
    let mut bulk = Bulk {
        known: HashMap::default(),
        reader,
        block: Block::default(),
        seen: String::new(),
    };
    bulk.read_blocks(lines, first)?;
    Some(bulk.reader.into_parsed_file())
}

/// Whether there is much to read.
fn is_bulk(text: &str) -> bool {
    text.len() >= SHORTEST || text.matches(HEADER).nth(FEWEST).is_some()
}

struct Bulk<'a> {
    /// The spec of a block by its text; `None` if the environment leaves it out.
    known: HashMap<String, Option<u32>, RandomState>,
    reader: FileReader<'a>,
    block: Block<'a>,
    /// The lines of the block, the two left out.
    seen: String,
}

/// The block at hand.
#[derive(Default)]
struct Block<'a> {
    /// In the file.
    bytes: Range<usize>,
    number: Option<&'a str>,
    number_line: u32,
    tenant: Option<At<&'a str>>,
    list: Option<NumberList<'a>>,
}

/// A list of numbers, each on a line of its own.
struct NumberList<'a> {
    /// The lines behind the first number, in the file.
    rest: Range<usize>,
    /// The numbers in them, each with its line.
    numbers: Vec<(&'a str, u32)>,
    has_first: bool,
    /// Whether its end has not come yet.
    is_open: bool,
    /// Whether no line holds anything but a number and a comma.
    is_plain: bool,
}

impl<'a> NumberList<'a> {
    /// Of the list that begins in the line before `at`.
    fn begin(at: usize) -> NumberList<'a> {
        NumberList {
            rest: at..at,
            numbers: Vec::new(),
            has_first: false,
            is_open: true,
            is_plain: true,
        }
    }

    /// Takes in a line; the next one begins at `end`.
    fn read_line(&mut self, trimmed: &'a str, end: usize, line: u32) {
        let quoted = trimmed.strip_prefix('"');
        let quoted = quoted.and_then(|rest| rest.strip_suffix("\","));
        match quoted.filter(|text| is_number(text)) {
            Some(_) if !self.has_first => {
                self.has_first = true;
                self.rest = end..end;
            }
            Some(number) => {
                self.numbers.push((number, line));
                self.rest.end = end;
            }
            None if trimmed == "]" => self.is_open = false,
            // Such as the last number, without a comma: the TOML parser reads the list then.
            None => self.is_plain = false,
        }
    }

    /// The text of a block that begins at `start`, with blanks for the rest.
    fn without_rest(&self, block: &str, start: usize) -> Option<String> {
        let (first, last) = (self.rest.start - start, self.rest.end - start);
        let (before, after) = (block.get(..first)?, block.get(last..)?);
        let blanks = " ".repeat(last - first);
        Some([before, &blanks, after].concat())
    }
}

impl<'a> Bulk<'a> {
    /// Reads all blocks, from `at` on, where a line begins.
    fn read_blocks(&mut self, lines: Lines<'a>, mut at: usize) -> Option<()> {
        self.block.bytes = at..at;
        for (full, line) in lines.lines_from(at) {
            let trimmed = full.trim_ascii();
            if trimmed.starts_with('[') {
                if trimmed != HEADER {
                    return None;
                }
                if at > self.block.bytes.start {
                    self.end_block(at)?;
                }
                self.begin_block(at);
            } else {
                self.read_line(full, trimmed, at, line)?;
            }
            at += full.len();
        }
        self.end_block(at)
    }

    fn begin_block(&mut self, at: usize) {
        self.seen.clear();
        self.block = Block {
            bytes: at..at,
            ..Block::default()
        };
    }

    fn read_line(&mut self, full: &'a str, trimmed: &'a str, at: usize, line: u32) -> Option<()> {
        if let Some(list) = self.block.list.as_mut().filter(|list| list.is_open) {
            list.read_line(trimmed, at + full.len(), line);
            return Some(());
        }
        if trimmed.is_empty() || is_comment(trimmed) {
            return Some(());
        }
        if self.block.list.is_none() && begins_list(trimmed) {
            self.block.list = Some(NumberList::begin(at + full.len()));
            self.seen.push(LIST);
            return Some(());
        }
        if let Some(number) = string_of("number", trimmed).filter(|text| is_number(text)) {
            self.seen.push(NUMBER);
            self.block.number_line = line;
            return self.block.number.replace(number).is_none().then_some(());
        }
        if let Some(tenant) = string_of("tenant", trimmed).filter(|text| is_name(text)) {
            self.seen.push(TENANT);
            let start = at + full.find('"')?;
            let tenant = At {
                span: start..start + tenant.len() + 2,
                value: tenant,
            };
            return self.block.tenant.replace(tenant).is_none().then_some(());
        }
        self.seen.push_str(full);
        Some(())
    }

    /// Takes in the block that ends at `end`.
    fn end_block(&mut self, end: usize) -> Option<()> {
        self.block.bytes.end = end;
        let (Some(number), Some(tenant)) = (self.block.number, &self.block.tenant) else {
            return self.in_full();
        };
        let Some(known) = self.known.get(self.seen.as_str()) else {
            self.in_full()?;
            let spec = self.reader.parsed.bindings.last().map(|local| local.spec);
            let spec = spec.filter(|_| self.block.number_line == self.last_line());
            self.known.insert(self.seen.clone(), spec);
            return Some(());
        };
        let name = At {
            value: Text(Cow::Borrowed(tenant.value)),
            span: tenant.span.clone(),
        };
        let tenant = self.reader.tenant_index(&name);
        if let Some(spec) = *known {
            self.reader.parsed.bindings.push(Local {
                first: E164::parse(number).ok()?,
                count: 1,
                tenant,
                spec,
                line: self.block.number_line,
            });
        }
        Some(())
    }

    /// The line of the binding taken in last.
    fn last_line(&self) -> u32 {
        let last = self.reader.parsed.bindings.last();
        last.map_or(0, |local| local.line)
    }

    /// Reads the block as TOML.
    fn in_full(&mut self) -> Option<()> {
        let lines = self.reader.lines;
        let start = self.block.bytes.start;
        let text = lines.text().get(self.block.bytes.clone())?;
        let list = self.block.list.take();
        let list = list.filter(|list| list.is_plain && !list.is_open && !list.numbers.is_empty());
        let shorter = match &list {
            Some(list) => Some(list.without_rest(text, start)?),
            None => None,
        };
        let text = shorter.as_deref().unwrap_or(text);
        let shape = syntax::read_shape(lines.part_from(start), text);
        let before = self.reader.findings.len();
        let bindings = self.reader.parsed.bindings.len();
        self.reader.lines = lines.part_from(start);
        for binding in &shape.file.bindings {
            self.reader.read_binding(binding);
        }
        self.reader.lines = lines;
        let sound = shape.findings.is_empty() && self.reader.findings.len() == before;
        if let Some(list) = list.filter(|_| sound) {
            self.push_rest(&list, bindings)?;
        }
        sound.then_some(())
    }

    /// Takes in the numbers behind the first one of a list, which is the last
    /// binding where there are more than `before`, and else left out.
    fn push_rest(&mut self, list: &NumberList<'_>, before: usize) -> Option<()> {
        let all = &mut self.reader.parsed.bindings;
        let Some(first) = all.get(before..).and_then(<[Local]>::last).copied() else {
            return Some(());
        };
        all.reserve(list.numbers.len());
        for (number, line) in &list.numbers {
            all.push(Local {
                first: E164::parse(number).ok()?,
                line: *line,
                ..first
            });
        }
        Some(())
    }
}

/// Whether a line is `numbers = [` and nothing behind it.
fn begins_list(line: &str) -> bool {
    let rest = line
        .strip_prefix("numbers")
        .map(|rest| rest.trim_start_matches(is_blank));
    let rest = rest.and_then(|rest| rest.strip_prefix('='));
    rest.is_some_and(|rest| rest.trim_start_matches(is_blank) == "[")
}

fn is_blank(c: char) -> bool {
    c == ' ' || c == '\t'
}

/// A whole line of comment, as TOML allows it.
fn is_comment(line: &str) -> bool {
    let allowed = |byte: u8| byte == b'\t' || byte >= b' ' && byte != 0x7f;
    line.starts_with('#') && line.bytes().all(allowed)
}

/// The text between the quotes of `key = "…"`.
fn string_of<'a>(key: &str, line: &'a str) -> Option<&'a str> {
    let rest = line.strip_prefix(key)?.trim_start_matches(is_blank);
    let rest = rest.strip_prefix('=')?.trim_start_matches(is_blank);
    rest.strip_prefix('"')?.strip_suffix('"')
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('+');
    digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
}

fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !text.is_empty() && text.bytes().all(plain)
}

#[cfg(test)]
mod tests;
