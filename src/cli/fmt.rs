//! `lkroute fmt`: canonical text, comments kept. Imports `files`, `source` and
//! what commands share.

use std::path::Path;

use clap::Args;
use similar::TextDiff;

use super::Stop;
use super::shell::Shell;
use crate::error::{Error, Exit, Result};
use crate::files::{self, Edit, Tree};
use crate::render::escape::visible;
use crate::render::style::counted;
use crate::source::{Sources, format, veiled};

const EXAMPLES: &str = "\
Examples:
  lkroute fmt            rewrite the files that differ, and name them
  lkroute fmt --check    in CI: show what would change, and exit 1 if anything

Comments and the order of tables stay; nothing changes its meaning.";

/// Write the files in their canonical form
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct FmtArgs {
    /// Change nothing; show the differences and exit 1 where there are any
    #[arg(long)]
    check: bool,
}

impl FmtArgs {
    pub fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        let tree = Tree::open(&shell.globals.routing);
        let mut findings = tree.problems();
        let mut edits = Vec::new();
        for name in tree.paths() {
            let path = tree.path(name).unwrap_or(Path::new(name));
            let before = files::read_text(path)?;
            match format(name, &before) {
                Ok(after) if after != before => edits.push((name, before, after)),
                Ok(_) => {}
                Err(more) => findings.extend(more),
            }
        }
        if !findings.is_empty() {
            return Err(Stop::Invalid(findings));
        }
        match self.check {
            true => check(shell, &edits),
            false => write(shell, &tree, edits),
        }
    }
}

type FormatChange<'a> = (&'a String, String, String);

fn check(shell: &Shell, edits: &[FormatChange<'_>]) -> Result<Exit, Stop> {
    for (name, before, after) in edits {
        let (before, after) = (veiled(before), veiled(after));
        let diff = TextDiff::from_lines(&before, &after);
        let mut diff = diff.unified_diff();
        let text = diff
            .context_radius(2)
            .header(&visible(name), "canonical")
            .to_string();
        shell.print(&match text.is_empty() {
            true => format!(
                "{}: differs where it is not shown, as by a secret\n",
                visible(name)
            ),
            false => text,
        })?;
    }
    match edits.len() as u64 {
        0 => Ok(Exit::Done),
        many => {
            let message = format!("{} not in canonical form", counted(many, "file"));
            Err(Error::new(message)
                .hint("`lkroute fmt` rewrites them")
                .into())
        }
    }
}

fn write(shell: &Shell, tree: &Tree, edits: Vec<FormatChange<'_>>) -> Result<Exit, Stop> {
    let edits = edits.into_iter().map(|(name, before, after)| {
        let path = tree.path(name).unwrap_or(Path::new(name)).to_owned();
        Edit {
            path,
            before,
            after,
        }
    });
    let edits: Vec<Edit> = edits.collect();
    files::rewrite(&edits)?;
    for edit in &edits {
        shell.print(&format!("{}\n", visible(&edit.path.to_string_lossy())))?;
    }
    shell.note(&match edits.len() as u64 {
        0 => "all files were in canonical form".to_owned(),
        many => format!("{} rewritten", counted(many, "file")),
    });
    Ok(Exit::Done)
}
