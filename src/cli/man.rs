//! `lkroute man`: the help of each command as manual pages, for packages.
//! Imports `app`.

use std::path::PathBuf;

use clap::{Args, Command};
use clap_mangen::Man;

use super::Stop;
use super::shell::Shell;
use crate::app::{make_directory, write_file};
use crate::error::{Error, Exit};

const EXAMPLES: &str = "\
Examples:
  lkroute man --out ~/.local/share/man/man1
  man lkroute-plan";

/// Write the manual pages
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ManArgs {
    /// A directory for lkroute.1, lkroute-plan.1, …; made where it is missing
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl ManArgs {
    pub(super) fn run(&self, shell: &Shell, mut command: Command) -> Result<Exit, Stop> {
        command.build();
        let mut pages = Vec::new();
        render_pages(&command, &mut pages)
            .map_err(|error| Error::new(format!("the manual can't be made: {error}")))?;
        make_directory(&self.out)?;
        for (name, page) in &pages {
            write_file(&self.out.join(name), page)?;
        }
        shell.note(&format!(
            "{} pages written to {}",
            pages.len(),
            self.out.display()
        ));
        Ok(Exit::Done)
    }
}

/// The page of a command and of those below it: file name and text.
fn render_pages(command: &Command, pages: &mut Vec<(String, String)>) -> std::io::Result<()> {
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    man.render(&mut page)?;
    let text = String::from_utf8_lossy(&page).into_owned();
    pages.push((man.get_filename(), text));
    for below in command
        .get_subcommands()
        .filter(|below| !below.is_hide_set())
    {
        render_pages(below, pages)?;
    }
    Ok(())
}
