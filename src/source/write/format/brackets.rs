//! Lists and inline tables.

use std::fmt::Write;

use toml_edit::RawString;

use super::notes::Notes;

/// How wide a list may get before each of its items has a line.
const WIDTH: usize = 90;

/// What stands in brackets, on one line or on several.
pub(super) struct Items {
    brackets: [&'static str; 2],
    /// The comments before an item, the item, the comment behind it.
    items: Vec<(Notes, String, String)>,
    /// Comments between the last item and its comma.
    pending: Notes,
}

impl Items {
    pub(super) fn new(open: &'static str, close: &'static str) -> Items {
        Items {
            brackets: [open, close],
            items: Vec::new(),
            pending: Notes::default(),
        }
    }

    /// A comment on the line of an item is found before the next one.
    pub(super) fn add_item(&mut self, [before, behind]: [Option<&RawString>; 2], text: String) {
        let before = self.behind_last(before);
        self.items.push((before, text, String::new()));
        self.pending = self.behind_last(behind);
    }

    /// Gives the first line of `raw` to the item before it; the rest are lines
    /// of their own.
    fn behind_last(&mut self, raw: Option<&RawString>) -> Notes {
        let raw = raw.and_then(RawString::as_str).unwrap_or_default();
        let (here, mut below) = raw.split_once('\n').unwrap_or((raw, ""));
        let here = here.trim();
        match self.items.last_mut() {
            _ if here.is_empty() => {}
            Some((_, _, behind)) => {
                let space = if behind.is_empty() { "" } else { " " };
                let _ = write!(behind, "{space}{here}");
            }
            None => below = raw,
        }
        std::mem::take(&mut self.pending).followed_by(Notes::read_notes(below))
    }

    pub(super) fn write_items(
        mut self,
        out: &mut String,
        trailing: Option<&RawString>,
        indent: usize,
    ) {
        let end = self.behind_last(trailing);
        let bare = |(before, _, behind): &(Notes, String, String)| {
            before.comments == 0 && behind.is_empty()
        };
        let [open, close] = self.brackets;
        if end.comments == 0 && self.items.iter().all(bare) {
            let mut len = open.len() + close.len();
            // Before TOML 1.1, an inline table is on one line.
            let inline = open.starts_with('{');
            let fits = inline
                || self.items.iter().all(|(_, text, _)| {
                    len += text.chars().count() + 2;
                    len <= WIDTH + 2 && !text.contains('\n')
                });
            if fits {
                let texts: Vec<&str> = self
                    .items
                    .iter()
                    .map(|(_, text, _)| text.as_str())
                    .collect();
                if texts.is_empty() {
                    let _ = write!(out, "{}{}", open.trim(), close.trim());
                } else {
                    let _ = write!(out, "{open}{}{close}", texts.join(", "));
                }
                return;
            }
        }
        let margin = " ".repeat(indent + 4);
        let _ = writeln!(out, "{}", open.trim());
        for (ix, (before, text, behind)) in self.items.iter().enumerate() {
            before.write_indented(out, ix == 0, &margin);
            let space = if behind.is_empty() { "" } else { " " };
            let _ = writeln!(out, "{margin}{text},{space}{behind}");
        }
        end.without_gap()
            .write_indented(out, self.items.is_empty(), &margin);
        let _ = write!(out, "{}{}", " ".repeat(indent), close.trim());
    }
}
