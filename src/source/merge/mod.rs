//! The parsed files → one [`crate::routing::Routing`]: names are looked up,
//! what stands twice is found. Core: imports `parse`, the model and `phone`.

mod bindings;
mod environments;
mod fallbacks;
pub(super) mod merger;
mod objects;
mod rollouts;
