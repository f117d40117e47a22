//! Canonical text: what `lkroute fmt` writes. Comments and the order of tables
//! stay; the order of keys, the space between things and the breaking of lists
//! are the same everywhere. Core; imports only its siblings and
//! [`crate::finding`].

mod brackets;
mod notes;

use std::fmt::Write;

use toml_edit::{Array, DocumentMut, InlineTable, Item, Key, RawString, Table, Value};

use super::key_order::{NAMED, ORDER};
use brackets::Items;
use notes::Notes;

use crate::finding::{Finding, Place};
use crate::source::line_index::OpenedFile;
use crate::source::parse::syntax;

/// The canonical form of a file.
///
/// # Errors
/// What is wrong with the syntax of a file that is no TOML.
pub fn format_text(path: &str, text: &str) -> Result<String, Vec<Finding>> {
    let opened = OpenedFile::new(path, text);
    let Ok(document) = text.parse::<DocumentMut>() else {
        return Err(syntax::read_shape(opened.lines(), text).findings);
    };
    let mut out = String::with_capacity(text.len());
    for (path, table, array) in tables_in_order(&document) {
        write_table(&mut out, &path, table, array);
    }
    let end = Notes::of(Some(document.trailing())).without_gap();
    let first = out.is_empty();
    end.write_notes(&mut out, first);
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
fn tables_in_order(document: &DocumentMut) -> Vec<(Vec<&str>, &Table, bool)> {
    fn collect_tables<'t>(
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
        for (key, item) in table {
            path.push(key);
            match item {
                Item::Table(table) => collect_tables(table, path, false, found),
                Item::ArrayOfTables(tables) => {
                    tables
                        .iter()
                        .for_each(|table| collect_tables(table, path, true, found));
                }
                _ => {}
            }
            path.pop();
        }
    }
    let mut found = Vec::new();
    collect_tables(document.as_table(), &mut Vec::new(), false, &mut found);
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
        values.sort_by_key(|(keys, _)| key_ranks(keys));
    }
    let body = out.len();
    for (keys, value) in values {
        let notes = keys.last().and_then(|key| key.leaf_decor().prefix());
        Notes::of(notes).write_notes(out, out.len() == body);
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
fn key_ranks(keys: &[&Key]) -> Vec<usize> {
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
    for value in array {
        let mut text = String::new();
        write_value(&mut text, value, indent + 4, false);
        items.add_item([value.decor().prefix(), value.decor().suffix()], text);
    }
    items.write_items(out, Some(array.trailing()), indent);
}

fn write_inline(out: &mut String, table: &InlineTable, indent: usize, named: bool) {
    let mut items = Items::new("{ ", " }");
    let mut values = table.get_values();
    if !named {
        values.sort_by_key(|(keys, _)| key_ranks(keys));
    }
    for (keys, value) in values {
        let last = keys.last().map(|key| key.get()).unwrap_or_default();
        let mut text = format!("{} = ", key_path(&keys));
        write_value(&mut text, value, indent + 4, NAMED.contains(&last));
        let before = keys.last().and_then(|key| key.leaf_decor().prefix());
        items.add_item([before, value.decor().suffix()], text);
    }
    items.write_items(out, Some(table.trailing()), indent);
}

#[cfg(test)]
mod tests;
