//! Compares all regions and configs, and reports what concerns several of them.
//! Core.

use uuid::Uuid;

use super::configs::compare_configs;
use super::object_change::{ObjectChange, Objects};
use super::plan::Action;
use super::regions::compare_regions;
use super::secret::SecretFacts;
use crate::fields::Field;
use crate::finding::Finding;
use crate::routing::Routing;
use crate::snapshot::Snapshot;

/// Compares regions and configs. `new_id` makes ids for rows to insert.
pub(super) fn compare_objects(
    routing: &Routing,
    snapshot: &Snapshot,
    facts: &SecretFacts,
    new_id: &mut dyn FnMut() -> Uuid,
) -> Objects {
    let mut found = Objects::default();
    compare_regions(routing, snapshot, &mut found);
    compare_configs(routing, snapshot, facts, new_id, &mut found);
    renamed_without_saying(routing, &mut found);
    found
}

/// Config rows that no number can name, by their ids.
pub(super) fn odd_configs(snapshot: &Snapshot) -> impl Iterator<Item = Finding> {
    snapshot.odd_configs.iter().map(|row| {
        let message = format!(
            "the config row `{}`, called `{}`, is passed over: its id is no uuid",
            row.id, row.name
        );
        Finding::warning("odd-id", message).hint("give it a uuid in the application")
    })
}

/// Config rows that hold bytes that are no text, by their ids.
pub(super) fn broken_configs(snapshot: &Snapshot) -> impl Iterator<Item = Finding> {
    let broken = snapshot.configs.iter().filter(|row| !row.broken.is_empty());
    broken.map(|row| {
        let fields = row.broken.iter().map(|field| format!("`{field}`"));
        let fields = fields.collect::<Vec<_>>().join(", ");
        let message = format!("the config row {} has broken bytes in {fields}", row.id);
        let hint = "\u{fffd} stands for them here; a change of the field replaces them";
        Finding::warning("broken-bytes", message).hint(hint)
    })
}

/// A delete and a create at one URL is most likely a rename.
fn renamed_without_saying(routing: &Routing, found: &mut Objects) {
    let url = |change: &ObjectChange, before: bool| {
        let field = change.patch.fields.iter().find(|f| f.field == Field::Url)?;
        if before {
            field.before.clone()
        } else {
            field.after.clone()
        }
    };
    let mut findings = Vec::new();
    for gone in found
        .configs
        .iter()
        .filter(|change| change.action == Action::Delete)
    {
        let (Some(at), Some(id)) = (url(gone, true), gone.previous) else {
            continue;
        };
        let twin = found.configs.iter().find(|change| {
            change.action == Action::Create && url(change, false).as_ref() == Some(&at)
        });
        let Some(twin) = twin else { continue };
        let message = format!(
            "config `{}` would be deleted and `{}` created at the same URL",
            gone.name, twin.name
        );
        let hint = format!(
            "if it was renamed, write `formerly = \"{}\"` or `id = \"{id}\"` into `{}`, which keeps its row",
            gone.name, twin.name
        );
        let finding = Finding::error("rename-without-formerly", message).hint(hint);
        findings.push(finding.at(twin.origin.map(|origin| routing.place(origin))));
    }
    found.findings.extend(findings);
}
