//! What is sent and kept for a call.

use serde_json::{Value, json};
use uuid::{Uuid, uuid};

use super::*;
use crate::error::Exit;
use crate::resolve::{Called, ConfigRef, Route, SecretState, Source};

const JOB: Uuid = uuid!("01234567-89ab-4def-8123-456789abcdef");
const RECORD: Uuid = uuid!("018f0000-0000-7000-8000-000000000001");
const IDS: Ids = Ids {
    record: RECORD,
    job: JOB,
    room: 0x00ab_cdef,
};

fn from() -> E164 {
    E164::parse("+919513456728").unwrap()
}

fn outcome() -> Outcome {
    let choice = |value: &str| Choice {
        value: Some(value.to_owned()),
        source: ChoiceSource::Config,
    };
    Outcome {
        tenant: None,
        row: None,
        provider: Some("TechieMaya FZE".to_owned()),
        route: Route {
            source: Source::Database,
            config: Some(ConfigRef {
                id: None,
                name: "india-techiemaya-cloud".to_owned(),
            }),
            region: None,
            url: Some("wss://livekit.india.example".to_owned()),
            api_key: Some("APImadeup".to_owned()),
            secret: Some(SecretState::NotChecked),
            trunk: choice("ST_MmVqEuBMDNf6"),
            worker: choice("voag-dev"),
            deployment: None,
            fallback: None,
        },
        to: Some(Called {
            input: "98765 43210".to_owned(),
            number: E164::parse("+919876543210").ok(),
            formatted: "09876543210".to_owned(),
            country: Some("IN"),
        }),
    }
}

fn request(options: &CallOptions, agent: Option<i64>) -> Request {
    Request::new(from(), &outcome(), options, agent, IDS).unwrap()
}

fn metadata(request: &Request) -> Value {
    serde_json::from_str(&request.metadata).unwrap()
}

#[test]
fn the_room_and_the_metadata_are_those_that_the_worker_reads() {
    let request = request(&CallOptions::default(), None);
    assert_eq!(
        request.room,
        "call-0123456789ab4def8123456789abcdef-00abcdef"
    );
    let expected = json!({
        "job_id": JOB, "call_log_id": RECORD, "phone_number": "09876543210",
        "to_number": "98765 43210", "from_number": "+919513456728", "sip_number": "+919513456728", "call_mode": "outbound",
        "outbound_trunk_id": "ST_MmVqEuBMDNf6", "agent_id": null, "voice_id": null,
        "deployment": null, "carrier_name": "TechieMaya FZE", "trunk_resolution": "database", "initiated_by": null,
        "added_context": null, "batch_id": null, "entry_id": null,
    });
    assert_eq!(metadata(&request), expected);
    let keys = expected.as_object().unwrap().keys();
    let free: Vec<_> = keys.filter(|key| !is_reserved(key)).collect();
    assert_eq!(free, ["batch_id", "entry_id"], "the caller's to know");
}

