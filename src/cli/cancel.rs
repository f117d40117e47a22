//! `lkroute cancel`: ends one call that lkroute placed. Imports `app` and
//! `render`.

use std::time::Duration;

use clap::Args;

use super::Stop;
use super::dispatch::duration;
use super::globals::{CallFormatted, ReportFormat};
use super::keys::KeyArgs;
use super::shell::Shell;
use crate::app::cancel::{cancel_call, find_call};
use crate::app::database::block_on;
use crate::app::dispatches::look_limits;
use crate::error::{Error, Exit};
use crate::render::call_reports::DispatchesReport;
use crate::render::{calls, json};

const EXAMPLES: &str = "\
Examples:
  lkroute cancel call-c8f4bdd5d37d489ab9a1f4ab0091d8fa-b0008e1f
  lkroute cancel AD_YhD5TbAYmaY9 -y

It deletes the dispatch and the room on the server that the call was placed
through, which ends the agent's job and hangs up the phone, and says what was
running. The record becomes `cancelled`.";

/// End a call: delete its dispatch and its room
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CancelArgs {
    /// The call's room, its dispatch (AD_…) or its record
    #[arg(value_name = "ROOM|ID")]
    call: String,

    /// Don't ask
    #[arg(short, long, alias = "auto-approve")]
    yes: bool,

    /// Time limit for each request to LiveKit
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "5s")]
    timeout: Duration,

    #[command(flatten)]
    pub formatted: CallFormatted,

    #[command(flatten)]
    keys: KeyArgs,
}

impl CancelArgs {
    pub(super) fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        let context = shell.context();
        let ring = self.keys.ring()?;
        let call = block_on(find_call(&context, &self.call))?;
        if !self.yes {
            let asked = format!(
                "End the call {} → {} of {} in room {}? [y/N] ",
                call.from, call.to, call.at, call.room
            );
            if !shell.is_interactive() {
                return Err(Error::new("nothing was ended: nobody is there to ask")
                    .hint("say --yes")
                    .into());
            }
            if !matches!(shell.ask(&asked)?.as_str(), "y" | "Y" | "yes") {
                return Err(Error::new("nothing was ended").into());
            }
        }
        let limits = look_limits(self.timeout);
        let ended = block_on(cancel_call(&context, &self.call, &ring, limits))?;
        let records = [ended.record];
        let report = match self.formatted.format() {
            ReportFormat::Text => {
                let said = if ended.was_there {
                    format!("Ended; {}\n", ended.was_running)
                } else {
                    format!("Nothing was there to end: {}\n", ended.was_running)
                };
                said + &calls::call_list(&records, 0, shell.width())
            }
            ReportFormat::Json => json::json_text(&DispatchesReport::new(&records))?,
        };
        shell.print_done(&report, "the call was ended");
        Ok(Exit::Done)
    }
}
