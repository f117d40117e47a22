//! A plan as people read it: headline, deletes by name, conflicts, drift,
//! adoptions, changes as diffs; repeats folded. Imports core.

mod deletes;
mod obstacles;

use hashbrown::HashSet;
use textwrap::core::display_width;

use super::escape::visible;
use super::plan_rows::{
    self, CREATES_FIRST, ChangeGroup, NAMED_ALIKE, PlanRows, alike_words, counts_to_do,
    group_changes, settings_to_do,
};
use super::style::{ADDED, BOLD, CHANGED, DIM, NOTED, counted, paint, thousands, wrapped};
use super::{findings, guards, lines, moves};
use crate::diff::plan::{Action, Change, Kind, Object, Plan};
use crate::diff::summary::PlanSummary;
use crate::finding::Finding;
use crate::impact::reroutes::Reroutes;

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
    let rows = plan_rows::rows(plan);
    let headline = headline_of(plan, &rows.summary);
    let page = PlanPage { plan, rows, view };
    let mut parts = vec![paint(BOLD, wrapped(&headline, view.width, 0))];
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
            page.alias_section(),
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
fn headline_of(plan: &Plan, summary: &PlanSummary) -> String {
    let environment = plan.environment.as_deref();
    let with =
        |word: &str| environment.map_or(String::new(), |name| format!(" {word} {}", visible(name)));
    let mut text = match changes(summary) {
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
    for more in plan_rows::count_phrases([
        (summary.outstanding, "outstanding"),
        (plan.left_alone.len() as u64, "left alone"),
        (summary.held_back, "held back"),
    ]) {
        text += &format!(", {more}");
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
    if lines.is_empty() {
        lines
    } else {
        format!("{}\n{lines}", paint(BOLD, "Calls"))
    }
}

fn changes(summary: &PlanSummary) -> String {
    let mut counts = counts_to_do(summary, CREATES_FIRST);
    counts.extend(settings_to_do(summary));
    counts.join(", ")
}

struct PlanPage<'a> {
    plan: &'a Plan,
    rows: PlanRows<'a>,
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
        let place = match plan_rows::place(self.plan, change) {
            Some(place) if change.action == Action::Delete => format!("was {}", visible(&place)),
            Some(place) => visible(&place),
            None => return format!("  {sign} {what}\n"),
        };
        let column = 46.min(self.view.width.saturating_sub(place.len() + 5));
        if display_width(what).max(column) + display_width(&place) + 6 > self.view.width {
            format!("  {sign} {what}\n      {}\n", paint(DIM, place))
        } else {
            format!("  {sign} {what:<column$}  {}\n", paint(DIM, place))
        }
    }

    /// One line an object, or one for all of them where they are many.
    fn group_heads(&self, sign: &str, group: &ChangeGroup<'_>) -> String {
        let address = |change: &Change| self.plan.address(change.object).to_string();
        if self.view.full || group.all.len() <= NAMED_ALIKE {
            let lines = group.all.iter();
            return lines
                .map(|change| self.change_line(sign, &address(change), change))
                .collect();
        }
        let first = group.first;
        let what = alike_words(group.count(), &of_tenants(group), &address(first));
        self.change_line(sign, &what, first)
    }

    fn change_body(&self, change: &Change, wanted: impl Fn(Kind) -> bool) -> String {
        let lines = lines::of(self.plan, change, wanted);
        lines.iter().map(|line| format!("      {line}\n")).collect()
    }

    fn adoption_section(&self) -> String {
        let groups = group_changes(self.rows.of_actions(|action| action == Action::Adopt));
        let title = "Adopt: the database holds these values already; they become lkroute's";
        self.section(title, &groups, |group| {
            self.group_heads(&paint(NOTED, "="), group)
        })
    }

    fn release_section(&self) -> String {
        let groups = group_changes(self.rows.of_actions(|action| action == Action::Release));
        let title = "Give back: the rows stay, and are no longer lkroute's";
        self.section(title, &groups, |group| {
            let body = self.change_body(group.first, Kind::writes);
            self.group_heads(&paint(NOTED, "="), group) + &body
        })
    }

    fn change_section(&self) -> String {
        let moved = |change: &&Change| {
            let patch = self.plan.patch(change);
            patch.fields.is_empty() || patch.fields.iter().any(|f| f.kind != Kind::Drift)
        };
        let ours = |action| !matches!(action, Action::Delete | Action::Adopt | Action::Release);
        let groups = group_changes(self.rows.of_actions(ours).filter(moved));
        self.section("Changes", &groups, |group| {
            let sign = match group.first.action {
                Action::Create => paint(ADDED, "+"),
                Action::Delete
                | Action::Update
                | Action::Adopt
                | Action::Reseal
                | Action::Release => paint(CHANGED, "~"),
            };
            let shown = |kind| !matches!(kind, Kind::Drift | Kind::Adopt);
            self.group_heads(&sign, group)
                + &self.change_body(group.first, shown)
                + &self.also_adopted(group.first)
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

    fn alias_section(&self) -> String {
        let lines = guards::alias_lines(&self.plan.aliases);
        self.section(guards::ALIASES, &lines, |line| format!("      {line}\n"))
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
        let guards = if self.plan.guards_outstanding {
            format!("  {} guards  update\n", paint(DIM, "·"))
        } else {
            String::new()
        };
        let objects = self.outstanding_objects();
        if objects.is_empty() && !guards.is_empty() {
            format!("{}\n{guards}", paint(BOLD, OUTSTANDING))
        } else {
            objects + &guards
        }
    }

    fn outstanding_objects(&self) -> String {
        let groups = group_changes(&self.plan.outstanding);
        self.section(OUTSTANDING, &groups, |group| {
            let action = group.first.action.as_str();
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

/// `of 3 tenants `, where they are several.
fn of_tenants(group: &ChangeGroup<'_>) -> String {
    let tenants = group.all.iter().filter_map(|change| match change.object {
        Object::Binding { tenant, .. } => Some(tenant),
        Object::Region(_) | Object::Config(_) => None,
    });
    match tenants.collect::<HashSet<u32>>().len() {
        0 | 1 => String::new(),
        many => format!("of {many} tenants "),
    }
}