#[test]
fn what_the_caller_says_is_in_the_metadata() {
    let log = uuid!("00000000-0000-4000-8000-00000000000a");
    let options = CallOptions {
        agent_id: Some(33),
        voice_id: Some("nova".to_owned()),
        context: Some("ünïcode \"quoted\"".to_owned()),
        initiated_by: Some(log),
        call_log_id: Some(log),
        extra: read_extra(r#"{"campaign": "diwali", "batch_id": "b"}"#).unwrap(),
        worker: None,
    };
    let sent = metadata(&request(&options, Some(1)));
    assert_eq!(sent["agent_id"], 33);
    assert_eq!(sent["call_log_id"], log.to_string());
    assert_eq!(sent["added_context"], "ünïcode \"quoted\"");
    assert_eq!(sent["campaign"], "diwali");
    assert_eq!(
        (&sent["batch_id"], &sent["entry_id"]),
        (&json!("b"), &Value::Null)
    );
    assert_eq!(
        metadata(&request(&CallOptions::default(), Some(1)))["agent_id"],
        1,
        "the number's own agent where none is named"
    );
}

#[test]
fn a_trunk_of_the_environment_is_said_to_be_one() {
    let mut outcome = outcome();
    outcome.route.trunk.source = ChoiceSource::Environment;
    let request = Request::new(from(), &outcome, &CallOptions::default(), None, IDS).unwrap();
    assert_eq!(metadata(&request)["trunk_resolution"], "environment");
    outcome.route.trunk.value = None;
    assert!(Request::new(from(), &outcome, &CallOptions::default(), None, IDS).is_err());
}

#[test]
fn a_record_says_what_was_asked_before_anything_happened() {
    let record = request(&CallOptions::default(), None).record(
        "2026-01-01T00:00:00Z".to_owned(),
        "asha".to_owned(),
        Some("k".to_owned()),
    );
    assert_eq!(record.status, Status::InQueue);
    assert_eq!(record.status.exit(), Exit::Unknown, "nothing is known yet");
    assert_eq!((record.id, record.to.as_str()), (RECORD, "+919876543210"));
    assert_eq!(record.detail.call_log_id, RECORD.to_string());
    let kept = serde_json::to_string(&record.detail).unwrap();
    assert_eq!(
        serde_json::from_str::<Detail>(&kept).unwrap(),
        record.detail
    );
    assert!(!record.is_mismatch());
    let seen = |name: &str| Record {
        worker_seen: Some(name.to_owned()),
        ..record.clone()
    };
    assert!(!seen("voag-dev").is_mismatch() && seen("voag-dev-v2").is_mismatch());
}

#[test]
fn a_key_that_belongs_to_another_call_is_an_error() {
    let first = request(&CallOptions::default(), None).record(
        String::new(),
        String::new(),
        Some("k".to_owned()),
    );
    for to in ["98765 43210", "+919876543210", "+91 98765-43210"] {
        assert!(clash(&first, from(), to, None).is_ok(), "{to}");
    }
    let other = E164::parse("+971545335200").unwrap();
    assert!(clash(&first, other, "98765 43210", None).is_err());
    let error = clash(&first, from(), "+919876543211", None).unwrap_err();
    assert!(error.message.contains("+919876543210"), "{error}");
}

#[test]
fn metadata_is_a_key_and_a_text_or_json_with_types() {
    let typed = read_extra(r#"{"tries": 3, "vip": true, "note": "a=b"}"#).unwrap();
    assert_eq!(
        json!(typed),
        json!({"tries": 3, "vip": true, "note": "a=b"})
    );
    assert_eq!(
        json!(read_extra("campaign=a=b").unwrap()),
        json!({"campaign": "a=b"})
    );
    // A number arrives as it was written.
    let written = r#"{"card": 12345678901234567890123, "amount": 1887867540118.3975}"#;
    let kept = read_extra(written).unwrap();
    assert_eq!(kept["card"].get(), "12345678901234567890123");
    assert_eq!(kept["amount"].get(), "1887867540118.3975");
    for (text, said) in [
        (r#"{"a=b""#, "no JSON object"),
        (r#"{"a": "\ud800"}"#, "no JSON object"),
        (r#"{"a": 1e999}"#, "no JSON object"),
        ("campaign", "KEY=VALUE"),
        ("=x", "KEY=VALUE"),
        ("job_id=1", "sets `job_id` itself"),
        (r#"{"sip_number": 1}"#, "sets `sip_number` itself"),
    ] {
        let error = read_extra(text).unwrap_err();
        assert!(error.contains(said), "{text}: {error}");
    }
}

#[test]
fn a_worker_that_is_named_for_one_call_is_recorded_as_such() {
    let options = CallOptions {
        worker: Some("voag-dev-v2".to_owned()),
        ..CallOptions::default()
    };
    let request = request(&options, None);
    let record = request.record(String::new(), String::new(), None);
    assert_eq!(record.worker, "voag-dev-v2");
    assert!(record.detail.worker_given);
}
