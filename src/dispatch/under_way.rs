//! One call from its record to its end: the requests in their order, what is
//! noted of each, and the one step to the fallback of its config. Core: server
//! and database are whatever the caller has.
//!
//! At any time the record says what is known. A call that is stopped is told by
//! what had been sent.

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use super::agent::{AgentSeen, Dispatched, wait_for_agent, wait_for_participant};
use super::book::{CallBook, begin_record};
use super::call_failure::{CallFailure, TRUNK_LACKS_NUMBER};
use super::cause::{Cause, Failure};
use super::dial::create_sip_participant;
use super::options::{PlacingOptions, SipRequest};
use super::place::{CallOutcome, dispatch_into_room, make_room};
use super::record::{Record, Status};
use super::request::Request;
use super::server::{Call, CallServer, SipCall, find_trunk, lists_number};
use crate::error::{Error, Result};
use crate::resolve::host_of;

/// How long an agent that took a job may take to be in the room. One that
/// raises or dies never is.
const JOINS_WITHIN: Duration = Duration::from_secs(5);

/// What became of a call.
pub struct PlacedCall {
    /// What was sent: that of the fallback, where the call went by it.
    pub request: Request,
    pub record: Record,
    /// Why there is no call, or none that is sure.
    pub error: Option<Error>,
    pub warnings: Vec<String>,
}

/// What placing a call gave.
pub enum Placed {
    New(Box<PlacedCall>),
    /// The idempotency key has a record already: nothing was sent.
    Taken(Box<Record>),
}

/// The server to which a call may go where nothing of it can have begun at the
/// first: the fallback's name, and what makes its request and its server of
/// the first request.
pub struct NextServer<F> {
    pub name: String,
    pub prepare: F,
}

/// Records a call, places it at most once, and records what became of it.
/// `stop` ends the wait for it; what is written then is written even so.
///
/// # Errors
/// The record can't be written: nothing was sent.
pub async fn place_once<S, B, F>(
    server: &S,
    book: &mut B,
    options: &PlacingOptions,
    (request, record): (Request, Record),
    next: Option<NextServer<F>>,
    stop: impl Future<Output = ()>,
) -> Result<Placed>
where
    S: CallServer,
    B: CallBook,
    F: FnOnce(&Request) -> Result<(Request, S)>,
{
    if let Some(first) = begin_record(book, &record).await? {
        return Ok(Placed::Taken(Box::new(first)));
    }
    let mut call = CallUnderWay {
        book,
        options,
        request,
        record,
        warnings: Vec::new(),
        create_sent: false,
    };
    let ended = unless_stopped(call.by_either(server, next), stop).await;
    let ended = ended.unwrap_or_else(|| Err(call.interrupted()));
    Ok(Placed::New(Box::new(call.finish(ended).await)))
}

/// Nothing where it was stopped first.
async fn unless_stopped<T>(
    work: impl Future<Output = T>,
    stop: impl Future<Output = ()>,
) -> Option<T> {
    let (mut work, mut stop) = (pin!(work), pin!(stop));
    std::future::poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => stop.as_mut().poll(context).map(|()| None),
    })
    .await
}

/// One call that is being placed.
struct CallUnderWay<'a, B> {
    book: &'a mut B,
    options: &'a PlacingOptions,
    request: Request,
    record: Record,
    warnings: Vec<String>,
    /// The one create may have been sent.
    create_sent: bool,
}

