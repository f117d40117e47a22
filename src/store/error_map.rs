//! sqlx's errors as errors that say what to do. Imports sqlx and the error type.
//!
//! Only a server's primary message is passed on: details can hold values.

use sqlx::Error as Sql;
use sqlx::postgres::PgDatabaseError;

use crate::error::{Error, Exit};

/// The code of an error that a server ends a transaction with because of
/// others: the same may work a moment later.
pub const INTERRUPTED: &str = "interrupted";

/// What helps where others held a lock for too long.
pub(super) const WAIT_LONGER: &str =
    "nothing was changed; try again when it is done, or wait longer with --lock-timeout";

/// The same where a path leads to no file of SQLite's.
pub(super) const NO_FILE: &str =
    "check the path, its permissions and the disk: it has to be a file";

/// The same where the server does not let a user in.
const CHECK_USER: &str = "check user and password in the database URL";

/// The same where a transaction took longer than it may.
const TRANSACTION_TIMEOUT: &str = "nothing was changed; give it more time: ALTER ROLE … SET \
     transaction_timeout = …, or the same of the database";

/// The same where a constraint of the application's refuses a row.
const NOT_TAKEN: &str = "the table does not take what is declared: write another value, or change \
     its constraint; nothing was changed";

/// The same where something of others is in the way of a migration.
pub(super) const NAME_TAKEN: &str =
    "something of others has a name that lkroute needs: rename it; nothing was changed";

/// The same where the database is another than a plan was made for.
pub(super) const PLAN_AGAIN: &str = "nothing was written; `lkroute plan` shows what has changed";

/// What went wrong with a database named `label`.
pub(super) fn database_error(label: &str, error: &Sql) -> Error {
    match error {
        Sql::Database(db) => match db.code().as_deref() {
            Some(code) => match db.try_downcast_ref::<PgDatabaseError>() {
                None => sqlite_error(label, code, db.message()),
                Some(refused) => match trigger_function(refused) {
                    // What ends a statement from outside ends it in a trigger, too.
                    Some(function)
                        if !matches!(code, "57014" | "55P03" | "40001" | "40P01" | "42501") =>
                    {
                        trigger_error(label, code, &function, db.message())
                    }
                    _ if code == "28000" => turned_away(label, refused),
                    _ => postgres_error(label, code, db.message()),
                },
            },
            None => Error::new(format!("{label}: {}", db.message())),
        },
        Sql::Io(io) => lost_connection(label, io),
        Sql::Tls(tls) => tls_error(label, &tls.to_string()),
        Sql::Configuration(odd) => own_certificate(label, &odd.to_string()),
        Sql::ColumnDecode { index, source } => Error::new(format!(
            "{label}: a column has an unexpected value (column {index}: {source})"
        )),
        other => Error::new(format!("{label}: {other}")),
    }
}

/// What went wrong while a connection to it came about.
pub(super) fn connection_error(label: &str, error: &Sql) -> Error {
    match error {
        Sql::Io(io) => no_connection(label, io),
        // No byte at all in answer to the first question.
        Sql::Protocol(message) if message.contains("SSLRequest: 0x00") => closed_at_once(label),
        Sql::Protocol(message) => Error::new(format!("no connection to {label}: {message}"))
            .hint("is it PostgreSQL that listens there?"),
        other => database_error(label, other),
    }
}

/// A connection that came about ended, or there was no answer within our own
/// limit. Whether a statement was carried out can't be told by that.
fn lost_connection(label: &str, io: &std::io::Error) -> Error {
    match io.kind() {
        std::io::ErrorKind::TimedOut => Error::new(format!("{label}: {io}"))
            .hint("is the connection cut, or the server overloaded? Look there, and try again"),
        _ => Error::new(format!("the connection to {label} was lost: {io}"))
            .hint("the server, or something on the way to it, ended it; try again"),
    }
}

/// The same where the transaction had taken longer than the server's
/// `transaction_timeout`: its word of it can be lost with the connection.
pub(super) fn transaction_timeout(label: &str, limit: std::time::Duration) -> Error {
    Error::new(format!(
        "{label}: the server ended a transaction that took longer than its transaction_timeout of {} s",
        limit.as_secs_f64()
    ))
    .hint(TRANSACTION_TIMEOUT)
}

/// What an answer holds that its statement does not give.
pub(super) fn malformed_answer(label: &str, what: &str) -> Error {
    Error::new(format!(
        "{label}: a column has an unexpected value ({what})"
    ))
}

