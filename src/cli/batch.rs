//! A batch of calls: the rows of a CSV file, a few at a time, each noted as it
//! ends. Imports what commands share, the store and `render`'s report.

use std::io::Read;
use std::path::Path;

use csv::{Reader, ReaderBuilder, StringRecord};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::database::{self, Target};
use super::journal::Journal;
use super::ledger::Ledger;
use super::lookup::{Question, Whose};
use super::placing::{Ask, Placed, Placing};
use super::progress::Progress;
use super::shell::Shell;
use super::signals::asked_to_stop;
use crate::dispatch::Status;
use crate::dispatch::batch::{Columns, RowEnd, Tally, digest, key};
use crate::error::{Error, Exit, Result};
use crate::files;
use crate::render::calls::BatchReport;
use crate::render::json::{ErrorReport, FORMAT_VERSION};
use crate::render::style::{counted, wrapped};
use crate::store::Mode;

/// Connections to PostgreSQL; a SQLite file is written and read by one, which
/// then waits for nobody.
const READERS: usize = 4;
/// This many bad rows are shown.
const SHOWN: usize = 10;

/// A batch to run.
pub struct Batch<'a> {
    pub file: &'a Path,
    pub results: &'a Path,
    pub concurrency: usize,
    /// Rows whose outcome is unknown, or that no agent took, are called again.
    pub retry_unknown: bool,
    pub strict: bool,
    pub target: &'a Target,
    pub placing: &'a Placing,
}

/// A row that is to be called.
struct Todo {
    number: u64,
    check: u32,
    ask: Ask,
    /// An earlier run has a record under this row's key.
    again: bool,
}

/// What became of one.
struct Done {
    number: u64,
    check: u32,
    placed: Result<Placed>,
}

type Rows = Reader<Box<dyn Read>>;

impl Batch<'_> {
    /// Runs it: all rows are read before the first call is placed.
    ///
    /// # Errors
    /// A row that can't be read, a result file of another batch, no database:
    /// nothing was sent.
    pub async fn run(&self, shell: &Shell) -> Result<(BatchReport, Option<Error>)> {
        let mut journal = Journal::open(self.results)?;
        let rows = self.check(&journal)?;
        let ledger = self.ledger(shell).await?;
        let mut report = BatchReport {
            file: self.file.display().to_string(),
            results: self.results.display().to_string(),
            batch_id: Some(journal.batch),
            rows,
            format_version: FORMAT_VERSION,
            ..BatchReport::default()
        };
        let mut tally = Tally::default();
        let stopped = self
            .call(shell, &ledger, &mut journal, &mut report, &mut tally)
            .await;
        report.set(&tally);
        let error = match stopped {
            Err(error) => Some(error),
            Ok(()) => ending(&report, &tally),
        };
        report.error = error.as_ref().map(ErrorReport::from);
        Ok((report, error))
    }

    fn reader(&self) -> Result<(Rows, Columns)> {
        let mut reader = ReaderBuilder::new().from_reader(files::reader(self.file)?);
        let header = reader.headers().map_err(|error| self.trouble(&error))?;
        let columns = Columns::read(header).map_err(|error| Error {
            message: format!("{}: {}", self.file.display(), error.message),
            ..error
        })?;
        Ok((reader, columns))
    }

    fn trouble(&self, error: &csv::Error) -> Error {
        Error::new(format!("{}: {error}", self.file.display()))
    }

    /// Reads all rows once, and counts them.
    fn check(&self, journal: &Journal) -> Result<u64> {
        let (mut reader, columns) = self.reader()?;
        let (mut line, mut rows, mut bad) = (StringRecord::new(), 0, 0);
        let mut problems = Vec::new();
        while reader
            .read_record(&mut line)
            .map_err(|error| self.trouble(&error))?
        {
            rows += 1;
            let at = line.position().map_or(0, csv::Position::line);
            let noted = journal.noted(rows);
            if noted.is_some_and(|noted| noted.check != digest(&line)) {
                return Err(Error::new(format!(
                    "{}:{at}: row {rows} is not the one that {} has a result for",
                    self.file.display(),
                    self.results.display()
                ))
                .hint("rows may be added at the end; else name another file with --results"));
            }
            if let Err(problem) = columns.row(&line) {
                bad += 1;
                if problems.len() < SHOWN {
                    problems.push(format!("\n{}:{at}: {problem}", self.file.display()));
                }
            }
        }
        match bad {
            0 => Ok(rows),
            _ => Err(Error::new(format!(
                "{} can't be read, so nothing was called:{}",
                counted(bad, "row"),
                problems.concat()
            ))),
        }
    }

    async fn ledger(&self, shell: &Shell) -> Result<Ledger> {
        let first = database::open_current(shell, self.target, Mode::Record).await?;
        let more = match self.target.url.file() {
            Some(_) => 0,
            None => READERS.min(self.concurrency) - 1,
        };
        let mut stores = Vec::new();
        for _ in 0..more {
            stores.push(database::open(shell, self.target, Mode::Read).await?);
        }
        Ok(Ledger::new(first, stores))
    }

    /// Calls row after row; an error ends it, once what is under way has
    /// ended.
    async fn call(
        &self,
        shell: &Shell,
        ledger: &Ledger,
        journal: &mut Journal,
        report: &mut BatchReport,
        tally: &mut Tally,
    ) -> Result<()> {
        let (mut reader, columns) = self.reader()?;
        let bar = Progress::counting(shell, "calling");
        let mut running = FuturesUnordered::new();
        let mut number = 0;
        let mut stopped = Ok(());
        let stop = asked_to_stop();
        tokio::pin!(stop);
        loop {
            while stopped.is_ok() && !report.interrupted && running.len() < self.concurrency {
                // What is under way is awaited, whatever happens here.
                match self.next(&mut reader, &columns, &mut number, journal) {
                    Ok(None) => break,
                    Ok(Some(Next::Skip(end))) => {
                        tally.add(end);
                        report.skipped += 1;
                    }
                    Ok(Some(Next::Call(todo))) => {
                        running.push(self.one(ledger, *todo));
                    }
                    Err(error) => stopped = Err(error),
                }
            }
            bar.of(tally.total(), report.rows);
            tokio::select! {
                ended = running.next() => match ended {
                    None => return stopped,
                    Some(done) => stopped = stopped.and(note(journal, tally, done)),
                },
                () = &mut stop => {
                    if report.interrupted {
                        (0..running.len()).for_each(|_| tally.add(RowEnd::Called(Status::Unknown)));
                        return stopped;
                    }
                    report.interrupted = true;
                    stop.set(asked_to_stop());
                    let calls = counted(running.len() as u64, "call");
                    let said = format!(
                        "stopping: {calls} under way will be finished; \
                         a second Ctrl-C leaves them, with their outcome unknown"
                    );
                    shell.say(&wrapped(&said, shell.width(), 0));
                }
            }
        }
    }

    /// The next row, and what to do with it.
    fn next(
        &self,
        reader: &mut Rows,
        columns: &Columns,
        number: &mut u64,
        journal: &Journal,
    ) -> Result<Option<Next>> {
        let Some(line) = reader.records().next() else {
            return Ok(None);
        };
        let line = line.map_err(|error| self.trouble(&error))?;
        *number += 1;
        self.todo(columns, &line, *number, journal).map(Some)
    }

    fn todo(
        &self,
        columns: &Columns,
        line: &StringRecord,
        number: u64,
        journal: &Journal,
    ) -> Result<Next> {
        let noted = journal.noted(number);
        if let Some(noted) = noted.filter(|noted| noted.end.is_done(self.retry_unknown)) {
            return Ok(Next::Skip(noted.end));
        }
        let row = columns.row(line).map_err(Error::new)?;
        let mut wish = row.wish;
        wish.batch_id = Some(journal.batch.to_string());
        wish.entry_id.get_or_insert_with(|| number.to_string());
        let whose = match (row.tenant, wish.initiated_by) {
            (Some(name), _) => Whose::Tenant(name),
            (None, Some(user)) => Whose::User(user),
            (None, None) => Whose::Any,
        };
        Ok(Next::Call(Box::new(Todo {
            number,
            check: digest(line),
            again: noted
                .is_some_and(|noted| matches!(noted.end, RowEnd::Called(s) if s != Status::Failed)),
            ask: Ask {
                question: Question {
                    from: row.from,
                    whose,
                    to: Some(row.to),
                    agent: wish.agent_id,
                    strict: self.strict,
                    environment: None,
                },
                wish,
                key: Some(key(journal.batch, number)),
                may_repeat: journal.is_resumed,
            },
        })))
    }

    async fn one(&self, ledger: &Ledger, todo: Todo) -> Done {
        let Todo {
            number,
            check,
            ask,
            again,
        } = todo;
        let key = ask.key.as_deref().filter(|_| again);
        let placed = async {
            if let Some(key) = key {
                ledger.release(key).await?;
            }
            self.placing.place(ledger, &ask).await
        };
        Done {
            number,
            check,
            placed: placed.await,
        }
    }
}

