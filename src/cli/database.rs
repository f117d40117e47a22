//! Which database a command means. Imports core.

use crate::error::{Error, Result};

/// What is used where nothing is said.
pub const DEFAULT: &str = "sqlite://lkroute.db";

/// The URL, from `--database` or `DATABASE_URL`. A missing secret of a
/// pipeline must never look like a successful apply: empty is an error, and
/// in CI the default has to be asked for.
pub fn url(given: Option<&str>, in_ci: bool) -> Result<&str> {
    match given.map(str::trim) {
        Some("") => Err(Error::new("the database URL is empty").hint(
            "DATABASE_URL is set to nothing: a secret that this run can't see? \
             Unset it to use sqlite://lkroute.db, or set it",
        )),
        Some(url) => Ok(url),
        None if in_ci => Err(Error::new("no database is named, and CI is set")
            .hint("set DATABASE_URL, or say `--database sqlite://lkroute.db` if that is meant")),
        None => Ok(DEFAULT),
    }
}

/// Whether this runs in a pipeline.
pub fn in_ci() -> bool {
    let ci = std::env::var_os("CI").unwrap_or_default();
    !ci.is_empty() && ci != "false" && ci != "0"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_secret_never_means_the_default() {
        assert_eq!(url(None, false).unwrap(), DEFAULT);
        assert_eq!(url(Some("sqlite://a.db"), true).unwrap(), "sqlite://a.db");
        assert!(url(None, true).is_err());
        assert!(url(Some(" "), false).is_err());
    }
}
