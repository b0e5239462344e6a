//! `zmesctl clients list`, `rejected` and `disconnect`.

mod disconnect;
mod rejected;

use std::io;

use clap::{Args, Subcommand};
use serde_json::Value;
use zmes_shared::control::{ClientFilter, ClientState, Request};
use zmes_shared::views::{Clients, FilterFrom};

use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::{Cell, Column, Out, Table, Tone, View};
use crate::values;
use crate::words;

/// `clients …`
#[derive(Debug, Subcommand)]
#[command(
    disable_help_subcommand = true,
    after_help = "Examples:\n  zmesctl clients list --state pending\n  zmesctl clients rejected --since 1h\n  zmesctl clients disconnect 4"
)]
pub enum ClientsCommand {
    /// List connected apps
    List(ListArgs),
    /// List refused clients with the reasons
    Rejected(rejected::RejectedArgs),
    /// Disconnect apps
    Disconnect(disconnect::DisconnectArgs),
}

/// Which clients to list.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl clients list
  zmesctl clients list --user 'a*' --address 192.0.2.0/24
  zmesctl clients list --state pending -q    only the ids
  zmesctl clients list --jsonl | jq -r .address

FILTER shows where the list of monitors comes from: the app sent it on this
connection, the token has it, it was kept over a reconnect, or default (all).")]
pub struct ListArgs {
    /// Only clients of this ZoneMinder user; `*` matches any characters
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Only clients in this state
    #[arg(long, value_enum, value_name = "pending|authenticated", hide_possible_values = true)]
    state: Option<ClientState>,
    /// Only clients from this address or network
    #[arg(long, value_name = "CIDR", value_parser = values::network)]
    address: Option<String>,
}

impl ListArgs {
    /// Says whether no option is given.
    fn is_empty(&self) -> bool {
        let Self { user, state, address } = self;
        user.is_none() && state.is_none() && address.is_none()
    }

    fn filter(self) -> ClientFilter {
        let Self { user, state, address } = self;
        ClientFilter { user, state, address }
    }
}

pub(crate) async fn run(command: ClientsCommand, context: &mut Context) -> Result<Exit, CliError> {
    match command {
        ClientsCommand::List(arguments) => {
            context.ask::<Clients>(Request::ClientsList(arguments.filter())).await
        }
        ClientsCommand::Rejected(arguments) => rejected::run(arguments, context).await,
        ClientsCommand::Disconnect(arguments) => disconnect::run(arguments, context).await,
    }
}

impl View for Clients {
    fn human(&self, out: &mut Out) -> io::Result<()> {
        if self.clients.is_empty() {
            return out.line("No matching clients.");
        }
        let mut table = Table::new(&[
            Column::new("ID").right(),
            Column::new("USER").cuts(),
            Column::new("STATE").spare(1),
            Column::new("ADDRESS"),
            Column::new("APP").cuts().spare(3),
            Column::new("CONNECTED"),
            Column::new("MONITORS").cuts().spare(4),
            Column::new("FILTER").spare(7),
            Column::new("TOKEN").spare(6),
            Column::new("QUEUED").right().spare(5),
            Column::new("SENT").right().spare(2),
        ]);
        for client in &self.clients {
            table.row([
                Cell::new(&client.id),
                Cell::maybe(client.user.as_ref()),
                state(client.state),
                Cell::new(&client.address),
                Cell::maybe(client.app.as_ref()),
                Cell::new(&out.ago(client.connected_at)),
                Cell::new(&client.monitors.as_deref().map_or_else(|| "all".to_owned(), words::ranges)),
                Cell::maybe(client.filter_from.map(FilterFrom::as_str).as_ref()),
                Cell::maybe(client.token.as_ref()),
                Cell::new(&client.queued),
                Cell::new(&client.sent),
            ]);
        }
        out.table(&table)
    }

    fn elements(&self) -> serde_json::Result<Vec<Value>> {
        self.clients.iter().map(serde_json::to_value).collect()
    }

    fn names(&self) -> Option<Vec<String>> {
        Some(self.clients.iter().map(|client| client.id.to_string()).collect())
    }
}

fn state(state: ClientState) -> Cell {
    match state {
        ClientState::Pending => Cell::new("pending").tone(Tone::Warning),
        ClientState::Authenticated => Cell::new("authenticated"),
    }
}
