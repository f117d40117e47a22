//! A plan as people read it: headline, deletes by name, conflicts, drift,
//! adoptions, changes as diffs; repeats folded. Imports core.

mod deletes;
mod obstacles;

use hashbrown::{HashMap, HashSet};
use textwrap::core::display_width;

use super::escape::visible;
use super::style::{ADDED, BOLD, CHANGED, DIM, NOTED, counted, paint, thousands, wrapped};
use super::{findings, guards, lines, moves};
use crate::diff::plan::{Action, Change, Kind, Object, Plan};
use crate::diff::summary::PlanSummary;
use crate::finding::Finding;
use crate::impact::reroutes::Reroutes;

/// Objects that change alike are named up to this many.
const NAMED_ALIKE: usize = 3;

/// The title of what is left for another apply.
const OUTSTANDING: &str = "Outstanding: left out by --target";

/// How a report is wanted.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// Columns of the terminal.
    pub width: usize,
    /// Fold nothing.
    pub full: bool,
    /// The headline and what is wrong, no more.
    pub quiet: bool,
    /// It goes back to what an earlier apply left, whatever the files say.
    pub back: bool,
}

/// The report of a plan: what happens to whose calls, then to which objects.
/// `refusals` are those of the guards.
pub fn plan(plan: &Plan, reroutes: Option<&Reroutes>, refusals: &[Finding], view: View) -> String {
    let page = PlanPage { plan, view };
    let mut parts = vec![paint(BOLD, wrapped(&plan_headline(plan), view.width, 0))];
    if let Some(reroutes) = reroutes {
        parts.push(call_lines(reroutes, view));
    }
    if !view.quiet {
        parts.push(page.delete_section());
    }
    parts.push(page.conflict_section());
    if !view.quiet {
        parts.extend([
            page.drift_section(),
            page.adoption_section(),
            page.release_section(),
            page.change_section(),
            page.guards_section(),
            page.held_back(),
            page.outstanding_section(),
            page.unchecked_section(),
            page.foreign_section(),
        ]);
    }
    let told = plan.findings.iter().filter(|f| f.is_error() || !view.quiet);
    let told: Vec<Finding> = told.cloned().collect();
    parts.push(findings::findings_text(&told, view.width));
    parts.push(findings::findings_text(refusals, view.width));
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts
        .iter()
        .map(|part| part.trim_end().to_owned() + "\n")
        .collect::<Vec<_>>()
        .join("\n")
}

/// The first line: `Plan for production: 2 to create, 1 to delete; 412
/// unchanged`, or `No changes.`
pub fn plan_headline(plan: &Plan) -> String {
    let summary = plan.summary();
    let environment = plan.environment.as_deref();
    let with =
        |word: &str| environment.map_or(String::new(), |name| format!(" {word} {}", visible(name)));
    let mut text = match changes(&summary) {
        none if none.is_empty() => format!(
            "No changes. {}{} {} as the files say",
            counted(summary.unchanged, "object"),
            with("of"),
            if summary.unchanged == 1 { "is" } else { "are" }
        ),
        some if summary.unchanged == 0 => format!("Plan{}: {some}", with("for")),
        some => format!(
            "Plan{}: {some}; {} unchanged",
            with("for"),
            thousands(summary.unchanged)
        ),
    };
    let outstanding = plan.outstanding.len() as u64 + u64::from(plan.guards_outstanding);
    if outstanding > 0 {
        text += &format!(", {} outstanding", thousands(outstanding));
    }
    if !plan.left_alone.is_empty() {
        text += &format!(", {} left alone", thousands(plan.left_alone.len() as u64));
    }
    if summary.held_back > 0 {
        text += &format!(", {} held back", thousands(summary.held_back));
    }
    if summary.unchecked > 0 {
        text += &format!("; {} not compared", counted(summary.unchecked, "secret"));
    }
    text
}

fn call_lines(reroutes: &Reroutes, view: View) -> String {
    let clauses = moves::move_clauses(reroutes).into_iter();
    let lines = clauses.map(|clause| format!("  {}\n", wrapped(&clause, view.width - 2, 2)));
    let lines: String = lines.collect();
    match lines.is_empty() {
        true => lines,
        false => format!("{}\n{lines}", paint(BOLD, "Calls")),
    }
}

