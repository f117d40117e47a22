//! Changes to one file's text, comments and layout kept: `adopt` lines,
//! sealed secrets, values accepted from the database. Text in, text out.
//! Core; imports only core.
//!
//! A binding may sit in a group or a range of which only some numbers change;
//! these are split off into tables of their own, right behind it.

mod bindings;
mod changes;
mod values;

use toml_edit::{DocumentMut, Item};

use changes::apply_edit;
pub(crate) use changes::{Edit, EditError, Edits};

/// The text with these changes made; what is not in it is an error.
///
/// # Errors
/// See [`EditError`]; nothing is changed then.
pub(crate) fn edit_text(text: &str, edits: &Edits) -> Result<String, EditError> {
    let mut document: DocumentMut = text.parse().map_err(|_| EditError::NotToml)?;
    for (name, changes) in &edits.configs {
        let config = document
            .get_mut("configs")
            .and_then(Item::as_table_like_mut)
            .and_then(|configs| configs.get_mut(name))
            .and_then(Item::as_table_like_mut)
            .ok_or_else(|| EditError::Gone(name.clone()))?;
        for change in changes {
            apply_edit(config, change, edits.environment.as_deref())?;
        }
    }
    if !edits.bindings.is_empty() {
        bindings::edit_bindings(&mut document, edits)?;
    }
    Ok(document.to_string())
}

#[cfg(test)]
mod tests;