impl<B: CallBook> CallUnderWay<'_, B> {
    async fn by_either<S: CallServer, F>(
        &mut self,
        server: &S,
        next: Option<NextServer<F>>,
    ) -> Result<(), CallFailure>
    where
        F: FnOnce(&Request) -> Result<(Request, S)>,
    {
        match (self.all_steps(server).await, next) {
            (Err(CallFailure::NotBegun(failure)), Some(next)) => {
                self.by_fallback(failure, next).await
            }
            (ended, _) => ended,
        }
    }

    /// Places the call by the fallback, or says why not. `first` is why nothing
    /// was created before.
    async fn by_fallback<S: CallServer, F>(
        &mut self,
        first: Failure,
        next: NextServer<F>,
    ) -> Result<(), CallFailure>
    where
        F: FnOnce(&Request) -> Result<(Request, S)>,
    {
        let name = next.name;
        let not_used = |first, why: &str| {
            let second = format!("its fallback {name} took none: {why}");
            Err(CallFailure::NorByFallback(first, second))
        };
        let (request, server) = match (next.prepare)(&self.request) {
            Ok(ready) => ready,
            Err(error) => return not_used(first, &error.message),
        };
        let (cause, because) = (first.cause.code(), first.meaning());
        request.note_fallback(because.clone(), &mut self.record);
        // Should lkroute be killed from here on, the record says where to look.
        match self.book.complete(&self.record).await {
            Ok(true) => {}
            Ok(false) => return not_used(first, "the call was cancelled"),
            Err(error) => return not_used(first, &error.message),
        }
        self.warnings.push(format!(
            "no call by {}: {because}; it goes by the fallback {name}",
            host_of(&self.request.url)
        ));
        self.request = request;
        let why = match self.all_steps(&server).await {
            Err(CallFailure::Failed(second) | CallFailure::NotBegun(second)) => second.meaning(),
            Err(CallFailure::TrunkLacksNumber) => {
                let (trunk, from) = (&self.request.trunk, self.request.from);
                format!("trunk {trunk} there does not list {from}")
            }
            ended => return ended,
        };
        self.record.detail.cause = Some(cause.to_owned());
        not_used(first, &why)
    }

    async fn all_steps<S: CallServer>(&mut self, server: &S) -> Result<(), CallFailure> {
        let not_looked_at = self.look_at_trunk(server).await?;
        self.dispatch_agent(server).await?;
        self.warnings.extend(not_looked_at);
        if let Some(wait) = self.options.wait() {
            self.note_accepted().await;
            self.agent_took_it(server, wait).await?;
        }
        match &self.options.sip {
            Some(sip) => self.dial_person(server, sip).await,
            None => Ok(()),
        }
    }

    /// Notes that the server has the dispatch, before the wait for what becomes
    /// of it: should lkroute be killed meanwhile, the record says where to look.
    async fn note_accepted(&mut self) {
        if let Err(error) = self.book.complete(&self.record).await {
            self.warnings.push(format!(
                "that the call was accepted could not be recorded: {error}"
            ));
        }
    }

    /// A trunk that is not there, or that does not list the calling number,
    /// stops the call: the server would take another number of the trunk, or
    /// go out by the wrong carrier. What could not be looked at does not.
    async fn look_at_trunk<S: CallServer>(
        &mut self,
        server: &S,
    ) -> Result<Option<String>, CallFailure> {
        let trunk = &self.request.trunk;
        match find_trunk(server, trunk).await {
            Ok(numbers) if lists_number(&numbers, &self.request.from.to_string()) => Ok(None),
            // The exception holds for the config's own trunk, never for that of its fallback.
            Ok(_) if self.options.allow_unlisted_number && self.request.fallback.is_none() => {
                self.record.detail.allowed = Some(TRUNK_LACKS_NUMBER.to_owned());
                Ok(Some(format!(
                    "trunk {trunk} does not list {}; the call was let through by --allow \
                     {TRUNK_LACKS_NUMBER}",
                    self.request.from
                )))
            }
            Ok(_) => {
                self.record.detail.cause = Some(TRUNK_LACKS_NUMBER.to_owned());
                Err(CallFailure::TrunkLacksNumber)
            }
            Err(failure) if failure.cause == Cause::TrunkMissing => {
                Err(CallFailure::not_begun(&mut self.record, failure))
            }
            // A fallback is used only where its trunk was seen to list the number.
            Err(failure) if self.request.fallback.is_some() => {
                Err(CallFailure::failed(&mut self.record, failure))
            }
            Err(failure) => Ok(Some(format!(
                "whether trunk {trunk} is there and lists {} was not seen: {}",
                self.request.from,
                failure.meaning()
            ))),
        }
    }

    async fn dispatch_agent<S: CallServer>(&mut self, server: &S) -> Result<(), CallFailure> {
        let job_id = self.request.ids.job.to_string();
        let call = Call {
            room: &self.request.room,
            agent_name: &self.request.worker,
            deployment: self.request.deployment.as_deref(),
            metadata: &self.request.metadata,
            job_id: &job_id,
        };
        let outcome = match make_room(server, &call).await {
            Ok(until) => {
                self.create_sent = true;
                dispatch_into_room(server, &call, until).await
            }
            Err(outcome) => outcome,
        };
        match outcome {
            CallOutcome::Dispatched {
                dispatch_id,
                adopted,
            } => {
                self.record.dispatch_id = Some(dispatch_id);
                self.record.detail.adopted = adopted;
                self.record.status = Status::Accepted;
                Ok(())
            }
            CallOutcome::Failed(failure) => Err(CallFailure::failed(&mut self.record, failure)),
            CallOutcome::NotBegun(failure) => {
                Err(CallFailure::not_begun(&mut self.record, failure))
            }
            CallOutcome::Unknown { failure, .. } => {
                self.record.detail.cause = Some(failure.cause.code().to_owned());
                Err(CallFailure::Unknown(failure))
            }
        }
    }

    async fn agent_took_it<S: CallServer>(
        &mut self,
        server: &S,
        wait: Duration,
    ) -> Result<(), CallFailure> {
        let dispatched = Dispatched {
            room: &self.request.room,
            dispatch_id: self.record.dispatch_id.as_deref().unwrap_or_default(),
        };
        let seen = match wait_for_agent(server, &dispatched, wait).await {
            AgentSeen::There(seen) => seen,
            AgentSeen::NoOne => return Err(CallFailure::NoAgent(wait)),
            AgentSeen::TooShort => return Err(CallFailure::TooShort(wait)),
            AgentSeen::Gone => {
                self.record.detail.cause = Some("gone".to_owned());
                return Err(CallFailure::Gone);
            }
            AgentSeen::NotKnown(failure) => {
                self.record.detail.cause = Some(failure.cause.code().to_owned());
                return Err(CallFailure::NotSeen(failure));
            }
        };
        self.record.note_agent(seen);
        if self.record.detail.in_room.is_none() {
            let joined = wait_for_participant(server, &self.request.room, JOINS_WITHIN).await;
            self.record.detail.in_room = joined.unwrap_or_default();
        }
        match (&self.record.detail.in_room, &self.options.sip) {
            (Some(_), _) => Ok(()),
            (None, Some(_)) => Err(CallFailure::NotInRoom),
            (None, None) => {
                self.warnings.push(format!(
                    "an agent took the job, and was not seen in the room within {} s: the call \
                     was short, or the agent failed (its log tells)",
                    JOINS_WITHIN.as_secs()
                ));
                Ok(())
            }
        }
    }

    async fn dial_person<S: CallServer>(
        &mut self,
        server: &S,
        sip: &SipRequest,
    ) -> Result<(), CallFailure> {
        let from = self.request.from.to_string();
        let call = SipCall {
            trunk_id: &self.request.trunk,
            to: &self.request.formatted,
            from: Some(&from),
            room: &self.request.room,
            identity: "callee",
            headers: &sip.headers,
            display_name: sip.display_name.as_deref(),
            wait_for_answer: Some(sip.ring),
        };
        self.record.detail.dialled_at = Some(self.book.now());
        let began = server.elapsed();
        let dialled = create_sip_participant(server, &call).await;
        self.record.detail.dial_ended_at = Some(self.book.now());
        match dialled {
            Ok(placed) => {
                let after = u64::try_from((server.elapsed() - began).as_millis()).ok();
                self.record.status = Status::Answered;
                self.record.detail.answered_after = after;
                self.record.detail.sip_call_id = Some(placed.sip_call_id);
                Ok(())
            }
            Err(refused) => {
                self.record.detail.sip_status = refused.sip_status;
                self.record.detail.cause = Some(refused.failure.cause.code().to_owned());
                Err(if refused.unclear {
                    CallFailure::DialUnknown(refused.failure)
                } else {
                    CallFailure::NotReached(refused.failure)
                })
            }
        }
    }

    fn interrupted(&self) -> CallFailure {
        if self.create_sent {
            CallFailure::Interrupted {
                to_dial: self.options.sip.is_some(),
            }
        } else {
            CallFailure::NotSent
        }
    }

    /// Completes the record. A call that failed gives its key back: there is no
    /// call, and it may be tried again.
    async fn finish(mut self, ended: Result<(), CallFailure>) -> PlacedCall {
        let mut error = ended.err().and_then(|failure| {
            let (status, error) = failure.status_and_error(&self.request, &self.record)?;
            self.record.status = status;
            self.record.detail.message = Some(error.message.clone());
            Some(error)
        });
        self.record.finished_at = Some(self.book.now());
        let key = self.record.idempotency_key.clone();
        if self.record.status == Status::Failed {
            self.record.idempotency_key = None;
        }
        match self.book.complete(&self.record).await {
            Ok(true) => {}
            Ok(false) => {
                let message = "the call was cancelled meanwhile";
                self.record.status = Status::Cancelled;
                self.record.detail.message = Some(message.to_owned());
                error = Some(Error::new(message));
            }
            Err(error) => self.warnings.push(format!(
                "the record of this call could not be completed: {error}"
            )),
        }
        self.record.idempotency_key = key;
        PlacedCall {
            request: self.request,
            record: self.record,
            error,
            warnings: self.warnings,
        }
    }
}
