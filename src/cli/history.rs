//! `lkroute history`: the applies, what one of them changed, what happened to
//! one object. Imports `app` and `render`.

use clap::Args;

use super::globals::{Formatted, ReportFormat};
use super::shell::Shell;
use super::{Stop, names};
use crate::address::Address;
use crate::app::database::block_on;
use crate::app::history::{ApplyHistory, HistoryStory, ObjectHistory, read_history};
use crate::error::{Exit, Result};
use crate::render::history::{
    self as report, ChangedReport, EventReport, HistoryNames, HistoryReport,
};
use crate::render::json;
use crate::snapshot::ApplyId;

const EXAMPLES: &str = "\
Examples:
  lkroute history                      who applied what, and when
  lkroute history 7                    what apply 7 changed
  lkroute history --address config.uae-vm-selfhosted
  lkroute history --address binding.+971545335200@sasya --format json

It needs a database and no files: it works outside the repository, too.";

/// Show what was applied, when and by whom
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct HistoryArgs {
    /// The number of an apply: show what it changed
    #[arg(value_name = "APPLY", conflicts_with = "address", value_parser = number)]
    apply: Option<ApplyId>,

    /// An object: show what happened to it
    #[arg(long, value_name = "ADDRESS", value_parser = names::object)]
    address: Option<Address>,

    /// Fold nothing: name every object
    #[arg(long)]
    full: bool,

    #[command(flatten)]
    pub formatted: Formatted,
}

/// The number of an apply.
pub(super) fn number(text: &str) -> Result<ApplyId, &'static str> {
    text.parse()
        .map_err(|_| "an apply is a number; `lkroute history` lists them")
}

impl HistoryArgs {
    pub(super) fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        let context = shell.context();
        let found = block_on(read_history(&context, self.apply, self.address.as_ref()))?;
        let environment = found.environment.as_deref();
        let names = HistoryNames(found.names);
        let text = match (&found.story, self.formatted.format) {
            (HistoryStory::Applies(applies), ReportFormat::Text) => {
                report::apply_list(applies, environment)
            }
            (HistoryStory::Applies(applies), ReportFormat::Json) => {
                json::json_text(&HistoryReport::new(environment, applies))?
            }
            (HistoryStory::Apply(apply), ReportFormat::Text) => {
                let ApplyHistory { record, changed } = apply;
                report::apply_text(record, changed, &names, environment, self.full)
            }
            (HistoryStory::Apply(apply), ReportFormat::Json) => {
                let applies = std::slice::from_ref(&apply.record);
                let mut report = HistoryReport::new(environment, applies);
                let changes = apply.changed.iter();
                report.changes = changes
                    .map(|(address, event)| ChangedReport::new(address, event, &names))
                    .collect();
                json::json_text(&report)?
            }
            (HistoryStory::Object(object), ReportFormat::Text) => {
                let ObjectHistory { address, events } = object;
                report::object_story(address, events, &names, environment)
            }
            (HistoryStory::Object(object), ReportFormat::Json) => {
                let mut report = HistoryReport::new(environment, &[]);
                let newest = object.events.iter().rev();
                report.events = newest
                    .map(|(apply, event)| EventReport::new(apply, event, &names))
                    .collect();
                json::json_text(&report)?
            }
        };
        shell.print(&text)?;
        Ok(Exit::Done)
    }
}
