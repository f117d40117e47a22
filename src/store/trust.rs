//! Whom tokens may be sent to: what lkroute applied, and what operators
//! recorded. Imports core.

use super::engine::StoreEngine;
use super::{Engine, Store};
use crate::error::Result;
use crate::lookup::TrustRows;

impl Store {
    /// Whom tokens may be sent to; a table that is not there counts as empty.
    /// Not between [`Store::begin_read`] and [`Store::end_read`].
    pub async fn trust(&mut self) -> Result<TrustRows> {
        let found = on!(self, engine => engine.trust().await);
        let text = found.map_err(|error| super::error_map::database_error(self.label(), &error))?;
        let read = TrustRows::read(&text);
        read.map_err(|error| super::error_map::malformed_answer(self.label(), &error))
    }

    /// Records a server as trusted, with who and why; its time is the
    /// database's. One that is there already gets the new reason.
    pub async fn record_trust(&mut self, host: &str, actor: &str, reason: &str) -> Result<()> {
        let done = on!(self, engine => engine.record_trust(host, actor, reason).await);
        done.map_err(|error| super::error_map::database_error(self.label(), &error))
    }

    /// Takes a server out again; whether it was there.
    pub async fn revoke_trust(&mut self, host: &str) -> Result<bool> {
        let gone = on!(self, engine => engine.revoke_trust(host).await);
        gone.map(|rows| rows > 0)
            .map_err(|error| super::error_map::database_error(self.label(), &error))
    }
}
