//! What was read of a number last, with its secrets opened. A service calls from the
//! same numbers again and again, and between two changes the database answers in the
//! same bytes: to read them anew, and to open the same secrets, would take longer than
//! all that is decided.
//!
//! Nothing in here is out of date: the database is asked for each call, and another
//! answer than the one that was read is read. Imports `answer` and `lookup`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use lkroute::answer::OpenedLookUp;
use lkroute::lookup::LookUp;
use lkroute::phone::E164;

/// One answer of the database.
pub struct ReadDocument {
    /// What was asked: the same bytes may mean something else to another question.
    asked: LookUp,
    has_users: bool,
    text: String,
    pub found: OpenedLookUp,
}

/// So many numbers, and bytes of each: a few megabytes.
const NUMBERS: usize = 512;
const LONGEST: usize = 8192;

/// The last answer for each number.
#[derive(Default)]
pub struct Memo(Mutex<HashMap<E164, Arc<ReadDocument>>>);

impl Memo {
    /// The same answer to the same question, read before; else `read` reads it.
    pub fn get_or_read<E>(
        &self,
        asked: LookUp,
        has_users: bool,
        text: &str,
        read: impl FnOnce(&LookUp) -> Result<OpenedLookUp, E>,
    ) -> Result<Arc<ReadDocument>, E> {
        // One that was held by another thread at a fork stays locked: never waited for.
        let known = self.0.try_lock().ok();
        let known = known.and_then(|known| known.get(&asked.number).cloned());
        let same = |known: &Arc<ReadDocument>| {
            known.text == text && known.asked == asked && known.has_users == has_users
        };
        if let Some(known) = known.filter(same) {
            return Ok(known);
        }
        let found = read(&asked)?;
        let number = asked.number;
        let document = Arc::new(ReadDocument {
            asked,
            has_users,
            text: text.to_owned(),
            found,
        });
        if text.len() <= LONGEST
            && let Ok(mut known) = self.0.try_lock()
        {
            if known.len() >= NUMBERS {
                known.clear();
            }
            known.insert(number, document.clone());
        }
        Ok(document)
    }
}
