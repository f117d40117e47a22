//! The pairs of tenant and number that a plan is about, and what is known of
//! each. Core.
//!
//! Declared pairs are sorted and found by binary search; a hash table of a
//! million would cost more. Rows that were written together are read together,
//! so the pair after the last one found is tried first, which mostly is it.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::list_index::index_of;
use crate::phone::RowKey;

/// No index.
pub(super) const NONE: u32 = u32::MAX;

/// What is known about one (tenant, number): indices, or [`NONE`].
#[derive(Debug, Clone, Copy)]
pub(super) struct BindingSlot {
    key: RowKey,
    pub tenant: u32,
    pub declared: u32,
    pub owned: u32,
    pub live: u32,
}

impl BindingSlot {
    fn name(&self) -> (u32, RowKey) {
        (self.tenant, self.key)
    }
}

/// Slots by number, from 0 on.
#[derive(Debug)]
pub(super) struct BindingIndex {
    pub all: Vec<BindingSlot>,
    /// How many of them are declared: sorted, and first.
    declared: usize,
    /// The rest.
    others: HashMap<(u32, RowKey), u32, RandomState>,
    /// The slot after the one that was met last.
    next: usize,
}

impl BindingIndex {
    /// One for each that is declared: its tenant and key.
    pub(super) fn new(declared: impl Iterator<Item = (u32, RowKey)>) -> BindingIndex {
        let mut all: Vec<BindingSlot> = (0u32..)
            .zip(declared)
            .map(|(declared, (tenant, key))| BindingSlot {
                key,
                tenant,
                declared,
                owned: NONE,
                live: NONE,
            })
            .collect();
        all.sort_by_key(BindingSlot::name);
        // Of two alike the last one counts.
        all.dedup_by(|later, kept| {
            let same = later.name() == kept.name();
            if same {
                *kept = *later;
            }
            same
        });
        BindingIndex {
            declared: all.len(),
            all,
            others: HashMap::default(),
            next: 0,
        }
    }

    /// All slots: the declared ones by the rank of their tenant, then the rest.
    pub(super) fn in_order(&self, ranks: &[u32]) -> impl Iterator<Item = u32> + use<> {
        let mut from = 0;
        let runs = self.all[..self.declared].chunk_by(|a, b| a.tenant == b.tenant);
        let mut runs: Vec<_> = runs
            .map(|run| {
                let range = from..from + index_of(run.len());
                from = range.end;
                (ranks[run[0].tenant as usize], range)
            })
            .collect();
        runs.sort_unstable_by_key(|(rank, _)| *rank);
        let declared = runs.into_iter().flat_map(|(_, range)| range);
        declared.chain(index_of(self.declared)..index_of(self.all.len()))
    }

    /// The slot of a number, where it has one.
    pub(super) fn find(&mut self, tenant: u32, key: RowKey) -> Option<u32> {
        let name = (tenant, key);
        if self
            .all
            .get(self.next)
            .is_none_or(|slot| slot.name() != name)
        {
            let declared = &self.all[..self.declared];
            self.next = match declared.binary_search_by_key(&name, BindingSlot::name) {
                Ok(found) => found,
                Err(_) => *self.others.get(&name)? as usize,
            };
        }
        self.next += 1;
        Some(index_of(self.next - 1))
    }

    /// The same; a new one where it has none.
    pub(super) fn find_or_add(&mut self, tenant: u32, key: RowKey) -> u32 {
        self.find(tenant, key).unwrap_or_else(|| {
            let ix = index_of(self.all.len());
            self.others.insert((tenant, key), ix);
            self.all.push(BindingSlot {
                key,
                tenant,
                declared: NONE,
                owned: NONE,
                live: NONE,
            });
            self.next = self.all.len();
            ix
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phone::E164;

    fn key(n: u64) -> RowKey {
        E164::from_digits(971_545_335_000 + n).unwrap().row_key()
    }

    #[test]
    fn each_number_has_one_slot_in_whatever_order_it_is_asked_for() {
        let declared = [(1, 7), (0, 3), (0, 9), (1, 3), (0, 3)];
        let mut slots = BindingIndex::new(declared.into_iter().map(|(tenant, n)| (tenant, key(n))));
        assert_eq!(slots.all.len(), 4);
        assert_eq!(slots.find_or_add(2, key(5)), 4);
        for order in [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 0, 4, 1, 3]] {
            for ix in order {
                let (tenant, key) = slots.all[ix].name();
                assert_eq!(slots.find(tenant, key), Some(index_of(ix)));
                assert_eq!(slots.find_or_add(tenant, key), index_of(ix));
            }
            assert_eq!(slots.find(2, key(3)), None);
        }
        assert!(slots.in_order(&[9, 7, 0]).eq([2, 3, 0, 1, 4]));
        let last = slots.find(0, key(3)).map(|ix| slots.all[ix as usize]);
        assert_eq!(last.map(|slot| slot.declared), Some(4));
    }
}
