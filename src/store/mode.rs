//! What a database is opened for.

/// What a command is going to do with a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Look something up, in 30 seconds at most; a SQLite file has to be there.
    Look,
    /// Only read; a SQLite file has to be there.
    Read,
    /// Record calls; a SQLite file has to be there.
    Record,
    /// Write too; a SQLite file is made where it is not there.
    Write,
}
