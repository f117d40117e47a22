//! Connections to LiveKit servers. Imports `livekit` and `secrets`.

use std::cell::RefCell;
use std::rc::Rc;

use crate::livekit::{Client, Failure, Limits, Server};
use crate::secrets::Secret;

/// One connection to each server, shared by all calls to it.
#[derive(Default)]
pub(super) struct Clients(RefCell<Vec<Known>>);

struct Known {
    url: String,
    api_key: String,
    secret: Secret,
    client: Rc<Client>,
}

impl Clients {
    pub(super) fn get(
        &self,
        url: &str,
        api_key: &str,
        secret: Secret,
        limits: Limits,
    ) -> Result<Rc<Client>, Failure> {
        let mut known = self.0.borrow_mut();
        let same = |k: &&Known| k.url == url && k.api_key == api_key && k.secret.same(&secret);
        if let Some(found) = known.iter().find(same) {
            return Ok(found.client.clone());
        }
        let server = Server {
            url,
            api_key,
            api_secret: secret.expose(),
        };
        let client = Rc::new(Client::new(&server, limits)?);
        known.push(Known {
            url: url.to_owned(),
            api_key: api_key.to_owned(),
            secret,
            client: client.clone(),
        });
        Ok(client)
    }
}
