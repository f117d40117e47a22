//! `lkroute migrate`: creates and upgrades what lkroute needs. Imports the
//! store and what commands share.

use clap::Args;

use super::shell::Shell;
use super::{Stop, database, planning};
use crate::error::{Error, Exit, Result};
use crate::store::{Mode, SchemaState, Step, Store, script};

const EXAMPLES: &str = "\
Examples:
  lkroute migrate --check     in CI, before a plan: is the schema up to date?
  lkroute migrate --dry-run   print the SQL, for somebody else to run
  lkroute migrate             do it; again and again does no harm
  lkroute migrate --index     build the index that look-ups use, while others
                              go on writing

The application's own tables are left as they are, but for the column
worker_name, which is added where it is absent. Where they are missing, as in
a new database, they are created.";

/// Create or upgrade the tables in the database
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct MigrateArgs {
    /// Change nothing; exit 1 where something is missing
    #[arg(long)]
    check: bool,

    /// Change nothing; print the SQL that is missing
    #[arg(long, conflicts_with = "check")]
    dry_run: bool,

    /// Build the index on numbers too (on PostgreSQL: CONCURRENTLY)
    #[arg(long)]
    index: bool,
}

impl MigrateArgs {
    pub fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        database::block_on(async {
            let environment = match shell.globals.env {
                Some(_) => planning::environment(shell, &planning::load_valid(shell)?),
                None => None,
            };
            let target = database::target(shell, environment.as_ref())?;
            if !target.url.exists() && (self.check || self.dry_run) {
                let message = format!("{} is missing", target.url.label());
                let error = Error::new(message).hint("`lkroute migrate` creates it");
                return Err(error.into());
            }
            let mode = match self.check || self.dry_run {
                true => Mode::Read,
                false => Mode::Write,
            };
            let mut store = database::open(shell, &target, mode).await?;
            match (self.check, self.dry_run) {
                (true, _) => self.check(shell, &mut store).await,
                (_, true) => self.show(shell, &mut store).await,
                _ => self.migrate(shell, &mut store).await,
            }
            .map_err(Stop::from)
        })
    }

    async fn check(&self, shell: &Shell, store: &mut Store) -> Result<Exit> {
        match store.schema_state().await? {
            SchemaState::Current => {}
            state => return Err(database::behind(store.label(), &state)),
        }
        if self.index && store.index_missing().await? {
            return Err(Error::new("the index on numbers is missing")
                .hint("`lkroute migrate --index` builds it"));
        }
        shell.note(&format!("{}: up to date", store.label()));
        Ok(Exit::Done)
    }

    async fn show(&self, shell: &Shell, store: &mut Store) -> Result<Exit> {
        let steps = store.migrate(true).await?;
        if !steps.is_empty() {
            shell.print(&script(&steps))?;
        }
        let index = self.index && store.index_missing().await?;
        if index {
            shell.print(&format!("{};\n", store.index_sql()))?;
        }
        if steps.is_empty() && !index {
            shell.note(&format!("{}: up to date", store.label()));
        }
        Ok(Exit::Done)
    }

    async fn migrate(&self, shell: &Shell, store: &mut Store) -> Result<Exit> {
        let steps = store.migrate(false).await?;
        say(shell, &steps);
        if steps.is_empty() {
            shell.note(&format!("{}: up to date", store.label()));
        }
        if self.index {
            shell.note("building the index on numbers; this can take minutes");
            let text = match store.create_index().await? {
                true => "the index on numbers is built",
                false => "the index on numbers was there already",
            };
            shell.note(text);
        } else if store.index_missing().await? {
            shell.note(
                "the table of numbers has no index that begins with base_number, so look-ups \
                 read all of it: `lkroute migrate --index` builds one",
            );
        }
        Ok(Exit::Done)
    }
}

/// Reports the steps that were taken, if any.
pub fn say(shell: &Shell, steps: &[Step]) {
    for step in steps {
        shell.note(&format!("migrated: {}", step.name));
    }
}
