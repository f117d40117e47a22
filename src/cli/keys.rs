//! The option that names the key ring. Imports `app`.

use std::path::PathBuf;

use clap::Args;

use super::shell::warn;
use crate::app::keys::{KeyRing, is_open_to_others, read_ring, ring_file};
use crate::error::Result;

#[derive(Args, Clone)]
pub(super) struct KeyArgs {
    /// The file with the key ring [env: LKROUTE_KEYS_FILE; or the ring itself
    /// in LKROUTE_KEYS]
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
}

impl KeyArgs {
    /// The key ring, which is empty where there is none.
    ///
    /// # Errors
    /// A ring or a Fernet key that is there, but can't be read.
    pub(super) fn ring(&self) -> Result<KeyRing> {
        if let Some(file) = ring_file(self.keys.as_deref())
            && is_open_to_others(&file)
        {
            let what = file.display();
            warn(&format!(
                "others can read `{what}`, and open every secret with it: `chmod 600` it"
            ));
        }
        read_ring(self.keys.as_deref())
    }
}