fn changes(summary: &PlanSummary) -> String {
    let counts = [
        (summary.create, "to create"),
        (summary.update, "to update"),
        (summary.delete, "to delete"),
        (summary.adopt, "to adopt"),
        (summary.reseal, "to re-seal"),
        (summary.release, "to give back"),
        (summary.conflict, "in conflict"),
    ];
    let some = counts.iter().filter(|(count, _)| *count > 0);
    let guards = (summary.guards > 0).then(|| guards::to_change(summary.guards));
    let some: Vec<String> = some
        .map(|(count, what)| format!("{} {what}", thousands(*count)))
        .chain(guards)
        .collect();
    some.join(", ")
}

/// Changes that are alike in all but their object.
pub(super) type Alike<'a> = Vec<&'a Change>;

/// Groups by what happens, in order of appearance. Regions and configs
/// stand alone: people know them by name.
pub(super) fn group_alike<'a>(changes: impl Iterator<Item = &'a Change>) -> Vec<Alike<'a>> {
    let mut groups: Vec<Alike<'a>> = Vec::new();
    let mut known = HashMap::new();
    for change in changes {
        if !matches!(change.object, Object::Binding { .. }) {
            groups.push(vec![change]);
            continue;
        }
        let ix = *known
            .entry((change.action, change.patch))
            .or_insert(groups.len());
        match groups.get_mut(ix) {
            Some(group) => group.push(change),
            None => groups.push(vec![change]),
        }
    }
    groups
}

#[derive(Clone, Copy)]
struct PlanPage<'a> {
    plan: &'a Plan,
    view: View,
}

