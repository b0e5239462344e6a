//! `zmesctl cluster`: several hosts with one zmesd each on one database.

mod init;
mod made;
pub(crate) mod status;
mod urls;

use clap::{Args, Subcommand};
use zmes_shared::control::Request;
use zmes_shared::views::{ClusterStatus, Done};

use super::ask::Confirmation;
use crate::context::{Context, Outcome};
use crate::render::clean;

/// Longest name of a node, in characters.
const NAME_MAX: usize = 64;

#[derive(Debug, Subcommand)]
#[command(
    disable_help_subcommand = true,
    after_help = "Examples:\n  sudo zmesctl cluster init --database-url mysql://root@localhost\n  zmesctl cluster status"
)]
pub enum ClusterCommand {
    /// Make the ledger in the database, or bring it up to date
    Init(Box<init::InitArgs>),
    /// Show the nodes, which of them sends pushes, and how far they are
    #[command(after_help = "\
Examples:
  zmesctl cluster status
  zmesctl cluster status -q                       only the names
  zmesctl cluster status --json | jq '.nodes[] | select(.alive | not) | .name'

Exit codes: 0 the ledger answers, all nodes are at work or stopped, and one
sends pushes; 1 otherwise, or if [cluster] is not enabled.")]
    Status,
    /// Have another node send the pushes
    Handover(HandoverArgs),
    /// Remove a node that is not at work any more
    Leave(LeaveArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl cluster handover            before an upgrade of the node that sends
  zmesctl cluster handover nvr2

The node takes over within seconds; no push is lost. With `prefer` in [cluster],
the preferred node takes the pushes back after a minute.")]
pub struct HandoverArgs {
    /// Node that is to send [default: any other that is at work]
    #[arg(value_name = "NODE", value_parser = node)]
    node: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl cluster leave nvr3          asks for confirmation
  zmesctl cluster leave nvr3 --yes    for scripts

Stop zmesd on that host first. Its alarms stay in the record. A node that comes
back joins again by itself.")]
pub struct LeaveArgs {
    /// Node to remove
    #[arg(value_name = "NODE", value_parser = node)]
    node: String,
    /// No confirmation: for scripts
    #[arg(short, long)]
    yes: bool,
}

/// Takes the name of a node; the daemon knows which there are.
fn node(text: &str) -> Result<String, String> {
    let fits = !text.is_empty() && text.chars().count() <= NAME_MAX && !text.chars().any(char::is_control);
    if fits { Ok(text.to_owned()) } else { Err("expected a name as shown by `cluster status`".to_owned()) }
}

pub(crate) async fn run(command: ClusterCommand, context: &mut Context) -> Outcome {
    match command {
        ClusterCommand::Init(arguments) => Box::pin(init::run(*arguments, context)).await,
        ClusterCommand::Status => context.ask::<ClusterStatus>(Request::ClusterStatus).await,
        ClusterCommand::Handover(HandoverArgs { node }) => {
            context.ask_within::<Done>(Request::ClusterHandover { node }, status::CHANGE).await
        }
        ClusterCommand::Leave(LeaveArgs { node, yes }) => leave(node, yes, context).await,
    }
}

async fn leave(node: String, yes: bool, context: &mut Context) -> Outcome {
    let confirmation = Confirmation {
        what: "removing a node",
        command: "zmesctl cluster leave NODE --yes",
        about: "",
        question: &format!("Remove node {} from the cluster?", clean(&node)),
    };
    confirmation.ask(yes, context)?;
    context.ask_within::<Done>(Request::ClusterLeave { node }, status::CHANGE).await
}
