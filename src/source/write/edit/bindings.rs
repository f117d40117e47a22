//! Bindings, alone and in groups and ranges. Core.

use std::collections::{BTreeMap, BTreeSet};

use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, TableLike};
use uuid::Uuid;

use super::changes::{Edit, EditError, Edits, apply_edit};
use crate::address::Address;
use crate::phone::{E164, NumberRange};

/// Contiguous numbers from this many on are written as a range.
const RANGE_FROM: usize = 4;

/// Makes the changes of bindings in this file.
pub(super) fn edit_bindings(document: &mut DocumentMut, edits: &Edits) -> Result<(), EditError> {
    let mut wanted: BTreeMap<(E164, Uuid), &[Edit]> = BTreeMap::new();
    for (key, changes) in &edits.bindings {
        wanted.insert(*key, changes);
    }
    let by_hand = || EditError::ByHand("`bindings`".to_owned());
    let tables = match document.get_mut("bindings") {
        Some(item) => item.as_array_of_tables_mut().ok_or_else(by_hand)?,
        None => return Err(not_found(&wanted)),
    };
    let mut edited = ArrayOfTables::new();
    for table in std::mem::take(tables) {
        for table in edit_table(table, &mut wanted, edits)? {
            edited.push(table);
        }
    }
    *tables = edited;
    if wanted.is_empty() {
        Ok(())
    } else {
        Err(not_found(&wanted))
    }
}

fn not_found(wanted: &BTreeMap<(E164, Uuid), &[Edit]>) -> EditError {
    let first = wanted.keys().next();
    let address = first.map(|(number, tenant)| Address::Binding(*number, tenant.to_string()));
    EditError::Gone(address.map_or_else(String::new, |address| address.to_string()))
}

/// Edits one table, whose numbers it takes out of `wanted`; several tables
/// where only a part of it changes.
fn edit_table(
    mut table: Table,
    wanted: &mut BTreeMap<(E164, Uuid), &[Edit]>,
    edits: &Edits,
) -> Result<Vec<Table>, EditError> {
    let Some(tenant) = table_tenant(&table, edits) else {
        return Ok(vec![table]);
    };
    let mut parts: BTreeMap<Vec<String>, (&[Edit], Vec<E164>)> = BTreeMap::new();
    let mut rest = Vec::new();
    let numbers = table_numbers(&table);
    for number in &numbers {
        match wanted.remove(&(*number, tenant)) {
            Some(changes) => {
                let kind = changes.iter().map(|change| format!("{change:?}")).collect();
                parts
                    .entry(kind)
                    .or_insert((changes, Vec::new()))
                    .1
                    .push(*number);
            }
            None => rest.push(*number),
        }
    }
    if parts.is_empty() {
        return Ok(vec![table]);
    }
    let environment = edits.environment.as_deref();
    let all = parts.len();
    parts.retain(|_, (changes, _)| !changes.contains(&Edit::Remove));
    if rest.is_empty() && all == 1 && parts.len() == 1 {
        for change in parts.into_values().flat_map(|(changes, _)| changes) {
            apply_edit(&mut table, change, environment)?;
        }
        return Ok(vec![table]);
    }
    let mut tables = keep_numbers(&table, &rest);
    for (changes, numbers) in parts.into_values() {
        for mut split in tables_holding(&table, &numbers) {
            for change in changes {
                apply_edit(&mut split, change, environment)?;
            }
            tables.push(split);
        }
    }
    for table in tables.iter_mut().skip(1) {
        detach_table(table);
    }
    Ok(tables)
}

fn table_tenant(table: &Table, edits: &Edits) -> Option<Uuid> {
    let name = table.get("tenant")?.as_str()?;
    edits
        .aliases
        .get(name)
        .copied()
        .or_else(|| name.parse().ok())
}