impl PlanPage<'_> {
    fn section<T>(&self, title: &str, items: &[T], mut draw: impl FnMut(&T) -> String) -> String {
        if items.is_empty() {
            return String::new();
        }
        let title = paint(BOLD, wrapped(title, self.view.width, 0));
        let drawn: String = items.iter().map(&mut draw).collect();
        format!("{title}\n{drawn}")
    }

    /// `  ~ config.uae   routing/uae.toml:12`, the place in a column of its own,
    /// or below where there is no room.
    fn change_line(&self, sign: &str, what: &str, change: &Change) -> String {
        let place = match self.plan.source(change) {
            Some((file, line)) if change.action == Action::Delete => {
                format!("was {}:{line}", visible(file))
            }
            Some((file, line)) => format!("{}:{line}", visible(file)),
            None => return format!("  {sign} {what}\n"),
        };
        let column = 46.min(self.view.width.saturating_sub(place.len() + 5));
        match display_width(what).max(column) + display_width(&place) + 6 > self.view.width {
            true => format!("  {sign} {what}\n      {}\n", paint(DIM, place)),
            false => format!("  {sign} {what:<column$}  {}\n", paint(DIM, place)),
        }
    }

    /// One line an object, or one for all of them where they are many.
    fn group_heads(&self, sign: &str, group: &[&Change]) -> String {
        let address = |change: &Change| self.plan.address(change.object).to_string();
        if self.view.full || group.len() <= NAMED_ALIKE {
            let lines = group.iter();
            return lines
                .map(|change| self.change_line(sign, &address(change), change))
                .collect();
        }
        let Some(first) = group.first() else {
            return String::new();
        };
        let what = format!(
            "{} {}alike, e.g. {}",
            counted(group.len() as u64, "binding"),
            self.of_tenants(group),
            address(first)
        );
        self.change_line(sign, &what, first)
    }

    fn of_tenants(&self, group: &[&Change]) -> String {
        let tenants: HashSet<u32> = group
            .iter()
            .filter_map(|change| match change.object {
                Object::Binding { tenant, .. } => Some(tenant),
                _ => None,
            })
            .collect();
        match tenants.len() {
            0 | 1 => String::new(),
            many => format!("of {many} tenants "),
        }
    }

    fn change_body(&self, change: &Change, wanted: impl Fn(Kind) -> bool) -> String {
        let lines = lines::of(self.plan, change, wanted);
        lines.iter().map(|line| format!("      {line}\n")).collect()
    }

    fn without_conflict(&self, action: impl Fn(Action) -> bool) -> impl Iterator<Item = &Change> {
        self.plan
            .changes
            .iter()
            .filter(move |change| action(change.action) && !self.plan.in_conflict(change))
    }

    fn adoption_section(&self) -> String {
        let groups = group_alike(self.without_conflict(|action| action == Action::Adopt));
        let title = "Adopt: the database holds these values already; they become lkroute's";
        self.section(title, &groups, |group| {
            self.group_heads(&paint(NOTED, "="), group)
        })
    }

    fn release_section(&self) -> String {
        let groups = group_alike(self.without_conflict(|action| action == Action::Release));
        let title = "Give back: the rows stay, and are no longer lkroute's";
        self.section(title, &groups, |group| {
            let Some(change) = group.first() else {
                return String::new();
            };
            let body = self.change_body(change, Kind::writes);
            self.group_heads(&paint(NOTED, "="), group) + &body
        })
    }

    fn change_section(&self) -> String {
        let moved = |change: &&Change| {
            let patch = self.plan.patch(change);
            patch.fields.is_empty() || patch.fields.iter().any(|f| f.kind != Kind::Drift)
        };
        let ours = |action| !matches!(action, Action::Delete | Action::Adopt | Action::Release);
        let groups = group_alike(self.without_conflict(ours).filter(moved));
        self.section("Changes", &groups, |group| {
            let Some(change) = group.first() else {
                return String::new();
            };
            let sign = match change.action {
                Action::Create => paint(ADDED, "+"),
                _ => paint(CHANGED, "~"),
            };
            let shown = |kind| !matches!(kind, Kind::Drift | Kind::Adopt);
            self.group_heads(&sign, group)
                + &self.change_body(change, shown)
                + &self.also_adopted(change)
        })
    }

    fn also_adopted(&self, change: &Change) -> String {
        let fields = self.plan.patch(change).fields.iter();
        let adopted = fields.filter(|field| field.kind == Kind::Adopt).count();
        match adopted {
            0 => String::new(),
            some => {
                let are = if some == 1 { "it is" } else { "they are" };
                let text = format!("  {} adopted as {are}", counted(some as u64, "field"));
                format!("      {}\n", paint(DIM, text))
            }
        }
    }

    fn guards_section(&self) -> String {
        let Some(change) = &self.plan.guards else {
            return String::new();
        };
        let title = "Guards: stored with this apply, to judge the next ones";
        self.section(title, &guards::guards_lines(change), |line| {
            format!("      {line}\n")
        })
    }

    fn outstanding_section(&self) -> String {
        let guards = match self.plan.guards_outstanding {
            true => format!("  {} guards  update\n", paint(DIM, "·")),
            false => String::new(),
        };
        let objects = self.outstanding_objects();
        match objects.is_empty() && !guards.is_empty() {
            true => format!("{}\n{guards}", paint(BOLD, OUTSTANDING)),
            false => objects + &guards,
        }
    }

    fn outstanding_objects(&self) -> String {
        let groups = group_alike(self.plan.outstanding.iter());
        self.section(OUTSTANDING, &groups, |group| {
            let action = group.first().map_or("", |change| change.action.as_str());
            self.group_heads(&paint(DIM, "·"), group)
                .replacen('\n', &format!("  {action}\n"), 1)
        })
    }

    fn unchecked_section(&self) -> String {
        let title = "Not compared: secrets that stay as the last apply stored them";
        let unchecked = self.plan.unchecked.iter();
        let tried: Vec<_> = unchecked
            .filter_map(|unchecked| Some((&unchecked.config, unchecked.why.as_ref()?)))
            .collect();
        self.section(title, &tried, |(config, why)| {
            let text = format!("config.{}: {}", visible(config), visible(why));
            let text = wrapped(&text, self.view.width.saturating_sub(4), 4);
            format!("  {} {text}\n", paint(DIM, "·"))
        })
    }

    fn foreign_section(&self) -> String {
        let foreign = &self.plan.foreign;
        let mut notes = Vec::new();
        if foreign.unreadable > 0 {
            let rows = counted(foreign.unreadable, "number row");
            notes.push(format!("{rows} of others can't be read and never match:"));
            let shown = foreign.unreadable_rows.iter();
            notes.extend(shown.map(|(id, reason)| format!("  row {id}: {}", visible(reason))));
            if let Some(more @ 1..) = foreign
                .unreadable
                .checked_sub(foreign.unreadable_rows.len() as u64)
            {
                notes.push(format!(
                    "  and {more} more: `lkroute list --format json` has their rows"
                ));
            }
        }
        if foreign.odd_rules > 0 {
            let rows = counted(foreign.odd_rules, "number row");
            notes.push(format!("{rows} of others: `rules` is no JSON object."));
        }
        notes.join("\n")
    }
}
