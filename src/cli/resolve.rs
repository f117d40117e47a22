//! `lkroute resolve`: where would this call go, and why? Imports `app`
//! and `render`.

use clap::Args;
use uuid::Uuid;

use super::Stop;
use super::globals::{CallFormatted, ReportFormat};
use super::keys::KeyArgs;
use super::names::{NamedNumber, named_number, nfc_name};
use super::shell::Shell;
use crate::app::database::block_on;
use crate::app::lookup::ResolveRequest;
use crate::app::resolve::resolve_call;
use crate::error::{Error, Exit};
use crate::explain;
use crate::render::json;
use crate::resolve::Report;

const EXAMPLES: &str = "\
Examples:
  lkroute resolve --from +971545335200
  lkroute resolve --from +919513456728 --tenant techiemaya-test --explain
  lkroute resolve --from +919513456728 --tenant techiemaya-test --to 9876543210
  lkroute resolve --from +971545335200 --offline

It places no call and opens no secret; with a key ring at hand it says whether
the secret would open. With a database it works outside the repository, too.";

/// Say where a call would go, and why
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ResolveArgs {
    /// The calling number, in E.164, or the address of its binding
    #[arg(long, value_name = "NUMBER", value_parser = named_number)]
    from: NamedNumber,

    /// Whose number it is: a name of the files, or a uuid
    #[arg(long, value_name = "TENANT", value_parser = nfc_name, conflicts_with = "initiated_by")]
    tenant: Option<String>,

    /// The user who calls: the tenant is looked up
    #[arg(long, value_name = "USER", conflicts_with = "offline")]
    initiated_by: Option<Uuid>,

    /// The agent that would speak: says where its tenant differs
    #[arg(long, value_name = "ID", conflicts_with = "offline")]
    agent_id: Option<i64>,

    /// The called number, as it would be typed
    #[arg(long, value_name = "NUMBER")]
    to: Option<String>,

    /// Show each step
    #[arg(long)]
    explain: bool,

    /// Credentials of the environment are an error
    #[arg(long)]
    strict: bool,

    /// Look into the files alone
    #[arg(long)]
    offline: bool,

    #[command(flatten)]
    pub formatted: CallFormatted,

    #[command(flatten)]
    keys: KeyArgs,
}

impl ResolveArgs {
    pub(super) fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        let ring = self.keys.ring()?;
        let resolve_request = self.resolve_request(shell)?;
        let context = shell.context();
        let resolution = block_on(resolve_call(
            &context,
            &resolve_request,
            &ring,
            self.offline,
        ))?;
        let report = match self.formatted.format() {
            ReportFormat::Text => explain::text(&resolution, self.explain, shell.width()),
            ReportFormat::Json => json::json_text(&Report::from(&resolution))?,
        };
        shell.print(&report)?;
        match resolution.outcome {
            Ok(_) => Ok(Exit::Done),
            Err(error) => {
                let error = Error::from(error);
                shell.complain(&error);
                Ok(error.exit)
            }
        }
    }

    fn resolve_request(&self, shell: &Shell) -> Result<ResolveRequest, Error> {
        let tenant = self
            .from
            .tenant_selector(self.tenant.as_deref(), self.initiated_by)?;
        Ok(ResolveRequest {
            from: self.from.number,
            tenant,
            to: self.to.clone(),
            agent: self.agent_id,
            strict: self.strict,
            environment: shell.globals.env.clone(),
        })
    }
}
