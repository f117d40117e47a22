//! Reading files that may be pipes, as `<(command)` of a shell is one: with a
//! time limit. Imports nothing of lkroute.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long somebody may take to write into a pipe.
const PATIENCE: Duration = Duration::from_secs(30);

/// Opens a file; a pipe without waiting for somebody to write.
#[cfg(unix)]
pub(super) fn open(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
}

#[cfg(not(unix))]
pub fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Opens what is no file of its own to write into it; a pipe that nobody reads is
/// an error.
#[cfg(unix)]
pub(super) fn open_to_write(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC;
    let flags = flags | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?;
    // Whoever reads may take a while over it.
    let flags = rustix::fs::fcntl_getfl(&file)?;
    rustix::fs::fcntl_setfl(&file, flags - OFlags::NONBLOCK)?;
    Ok(file.into())
}

#[cfg(not(unix))]
pub fn open_to_write(path: &Path) -> io::Result<File> {
    File::create(path)
}

/// What is in it, up to so many bytes.
///
/// # Errors
/// Nobody writes into the pipe, or not to its end within [`PATIENCE`].
pub(super) fn read_at_most(mut file: File, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let until = Instant::now() + PATIENCE;
    let mut rest = most;
    let mut piece = vec![0; 64 * 1024];
    while rest > 0 {
        let room = piece.len().min(usize::try_from(rest).unwrap_or(usize::MAX));
        match file.read(&mut piece[..room]) {
            Ok(0) => break,
            Ok(read) => {
                bytes.extend_from_slice(&piece[..read]);
                rest -= read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let late = format!("nothing more came within {} s", PATIENCE.as_secs());
                return Err(io::Error::new(io::ErrorKind::TimedOut, late));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}
