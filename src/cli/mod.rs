//! The command line: one file a command, each with its arguments and `run`.
//! Imports everything; only `main` imports it.

mod adopt;
mod apply;
mod argv;
mod cancel;
mod completions;
mod diff;
mod dispatch;
mod dispatches;
mod doctor;
mod drift;
mod env;
mod failure;
mod fmt;
pub(crate) mod globals;
mod graph;
mod help;
mod history;
mod import;
mod keys;
mod list;
mod man;
mod migrate;
mod names;
mod number;
mod plan;
mod progress;
mod release;
mod report;
mod resolve;
mod rollback;
mod rotate;
mod schema;
mod secret_list;
mod secrets;
pub(crate) mod shell;
mod show;
mod signals;
mod trust;
mod usage;
mod validate;

use std::ffi::OsString;
use std::time::Duration;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::app::Stop;
use crate::app::database::INTERRUPTED;
use crate::error::{Error, Exit};
use crate::finding::{Finding, count_by_severity};
use crate::render::findings;
use failure::failed_report;
use globals::{Globals, ReviewFormat};
use shell::Shell;

/// The whole command line.
#[derive(Parser)]
#[command(name = "lkroute", version, about = help::ABOUT, after_help = help::AFTER)]
#[command(disable_help_subcommand = true, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
    /// The name of the command.
    #[arg(skip)]
    name: String,
}

