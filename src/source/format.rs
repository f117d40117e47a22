//! Canonical text: what `lkroute fmt` writes. Comments and the order of tables
//! stay; the order of keys, the space between things and the breaking of lists
//! are the same everywhere. Core; imports only its siblings and
//! [`crate::finding`].

use std::fmt::Write;

use toml_edit::{Array, DocumentMut, InlineTable, Item, Key, RawString, Table, Value};

use super::lines::Opened;
use super::shape;
use crate::finding::{Finding, Place};

/// How wide a list may get before each of its items has a line.
const WIDTH: usize = 90;

/// The keys of all tables, in the order in which they are written.
const ORDER: [&str; 52] = [
    "owner",
    "guard",
    "addresses",
    "id",
    "formerly",
    "number",
    "numbers",
    "range",
    "from",
    "tenant",
    "to",
    "max",
    "percent",
    "per_region",
    "per_tenant",
    "tenants",
    "config",
    "worker",
    "trunk",
    "region",
    "description",
    "country_codes",
    "default_config",
    "url",
    "api_key",
    "api_secret",
    "trunk_id",
    "worker_name",
    "provider",
    "rules",
    "inbound",
    "outbound",
    "allowed_outbound",
    "required_lead_format",
    "outbound_trunk_id",
    "database",
    "schema",
    "secrets",
    "deletes",
    "updates",
    "reroutes",
    "protected",
    "policy",
    "plain_http",
    "hosts",
    "workers",
    "cross_region",
    "require",
    "reason",
    "expires",
    "adopt",
    "only",
];

/// Tables whose keys are names: these stay as they are ordered.
const NAMED: [&str; 7] = [
    "tenants",
    "regions",
    "configs",
    "environments",
    "env",
    "hosts",
    "workers",
];

/// The canonical form of a file.
///
/// # Errors
/// What is wrong with the syntax of a file that is no TOML.
pub fn format(path: &str, text: &str) -> Result<String, Vec<Finding>> {
    let opened = Opened::new(path, text);
    let Ok(document) = text.parse::<DocumentMut>() else {
        return Err(shape::read(opened.lines(), text).findings);
    };
    let mut out = String::with_capacity(text.len());
    for (path, table, array) in tables(&document) {
        write_table(&mut out, &path, table, array);
    }
    let end = Notes::of(Some(document.trailing())).without_gap();
    let first = out.is_empty();
    end.write(&mut out, first);
    if text.parse::<toml::Table>().ok() != out.parse::<toml::Table>().ok() {
        let message = "formatting would change the meaning of this file, so it was left alone";
        let finding = Finding::error("format-failed", message).at(Place::file(path));
        return Err(vec![
            finding.hint("this is a fault of lkroute: please report it"),
        ]);
    }
    Ok(out)
}

/// The tables of a document in the order of the text, each with its path.
fn tables(document: &DocumentMut) -> Vec<(Vec<&str>, &Table, bool)> {
    fn visit<'t>(
        table: &'t Table,
        path: &mut Vec<&'t str>,
        array: bool,
        found: &mut Vec<(isize, Vec<&'t str>, &'t Table, bool)>,
    ) {
        if !table.is_dotted() {
            let last = found.last().map_or(0, |(position, ..)| *position);
            let position = table.position().unwrap_or(last);
            found.push((position, path.clone(), table, array));
        }
        for (key, item) in table.iter() {
            path.push(key);
            match item {
                Item::Table(table) => visit(table, path, false, found),
                Item::ArrayOfTables(tables) => {
                    tables
                        .iter()
                        .for_each(|table| visit(table, path, true, found));
                }
                _ => {}
            }
            path.pop();
        }
    }
    let mut found = Vec::new();
    visit(document.as_table(), &mut Vec::new(), false, &mut found);
    found.sort_by_key(|(position, path, ..)| (!path.is_empty(), *position));
    let found = found.into_iter();
    found
        .map(|(_, path, table, array)| (path, table, array))
        .collect()
}

