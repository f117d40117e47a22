//! Secrets as text: plain ones in memory, sealed ones as far as they can be
//! understood without a key, and what a database holds. Values of the model,
//! free of keys, clock and randomness; the room `secrets` seals and opens them.
//! Imports the name of a format from `routing`.
//!
//! No error and no `Debug` in here carries a secret or a sealed value.

mod key_id;
mod secret;
mod stored;
mod value;

pub use crate::routing::{SecretFormat, UnknownFormat};
pub(crate) use key_id::{is_key_id, is_lower_hex};
pub use secret::{OddSecret, Secret};
pub use stored::Stored;
pub(crate) use value::{AES_PREFIX, AesParts};
pub use value::{Sealed, SealedError};
