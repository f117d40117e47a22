//! The configs and regions as they are once a plan is carried out. Core.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::diff::plan::{Action, Change, FieldChange, Kind, Object, Plan, SecretOutcome};
use crate::fields::Field;
use crate::resolve::facts::codes_of;
use crate::resolve::{CallBasis, ConfigFact, Configs, Regions};

/// What calls are resolved with after a plan.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct BasisAfter {
    pub basis: CallBasis,
    /// Configs whose secret is written without anybody here being able to
    /// say whether it is another one.
    pub not_compared: BTreeSet<Uuid>,
}

/// Configs and regions of [`Plan::basis`], as the plan leaves them.
pub(crate) fn basis_after(plan: &Plan) -> BasisAfter {
    let mut after = BasisAfter {
        basis: plan.basis.clone(),
        not_compared: BTreeSet::new(),
    };
    for change in &plan.changes {
        if plan.in_conflict(change) {
            continue;
        }
        match change.object {
            Object::Region(ix) => {
                region(
                    plan,
                    change,
                    &plan.names[ix as usize],
                    &mut after.basis.regions,
                );
            }
            Object::Config(_) => {
                config(plan, change, &mut after.basis.configs);
                let unknown = plan.secret_outcome(change) == Some(SecretOutcome::NotCompared);
                after.not_compared.extend(change.row.filter(|_| unknown));
            }
            Object::Binding { .. } => {}
        }
    }
    after
}

fn region(plan: &Plan, change: &Change, name: &str, regions: &mut Regions) {
    match change.action {
        // Regions are in lkroute's own tables only, so a released one is gone.
        Action::Delete | Action::Release => {
            regions.0.remove(name);
        }
        Action::Create | Action::Update | Action::Adopt | Action::Reseal => {
            let codes = regions.0.entry(name.to_owned()).or_default();
            let mut fields = plan.patch(change).fields.iter();
            if let Some(changed) = fields.find(|field| field.field == Field::CountryCodes) {
                *codes = codes_of(changed.after.as_ref());
            }
        }
    }
}

fn config(plan: &Plan, change: &Change, configs: &mut Configs) {
    let (Some(id), patch) = (change.row, plan.patch(change)) else {
        return;
    };
    if change.action == Action::Delete {
        if is_released(&patch.fields) {
            forget_ours(id, configs);
        } else {
            configs.remove(id);
        }
        return;
    }
    if change.action == Action::Release {
        forget_ours(id, configs);
        return;
    }
    let mut config = configs.get(id).cloned().unwrap_or_else(|| ConfigFact {
        id: Some(id),
        ..ConfigFact::default()
    });
    // A secret that was only sealed anew is the same one; one that could not be
    // compared is not taken for another.
    let same_secret = matches!(
        plan.secret_outcome(change),
        Some(SecretOutcome::Resealed | SecretOutcome::NotCompared)
    );
    let set = |field: &&FieldChange| {
        field.kind != Kind::Release && !(field.field == Field::ApiSecret && same_secret)
    };
    for field in patch.fields.iter().filter(set) {
        config.fields.set(field.field, field.after.clone());
    }
    if let Some(line) = plan.source(change) {
        config.place = config.place.declared_at(line);
    }
    configs.insert(config);
}

/// What only lkroute's tables hold of a config ends with its care for it, and
/// no call falls back to one that is not lkroute's.
fn forget_ours(id: Uuid, configs: &mut Configs) {
    if let Some(config) = configs.get_mut(id) {
        config.fields.take_ours(None);
    }
    let text = id.to_string();
    let falls_back = |config: &&ConfigFact| config.text(Field::Fallback) == Some(&text);
    let ids: Vec<Uuid> = configs
        .iter()
        .filter(falls_back)
        .filter_map(|c| c.id)
        .collect();
    for id in ids {
        if let Some(config) = configs.get_mut(id) {
            config.fields.set(Field::Fallback, None);
        }
    }
}

/// Whether an object stops being ours and stays as it is.
fn is_released(fields: &[FieldChange]) -> bool {
    !fields.is_empty() && fields.iter().all(|field| field.kind == Kind::Release)
}
