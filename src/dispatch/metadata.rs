//! The JSON that a worker reads. Core.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;

use super::request::{CallOptions, Extra, Request};
use crate::error::{Error, Result};
use crate::resolve::ChoiceSource;

/// What the worker expects; absent ones are null.
#[derive(Debug, Serialize)]
pub(super) struct Metadata<'a> {
    job_id: Uuid,
    call_log_id: Uuid,
    /// As the carrier wants it.
    phone_number: &'a str,
    /// As given.
    to_number: &'a str,
    from_number: String,
    /// The number to show, so that a worker which dials need not guess: a trunk
    /// without it shows one of its own at random.
    sip_number: String,
    call_mode: &'static str,
    outbound_trunk_id: &'a str,
    /// So that a worker which dispatches again stays in its deployment.
    deployment: Option<&'a str>,
    agent_id: Option<i64>,
    voice_id: Option<&'a str>,
    carrier_name: Option<&'a str>,
    trunk_resolution: &'static str,
    initiated_by: Option<Uuid>,
    added_context: Option<&'a str>,
    #[serde(flatten)]
    extra: BTreeMap<&'a str, &'a RawValue>,
}

/// Keys that the worker expects, and that only the caller can know.
const FOR_THE_CALLER: [&str; 2] = ["batch_id", "entry_id"];

const RESERVED: [&str; 15] = [
    "job_id",
    "call_log_id",
    "phone_number",
    "to_number",
    "from_number",
    "sip_number",
    "call_mode",
    "outbound_trunk_id",
    "deployment",
    "agent_id",
    "voice_id",
    "carrier_name",
    "trunk_resolution",
    "initiated_by",
    "added_context",
];

/// Whether lkroute sets this key itself.
pub fn is_reserved(key: &str) -> bool {
    RESERVED.contains(&key)
}

impl<'a> Metadata<'a> {
    pub(super) fn new(request: &'a Request, options: &'a CallOptions) -> Metadata<'a> {
        Metadata {
            job_id: request.ids.job,
            call_log_id: request.call_log_id,
            phone_number: &request.formatted,
            to_number: &request.to_input,
            from_number: request.from.to_string(),
            sip_number: request.from.to_string(),
            call_mode: "outbound",
            outbound_trunk_id: &request.trunk,
            deployment: request.deployment.as_deref(),
            agent_id: request.agent,
            voice_id: options.voice_id.as_deref(),
            carrier_name: request.provider.as_deref(),
            trunk_resolution: match request.trunk_source {
                ChoiceSource::Config | ChoiceSource::Rules => "database",
                ChoiceSource::Environment | ChoiceSource::Default => "environment",
            },
            initiated_by: options.initiated_by,
            added_context: options.context.as_deref(),
            extra: extra(&options.extra),
        }
    }

    pub(super) fn text(&self) -> Result<String> {
        serde_json::to_string(self)
            .map_err(|error| Error::new(format!("can't write the metadata: {error}")))
    }
}

fn extra(given: &Extra) -> BTreeMap<&str, &RawValue> {
    let absent = FOR_THE_CALLER.map(|key| (key, RawValue::NULL)).into_iter();
    let given = given.iter().map(|(key, value)| (key.as_str(), &**value));
    absent.chain(given).collect()
}

/// Reads what a caller adds: `key=text`, or a JSON object with values of any
/// type.
///
/// # Errors
/// Neither of both, or a key that lkroute sets itself.
pub fn read_extra(text: &str) -> Result<Extra, String> {
    let given: Extra = if text.trim_start().starts_with('{') {
        let wrong = |error| format!("no JSON object: {error}; write {{\"key\": value}}");
        // What is no text or no number of JSON is refused; what is one goes on as it is.
        serde_json::from_str::<BTreeMap<String, Value>>(text).map_err(wrong)?;
        serde_json::from_str(text).map_err(wrong)?
    } else {
        match text.split_once('=') {
            None | Some(("", _)) => {
                return Err("write it as KEY=VALUE, or as a JSON object".to_owned());
            }
            Some((key, value)) => {
                let value = to_raw_value(value).map_err(|error| error.to_string())?;
                Extra::from([(key.to_owned(), value)])
            }
        }
    };
    match given.keys().find(|key| is_reserved(key)) {
        Some(key) => Err(format!(
            "lkroute sets `{key}` itself; give yours another name"
        )),
        None => Ok(given),
    }
}
