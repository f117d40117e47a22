//! What triggers, rules and foreign keys of the application's tables do beside what
//! an apply writes to them: counted, named, and refused. Imports the error type.

use super::attempt::Attempt;
use super::attempt_error::AttemptError;
use super::number_checks;
use super::row_ext::RowExt;
use super::session::{Session, WrittenRows};
use crate::count_words::counted;
use crate::error::Error;

/// A watch over the rows of the application's two tables.
pub(super) struct RowWatch<S: Session> {
    /// Whether any of what acts on rows acts on numbers, and so may make another row of one.
    pub on_numbers: bool,
    /// What the engine needs to count by.
    pub mark: S::Mark,
}

/// Looks for what acts on rows, before any is written; none, where nothing does.
pub(super) async fn watch<S: Session>(
    run: &mut Attempt<'_, S>,
) -> Result<Option<RowWatch<S>>, sqlx::Error> {
    let found = run.conn.sets(&S::actors_sql(run.dialect)).await?;
    let (mut actors, mut on_numbers) = (Vec::new(), false);
    for row in found.iter().flatten() {
        actors.push(row.some_text(0)?.to_owned());
        on_numbers |= row.flag(1)?;
    }
    if actors.is_empty() {
        return Ok(None);
    }
    run.actors = actors;
    let mark = run.conn.begin_count(run.dialect).await?;
    Ok(Some(RowWatch { on_numbers, mark }))
}

/// Refuses where rows hold something else than was written, or other rows were
/// written than the `expected` ones: nobody planned them, and no history would tell
/// of them.
pub(super) async fn refuse<S: Session>(
    run: &mut Attempt<'_, S>,
    watch: &RowWatch<S>,
    expected: u64,
) -> Result<(), AttemptError> {
    let written = run.conn.rows_written(run.dialect, &watch.mark, expected);
    let WrittenRows { rows, again } = written.await?;
    if watch.on_numbers || again {
        number_checks::read_back(run).await?;
    }
    if rows <= expected {
        return Ok(());
    }
    let names = run.named_actors();
    let more = counted(rows - expected, "row");
    Err(Error::new(format!(
        "{more} of the application's tables would change beside what the plan says, by {names}"
    ))
    .hint(
        "nothing was written; change what acts on these rows, or write them in the application \
         first, so that there is nothing left for it to do",
    )
    .into())
}
