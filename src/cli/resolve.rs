//! `lkroute resolve`: where would this call go, and why? Imports what
//! commands share, the resolver and `render`.

use clap::Args;
use uuid::Uuid;

use super::database::Target;
use super::globals::{Format, Formatted};
use super::keys::KeyArgs;
use super::lookup::{self, Question, Whose};
use super::shell::Shell;
use super::{Stop, database};
use crate::error::{Error, Exit, Result};
use crate::explain;
use crate::phone::E164;
use crate::render::json;
use crate::resolve::{Report, RoutingEnv};
use crate::store::{LookedUp, Mode};

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
        let ring = self.keys.ring()?;
        let env = lookup::environment();
        let question = self.question(shell);
        let found = match self.offline {
            true => Ok(lookup::in_files(&shell.context(), &question)?),
            false => {
                // Settings that are wrong are an error of their own; what the
                // database then does belongs into the trace.
                let target = match env.table_enabled() {
                    true => Some(lookup::target(&shell.context())?),
                    false => None,
                };
                database::block_on(self.find(shell, target, &question, &env))
            }
        };
        let resolution = match found {
            Ok(found) => lookup::answer(found, &question, &env, &ring)?.resolution,
            // The wrong database says nothing of the number.
            Err(error) if error.exit == Exit::Conflict => return Err(error.into()),
            Err(error) => lookup::failed(&question, &error),
        };
        let report = match self.formatted.format {
            Format::Text => explain::text(&resolution, self.explain, shell.width()),
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

    async fn find(
        &self,
        shell: &Shell,
        target: Option<Target>,
        question: &Question,
        env: &RoutingEnv,
    ) -> Result<LookedUp> {
        let Some(target) = target else {
            return Ok(LookedUp::default());
        };
        let mut store = database::open(&shell.context(), &target, Mode::Look).await?;
        lookup::find(&mut store, question, env).await
    }

    fn question(&self, shell: &Shell) -> Question {
        let whose = match (&self.tenant, self.initiated_by) {
            (Some(tenant), _) => Whose::Tenant(tenant.clone()),
            (None, Some(user)) => Whose::User(user),
            (None, None) => Whose::Any,
        };
        Question {
            from: self.from,
            whose,
            to: self.to.clone(),
            agent: self.agent_id,
            strict: self.strict,
            environment: shell.globals.env.clone(),
        }
    }
}
