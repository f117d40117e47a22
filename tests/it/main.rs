//! All integration tests, as one binary.

// The lints of Cargo.toml are for what ships.
#![allow(
    unreachable_pub,
    clippy::pedantic,
    clippy::print_stderr,
    clippy::print_stdout
)]

#[macro_use]
mod support;

mod action;
mod approval;
mod architecture;
mod calls;
mod cli;
mod diff;
mod faults;
mod foreign_text;
mod fuzz_seeds;
mod gate;
mod git;
mod grants;
mod image;
mod import;
mod limits;
mod livekit;
mod pages;
mod phone;
mod python;
mod reference;
mod release;
mod review;
mod secrets_python;
mod source;
mod store;
mod story;
