//! `lkroute migrate`: creates and upgrades what lkroute needs. Imports
//! `app`.

use clap::Args;

use super::shell::Shell;
use super::{Stop, names};
use crate::app::database::block_on;
use crate::app::migrate::{
    MigrateRequest, check_schema, migrate_database, missing_sql, prepare_restamp, reset_guards,
};
use crate::error::{Error, Exit, Result};

const EXAMPLES: &str = "\
Examples:
  lkroute migrate --check     in CI, before a plan: is the schema up to date?
  lkroute migrate --dry-run   print the SQL, for somebody else to run
  lkroute migrate             do it; again and again does no harm
  lkroute migrate --restamp staging   a copy of production becomes staging's
  lkroute migrate --index     build the index that look-ups use, while others
                              go on writing
  lkroute migrate --reset-guards --reason 'edited by hand'

The application's own tables are left as they are, but for the column
worker_name, which is added where it is absent. Where they are missing, as in
a new database, they are created.";

/// Create or upgrade the tables in the database
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct MigrateArgs {
    /// Change nothing; exit 1 where something is missing
    #[arg(long)]
    check: bool,

    /// Change nothing; print the SQL that is missing
    #[arg(long, conflicts_with = "check")]
    dry_run: bool,

    /// Build the index on numbers too (on PostgreSQL: CONCURRENTLY)
    #[arg(long)]
    index: bool,

    /// Create the application's tables although another schema has them
    #[arg(long)]
    create_application_tables: bool,

    /// Stamp a copy of another environment's database with this one; asks;
    /// kept in the history
    #[arg(long, value_name = "ENV", conflicts_with_all = ["check", "dry_run", "index", "reset_guards"])]
    restamp: Option<String>,

    /// Stamp it without being asked
    #[arg(long, alias = "yes", requires = "restamp")]
    auto_approve: bool,

    /// Forget stored guards that can't be read: only those of the files hold
    /// then; kept in the history
    #[arg(long, requires = "reason", conflicts_with_all = ["check", "dry_run", "index"])]
    reset_guards: bool,

    /// Why
    #[arg(long, value_name = "TEXT", value_parser = names::reason, requires = "reset_guards")]
    reason: Option<String>,
}

impl MigrateArgs {
    pub(super) fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        block_on(async {
            let context = shell.context();
            let request = MigrateRequest {
                index: self.index,
                create_application_tables: self.create_application_tables,
            };
            if self.check {
                let label = check_schema(&context, self.index).await?;
                shell.note(&format!("{label}: up to date"));
            } else if self.dry_run {
                let (sql, label) = missing_sql(&context, &request).await?;
                if sql.is_empty() {
                    shell.note(&format!("{label}: up to date"));
                } else {
                    shell.print(&sql)?;
                }
            } else if let Some(name) = &self.restamp {
                self.restamp(shell, name).await?;
            } else if let Some(reason) = self.reason.as_ref().filter(|_| self.reset_guards) {
                let (why, apply) = reset_guards(&context, reason).await?;
                shell.note(&format!(
                    "the stored guards, which could not be read ({why}), are forgotten; recorded \
                     as {apply}"
                ));
            } else {
                migrate_database(&context, &request).await?;
            }
            Ok(Exit::Done)
        })
    }

    /// Says what is stamped, and asks.
    async fn restamp(&self, shell: &Shell, name: &str) -> Result<(), Stop> {
        let ready = prepare_restamp(&shell.context(), name).await?;
        let change = ready.change();
        if !self.auto_approve {
            if !shell.is_interactive() {
                let error = Error::new(format!("nobody is there to approve: {change}"));
                let hint = "say --auto-approve, if it is a copy and not the database itself";
                return Err(error.hint(hint).into());
            }
            let question = format!("Stamp {change}? Only `yes` is a yes:");
            if shell.ask(&question)? != "yes" {
                let error = Error::new("nothing was changed: the answer was not `yes`");
                return Err(error.into());
            }
        }
        let (apply, stamped) = ready.carry_out(&shell.context()).await?;
        shell.note(&format!(
            "stamped {change}, recorded as {apply}; plans for `{stamped}` are not for it"
        ));
        Ok(())
    }
}
