//! Whether the fallback of a config may take a call, by the same rules as any
//! config: lkroute applied it, its secret opens, its server is trusted. Imports
//! core and `secrets`.

use super::opened::OpenedLookUp;
use super::signing::{Signing, signing_standing};
use crate::dispatch::{CallOptions, Request};
use crate::error::{Error, Exit, Result};
use crate::lookup::TrustRows;
use crate::resolve::{Fallback, Resolution};
use crate::secrets::{KeyRing, OpenError, Secret};
use crate::trust::Standing;

/// The fallback of the config that a call goes by, as it was found.
pub struct FallbackConfig {
    fallback: Fallback,
    applied: bool,
    signing: Option<Signing>,
    secret: Option<Result<Secret, OpenError>>,
}

/// A call by the fallback, and what opens its server.
pub struct FallbackCall<'a> {
    pub request: Request,
    pub api_key: &'a str,
    pub api_secret: &'a Secret,
}

impl FallbackConfig {
    pub(super) fn of(resolution: &Resolution, opened: &OpenedLookUp) -> Option<FallbackConfig> {
        let route = &resolution.outcome.as_ref().ok()?.route;
        let fallback = route.fallback.clone()?;
        let found = &opened.found;
        let id = fallback.config.id;
        let config = id.and_then(|id| found.facts.configs.get(id));
        let url = id.and_then(|id| found.applied_urls.get(&id));
        Some(FallbackConfig {
            applied: config.is_some_and(|config| config.place.apply.is_some()),
            signing: config.and_then(|config| Signing::of(config, url.map(String::as_str))),
            secret: opened.secret(id),
            fallback,
        })
    }

    pub fn name(&self) -> &str {
        &self.fallback.config.name
    }

    /// Whether [`FallbackConfig::prepare`] needs to know whom tokens may be
    /// sent to.
    pub fn needs_trust(&self) -> bool {
        let signing = self.signing.as_ref();
        signing.is_some_and(|signing| !signing.as_applied)
    }

    /// The call by it. `worker` is that of a config without one, `environment`
    /// is `LIVEKIT_URL`.
    ///
    /// # Errors
    /// Why it takes none.
    pub fn prepare(
        &self,
        request: &Request,
        options: &CallOptions,
        worker: &str,
        (rows, ring, environment): (&TrustRows, &KeyRing, Option<&str>),
    ) -> Result<FallbackCall<'_>> {
        let name = self.name();
        let lacking = |what| Error::new(format!("config {name} has no {what}"));
        if !self.applied {
            return Err(Error::new("lkroute did not apply it"));
        }
        let signing = self.signing.as_ref().ok_or_else(|| lacking("URL"))?;
        if signing.plain_text {
            let message = "its secret stands in the database as plain text";
            return Err(Error::new(message));
        }
        let closed =
            |why: &str| Error::new(format!("the secret of config {name} does not open: {why}"));
        let secret = match &self.secret {
            Some(Ok(secret)) => secret,
            Some(Err(error)) => return Err(closed(&error.to_string())),
            None => return Err(closed("it is not there")),
        };
        if self.needs_trust()
            && let Standing::Refused(refusal) =
                signing_standing(signing, Some(secret), rows, ring, environment)
        {
            let message = refusal.message(name);
            return Err(Error::exit(Exit::Conflict, message).hint(refusal.hint()));
        }
        Ok(FallbackCall {
            request: request.by_fallback(self.fallback.clone(), options, worker)?,
            api_key: signing
                .api_key
                .as_deref()
                .ok_or_else(|| lacking("API key"))?,
            api_secret: secret,
        })
    }
}
