//! `zmesctl cluster`: several hosts with one zmesd each on one database.

mod init;
mod made;
mod urls;

use clap::Subcommand;

use crate::context::{Context, Outcome};

#[derive(Debug, Subcommand)]
#[command(
    disable_help_subcommand = true,
    after_help = "Examples:\n  sudo zmesctl cluster init --database-url mysql://root@localhost\n  zmesctl cluster status"
)]
pub enum ClusterCommand {
    /// Make the ledger in the database, or bring it up to date
    Init(Box<init::InitArgs>),
}

pub(crate) async fn run(command: ClusterCommand, context: &mut Context) -> Outcome {
    match command {
        ClusterCommand::Init(arguments) => Box::pin(init::run(*arguments, context)).await,
    }
}
