//! All integration tests, as one binary.

mod livekit;
mod secrets_python;
mod support;
