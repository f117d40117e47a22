//! `lkroute trust`: servers that may be sent tokens though lkroute never
//! applied them. Imports what commands share and the store.

use clap::Args;

use super::shell::Shell;
use super::{Stop, actor, database, lookup};
use crate::error::{Error, Exit, Result};
use crate::render::escape::visible;
use crate::store::{Mode, Store};
use crate::trust::{Destination, TrustedHost};

const EXAMPLES: &str = "\
Examples:
  lkroute trust                                        what is recorded
  lkroute trust livekit-2.example --reason 'failover'  over TLS, port 443
  lkroute trust ws://10.0.0.7:7880 --reason 'new VM'   without TLS
  lkroute trust livekit-2.example --revoke

A token is signed with a config's secret, and only for a server that was
approved: one that lkroute applied at any time, one that the stored
`guards.policy.hosts` of the config's region names, this shell's LIVEKIT_URL,
or one recorded here. Host and port count, and TLS is never given up.";

/// Record a server that may be sent tokens
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct TrustArgs {
    /// `host`, `host:port` or a LiveKit URL; without it, what is recorded
    #[arg(value_name = "HOST")]
    host: Option<String>,

    /// Why, for the record
    #[arg(
        long,
        value_name = "TEXT",
        requires = "host",
        conflicts_with = "revoke"
    )]
    reason: Option<String>,

    /// Trust it no longer
    #[arg(long, requires = "host")]
    revoke: bool,
}

impl TrustArgs {
    pub fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        let host = self.host.as_deref().map(read).transpose()?;
        if let (Some(host), None, false) = (&host, &self.reason, self.revoke) {
            let example = format!("lkroute trust {} --reason 'why'", host.to_text());
            let error = Error::new("--reason is missing: it is recorded with your name");
            return Err(error.hint(example).into());
        }
        let target = lookup::target(&shell.context())?;
        Ok(database::block_on(async {
            let mode = match &host {
                Some(_) => Mode::Record,
                None => Mode::Read,
            };
            let mut store = database::open_current(&shell.context(), &target, mode).await?;
            store.begin_read().await?;
            let stamped = store.snapshot().await?.environment;
            store.end_read().await?;
            match &host {
                None => {
                    lookup::same_environment(&shell.context(), stamped.as_deref())?;
                    list(shell, &mut store).await
                }
                Some(host) => {
                    lookup::own_environment(&shell.context(), stamped.as_deref())?;
                    self.change(shell, &mut store, host).await
                }
            }
        })?)
    }

    async fn change(&self, shell: &Shell, store: &mut Store, host: &Destination) -> Result<Exit> {
        let text = host.to_text();
        match &self.reason {
            Some(reason) => {
                let actor = actor::current_actor();
                store.record_trust(&text, &actor, reason).await?;
                shell.note(&format!("{text} may be sent tokens from now on"));
            }
            None if store.revoke_trust(&text).await? => {
                shell.note(&format!(
                    "{text} is no longer recorded; what was applied or a policy allows still counts"
                ));
            }
            None => {
                let error = Error::new(format!("{text} is not recorded as trusted"));
                return Err(error.hint("`lkroute trust` lists what is"));
            }
        }
        Ok(Exit::Done)
    }
}

fn read(text: &str) -> Result<Destination> {
    Destination::read(text).ok_or_else(|| {
        Error::new(format!("`{}` names no server", visible(text)))
            .hint("write livekit.example, livekit.example:7880 or ws://10.0.0.7:7880")
    })
}

async fn list(shell: &Shell, store: &mut Store) -> Result<Exit> {
    let recorded = store.trust().await?.facts.recorded;
    if recorded.is_empty() {
        shell.note("no server is recorded; those that were applied are trusted anyway");
    }
    let lines = recorded.iter().map(|trusted| {
        let TrustedHost {
            host,
            at,
            actor,
            reason,
        } = trusted;
        let [host, at, actor, reason] = [host, at, actor, reason].map(|text| visible(text));
        format!("{host}  {at}  {actor}  {reason}\n")
    });
    shell.print(&lines.collect::<String>())?;
    Ok(Exit::Done)
}
