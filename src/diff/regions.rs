//! Declared regions against those of the last apply: no other table has any.
//! Core.

use std::collections::BTreeMap;

use super::compare::{Sides, compare};
use super::object_change::{ObjectChange, Objects, applied_origin};
use super::plan::{Action, Kind};
use crate::fields::{Field, Fields};
use crate::routing::{Region, Routing};
use crate::snapshot::{OwnedRegion, Snapshot};

/// What the files say about a region.
pub(super) fn region_fields(region: &Region) -> Fields {
    let codes: Vec<String> = region
        .country_codes
        .iter()
        .map(ToString::to_string)
        .collect();
    let mut fields = Fields::new().with(Field::CountryCodes, codes);
    fields.set_text(Field::Description, region.description.as_deref());
    fields.set_text(Field::DefaultConfig, region.default_config.as_deref());
    fields
}

pub(super) fn compare_regions(routing: &Routing, snapshot: &Snapshot, found: &mut Objects) {
    let owned: BTreeMap<&str, &OwnedRegion> = snapshot
        .owned_regions
        .iter()
        .map(|region| (region.name.as_str(), region))
        .collect();
    for (name, region) in &routing.regions {
        let fields = region_fields(region);
        let before = owned.get(name.as_str());
        let nothing = Fields::new();
        let sides = Sides {
            declared: Some(&fields),
            owned: before.map(|owned| &owned.fields),
            live: before.map_or(&nothing, |owned| &owned.fields),
            whole: true,
            adopt: &[],
        };
        let (patch, _) = compare(sides, &Field::OF_REGION);
        if patch.fields.is_empty() && before.is_some() {
            found.unchanged += 1;
            continue;
        }
        found.regions.push(ObjectChange {
            name: name.clone(),
            action: if before.is_some() {
                Action::Update
            } else {
                Action::Create
            },
            patch,
            row: None,
            previous: None,
            origin: Some(region.origin),
            owned: Some(fields),
            inserted: true,
            insert: before.is_none(),
            secret: None,
        });
    }
    for (name, region) in owned
        .into_iter()
        .filter(|(name, _)| !routing.regions.contains_key(*name))
    {
        let sides = Sides {
            declared: None,
            owned: Some(&region.fields),
            live: &region.fields,
            whole: true,
            adopt: &[],
        };
        let mut patch = compare(sides, &Field::OF_REGION).0;
        patch.fields.retain(|change| change.kind != Kind::Release);
        found.regions.push(ObjectChange {
            name: name.to_owned(),
            action: Action::Delete,
            patch,
            row: None,
            previous: None,
            origin: applied_origin(routing, region.source),
            owned: None,
            inserted: true,
            insert: false,
            secret: None,
        });
    }
}
