//! `lkroute completions`: a script for the user's shell. Imports nothing of
//! lkroute.

use clap::{Args, Command};
use clap_complete::Shell as Dialect;

use super::Stop;
use super::shell::Shell;
use crate::error::Exit;

const EXAMPLES: &str = "\
Examples:
  lkroute completions bash > ~/.local/share/bash-completion/completions/lkroute
  lkroute completions zsh > ~/.zfunc/_lkroute
  lkroute completions fish > ~/.config/fish/completions/lkroute.fish";

/// Print a completion script for a shell
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CompletionsArgs {
    /// The shell it is for
    #[arg(value_enum, value_name = "SHELL")]
    dialect: Dialect,
}

impl CompletionsArgs {
    pub(super) fn run(&self, shell: &Shell, mut command: Command) -> Result<Exit, Stop> {
        let mut script = Vec::new();
        clap_complete::generate(self.dialect, &mut command, "lkroute", &mut script);
        shell.print(&String::from_utf8_lossy(&script))?;
        Ok(Exit::Done)
    }
}
