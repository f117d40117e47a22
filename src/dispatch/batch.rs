//! Many calls from a table: its columns, its rows, and the lines of the file
//! that says what became of each. Core: reads and writes text that it is
//! handed.

use csv::StringRecord;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Status, Wish, is_reserved};
use crate::error::{Error, Exit, Result};
use crate::phone::E164;

/// What each column of a batch is for, in the order of the columns.
#[derive(Debug, Clone)]
pub struct Columns(Vec<Column>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Column {
    From,
    To,
    Tenant,
    InitiatedBy,
    AgentId,
    VoiceId,
    Context,
    CallLogId,
    EntryId,
    /// A key of the metadata.
    Extra(String),
}

/// One call of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub from: E164,
    /// As given.
    pub to: String,
    /// Alias or uuid.
    pub tenant: Option<String>,
    pub wish: Wish,
}

impl Columns {
    /// Reads the first line.
    ///
    /// # Errors
    /// No `from` or `to`, a column twice or without a name, or one that
    /// lkroute sets itself.
    pub fn read(header: &StringRecord) -> Result<Columns> {
        let mut columns = Vec::new();
        for name in header {
            let name = name.trim_start_matches('\u{feff}').trim();
            let column = match name {
                "" => return Err(Error::new("a column has no name in the first line")),
                "from" => Column::From,
                "to" => Column::To,
                "tenant" => Column::Tenant,
                "initiated_by" => Column::InitiatedBy,
                "agent_id" => Column::AgentId,
                "voice_id" => Column::VoiceId,
                "context" => Column::Context,
                "call_log_id" => Column::CallLogId,
                "entry_id" => Column::EntryId,
                name if is_reserved(name) => {
                    let message = format!("the column `{name}` is one that lkroute fills itself");
                    return Err(Error::new(message).hint("take it out, or name it otherwise"));
                }
                name => Column::Extra(name.to_owned()),
            };
            if columns.contains(&column) {
                return Err(Error::new(format!("the column `{name}` is there twice")));
            }
            columns.push(column);
        }
        for (column, name) in [(Column::From, "from"), (Column::To, "to")] {
            if !columns.contains(&column) {
                return Err(Error::new(format!("there is no column `{name}`"))
                    .hint("the first line names the columns: from,to,tenant,context,…"));
            }
        }
        Ok(Columns(columns))
    }

    /// Reads one line. What is empty was not given.
    ///
    /// # Errors
    /// A value that can't be read, in words that begin with its column.
    pub fn row(&self, line: &StringRecord) -> Result<Row, String> {
        let (mut from, mut to, mut tenant) = (None, None, None);
        let mut wish = Wish::default();
        for (column, value) in self.0.iter().zip(line) {
            let value = value.trim();
            if value.is_empty() {
                continue;
            }
            if value.contains('\0') {
                return Err("a NUL character is there".to_owned());
            }
            let text = || Some(value.to_owned());
            match column {
                Column::From => {
                    from = Some(E164::parse(value).map_err(|e| format!("from `{value}`: {e}"))?);
                }
                Column::To => to = text(),
                Column::Tenant => tenant = text(),
                Column::InitiatedBy => wish.initiated_by = Some(uuid("initiated_by", value)?),
                Column::AgentId => {
                    let id = value.parse();
                    wish.agent_id =
                        Some(id.map_err(|_| format!("agent_id `{value}` is no number"))?);
                }
                Column::VoiceId => wish.voice_id = text(),
                Column::Context => wish.context = text(),
                Column::CallLogId => wish.call_log_id = Some(uuid("call_log_id", value)?),
                Column::EntryId => wish.entry_id = text(),
                Column::Extra(key) => {
                    wish.extra.insert(key.clone(), value.to_owned());
                }
            }
        }
        if tenant.is_some() && wish.initiated_by.is_some() {
            return Err("tenant, initiated_by: only one of them says whose call it is".to_owned());
        }
        Ok(Row {
            from: from.ok_or("from: nothing is there")?,
            to: to.ok_or("to: nothing is there")?,
            tenant,
            wish,
        })
    }
}

