//! The tables that lkroute needs: what is missing, creating it, and stamps and
//! guards that are set anew. Imports core, the files and the store.

use serde_json::Value;
use uuid::Uuid;

use super::apply::{guards_value, new_request};
use super::database::{self, Target};
use super::{Context, Stop, routing_files};
use crate::diff::plan::Plan;
use crate::error::{Error, Result};
use crate::routing::guards::{Guards, StoredGuards};
use crate::snapshot::{ApplyId, Snapshot};
use crate::store::{Applied, Mode, Restamp, SchemaState, Store, WriteRequest, script};

/// What is made beside lkroute's own tables.
pub struct MigrateRequest {
    /// The index on numbers.
    pub index: bool,
    /// The application's tables, although another schema has them.
    pub create_application_tables: bool,
}

/// Whether nothing is missing that `plan` needs; the name of the database.
///
/// # Errors
/// Something is missing, the index too where it is wanted.
pub async fn check_schema(context: &Context<'_>, index: bool) -> Result<String, Stop> {
    let mut store = open_store(context, Mode::Read).await?;
    refuse_old_schema(&mut store).await?;
    store.try_to_read().await?;
    for needed in store.row_limits().needed() {
        context.progress.warn(&needed);
    }
    if index && store.index_missing().await? {
        let error = Error::new("the index on numbers is missing");
        return Err(error.hint("`lkroute migrate --index` builds it").into());
    }
    Ok(store.label().to_owned())
}

/// The SQL that [`migrate_database`] would run, and the name of the database.
pub async fn missing_sql(
    context: &Context<'_>,
    request: &MigrateRequest,
) -> Result<(String, String), Stop> {
    let mut store = open_store(context, Mode::Read).await?;
    let anew = request.create_application_tables;
    let steps = store.migrate_anew(true, anew).await?;
    let mut sql = if steps.is_empty() {
        String::new()
    } else {
        script(&steps)
    };
    if request.index && store.index_missing().await? {
        for statement in store.index_sql().await? {
            sql += &format!("{statement};\n");
        }
    }
    Ok((sql, store.label().to_owned()))
}

/// Creates or upgrades what is missing, and says so on the way.
pub async fn migrate_database(context: &Context<'_>, request: &MigrateRequest) -> Result<(), Stop> {
    let mut store = open_store(context, Mode::Write).await?;
    let note = |text: &str| context.progress.note(text);
    let anew = request.create_application_tables;
    let steps = store.migrate_anew(false, anew).await?;
    for step in &steps {
        note(&format!("migrated: {}", step.name));
    }
    if steps.is_empty() {
        note(&format!("{}: up to date", store.label()));
    }
    if request.index {
        note("building the index on numbers; this can take minutes");
        note(if store.create_index().await? {
            "the index on numbers is built"
        } else {
            "the index on numbers was there already"
        });
    } else if store.index_missing().await? {
        note(
            "the table of numbers has no index that begins with base_number, so look-ups read \
             all of it: `lkroute migrate --index` builds one",
        );
    }
    Ok(())
}

/// A database that may be stamped with another environment.
pub struct ReadyRestamp {
    store: Store,
    snapshot: Snapshot,
    from: String,
    to: String,
}

/// For copies of a database: they are of another environment, and no plan for
/// the one that they were taken from is for them.
///
/// # Errors
/// The database belongs to no environment yet, or is not up to date.
pub async fn prepare_restamp(context: &Context<'_>, name: &str) -> Result<ReadyRestamp, Stop> {
    let target = target(context)?;
    if name.trim().is_empty() {
        return Err(Error::new("--restamp names no environment").into());
    }
    let mut store = database::open(context, &target, Mode::Record).await?;
    refuse_old_schema(&mut store).await?;
    let snapshot = read_snapshot(&mut store).await?;
    let Some(from) = snapshot.environment.clone() else {
        let error = Error::new("the database belongs to no environment yet");
        return Err(error
            .hint("the next apply with --env that has something to write stamps it")
            .into());
    };
    Ok(ReadyRestamp {
        snapshot,
        store,
        from,
        to: name.to_owned(),
    })
}

