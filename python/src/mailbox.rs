//! A server and a database that are Python's: what the flow of a call asks of
//! them is put into a mailbox, and the flow rests until the answer is there.
//! Requests are LiveKit's messages in protobuf's JSON form.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use lkroute::dispatch::{
    ApiResource, Call, CallBook, CallServer, Cause, Failure, HttpReply, JobSeen, JobStatus, Limits,
    ListedDispatch, NewRoom, Participant, ParticipantKind, Record, RequestError, SideEffect,
    SipCall, SipPlaced, one_line,
};
use lkroute::error::{Error, Result};
use lkroute::lookup::{CallStatements, HERE, read_record, record_values};
use serde_json::{Value, json};

/// What a flow asks for, and what it was answered.
#[derive(Default)]
pub struct Mailbox(Mutex<Mail>);

#[derive(Default)]
struct Mail {
    wanted: Option<Value>,
    answer: Option<Value>,
    elapsed: Duration,
    now: String,
    stopped: bool,
}

impl Mailbox {
    fn mail(&self) -> MutexGuard<'_, Mail> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Before each step of the flow: the answer to what was asked last, and
    /// the time.
    pub fn put(&self, answer: Option<Value>, elapsed: Duration, now: String) {
        let mut mail = self.mail();
        mail.answer = answer;
        (mail.elapsed, mail.now) = (elapsed, now);
    }

    /// What is asked for now.
    pub fn take_wanted(&self) -> Option<Value> {
        self.mail().wanted.take()
    }

    pub fn stop(&self) {
        self.mail().stopped = true;
    }

    /// Ready once it was stopped.
    pub fn stopped(&self) -> impl Future<Output = ()> + Send {
        std::future::poll_fn(|_| {
            if self.mail().stopped {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
    }

    fn exchange(&self, wanted: Value) -> Exchange<'_> {
        Exchange {
            mailbox: self,
            wanted: Some(wanted),
        }
    }
}

struct Exchange<'a> {
    mailbox: &'a Mailbox,
    wanted: Option<Value>,
}

impl Future for Exchange<'_> {
    type Output = Value;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Value> {
        let mut mail = self.mailbox.mail();
        match self.wanted.take() {
            Some(wanted) => {
                (mail.wanted, mail.answer) = (Some(wanted), None);
                Poll::Pending
            }
            None => mail.answer.take().map_or(Poll::Pending, Poll::Ready),
        }
    }
}

/// A LiveKit server that Python sends to.
pub struct PythonServer {
    pub mailbox: Arc<Mailbox>,
    pub limits: Limits,
    /// That of the fallback.
    pub is_second: bool,
}

/// Who a request is for, and what its token permits.
struct Method {
    asked: ApiResource,
    name: &'static str,
    video: Value,
    sip: Value,
}

impl Method {
    fn of_room(name: &'static str, room: &str) -> Method {
        Method {
            asked: ApiResource::Dispatches,
            name,
            video: json!({"roomAdmin": true, "room": room}),
            sip: json!({}),
        }
    }

    fn of_sip(name: &'static str, permission: &str) -> Method {
        Method {
            asked: ApiResource::Sip,
            name,
            video: json!({}),
            sip: json!({permission: true}),
        }
    }
}

impl PythonServer {
    async fn post(
        &self,
        method: Method,
        message: Value,
        limit: Duration,
    ) -> Result<Value, RequestError> {
        if limit.is_zero() {
            return Err(RequestError::not_sent(Cause::Timeout.into()));
        }
        let mut answer = self
            .mailbox
            .exchange(json!({
                "do": "post",
                "second": self.is_second,
                "method": method.name,
                "video": method.video,
                "sip": method.sip,
                "message": message,
                "limit": limit.as_secs_f64(),
            }))
            .await;
        match answer.get_mut("message").map(Value::take) {
            Some(message) => Ok(message),
            None => Err(request_error(method.asked, &answer)),
        }
    }
}

