//! A plan as the rows that its reports show: changes and conflicts apart,
//! those that are alike in groups, deletes by name or folded, counts in words.
//! Every renderer takes them from here. Imports core.

use std::hash::Hash;

use hashbrown::HashMap;
use serde_json::Value;

use super::style::{counted, thousands};
use crate::diff::plan::{Action, Change, Kind, Object, Plan};
use crate::diff::summary::PlanSummary;
use crate::fields::Field;

/// Things that are alike are named up to this many.
pub(crate) const NAMED_ALIKE: usize = 3;
/// Deletes are named up to this many, whatever else is folded.
pub(crate) const NAMED_DELETES: usize = 50;

/// The order of actions in a sentence.
pub(crate) const CREATES_FIRST: [Action; 6] = [
    Action::Create,
    Action::Update,
    Action::Delete,
    Action::Adopt,
    Action::Reseal,
    Action::Release,
];
/// The same, with what goes first.
pub(crate) const DELETES_FIRST: [Action; 6] = [
    Action::Delete,
    Action::Create,
    Action::Update,
    Action::Adopt,
    Action::Reseal,
    Action::Release,
];
/// The order of actions in a list, the worst first.
pub(crate) const WORST_FIRST: [Action; 6] = [
    Action::Delete,
    Action::Update,
    Action::Create,
    Action::Reseal,
    Action::Adopt,
    Action::Release,
];

/// Things that are alike, in the order in which they came.
#[derive(Debug, Clone)]
pub(crate) struct AlikeGroup<T> {
    pub first: T,
    /// The first among them.
    pub all: Vec<T>,
}

/// Changes that are alike in all but their object.
pub(crate) type ChangeGroup<'a> = AlikeGroup<&'a Change>;

impl<T> AlikeGroup<T> {
    pub(crate) fn count(&self) -> u64 {
        self.all.len() as u64
    }
}

/// Groups things whose keys are equal, in the order of their first ones; a
/// thing without a key stands alone.
pub(crate) fn group_alike<T: Copy, K: Eq + Hash>(
    things: impl IntoIterator<Item = T>,
    key: impl Fn(T) -> Option<K>,
) -> Vec<AlikeGroup<T>> {
    let mut groups: Vec<AlikeGroup<T>> = Vec::new();
    let mut known = HashMap::new();
    for thing in things {
        let next = groups.len();
        let ix = key(thing).map_or(next, |key| *known.entry(key).or_insert(next));
        match groups.get_mut(ix) {
            Some(group) => group.all.push(thing),
            None => groups.push(AlikeGroup {
                first: thing,
                all: vec![thing],
            }),
        }
    }
    groups
}

/// Bindings to which the same happens. Regions and configs stand alone: people
/// know them by name.
pub(crate) fn group_changes<'a>(
    changes: impl IntoIterator<Item = &'a Change>,
) -> Vec<ChangeGroup<'a>> {
    group_alike(changes, |change| {
        is_binding(change).then_some((change.action, change.patch))
    })
}

/// Bindings to which the same happens at the same line of the files.
pub(crate) fn group_by_line<'a>(
    changes: impl IntoIterator<Item = &'a Change>,
) -> Vec<ChangeGroup<'a>> {
    group_alike(changes, |change| {
        is_binding(change).then_some((change.origin, change.action, change.patch))
    })
}

pub(crate) fn is_binding(change: &Change) -> bool {
    matches!(change.object, Object::Binding { .. })
}

/// `412 bindings alike, e.g. binding."+9715…"@sasya`.
pub(crate) fn alike_words(count: u64, which: &str, example: &str) -> String {
    format!("{} {which}alike, e.g. {example}", counted(count, "binding"))
}

/// The changes of a plan by what is to be said of them.
#[derive(Debug)]
pub(crate) struct PlanRows<'a> {
    pub plan: &'a Plan,
    pub summary: PlanSummary,
    /// Without those in conflict.
    pub changes: Vec<&'a Change>,
    pub conflicts: Vec<&'a Change>,
}

/// What a plan shows.
pub(crate) fn rows(plan: &Plan) -> PlanRows<'_> {
    let changes = plan.changes.iter();
    let (conflicts, changes) = changes.partition(|change| plan.in_conflict(change));
    PlanRows {
        plan,
        summary: plan.summary(),
        changes,
        conflicts,
    }
}

/// Deletes, as far as they are told apart.
#[derive(Debug)]
pub(crate) enum DeleteRows<'a> {
    Named(Vec<&'a Change>),
    /// Each with how many there are.
    Folded(Vec<(FoldedDelete, u64)>),
}

/// What deletes are counted by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum FoldedDelete {
    /// A region or config, by its address.
    Object(String),
    Numbers {
        tenant: String,
        /// The config that they were on.
        config: Option<String>,
    },
}

