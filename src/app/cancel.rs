//! Ending a call that was placed. Imports core, `livekit`, the store and
//! `secrets`.

use super::credentials::KnownServers;
use super::dispatches::{client_of, settle_gone};
use super::{Context, Stop, database, lookup};
use crate::dispatch::{CallLook, Dispatched, Limits, Record, Status, look_at_call, phone_in_room};
use crate::error::{Error, Result};
use crate::livekit::{Client, end_call};
use crate::lookup::UnreadableRecord;
use crate::secrets::KeyRing;
use crate::store::{CallFilter, FoundCalls, Mode};

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

fn named_call(name: &str) -> CallFilter {
    CallFilter {
        last: 2,
        named: Some(name.to_owned()),
        ..CallFilter::default()
    }
}

fn one_call(found: FoundCalls, name: &str) -> Result<Record> {
    if let ([], [unreadable, ..]) = (&found.records[..], &found.unreadable[..]) {
        let UnreadableRecord { record_id, why } = unreadable;
        return Err(Error::new(format!(
            "the record {record_id} of this call can't be read here: {why}"
        )));
    }
    found.records.into_iter().next().ok_or_else(|| {
        Error::new(format!("no call is known by `{name}`"))
            .hint("name its room, its dispatch (AD_…) or its record, as `lkroute dispatches` shows")
    })
}

/// What ending a call found and did.
pub struct Ended {
    pub record: Record,
    /// What was there, in a phrase.
    pub was_running: String,
    /// Whether there was anything to end.
    pub was_there: bool,
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
    let known = KnownServers::read(&mut store).await?;
    let client = client_of(&record, &known, ring, limits)?;
    let (was_there, was_running) = running(&client, &record).await;
    let dispatch = record.dispatch_id.as_deref();
    end_call(&client, &record.room, dispatch)
        .await
        .map_err(|failure| {
            Error::new(format!(
                "the call could not be ended: {}",
                failure.meaning()
            ))
            .hint(failure.cause.remedy())
        })?;
    if was_there {
        record.status = Status::Cancelled;
        record.finished_at = Some(context.now());
        record.detail.message = Some(format!("cancelled: {was_running}"));
        store.complete_call(&record).await?;
    } else if !record.is_settled() {
        settle_gone(&mut record);
        store.complete_call(&record).await?;
    }
    Ok(Ended {
        record,
        was_running,
        was_there,
    })
}

/// Whether anything of a call is there, and what, in a phrase.
async fn running(client: &Client, record: &Record) -> (bool, String) {
    let dispatched = Dispatched {
        room: &record.room,
        dispatch_id: record.dispatch_id.as_deref().unwrap_or_default(),
    };
    let look = look_at_call(client, &dispatched).await;
    let agent = match look {
        CallLook::There(_) => "an agent was there",
        CallLook::Listed => "no agent had taken it",
        CallLook::Gone => "room or dispatch were gone already",
        CallLook::NotKnown(_) => "what was running could not be seen",
    };
    match phone_in_room(client, &record.room).await {
        Ok(Some(phone)) => {
            let status = phone.call_status.map(|status| format!(" ({status})"));
            let phone = format!("{agent}, and a phone{}", status.unwrap_or_default());
            (true, phone)
        }
        Ok(None) => (look != CallLook::Gone, agent.to_owned()),
        Err(_) => (true, agent.to_owned()),
    }
}
