//! Which database a command means, and opening it. Imports the store.

use super::{Context, process_variable};
use crate::answer::check_environment;
use crate::error::{Error, Exit, Result};
use crate::store::{DatabaseState, DatabaseUrl, Mode, SchemaState, Store};

pub(crate) use crate::store::INTERRUPTED;

/// What is used where nothing is said.
pub(crate) const DEFAULT: &str = "sqlite://lkroute.db";

/// What the chosen environment of the files says about its database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct EnvironmentDatabase {
    pub name: String,
    /// The variable that holds the URL.
    pub variable: Option<String>,
    pub schema: Option<String>,
}

/// A database, not yet open.
#[derive(Debug, Clone)]
pub struct Target {
    pub url: DatabaseUrl,
    pub schema: Option<String>,
}

/// The database that the command line, the environment of the files or the
/// variables mean, in this order.
pub(crate) fn target(
    context: &Context<'_>,
    environment: Option<&EnvironmentDatabase>,
) -> Result<Target> {
    let get = process_variable;
    let settings = context.settings;
    let variable = environment.and_then(|environment| environment.variable.as_deref());
    for name in ["DATABASE_URL", "LKROUTE_SCHEMA"]
        .into_iter()
        .chain(variable)
    {
        readable(name)?;
    }
    let url = match (&settings.database, environment) {
        (Some(url), _) => named("--database", url)?,
        (None, Some(environment)) => of_environment(environment, get)?,
        (None, None) => default(get)?,
    };
    let url = DatabaseUrl::parse(&url)?;
    let of_files = environment.and_then(|environment| environment.schema.clone());
    let beside = match of_files {
        Some(schema) => ("the environment of the files", Some(schema)),
        None => ("LKROUTE_SCHEMA", get("LKROUTE_SCHEMA")),
    };
    let of_url = ("the database URL", url.schema().map(str::to_owned));
    let said = [of_url, beside];
    let schema = match &settings.schema {
        Some(schema) => Some(schema.clone()),
        None => one_schema(&said)?,
    };
    Ok(Target { url, schema })
}

/// Refuses a variable that is no text: it was set to mean something.
fn readable(name: &str) -> Result<()> {
    let value = std::env::var_os(name);
    if value.is_none_or(|value| value.to_str().is_some()) {
        Ok(())
    } else {
        Err(
            Error::new(format!("{name} can't be read: it is no UTF-8 text"))
                .hint("set it again; a password in a URL is percent-encoded"),
        )
    }
}

/// The schema that is said; what is said twice has to agree, as the wrong one
/// of two is a schema without tables.
fn one_schema(said: &[(&str, Option<String>)]) -> Result<Option<String>> {
    let mut said = said
        .iter()
        .filter_map(|(whence, schema)| Some((whence, schema.as_ref()?)));
    let Some((first, schema)) = said.next() else {
        return Ok(None);
    };
    match said.find(|(_, other)| *other != schema) {
        None => Ok(Some(schema.clone())),
        Some((second, other)) => Err(Error::new(format!(
            "{first} names the schema `{schema}`, {second} `{other}`"
        ))
        .hint("let them agree, or say --schema, which comes before all")),
    }
}

fn named(name: &str, url: &str) -> Result<String> {
    match url.trim() {
        "" => Err(Error::new(format!("{name} is empty: no database is named"))
            .hint("a secret that this run can't see? An empty one never means the default")),
        url => Ok(url.to_owned()),
    }
}

fn of_environment(
    environment: &EnvironmentDatabase,
    get: impl Fn(&str) -> Option<String>,
) -> Result<String> {
    let name = &environment.name;
    let Some(variable) = &environment.variable else {
        return Err(
            Error::new(format!("the environment {name} names no database")).hint(format!(
                "write `database = \"VARIABLE\"` into [environments.{name}], or say --database"
            )),
        );
    };
    match get(variable) {
        Some(url) => named(variable, &url),
        None => Err(Error::new(format!(
            "{variable}, which holds the database of the environment {name}, is not set"
        ))
        .hint("set it, or say --database; no other variable counts")),
    }
}

/// A missing secret of a pipeline must never look like a successful apply: an
/// empty variable is an error, and in CI the default has to be asked for.
fn default(get: impl Fn(&str) -> Option<String>) -> Result<String> {
    let ci = get("CI").unwrap_or_default();
    let in_ci = !matches!(ci.as_str(), "" | "false" | "0");
    match get("DATABASE_URL") {
        Some(url) => named("DATABASE_URL", &url),
        None if in_ci => Err(Error::new("no database is named, and CI is set")
            .hint("set DATABASE_URL, or say `--database sqlite://lkroute.db` if that is meant")),
        None => Ok(DEFAULT.to_owned()),
    }
}