fn no_connection(label: &str, io: &std::io::Error) -> Error {
    let error = Error::new(format!("no connection to {label}: {io}"));
    let text = io.to_string();
    match io.kind() {
        std::io::ErrorKind::UnexpectedEof if text.contains("got 0 bytes") => closed_at_once(label),
        _ if text.contains("UnsupportedCertVersion") => error.hint(
            "the server's certificate is of X.509 version 1, which is not taken (psql does): \
             make one of version 3, as `openssl req -x509 -addext subjectAltName=DNS:HOST -addext \
             basicConstraints=CA:FALSE` does, or say sslmode=disable where nobody can listen",
        ),
        _ if text.contains("invalid peer certificate") => {
            error.hint("sslmode and sslrootcert in the URL say what is expected of a certificate")
        }
        _ if text.contains("fatal alert") => error.hint(
            "the server ended the handshake: where it asks for a client certificate, sslcert and \
             sslkey in the URL have to name one that it trusts",
        ),
        _ => error.hint("check host, port and network; nothing was changed by this"),
    }
}

/// What was wrong before TLS began.
fn tls_error(label: &str, text: &str) -> Error {
    if text.contains("does not support TLS") || text.contains("dns name") {
        return Error::new(format!("no TLS with {label}: {text}"))
            .hint("sslmode and sslrootcert in the URL say what is expected");
    }
    own_certificate(label, text)
}

/// What is wrong with a certificate of the peer's is told in the handshake; this
/// came before, of ours.
fn own_certificate(label: &str, text: &str) -> Error {
    let text = text.trim_start_matches("invalid peer certificate: ");
    Error::new(format!(
        "no TLS with {label}: what sslcert, sslkey or sslrootcert names can't be used: {text}"
    ))
    .hint("name files of PEM: certificates of X.509 version 3, and the key of the client's")
}

/// A connection that the server does not let in, by the function that says so, as
/// its words are of the server's language.
fn turned_away(label: &str, refused: &PgDatabaseError) -> Error {
    let message = refused.message();
    let error = Error::new(format!("{label}: {message}"));
    match refused.routine() {
        Some("InitializeSessionUserId") => {
            error.hint("name a role in the database URL that is there, and may log in")
        }
        Some("ClientAuthentication") if message.contains("pg_hba.conf") => error.hint(
            "pg_hba.conf of the server has no line that lets this in: say sslmode=require where it \
             wants TLS, sslmode=disable where it wants none, or let it name this user, database and \
             address",
        ),
        Some("ClientAuthentication") => error.hint(
            "name a client certificate that the server trusts, and its key: sslcert=FILE&sslkey=FILE \
             in the URL",
        ),
        _ => error.hint(CHECK_USER),
    }
}

/// Something accepts connections and ends them without a word.
fn closed_at_once(label: &str) -> Error {
    Error::new(format!(
        "no connection to {label}: it was accepted, and closed without a word"
    ))
    .hint(
        "a proxy that has no server behind it, such as HAProxy while all its backends are down, \
         does that: look there; nothing was changed by this",
    )
}

/// The function of the database in which a statement failed: that of a trigger,
/// as lkroute calls none.
fn trigger_function(error: &PgDatabaseError) -> Option<String> {
    let mut lines = error.r#where()?.lines().rev();
    lines.find_map(named_function).map(str::to_owned)
}

/// The function in a line of the context, in whatever language the server speaks:
/// `PL/pgSQL function lad_dev.f(integer) line 1 at RAISE`.
fn named_function(line: &str) -> Option<&str> {
    let (before, after) = (line.find("PL/pgSQL")?, line.find('(')?);
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_.$\"".contains(c);
    let name = line.get(before + "PL/pgSQL".len()..after)?;
    let start = after - name.len() + name.trim_end_matches(is_name).len();
    let end = after + line[after..].find(')')? + 1;
    (start < after).then(|| &line[start..end])
}

fn trigger_error(label: &str, code: &str, function: &str, message: &str) -> Error {
    let error = Error::new(format!(
        "{label}: {function}, the function of a trigger, failed: {message}"
    ));
    match code {
        "42P01" | "42883" | "42704" | "3F000" => error.hint(
            "it finds that by the search_path, which lkroute does not set: let the function bring \
             its own, ALTER FUNCTION … SET search_path = …",
        ),
        _ => error.hint(
            "nothing was changed; do what the trigger asks for, or ask its owner to change it",
        ),
    }
}

