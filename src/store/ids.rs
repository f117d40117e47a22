//! Ids for rows to insert. Imports getrandom.

use std::time::{SystemTime, UNIX_EPOCH};

use uuid::{Builder, Uuid};

use crate::error::{Error, Result};

/// How many ids one call for randomness serves.
const AT_ONCE: usize = 1024;
/// The bits of a version 7 uuid behind its time and version.
const RANDOM: u32 = 74;

/// Ascending version 7 uuids of one moment: RFC 9562's monotonic random
/// method. A million of them cost a thousand calls for randomness.
#[derive(Debug)]
pub struct RowIds {
    millis: u64,
    last: u128,
    steps: Vec<u32>,
}

impl RowIds {
    /// # Errors
    /// The system has no randomness to give.
    pub fn new() -> Result<RowIds> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let millis = now.ok().and_then(|now| u64::try_from(now.as_millis()).ok());
        let mut start = [0; 16];
        getrandom::fill(&mut start).map_err(|error| Error::new(error.to_string()))?;
        Ok(RowIds {
            millis: millis.unwrap_or_default(),
            // The top bit is free for what is added.
            last: u128::from_ne_bytes(start) >> (128 - RANDOM + 1),
            steps: Vec::new(),
        })
    }

    /// The next id.
    pub fn make(&mut self) -> Uuid {
        let step = self.steps.pop().unwrap_or_else(|| self.refill());
        self.last += u128::from(step) + 1;
        // 12 bits, then 62: the version and the variant lie in between.
        let bits = ((self.last >> 62) << 64 | (self.last & ((1 << 62) - 1))).to_be_bytes();
        let mut random = [0; 10];
        random.copy_from_slice(&bits[6..]);
        Builder::from_unix_timestamp_millis(self.millis, &random).into_uuid()
    }

    /// Draws the next steps, and gives the first. Without randomness ids still
    /// ascend, one by one.
    fn refill(&mut self) -> u32 {
        let mut bytes = [0; 4 * AT_ONCE];
        if getrandom::fill(&mut bytes).is_ok() {
            let (steps, _) = bytes.as_chunks();
            self.steps
                .extend(steps.iter().copied().map(u32::from_ne_bytes));
        }
        self.steps.pop().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_ascend_and_are_of_version_7_and_of_now() {
        let mut ids = RowIds::new().unwrap();
        let now = Uuid::now_v7();
        let made: Vec<Uuid> = (0..3 * AT_ONCE).map(|_| ids.make()).collect();
        assert!(made.is_sorted_by(|a, b| a < b));
        for id in made {
            assert_eq!(id.get_version_num(), 7);
            assert_eq!(id.get_variant(), uuid::Variant::RFC4122);
            let millis = |id: Uuid| id.as_u128() >> 80;
            assert!(millis(now).abs_diff(millis(id)) < 1000);
        }
        let other = RowIds::new().unwrap().make();
        assert_ne!(other.as_u128() << 54, ids.make().as_u128() << 54);
    }
}
