//! `zmesctl tokens …`: the phones that are registered for pushes.

pub(super) mod change;
pub mod export;
pub mod import;
mod list;

use std::time::Duration;

use clap::{Args, Subcommand};
use zmes_shared::control::{PlatformKind, Request, TokenFilter, TokenState};
use zmes_shared::views::{Deliveries, TokenShown};

use super::ask::Consent;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::values;
use change::{Change, Wanted, apply};

/// `tokens …`
#[derive(Debug, Subcommand)]
#[command(
    disable_help_subcommand = true,
    after_help = "\
Examples:
  zmesctl tokens list --failing
  zmesctl tokens log 1a2b3c4d
  zmesctl tokens prune --stale 60d --dry-run

A token is named by its handle (8 digits), any unique prefix of it, or by the
last 10 characters of the token itself."
)]
pub enum Command {
    /// List the registered phones
    List(ListArgs),
    /// Show all about one phone, and what was lately sent to it
    Show(ShowArgs),
    /// Show what was decided and done for one phone, newest first
    Log(LogArgs),
    /// Take phones out; `restore` undoes it
    Revoke(RevokeArgs),
    /// Take a revocation back
    Restore(RestoreArgs),
    /// Send nothing to a phone for a while
    Mute(MuteArgs),
    /// Send to a muted phone again
    Unmute(UnmuteArgs),
    /// Take out the phones of which nothing was heard for a while
    Prune(PruneArgs),
    /// Take tokens from the tokens.txt of an older event server
    Import(import::ImportArgs),
    /// Print the tokens as a tokens.txt, to go back or to keep
    Export(export::ExportArgs),
}

/// Which phones to list.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl tokens list
  zmesctl tokens list --platform ios --stale 60d
  zmesctl tokens list --state revoked        what `restore` can bring back
  zmesctl tokens list --jsonl | jq -r 'select(.failures > 3) | .handle'")]
pub struct ListArgs {
    /// Only phones of this kind
    #[arg(long, value_enum, value_name = "ios|android", hide_possible_values = true)]
    platform: Option<PlatformKind>,
    /// Only this ZoneMinder user; `*` stands for any characters
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Only those that stand so [default: all but revoked]
    #[arg(long, value_enum, value_name = "STATE")]
    state: Option<TokenState>,
    /// Only those of which nothing was heard for so long
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    stale: Option<Duration>,
    /// Only those whose last push failed
    #[arg(long)]
    failing: bool,
    /// Print the tokens themselves: whoever has one can send to the phone
    #[arg(long)]
    reveal: bool,
}

/// Which phone to show.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  zmesctl tokens show 1a2b3c4d\n  zmesctl tokens show 1a2b3c4d --reveal")]
pub struct ShowArgs {
    /// Its handle, or the last 10 characters of the token
    #[arg(value_name = "T", value_parser = values::token, allow_hyphen_values = true)]
    token: String,
    /// Print the token itself: whoever has it can send to the phone
    #[arg(long)]
    reveal: bool,
}

/// Which phone's log, and how much of it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl tokens log 1a2b3c4d
  zmesctl tokens log 1a2b3c4d --limit 1000 --jsonl | jq -r .decision | sort | uniq -c")]
pub struct LogArgs {
    /// Its handle, or the last 10 characters of the token
    #[arg(value_name = "T", value_parser = values::token, allow_hyphen_values = true)]
    token: String,
    /// At most so many [default: 100]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: Option<u32>,
}

/// Which phones to take out.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl tokens revoke 1a2b3c4d            asks first
  zmesctl tokens revoke 1a2b 9f00 --yes     in a script
  zmesctl tokens revoke -- -Xk3bQ9_aZ       where a token's end begins with a dash

The app registers again when it is opened. To keep a user out, disable the user
in ZoneMinder.")]
pub struct RevokeArgs {
    /// Handles, unique prefixes of them, or the last 10 characters of tokens
    // A list that took what begins with a dash would take every option behind it, too.
    #[arg(value_name = "T", value_parser = values::token, required = true)]
    tokens: Vec<String>,
    #[command(flatten)]
    consent: Consent,
}

/// Which phone to bring back.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl tokens list --state revoked
  zmesctl tokens restore 1a2b3c4d")]
