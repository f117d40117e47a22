//! `dispatch`, `dispatches` and `doctor`, as commands: against a
//! stand-in for what goes wrong, and against a real server and worker.

mod dispatch;
mod doctor;
mod postgres;
mod readme;
mod real;
mod trust;
mod world;
