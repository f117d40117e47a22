//! The changes of a plan as its report lists them. Imports core.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::diff::plan::{Change, FieldChange, Plan};
use crate::fields::Field;
use crate::render::lines::secret_word;
use crate::routing::guards::GuardsChange;

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ChangeReport<'a> {
    pub address: String,
    /// `region`, `config`, `binding`, or `guards`, of which there is one at most,
    /// with `guards` as its address and the names of settings as fields.
    #[schemars(extend("enum" = ["region", "config", "binding", "guards"]))]
    pub kind: &'static str,
    /// `create`, `update`, `delete`, `adopt`, `reseal` or `release`.
    #[schemars(extend("enum" = ["create", "update", "delete", "adopt", "reseal", "release"]))]
    pub action: &'static str,
    /// `files`, `drift` or `both`.
    #[schemars(extend("enum" = ["files", "drift", "both"]))]
    pub cause: &'static str,
    pub source: Option<SourceReport<'a>>,
    pub fields: Vec<FieldReport>,
}

#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
pub struct SourceReport<'a> {
    pub file: &'a str,
    pub line: u32,
}

/// Configs by name; of a secret only that it is `set`, `changed`,
/// `unchanged`, `re-sealed`, `not compared` or `removed`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct FieldReport {
    pub name: Cow<'static, str>,
    pub before: Value,
    pub after: Value,
}

/// Changes, each made into its report only as it is written: there may be a
/// million of them.
#[derive(Debug, Default)]
pub struct Changes<'a> {
    pub(super) plan: Option<&'a Plan>,
    pub(super) changes: Vec<&'a Change>,
    pub(super) guards: Option<&'a GuardsChange>,
}

impl JsonSchema for Changes<'_> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Changes".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Vec::<ChangeReport<'_>>::json_schema(generator)
    }
}

impl Serialize for Changes<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let reports = self.changes.iter().filter_map(|change| {
            let plan = self.plan?;
            Some(change_report(plan, change))
        });
        to.collect_seq(self.guards.map(guards_report).into_iter().chain(reports))
    }
}

fn change_report<'a>(plan: &'a Plan, change: &Change) -> ChangeReport<'a> {
    let address = plan.address(change.object);
    let fields = plan.patch(change).fields.iter();
    ChangeReport {
        kind: address.kind(),
        address: address.to_string(),
        action: change.action.as_str(),
        cause: plan.cause(change).as_str(),
        source: source(plan, change),
        fields: fields
            .map(|field| field_report(plan, change, field))
            .collect(),
    }
}

fn guards_report(change: &GuardsChange) -> ChangeReport<'static> {
    let settings = change.settings().into_iter();
    ChangeReport {
        address: "guards".to_owned(),
        kind: "guards",
        action: "update",
        cause: "files",
        source: None,
        fields: settings
            .map(|setting| FieldReport {
                name: setting.name.into(),
                before: setting.before.unwrap_or_default(),
                after: setting.after.unwrap_or_default(),
            })
            .collect(),
    }
}

pub(super) fn source<'a>(plan: &'a Plan, change: &Change) -> Option<SourceReport<'a>> {
    let (file, line) = plan.source(change)?;
    Some(SourceReport { file, line })
}

fn field_report(plan: &Plan, change: &Change, field: &FieldChange) -> FieldReport {
    let name = Cow::Borrowed(field.field.as_str());
    if field.field == Field::ApiSecret {
        let before = field
            .before
            .as_ref()
            .map_or(Value::Null, |_| "(secret)".into());
        let after = secret_word(plan, change, field).into();
        return FieldReport {
            name,
            before,
            after,
        };
    }
    FieldReport {
        name,
        before: shown_value(plan, field.field, &field.before),
        after: shown_value(plan, field.field, &field.after),
    }
}

pub(crate) fn shown_value(plan: &Plan, field: Field, value: &Option<Value>) -> Value {
    match (field, value) {
        (_, None) => Value::Null,
        (Field::ApiSecret, Some(_)) => "(secret)".into(),
        (_, Some(value)) => plan.shown(field, value),
    }
}
