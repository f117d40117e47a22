//! `lkroute fmt`: canonical text, comments kept. Imports `files`, `source` and
//! what commands share.

use clap::Args;
use similar::TextDiff;

use super::Stop;
use super::shell::Shell;
use crate::app::fmt::{FormatChange, format_files, rewrite_formatted};
use crate::error::{Error, Exit};
use crate::render::escape::visible;
use crate::render::style::counted;
use crate::source::redacted;

const EXAMPLES: &str = "\
Examples:
  lkroute fmt            rewrite the files that differ, and name them
  lkroute fmt --check    in CI: show what would change, and exit 1 if anything

Comments and the order of tables stay; nothing changes its meaning.";

/// Write the files in their canonical form
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct FmtArgs {
    /// Change nothing; show the differences and exit 1 where there are any
    #[arg(long)]
    check: bool,
}

impl FmtArgs {
    pub(super) fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        let changes = format_files(&shell.context())?;
        if self.check {
            report_unformatted(shell, &changes)
        } else {
            write(shell, changes)
        }
    }
}

fn report_unformatted(shell: &Shell, changes: &[FormatChange]) -> Result<Exit, Stop> {
    for change in changes {
        let (before, after) = (redacted(&change.before), redacted(&change.after));
        let name = visible(&change.name);
        let diff = TextDiff::from_lines(&before, &after);
        let mut diff = diff.unified_diff();
        let text = diff
            .context_radius(2)
            .header(&name, "canonical")
            .to_string();
        shell.print(&if text.is_empty() {
            format!("{name}: differs where it is not shown, as by a secret\n")
        } else {
            text
        })?;
    }
    match changes.len() as u64 {
        0 => Ok(Exit::Done),
        many => {
            let message = format!("{} not in canonical form", counted(many, "file"));
            Err(Error::new(message)
                .hint("`lkroute fmt` rewrites them")
                .into())
        }
    }
}

fn write(shell: &Shell, changes: Vec<FormatChange>) -> Result<Exit, Stop> {
    let paths = rewrite_formatted(changes)?;
    for path in &paths {
        shell.print(&format!("{}\n", visible(&path.to_string_lossy())))?;
    }
    shell.note(&match paths.len() as u64 {
        0 => "all files were in canonical form".to_owned(),
        many => format!("{} rewritten", counted(many, "file")),
    });
    Ok(Exit::Done)
}
