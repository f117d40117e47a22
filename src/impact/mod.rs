//! What a plan does to calls: routes before and after, who is rerouted, what
//! the files expect, and the digest that names it all. Core: imports the model,
//! `phone`, `source`, `resolve` and `diff`.

pub(crate) mod carried_out;
pub(crate) mod change_effects;
pub mod digest;
pub(crate) mod effective_route;
pub(crate) mod expectations;
pub mod one_number;
pub mod reroutes;
pub mod saved_plan;
pub(crate) mod slips;
#[cfg(test)]
mod tests;
pub mod window;
pub mod window_sum;