impl<'a> PlanRows<'a> {
    /// The changes of some actions, without those in conflict.
    pub(crate) fn of_actions(
        &self,
        wanted: impl Fn(Action) -> bool,
    ) -> impl Iterator<Item = &'a Change> {
        let changes = self.changes.iter().copied();
        changes.filter(move |change| wanted(change.action))
    }

    /// What was changed outside lkroute and is set back.
    pub(crate) fn drifted(&self) -> impl Iterator<Item = &'a Change> {
        let plan = self.plan;
        let changes = self.changes.iter().copied();
        changes.filter(move |change| plan.patch(change).has(Kind::Drift))
    }

    /// What is deleted, by name where that is wanted or they are few.
    pub(crate) fn deletes(&self, all_named: bool) -> DeleteRows<'a> {
        let gone: Vec<&Change> = self.of_actions(|action| action == Action::Delete).collect();
        if all_named || gone.len() <= NAMED_DELETES {
            DeleteRows::Named(gone)
        } else {
            DeleteRows::Folded(fold_deletes(self.plan, gone))
        }
    }
}

/// Regions and configs by name, numbers counted by tenant and config.
fn fold_deletes(plan: &Plan, gone: Vec<&Change>) -> Vec<(FoldedDelete, u64)> {
    let mut rows: Vec<(FoldedDelete, u64)> = Vec::new();
    let mut known = HashMap::new();
    // First by patch, so that names are put together once for each.
    let groups = group_alike(gone, |change| match change.object {
        Object::Binding { tenant, .. } => Some((tenant, change.patch)),
        Object::Region(_) | Object::Config(_) => None,
    });
    for group in groups {
        let what = match group.first.object {
            Object::Binding { tenant, .. } => FoldedDelete::Numbers {
                tenant: plan.tenants[tenant as usize].label(),
                config: config_before(plan, group.first),
            },
            object @ (Object::Region(_) | Object::Config(_)) => {
                FoldedDelete::Object(plan.address(object).to_string())
            }
        };
        let ix = *known.entry(what.clone()).or_insert(rows.len());
        match rows.get_mut(ix) {
            Some((_, count)) => *count += group.count(),
            None => rows.push((what, group.count())),
        }
    }
    rows
}

/// The config that a binding was on, by name.
pub(crate) fn config_before(plan: &Plan, change: &Change) -> Option<String> {
    let mut fields = plan.patch(change).fields.iter();
    let config = fields.find(|field| field.field == Field::Config)?;
    Some(match plan.shown(Field::Config, config.before.as_ref()?) {
        Value::String(name) => name,
        other => other.to_string(),
    })
}

/// `routing/uae.toml:12`: where a change is declared, or was.
pub(crate) fn place(plan: &Plan, change: &Change) -> Option<String> {
    let (file, line) = plan.source(change)?;
    Some(format!("{file}:{line}"))
}

/// Those of the counts that are not zero: `2 to create`.
pub(crate) fn count_phrases<'a>(
    counts: impl IntoIterator<Item = (u64, &'a str)>,
) -> impl Iterator<Item = String> {
    let some = counts.into_iter().filter(|(count, _)| *count > 0);
    some.map(|(count, what)| format!("{} {what}", thousands(count)))
}

/// What a plan is about to do, in these actions' order, and what is in
/// conflict.
pub(crate) fn counts_to_do(summary: &PlanSummary, actions: [Action; 6]) -> Vec<String> {
    let counts = actions.map(|action| (summary.of(action), words_before(action)));
    count_phrases(
        counts
            .into_iter()
            .chain([(summary.conflict, "in conflict")]),
    )
    .collect()
}

/// `2 guards to change`, `1 tenant to rename`, where some are.
pub(crate) fn settings_to_do(summary: &PlanSummary) -> impl Iterator<Item = String> {
    let kinds = [
        (summary.guards, "guard", "change"),
        (summary.aliases, "tenant", "rename"),
    ];
    let some = kinds.into_iter().filter(|(count, ..)| *count > 0);
    some.map(|(count, what, verb)| format!("{} to {verb}", counted(count, what)))
}

/// What an apply did, from the counts that it stores: `2 created, 1 updated`.
pub(crate) fn counts_done(counts: &Value) -> String {
    let count = |key: &str| counts.get(key).and_then(Value::as_u64).unwrap_or_default();
    let phrases = CREATES_FIRST.map(|action| (count(action.as_str()), words_after(action)));
    let guards = count("guards");
    let guards = (guards > 0).then(|| format!("{} changed", counted(guards, "guard")));
    let aliases = count("aliases");
    let aliases = (aliases > 0).then(|| format!("{} renamed", counted(aliases, "tenant")));
    let phrases = count_phrases(phrases).chain(guards).chain(aliases);
    let phrases: Vec<String> = phrases.collect();
    phrases.join(", ")
}

fn words_before(action: Action) -> &'static str {
    match action {
        Action::Create => "to create",
        Action::Update => "to update",
        Action::Delete => "to delete",
        Action::Adopt => "to adopt",
        Action::Reseal => "to re-seal",
        Action::Release => "to give back",
    }
}

fn words_after(action: Action) -> &'static str {
    match action {
        Action::Create => "created",
        Action::Update => "updated",
        Action::Delete => "deleted",
        Action::Adopt => "adopted",
        Action::Reseal => "re-sealed",
        Action::Release => "given back",
    }
}
