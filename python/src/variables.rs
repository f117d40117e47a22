//! The routing variables of one look-up. Python never holds their values: a
//! local variable of a frame would be in the traceback of many a logger.

use lkroute::resolve::{RoutingEnv, ShellEnv, env};
use lkroute::secrets::Secret;
use pyo3::exceptions::PyUnicodeEncodeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::raise::guarded;

/// Where the variables of each look-up are read: `os.environ`, or a mapping in its
/// place.
#[pyclass(frozen, module = "lkroute._core")]
pub struct Environ {
    mapping: Py<PyAny>,
    /// What `os.environ` holds them in. A look through its own methods takes longer
    /// than all that is decided of a call.
    raw: Option<Py<PyDict>>,
}

#[pymethods]
impl Environ {
    #[new]
    fn new(environ: Bound<'_, PyAny>) -> PyResult<Environ> {
        let os = environ.py().import("os")?;
        let is_own = environ.is(&os.getattr("environ")?);
        let in_bytes = os.getattr("supports_bytes_environ")?.is_truthy()?;
        let raw = environ.getattr("_data").ok();
        let raw = raw.filter(|_| is_own && in_bytes);
        Ok(Environ {
            raw: raw.and_then(|raw| Some(raw.cast_into::<PyDict>().ok()?.unbind())),
            mapping: environ.unbind(),
        })
    }

    /// One variable, as the mapping has it.
    fn get<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        self.mapping.bind(py).call_method1("get", (name,))
    }

    /// The variables as they are now.
    fn read(&self, py: Python<'_>) -> PyResult<Variables> {
        guarded(py, || self.variables(py))
    }
}

impl Environ {
    fn variables(&self, py: Python<'_>) -> PyResult<Variables> {
        let names = [
            env::ROUTING_TABLE,
            env::URL,
            env::API_KEY,
            env::API_SECRET,
            env::TRUNK,
            env::WORKER,
        ];
        let mut values = Vec::with_capacity(names.len());
        for name in names {
            values.push((name, self.variable(py, name)?));
        }
        let get = |name: &str| {
            let mut known = values.iter().filter(|(known, _)| *known == name);
            known.next()?.1.clone()
        };
        let secret = get(env::API_SECRET).filter(|value| !value.trim().is_empty());
        Ok(Variables {
            env: RoutingEnv::Shell(ShellEnv::read(get)),
            secret: secret.map(Secret::new),
            livekit_url: get(env::URL),
        })
    }

    /// One that is no Unicode text reads as empty, as the command has it.
    pub fn variable(&self, py: Python<'_>, name: &str) -> PyResult<Option<String>> {
        if let Some(raw) = &self.raw {
            let Some(value) = raw.bind(py).get_item(PyBytes::new(py, name.as_bytes()))? else {
                return Ok(None);
            };
            let value = value.extract::<&[u8]>()?;
            return Ok(Some(str::from_utf8(value).unwrap_or_default().to_owned()));
        }
        let value = self.mapping.bind(py).call_method1("get", (name,))?;
        if value.is_none() {
            return Ok(None);
        }
        match value.extract::<String>() {
            Err(error) if error.is_instance_of::<PyUnicodeEncodeError>(py) => {
                Ok(Some(String::new()))
            }
            value => value.map(Some),
        }
    }
}

/// The variables at the begin of a look-up.
#[pyclass(frozen, module = "lkroute._core")]
pub struct Variables {
    pub env: RoutingEnv,
    /// `LIVEKIT_API_SECRET`, where it is not blank.
    pub secret: Option<Secret>,
    pub livekit_url: Option<String>,
}

#[pymethods]
impl Variables {
    /// Whether the database is asked at all.
    #[getter]
    fn table_enabled(&self) -> bool {
        self.env.table_enabled()
    }
}