/// Why there is no message.
fn request_error(asked: ApiResource, answer: &Value) -> RequestError {
    let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    if let Some(reply) = answer.get("reply") {
        let reply_text = |name| text(reply, name);
        return HttpReply {
            status: reply["status"].as_u64().unwrap_or_default() as u16,
            reason: &reply_text("reason"),
            content_type: &reply_text("content_type"),
            location: &reply_text("location"),
            body: reply_text("body").as_bytes(),
        }
        .request_error(asked);
    }
    let cause = Cause::of_code(&text(answer, "cause")).unwrap_or(Cause::ConnectionLost);
    let side_effect = match answer["sent"].as_bool() {
        Some(false) => SideEffect::NotSent,
        _ => SideEffect::Unclear,
    };
    RequestError::new(Failure::new(cause, &text(answer, "detail")), side_effect)
}

impl CallServer for PythonServer {
    fn limits(&self) -> Limits {
        self.limits
    }

    fn elapsed(&self) -> Duration {
        self.mailbox.mail().elapsed
    }

    async fn pause(&self, time: Duration) {
        let pause = json!({"do": "pause", "seconds": time.as_secs_f64()});
        self.mailbox.exchange(pause).await;
    }

    async fn list_trunks(
        &self,
        limit: Duration,
    ) -> Result<Vec<(String, Vec<String>)>, RequestError> {
        let method = Method::of_sip("SIP/ListSIPOutboundTrunk", "admin");
        let listed = self.post(method, json!({}), limit).await?;
        let trunk = |item: &Value| {
            let numbers = list(&item["numbers"]).filter_map(Value::as_str);
            let numbers = numbers.map(str::to_owned).collect();
            (text(&item["sip_trunk_id"]), numbers)
        };
        Ok(list(&listed["items"]).map(trunk).collect())
    }

    async fn create_room(
        &self,
        room: &NewRoom<'_>,
        limit: Duration,
    ) -> Result<String, RequestError> {
        let method = Method {
            asked: ApiResource::Rooms,
            name: "RoomService/CreateRoom",
            video: json!({"roomCreate": true}),
            sip: json!({}),
        };
        let message = json!({
            "name": room.name,
            "empty_timeout": room.empty_timeout.unwrap_or_default(),
        });
        let made = self.post(method, message, limit).await?;
        Ok(text(&made["name"]))
    }

    async fn create_dispatch(
        &self,
        call: &Call<'_>,
        limit: Duration,
    ) -> Result<String, RequestError> {
        let method = Method::of_room("AgentDispatchService/CreateDispatch", call.room);
        let mut message = json!({
            "agent_name": call.agent_name,
            "room": call.room,
            "metadata": call.metadata,
        });
        if let Some(deployment) = call.deployment {
            message["deployment"] = deployment.into();
        }
        let made = self.post(method, message, limit).await?;
        Ok(text(&made["id"]))
    }

    async fn list_dispatches(
        &self,
        room: &str,
        limit: Duration,
    ) -> Result<Vec<ListedDispatch>, RequestError> {
        let method = Method::of_room("AgentDispatchService/ListDispatch", room);
        let listed = self.post(method, json!({"room": room}), limit).await?;
        let dispatch = |item: &Value| ListedDispatch {
            id: text(&item["id"]),
            agent_name: text(&item["agent_name"]),
            metadata: text(&item["metadata"]),
            job: list(&item["state"]["jobs"]).next().map(job),
        };
        Ok(list(&listed["agent_dispatches"]).map(dispatch).collect())
    }

    async fn list_participants(
        &self,
        room: &str,
        limit: Duration,
    ) -> Result<Vec<Participant>, RequestError> {
        let method = Method::of_room("RoomService/ListParticipants", room);
        let listed = self.post(method, json!({"room": room}), limit).await?;
        let present =
            list(&listed["participants"]).filter(|there| there["state"] != "DISCONNECTED");
        Ok(present.map(participant).collect())
    }

