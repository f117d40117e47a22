//! The diffs, folded away. Imports core.

use super::page::Page;
use crate::diff::plan::{Action, Change, Kind, Object, Plan};
use crate::phone::E164;
use crate::render::escape::{clipped_to, fenced_block, visible};
use crate::render::plan_rows::{ChangeGroup, PlanRows, WORST_FIRST, group_changes, place};
use crate::render::style::{counted, thousands};
use crate::render::{guards, lines};

/// Runs of numbers named in one hunk.
const RUNS: usize = 6;
/// The longest line of a diff, in characters.
const WIDEST: usize = 400;

/// Every change but those in conflict, one fold an action.
pub(super) fn add_diffs(page: &mut Page, rows: &PlanRows<'_>) {
    for action in WORST_FIRST {
        let groups = group_changes(rows.of_actions(|of| of == action));
        fold_titled(page, rows.plan, &fold_title(action, &groups), &groups);
    }
}

/// What becomes of the names of tenants; never folded, for calls go by them.
pub(super) fn add_aliases(page: &mut Page, plan: &Plan) {
    if plan.aliases.is_empty() {
        return;
    }
    let block = unfolded(&guards::alias_lines(&plan.aliases));
    page.add_block(&format!("**{}**:\n\n{block}\n", guards::ALIASES));
}

fn unfolded(lines: &[String]) -> String {
    let lines = lines.iter();
    let lines = lines.map(|line| diff_line(&lines::plain(line)) + "\n");
    fenced_block("diff", &lines.collect::<String>())
}

/// What becomes of the guards; never folded, for it is about later changes.
pub(super) fn add_guards(page: &mut Page, plan: &Plan) {
    let Some(change) = &plan.guards else {
        return;
    };
    let block = unfolded(&guards::guards_lines(change));
    page.add_block(&format!(
        "**The guards change**, by which later changes are judged:\n\n{block}\n"
    ));
}

/// What is held back, and stays as it is.
pub(super) fn held_back(page: &mut Page, plan: &Plan) {
    let groups = group_changes(&plan.held_back);
    fold_titled(page, plan, "Held back, as a rollback undid it", &groups);
}

fn fold_titled(page: &mut Page, plan: &Plan, title: &str, groups: &[ChangeGroup<'_>]) {
    let around = title.len() + 300;
    let mut hunks = String::new();
    let mut left = 0;
    for group in groups {
        let hunk = diff_hunk(plan, group);
        if left == 0 && hunks.len() + hunk.len() + around < page.room() {
            hunks.push_str(&hunk);
        } else {
            left += group.count();
        }
    }
    let more = match left {
        0 => String::new(),
        left => format!("{} not shown here.\n\n", counted(left, "more object")),
    };
    if left > 0 {
        page.leave_out();
    }
    if !hunks.is_empty() {
        let block = fenced_block("diff", &hunks);
        page.add_block(&format!(
            "<details><summary>{title}</summary>\n\n{block}\n{more}</details>\n"
        ));
    }
}

/// `Update: 1 config, 412 numbers`.
fn fold_title(action: Action, groups: &[ChangeGroup<'_>]) -> String {
    let count = |wanted: fn(&Object) -> bool| {
        let all = groups.iter().flat_map(|group| &group.all);
        all.filter(|change| wanted(&change.object)).count() as u64
    };
    let kinds = [
        (
            count(|object| matches!(object, Object::Region(_))),
            "region",
        ),
        (
            count(|object| matches!(object, Object::Config(_))),
            "config",
        ),
        (
            count(|object| matches!(object, Object::Binding { .. })),
            "number",
        ),
    ];
    let some = kinds.iter().filter(|(count, _)| *count > 0);
    let some: Vec<String> = some.map(|(count, what)| counted(*count, what)).collect();
    let name = match action {
        Action::Delete => "Delete",
        Action::Create => "Create",
        Action::Update => "Update",
        Action::Adopt => "Adopt, as it is",
        Action::Reseal => "Re-seal",
        Action::Release => "Give back",
    };
    format!("{name}: {}", some.join(", "))
}

fn diff_hunk(plan: &Plan, group: &ChangeGroup<'_>) -> String {
    let first = group.first;
    let was = match first.action {
        Action::Delete => "was ",
        Action::Create | Action::Update | Action::Adopt | Action::Reseal | Action::Release => "",
    };
    let place = place(plan, first).map(|place| format!("  {was}{}", visible(&place)));
    let (what, numbers) = match group.all.as_slice() {
        [_] => (plan.address(first.object).to_string(), String::new()),
        many => (
            counted(group.count(), "number"),
            numbers_by_tenant(plan, many),
        ),
    };
    let head = diff_line(&format!("@@ {what}{} @@", place.unwrap_or_default()));
    let mut hunk = format!("{head}\n{numbers}");
    let wanted = |kind: Kind| !kind.is_conflict();
    for line in lines::plain_lines(plan, first, wanted) {
        hunk.push_str(&diff_line(&line));
        hunk.push('\n');
    }
    hunk
}

fn diff_line(text: &str) -> String {
    clipped_to(&visible(text), WIDEST)
}

/// The numbers of a group by tenant, neighbours as a range.
fn numbers_by_tenant(plan: &Plan, group: &[&Change]) -> String {
    let mut runs: Vec<(u32, E164, E164)> = Vec::new();
    for change in group {
        let Object::Binding { number, tenant } = change.object else {
            continue;
        };
        match runs.last_mut() {
            Some((of, _, last)) if *of == tenant && last.next() == Some(number) => *last = number,
            _ => runs.push((tenant, number, number)),
        }
    }
    let mut text = String::new();
    for (tenant, first, last) in runs.iter().take(RUNS) {
        let label = diff_line(&plan.tenants[*tenant as usize].label());
        let range = if first == last {
            first.to_string()
        } else {
            format!("{first} to {last}")
        };
        text.push_str(&format!("  # {range} of {label}\n"));
    }
    if let Some(left) = runs.len().checked_sub(RUNS + 1) {
        text.push_str(&format!("  # and {} more\n", thousands(left as u64 + 1)));
    }
    text
}