impl ReadyRestamp {
    /// The change in words.
    pub fn change(&self) -> String {
        let label = self.store.label();
        format!("{label} from `{}` to `{}`", self.from, self.to)
    }

    /// Stamps it; the apply that records it, and the environment before.
    pub async fn carry_out(mut self, context: &Context<'_>) -> Result<(ApplyId, String)> {
        let request = WriteRequest {
            environment: Some(self.to),
            reason: Some(format!("a copy of `{}`", self.from)),
            restamp: Some(Restamp {
                from: self.from.clone(),
                identity: Uuid::new_v4(),
            }),
            ..empty_request(context, &self.snapshot, "restamp")
        };
        let done = apply_nothing(&mut self.store, &self.snapshot, &request).await?;
        Ok((done.id, self.from))
    }
}

/// Forgets stored guards that can't be read, as an apply of nothing that
/// stores guards anew; why they can't be read, and that apply.
///
/// # Errors
/// They can be read.
pub async fn reset_guards(context: &Context<'_>, reason: &str) -> Result<(String, ApplyId), Stop> {
    let mut store = open_store(context, Mode::Write).await?;
    refuse_old_schema(&mut store).await?;
    let snapshot = read_snapshot(&mut store).await?;
    database::own_environment(context, snapshot.environment.as_deref())?;
    let StoredGuards::Unreadable(why) = &snapshot.guards else {
        let error = Error::new("the stored guards can be read: nothing is reset");
        let hint = "change them in the files: that is reviewed, and applied like the rest";
        return Err(error.hint(hint).into());
    };
    let request = WriteRequest {
        reason: Some(reason.to_owned()),
        guards: guards_value(&Guards::default())?,
        ..empty_request(context, &snapshot, "reset-guards")
    };
    let done = apply_nothing(&mut store, &snapshot, &request).await?;
    Ok((why.clone(), done.id))
}

async fn read_snapshot(store: &mut Store) -> Result<Snapshot> {
    store.begin_read().await?;
    let snapshot = store.snapshot().await?;
    store.end_read().await?;
    Ok(snapshot)
}

/// For what goes into the history and changes no object.
fn empty_request(context: &Context<'_>, snapshot: &Snapshot, kind: &str) -> WriteRequest {
    let last = snapshot.last_apply.as_ref();
    WriteRequest {
        // The state in the database is still that of the last apply's commit.
        revision: last.and_then(|apply| apply.revision.clone()),
        dirty: last.is_some_and(|apply| apply.dirty),
        owner: snapshot.owner.clone(),
        environment: snapshot.environment.clone(),
        counts: Value::Null,
        ..new_request(context, kind, &Plan::default())
    }
}

async fn apply_nothing(
    store: &mut Store,
    snapshot: &Snapshot,
    request: &WriteRequest,
) -> Result<Applied> {
    let plan = Plan {
        base: snapshot.last_apply.as_ref().map(|apply| apply.id),
        ..Plan::default()
    };
    let done = store.apply(&plan, request, &mut |_, _| ()).await;
    done.map_err(|failed| failed.error)
}

async fn refuse_old_schema(store: &mut Store) -> Result<()> {
    match store.schema_state().await? {
        SchemaState::Current => Ok(()),
        state => Err(state.refusal(store.label())),
    }
}

fn target(context: &Context<'_>) -> Result<Target, Stop> {
    let environment = match context.settings.environment {
        Some(_) => {
            let loaded = routing_files::load_valid(context)?;
            routing_files::environment_database(context, &loaded)
        }
        None => None,
    };
    Ok(database::target(context, environment.as_ref())?)
}

async fn open_store(context: &Context<'_>, mode: Mode) -> Result<Store, Stop> {
    let target = target(context)?;
    if !target.url.exists()? && mode == Mode::Read {
        let message = format!("{} is missing", target.url.label());
        let error = Error::new(message).hint("`lkroute migrate` creates it");
        return Err(error.into());
    }
    Ok(database::open_stamped(context, &target, mode).await?.0)
}
