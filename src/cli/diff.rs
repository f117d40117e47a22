//! `lkroute diff`: the plan between two states of the files. Imports `app`.

use clap::Args;

use super::Stop;
use super::globals::ReviewFormatted;
use super::number::NumberArgs;
use super::report::PlanReview;
use super::shell::Shell;
use crate::app::compare_files::{FilesComparison, FilesState, compare_files};
use crate::error::Exit;

const EXAMPLES: &str = "\
Examples:
  lkroute diff                        what is not committed yet
  lkroute diff main                   the work tree against a branch
  lkroute diff origin/main HEAD       between two revisions
  lkroute diff HEAD^1 HEAD --format markdown
                                      what a merge changes, for its reviewers

It reads files only: no database, no key, no credential. It says what applying
the second state would do where the first had just been applied; what others
changed in the database since is not in it. Moving a definition to another
file, or writing it in another way, is no change.";

/// Show what changes between two revisions of the files, offline
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct DiffArgs {
    /// The revision before: a commit, a branch, a tag
    #[arg(value_name = "REV1", default_value = "HEAD")]
    before: String,

    /// The revision after; without it the files as they are now
    #[arg(value_name = "REV2")]
    after: Option<String>,

    /// Exit 2 where something changes
    #[arg(long)]
    detailed_exitcode: bool,

    /// Fold nothing: name every object
    #[arg(long)]
    full: bool,

    #[command(flatten)]
    number: NumberArgs,

    #[command(flatten)]
    pub formatted: ReviewFormatted,
}

impl DiffArgs {
    pub(super) fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        let after = self.after.clone();
        let after = after.map_or(FilesState::WorkTree, FilesState::Revision);
        let before = FilesState::Revision(self.before.clone());
        let compared = compare_files(&shell.context(), &before, &after, self.number.request()?)?;
        let format = self.formatted.format;
        report(&compared).print(shell, format, self.full, self.detailed_exitcode)
    }
}

/// The review of what changes between two states of the files.
pub(super) fn report(compared: &FilesComparison) -> PlanReview<'_> {
    PlanReview {
        offline: Some(&compared.what),
        number: compared.number.as_ref(),
        ..PlanReview::new(&compared.plan, &compared.reroutes, &compared.refusals)
    }
}