/// Refuses a database of another environment than the one of `--env`.
pub(crate) fn same_environment(context: &Context<'_>, stamped: Option<&str>) -> Result<()> {
    check_environment(context.settings.environment.as_deref(), stamped)
}

/// The same for what writes: there the environment has to be said.
pub(crate) fn own_environment(context: &Context<'_>, stamped: Option<&str>) -> Result<()> {
    same_environment(context, stamped)?;
    match (context.settings.environment.as_deref(), stamped) {
        (None, Some(stamped)) => {
            let message = format!("the database belongs to the environment `{stamped}`");
            Err(Error::exit(Exit::Conflict, message).hint(format!("say --env {stamped}")))
        }
        _ => Ok(()),
    }
}

/// Connects.
pub(crate) async fn open(context: &Context<'_>, target: &Target, mode: Mode) -> Result<Store> {
    context
        .progress
        .detail(&format!("database: {}", target.url.label()));
    let lock = context.settings.lock_timeout;
    Store::open_to_wait(&target.url, target.schema.as_deref(), mode, lock).await
}

/// Connects to a database that is the one asked for, however far it is.
pub(crate) async fn open_stamped(
    context: &Context<'_>,
    target: &Target,
    mode: Mode,
) -> Result<(Store, DatabaseState)> {
    enter_stamped(context, open(context, target, mode).await?).await
}

/// Looks whether an open database is the one asked for, however far it is.
pub(crate) async fn enter_stamped(
    context: &Context<'_>,
    mut store: Store,
) -> Result<(Store, DatabaseState)> {
    let entry = store.enter().await?;
    same_environment(context, entry.environment.as_deref())?;
    if let Some(lag) = &entry.standby {
        context.progress.warn(lag);
    }
    Ok((store, entry))
}

/// Connects to a database that is the one asked for, and as far as what is
/// done with it needs it: a look needs no migration.
pub(crate) async fn open_current(
    context: &Context<'_>,
    target: &Target,
    mode: Mode,
) -> Result<Store> {
    let (store, _) = open_and_tell(context, target, mode).await?;
    Ok(store)
}

/// The same, with the environment that the database is stamped with.
pub(crate) async fn open_and_tell(
    context: &Context<'_>,
    target: &Target,
    mode: Mode,
) -> Result<(Store, Option<String>)> {
    let (store, entry) = open_stamped(context, target, mode).await?;
    let stamp = entry.environment.clone();
    match entry.state {
        SchemaState::Current => Ok((store, stamp)),
        SchemaState::Behind(_) if entry.is_readable && matches!(mode, Mode::Look | Mode::Read) => {
            let detail = "lkroute's own tables are not all there yet: `lkroute migrate` adds them";
            context.progress.detail(detail);
            Ok((store, stamp))
        }
        state => Err(state.refusal(store.label())),
    }
}

/// Runs what waits for the network, on this thread.
pub(crate) fn block_on<T, E: From<Error>>(
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| Error::new(format!("can't start: {error}")))?;
    runtime.block_on(work)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vars<'a>(set: &'a [(&str, &str)]) -> impl Fn(&str) -> Option<String> + 'a {
        |name| {
            let found = set.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        }
    }

    #[test]
    fn a_missing_secret_never_means_the_default() {
        assert_eq!(default(vars(&[])).unwrap(), DEFAULT);
        assert_eq!(default(vars(&[("CI", "false")])).unwrap(), DEFAULT);
        let given = [("CI", "true"), ("DATABASE_URL", "sqlite://a.db")];
        assert_eq!(default(vars(&given)).unwrap(), "sqlite://a.db");
        assert!(default(vars(&[("CI", "true")])).is_err());
        assert!(default(vars(&[("DATABASE_URL", " ")])).is_err());
    }

    #[test]
    fn the_database_of_an_environment_comes_from_its_variable_alone() {
        let environment = EnvironmentDatabase {
            name: "prod".into(),
            variable: Some("PROD_URL".into()),
            schema: None,
        };
        let of = |set: &[(&str, &str)]| of_environment(&environment, vars(set));
        assert_eq!(
            of(&[("PROD_URL", "sqlite://a.db")]).unwrap(),
            "sqlite://a.db"
        );
        assert!(of(&[("DATABASE_URL", "sqlite://b.db")]).is_err());
        assert!(of(&[("PROD_URL", "")]).is_err());
    }
}