fn write_table(out: &mut String, path: &[&str], table: &Table, array: bool) {
    let mut values = table.get_values();
    if table.is_implicit() && values.is_empty() {
        return;
    }
    if !path.is_empty() {
        Notes::of(table.decor().prefix()).write_before_table(out);
        let path: Vec<String> = path.iter().map(|key| Key::new(*key).to_string()).collect();
        let (open, close) = if array { ("[[", "]]") } else { ("[", "]") };
        let _ = write!(out, "{open}{}{close}", path.join("."));
        end_line(out, table.decor().suffix());
    }
    if path.last().is_none_or(|key| !NAMED.contains(key)) || path.len() == 2 {
        values.sort_by_key(|(keys, _)| rank(keys));
    }
    let body = out.len();
    for (keys, value) in values {
        let notes = keys.last().and_then(|key| key.leaf_decor().prefix());
        Notes::of(notes).write(out, out.len() == body);
        out.push_str(&key_path(&keys));
        out.push_str(" = ");
        write_value(
            out,
            value,
            0,
            keys.last().is_some_and(|key| NAMED.contains(&key.get())),
        );
        end_line(out, value.decor().suffix());
    }
}

/// The rank of each part of a dotted key, up to the first that is a name.
fn rank(keys: &[&Key]) -> Vec<usize> {
    let mut ranks = Vec::new();
    for key in keys {
        match ORDER.iter().position(|known| *known == key.get()) {
            Some(rank) => ranks.push(rank),
            // `env`, which can be long, and what is unknown come last.
            None => {
                ranks.push(ORDER.len() + usize::from(key.get() != "env"));
                break;
            }
        }
    }
    ranks
}

fn key_path(keys: &[&Key]) -> String {
    let keys: Vec<String> = keys
        .iter()
        .map(|key| Key::new(key.get()).to_string())
        .collect();
    keys.join(".")
}

/// Ends a line, with the comment that stands on it.
fn end_line(out: &mut String, suffix: Option<&RawString>) {
    let comment = suffix
        .and_then(RawString::as_str)
        .unwrap_or_default()
        .trim();
    if !comment.is_empty() {
        out.push(' ');
        out.push_str(comment);
    }
    out.push('\n');
}

fn write_value(out: &mut String, value: &Value, indent: usize, named: bool) {
    match value {
        Value::Array(array) => write_array(out, array, indent),
        Value::InlineTable(table) => write_inline(out, table, indent, named),
        Value::String(text) => out.push_str(&text.display_repr()),
        Value::Integer(number) => out.push_str(&number.display_repr()),
        Value::Float(number) => out.push_str(&number.display_repr()),
        Value::Boolean(flag) => out.push_str(&flag.display_repr()),
        Value::Datetime(time) => out.push_str(&time.display_repr()),
    }
}

fn write_array(out: &mut String, array: &Array, indent: usize) {
    let mut items = Items::new("[", "]");
    for value in array.iter() {
        let mut text = String::new();
        write_value(&mut text, value, indent + 4, false);
        items.add([value.decor().prefix(), value.decor().suffix()], text);
    }
    items.write(out, Some(array.trailing()), indent);
}

fn write_inline(out: &mut String, table: &InlineTable, indent: usize, named: bool) {
    let mut items = Items::new("{ ", " }");
    let mut values = table.get_values();
    if !named {
        values.sort_by_key(|(keys, _)| rank(keys));
    }
    for (keys, value) in values {
        let last = keys.last().map(|key| key.get()).unwrap_or_default();
        let mut text = format!("{} = ", key_path(&keys));
        write_value(&mut text, value, indent + 4, NAMED.contains(&last));
        let before = keys.last().and_then(|key| key.leaf_decor().prefix());
        items.add([before, value.decor().suffix()], text);
    }
    items.write(out, Some(table.trailing()), indent);
}

/// What stands in brackets, on one line or on several.
struct Items {
    brackets: [&'static str; 2],
    /// The comments before an item, the item, the comment behind it.
    items: Vec<(Notes, String, String)>,
    /// Comments between the last item and its comma.
    pending: Notes,
}

impl Items {
    fn new(open: &'static str, close: &'static str) -> Items {
        Items {
            brackets: [open, close],
            items: Vec::new(),
            pending: Notes::default(),
        }
    }

