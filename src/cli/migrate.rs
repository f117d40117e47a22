//! `lkroute migrate`: creates and upgrades what lkroute needs. Imports the
//! store and what commands share.

use clap::Args;
use uuid::Uuid;

use super::shell::Shell;
use super::{Stop, actor, database, lookup, routing_files};
use crate::app::database::Target;
use crate::diff::plan::Plan;
use crate::error::{Error, Exit, Result};
use crate::routing::guards::{Guards, StoredGuards};
use crate::snapshot::Snapshot;
use crate::store::{Applied, ApplyOrder, Mode, Restamp, SchemaState, Step, Store, script};

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

    /// Create the application's tables although another schema has them
    #[arg(long)]
    create_application_tables: bool,

    /// Stamp a copy of another environment's database with this one; asks;
    /// kept in the history
    #[arg(long, value_name = "ENV", conflicts_with_all = ["check", "dry_run", "index", "reset_guards"])]
    restamp: Option<String>,

    /// Stamp it without being asked
    #[arg(long, requires = "restamp")]
    auto_approve: bool,

    /// Forget stored guards that can't be read: only those of the files hold
    /// then; kept in the history
    #[arg(long, requires = "reason", conflicts_with_all = ["check", "dry_run", "index"])]
    reset_guards: bool,

    /// Why
    #[arg(long, value_name = "TEXT", requires = "reset_guards")]
    reason: Option<String>,
}

