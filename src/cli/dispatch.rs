//! `lkroute dispatch`: one call. Imports `app` and `render`.

use std::time::Duration;

use clap::{Args, ValueEnum};
use uuid::Uuid;

use super::Stop;
use super::globals::{CallFormatted, ReportFormat};
use super::keys::KeyArgs;
use super::names::{NamedNumber, named_number, nfc_name};
use super::shell::Shell;
use super::signals::asked_to_stop;
use crate::app::database::block_on;
use crate::app::dispatch::{
    CallRequest, CallResult, JOB_LISTED_WITHIN, LONGEST_RING, Limits, PlacingOptions, SipRequest,
    dispatch_call, rehearse_call,
};
use crate::app::dispatches::calls_in_doubt;
use crate::app::keys::KeyRing;
use crate::app::lookup::ResolveRequest;
use crate::app::process_variable;
use crate::dispatch::{CallOptions, Extra, read_extra, read_key};
use crate::error::{Error, Exit, Result};
use crate::explain;
use crate::render::call_reports::{CallView, DispatchReport};
use crate::render::calls;
use crate::render::json;
use crate::resolve::Source;

const EXAMPLES: &str = "\
Examples:
  lkroute dispatch --from +971545335200 --to +971501234567 --dry-run
  lkroute dispatch --from +971545335200 --to 0501234567 --wait-for-agent 10s
  lkroute dispatch --from +919513456728 --to 9876543210 \\
    --tenant techiemaya-test --agent-id 33 --idempotency-key order-4711 \\
    --context 'Renewal, asked for a callback'

A call is recorded before anything is sent, and sent once. Exit 8: whether an
agent was there can't be known; `lkroute dispatches --refresh ROOM` looks again,
and calling again may call a person twice. Exit 10: the server accepted it, and
was seen to have no agent for it. An id alone is no proof that one comes.

Where nothing of the call can have been created at the server of its config, it
goes by the config's fallback, one step and once; the report names it.

--initiated-by is for calls that a person asked for: the tenant is that of the
user, and the worker is told. Where a machine asks, say --tenant.

A worker takes the calls that go to its name. Name stage and version, as in
voag-staging or voag-dev-v2: a new version starts beside the old one, and gets
the calls of a config once its worker_name says so.

An error names its cause, such as
  nothing accepts connections at that host and port
  the server knows the key, but the secret is wrong
  the server has no such SIP trunk
  no worker called `voag-staging` is running there, or none is free
docs/calls.md has the whole of it.";