    /// A comment on the line of an item is found before the next one.
    fn add(&mut self, [before, behind]: [Option<&RawString>; 2], text: String) {
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
        std::mem::take(&mut self.pending).then(Notes::read(below))
    }

    fn write(mut self, out: &mut String, trailing: Option<&RawString>, indent: usize) {
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

/// Comment lines; an empty one is a gap, and no two gaps follow each other.
#[derive(Default)]
struct Notes {
    lines: Vec<String>,
    comments: usize,
}

impl Notes {
    fn of(raw: Option<&RawString>) -> Notes {
        Notes::read(raw.and_then(RawString::as_str).unwrap_or_default())
    }

    fn read(raw: &str) -> Notes {
        let mut notes = Notes::default();
        // What follows the last line break is the margin of the next thing.
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

    fn then(mut self, below: Notes) -> Notes {
        self.comments += below.comments;
        for line in below.lines {
            if !line.is_empty() || self.lines.last().is_none_or(|last| !last.is_empty()) {
                self.lines.push(line);
            }
        }
        self
    }

    fn without_gap(mut self) -> Notes {
        if self.lines.last().is_some_and(String::is_empty) {
            self.lines.pop();
        }
        self
    }

    fn write(&self, out: &mut String, first: bool) {
        self.write_indented(out, first, "");
    }

    fn write_indented(&self, out: &mut String, first: bool, margin: &str) {
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
    fn write_before_table(&self, out: &mut String) {
        let gap = self.lines.iter().position(String::is_empty);
        let closes = gap.is_some_and(|gap| gap > 0);
        if !out.is_empty() && gap != Some(0) && !closes {
            out.push('\n');
        }
        self.write(out, out.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn assert_formats(text: &str, expected: &str) {
        let once = format("x.toml", text).unwrap();
        assert_eq!(once, expected);
        assert_eq!(format("x.toml", &once).unwrap(), once);
    }

    #[test]
    fn keys_come_in_order_and_tables_stay() {
        assert_formats(
            "owner='x'\n[configs.\"b\"]\nurl=\"u\"   # note\n\n\nid =  \"i\"\nregion=\"r\"\n[configs.a]\n[[ bindings ]]\nrules={outbound=true,inbound=false}\ntenant=\"t\"\nnumber=\"n\"",
            "owner = 'x'\n\n[configs.b]\nid = \"i\"\nregion = \"r\"\nurl = \"u\" # note\n\n[configs.a]\n\n[[bindings]]\nnumber = \"n\"\ntenant = \"t\"\nrules = { inbound = false, outbound = true }\n",
        );
    }

    #[test]
    fn comments_stay_where_they_belong() {
        let text = "\
#:schema x

# About a.
[regions.a]
# About b.
country_codes = [\"+91\"] # here
# The end of a.

# About c.

# More about c.
[regions.c]
default_config = \"x\"

# The end.
";
        assert_formats(text, text);
        assert_formats("# only this\n\n\n", "# only this\n");
        assert_formats("\n\n  # a\n\n\n\n # b\n[x]\n\n\n", "# a\n\n# b\n[x]\n");
        assert_formats("", "");
        assert_formats("a = 1\r\n\r\n# b\r\n[c]\r\n", "a = 1\n\n# b\n[c]\n");
    }

    #[test]
    fn long_lists_break_and_short_ones_join() {
        assert_formats("a = [\n 1,\n 2\n]", "a = [1, 2]\n");
        let long: Vec<String> = (10..40).map(|n| n.to_string()).collect();
        let lines: String = long.iter().map(|n| std::format!("    {n},\n")).collect();
        assert_formats(
            &std::format!("a = [{}]", long.join(",")),
            &std::format!("a = [\n{lines}]\n"),
        );
        assert_formats(
            "a = [ # open\n1, # one\n\n\n# two\n2 # two\n, 3 ,\n# end\n]",
            "a = [\n    # open\n    1, # one\n\n    # two\n    2, # two\n    3,\n    # end\n]\n",
        );
        assert_formats("a = []\nb = {}", "a = []\nb = {}\n");
        assert_formats("a = [ # c\n]", "a = [\n    # c\n]\n");
    }

    #[test]
    fn what_is_no_toml_is_left_alone() {
        let findings = format("x.toml", "a = 1\na = 2").unwrap_err();
        assert_eq!(findings[0].code, "duplicate");
    }

    #[test]
    fn the_sample_is_formatted() {
        for text in [
            include_str!("../../routing/tenants.toml"),
            include_str!("../../routing/uae.toml"),
            include_str!("../../routing/india.toml"),
        ] {
            assert_formats(text, text);
        }
    }

    prop_compose! {
        fn space()(kind in 0usize..9, n in 0..9) -> String {
            match kind {
                0..=3 => String::new(),
                4 | 5 => "\n".into(),
                6 => "\n\n\n".into(),
                7 => std::format!("  # note {n}\n"),
                _ => std::format!("\n# a {n}\n\n#b\n"),
            }
        }
    }

    prop_compose! {
        fn list()(items in proptest::collection::vec((space(), space()), 0..5), end in space()) -> String {
            let items: String = items.iter().enumerate()
                .map(|(n, (a, b))| std::format!("{a}\"+9195134567{n:02}\"{b},"))
                .collect();
            std::format!("[{items}{end}]")
        }
    }

    prop_compose! {
        fn table()(
            before in space(),
            header in 0usize..6,
            keys in proptest::collection::vec((0usize..12, space(), "( |\t)?(#[a-z ]*)?"), 0..6),
            list in list(),
            n in 0..99,
        ) -> String {
            let header = match header {
                0 | 1 => "[[bindings]]".to_owned(),
                2 => "[[ bindings ]] # x".to_owned(),
                3 => std::format!("[configs.c{n}]"),
                4 => std::format!("[ configs . \"d{n}\" . env.prod]"),
                _ => std::format!("[regions.'r{n}']"),
            };
            let mut used = Vec::new();
            let mut body = String::new();
            for (kind, space, comment) in keys {
                if used.contains(&kind) {
                    continue;
                }
                used.push(kind);
                let line = match kind {
                    0 => "number = \"x\"".to_owned(),
                    1 => std::format!("\"numbers\"={list}"),
                    2 => "tenant='t'".to_owned(),
                    3 => "rules.outbound = true".to_owned(),
                    4 => "rules.inbound= false".to_owned(),
                    5 => "env.prod.config = 'x'".to_owned(),
                    6 => std::format!("rules2 = {{ a=1,b = {list} }}"),
                    7 => "provider = \"\"\"\n# no comment\n\"\"\"".to_owned(),
                    8 => "url = 'a'".to_owned(),
                    9 => "id = \"b\"".to_owned(),
                    10 => "env.dev = { provider = 'x', config = 'y' }".to_owned(),
                    _ => "unknown = 1.50".to_owned(),
                };
                body.push_str(&std::format!("{space}{line}{comment}\n"));
            }
            std::format!("{before}{header}\n{body}")
        }
    }

    /// The words after each `#`, wherever it stands on its line.
    fn notes(text: &str) -> Vec<&str> {
        let comments = text.lines().flat_map(|line| line.split('#').skip(1));
        let mut comments: Vec<&str> = comments.map(str::trim).collect();
        comments.sort_unstable();
        comments
    }

    proptest! {
        #[test]
        fn formatting_keeps_meaning_and_comments_and_is_done_once(
            tables in proptest::collection::vec(table(), 0..5),
            end in space(),
        ) {
            let text = std::format!("{}{end}", tables.concat());
            prop_assume!(text.parse::<toml::Table>().is_ok());
            let once = format("x.toml", &text).unwrap();
            prop_assert_eq!(text.parse::<toml::Table>(), once.parse::<toml::Table>());
            prop_assert_eq!(notes(&text), notes(&once), "{}\n---\n{}", text, once);
            prop_assert_eq!(&format("x.toml", &once).unwrap(), &once, "{}", text);
        }
    }
}
