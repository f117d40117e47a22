//! Checks of number rows inside the transaction of an apply: what must not
//! have appeared, what is recorded as it is, what was written.

use hashbrown::{HashMap, HashSet};
use uuid::Uuid;

use super::attempt::Attempt;
use super::attempt_error::AttemptError;
use super::session::Session;
use super::write_request::ApplyError;
use crate::address::Address;
use crate::diff::plan::Change;
use crate::phone::{self, RowKey};
use crate::snapshot::NumberRow;

/// Rows to a statement.
pub(super) const CHUNK: usize = 5000;
/// Up to so many new numbers are looked for one by one.
const FEW: usize = 1000;
/// From so many rows on, all are read rather than each by its id.
const MANY: usize = 50_000;

/// The rows of these changes, each with its change, as they are now.
async fn rows_of<'a, S: Session>(
    run: &mut Attempt<'_, S>,
    changes: &[&'a Change],
    mut each: impl FnMut(&'a Change, &NumberRow<'_>),
) -> Result<(), AttemptError> {
    let all = changes.len() > MANY;
    for chunk in changes.chunks(if all { changes.len() } else { CHUNK }) {
        let rows = chunk
            .iter()
            .filter_map(|change| Some((change.row?, *change)));
        let by_row: HashMap<Uuid, &Change> = rows.collect();
        let ids: Vec<Uuid> = by_row.keys().copied().collect();
        let wanted = (!all).then_some(ids.as_slice());
        let mut found = |live: &NumberRow<'_>| {
            if let Some(change) = by_row.get(&live.id) {
                each(change, live);
            }
        };
        run.conn.numbers(run.dialect, wanted, &mut found).await?;
    }
    Ok(())
}

/// Checks that what is recorded without being written is so.
pub(super) async fn check_adopted<S: Session>(
    run: &mut Attempt<'_, S>,
) -> Result<(), AttemptError> {
    let adopted = run.write_set.adopted();
    check_as_planned(run, &adopted).await
}

/// Checks that rows are as the plan saw them.
pub(super) async fn check_as_planned<S: Session>(
    run: &mut Attempt<'_, S>,
    changes: &[&Change],
) -> Result<(), AttemptError> {
    let write_set = run.write_set;
    let mut held: HashSet<Uuid> = HashSet::with_capacity(changes.len());
    rows_of(run, changes, |change, live| {
        if write_set.holds(change, live) {
            held.insert(live.id);
        }
    })
    .await?;
    let is_moved = |change: &&&Change| change.row.is_none_or(|row| !held.contains(&row));
    refuse_moved(run, changes.iter().filter(is_moved).copied())
}

/// Refuses to go on where there are any.
pub(super) fn refuse_moved<'a, S: Session>(
    run: &Attempt<'_, S>,
    changes: impl Iterator<Item = &'a Change>,
) -> Result<(), AttemptError> {
    let mut moved: Vec<Address> = changes
        .map(|change| run.write_set.address(change))
        .collect();
    moved.sort_unstable();
    if moved.is_empty() {
        Ok(())
    } else {
        Err(ApplyError::moved("number rows have changed", moved).into())
    }
}

/// Reads back what was written; for where triggers or rules may have changed it.
pub(super) async fn read_back<S: Session>(run: &mut Attempt<'_, S>) -> Result<(), AttemptError> {
    let mut written = run.write_set.updates();
    written.extend(run.write_set.inserts());
    if written.is_empty() {
        return Ok(());
    }
    let (write_set, mut found, mut seen) = (run.write_set, Vec::new(), 0);
    rows_of(run, &written, |change, live| {
        seen += 1;
        let what = write_set.rewritten(change, live);
        found.extend(what.map(|what| (write_set.address(change), what)));
    })
    .await?;
    match found.is_empty() {
        true if seen == written.len() => Ok(()),
        true => Err(ApplyError::left_out("rows", &run.named_actors()).into()),
        false => Err(ApplyError::rewritten(found).into()),
    }
}

/// Looks for rows that hold the numbers to insert or to wake.
pub(super) struct NewNumbers<'a> {
    pub wanted: HashMap<(Uuid, RowKey), &'a Change>,
    /// Those of which there is a row.
    pub appeared: Vec<&'a Change>,
}

impl<'a> NewNumbers<'a> {
    pub(super) fn new(wanted: HashMap<(Uuid, RowKey), &'a Change>) -> NewNumbers<'a> {
        NewNumbers {
            wanted,
            appeared: Vec::new(),
        }
    }

    /// Whether they are so few that each is looked for; else all rows of their
    /// tenants are passed over.
    pub(super) fn are_few(&self) -> bool {
        self.wanted.len() <= FEW
    }

    pub(super) fn base_numbers(&self) -> impl Iterator<Item = i64> {
        self.wanted.keys().flat_map(|(_, key)| key.base_numbers())
    }

    pub(super) fn tenants(&self) -> Vec<Uuid> {
        let tenants = self.wanted.keys().map(|(tenant, _)| *tenant);
        tenants.collect::<HashSet<Uuid>>().into_iter().collect()
    }

    /// Takes in a row that is there.
    pub(super) fn look(
        &mut self,
        (id, tenant): (Option<Uuid>, Uuid),
        (code, base): (Option<&str>, Option<i64>),
        status: Option<&str>,
    ) {
        let Ok(number) = phone::from_row(code, base) else {
            return;
        };
        let change = self.wanted.get(&(tenant, number.row_key())).copied();
        let active = status.is_none_or(|status| status == "active");
        let holds = |change: &&Change| change.insert || (active && change.row != id);
        self.appeared.extend(change.filter(holds));
    }
}