enum Next {
    /// Done by an earlier run.
    Skip(RowEnd),
    Call(Box<Todo>),
}

/// Writes down how a row ended. A database that fails ends the batch; a row of
/// which nothing was sent then counts as not started.
fn note(journal: &mut Journal, tally: &mut Tally, done: Done) -> Result<()> {
    let mut placed = done.placed?;
    let database = placed.database.take();
    let end = match (&placed.record, &placed.error) {
        (Some(record), _) => RowEnd::Called(record.status),
        (None, _) if database.is_some() => return database.map_or(Ok(()), Err),
        (None, Some(error)) if error.exit == Exit::CallRefused => RowEnd::Refused,
        (None, _) => RowEnd::Called(Status::Failed),
    };
    tally.add(end);
    journal.note(done.number, done.check, end, &placed)?;
    database.map_or(Ok(()), Err)
}

/// What is to be said in the end, where not every row was called.
fn ending(report: &BatchReport, tally: &Tally) -> Option<Error> {
    let again = "run it again: rows that are done are skipped";
    let left = counted(report.not_started, "row");
    if report.interrupted && report.not_started > 0 {
        let message = format!("interrupted: {left} not started");
        return Some(Error::exit(exit(report, tally), message).hint(again));
    }
    let exit = exit(report, tally);
    let message = match exit {
        Exit::Done => return None,
        Exit::Unknown => "the outcome of some calls can't be known",
        Exit::NoAgent => "some calls were taken by no agent in time",
        Exit::CallRefused => "some calls are refused by the rules of their numbers",
        _ => "some calls failed",
    };
    let hint = match exit {
        Exit::Unknown | Exit::NoAgent => {
            "a rerun leaves these rows alone; --retry-unknown calls them again"
        }
        _ => again,
    };
    Some(Error::exit(exit, message).hint(hint))
}

fn exit(report: &BatchReport, tally: &Tally) -> Exit {
    match tally.exit() {
        Exit::Done | Exit::NoAgent | Exit::CallRefused if report.not_started > 0 => Exit::Error,
        exit => exit,
    }
}
