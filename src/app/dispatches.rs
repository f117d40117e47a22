//! The calls that were placed: listed from their records, and looked at again on
//! their servers. Imports core, `livekit`, the store and `secrets`.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};

use super::credentials::{Credentials, KnownServers};
use super::{Context, Stop, database, keys, lookup};
use crate::dispatch::{
    Call, CallLook, Cause, Dispatched, JOB_LISTED_WITHIN, Limits, Record, Status, find_dispatch,
    look_at_call, phone_in_room, wait_for_participant,
};
use crate::error::{Error, Result};
use crate::invisible_chars::drop_user_info;
use crate::livekit::{Client, Server};
use crate::phone::E164;
use crate::resolve;
use crate::secrets::KeyRing;
use crate::store::{FoundCalls, Mode};

pub use crate::lookup::UnreadableRecord;
pub use crate::store::CallFilter;

/// A call that is younger may still be under way: the limits of `dispatch`
/// together, and what LiveKit takes after them.
const UNDER_WAY: SignedDuration = SignedDuration::from_secs(120);

/// Calls that are looked at at a time.
const AT_ONCE: usize = 32;

/// Calls of one database.
pub struct CallList<T> {
    /// The environment that it is stamped with.
    pub environment: Option<String>,
    /// The latest first.
    pub calls: Vec<T>,
    /// Records that can't be read here, and are passed over.
    pub unreadable: Vec<UnreadableRecord>,
}

/// The records that were asked for.
///
/// # Errors
/// The database can't be asked.
pub async fn list_calls(
    context: &Context<'_>,
    wanted: &CallFilter,
) -> Result<CallList<Record>, Stop> {
    let target = lookup::target(context)?;
    let (mut store, environment) = database::open_and_tell(context, &target, Mode::Look).await?;
    let FoundCalls {
        records: calls,
        unreadable,
    } = store.calls(wanted).await?;
    // The calls of a deleted config are still listed; only a name without calls is looked up.
    let none = calls.is_empty() && unreadable.is_empty();
    if let (Some(name), true) = (&wanted.config, none) {
        KnownServers::read(&mut store).await?.id_of(name)?;
    }
    Ok(CallList {
        environment,
        calls,
        unreadable,
    })
}

/// How long ago a call that ended in doubt may be, for somebody to be asked
/// before it is placed again.
const IN_DOUBT_FOR: SignedDuration = SignedDuration::from_hours(1);

/// Calls between the same numbers of late of which it is not known whether a
/// person was called: placing another may call a person twice. One with the
/// same idempotency key is not among them: nothing is sent for that.
///
/// # Errors
/// The database can't be asked.
pub async fn calls_in_doubt(
    context: &Context<'_>,
    (from, to): (E164, &str),
    key: Option<&str>,
) -> Result<Vec<Record>, Stop> {
    let since = (context.clock)() - IN_DOUBT_FOR;
    let wanted = CallFilter {
        last: u32::MAX,
        number: Some(from),
        status: vec![Status::InQueue, Status::Unknown, Status::NoAgent],
        since: Some(format!("{since:.3}")),
        ..CallFilter::default()
    };
    let mut records = list_calls(context, &wanted).await?.calls;
    records.retain(|record| {
        let same_key = key.is_some() && record.idempotency_key.as_deref() == key;
        record.is_between(from, to) && !same_key
    });
    Ok(records)
}

/// Which calls to look at again.
pub struct RefreshRequest {
    /// Of these, only those that are not settled are looked at.
    pub wanted: CallFilter,
    pub limits: Limits,
    /// What opens the configs' secrets.
    pub ring: KeyRing,
}

/// A call that was looked at again.
pub struct Refreshed {
    pub record: Record,
    /// Something was learned of it now.
    pub looked: bool,
    /// Why nothing was.
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
) -> Result<CallList<Refreshed>, Stop> {
    let target = lookup::target(context)?;
    let (mut store, environment) = database::open_and_tell(context, &target, Mode::Record).await?;
    let FoundCalls {
        records,
        unreadable,
    } = store.calls(&request.wanted).await?;
    let known = KnownServers::read(&mut store).await?;
    // Side by side: a server takes seconds to say that a room is gone.
    let looks = stream::iter(records).map(|record| look_once(context, request, &known, record));
    let calls: Vec<Refreshed> = looks.buffered(AT_ONCE).collect().await;
    for refreshed in calls.iter().filter(|refreshed| refreshed.looked) {
        store.complete_call(&refreshed.record).await?;
    }
    Ok(CallList {
        environment,
        calls,
        unreadable,
    })
}