impl MigrateArgs {
    pub fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        database::block_on(async {
            let environment = match shell.globals.env {
                Some(_) => routing_files::environment_database(
                    &shell.context(),
                    &routing_files::load_valid(&shell.context())?,
                ),
                None => None,
            };
            let target = database::target(&shell.context(), environment.as_ref())?;
            if !target.url.exists() && (self.check || self.dry_run) {
                let message = format!("{} is missing", target.url.label());
                let error = Error::new(message).hint("`lkroute migrate` creates it");
                return Err(error.into());
            }
            let mode = match self.check || self.dry_run {
                true => Mode::Read,
                false => Mode::Write,
            };
            if let Some(name) = &self.restamp {
                return Ok(self.restamp(shell, &target, name).await?);
            }
            let (mut store, _) = database::open_stamped(&shell.context(), &target, mode).await?;
            match (self.check, self.dry_run) {
                (true, _) => self.check(shell, &mut store).await,
                (_, true) => self.show(shell, &mut store).await,
                _ if self.reset_guards => self.reset_guards(shell, &mut store).await,
                _ => self.migrate(shell, &mut store).await,
            }
            .map_err(Stop::from)
        })
    }

    /// For copies of a database: they are of another environment, and no plan
    /// for the one that they were taken from is for them.
    async fn restamp(&self, shell: &Shell, target: &Target, name: &str) -> Result<Exit> {
        if name.trim().is_empty() {
            return Err(Error::new("--restamp names no environment"));
        }
        let mut store = database::open(&shell.context(), target, Mode::Record).await?;
        let state = store.schema_state().await?;
        if state != SchemaState::Current {
            return Err(state.refusal(store.label()));
        }
        let snapshot = read_snapshot(&mut store).await?;
        let Some(stamped) = snapshot.environment.clone() else {
            return Err(Error::new("the database belongs to no environment yet")
                .hint("the first apply with --env stamps it"));
        };
        let change = format!("{} from `{stamped}` to `{name}`", store.label());
        if !self.auto_approve {
            if !shell.is_interactive() {
                return Err(Error::new(format!("nobody is there to approve: {change}"))
                    .hint("say --auto-approve, if it is a copy and not the database itself"));
            }
            let question = format!("Stamp {change}? Only `yes` is a yes:");
            if shell.ask(&question)? != "yes" {
                return Err(Error::new("nothing was changed: the answer was not `yes`"));
            }
        }
        let order = ApplyOrder {
            environment: Some(name.to_owned()),
            reason: Some(format!("a copy of `{stamped}`")),
            restamp: Some(Restamp {
                from: stamped.clone(),
                identity: Uuid::new_v4(),
            }),
            ..order_of_nothing(&snapshot, "restamp")
        };
        let done = apply_nothing(&mut store, &snapshot, &order).await?;
        shell.note(&format!(
            "stamped {change}, recorded as {}; plans for `{stamped}` are not for it",
            done.id
        ));
        Ok(Exit::Done)
    }

    async fn check(&self, shell: &Shell, store: &mut Store) -> Result<Exit> {
        match store.schema_state().await? {
            SchemaState::Current => {}
            state => return Err(state.refusal(store.label())),
        }
        if self.index && store.index_missing().await? {
            return Err(Error::new("the index on numbers is missing")
                .hint("`lkroute migrate --index` builds it"));
        }
        shell.note(&format!("{}: up to date", store.label()));
        Ok(Exit::Done)
    }

    async fn show(&self, shell: &Shell, store: &mut Store) -> Result<Exit> {
        let steps = store
            .migrate_anew(true, self.create_application_tables)
            .await?;
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

    /// Records an apply of nothing that stores guards anew.
    async fn reset_guards(&self, shell: &Shell, store: &mut Store) -> Result<Exit> {
        let state = store.schema_state().await?;
        if state != SchemaState::Current {
            return Err(state.refusal(store.label()));
        }
        let snapshot = read_snapshot(store).await?;
        lookup::own_environment(&shell.context(), snapshot.environment.as_deref())?;
        let StoredGuards::Unreadable(why) = &snapshot.guards else {
            return Err(
                Error::new("the stored guards can be read: nothing is reset")
                    .hint("change them in the files: that is reviewed, and applied like the rest"),
            );
        };
        let guards = serde_json::to_value(Guards::default());
        let order = ApplyOrder {
            reason: self.reason.clone(),
            guards: guards.map_err(|error| Error::new(format!("the guards: {error}")))?,
            ..order_of_nothing(&snapshot, "reset-guards")
        };
        let done = apply_nothing(store, &snapshot, &order).await?;
        shell.note(&format!(
            "the stored guards, which could not be read ({why}), are forgotten; recorded as {}",
            done.id
        ));
        Ok(Exit::Done)
    }

    async fn migrate(&self, shell: &Shell, store: &mut Store) -> Result<Exit> {
        let steps = store
            .migrate_anew(false, self.create_application_tables)
            .await?;
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

async fn read_snapshot(store: &mut Store) -> Result<Snapshot> {
    store.begin_read().await?;
    let snapshot = store.snapshot().await?;
    store.end_read().await?;
    Ok(snapshot)
}

/// For what goes into the history and changes no object.
fn order_of_nothing(snapshot: &Snapshot, kind: &str) -> ApplyOrder {
    let last = snapshot.last_apply.as_ref();
    ApplyOrder {
        // What is there is still of that commit.
        revision: last.and_then(|apply| apply.revision.clone()),
        dirty: last.is_some_and(|apply| apply.dirty),
        owner: snapshot.owner.clone(),
        environment: snapshot.environment.clone(),
        ..ApplyOrder::new(Uuid::new_v4(), kind, &actor::current_actor())
    }
}

async fn apply_nothing(
    store: &mut Store,
    snapshot: &Snapshot,
    order: &ApplyOrder,
) -> Result<Applied> {
    let plan = Plan {
        base: snapshot.last_apply.as_ref().map(|apply| apply.id),
        ..Plan::default()
    };
    let done = store.apply(&plan, order, &mut |_, _| ()).await;
    done.map_err(|failed| failed.error)
}

/// Reports the steps that were taken, if any.
pub fn say(shell: &Shell, steps: &[Step]) {
    for step in steps {
        shell.note(&format!("migrated: {}", step.name));
    }
}
