//! The database of a command that places calls: look-ups on a few connections,
//! and records, of which those that come together share one transaction.
//! Imports the store.

use std::cell::{Cell, RefCell};

use tokio::sync::{Mutex, oneshot};

use crate::dispatch::Record;
use crate::error::{Error, Result};
use crate::store::{CallNotes, Store};

/// Shared by all calls that are under way.
pub struct Ledger {
    stores: Vec<Mutex<Store>>,
    turn: Cell<usize>,
    waiting: RefCell<Vec<Waiting>>,
}

enum Note {
    Released(String),
    New(Box<Record>),
    Done(Box<Record>),
}

struct Waiting {
    note: Note,
    answer: oneshot::Sender<Result<Option<Record>>>,
}

impl Ledger {
    /// Records go to the first of them; there has to be one.
    pub fn new(first: Store, more: impl IntoIterator<Item = Store>) -> Ledger {
        let stores = std::iter::once(first).chain(more);
        Ledger {
            stores: stores.map(Mutex::new).collect(),
            turn: Cell::new(0),
            waiting: RefCell::default(),
        }
    }

    /// A connection to look things up with.
    pub fn reader(&self) -> &Mutex<Store> {
        let turn = self.turn.get();
        self.turn.set(turn + 1);
        &self.stores[turn % self.stores.len()]
    }

    /// Writes a record; where its key has one already, that one is returned.
    pub async fn record(&self, record: &Record) -> Result<Option<Record>> {
        self.note(Note::New(Box::new(record.clone()))).await
    }

    /// Sets what became of the call.
    pub async fn complete(&self, record: &Record) -> Result<()> {
        let noted = self.note(Note::Done(Box::new(record.clone()))).await;
        noted.map(drop)
    }

    /// Takes a key from the record that has it.
    pub async fn release(&self, key: &str) -> Result<()> {
        let noted = self.note(Note::Released(key.to_owned())).await;
        noted.map(drop)
    }

    /// Whoever gets the connection first writes for all that wait by then.
    async fn note(&self, note: Note) -> Result<Option<Record>> {
        let (answer, mut answered) = oneshot::channel();
        self.waiting.borrow_mut().push(Waiting { note, answer });
        let mut store = self.stores[0].lock().await;
        if let Ok(done) = answered.try_recv() {
            return done;
        }
        let waiting = self.waiting.take();
        let noted = write(&mut store, &waiting).await;
        for Waiting { note, answer } in waiting {
            // Whoever asked may have been given up.
            let _ = answer.send(answer_to(&note, &noted));
        }
        let lost = || Err(Error::new("a record of a call was lost"));
        answered.try_recv().unwrap_or_else(|_| lost())
    }
}

async fn write(store: &mut Store, waiting: &[Waiting]) -> Result<Vec<Record>> {
    let mut notes = CallNotes::default();
    for Waiting { note, .. } in waiting {
        match note {
            Note::Released(key) => notes.released.push(key),
            Note::New(record) => notes.new.push(record),
            Note::Done(record) => notes.done.push(record),
        }
    }
    store.note_calls(&notes).await
}

fn answer_to(note: &Note, noted: &Result<Vec<Record>>) -> Result<Option<Record>> {
    let taken = noted.as_ref().map_err(Error::clone)?;
    Ok(match note {
        Note::New(new) if new.idempotency_key.is_some() => {
            let mut taken = taken.iter();
            let same = |first: &&Record| first.idempotency_key == new.idempotency_key;
            taken.find(same).filter(|first| first.id != new.id).cloned()
        }
        _ => None,
    })
}
