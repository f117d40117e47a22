//! `lkroute secrets list`: where secrets live, and whether they open. Imports
//! `app` and `render`.

use clap::Args;

use super::Stop;
use super::globals::{Formatted, ReportFormat};
use super::keys::KeyArgs;
use super::shell::Shell;
use crate::app::database::block_on;
use crate::app::secret_list::list_secrets;
use crate::error::{Error, Exit};
use crate::render::json;
use crate::render::secrets::{self as report, SecretsReport};

const EXAMPLES: &str = "\
Examples:
  lkroute secrets list
  lkroute secrets list --offline --format json

It opens each value with the keys at hand and says how that went, never what
came out: opens, no key, wrong key, damaged, plain text. Exit 1 where a value
does not open for another reason than a missing key.";

/// Say where each secret lives, and whether it opens
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct SecretListArgs {
    /// Look into the files alone
    #[arg(long)]
    offline: bool,

    #[command(flatten)]
    pub formatted: Formatted,

    #[command(flatten)]
    keys: KeyArgs,
}

impl SecretListArgs {
    pub(super) fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        let ring = self.keys.ring()?;
        let listed = block_on(list_secrets(&shell.context(), &ring, self.offline))?;
        let report = SecretsReport::new(listed.environment.as_deref(), listed.secrets);
        shell.print(&match self.formatted.format {
            ReportFormat::Text => report::secrets_text(&report),
            ReportFormat::Json => json::json_text(&report)?,
        })?;
        if let Some(config) = listed.leaked {
            let message = format!("the secret of {config} is stored as plain text");
            let hint = "take it for leaked: get a new one, `lkroute secrets seal` it, `lkroute adopt` it, and apply";
            let error = Error::new(message).hint(hint);
            shell.complain(&error);
            return Ok(error.exit);
        }
        let values = report.secrets.iter();
        let values = values.flat_map(|secret| secret.in_files.iter().chain(&secret.in_database));
        let fine = ["opens", "no key", "plain text", "at hand", "not at hand"];
        match values
            .map(|value| value.state)
            .find(|state| !fine.contains(state))
        {
            None => Ok(Exit::Done),
            Some(state) => {
                let error = Error::new(format!("not every secret opens: {state}"));
                shell.complain(&error);
                Ok(error.exit)
            }
        }
    }
}
