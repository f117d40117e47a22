//! `dispatch`, `dispatches` and `doctor`, as commands: against a
//! stand-in for what goes wrong, and against a real server and worker.

mod cancel;
mod deployment;
mod dispatch;
mod doctor;
mod fallback;
mod kills;
mod mended;
mod outcomes;
mod pages;
mod phone;
mod postgres;
pub mod real;
mod refresh;
mod repeat;
mod sip;
mod table;
mod trust;
mod way;
pub mod world;
