//! An interning pool: equal sets of fields are stored once, and known by an
//! index. Model: imports its siblings and `list_index`.

use super::set::Fields;
use crate::list_index::push_indexed;

/// Distinct [`Fields`] kept once and named by a small number: a million
/// bindings share a few hundred sets.
#[derive(Debug, Clone, Default)]
pub struct FieldsPool {
    sets: Vec<Fields>,
    index: hashbrown::HashMap<Fields, FieldsIx, foldhash::fast::RandomState>,
}

/// The number of a set in a [`FieldsPool`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldsIx(pub u32);

impl FieldsPool {
    /// The number of this set, which is added where it is new.
    pub fn intern(&mut self, fields: Fields) -> FieldsIx {
        if let Some(found) = self.index.get(&fields) {
            return *found;
        }
        let ix = FieldsIx(push_indexed(&mut self.sets, fields.clone()));
        self.index.insert(fields, ix);
        ix
    }

    pub fn get(&self, ix: FieldsIx) -> &Fields {
        &self.sets[ix.0 as usize]
    }

    pub fn len(&self) -> usize {
        self.sets.len()
    }

    pub fn is_empty(&self) -> bool {
        self.sets.is_empty()
    }
}

impl From<Vec<Fields>> for FieldsPool {
    fn from(sets: Vec<Fields>) -> FieldsPool {
        let mut pool = FieldsPool::default();
        for fields in sets {
            pool.intern(fields);
        }
        pool
    }
}

impl From<FieldsPool> for Vec<Fields> {
    fn from(pool: FieldsPool) -> Vec<Fields> {
        pool.sets
    }
}

#[cfg(test)]
mod tests {
    use super::super::field::Field;
    use super::*;

    #[test]
    fn equal_sets_share_a_number() {
        let mut pool = FieldsPool::default();
        let one = pool.intern(Fields::new().with(Field::Provider, "a"));
        let two = pool.intern(Fields::new().with(Field::Provider, "b"));
        assert_ne!(one, two);
        assert_eq!(pool.intern(Fields::new().with(Field::Provider, "a")), one);
        assert_eq!(pool.len(), 2);
    }
}
