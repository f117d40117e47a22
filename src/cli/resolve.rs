//! `lkroute resolve`: where would this call go, and why? Imports what
//! commands share, the resolver and `render`.

use clap::Args;
use uuid::Uuid;

use super::globals::{Format, Formatted};
use super::keys::KeyArgs;
use super::shell::Shell;
use super::{Stop, planning};
use crate::error::{Error, Exit, Result};
use crate::phone::E164;
use crate::render::{json, resolution};
use crate::resolve::{
    Facts, Query, Report, Resolution, RoutingEnv, ShellEnv, TenantChoice, resolve,
};

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
pub struct ResolveArgs {
    /// The calling number, in E.164
    #[arg(long, value_name = "NUMBER")]
    from: E164,

    /// Whose number it is: a name of the files, or a uuid
    #[arg(long, value_name = "TENANT", conflicts_with = "initiated_by")]
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
    pub formatted: Formatted,

    #[command(flatten)]
    keys: KeyArgs,
}

impl ResolveArgs {
    pub fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        let resolution = match self.offline {
            true => self.in_files(shell)?,
            false => {
                return Err(Error::new("the database can not be asked yet")
                    .hint("use --offline")
                    .into());
            }
        };
        let report = match self.formatted.format {
            Format::Text => resolution::text(&resolution, self.explain, shell.width()),
            Format::Json => json::text(&Report::from(&resolution))?,
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

    fn in_files(&self, shell: &Shell) -> Result<Resolution, Stop> {
        let loaded = planning::load_valid(shell)?;
        let facts = Facts::of_files(&loaded.routing, self.from);
        let query = self.query(&facts)?;
        Ok(resolve(&query, &facts, &environment()))
    }

    fn query(&self, facts: &Facts) -> Result<Query> {
        let tenant = match (&self.tenant, self.initiated_by) {
            (Some(tenant), _) => TenantChoice::Given(tenant_id(tenant, facts)?),
            (None, Some(user)) => TenantChoice::OfUser(user),
            (None, None) => TenantChoice::Any,
        };
        Ok(Query {
            to: self.to.clone(),
            strict: self.strict,
            ..Query::new(self.from, tenant)
        })
    }
}

/// The routing variables of this shell.
fn environment() -> RoutingEnv {
    RoutingEnv::Shell(ShellEnv::read(|name| std::env::var(name).ok()))
}

fn tenant_id(text: &str, facts: &Facts) -> Result<Uuid> {
    if let Ok(id) = Uuid::parse_str(text) {
        return Ok(id);
    }
    let mut aliases = facts.aliases.iter();
    let found = aliases.find(|(_, alias)| *alias == text);
    found.map(|(id, _)| *id).ok_or_else(|| {
        Error::new(format!("no tenant is called `{text}`")).hint("name another one, or its uuid")
    })
}
