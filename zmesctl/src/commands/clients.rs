//! `zmesctl clients list`, `rejected` and `disconnect`.

mod disconnect;
mod rejected;

use std::io;

use clap::{Args, Subcommand};
use zmes_shared::control::{ClientFilter, ClientState, Request};
use zmes_shared::views::{ClientView, Clients, FilterFrom};

use crate::context::{Context, Outcome};
use crate::render::{Cell, Column, ColumnOf, Out, Table, Tone, View, time};
use crate::values;
use crate::words;

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
    fn is_empty(&self) -> bool {
        let Self { user, state, address } = self;
        user.is_none() && state.is_none() && address.is_none()
    }

    fn filter(self) -> ClientFilter {
        let Self { user, state, address } = self;
        ClientFilter { user, state, address }
    }
}

pub(crate) async fn run(command: ClientsCommand, context: &mut Context) -> Outcome {
    match command {
        ClientsCommand::List(arguments) => {
            context.ask::<Clients>(Request::ClientsList(arguments.filter())).await
        }
        ClientsCommand::Rejected(arguments) => rejected::run(arguments, context).await,
        ClientsCommand::Disconnect(arguments) => disconnect::run(arguments, context).await,
    }
}

impl View for Clients {
    const LIST: Option<&'static str> = Some("clients");

    fn human(&self, out: &mut Out) -> io::Result<()> {
        if self.clients.is_empty() {
            return out.line("No matching clients.");
        }
        let now = out.look().now;
        let columns: &[ColumnOf<'_, ClientView>] = &[
            (Column::new("ID").right(), &|client| Cell::new(&client.id)),
            (Column::new("USER").cuts(), &|client| Cell::maybe(client.user.as_ref())),
            (Column::new("STATE").spare(1), &|client| state(client.state)),
            (Column::new("ADDRESS"), &|client| Cell::new(&client.address)),
            (Column::new("APP").cuts().spare(3), &|client| Cell::maybe(client.app.as_ref())),
            (Column::new("CONNECTED"), &|client| Cell::new(&time::ago(now, client.connected_at))),
            (Column::new("MONITORS").cuts().spare(4), &|client| {
                Cell::new(&words::monitors(client.monitors.as_deref()))
            }),
            (Column::new("FILTER").spare(7), &|client| {
                Cell::maybe(client.filter_from.map(FilterFrom::as_str))
            }),
            (Column::new("TOKEN").spare(6), &|client| Cell::maybe(client.token.as_ref())),
            (Column::new("QUEUED").right().spare(5), &|client| Cell::new(&client.queued)),
            (Column::new("SENT").right().spare(2), &|client| Cell::new(&client.sent)),
        ];
        out.table(&Table::of(&self.clients, columns))
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