fn postgres_error(label: &str, code: &str, message: &str) -> Error {
    let error = Error::new(format!("{label}: {message}"));
    match code {
        "42501" => error.hint("the README lists the GRANTs that each command needs"),
        "42P01" | "42703" | "3F000" => {
            error.hint("is the schema the right one? `lkroute migrate --check` says what it lacks")
        }
        "55P03" => Error::new(format!(
            "{label}: a transaction of others holds a row: waited for its end until --lock-timeout was \
             over"
        ))
        .hint(WAIT_LONGER),
        "25006" => error.hint(
            "nothing can be written here: name the primary in the URL, or look at \
             default_transaction_read_only of the role and the database",
        ),
        "40001" | "40P01" => Error {
            code: Some(INTERRUPTED),
            ..error.hint(
                "others were in the way each time; on a standby, what its primary removed meanwhile \
                 was still read: hot_standby_feedback = on, or a longer max_standby_streaming_delay",
            )
        },
        "42P10" => error.hint(
            "a unique key of that table is gone: `lkroute migrate --check` says which, and \
             `lkroute migrate` brings it back",
        ),
        "57014" => error.hint(
            "somebody ended it, or a statement_timeout of the role or the database: give it more \
             time, and try again",
        ),
        "23505" | "23502" | "23503" | "23514" | "23P01" | "22001" | "22003" => error.hint(NOT_TAKEN),
        _ if message.contains("statement pooling mode") => error.hint(
            "pgbouncer hands the server on with every statement: say pool_mode = transaction for \
             this database there, or name the server itself",
        ),
        "28P01" => error.hint(CHECK_USER),
        "53300" => error.hint(
            "others have all connections that are allowed: try again in a moment, or raise \
             max_connections, or the CONNECTION LIMIT of the role or the database",
        ),
        "25P04" => error.hint(TRANSACTION_TIMEOUT),
        "3D000" => error.hint("check the database's name in the URL"),
        _ => error,
    }
}

/// Whether a SQLite file holds what a program that was killed left half
/// written: SQLITE_READONLY_RECOVERY, SQLITE_READONLY_ROLLBACK.
pub(super) fn needs_recovery(error: &Sql) -> bool {
    matches!(error_code(error).as_deref(), Some("264" | "776"))
}

/// Whether others had a SQLite file for too long: SQLITE_BUSY, SQLITE_LOCKED.
pub(super) fn is_locked(error: &Sql) -> bool {
    let code = error_code(error).and_then(|code| code.parse::<u32>().ok());
    code.is_some_and(|code| matches!(code & 0xff, 5 | 6))
}

/// SQLite's extended result codes, the primary one in the low byte.
fn sqlite_error(label: &str, code: &str, message: &str) -> Error {
    let error = Error::new(format!("{label}: {message}"));
    match code.parse::<u32>().unwrap_or(0) & 0xff {
        5 | 6 => Error::new(format!("{label} is locked by another process")).hint(WAIT_LONGER),
        8 if matches!(code, "264" | "776") => Error::new(format!(
            "{label}: a program was killed while it wrote, and what it left can't be rolled back"
        ))
        .hint("run a command as a user who may write the file and its directory; that mends it"),
        8 => error.hint("run it as a user who may write the file and its directory"),
        11 | 26 => error.hint("this file is no intact SQLite database"),
        19 => error.hint(NOT_TAKEN),
        13 => error.hint("the disk is full: make room, and try again; nothing was changed"),
        10 | 14 => error.hint(NO_FILE),
        1 if message.starts_with("no such") => error.hint(
            "`lkroute migrate --check` says whether something of lkroute's is missing; if not, a \
                 trigger or a view of others names what is not there",
        ),
        _ => error,
    }
}

/// The SQLSTATE or SQLite code of an error that the database itself reported.
pub(super) fn error_code(error: &Sql) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}

/// Whether another try may work: serialisation failure or deadlock.
pub(super) fn is_passing(error: &Sql) -> bool {
    matches!(error_code(error).as_deref(), Some("40001" | "40P01"))
}

/// The schema is not what this version needs.
pub(super) fn stale_plan(message: impl Into<String>) -> Error {
    Error::exit(Exit::Stale, message).hint(PLAN_AGAIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_function_of_a_trigger_is_found_in_every_language() {
        for (line, name) in [
            (
                "PL/pgSQL function lad_dev.f() line 1 at RAISE",
                Some("lad_dev.f()"),
            ),
            (
                "PL/pgSQL-Funktion lad_dev.f() Zeile 1 bei RAISE",
                Some("lad_dev.f()"),
            ),
            (
                "fonction PL/pgSQL \"Lad\".f(integer,text), ligne 1 à RAISE",
                Some("\"Lad\".f(integer,text)"),
            ),
            (
                "PL/pgSQL関数lad_dev.f()の1行目 - RAISE",
                Some("lad_dev.f()"),
            ),
            ("SQL statement \"UPDATE a SET b = f()\"", None),
            ("PL/pgSQL (", None),
            ("PL/pgSQL a(", None),
            ("(PL/pgSQL", None),
        ] {
            assert_eq!(named_function(line), name, "{line}");
        }
    }
}
