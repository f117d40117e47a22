//! Files that hold a secret. Imports the error type.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use super::path_words::cannot_access;
use crate::error::Error;

/// Why a secret's file was not read.
#[derive(Debug)]
pub enum SecretFileError {
    /// It is not there, or not for us to read.
    Absent(Error),
    /// It is nothing that a secret may come from.
    Refused(Error),
}

/// An API secret has some tens of bytes.
const LONGEST_SECRET: u64 = 64 * 1024;

/// Reads the file of a secret: a regular file, links followed, below one of
/// these directories, and of a size that a secret may have.
///
/// # Errors
/// Names the file and why; never says what is in it.
pub fn read_secret(path: &Path, within: &[&Path]) -> Result<String, SecretFileError> {
    use SecretFileError::{Absent, Refused};
    let absent = |error: &io::Error| Absent(cannot_access("read", path, error));
    let refused = |why: &str| {
        Refused(Error::new(format!("`{}` {why}", path.display())).hint(
            "a secret's file is a regular file below the routing directory, or below the \
                 directory that LKROUTE_SECRETS_DIR names",
        ))
    };
    let real = fs::canonicalize(path).map_err(|error| absent(&error))?;
    let mut roots = within.iter().filter_map(|dir| {
        let dir = if dir.as_os_str().is_empty() {
            Path::new(".")
        } else {
            dir
        };
        fs::canonicalize(dir).ok()
    });
    if !roots.any(|root| real.starts_with(root)) {
        return Err(refused(
            "leads out of the directories that secrets are read from",
        ));
    }
    // A pipe or a device is not opened, unless it comes here after this check.
    let is_file = |about: fs::Metadata| {
        if about.is_file() {
            Ok(())
        } else {
            Err(refused("is no regular file"))
        }
    };
    is_file(fs::metadata(&real).map_err(|error| absent(&error))?)?;
    let file = open_without_links(&real).map_err(|error| absent(&error))?;
    is_file(file.metadata().map_err(|error| absent(&error))?)?;
    let mut bytes = Vec::new();
    file.take(LONGEST_SECRET + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| absent(&error))?;
    if bytes.len() as u64 > LONGEST_SECRET {
        return Err(refused("is longer than any secret"));
    }
    String::from_utf8(bytes).map_err(|_| refused("is not UTF-8"))
}

/// Opens a path whose links were followed already. Where another one stands in
/// it by now, it is somebody's who swaps it while we look.
#[cfg(unix)]
fn open_without_links(real: &Path) -> io::Result<fs::File> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, ResolveFlags, openat2};
        use rustix::io::Errno;
        let opened = openat2(CWD, real, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS);
        // Linux before 5.6, and sandboxes that know no such call.
        if !matches!(opened, Err(Errno::NOSYS | Errno::PERM)) {
            return Ok(opened?.into());
        }
    }
    Ok(rustix::fs::open(real, flags, Mode::empty())?.into())
}

#[cfg(not(unix))]
fn open_without_links(real: &Path) -> io::Result<fs::File> {
    fs::File::open(real)
}

/// What tells a file from all others, whatever it is called here: links of
/// both kinds are names of one file.
pub fn identity(path: &Path) -> Option<String> {
    let real = fs::canonicalize(path).ok()?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let about = fs::metadata(&real).ok()?;
        Some(format!("{}:{}", about.dev(), about.ino()))
    }
    #[cfg(not(unix))]
    Some(real.to_string_lossy().into_owned())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_link_that_came_after_the_look_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let real = fs::canonicalize(dir.path()).unwrap();
        fs::create_dir(real.join("sub")).unwrap();
        fs::write(real.join("sub/secret"), "made up").unwrap();
        symlink("sub/secret", real.join("link")).unwrap();
        symlink("sub", real.join("other")).unwrap();
        assert!(open_without_links(&real.join("sub/secret")).is_ok());
        assert!(open_without_links(&real.join("link")).is_err());
        assert!(open_without_links(&real.join("other/secret")).is_err());
    }
}
