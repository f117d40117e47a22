//! The calls that were placed: listed as the records tell, looked at again, and
//! ended. Imports core, `livekit`, the store and `secrets`.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::dispatch::{meaning, note_agent};
use super::{Context, Stop, database, keys, lookup};
use crate::dispatch::{Record, Status};
use crate::error::{Error, Result};
use crate::fields::Field;
use crate::livekit::{
    Call, CallLook, Cause, Client, Dispatched, JOB_LISTED_WITHIN, Limits, Server, end_call,
    find_dispatch, look_at_call, phone_in_room,
};
use crate::resolve;
use crate::secrets::{self, KeyRing, Stored};
use crate::snapshot::Snapshot;
use crate::store::{Calls, Mode, Store};

/// A call that is younger may still be under way: the limits of `dispatch`
/// together, and what LiveKit takes after them.
const UNDER_WAY: SignedDuration = SignedDuration::from_secs(120);

/// The records that were asked for, the latest first.
///
/// # Errors
/// The database can't be asked.
pub async fn list_calls(context: &Context<'_>, wanted: &Calls) -> Result<Vec<Record>, Stop> {
    let target = lookup::target(context)?;
    let mut store = database::open_current(context, &target, Mode::Look).await?;
    Ok(store.calls(wanted).await?)
}

/// Which calls to look at again.
pub struct RefreshRequest {
    /// Of these, only those that are not settled are looked at.
    pub wanted: Calls,
    pub limits: Limits,
    /// What opens the configs' secrets.
    pub ring: KeyRing,
}

/// A call that was looked at again.
pub struct Refreshed {
    pub record: Record,
    /// Why nothing was learned of it.
    pub not_seen: Option<String>,
}

/// Looks again at calls that are not settled, and settles their records by
/// what is seen.
///
/// # Errors
/// The database can't be asked, or can't take what was seen.
pub async fn refresh_calls(
    context: &Context<'_>,
    request: &RefreshRequest,
) -> Result<Vec<Refreshed>, Stop> {
    let target = lookup::target(context)?;
    let mut store = database::open_current(context, &target, Mode::Record).await?;
    let records = store.calls(&request.wanted).await?;
    let snapshot = read_snapshot(&mut store).await?;
    let mut refreshed = Vec::new();
    for mut record in records {
        if record.is_settled() {
            refreshed.push(Refreshed {
                record,
                not_seen: None,
            });
            continue;
        }
        let client = client_of(&record, &snapshot, &request.ring, request.limits);
        let seen = match client {
            Ok(client) => look_again(context, &client, &mut record).await,
            Err(error) => Err(error.message),
        };
        if seen.is_ok() {
            record.detail.looked_at = Some(context.now());
            store.complete_call(&record).await?;
        }
        refreshed.push(Refreshed {
            record,
            not_seen: seen.err(),
        });
    }
    Ok(refreshed)
}

async fn read_snapshot(store: &mut Store) -> Result<Snapshot> {
    store.begin_read().await?;
    let snapshot = store.snapshot().await?;
    store.end_read().await?;
    Ok(snapshot)
}

/// A connection to the server that a call was placed through.
///
/// # Errors
/// Its credentials are not at hand, or its config names another server now.
fn client_of(
    record: &Record,
    snapshot: &Snapshot,
    ring: &KeyRing,
    limits: Limits,
) -> Result<Client> {
    let url = record.detail.url.as_str();
    let elsewhere = || Error::new(format!("its credentials are for another server than {url}"));
    let (api_key, secret) = match record.config_id {
        Some(id) => {
            let mut configs = snapshot.configs.iter();
            let config = configs.find(|config| config.id == id);
            let config = config.ok_or_else(|| Error::new("its config is gone"))?;
            if config.fields.text(Field::Url) != Some(url) {
                return Err(elsewhere());
            }
            let stored = Stored::read(config.secret.as_stored().to_owned());
            let secret = secrets::open_stored(ring, id, &stored)
                .map_err(|error| Error::new(format!("its secret does not open: {error}")))?;
            let api_key = config.fields.text(Field::ApiKey).unwrap_or_default();
            (api_key.to_owned(), secret)
        }
        None => {
            let variable = |name: &str| super::process_variable(name).unwrap_or_default();
            if variable(resolve::env::URL) != url {
                return Err(elsewhere());
            }
            let secret = keys::variable(resolve::env::API_SECRET)
                .ok_or_else(|| Error::new("LIVEKIT_API_SECRET is not set"))?;
            (variable(resolve::env::API_KEY), secret)
        }
    };
    let server = Server {
        url,
        api_key: &api_key,
        api_secret: secret.expose(),
    };
    Client::new(&server, limits).map_err(|failure| Error::new(meaning(&failure)))
}

