//! Which tables there are, and the statements that read them.

use std::sync::atomic::{AtomicBool, Ordering};

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
pub struct Tables {
    pub kind: Kind,
    /// A look-up went by it: what it says may be of long ago.
    used: AtomicBool,
}

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
            Ok(Tables::new(Kind::Postgres(tables)))
        })
    }

    #[staticmethod]
    fn sqlite(py: Python<'_>, document: &str) -> PyResult<Tables> {
        guarded(py, || {
            let tables = SqliteTables::read(document);
            let tables = tables.map_err(|error| misused(py, "lookup-failed", error))?;
            Ok(Tables::new(Kind::Sqlite(tables)))
        })
    }

    /// The statement of a look-up.
    #[getter]
    fn look_up(&self, py: Python<'_>) -> PyResult<String> {
        guarded(py, || {
            Ok(match &self.kind {
                Kind::Postgres(tables) => tables.statement(),
                Kind::Sqlite(tables) => tables.statement(true),
            })
        })
    }

    /// The statement that says whom tokens may be sent to.
    #[getter]
    fn trust(&self, py: Python<'_>) -> PyResult<String> {
        guarded(py, || {
            Ok(match &self.kind {
                Kind::Postgres(tables) => tables.trust_statement(),
                Kind::Sqlite(tables) => tables.trust_statement(),
            })
        })
    }
}

impl Tables {
    fn new(kind: Kind) -> Tables {
        Tables {
            kind,
            used: AtomicBool::new(false),
        }
    }

    /// Whether a look-up went by it before this one.
    pub fn note_use(&self) -> bool {
        self.used.swap(true, Ordering::Relaxed)
    }

    pub fn has_users(&self) -> bool {
        match &self.kind {
            Kind::Postgres(tables) => tables.has_users(),
            Kind::Sqlite(tables) => tables.has_users(),
        }
    }

    pub fn are_users_denied(&self) -> bool {
        match &self.kind {
            Kind::Postgres(tables) => tables.are_users_denied(),
            Kind::Sqlite(_) => false,
        }
    }

    pub fn schema(&self) -> &str {
        match &self.kind {
            Kind::Postgres(tables) => tables.schema(),
            Kind::Sqlite(_) => "",
        }
    }
}
