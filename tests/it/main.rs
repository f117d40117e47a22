//! All integration tests, as one binary.

mod secrets_python;
mod support;
