//! The one step to the fallback of a config, where nothing of the call can have
//! been created at the config's own server. Imports core, `livekit` and the
//! store.

use super::call_failure::{CallFailure, meaning};
use super::call_steps::CallUnderWay;
use crate::app::credentials::KnownServers;
use crate::app::lookup;
use crate::dispatch::Request;
use crate::error::{Error, Result};
use crate::livekit::{Client, Failure, Server};
use crate::resolve::env::DEFAULT_WORKER;
use crate::resolve::{Fallback, host_of};

impl CallUnderWay<'_> {
    /// Places the call by the fallback, or says why not. `first` is why nothing
    /// was created before; the request is that of the fallback.
    pub async fn by_fallback(
        &mut self,
        first: Failure,
        fallback: &Fallback,
        stop: impl Future<Output = ()>,
    ) -> (Option<Request>, Result<(), CallFailure>) {
        let name = &fallback.config.name;
        let not_used = |first, why: &str| {
            let second = format!("its fallback {name} took none: {why}");
            Err(CallFailure::NorByFallback(first, second))
        };
        let (request, client) = match self.prepare_fallback(fallback).await {
            Ok(ready) => ready,
            Err(error) => return (None, not_used(first, &error.message)),
        };
        let (cause, because) = (first.cause.code(), meaning(&first));
        request.note_fallback(because.clone(), self.record);
        // Should lkroute be killed from here on, the record says where to look.
        if let Err(error) = self.store.complete_call(self.record).await {
            return (None, not_used(first, &error.message));
        }
        self.warnings.push(format!(
            "no call by {}: {because}; it goes by the fallback {name}",
            host_of(&self.request.url)
        ));
        let mut call = CallUnderWay {
            context: self.context,
            asked: self.asked,
            client: &client,
            request: &request,
            record: &mut *self.record,
            warnings: &mut *self.warnings,
            store: &mut *self.store,
        };
        let why = match call.send(stop).await {
            Err(CallFailure::Failed(second) | CallFailure::NotBegun(second)) => meaning(&second),
            Err(CallFailure::TrunkLacksNumber) => {
                let (trunk, from) = (&request.trunk, request.from);
                format!("trunk {trunk} there does not list {from}")
            }
            ended => return (Some(request), ended),
        };
        self.record.detail.cause = Some(cause.to_owned());
        (Some(request), not_used(first, &why))
    }

    /// The request and the connection by the fallback, by the same rules as
    /// any: applied by lkroute, its secret opens, its server is trusted.
    async fn prepare_fallback(&mut self, fallback: &Fallback) -> Result<(Request, Client)> {
        let known = KnownServers::read(self.store).await?;
        let owned = fallback
            .config
            .id
            .and_then(|id| Some((id, known.owned(id)?)));
        let (id, config) = owned.ok_or_else(|| Error::new("lkroute did not apply it"))?;
        if known.holds_plain_text(id) {
            return Err(Error::new(
                "its secret stands in the database as plain text",
            ));
        }
        let (credentials, warning) = known.credentials(id, &self.asked.ring)?;
        let env = lookup::environment();
        let worker = env.shell().and_then(|shell| shell.worker.as_deref());
        let worker = worker.unwrap_or(DEFAULT_WORKER);
        let fallback = Fallback::new(config);
        let request = self
            .request
            .by_fallback(fallback, &self.asked.options, worker)?;
        let server = Server {
            url: &request.url,
            api_key: &credentials.api_key,
            api_secret: credentials.api_secret.expose(),
        };
        let client = Client::new(&server, self.asked.limits);
        let client = client.map_err(|failure| Error::new(meaning(&failure)))?;
        self.warnings.extend(warning);
        Ok((request, client))
    }
}
