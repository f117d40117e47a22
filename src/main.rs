//! The command `lkroute`: parse, run, exit.

use std::process::ExitCode;

use lkroute::cli;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    match cli::parse(&args) {
        Ok(command) => cli::run(command),
        Err(exit) => exit,
    }
    .into()
}
