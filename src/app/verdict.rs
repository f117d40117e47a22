//! Whether a plan can be applied: invalid before conflict before refused.
//! Imports core.

use std::collections::BTreeSet;

use crate::count_words::counted;
use crate::diff::plan::{Action, Change, Kind, Plan};
use crate::error::{Error, Exit, Result};
use crate::finding::{Finding, count_by_severity};

/// Whether a plan, of which guards refuse `refusals`, can be applied.
///
/// # Errors
/// Why not, with the exit code of that.
pub(crate) fn verdict(plan: &Plan, refusals: &[Finding]) -> Result<()> {
    let errors = plan.findings.iter().filter(|finding| finding.is_error());
    let errors: Vec<Finding> = errors.cloned().collect();
    if !errors.is_empty() {
        let count = count_by_severity(&errors);
        let message = format!("the files are invalid: {count}");
        return Err(Error::exit(Exit::Invalid, message));
    }
    check_conflicts(plan)?;
    if refusals.is_empty() {
        return Ok(());
    }
    let codes = refusals.iter().map(|finding| finding.code.as_ref());
    let codes: Vec<&str> = codes.collect::<BTreeSet<_>>().into_iter().collect();
    let message = format!("refused: {}", codes.join(", "));
    Err(Error::exit(Exit::Refused, message))
}

fn check_conflicts(plan: &Plan) -> Result<()> {
    let conflicts: Vec<&Change> = plan.conflicts().collect();
    let Some(first) = conflicts.first() else {
        return Ok(());
    };
    let what = counted(conflicts.len() as u64, "object");
    let message = format!("{what} in conflict: nothing is applied until the files say what counts");
    let adoptable = |change: &&&Change| {
        change.action != Action::Delete && !plan.patch(change).has(Kind::Blocked)
    };
    let hint = match conflicts.iter().filter(adoptable).count() {
        0 => "adopting can't resolve this: each conflict says what to do".to_owned(),
        1 if conflicts.len() == 1 => {
            let address = plan.address(first.object);
            format!(
                "`lkroute adopt {address}` lets the files win; to keep what is there, write it \
                 into the files"
            )
        }
        _ => "`lkroute adopt ADDRESS` (or --all) lets the files win; to keep what is there, \
              write it into the files"
            .to_owned(),
    };
    Err(Error::exit(Exit::Conflict, message).hint(hint))
}
