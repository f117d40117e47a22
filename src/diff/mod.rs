//! Files against the last apply and the database: the plan of what an apply
//! would do. Core: imports the model, `phone`, `source` and `resolve`.

pub mod alias_change;
pub(crate) mod aliases;
pub(crate) mod binding_classes;
mod binding_index;
pub(crate) mod compare;
mod configs;
pub mod differ;
pub mod earlier;
mod object_change;
mod objects;
pub mod offline;
mod patch;
pub mod plan;
mod plan_order;
mod regions;
pub(crate) mod restrict;
pub mod row_reader;
pub mod secret;
pub(crate) mod summary;
pub(crate) mod target;
#[cfg(test)]
mod tests;
