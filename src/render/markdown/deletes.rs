//! What goes, by name; beyond a limit by tenant and config. Imports core.

use hashbrown::HashMap;

use super::page::Page;
use crate::diff::plan::{Action, Change, Object, Plan};
use crate::fields::Field;
use crate::render::escape::code_span;
use crate::render::style::{counted, thousands};

/// Deletes up to this many are named.
const NAMED: usize = 50;

pub fn add_deletes(page: &mut Page, plan: &Plan) {
    let gone: Vec<&Change> = plan
        .changes
        .iter()
        .filter(|change| change.action == Action::Delete && !plan.in_conflict(change))
        .collect();
    let head = format!("#### Deleted: {}\n\n", thousands(gone.len() as u64));
    let rows: Vec<String> = match gone.len() <= NAMED {
        true => gone
            .iter()
            .map(|change| named_lines(plan, change))
            .collect(),
        false => {
            page.leave_out();
            folded(plan, &gone)
        }
    };
    page.add_list(&head, rows.into_iter(), NAMED, |left| {
        format!("- and {} more lines like these\n", thousands(left))
    });
}

fn named_lines(plan: &Plan, change: &Change) -> String {
    let address = code_span(&plan.address(change.object).to_string());
    let config = config_before(plan, change);
    let from = config.map_or(String::new(), |name| {
        format!(", was on {}", code_span(&name))
    });
    let place = plan.source(change).map_or(String::new(), |(file, line)| {
        format!(" (was {})", code_span(&format!("{file}:{line}")))
    });
    format!("- {address}{from}{place}\n")
}

/// Regions and configs by name, numbers counted by tenant and config.
fn folded(plan: &Plan, gone: &[&Change]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut counts: Vec<(String, u64)> = Vec::new();
    let mut by_patch: HashMap<(u32, u32), usize> = HashMap::new();
    for change in gone {
        let Object::Binding { tenant, .. } = change.object else {
            lines.push(format!(
                "- {}\n",
                code_span(&plan.address(change.object).to_string())
            ));
            continue;
        };
        let ix = *by_patch.entry((tenant, change.patch)).or_insert_with(|| {
            let what = tenant_and_config(plan, tenant, change);
            let known = counts.iter().position(|(other, _)| *other == what);
            known.unwrap_or_else(|| {
                counts.push((what, 0));
                counts.len() - 1
            })
        });
        if let Some((_, count)) = counts.get_mut(ix) {
            *count += 1;
        }
    }
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let numbers = counts.iter();
    lines.extend(numbers.map(|(what, count)| format!("- {} {what}\n", counted(*count, "number"))));
    lines
}

fn tenant_and_config(plan: &Plan, tenant: u32, change: &Change) -> String {
    let tenant = code_span(&plan.tenants[tenant as usize].label());
    match config_before(plan, change) {
        Some(config) => format!("of {tenant} on {}", code_span(&config)),
        None => format!("of {tenant}"),
    }
}

fn config_before(plan: &Plan, change: &Change) -> Option<String> {
    let fields = &plan.patch(change).fields;
    let before = fields
        .iter()
        .find(|field| field.field == Field::Config)?
        .before
        .as_ref()?;
    Some(plan.shown(Field::Config, before).as_str()?.to_owned())
}
