//! The file that says what became of each row of a batch: appended to as
//! calls end, read when the batch is run again. Imports `files` and core.

use std::io::Read;
use std::path::Path;

use csv::{ReaderBuilder, StringRecord, WriterBuilder};
use uuid::Uuid;

use super::placing::Placed;
use crate::dispatch::Record;
use crate::dispatch::batch::{Noted, RESULT_COLUMNS, RowEnd};
use crate::error::{Error, Result};
use crate::files::Log;

const FIRST: &str = "# lkroute batch ";

/// An open result file.
pub struct Journal {
    log: Log,
    shown: String,
    pub batch: Uuid,
    /// Earlier runs may have called rows that are not noted here.
    pub is_resumed: bool,
    /// By row, from 0 on: what was noted last.
    noted: Vec<Option<Noted>>,
}

impl Journal {
    /// Opens the file of a batch, or begins one.
    ///
    /// # Errors
    /// It is something else, another command has it, or it can't be written.
    pub fn open(path: &Path) -> Result<Journal> {
        let mut journal = Journal {
            log: Log::open(path)?,
            shown: path.display().to_string(),
            batch: Uuid::new_v4(),
            is_resumed: false,
            noted: Vec::new(),
        };
        let mut first = String::new();
        let mut head = journal.log.read()?.take(FIRST.len() as u64 + 36);
        let read = head.read_to_string(&mut first);
        drop(head);
        match (read, first.strip_prefix(FIRST).map(Uuid::parse_str)) {
            (Ok(0), _) => journal.begin()?,
            (Ok(_), Some(Ok(batch))) => {
                (journal.batch, journal.is_resumed) = (batch, true);
                journal.read_back()?;
            }
            _ => {
                return Err(journal
                    .trouble("this is no result file of a batch")
                    .hint("name another with --results; this one is left as it is"));
            }
        }
        Ok(journal)
    }

    /// What earlier runs say of a row; the first is 1.
    pub fn noted(&self, row: u64) -> Option<Noted> {
        let ix = usize::try_from(row.checked_sub(1)?).ok()?;
        *self.noted.get(ix)?
    }

    fn trouble(&self, error: impl std::fmt::Display) -> Error {
        Error::new(format!("{}: {error}", self.shown))
    }

    fn begin(&mut self) -> Result<()> {
        let header = RESULT_COLUMNS.join(",");
        let text = format!("{FIRST}{}\n{header}\n", self.batch);
        self.log.append(text.as_bytes())
    }

    fn read_back(&mut self) -> Result<()> {
        let shown = self.shown.clone();
        let trouble = |error: csv::Error| Error::new(format!("{shown}: {error}"));
        let mut reader = ReaderBuilder::new()
            .comment(Some(b'#'))
            .flexible(true)
            .from_reader(self.log.read()?);
        let mut line = StringRecord::new();
        let mut noted: Vec<Option<Noted>> = Vec::new();
        while reader.read_record(&mut line).map_err(trouble)? {
            let Some(row) = Noted::read(&line) else {
                continue;
            };
            let ix = row.row as usize - 1;
            if noted.len() <= ix {
                noted.resize(ix + 1, None);
            }
            noted[ix] = Some(row);
        }
        drop(reader);
        self.noted = noted;
        Ok(())
    }

    /// Notes how a row ended, at once.
    pub fn note(&mut self, row: u64, check: u32, end: RowEnd, placed: &Placed) -> Result<()> {
        let record = placed.record.as_ref();
        let text =
            |get: fn(&Record) -> Option<&str>| record.and_then(get).unwrap_or_default().to_owned();
        let asked = placed.resolution.as_ref().map(|found| &found.query);
        let calling = record
            .map(|record| record.from)
            .or(asked.map(|query| query.from));
        let called = record.map(|record| record.to.as_str());
        let called = called.or(asked.and_then(|query| query.to.as_deref()));
        let message = placed.error.iter().map(|error| error.message.clone());
        let message: Vec<String> = message.chain(placed.warnings.iter().cloned()).collect();
        let fields = [
            row.to_string(),
            format!("{check:08x}"),
            (end.exit() as u8).to_string(),
            end.as_str().to_owned(),
            calling.map_or_else(String::new, |number| number.to_string()),
            called.unwrap_or_default().to_owned(),
            text(|record| Some(&record.room)),
            text(|record| record.dispatch_id.as_deref()),
            text(|record| Some(&record.detail.call_log_id)),
            text(|record| Some(&record.worker)),
            text(|record| record.worker_seen.as_deref()),
            text(|record| record.finished_at.as_deref()),
            message.join("; ").replace(['\n', '\r'], " "),
        ];
        let mut line = WriterBuilder::new().from_writer(Vec::new());
        line.write_record(&fields)
            .map_err(|error| self.trouble(error))?;
        let line = line.into_inner().map_err(|error| self.trouble(error))?;
        self.log.append(&line)
    }
}