fn uuid(column: &str, value: &str) -> Result<Uuid, String> {
    Uuid::parse_str(value).map_err(|_| format!("{column} `{value}` is no uuid"))
}

/// Tells the lines of a table apart; never 0.
pub fn digest(line: &StringRecord) -> u32 {
    let mut hash = Sha256::new();
    for value in line {
        hash.update((value.len() as u64).to_be_bytes());
        hash.update(value);
    }
    let hash = hash.finalize();
    u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]).max(1)
}

/// The idempotency key of a row: one call, however often the batch is run.
pub fn key(batch: Uuid, number: u64) -> String {
    format!("batch:{}:{number}", batch.simple())
}

/// How a row ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowEnd {
    Called(Status),
    /// The rules of the number refuse the call.
    Refused,
}

impl RowEnd {
    pub fn as_str(self) -> &'static str {
        match self {
            RowEnd::Called(status) => status.as_str(),
            RowEnd::Refused => "refused",
        }
    }

    pub fn parse(text: &str) -> Option<RowEnd> {
        match text {
            "refused" => Some(RowEnd::Refused),
            status => status.parse().ok().map(RowEnd::Called),
        }
    }

    pub fn exit(self) -> Exit {
        match self {
            RowEnd::Called(status) => status.exit(),
            RowEnd::Refused => Exit::CallRefused,
        }
    }

    /// Whether another run leaves the row alone: a call was placed, or may
    /// have been.
    pub fn is_done(self, retry_unknown: bool) -> bool {
        match self {
            RowEnd::Called(Status::Accepted | Status::PickedUp | Status::NotDialled) => true,
            RowEnd::Called(Status::InQueue | Status::Unknown | Status::NoAgent) => !retry_unknown,
            RowEnd::Called(Status::Failed) | RowEnd::Refused => false,
        }
    }
}

/// The columns of the result file.
pub const RESULT_COLUMNS: [&str; 13] = [
    "row",
    "check",
    "exit",
    "status",
    "from",
    "to",
    "room",
    "dispatch_id",
    "call_log_id",
    "worker",
    "worker_seen",
    "finished_at",
    "message",
];

/// What a line of the result file says about which row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Noted {
    /// 1 for the first row after the names of the columns.
    pub row: u64,
    /// [`digest`] of the row that it was.
    pub check: u32,
    pub end: RowEnd,
}

impl Noted {
    pub fn read(line: &StringRecord) -> Option<Noted> {
        Some(Noted {
            row: line.get(0)?.parse().ok().filter(|row| *row > 0)?,
            check: u32::from_str_radix(line.get(1)?, 16).ok()?,
            end: RowEnd::parse(line.get(3)?)?,
        })
    }
}

/// How many rows ended how, over all runs of a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub accepted: u64,
    pub picked_up: u64,
    pub no_agent: u64,
    pub not_dialled: u64,
    pub unknown: u64,
    pub failed: u64,
    pub refused: u64,
}

impl Tally {
    pub fn add(&mut self, end: RowEnd) {
        *match end {
            RowEnd::Called(Status::Accepted) => &mut self.accepted,
            RowEnd::Called(Status::PickedUp) => &mut self.picked_up,
            RowEnd::Called(Status::NoAgent) => &mut self.no_agent,
            RowEnd::Called(Status::NotDialled) => &mut self.not_dialled,
            RowEnd::Called(Status::Unknown | Status::InQueue) => &mut self.unknown,
            RowEnd::Called(Status::Failed) => &mut self.failed,
            RowEnd::Refused => &mut self.refused,
        } += 1;
    }

    pub fn total(&self) -> u64 {
        let called = self.accepted + self.picked_up + self.no_agent + self.not_dialled;
        called + self.unknown + self.failed + self.refused
    }

    /// The code of the batch as a whole: what needs a person first.
    pub fn exit(&self) -> Exit {
        match self {
            Tally { unknown: 1.., .. } => Exit::Unknown,
            Tally { failed: 1.., .. }
            | Tally {
                not_dialled: 1.., ..
            } => Exit::Error,
            Tally { no_agent: 1.., .. } => Exit::NoAgent,
            Tally { refused: 1.., .. } => Exit::CallRefused,
            _ => Exit::Done,
        }
    }
}
