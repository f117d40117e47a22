//! `lkroute trust`: servers that may be sent tokens though lkroute never
//! applied them. Imports `app`.

use clap::Args;

use super::shell::Shell;
use super::{Stop, names};
use crate::app::database::block_on;
use crate::app::trust::{list_trusted, record_trust, revoke_trust};
use crate::error::{Error, Exit, Result};
use crate::invisible_chars::without_user_info;
use crate::render::escape::visible;
use crate::trust::{Destination, NotOnlyServer, TrustedHost};

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
pub(super) struct TrustArgs {
    /// `host`, `host:port` or a LiveKit URL; without it, what is recorded
    #[arg(value_name = "HOST")]
    host: Option<String>,

    /// Why, for the record
    #[arg(
        long,
        value_name = "TEXT",
        value_parser = names::reason,
        requires = "host",
        conflicts_with = "revoke"
    )]
    reason: Option<String>,

    /// Trust it no longer
    #[arg(long, requires = "host")]
    revoke: bool,
}

impl TrustArgs {
    pub(super) fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        let host = self.host.as_deref().map(read).transpose()?;
        if let (Some(host), None, false) = (&host, &self.reason, self.revoke) {
            let example = format!("lkroute trust {} --reason 'why'", host.to_text());
            let error = Error::new("--reason is missing: it is recorded with your name");
            return Err(error.hint(example).into());
        }
        block_on(async {
            match &host {
                None => list(shell).await,
                Some(host) => self.change(shell, host).await,
            }
        })
    }

    async fn change(&self, shell: &Shell, host: &Destination) -> Result<Exit, Stop> {
        let (context, text) = (shell.context(), host.to_text());
        match &self.reason {
            Some(reason) => {
                record_trust(&context, host, reason).await?;
                shell.note(&format!("{text} may be sent tokens from now on"));
            }
            None => {
                revoke_trust(&context, host).await?;
                shell.note(&format!(
                    "{text} is no longer recorded; what was applied or a policy allows still counts"
                ));
            }
        }
        Ok(Exit::Done)
    }
}

fn read(text: &str) -> Result<Destination> {
    Destination::read_named(text).map_err(|why| match why {
        NotOnlyServer::NoServer => Error::new(format!("`{text}` names no server"))
            .hint("write livekit.example, livekit.example:7880 or ws://10.0.0.7:7880"),
        NotOnlyServer::More(server) => {
            let server = server.to_text();
            Error::new(format!(
                "`{}` is more than a server",
                without_user_info(text)
            ))
            .hint(format!(
                "host and port are trusted, and nothing else: {server}"
            ))
        }
    })
}

async fn list(shell: &Shell) -> Result<Exit, Stop> {
    let recorded = list_trusted(&shell.context()).await?;
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
