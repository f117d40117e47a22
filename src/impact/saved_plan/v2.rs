//! Format 2 of saved plans, as it stands in files. It is read for ever: who
//! has to change what a key means makes a format 3 beside it. Core.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::contents::SavedPlan;
use super::frozen::{Frozen, frozen_enum, frozen_struct};
use crate::diff::alias_change::AliasChange;
use crate::diff::plan::{
    Action, BindingGroup, Change, FieldChange, ForeignRows, Kind, Object, Patch, Plan,
    SecretOutcome, Unchecked, WhyHeld,
};
use crate::fields::{Field, Fields};
use crate::finding::{Finding, Place, Severity};
use crate::impact::window_sum::WindowSum;
use crate::invisible_chars::visible;
use crate::phone::{E164, Prefix};
use crate::resolve::{CallBasis, ConfigFact};
use crate::routing::guards::{Guards, GuardsChange};
use crate::routing::window::Window;
use crate::routing::{Origin, Tenant};

frozen_struct! {
    /// The file as a whole.
    SavedPlanV2 for SavedPlan {
        format_version: u32 = format_version,
        lkroute: String = lkroute,
        digest: String = digest,
        revision: Option<String> = revision,
        targets: Vec<String> = targets,
        plan: PlanV2 = plan,
        #[serde(default)] refusals: Vec<FindingV2> = refusals,
        #[serde(default)] window: Option<WindowSumV2> = window,
    }
}

frozen_struct! {
    PlanV2 for Plan {
        environment: Option<String> = environment,
        base: Option<i64> = base,
        files: Vec<String> = files,
        names: Vec<String> = names,
        field_lines: BTreeMap<u32, BTreeMap<Field, u32>> = field_lines,
        tenants: Vec<TenantV2> = tenants,
        config_names: BTreeMap<Uuid, String> = config_names,
        pool: Vec<Fields> = pool,
        patches: Vec<PatchV2> = patches,
        #[serde(default)] guards: Option<GuardsChangeV2> = guards,
        #[serde(default, skip_serializing_if = "Vec::is_empty")] aliases: Vec<AliasChangeV2> = aliases,
        changes: Vec<ChangeV2> = changes,
        outstanding: Vec<ChangeV2> = outstanding,
        #[serde(default)] guards_outstanding: bool = guards_outstanding,
        #[serde(default)] left_alone: Vec<ChangeV2> = left_alone,
        #[serde(default)] held_back: Vec<ChangeV2> = held_back,
        #[serde(default)] held_why: BTreeMap<u32, Vec<WhyHeldV2>> = held_why,
        #[serde(default)] undone_reasons: BTreeMap<i64, String> = undone_reasons,
        unchanged: u64 = unchanged,
        #[serde(default)] unchecked: Vec<UncheckedV2> = unchecked,
        classes: Vec<BindingGroupV2> = classes,
        held: Vec<(u32, u64)> = held,
        foreign: ForeignRowsV2 = foreign,
        #[serde(default)] secrets: BTreeMap<Uuid, SecretOutcomeV2> = secrets,
        #[serde(default)] declared_secrets: BTreeMap<String, FieldChangeV2> = declared_secrets,
        #[serde(default)] database: Option<Uuid> = database,
        #[serde(default)] basis: CallBasisV2 = basis,
        #[serde(default)] findings: Vec<FindingV2> = findings,
    }
    without config_sources, earlier
}

