//! Which tables there are, and the statements that read them.

use lkroute::lookup::{self, PgTables, SqliteTables};
use pyo3::prelude::*;

use crate::raise::{guarded, misused};

#[pyfunction]
pub fn postgres_inspection(py: Python<'_>, schema: &str) -> PyResult<String> {
    guarded(py, || Ok(lookup::inspection(schema)))
}

#[pyfunction]
pub fn sqlite_inspection() -> &'static str {
    SqliteTables::INSPECTION
}

/// What an inspection found.
#[pyclass(frozen, module = "lkroute._core")]
pub struct Tables(pub Kind);

pub enum Kind {
    Postgres(PgTables),
    Sqlite(SqliteTables),
}

#[pymethods]
impl Tables {
    #[staticmethod]
    fn postgres(py: Python<'_>, schema: &str, document: &str) -> PyResult<Tables> {
        guarded(py, || {
            let tables = PgTables::read(schema, document);
            let tables = tables.map_err(|error| misused(py, "lookup-failed", error))?;
            Ok(Tables(Kind::Postgres(tables)))
        })
    }

    #[staticmethod]
    fn sqlite(py: Python<'_>, document: &str) -> PyResult<Tables> {
        guarded(py, || {
            let tables = SqliteTables::read(document);
            let tables = tables.map_err(|error| misused(py, "lookup-failed", error))?;
            Ok(Tables(Kind::Sqlite(tables)))
        })
    }

    /// The statement of a look-up.
    #[getter]
    fn look_up(&self, py: Python<'_>) -> PyResult<String> {
        guarded(py, || {
            Ok(match &self.0 {
                Kind::Postgres(tables) => tables.statement(),
                Kind::Sqlite(tables) => tables.statement(true),
            })
        })
    }

    /// The statement that says whom tokens may be sent to.
    #[getter]
    fn trust(&self, py: Python<'_>) -> PyResult<String> {
        guarded(py, || {
            Ok(match &self.0 {
                Kind::Postgres(tables) => tables.trust_statement(),
                Kind::Sqlite(tables) => tables.trust_statement(),
            })
        })
    }
}

impl Tables {
    pub fn has_users(&self) -> bool {
        match &self.0 {
            Kind::Postgres(tables) => tables.has_users(),
            Kind::Sqlite(tables) => tables.has_users(),
        }
    }

    pub fn are_users_denied(&self) -> bool {
        match &self.0 {
            Kind::Postgres(tables) => tables.are_users_denied(),
            Kind::Sqlite(_) => false,
        }
    }

    pub fn schema(&self) -> &str {
        match &self.0 {
            Kind::Postgres(tables) => tables.schema(),
            Kind::Sqlite(_) => "",
        }
    }
}