/// Place a call through the server that the number is routed to
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct DispatchArgs {
    /// The calling number, in E.164 form, or the address of its binding
    #[arg(long, value_name = "NUMBER", value_parser = named_number)]
    #[arg(allow_hyphen_values = true)]
    from: NamedNumber,

    /// The number to call; a bare national one where the rules name a country
    #[arg(long, value_name = "NUMBER")]
    to: String,

    /// Whose number it is: alias or uuid; needed where several tenants have it
    #[arg(long, value_name = "TENANT", value_parser = nfc_name, conflicts_with = "initiated_by")]
    tenant: Option<String>,

    /// The user who asks for the call: the tenant is that of the user
    #[arg(long, value_name = "USER")]
    initiated_by: Option<Uuid>,

    /// The agent to run; the number's default agent where left out
    #[arg(long, value_name = "N")]
    agent_id: Option<i64>,

    /// The voice of the agent
    #[arg(long, value_name = "ID")]
    voice_id: Option<String>,

    /// What the agent should know of this call
    #[arg(long, value_name = "TEXT")]
    context: Option<String>,

    /// More of the metadata: a key and a text, or a JSON object with values of
    /// any type; may be repeated
    #[arg(long, value_name = "KEY=VALUE|JSON", value_parser = read_extra)]
    metadata: Vec<Extra>,

    /// The worker of this one call, in place of the config's; recorded as such
    #[arg(long, value_name = "NAME", value_parser = nfc_name)]
    worker: Option<String>,

    /// A row of the call log that the application made for this call
    #[arg(long, value_name = "UUID")]
    call_log_id: Option<Uuid>,

    /// One call for each key: a repeat returns the first outcome
    #[arg(long, value_name = "KEY", value_parser = read_key)]
    idempotency_key: Option<String>,

    /// Don't ask before a call that may call a person twice
    #[arg(short, long)]
    yes: bool,

    /// Let this one call through where its trunk does not list the number
    #[arg(long, value_enum, value_name = "CODE")]
    allow: Option<Allowed>,

    /// Refuse credentials from the environment
    #[arg(long)]
    strict: bool,

    /// Print what would be sent, and send nothing
    #[arg(long)]
    dry_run: bool,

    /// Look into the files alone; only with --dry-run
    #[arg(long, requires = "dry_run")]
    offline: bool,

    /// Say step by step why the call goes there
    #[arg(long)]
    explain: bool,

    /// Wait until an agent has the job, this long at most: 10s, 1m
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    wait_for_agent: Option<Duration>,

    /// Dial the person from here, for workers that don't dial themselves
    #[arg(long)]
    sip: bool,

    /// How long to let it ring; LiveKit allows 80s
    #[arg(long, value_name = "DURATION", value_parser = ring_time)]
    #[arg(requires = "sip", default_value = "45s")]
    ring: Duration,

    /// A header of the INVITE; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = header, requires = "sip")]
    sip_header: Vec<(String, String)>,

    /// The name to show beside the number
    #[arg(long, value_name = "TEXT", requires = "sip")]
    display_name: Option<String>,

    /// Time limit for each request to LiveKit
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "10s")]
    timeout: Duration,

    /// How long to look for a call whose answer was lost; LiveKit itself may
    /// take 15s
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "20s")]
    settle: Duration,

    #[command(flatten)]
    pub formatted: CallFormatted,

    #[command(flatten)]
    keys: KeyArgs,
}

/// What a call can be let through in spite of.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Allowed {
    // No doc comment: clap would set the whole help in its long form.
    TrunkLacksNumber,
}

/// `10s`, `500ms`, `1m 30s`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = "a time such as 10s, 500ms or 1m 30s";
    let span: jiff::SignedDuration = text.parse().map_err(|_| wrong.to_owned())?;
    let span = Duration::try_from(span).map_err(|_| wrong.to_owned())?;
    if span.is_zero() {
        Err(wrong.to_owned())
    } else {
        Ok(span)
    }
}

/// A time that LiveKit lets a phone ring for.
fn ring_time(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        ring if ring > LONGEST_RING => Err(format!(
            "LiveKit lets it ring {} s at most",
            LONGEST_RING.as_secs()
        )),
        ring => Ok(ring),
    }
}

fn header(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write it as NAME=VALUE".to_owned()),
    }
}

