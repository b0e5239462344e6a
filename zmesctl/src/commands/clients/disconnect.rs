//! `zmesctl clients disconnect`: one client, several, or all that match.

use std::io;

use clap::Args;
use serde::Serialize;
use zmes_shared::SessionId;
use zmes_shared::client::{ClientError, ControlClient};
use zmes_shared::control::{ClientFilter, ControlError, ErrorCode, Request};
use zmes_shared::views::{ClientView, Clients, Done};

use super::ListArgs;
use crate::commands::ask::{Consent, confirmed};
use crate::context::{Context, Outcome};
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::{Out, Tone, View, clean};
use crate::words;

/// Number of clients that a confirmation shows.
const SHOWN: usize = 20;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl clients disconnect 4                    asks for confirmation
  zmesctl clients disconnect 4 17 --yes           for scripts
  zmesctl clients disconnect --user bob --dry-run
  zmesctl clients disconnect --state pending --address 198.51.100.0/24

Most apps reconnect automatically. To lock a user out, disable the user in
ZoneMinder.")]
pub struct DisconnectArgs {
    /// Ids of the clients, as shown by `clients list`
    #[arg(value_name = "ID")]
    ids: Vec<SessionId>,
    /// All clients
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    selection: ListArgs,
    #[command(flatten)]
    consent: Consent,
}

pub(super) async fn run(arguments: DisconnectArgs, context: &mut Context) -> Outcome {
    let DisconnectArgs { ids, all, selection, consent } = arguments;
    let selected = !selection.is_empty();
    match (ids.as_slice(), all, selected) {
        ([id], false, false) => one(*id, consent, context).await,
        ([], false, false) => Err(CliError::Usage {
            message: "no clients given".to_owned(),
            hint: "name them, select with --user, --state or --address, or use --all".to_owned(),
        }),
        ([_, ..], false, false) => many(ids, ClientFilter::default(), consent, context).await,
        ([], true, false) | ([], false, true) => many(ids, selection.filter(), consent, context).await,
        (_, _, _) => Err(CliError::Usage {
            message: "clients can be named, selected or all of them, but only one of these at a time"
                .to_owned(),
            hint: "zmesctl clients disconnect --help shows examples".to_owned(),
        }),
    }
}

async fn one(id: SessionId, consent: Consent, context: &mut Context) -> Outcome {
    let instead = format!("zmesctl clients disconnect {id} --yes");
    consent.check(context, &format!("disconnecting client {id}"), &instead)?;
    // One connection for both requests: if the daemon restarted in between, the id would mean another client.
    let mut daemon = context.connect().await?;
    if consent.dry_run {
        let client = find(id, &mut daemon).await?;
        return context.show(&WouldDisconnect { dry_run: true, client });
    }
    if !consent.yes {
        let client = find(id, &mut daemon).await?;
        let connected = context.out.ago(client.connected_at);
        let about = format!("client {}, connected {connected}", words::client(&client));
        if !confirmed(context, &about, "Disconnect it?")? {
            return Err(CliError::Declined);
        }
    }
    let done: Done = daemon.request(Request::ClientsDisconnect { client: id }).await?;
    context.show(&done)
}

async fn find(id: SessionId, daemon: &mut ControlClient) -> Result<ClientView, CliError> {
    let all: Clients = daemon.request(Request::ClientsList(ClientFilter::default())).await?;
    all.clients.into_iter().find(|client| client.id == id).ok_or(CliError::NoSuchClient { id })
}

/// Disconnects the clients with these ids, or if there are no ids, all clients that match the filter.
async fn many(ids: Vec<SessionId>, filter: ClientFilter, consent: Consent, context: &mut Context) -> Outcome {
    consent.check(context, "disconnecting clients", "add --yes, or use --dry-run to see which clients")?;
    // One connection for all requests: after a restart of the daemon, the ids would mean other clients.
    let mut daemon = context.connect().await?;
    let list: Clients = daemon.request(Request::ClientsList(filter)).await?;
    let is_meant = |client: &ClientView| ids.is_empty() || ids.contains(&client.id);
    let (meant, _): (Vec<_>, Vec<_>) = list.clients.into_iter().partition(is_meant);
    let mut answer = DisconnectReport { dry_run: consent.dry_run, ..DisconnectReport::default() };
    let gone = ids.into_iter().filter(|id| !meant.iter().any(|client| client.id == *id));
    answer.failed.extend(gone.map(|id| DisconnectFailure { id, error: no_client(id) }));
    if consent.dry_run {
        answer.disconnected = meant;
        return context.show(&answer);
    }
    if !consent.yes && !meant.is_empty() && !confirmed(context, &about(&meant), "Disconnect them?")? {
        return Err(CliError::Declined);
    }
    for client in meant {
        match daemon.request::<Done>(Request::ClientsDisconnect { client: client.id }).await {
            Ok(_) => answer.disconnected.push(client),
            Err(ClientError::Refused(error)) => {
                answer.failed.push(DisconnectFailure { id: client.id, error });
            }
            Err(error) if answer.disconnected.is_empty() => return Err(error.into()),
            // A broken connection must not hide what was already done.
            Err(error) => {
                let error = ControlError::new(ErrorCode::Unavailable, error.to_string());
                answer.failed.push(DisconnectFailure { id: client.id, error });
            }
        }
    }
    context.show(&answer)
}

fn no_client(id: SessionId) -> ControlError {
    let error = CliError::NoSuchClient { id };
    ControlError::new(ErrorCode::NotFound, error.to_string())
}

fn about(clients: &[ClientView]) -> String {
    let shown = clients.iter().take(SHOWN).map(|client| format!("client {}", words::client(client)));
    let mut lines: Vec<_> = shown.collect();
    let more = clients.len().saturating_sub(SHOWN);
    if more > 0 {
        lines.push(format!("(and {more} more)"));
    }
    lines.join("\n")
}

#[derive(Debug, Serialize)]
struct WouldDisconnect {
    dry_run: bool,
    client: ClientView,
}

impl View for WouldDisconnect {
    fn human(&self, out: &mut Out) -> io::Result<()> {
        out.line(&format!("would disconnect client {}", words::client(&self.client)))
    }
}

#[derive(Debug, Default, Serialize)]
struct DisconnectReport {
    dry_run: bool,
    disconnected: Vec<ClientView>,
    failed: Vec<DisconnectFailure>,
}

#[derive(Debug, Serialize)]
struct DisconnectFailure {
    id: SessionId,
    #[serde(flatten)]
    error: ControlError,
}

impl View for DisconnectReport {
    fn human(&self, out: &mut Out) -> io::Result<()> {
        let would = if self.dry_run { "would disconnect" } else { "disconnected" };
        if self.disconnected.is_empty() {
            out.line(&format!("{would} no client"))?;
        }
        for client in &self.disconnected {
            out.line(&format!("{would} client {}", words::client(client)))?;
        }
        for DisconnectFailure { id, error } in &self.failed {
            let failed = out.paint(Tone::Bad, "failed");
            out.line(&format!("{failed} client {id}: {}", clean(&error.message)))?;
        }
        Ok(())
    }

    fn exit(&self) -> Exit {
        let not_found = |failure: &DisconnectFailure| failure.error.code == ErrorCode::NotFound;
        match (self.failed.is_empty(), self.disconnected.is_empty()) {
            (true, _) => Exit::Done,
            (false, false) => Exit::Partial,
            (false, true) if self.failed.iter().all(not_found) => Exit::NotFound,
            (false, true) => Exit::Negative,
        }
    }
}
