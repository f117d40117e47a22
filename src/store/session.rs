//! How the statements of an apply that both engines share are sent within its
//! transaction. Imports sqlx.

use uuid::Uuid;

use super::row_ext::RowExt;
use crate::lookup::Dialect;
use crate::snapshot::NumberRow;

/// What was written of rows since they are counted.
pub(super) struct WrittenRows {
    /// Each counted once.
    pub rows: u64,
    /// Whether some were written more than once.
    pub again: bool,
}

/// A connection within the transaction of an apply. A statement has one value,
/// `$1`, or none.
pub(super) trait Session: Sized {
    type Row: RowExt;

    /// From where on rows are counted that are written.
    type Mark;

    /// The rows of each of these statements, which have no values.
    async fn sets(&mut self, sql: &str) -> Result<Vec<Vec<Self::Row>>, sqlx::Error>;

    /// Writes by a statement whose value is a list as JSON; how many rows.
    async fn write_json(&mut self, sql: &str, json: String) -> Result<u64, sqlx::Error>;

    /// Writes by a statement whose value is ids; how many rows.
    async fn write_ids(&mut self, sql: &str, ids: &[Uuid]) -> Result<u64, sqlx::Error>;

    /// The rows of a query whose value is ids.
    async fn read_ids(&mut self, sql: &str, ids: &[Uuid]) -> Result<Vec<Self::Row>, sqlx::Error>;

    /// Hands the numbers with these ids to `each`; all numbers without ids.
    async fn numbers(
        &mut self,
        dialect: Dialect<'_>,
        ids: Option<&[Uuid]>,
        each: &mut dyn FnMut(&NumberRow<'_>),
    ) -> Result<(), sqlx::Error>;

    /// The statement that names all but checks that acts on rows of the application's
    /// two tables that are written, and says whether on numbers.
    fn actors_sql(dialect: Dialect<'_>) -> String;

    /// Begins to count rows of these tables that are written.
    async fn begin_count(&mut self, dialect: Dialect<'_>) -> Result<Self::Mark, sqlx::Error>;

    /// How many rows of these tables were written since, by whatever; where that is
    /// no more than `expected`, it may be fewer.
    async fn rows_written(
        &mut self,
        dialect: Dialect<'_>,
        mark: &Self::Mark,
        expected: u64,
    ) -> Result<WrittenRows, sqlx::Error>;

    /// Lets happen what is deferred, rather than behind our back at COMMIT.
    async fn settle(&mut self) -> Result<(), sqlx::Error>;

    /// Whether it refused a value that has to be unique and is there already.
    fn is_taken(error: &sqlx::Error) -> bool;
}