impl DispatchArgs {
    pub(super) fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        let context = shell.context();
        let result = if self.dry_run {
            let request = self.request(shell)?;
            block_on(rehearse_call(&context, &request, self.offline))?
        } else {
            self.warn_of_short_wait(shell);
            self.ask_before_repeat(shell)?;
            let request = self.request(shell)?;
            block_on(dispatch_call(&context, &request, asked_to_stop()))?
        };
        self.report(shell, &result)?;
        Ok(result.exit())
    }

    fn request(&self, shell: &Shell) -> Result<CallRequest> {
        let ring = if self.offline {
            KeyRing::default()
        } else {
            self.keys.ring()?
        };
        Ok(CallRequest {
            resolve_request: self.resolve_request(shell)?,
            options: self.options(),
            idempotency_key: self.idempotency_key.clone(),
            ring,
            limits: Limits::of_call(self.timeout, self.settle),
            placing: PlacingOptions {
                wait_for_agent: self.wait_for_agent,
                allow_unlisted_number: self.allow == Some(Allowed::TrunkLacksNumber),
                sip: self.sip_request()?,
            },
        })
    }

    fn sip_request(&self) -> Result<Option<SipRequest>> {
        if !self.sip {
            return Ok(None);
        }
        let (headers, name) = (self.sip_header.clone(), self.display_name.clone());
        let sip = SipRequest::new(self.ring, headers, name);
        sip.map(Some).map_err(|why| Error::new(why).code("usage"))
    }

    fn resolve_request(&self, shell: &Shell) -> Result<ResolveRequest> {
        let tenant = self
            .from
            .tenant_selector(self.tenant.as_deref(), self.initiated_by)?;
        Ok(ResolveRequest {
            from: self.from.number,
            tenant,
            to: Some(self.to.clone()),
            agent: self.agent_id,
            strict: self.strict,
            environment: shell.globals.env.clone(),
        })
    }

    fn options(&self) -> CallOptions {
        CallOptions {
            agent_id: self.agent_id,
            voice_id: self.voice_id.clone(),
            context: self.context.clone(),
            initiated_by: self.initiated_by,
            call_log_id: self.call_log_id,
            extra: self.metadata.iter().flat_map(Extra::clone).collect(),
            worker: self.worker.clone(),
        }
    }

    /// Asks on a terminal where a call between these numbers ended in doubt of
    /// late. A program is not asked: its hint was the exit code.
    fn ask_before_repeat(&self, shell: &Shell) -> Result<(), Stop> {
        if self.yes || !shell.is_interactive() {
            return Ok(());
        }
        let numbers = (self.from.number, self.to.as_str());
        let key = self.idempotency_key.as_deref();
        let in_doubt = block_on(calls_in_doubt(&shell.context(), numbers, key));
        // A database that is away is told by the call itself.
        let Some(last) = in_doubt.ok().and_then(|calls| calls.into_iter().next()) else {
            return Ok(());
        };
        let asked = format!(
            "The call {} → {} of {} ended {}; another may call a person twice. Call? [y/N]",
            last.from, last.to, last.at, last.status
        );
        if matches!(shell.ask(&asked)?.as_str(), "y" | "Y" | "yes") {
            Ok(())
        } else {
            Err(Error::new("no call was placed")
                .hint(format!(
                    "`lkroute dispatches --refresh {}` looks what became of the other",
                    last.room
                ))
                .into())
        }
    }

    fn warn_of_short_wait(&self, shell: &Shell) {
        if let Some(wait) = self.wait_for_agent
            && wait < JOB_LISTED_WITHIN
        {
            shell.warn(&format!(
                "--wait-for-agent is shorter than the {} s that LiveKit may take to list a job: \
                 no agent seen proves nothing, and is exit 8",
                JOB_LISTED_WITHIN.as_secs()
            ));
        }
    }

    fn report(&self, shell: &Shell, result: &CallResult) -> Result<()> {
        let view = CallView {
            resolution: result.resolution.as_ref(),
            request: result.request.as_ref(),
            record: result.record.as_ref(),
            repeated: result.repeated,
            error: result.error.as_ref(),
        };
        let report = match self.formatted.format() {
            ReportFormat::Json => json::json_text(&DispatchReport::from(&view))?,
            ReportFormat::Text => {
                let mut text = calls::call_text(&view, shell.width());
                if let Some(resolution) = &result.resolution
                    && (self.explain || result.record.is_none() && result.request.is_none())
                {
                    text += &explain::text(resolution, self.explain, shell.width());
                }
                text
            }
        };
        match &result.record {
            // Nothing was sent.
            None => shell.print(&report)?,
            Some(record) => {
                let (status, room) = (record.status.as_str(), &record.room);
                shell.print_done(&report, &format!("the call is {status}, in room {room}"));
            }
        }
        note_unused_variables(shell, result);
        for warning in &result.warnings {
            shell.warn(warning);
        }
        if let Some(error) = &result.error {
            shell.complain(error);
        }
        Ok(())
    }
}

/// Says where the variables that `lk` goes by are set and this call did not:
/// whoever set them may think that it did.
fn note_unused_variables(shell: &Shell, result: &CallResult) {
    let Some(request) = &result.request else {
        return;
    };
    let from_config = request.source != Source::Environment;
    let set = ["LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"];
    let set = set
        .into_iter()
        .filter(|name| process_variable(name).is_some());
    let set: Vec<&str> = set.collect();
    if from_config && !set.is_empty() {
        shell.note(&format!(
            "{} set and not used: the config of the number names the server",
            match set.len() {
                1 => format!("{} is", set.join(", ")),
                _ => format!("{} are", set.join(", ")),
            }
        ));
    }
}
