//! `zmesctl tokens …`: the phones that are registered for pushes.

pub(super) mod change;
pub mod export;
pub mod import;
mod list;
mod selection;

use std::time::Duration;

use clap::{Args, Subcommand};
use zmes_shared::control::{Request, TokenFilter, TokenSelection};
use zmes_shared::views::{Deliveries, TokenShown};

use super::ask::Consent;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::values;
use change::{Change, apply};
use selection::{HINT_CONSENT, Selection, Verb, Which};

const PRUNING: &str = "pruning";

/// `tokens …`
#[derive(Debug, Subcommand)]
#[command(
    disable_help_subcommand = true,
    after_help = "\
Examples:
  zmesctl tokens list --failing
  zmesctl tokens log 1a2b3c4d
  zmesctl tokens prune --stale 60d --dry-run

A token is named by its handle (8 digits) or any unique prefix of it. Admins can
also use the last 10 characters of the token itself."
)]
pub enum Command {
    /// List the registered phones
    List(ListArgs),
    /// Show all about one phone, and what was lately sent to it
    Show(ShowArgs),
    /// Show what was decided and done for one phone, newest first
    Log(LogArgs),
    /// Revoke phones; `restore` undoes it, and so does opening the app
    Revoke(RevokeArgs),
    /// Revoke phones that must not come back, such as stolen ones
    Block(BlockArgs),
    /// Let the apps of blocked phones register again
    Unblock(UnblockArgs),
    /// Take revocations back
    Restore(RestoreArgs),
    /// Send nothing to phones for a while
    Mute(MuteArgs),
    /// Send to muted phones again
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
  zmesctl tokens list --failing -q           their handles alone, one a line
  zmesctl tokens list --state revoked        what `restore` can bring back
  zmesctl tokens list --state blocked        what `unblock` can let in again
  zmesctl tokens list --jsonl | jq -r 'select(.failures > 3) | .handle'")]
pub struct ListArgs {
    #[command(flatten)]
    selection: Selection,
    /// Only tokens not seen for at least this long
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    stale: Option<Duration>,
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
  zmesctl tokens revoke --user bob          all phones of one user
  zmesctl tokens revoke -- -Xk3bQ9_aZ       its end begins with a dash

Opening the app registers the phone again: use `zmesctl tokens block` for a
stolen phone. To keep a user out, disable the user in ZoneMinder.")]
pub struct RevokeArgs {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    consent: Consent,
}

/// Which phones to block.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl tokens block 1a2b3c4d             asks first
  zmesctl tokens block 1a2b 9f00 --yes      in a script
  zmesctl tokens block --user bob           all phones of one user
  zmesctl tokens list --state blocked

A blocked phone gets no pushes, and its app cannot register the token again,
whoever logs in on it. While it knows a password it can still log in and hear
of alarms over its connection: change that password in ZoneMinder.")]
pub struct BlockArgs {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    consent: Consent,
}

/// Which phones to let in again.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl tokens unblock 1a2b3c4d
  zmesctl tokens unblock --user bob --yes

The phone stays revoked until its app is opened, or until
`zmesctl tokens restore 1a2b3c4d`.")]
pub struct UnblockArgs {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    consent: Consent,
}

/// Which phones to bring back.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl tokens list --state revoked
  zmesctl tokens restore 1a2b3c4d
  zmesctl tokens list --state revoked -q | xargs zmesctl tokens restore")]
pub struct RestoreArgs {
    /// Handles, unique prefixes of them, or the last 10 characters of tokens
    // As with revoke: a list that took dashes would take options, too.
    #[arg(value_name = "T", value_parser = values::token, required = true)]
    tokens: Vec<String>,
}

/// Which phones to silence, and for how long.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl tokens mute 1a2b3c4d --for 1h
  zmesctl tokens mute 1a2b3c4d              until `zmesctl tokens unmute 1a2b3c4d`
  zmesctl tokens mute --user 'a*' --for 8h --yes")]
pub struct MuteArgs {
    #[command(flatten)]
    which: Which,
    /// Send to them again after this time [default: when they are unmuted]
    #[arg(long = "for", value_name = "DURATION", value_parser = values::duration)]
    lasting: Option<Duration>,
    #[command(flatten)]
    consent: Consent,
}

/// Which phones to send to again.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl tokens unmute 1a2b3c4d
  zmesctl tokens unmute --state muted --yes")]
pub struct UnmuteArgs {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    consent: Consent,
}

/// What is old enough to go.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl tokens prune --stale 60d --dry-run    what would go
  zmesctl tokens prune --stale 60d --yes        in a cron job
  zmesctl tokens prune --stale 60d --platform ios --failing

`zmesctl tokens restore` brings them back, as long as state.keep-tombstones says.")]
pub struct PruneArgs {
    /// Nothing was heard of the app for so long
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    stale: Duration,
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    consent: Consent,
}

pub(super) async fn run(command: Command, context: &mut Context) -> Result<Exit, CliError> {
    match command {
        Command::List(ListArgs { selection, stale, reveal }) => {
            let filter = TokenFilter { reveal, ..selection.filter(stale, context).await? };
            list::run(filter, context).await
        }
        Command::Show(ShowArgs { token, reveal }) => {
            context.ask::<TokenShown>(Request::TokensShow { token, reveal }).await
        }
        Command::Log(LogArgs { token, limit }) => {
            context.ask::<Deliveries>(Request::TokensLog { token, limit }).await
        }
        Command::Revoke(arguments) => revoke(arguments, context).await,
        Command::Block(arguments) => block(arguments, context).await,
        Command::Unblock(arguments) => unblock(arguments, context).await,
        Command::Restore(RestoreArgs { tokens }) => change::restore(tokens, context).await,
        Command::Mute(arguments) => mute(arguments, context).await,
        Command::Unmute(arguments) => unmute(arguments, context).await,
        Command::Prune(arguments) => prune(arguments, context).await,
        Command::Import(arguments) => import::run(arguments, context).await,
        Command::Export(arguments) => export::run(arguments, context).await,
    }
}

async fn revoke(arguments: RevokeArgs, context: &mut Context) -> Result<Exit, CliError> {
    let RevokeArgs { which, consent } = arguments;
    let verb = Verb { what: "revoking", command: "revoke", question: "Revoke?" };
    let request = |tokens, dry_run| Request::TokensRevoke { tokens, dry_run };
    change_chosen(verb, which, consent, context, &request).await
}

async fn block(arguments: BlockArgs, context: &mut Context) -> Result<Exit, CliError> {
    let BlockArgs { which, consent } = arguments;
    let verb = Verb { what: "blocking", command: "block", question: "Block?" };
    let request = |tokens, dry_run| Request::TokensBlock { tokens, dry_run };
    change_chosen(verb, which, consent, context, &request).await
}

async fn unblock(arguments: UnblockArgs, context: &mut Context) -> Result<Exit, CliError> {
    let UnblockArgs { which, consent } = arguments;
    let verb = Verb { what: "unblocking", command: "unblock", question: "Unblock?" };
    // Whoever names a phone means it, and block undoes it: only a selection is asked about.
    let consent = Consent { yes: consent.yes || which.names_all(), ..consent };
    let request = |tokens, dry_run| Request::TokensUnblock { tokens, dry_run };
    change_chosen(verb, which, consent, context, &request).await
}

async fn mute(arguments: MuteArgs, context: &mut Context) -> Result<Exit, CliError> {
    let MuteArgs { which, lasting, consent } = arguments;
    let verb = Verb { what: "muting", command: "mute", question: "Mute?" };
    // Whoever names a phone means it, and unmute undoes it: only a selection wants a look first.
    let consent = Consent { yes: consent.yes || which.names_all(), ..consent };
    let for_ms = lasting.map(values::milliseconds);
    let request = |tokens, dry_run| Request::TokensMute { tokens, dry_run, for_ms };
    change_chosen(verb, which, consent, context, &request).await
}

async fn unmute(arguments: UnmuteArgs, context: &mut Context) -> Result<Exit, CliError> {
    let UnmuteArgs { which, consent } = arguments;
    let verb = Verb { what: "unmuting", command: "unmute", question: "Unmute?" };
    let consent = Consent { yes: consent.yes || which.names_all(), ..consent };
    let request = |tokens, dry_run| Request::TokensUnmute { tokens, dry_run };
    change_chosen(verb, which, consent, context, &request).await
}

/// Changes the tokens that are named or selected. `request` makes the request for them; dry where the flag says so.
async fn change_chosen(
    verb: Verb,
    which: Which,
    consent: Consent,
    context: &mut Context,
    request: &dyn Fn(TokenSelection, bool) -> Request,
) -> Result<Exit, CliError> {
    let tokens = which.choose(verb, consent, context).await?;
    let instead = change::instead(&tokens, verb.command);
    let change = Change { what: verb.what, instead, question: verb.question, tokens, request };
    apply(change, consent, context).await
}

async fn prune(arguments: PruneArgs, context: &mut Context) -> Result<Exit, CliError> {
    let PruneArgs { stale, selection, consent } = arguments;
    consent.check(context, PRUNING, HINT_CONSENT)?;
    let select = if selection.is_empty() { None } else { Some(selection.filter(None, context).await?) };
    let stale_ms = values::milliseconds(stale);
    let change = Change {
        what: PRUNING,
        instead: HINT_CONSENT.to_owned(),
        question: "Revoke?",
        // The request says by itself which.
        tokens: TokenSelection::Matching(TokenFilter::default()),
        request: &|_, dry_run| Request::TokensPrune { stale_ms, select: select.clone(), dry_run },
    };
    apply(change, consent, context).await
}