async fn look_once(
    context: &Context<'_>,
    request: &RefreshRequest,
    known: &KnownServers,
    mut record: Record,
) -> Refreshed {
    let (mut looked, mut not_seen) = (false, None);
    // The call of one room is looked at also where it is only to be told
    // whether it still runs.
    let open = !record.is_settled();
    let had_agent = matches!(record.status, Status::PickedUp | Status::Answered);
    if open || had_agent && request.wanted.room.is_some() {
        let client = client_of(&record, known, &request.ring, request.limits);
        let seen = match client {
            Ok(client) if open => look_again(context, &client, &mut record).await,
            Ok(client) => look_whether_running(&client, &mut record).await,
            Err(error) => Err(error.message),
        };
        match seen {
            Ok(()) => {
                record.detail.looked_at = Some(context.now());
                looked = true;
            }
            Err(why) => not_seen = Some(why),
        }
    }
    Refreshed {
        record,
        looked,
        not_seen,
    }
}

/// A connection to the server that a call was placed through.
///
/// # Errors
/// Its credentials are not at hand, may not be sent there, or are for another
/// server now.
pub(super) fn client_of(
    record: &Record,
    known: &KnownServers,
    ring: &KeyRing,
    limits: Limits,
) -> Result<Client> {
    let url = record.detail.url.as_str();
    let credentials = match record.placed_by() {
        Some(id) => known.credentials(id, ring)?.0,
        None => of_environment()?,
    };
    // Records leave out the user info of URLs; those of earlier versions may hold it.
    if drop_user_info(&credentials.url) != drop_user_info(url) {
        let message = format!("its credentials are for another server than {url} now");
        return Err(Error::new(message));
    }
    let server = Server {
        url: &credentials.url,
        api_key: &credentials.api_key,
        api_secret: credentials.api_secret.expose(),
    };
    Client::new(&server, limits).map_err(|failure| Error::new(failure.meaning()))
}

fn of_environment() -> Result<Credentials> {
    let variable = |name: &str| {
        super::process_variable(name).ok_or_else(|| Error::new(format!("{name} is not set")))
    };
    let secret = keys::variable(resolve::env::API_SECRET);
    Ok(Credentials {
        url: variable(resolve::env::URL)?,
        api_key: variable(resolve::env::API_KEY)?,
        api_secret: secret.ok_or_else(|| Error::new("LIVEKIT_API_SECRET is not set"))?,
    })
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
    let mut look = look_at_call(client, &dispatched).await;
    let listed_by = SignedDuration::try_from(JOB_LISTED_WITHIN).unwrap_or(UNDER_WAY);
    // A job that LiveKit does not list yet proves nothing: some seconds later
    // it does.
    if look == CallLook::Listed && age < listed_by {
        let rest = Duration::try_from(listed_by - age).unwrap_or_default();
        tokio::time::sleep(rest).await;
        look = look_at_call(client, &dispatched).await;
    }
    match look {
        CallLook::There(there) => {
            let seen_in_room = record.detail.in_room.take();
            record.note_agent(there);
            record.detail.in_room = record.detail.in_room.take().or(seen_in_room);
            record.detail.message = None;
            look_whether_running(client, record).await
        }
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
        CallLook::NotKnown(failure) => Err(failure.meaning()),
    }
}

/// Notes whether an agent is in the room now, and what the phone does.
async fn look_whether_running(client: &Client, record: &mut Record) -> Result<(), String> {
    let present = wait_for_participant(client, &record.room, Duration::ZERO).await;
    let present = present.map_err(|failure| failure.meaning())?;
    record.detail.running = Some(present.is_some());
    record.detail.in_room = present.or(record.detail.in_room.take());
    if let Ok(Some(phone)) = phone_in_room(client, &record.room).await {
        record.detail.sip_call_status = phone.call_status;
        let known = record.detail.sip_call_id.take();
        record.detail.sip_call_id = known.or(phone.call_id);
    }
    Ok(())
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
        deployment: None,
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
        _ if age < UNDER_WAY => {
            let rest = (UNDER_WAY - age).as_secs() + 1;
            Err(format!("it may still be under way: look again in {rest} s"))
        }
        Err(failure) if failure.cause != Cause::RoomMissing => Err(failure.meaning()),
        Ok(None) | Err(_) => {
            settle_gone(record);
            Ok(false)
        }
    }
}

pub(super) fn settle_gone(record: &mut Record) {
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

/// How long each request of `--refresh` and `cancel` may take.
pub fn look_limits(step: Duration) -> Limits {
    Limits {
        step,
        whole: step * 3,
        ..Limits::default()
    }
}