frozen_struct! {
    ChangeV2 for Change {
        object: ObjectV2 = object,
        action: ActionV2 = action,
        patch: u32 = patch,
        row: Option<Uuid> = row,
        previous: Option<Uuid> = previous,
        origin: Option<OriginV2> = origin,
        live: Option<u32> = live,
        owned: Option<u32> = owned,
        inserted: bool = inserted,
        insert: bool = insert,
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum ObjectV2 {
    Region(u32),
    Config(u32),
    Binding { number: E164, tenant: u32 },
}

impl Frozen<Object> for ObjectV2 {
    fn freeze(live: &Object) -> ObjectV2 {
        match *live {
            Object::Region(ix) => ObjectV2::Region(ix),
            Object::Config(ix) => ObjectV2::Config(ix),
            Object::Binding { number, tenant } => ObjectV2::Binding { number, tenant },
        }
    }

    fn thaw(self) -> Object {
        match self {
            ObjectV2::Region(ix) => Object::Region(ix),
            ObjectV2::Config(ix) => Object::Config(ix),
            ObjectV2::Binding { number, tenant } => Object::Binding { number, tenant },
        }
    }
}

frozen_enum! {
    ActionV2 for Action {
        Delete = "Delete",
        Create = "Create",
        Update = "Update",
        Adopt = "Adopt",
        Reseal = "Reseal",
        Release = "Release",
    }
}

frozen_struct! {
    PatchV2 for Patch {
        fields: Vec<FieldChangeV2> = fields,
    }
}

frozen_struct! {
    /// JSON null is a value and not an absence.
    FieldChangeV2 for FieldChange {
        field: Field = field,
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
        before: Option<Value> = before,
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
        after: Option<Value> = after,
        kind: KindV2 = kind,
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
        applied: Option<Value> = applied,
    }
}

fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}

frozen_enum! {
    KindV2 for Kind {
        Set = "Set",
        TakeOver = "TakeOver",
        Adopt = "Adopt",
        Drift = "Drift",
        Conflict = "Conflict",
        Blocked = "Blocked",
        Release = "Release",
    }
}

frozen_enum! {
    SecretOutcomeV2 for SecretOutcome {
        Changed = "Changed",
        Resealed = "Resealed",
        NotCompared = "NotCompared",
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum WhyHeldV2 {
    Undone { set_by: i64, undone_by: i64 },
    Needs(String),
}

impl Frozen<WhyHeld> for WhyHeldV2 {
    fn freeze(live: &WhyHeld) -> WhyHeldV2 {
        match live.clone() {
            WhyHeld::Undone { set_by, undone_by } => WhyHeldV2::Undone { set_by, undone_by },
            WhyHeld::Needs(address) => WhyHeldV2::Needs(address),
        }
    }

    fn thaw(self) -> WhyHeld {
        match self {
            WhyHeldV2::Undone { set_by, undone_by } => WhyHeld::Undone { set_by, undone_by },
            WhyHeldV2::Needs(address) => WhyHeld::Needs(address),
        }
    }
}

frozen_struct! {
    UncheckedV2 for Unchecked {
        config: String = config,
        why: Option<String> = why,
    }
}

frozen_struct! {
    BindingGroupV2 for BindingGroup {
        tenant: u32 = tenant,
        before: Option<u32> = before,
        after: Option<u32> = after,
        numbers: u64 = numbers,
    }
}

frozen_struct! {
    ForeignRowsV2 for ForeignRows {
        numbers: u64 = numbers,
        unreadable: u64 = unreadable,
        unreadable_rows: Vec<(Uuid, String)> = unreadable_rows,
        odd_rules: u64 = odd_rules,
    }
}

frozen_struct! {
    TenantV2 for Tenant {
        id: Uuid = id,
        alias: Option<String> = alias,
    }
}

frozen_struct! {
    OriginV2 for Origin {
        file: u32 = file,
        line: u32 = line,
    }
}

frozen_struct! {
    AliasChangeV2 for AliasChange {
        tenant: Uuid = tenant,
        before: Option<String> = before,
        after: Option<String> = after,
    }
}

frozen_struct! {
    GuardsChangeV2 for GuardsChange {
        before: Guards = before,
        after: Guards = after,
    }
}

frozen_struct! {
    WindowSumV2 for WindowSum {
        window: Window = window,
        uncounted: Option<i64> = uncounted,
        affected: u64 = affected,
        added: u64 = added,
        applies: BTreeSet<i64> = applies,
    }
    without cells
}

/// Configs by id, prefixes as text.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct CallBasisV2 {
    configs: BTreeMap<Uuid, Fields>,
    regions: BTreeMap<String, Vec<String>>,
}

impl Frozen<CallBasis> for CallBasisV2 {
    fn freeze(live: &CallBasis) -> CallBasisV2 {
        let configs = live.configs.iter();
        let regions = live.regions.0.iter();
        let texts = |codes: &[Prefix]| codes.iter().map(ToString::to_string).collect();
        CallBasisV2 {
            configs: configs
                .filter_map(|config| Some((config.id?, config.fields.clone())))
                .collect(),
            regions: regions
                .map(|(name, codes)| (name.clone(), texts(codes)))
                .collect(),
        }
    }

    fn thaw(self) -> CallBasis {
        let mut basis = CallBasis::default();
        for (id, fields) in self.configs {
            basis.configs.insert(ConfigFact {
                id: Some(id),
                fields,
                ..ConfigFact::default()
            });
        }
        for (name, codes) in self.regions {
            let codes = codes.iter().filter_map(|code| Prefix::parse(code).ok());
            basis.regions.0.insert(name, codes.collect());
        }
        basis
    }
}

/// Text of others until it was read: then it went through [`visible`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct ShownText(String);

impl Frozen<String> for ShownText {
    fn freeze(live: &String) -> ShownText {
        ShownText(live.clone())
    }

    fn thaw(self) -> String {
        visible(&self.0)
    }
}

impl Frozen<Cow<'static, str>> for ShownText {
    fn freeze(live: &Cow<'static, str>) -> ShownText {
        ShownText(live.to_string())
    }

    fn thaw(self) -> Cow<'static, str> {
        Cow::Owned(visible(&self.0))
    }
}

/// The same, of several lines.
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct ShownLines(String);

impl Frozen<String> for ShownLines {
    fn freeze(live: &String) -> ShownLines {
        ShownLines(live.clone())
    }

    fn thaw(self) -> String {
        let lines = self.0.lines().map(visible);
        lines.collect::<Vec<_>>().join("\n")
    }
}

frozen_struct! {
    FindingV2 for Finding {
        code: ShownText = code,
        severity: SeverityV2 = severity,
        message: ShownText = message,
        place: Option<PlaceV2> = place,
        also: Vec<(PlaceV2, ShownText)> = also,
        hint: Option<ShownLines> = hint,
    }
}

frozen_enum! {
    SeverityV2 for Severity {
        Warning = "warning",
        Error = "error",
    }
}

frozen_struct! {
    /// A place, without the text of its line.
    PlaceV2 for Place {
        file: ShownText = file,
        line: u32 = line,
        column: u32 = column,
        width: u32 = width,
    }
    without text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the first version wrote it, and laid out for people: never written
    /// anew, for a plan of that version may wait for its apply.
    const FIRST: &str = include_str!("../../../tests/fixtures/saved-plan-2.json");

    #[test]
    fn what_the_first_version_wrote_is_written_again_byte_for_byte() {
        let file: SavedPlanV2 = serde_json::from_str(FIRST).unwrap();
        let written = SavedPlanV2::freeze(&file.thaw());
        let lines = FIRST
            .lines()
            .map(|line| line.trim_start().replacen("\": ", "\":", 1));
        assert_eq!(
            serde_json::to_string(&written).unwrap(),
            lines.collect::<String>()
        );
    }
}