#[derive(Subcommand)]
enum Command {
    Validate(validate::ValidateArgs),
    Fmt(fmt::FmtArgs),
    Adopt(adopt::AdoptArgs),
    Migrate(migrate::MigrateArgs),
    Import(import::ImportArgs),
    Plan(plan::PlanArgs),
    Diff(diff::DiffArgs),
    Graph(graph::GraphArgs),
    Apply(apply::ApplyArgs),
    Show(show::ShowArgs),
    Drift(drift::DriftArgs),
    History(history::HistoryArgs),
    Rollback(rollback::RollbackArgs),
    Release(release::ReleaseArgs),
    Resolve(resolve::ResolveArgs),
    List(list::ListArgs),
    Secrets(secrets::SecretsArgs),
    Dispatch(Box<dispatch::DispatchArgs>),
    Dispatches(dispatches::DispatchesArgs),
    Cancel(cancel::CancelArgs),
    Env(env::EnvArgs),
    Doctor(doctor::DoctorArgs),
    Trust(trust::TrustArgs),
    Schema(schema::SchemaArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

/// As an error, for its exit code and its one sentence.
fn error_of(stop: &Stop) -> Error {
    match stop {
        Stop::Error(error) => error.clone(),
        Stop::Invalid(findings) => {
            let count = count_by_severity(findings);
            Error::exit(Exit::Invalid, format!("the files are invalid: {count}"))
        }
    }
}

fn findings_of(stop: &Stop) -> &[Finding] {
    match stop {
        Stop::Invalid(findings) => findings,
        Stop::Error(_) => &[],
    }
}

/// The command line, with its help as people should see it.
fn command_line() -> clap::Command {
    help::with_groups(Cli::command())
}

/// Reads the command line. Help, version and usage errors are printed here;
/// what is left is the code to exit with.
pub fn parse(args: &[OsString]) -> Result<Cli, Exit> {
    let command = command_line();
    let args = &argv::format_after_the_command(&argv::habits(args), &command);
    let matches = command.try_get_matches_from(args);
    let cli = matches.and_then(|matches| {
        let name = matches.subcommand_name().unwrap_or_default().to_owned();
        Ok(Cli {
            name,
            ..Cli::from_arg_matches(&matches)?
        })
    });
    cli.map_err(|error| usage::report(&error, args, command_line()))
}

/// How often a command that only reads is tried.
const TRIES: u32 = 4;
/// From one try to the next, and longer each time.
const PAUSE: Duration = Duration::from_millis(300);

/// Runs a command and reports what went wrong.
pub fn run(cli: Cli) -> Exit {
    let plain = Shell::new(cli.globals.clone());
    let (shell, ran) = match cli.globals.with_variables(|name| std::env::var_os(name)) {
        Ok(globals) => {
            let shell = Shell::new(globals);
            let ran = cli.command.run_again(&shell);
            (shell, ran)
        }
        Err(error) => (plain, Err(error.into())),
    };
    let stop = match ran {
        Ok(exit) => return exit,
        Err(stop) => stop,
    };
    let error = error_of(&stop);
    let report = match cli.command.format() {
        Some(ReviewFormat::Json) => failed_report(&cli.name, findings_of(&stop), &error),
        Some(format) => report::failed(&shell, format, findings_of(&stop), &error),
        None => Ok(findings::findings_text(findings_of(&stop), shell.width())),
    };
    match (report, cli.command.format()) {
        (Ok(text), Some(format)) => drop(report::print(&shell, format, &text)),
        (Ok(text), None) if !text.is_empty() => shell.say(&text),
        _ => {}
    }
    shell.complain(&error);
    error.exit
}

impl Command {
    /// Runs it; what only reads is tried again where the server ended its
    /// transaction because of others, as a standby does with what stands in the
    /// way of what it replays.
    fn run_again(&self, shell: &Shell) -> Result<Exit, Stop> {
        for tried in 1..TRIES {
            match self.run(shell) {
                Err(Stop::Error(error)) if error.code == Some(INTERRUPTED) && self.only_reads() => {
                    shell.note(&format!("{error}; trying again"));
                    std::thread::sleep(PAUSE * tried);
                }
                ran => return ran,
            }
        }
        self.run(shell)
    }

    /// Whether it reads a database before it says or does anything.
    fn only_reads(&self) -> bool {
        matches!(
            self,
            Command::Import(_)
                | Command::Plan(_)
                | Command::Drift(_)
                | Command::History(_)
                | Command::Resolve(_)
                | Command::List(_)
                | Command::Doctor(_)
        )
    }

    fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        match self {
            Command::Validate(args) => args.run(shell),
            Command::Fmt(args) => args.run(shell),
            Command::Adopt(args) => args.run(shell),
            Command::Migrate(args) => args.run(shell),
            Command::Import(args) => args.run(shell),
            Command::Plan(args) => args.run(shell),
            Command::Diff(args) => args.run(shell),
            Command::Show(args) => args.run(shell),
            Command::Drift(args) => args.run(shell),
            Command::History(args) => args.run(shell),
            Command::Rollback(args) => args.run(shell),
            Command::Release(args) => args.run(shell),
            Command::Graph(args) => args.run(shell),
            Command::Apply(args) => args.run(shell),
            Command::Resolve(args) => args.run(shell),
            Command::List(args) => args.run(shell),
            Command::Secrets(args) => args.run(shell),
            Command::Dispatch(args) => args.run(shell),
            Command::Dispatches(args) => args.run(shell),
            Command::Cancel(args) => args.run(shell),
            Command::Env(args) => args.run(shell),
            Command::Doctor(args) => args.run(shell),
            Command::Trust(args) => args.run(shell),
            Command::Schema(args) => args.run(shell),
            Command::Completions(args) => args.run(shell, Cli::command()),
            Command::Man(args) => args.run(shell, Cli::command()),
        }
    }

    /// The format of its report, where it prints one.
    fn format(&self) -> Option<ReviewFormat> {
        match self {
            Command::Validate(args) => Some(args.formatted.format),
            Command::Import(args) => Some(args.formatted.format.into()),
            Command::Plan(args) => Some(args.formatted.format),
            Command::Diff(args) => Some(args.formatted.format),
            Command::Show(args) => Some(args.formatted.format),
            Command::Apply(args) => Some(args.formatted.format.into()),
            Command::Drift(args) => Some(args.formatted.format.into()),
            Command::History(args) => Some(args.formatted.format.into()),
            Command::Rollback(args) => Some(args.formatted.format.into()),
            Command::Release(args) => Some(args.formatted.format.into()),
            Command::Resolve(args) => Some(args.formatted.format().into()),
            Command::Secrets(args) => args.format().map(ReviewFormat::from),
            Command::List(args) => Some(args.formatted.format.into()),
            Command::Dispatch(args) => Some(args.formatted.format().into()),
            Command::Dispatches(args) => Some(args.formatted.format().into()),
            Command::Cancel(args) => Some(args.formatted.format().into()),
            Command::Doctor(args) => Some(args.formatted.format().into()),
            Command::Fmt(_)
            | Command::Adopt(_)
            | Command::Migrate(_)
            | Command::Graph(_)
            | Command::Env(_)
            | Command::Trust(_)
            | Command::Schema(_)
            | Command::Completions(_)
            | Command::Man(_) => None,
        }
    }
}
