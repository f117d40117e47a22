//! Indexes into lists as `u32`: settings, tenants, patches and names are kept
//! once, and a million bindings refer to them in four bytes each. Model: imports
//! nothing of lkroute.

/// A place in a list. There is none at `u32::MAX`: lists of four billion items
/// do not fit into a machine's memory, and files are refused far earlier.
pub(crate) fn index_of(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

/// Adds an item to a list; its place.
pub(crate) fn push_indexed<T>(list: &mut Vec<T>, item: T) -> u32 {
    list.push(item);
    index_of(list.len() - 1)
}