/// The numbers of a table, in its order; what can't be read is passed over.
fn table_numbers(table: &Table) -> Vec<E164> {
    let parse = |item: &toml_edit::Value| E164::parse(item.as_str()?).ok();
    if let Some(number) = table.get("number").and_then(Item::as_value) {
        return parse(number).into_iter().collect();
    }
    if let Some(numbers) = table.get("numbers").and_then(Item::as_array) {
        return numbers.iter().filter_map(parse).collect();
    }
    let ends = table.get("range").and_then(Item::as_array);
    let ends: Vec<E164> = ends.into_iter().flatten().filter_map(parse).collect();
    match ends.as_slice() {
        [first, last] => NumberRange::new(*first, *last)
            .map(|range| range.iter().collect())
            .unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// The table with only these of its numbers. A list keeps its layout and
/// comments; a range falls into parts.
fn keep_numbers(table: &Table, rest: &[E164]) -> Vec<Table> {
    if rest.is_empty() {
        return Vec::new();
    }
    let Some(list) = table.get("numbers").and_then(Item::as_array) else {
        return tables_holding(table, rest);
    };
    let kept = thinned_list(list, rest);
    let mut table = table.clone();
    if let Some(numbers) = table.get_mut("numbers").and_then(Item::as_array_mut) {
        *numbers = kept;
    }
    vec![table]
}

/// The list with only these numbers. A comment behind a number stands before
/// the next one as TOML sees it: it stays with the number that it follows.
fn thinned_list(list: &Array, rest: &[E164]) -> Array {
    let rest: BTreeSet<E164> = rest.iter().copied().collect();
    let mut kept = list.clone();
    let mut stays = Vec::new();
    let mut behind: Option<String> = None;
    for value in kept.iter_mut() {
        let number = value.as_str().and_then(|text| E164::parse(text).ok());
        let keep = number.is_none_or(|number| rest.contains(&number));
        let prefix = value
            .decor()
            .prefix()
            .and_then(|prefix| prefix.as_str())
            .unwrap_or_default();
        let (first, below) = prefix.split_once('\n').unwrap_or(("", prefix));
        let first = behind.take().unwrap_or_else(|| first.to_owned());
        let prefix = if prefix.contains('\n') {
            format!("{first}\n{below}")
        } else {
            prefix.to_owned()
        };
        if keep {
            value.decor_mut().set_prefix(prefix);
        } else {
            behind = Some(first);
        }
        stays.push(keep);
    }
    let mut stays = stays.into_iter();
    kept.retain(|_| stays.next().unwrap_or(true));
    if let Some(first) = behind {
        let trailing = kept.trailing().as_str().unwrap_or_default();
        let below = trailing.split_once('\n').map_or("", |(_, below)| below);
        kept.set_trailing(format!("{first}\n{below}"));
    }
    kept
}

/// Copies of the table that hold these numbers: as ranges where they follow
/// one another, else alone or in one list.
fn tables_holding(table: &Table, numbers: &[E164]) -> Vec<Table> {
    let mut tables = Vec::new();
    let mut alone = Vec::new();
    for run in number_runs(numbers) {
        match run {
            [first, .., last] if run.len() >= RANGE_FROM => {
                let ends = [first, last].map(|end| end.to_string());
                tables.push(with_numbers(table, "range", Array::from_iter(ends).into()));
            }
            _ => alone.extend(run.iter().map(ToString::to_string)),
        }
    }
    match alone.as_slice() {
        [] => {}
        [number] => tables.push(with_numbers(table, "number", number.as_str().into())),
        _ => tables.push(with_numbers(
            table,
            "numbers",
            Array::from_iter(&alone).into(),
        )),
    }
    tables
}

/// Runs of numbers that follow one another.
fn number_runs(numbers: &[E164]) -> impl Iterator<Item = &[E164]> {
    numbers.chunk_by(|a, b| a.next() == Some(*b))
}

/// The table with another way of naming numbers, first as it was.
fn with_numbers(table: &Table, key: &str, value: toml_edit::Value) -> Table {
    let mut table = table.clone();
    for other in ["number", "numbers", "range"] {
        table.remove(other);
    }
    crate::source::write::edit::values::set_first(&mut table, key, value);
    table
}

/// Lets a copied table stand where it comes, not where its original stood,
/// and without the comments above that.
fn detach_table(table: &mut Table) {
    table.decor_mut().set_prefix("\n");
    place_anew(table);
}

fn place_anew(table: &mut Table) {
    table.set_position(None);
    for (_, item) in TableLike::iter_mut(table) {
        if let Item::Table(below) = item {
            place_anew(below);
        }
    }
}
