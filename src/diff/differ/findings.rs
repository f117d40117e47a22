//! What a comparison warns of: several active rows of one number, and `adopt`
//! lines that nothing needs. Core.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{Differ, Map};
use crate::diff::configs::adopt_not_needed;
use crate::diff::plan::{Object, Plan};
use crate::fields::Field;
use crate::finding::{Finding, Place};
use crate::routing::Origin;

impl Differ<'_> {
    pub(super) fn duplicates_of(
        &self,
        ix: u32,
        rows: usize,
        object: Object,
        origin: Option<Origin>,
    ) -> Finding {
        let others = self.rivals.get(&ix).map_or(&[][..], Vec::as_slice);
        let subject = match object {
            Object::Binding { number, tenant } => {
                format!(
                    "{number} for tenant {}",
                    self.tenants[tenant as usize].label()
                )
            }
            Object::Region(_) | Object::Config(_) => String::new(),
        };
        let message =
            format!("{rows} active rows hold {subject}: calls from it fail until one is left");
        let ids: Vec<String> = others.iter().map(Uuid::to_string).collect();
        let finding = Finding::warning("duplicate-rows", message).hint(format!(
            "make all but one inactive in the application; besides what is compared here: {}",
            ids.join(", ")
        ));
        finding.at(origin.map(|origin| self.line(origin)))
    }

    fn line(&self, origin: Origin) -> Place {
        let mut files = self.routing.files.iter().chain(&self.snapshot.files);
        let file = files.nth(origin.file as usize).cloned();
        Place::line(file.unwrap_or_default(), origin.line)
    }

    /// Warns of `adopt` lines that no binding of their settings needed, at
    /// the first of those bindings.
    pub(super) fn warn_adopt(&self, plan: &mut Plan) {
        let mut unused: BTreeMap<u32, Vec<Field>> = BTreeMap::new();
        for (settings, field) in self.classifier.unused_adopt() {
            unused.entry(settings).or_default().push(field);
        }
        if unused.is_empty() {
            return;
        }
        let mut first: Map<u32, Origin> = Map::default();
        for binding in &self.routing.bindings {
            let origin = first.entry(binding.settings).or_insert(binding.origin);
            *origin = binding.origin.min(*origin);
        }
        for (settings, fields) in unused {
            let place = first.get(&settings).map(|origin| self.line(*origin));
            plan.findings.push(adopt_not_needed(&fields).at(place));
        }
    }
}