pub struct RestoreArgs {
    /// Its handle, or the last 10 characters of the token
    #[arg(value_name = "T", value_parser = values::token, allow_hyphen_values = true)]
    token: String,
}

/// Which phone to silence, and for how long.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl tokens mute 1a2b3c4d --for 1h
  zmesctl tokens mute 1a2b3c4d              until `zmesctl tokens unmute 1a2b3c4d`")]
pub struct MuteArgs {
    /// Its handle, or the last 10 characters of the token
    #[arg(value_name = "T", value_parser = values::token, allow_hyphen_values = true)]
    token: String,
    /// Send to it again after this time [default: when it is unmuted]
    #[arg(long = "for", value_name = "DURATION", value_parser = values::duration)]
    lasting: Option<Duration>,
}

/// Which phone to send to again.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  zmesctl tokens unmute 1a2b3c4d")]
pub struct UnmuteArgs {
    /// Its handle, or the last 10 characters of the token
    #[arg(value_name = "T", value_parser = values::token, allow_hyphen_values = true)]
    token: String,
}

/// What is old enough to go.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl tokens prune --stale 60d --dry-run    what would go
  zmesctl tokens prune --stale 60d --yes        in a cron job

`zmesctl tokens restore` brings them back, as long as state.keep-tombstones says.")]
pub struct PruneArgs {
    /// Nothing was heard of the app for so long
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    stale: Duration,
    #[command(flatten)]
    consent: Consent,
}

pub(super) async fn run(command: Command, context: &mut Context) -> Result<Exit, CliError> {
    match command {
        Command::List(arguments) => list::run(filter(arguments), context).await,
        Command::Show(ShowArgs { token, reveal }) => {
            context.ask::<TokenShown>(Request::TokensShow { token, reveal }).await
        }
        Command::Log(LogArgs { token, limit }) => {
            context.ask::<Deliveries>(Request::TokensLog { token, limit }).await
        }
        Command::Revoke(arguments) => revoke(arguments, context).await,
        Command::Restore(RestoreArgs { token }) => {
            change::ask(Request::TokensRestore { token }, context).await
        }
        Command::Mute(MuteArgs { token, lasting }) => {
            let for_ms = lasting.map(values::milliseconds);
            change::ask(Request::TokensMute { token, for_ms }, context).await
        }
        Command::Unmute(UnmuteArgs { token }) => change::ask(Request::TokensUnmute { token }, context).await,
        Command::Prune(arguments) => prune(arguments, context).await,
        Command::Import(arguments) => import::run(arguments, context).await,
        Command::Export(arguments) => export::run(arguments, context).await,
    }
}

fn filter(arguments: ListArgs) -> TokenFilter {
    let ListArgs { platform, user, state, stale, failing, reveal } = arguments;
    let stale_ms = stale.map(values::milliseconds);
    TokenFilter { platform, user, state, stale_ms, failing, reveal, after: None }
}

async fn revoke(arguments: RevokeArgs, context: &mut Context) -> Result<Exit, CliError> {
    let RevokeArgs { tokens, consent } = arguments;
    let change = Change {
        what: "revoking",
        instead: format!("zmesctl tokens revoke {}", confirmed(&tokens)),
        question: "Revoke?",
        wanted: Wanted::Named(tokens),
        request: &|tokens, dry_run| Request::TokensRevoke { tokens, dry_run },
    };
    apply(change, consent, context).await
}

/// Returns the rest of a command line that names these tokens and needs no question.
fn confirmed(tokens: &[String]) -> String {
    let named = tokens.join(" ");
    if tokens.iter().any(|token| token.starts_with('-')) {
        return format!("--yes -- {named}");
    }
    format!("{named} --yes")
}

async fn prune(arguments: PruneArgs, context: &mut Context) -> Result<Exit, CliError> {
    let PruneArgs { stale, consent } = arguments;
    let stale_ms = values::milliseconds(stale);
    let change = Change {
        what: "pruning",
        instead: "add --yes, or --dry-run to see what would go".to_owned(),
        question: "Revoke?",
        wanted: Wanted::Chosen,
        request: &|_, dry_run| Request::TokensPrune { stale_ms, dry_run },
    };
    apply(change, consent, context).await
}
