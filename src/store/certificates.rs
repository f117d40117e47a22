//! The certificates that a connection to PostgreSQL is made with, and checked by,
//! as libpq reads them. Imports sqlx's connection options.

use std::path::PathBuf;

use sqlx::postgres::{PgConnectOptions, PgSslMode};

use crate::error::{Error, Result};

/// Lets the parameters that are `named` count: where there is a root certificate,
/// `require` is `verify-ca`.
///
/// # Errors
/// A file that is named is not there, or a certificate without its key.
pub(super) fn with_certificates<'a>(
    mut options: PgConnectOptions,
    named: &dyn Fn(&str) -> Option<&'a str>,
) -> Result<PgConnectOptions> {
    let mode = options.get_ssl_mode();
    if matches!(mode, PgSslMode::Disable | PgSslMode::Allow) {
        return Ok(options);
    }
    if named("sslcert").is_some() != named("sslkey").is_some() {
        return Err(
            Error::new("sslcert and sslkey belong together, and one is not named")
                .hint("name both: a client certificate, and its key"),
        );
    }
    check_file("sslcert", named("sslcert"))?;
    check_file("sslkey", named("sslkey"))?;
    let root = named("sslrootcert");
    if root == Some("system") {
        if named("sslmode").is_some_and(|mode| mode != "verify-full") {
            return Err(
                Error::new("sslrootcert=system goes with sslmode=verify-full alone")
                    .hint("say sslmode=verify-full, or name a file"),
            );
        }
        // What the system trusts is trusted in any case; beside it no file.
        let options = options.ssl_root_cert_from_pem(Vec::new());
        return Ok(options.ssl_mode(PgSslMode::VerifyFull));
    }
    if matches!(mode, PgSslMode::Prefer) {
        return Ok(options);
    }
    check_file("sslrootcert", root)?;
    match (root, root_certificate()) {
        (Some(_), _) => {}
        (None, Some(of_user)) => options = options.ssl_root_cert(of_user),
        (None, None) => return Ok(options),
    }
    if matches!(mode, PgSslMode::Require) {
        options = options.ssl_mode(PgSslMode::VerifyCa);
    }
    Ok(options)
}

fn check_file(name: &str, file: Option<&str>) -> Result<()> {
    let Some(file) = file.filter(|text| !text.contains("-----BEGIN")) else {
        return Ok(());
    };
    match std::fs::File::open(file) {
        Ok(_) => Ok(()),
        Err(error) => Err(Error::new(format!(
            "{name} names the file `{file}`, which can't be read: {}",
            error.kind()
        ))
        .hint("name a file of PEM that is there, by its whole path")),
    }
}

/// The root certificate of the user's that libpq takes where none is named.
fn root_certificate() -> Option<PathBuf> {
    let file = std::env::home_dir()?.join(".postgresql/root.crt");
    file.is_file().then_some(file)
}