/// Notes in the record what is seen of the call now; why nothing is, where
/// nothing can be.
async fn look_again(
    context: &Context<'_>,
    client: &Client,
    record: &mut Record,
) -> Result<(), String> {
    let age = age_of(context, record);
    if record.dispatch_id.is_none() && !adopt_dispatch(client, record, age).await? {
        return Ok(());
    }
    let dispatch_id = record.dispatch_id.clone().unwrap_or_default();
    let dispatched = Dispatched {
        room: &record.room,
        dispatch_id: &dispatch_id,
    };
    let look = look_at_call(client, &dispatched).await;
    let listed_by = SignedDuration::try_from(JOB_LISTED_WITHIN).unwrap_or(UNDER_WAY);
    match look {
        CallLook::There(there) => {
            let seen_in_room = record.detail.in_room.take();
            note_agent(record, there);
            record.detail.in_room = record.detail.in_room.take().or(seen_in_room);
            record.detail.message = None;
            if let Ok(Some(phone)) = phone_in_room(client, &record.room).await {
                record.detail.sip_call_status = phone.call_status;
                let known = record.detail.sip_call_id.take();
                record.detail.sip_call_id = known.or(phone.call_id);
            }
            Ok(())
        }
        CallLook::Listed if age < listed_by => Err("it was placed a moment ago".to_owned()),
        CallLook::Listed => {
            record.status = Status::NoAgent;
            record.detail.message = Some(
                "looked at later: the server has the call, and no agent took it; none will"
                    .to_owned(),
            );
            Ok(())
        }
        CallLook::Gone => {
            settle_gone(record);
            Ok(())
        }
        CallLook::NotKnown(failure) => Err(meaning(&failure)),
    }
}

/// Looks for the dispatch of a call of which only the room's name is known;
/// false where there is nothing more to look at.
async fn adopt_dispatch(
    client: &Client,
    record: &mut Record,
    age: SignedDuration,
) -> Result<bool, String> {
    let call = Call {
        room: &record.room,
        agent_name: &record.worker,
        metadata: "",
        job_id: &record.detail.job_id,
    };
    match find_dispatch(client, &call).await {
        Ok(Some(id)) => {
            record.dispatch_id = Some(id);
            record.detail.adopted = true;
            record.status = Status::Accepted;
            Ok(true)
        }
        _ if age < UNDER_WAY => Err("it may still be under way".to_owned()),
        Err(failure) if failure.cause != Cause::RoomMissing => Err(meaning(&failure)),
        Ok(None) | Err(_) => {
            settle_gone(record);
            Ok(false)
        }
    }
}

fn settle_gone(record: &mut Record) {
    record.status = Status::Unknown;
    record.detail.settled = true;
    record.detail.cause = Some("gone".to_owned());
    record.detail.message = Some(
        "looked at later: room or dispatch are gone; an agent may have been there, nobody saw it"
            .to_owned(),
    );
}

fn age_of(context: &Context<'_>, record: &Record) -> SignedDuration {
    let placed = record.at.parse::<Timestamp>();
    let age = placed.map(|placed| (context.clock)().duration_since(placed));
    age.unwrap_or(SignedDuration::MAX)
}

/// The call that a room, a dispatch or a record names.
///
/// # Errors
/// There is none.
pub async fn find_call(context: &Context<'_>, name: &str) -> Result<Record, Stop> {
    let target = lookup::target(context)?;
    let mut store = database::open_current(context, &target, Mode::Read).await?;
    let records = store.calls(&named_call(name)).await?;
    Ok(one_call(records, name)?)
}

fn named_call(name: &str) -> Calls {
    Calls {
        last: 2,
        named: Some(name.to_owned()),
        ..Calls::default()
    }
}

fn one_call(records: Vec<Record>, name: &str) -> Result<Record> {
    records.into_iter().next().ok_or_else(|| {
        Error::new(format!("no call is known by `{name}`"))
            .hint("name its room, its dispatch (AD_…) or its record, as `lkroute dispatches` shows")
    })
}

/// What ending a call found and did.
pub struct Ended {
    pub record: Record,
    /// What was there, in a phrase.
    pub was_running: String,
}

/// Looks at a call before it is ended: what is running, in a phrase.
///
/// # Errors
/// The database or the server can't be asked.
pub async fn cancel_call(
    context: &Context<'_>,
    name: &str,
    ring: &KeyRing,
    limits: Limits,
) -> Result<Ended, Stop> {
    let target = lookup::target(context)?;
    let mut store = database::open_current(context, &target, Mode::Record).await?;
    let mut record = one_call(store.calls(&named_call(name)).await?, name)?;
    let snapshot = read_snapshot(&mut store).await?;
    let client = client_of(&record, &snapshot, ring, limits)?;
    let was_running = running(&client, &record).await;
    let dispatch = record.dispatch_id.as_deref();
    end_call(&client, &record.room, dispatch)
        .await
        .map_err(|failure| {
            Error::new(format!(
                "the call could not be ended: {}",
                meaning(&failure)
            ))
            .hint(failure.cause.remedy())
        })?;
    record.status = Status::Cancelled;
    record.finished_at = Some(context.now());
    record.detail.message = Some(format!("cancelled: {was_running}"));
    store.complete_call(&record).await?;
    Ok(Ended {
        record,
        was_running,
    })
}

async fn running(client: &Client, record: &Record) -> String {
    let dispatched = Dispatched {
        room: &record.room,
        dispatch_id: record.dispatch_id.as_deref().unwrap_or_default(),
    };
    let agent = match look_at_call(client, &dispatched).await {
        CallLook::There(_) => "an agent was there",
        CallLook::Listed => "no agent had taken it",
        CallLook::Gone => "room or dispatch were gone already",
        CallLook::NotKnown(_) => "what was running could not be seen",
    };
    match phone_in_room(client, &record.room).await {
        Ok(Some(phone)) => {
            let status = phone.call_status.map(|status| format!(" ({status})"));
            format!("{agent}, and a phone{}", status.unwrap_or_default())
        }
        _ => agent.to_owned(),
    }
}

/// How long each request of `--refresh` and `cancel` may take.
pub fn look_limits(step: Duration) -> Limits {
    Limits {
        step,
        whole: step * 3,
        ..Limits::default()
    }
}
