//! Going back past a takeover: what became lkroute's since is given back with
//! what it held before, instead of being emptied or deleted. Core.

use hashbrown::HashMap;

use crate::diff::plan::{Action, Change, FieldChange, Kind, Object, Patch, Plan};
use crate::fields::{Field, Fields, FieldsPool};
use crate::finding::Finding;
use crate::history::PreviousValues;
use crate::list_index::push_indexed;

impl Plan {
    /// The same plan, of a state that is to come back. `pool` is that of
    /// `found`.
    pub fn giving_back(mut self, found: &PreviousValues, pool: &FieldsPool) -> Plan {
        let mut counts = self.counts();
        let mut patches: HashMap<Patch, u32> = HashMap::new();
        let mut changes = std::mem::take(&mut self.changes);
        for change in &mut changes {
            let Some(patch) = self.given_back(change, found, pool) else {
                continue;
            };
            self.uncount(change, &patch, &mut counts);
            if change.owned.is_none() {
                change.action = Action::Release;
            }
            change.patch = *patches
                .entry(patch)
                .or_insert_with_key(|patch| push_indexed(&mut self.patches, patch.clone()));
        }
        self.changes = changes;
        self.set_counts(counts);
        self
    }

    /// The patch that gives back what others had, where it is not the one
    /// that is planned.
    fn given_back(
        &mut self,
        change: &Change,
        found: &PreviousValues,
        pool: &FieldsPool,
    ) -> Option<Patch> {
        let row = change.row?;
        let stays = change.owned.is_some();
        if !stays && (change.inserted || change.action != Action::Delete) {
            return None;
        }
        let nothing = Fields::new();
        let held = match change.object {
            Object::Region(_) => return None,
            // Configs are taken over whole: nothing of one that stays is given back.
            Object::Config(_) if stays => return None,
            Object::Config(_) => found.configs.get(&row).map(|config| &config.fields)?,
            Object::Binding { .. } => found
                .bindings
                .get(&row)
                .map_or(&nothing, |ix| pool.get(*ix)),
        };
        let planned = self.patch(change).clone();
        let declared = change.owned.map(|owned| self.pool.get(owned));
        let gone = |field: Field| declared.is_none_or(|fields| !fields.contains(field));
        let back = |field: &FieldChange| {
            if gone(field.field) && field.field != Field::Status {
                give_back(field, held)
            } else {
                field.clone()
            }
        };
        let mut patch = Patch {
            fields: planned.fields.iter().map(back).collect(),
        };
        if let Some(config) = found.configs.get(&row).filter(|_| !stays)
            && config.sealed.is_none()
        {
            self.keep_secret(change, &mut patch);
        }
        (patch != planned || !stays).then_some(patch)
    }

    /// Plain text is never kept in lkroute's tables, so it can't come back.
    fn keep_secret(&mut self, change: &Change, patch: &mut Patch) {
        let secret = |field: &&mut FieldChange| field.field == Field::ApiSecret;
        let Some(secret) = patch.fields.iter_mut().find(secret) else {
            return;
        };
        if secret.kind == Kind::Set {
            secret.kind = Kind::Release;
            secret.after = secret.before.clone();
            let address = self.address(change.object);
            let message = format!("{address} keeps its sealed secret: before, it was plain text");
            self.findings
                .push(Finding::warning("secret-not-restored", message));
        }
    }
}

/// A field that is still as lkroute left it gets what it held before; what
/// others changed since stays theirs.
fn give_back(change: &FieldChange, held: &Fields) -> FieldChange {
    let as_left = change.applied.is_none() && change.kind != Kind::Conflict;
    let after = if as_left && !change.field.is_ours_only() {
        held.get(change.field).cloned()
    } else {
        change.before.clone()
    };
    FieldChange {
        kind: if after == change.before {
            Kind::Release
        } else {
            Kind::Set
        },
        after,
        ..change.clone()
    }
}