    async fn dial(&self, call: &SipCall<'_>, limit: Duration) -> Result<SipPlaced, RequestError> {
        let headers = call.headers.iter();
        let headers = headers.map(|(name, value)| (name.clone(), Value::from(value.clone())));
        let mut message = json!({
            "sip_trunk_id": call.trunk_id,
            "sip_call_to": call.to,
            "sip_number": call.from.unwrap_or_default(),
            "room_name": call.room,
            "participant_identity": call.identity,
            "headers": Value::Object(headers.collect()),
            "wait_until_answered": call.wait_for_answer.is_some(),
        });
        if let Some(name) = call.display_name {
            message["display_name"] = name.into();
        }
        if let Some(ring) = call.wait_for_answer {
            message["ringing_timeout"] = format!("{}s", ring.as_secs_f64()).into();
        }
        let method = Method::of_sip("SIP/CreateSIPParticipant", "call");
        let made = self.post(method, message, limit).await?;
        Ok(SipPlaced {
            sip_call_id: text(&made["sip_call_id"]),
            participant_id: text(&made["participant_id"]),
            participant_identity: text(&made["participant_identity"]),
        })
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn job(job: &Value) -> JobSeen {
    let state = &job["state"];
    JobSeen {
        job_id: text(&job["id"]),
        agent_name: text(&job["agent_name"]),
        worker_id: text(&state["worker_id"]),
        participant_identity: text(&state["participant_identity"]),
        status: match state["status"].as_str() {
            Some("JS_RUNNING") => JobStatus::Running,
            Some("JS_SUCCESS") => JobStatus::Success,
            Some("JS_FAILED") => JobStatus::Failed,
            _ => JobStatus::Pending,
        },
        error: one_line(&text(&state["error"])),
    }
}

fn participant(there: &Value) -> Participant {
    let attribute = |name: &str| there["attributes"][name].as_str().map(str::to_owned);
    Participant {
        identity: text(&there["identity"]),
        kind: match there["kind"].as_str() {
            Some("AGENT") => ParticipantKind::Agent,
            Some("SIP") => ParticipantKind::Phone,
            _ => ParticipantKind::Other,
        },
        call_status: attribute("sip.callStatus"),
        call_id: attribute("sip.callID"),
    }
}

/// The table of records, in a database that Python has.
pub struct PythonBook {
    pub mailbox: Arc<Mailbox>,
    pub statements: CallStatements,
}

impl PythonBook {
    async fn execute(&self, statement: &str, value: &str) -> Result<Option<String>> {
        let answer = self
            .mailbox
            .exchange(
                json!({"do": "execute", "statement": format!("{HERE}{statement}"), "value": value}),
            )
            .await;
        match answer["error"].as_str() {
            Some(message) => Err(Error {
                code: Some(match answer["code"].as_str() {
                    Some("usage") => "usage",
                    _ => "record-failed",
                }),
                ..Error::new(message)
            }),
            None => Ok(answer["text"].as_str().map(str::to_owned)),
        }
    }

    async fn write(&self, statement: String, record: &Record) -> Result<Option<String>> {
        let values = record_values(record).map_err(|error| Error::new(error.to_string()))?;
        self.execute(&statement, &values).await
    }
}

impl CallBook for PythonBook {
    fn now(&self) -> String {
        self.mailbox.mail().now.clone()
    }

    async fn insert(&mut self, record: &Record) -> Result<bool> {
        let written = self.write(self.statements.insert(), record).await;
        Ok(written?.is_some())
    }

    async fn of_key(&mut self, key: &str) -> Result<Option<Record>> {
        let found = self.execute(&self.statements.of_key(), key).await?;
        found.as_deref().map(read_call).transpose()
    }

    /// Tried again, as it does no harm: a pool outlives a restart of its server.
    async fn complete(&mut self, record: &Record) -> Result<bool> {
        let mut pauses = [0.25, 1.0, 3.0].into_iter();
        loop {
            match (
                self.write(self.statements.complete(), record).await,
                pauses.next(),
            ) {
                (Ok(Some(status)), _) => return Ok(status == record.status.as_str()),
                (Ok(None), _) => return Err(Error::new("the record of a call is gone")),
                (Err(error), None) => return Err(error),
                (Err(_), Some(seconds)) => {
                    let pause = json!({"do": "pause", "seconds": seconds});
                    self.mailbox.exchange(pause).await;
                }
            }
        }
    }
}

/// A record, as a statement gave it.
pub fn read_call(text: &str) -> Result<Record> {
    read_record(text).map_err(|error| Error {
        code: Some("record-failed"),
        ..Error::new(format!("the record of a call can't be read: {error}"))
    })
}
