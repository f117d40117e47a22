//! Where the database is. Imports sqlx's connection options.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sqlx::sqlite::SqliteConnectOptions;

use super::server_url::ServerUrl;
use crate::error::{Error, Result};

/// The URL of a database. It can hold a password, and is never shown whole:
/// [`DatabaseUrl::label`] is.
#[derive(Clone)]
pub struct DatabaseUrl(pub(super) EngineKind);

#[derive(Clone)]
pub(super) enum EngineKind {
    Postgres(Box<ServerUrl>),
    Sqlite(PathBuf),
}

impl DatabaseUrl {
    /// Reads `sqlite://PATH`, `postgres://…` or `postgresql://…`.
    ///
    /// # Errors
    /// What is wrong with it, without repeating any of it.
    pub fn parse(url: &str) -> Result<DatabaseUrl> {
        let url = url.trim();
        match url.split_once(':') {
            _ if url.is_empty() => Err(invalid("the database URL is empty")),
            Some(("postgres" | "postgresql", rest)) => postgres(rest),
            Some(("sqlite", _)) => sqlite(url),
            _ => Err(invalid(
                "the database URL has to begin with sqlite://, postgres:// or postgresql://",
            )),
        }
    }

    /// For reports: `postgres://host:port/name` or `sqlite://path`, without
    /// user, password and parameters.
    pub fn label(&self) -> String {
        match &self.0 {
            EngineKind::Sqlite(path) => format!("sqlite://{}", path.display()),
            EngineKind::Postgres(server) => server.label.clone(),
        }
    }

    /// The schema of the tables, where the URL of a PostgreSQL names it.
    pub fn schema(&self) -> Option<&str> {
        match &self.0 {
            EngineKind::Sqlite(_) => None,
            EngineKind::Postgres(server) => server.schema.as_deref(),
        }
    }

    /// The file of a SQLite database; `None` for PostgreSQL.
    pub fn file(&self) -> Option<&Path> {
        match &self.0 {
            EngineKind::Sqlite(path) => Some(path),
            EngineKind::Postgres(_) => None,
        }
    }

    /// Whether lkroute keeps its tables up to date whenever it writes, as in a
    /// file of its own; else `migrate` does, with rights that an apply lacks.
    pub fn is_migrated_by_writing(&self) -> bool {
        match &self.0 {
            EngineKind::Sqlite(_) => true,
            EngineKind::Postgres(_) => false,
        }
    }

    /// Whether there is anything to open: false only for a SQLite file that
    /// is not there yet.
    ///
    /// # Errors
    /// It can't be made either: its directory is not there.
    pub fn exists(&self) -> Result<bool> {
        let Some(file) = self.file().filter(|file| !file.exists()) else {
            return Ok(true);
        };
        let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty());
        match dir.filter(|dir| !dir.is_dir()) {
            None => Ok(false),
            Some(dir) => {
                let (label, dir) = (self.label(), dir.display());
                let error = Error::new(format!("{label}: there is no directory `{dir}`"));
                Err(error.hint("make it, or name another file with --database"))
            }
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label())
    }
}

fn invalid(message: &str) -> Error {
    Error::new(message)
        .hint("write --database sqlite://lkroute.db or postgres://HOST:PORT/DATABASE")
}

fn postgres(rest: &str) -> Result<DatabaseUrl> {
    let rest = rest
        .strip_prefix("//")
        .ok_or_else(|| invalid("after postgres: two slashes have to follow"))?;
    Ok(DatabaseUrl(EngineKind::Postgres(Box::new(
        ServerUrl::parse(rest)?,
    ))))
}

fn sqlite(url: &str) -> Result<DatabaseUrl> {
    let unreadable = || invalid("the SQLite URL can't be read");
    if url.contains(":memory:") || url.contains("mode=memory") {
        return Err(invalid(
            "an in-memory database is gone when the command ends",
        ));
    }
    // The URL of a server with its scheme changed would be a file whose name
    // holds a password.
    if url
        .split_once("://")
        .is_some_and(|(_, rest)| rest.contains('@') && rest.contains(':'))
    {
        return Err(unreadable());
    }
    if let Some((_, parameters)) = url.split_once('?')
        && !matches!(parameters, "" | "mode=rwc")
    {
        return Err(invalid("lkroute knows no parameters of a SQLite URL"));
    }
    let options = SqliteConnectOptions::from_str(url).map_err(|_| unreadable())?;
    let path = options.get_filename();
    if path.as_os_str().is_empty() {
        return Err(unreadable());
    }
    Ok(DatabaseUrl(EngineKind::Sqlite(path.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(url: &str) -> String {
        DatabaseUrl::parse(url).unwrap().label()
    }

    #[test]
    fn labels_hold_no_credentials() {
        assert_eq!(
            label("postgres://bob:made-up-password@db.example:6432/lad?sslmode=require"),
            "postgres://db.example:6432/lad"
        );
        assert_eq!(label("sqlite://lkroute.db"), "sqlite://lkroute.db");
        assert_eq!(label("sqlite:///data/a%20b.db"), "sqlite:///data/a b.db");
        let url = DatabaseUrl::parse("postgres://bob:made-up-password@db.example/lad").unwrap();
        assert!(!format!("{url:?}").contains("made-up"));
    }

    #[test]
    fn errors_repeat_nothing() {
        for url in [
            "",
            "  ",
            "mysql://bob:made-up@db.example/x",
            "bob:made-up@db.example",
            "postgres://bob:made-up#word@db.example/x",
            "postgres://bob:made-up@db.example:port/x",
            "postgres://bob:made-up@db.example/x?sslmode=made-up",
            "sqlite://",
            "sqlite::memory:",
            "sqlite://x.db?mode=memory",
            "sqlite://x.db?made-up=1",
            "sqlite://bob:made-up@db.example/x",
            "postgres:bob:made-up@db.example/x",
        ] {
            let error = DatabaseUrl::parse(url).expect_err(url);
            assert!(!format!("{error:?}").contains("made-up"), "{url}");
        }
    }
}
