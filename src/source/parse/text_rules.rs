//! What names and texts of the files may be. Core; imports only
//! `invisible_chars`.

use std::collections::BTreeSet;

use crate::invisible_chars;

/// A list whose order means nothing, so that another order is no change.
pub(super) fn as_set<T: Ord>(items: impl Iterator<Item = T>) -> Vec<T> {
    let items: BTreeSet<T> = items.collect();
    items.into_iter().collect()
}

/// Why a name is none: besides, it is compared with what others write.
pub(super) fn unfit_name(text: &str) -> Option<String> {
    let blanks = text.trim() != text && !text.trim().is_empty();
    let blanks = blanks.then(|| "has blanks at its ends".to_owned());
    why_unfit(text, 255, false).or(blanks)
}

/// Why a text can't be stored; `None` if it can. Prose may have several lines,
/// and the marks that writing from right to left needs.
pub(super) fn why_unfit(text: &str, most: usize, prose: bool) -> Option<String> {
    if text.trim().is_empty() {
        return Some("is empty".to_owned());
    }
    let invisible = if prose {
        text.chars()
            .find(|c| c.is_control() && !"\n\t".contains(*c))
    } else {
        invisible_chars::first_invisible(text)
    };
    match invisible {
        Some('\n' | '\r') => return Some("has more than one line".to_owned()),
        Some('\t') => return Some("holds a tab".to_owned()),
        Some(c) => {
            let code = u32::from(c);
            return Some(format!("holds U+{code:04X}, which nobody sees"));
        }
        None => {}
    }
    let long = text.chars().count() > most;
    long.then(|| format!("is longer than {most} characters"))
}

pub(super) fn is_variable(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty() && name.chars().all(fits) && !name.starts_with(|c: char| c.is_ascii_digit())
}
