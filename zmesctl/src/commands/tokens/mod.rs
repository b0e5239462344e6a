//! `zmesctl tokens …`: phones registered for pushes.

pub(crate) mod change;
pub mod export;
pub mod import;
mod list;
mod selection;

use std::time::Duration;

use clap::{Args, Subcommand};
use zmes_shared::control::{Request, TokenFilter, TokenSelection};
use zmes_shared::views::{Deliveries, TokenShown};

use crate::commands::ask::Consent;
use crate::context::{Context, Outcome};
use crate::values;
use change::{Change, apply};
use selection::{HINT_CONSENT, TokenArgs, TokenCriteria, Verb};

const PRUNING: &str = "pruning";

const REVOKE: &str = "\
Examples:
  zmesctl tokens revoke 1a2b3c4d            asks for confirmation
  zmesctl tokens revoke 1a2b 9f00 --yes     for scripts
  zmesctl tokens revoke --user bob          all phones of one user
  zmesctl tokens revoke -- -Xk3bQ9_aZ       a token that ends with -Xk3bQ9_aZ

Opening the app registers the phone again; `zmesctl tokens restore` does, too.
Use `zmesctl tokens block` for a stolen phone. To lock a user out, disable the
user in ZoneMinder.";

const BLOCK: &str = "\
Examples:
  zmesctl tokens block 1a2b3c4d             asks for confirmation
  zmesctl tokens block 1a2b 9f00 --yes      for scripts
  zmesctl tokens block --user bob           all phones of one user
  zmesctl tokens list --state blocked

A blocked phone gets no pushes, and its app cannot register the token again,
whichever user logs in. An app that knows a password can still log in and get
alarms while it is connected: change that password in ZoneMinder.";

const UNBLOCK: &str = "\
Examples:
  zmesctl tokens unblock 1a2b3c4d
  zmesctl tokens unblock --user bob --yes

The phone stays revoked until its app is opened, or until you run
`zmesctl tokens restore 1a2b3c4d`.";

const UNMUTE: &str = "\
Examples:
  zmesctl tokens unmute 1a2b3c4d
  zmesctl tokens unmute --state muted --yes";

#[derive(Debug, Subcommand)]
#[command(
    disable_help_subcommand = true,
    after_help = "\
Examples:
  zmesctl tokens list --failing
  zmesctl tokens log 1a2b3c4d
  zmesctl tokens prune --stale 60d --dry-run

Name a token by its handle (8 digits) or any unique prefix of it. Admins can
also use the last 10 characters of the token itself."
)]
pub enum TokensCommand {
    /// List registered phones
    List(ListArgs),
    /// Show one phone and its latest pushes
    Show(ShowArgs),
    /// Show the decisions and pushes for one phone, newest first
    Log(LogArgs),
    /// Revoke phones, until their apps register them again
    #[command(after_help = REVOKE)]
    Revoke(ChangeArgs),
    /// Revoke phones permanently, such as stolen ones
    #[command(after_help = BLOCK)]
    Block(ChangeArgs),
    /// Allow blocked phones to register again
    #[command(after_help = UNBLOCK)]
    Unblock(ChangeArgs),
    /// Restore revoked phones
    Restore(RestoreArgs),
    /// Stop sending to phones for some time
    Mute(MuteArgs),
    /// Resume sending to muted phones
    #[command(after_help = UNMUTE)]
    Unmute(ChangeArgs),
    /// Revoke phones that were not seen for some time
    Prune(PruneArgs),
    /// Import the tokens.txt of an older event server
    Import(import::ImportArgs),
    /// Export all tokens in the format of tokens.txt
    Export(export::ExportArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl tokens list
  zmesctl tokens list --platform ios --stale 60d
  zmesctl tokens list --failing -q           only the handles
  zmesctl tokens list --state revoked        tokens for `tokens restore`
  zmesctl tokens list --jsonl | jq -r 'select(.failures > 3) | .handle'")]
pub struct ListArgs {
    #[command(flatten)]
    selection: TokenCriteria,
    /// Only tokens not seen for at least this long
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    stale: Option<Duration>,
    /// The tokens themselves: anyone who has one can send to the phone
    #[arg(long)]
    reveal: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  zmesctl tokens show 1a2b3c4d\n  zmesctl tokens show 1a2b3c4d --reveal")]
pub struct ShowArgs {
    /// Handle, or the last 10 characters of the token
    #[arg(value_name = "TOKEN", value_parser = values::token, allow_hyphen_values = true)]
    token: String,
    /// The token itself: anyone who has it can send to the phone
    #[arg(long)]
    reveal: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl tokens log 1a2b3c4d
  zmesctl tokens log 1a2b3c4d --limit 1000 --jsonl | jq -r .decision | sort | uniq -c")]
pub struct LogArgs {
    /// Handle, or the last 10 characters of the token
    #[arg(value_name = "TOKEN", value_parser = values::token, allow_hyphen_values = true)]
    token: String,
    /// Maximum number of entries [default: 100]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: Option<u32>,
}

#[derive(Debug, Args)]
pub struct ChangeArgs {
    #[command(flatten)]
    selection: TokenArgs,
    #[command(flatten)]
    consent: Consent,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl tokens list --state revoked
  zmesctl tokens restore 1a2b3c4d
  zmesctl tokens list --state revoked -q | xargs zmesctl tokens restore")]
pub struct RestoreArgs {
    /// Handles, unique prefixes of handles, or the last 10 characters of tokens
    // No dashes, as with `revoke`: the list would swallow options, too.
    #[arg(value_name = "TOKEN", value_parser = values::token, required = true)]
    tokens: Vec<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl tokens mute 1a2b3c4d --for 1h
  zmesctl tokens mute 1a2b3c4d              until `zmesctl tokens unmute`
  zmesctl tokens mute --user 'a*' --for 8h --yes")]
pub struct MuteArgs {
    #[command(flatten)]
    change: ChangeArgs,
    /// Duration of the mute [default: until `tokens unmute`]
    #[arg(long = "for", value_name = "DURATION", value_parser = values::duration)]
    lasting: Option<Duration>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl tokens prune --stale 60d --dry-run    show which would be revoked
  zmesctl tokens prune --stale 60d --yes        for a cron job
  zmesctl tokens prune --stale 60d --platform ios --failing

`zmesctl tokens restore` restores them within state.keep-tombstones.")]
pub struct PruneArgs {
    /// Time for which a token was not seen
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    stale: Duration,
    #[command(flatten)]
    selection: TokenCriteria,
    #[command(flatten)]
    consent: Consent,
}

pub(crate) async fn run(command: TokensCommand, context: &mut Context) -> Outcome {
    match command {
        TokensCommand::List(ListArgs { selection, stale, reveal }) => {
            let filter = TokenFilter { reveal, ..selection.filter(stale, context).await? };
            list::run(filter, context).await
        }
        TokensCommand::Show(ShowArgs { token, reveal }) => {
            context.ask::<TokenShown>(Request::TokensShow { token, reveal }).await
        }
        TokensCommand::Log(LogArgs { token, limit }) => {
            context.ask::<Deliveries>(Request::TokensLog { token, limit }).await
        }
        TokensCommand::Revoke(arguments) => {
            let verb = Verb { what: "revoking", command: "revoke", question: "Revoke?" };
            let request = |tokens, dry_run| Request::TokensRevoke { tokens, dry_run };
            change(verb, arguments, context, &request).await
        }
        TokensCommand::Block(arguments) => {
            let verb = Verb { what: "blocking", command: "block", question: "Block?" };
            let request = |tokens, dry_run| Request::TokensBlock { tokens, dry_run };
            change(verb, arguments, context, &request).await
        }
        TokensCommand::Unblock(arguments) => {
            let verb = Verb { what: "unblocking", command: "unblock", question: "Unblock?" };
            let request = |tokens, dry_run| Request::TokensUnblock { tokens, dry_run };
            change(verb, arguments.named_is_meant(), context, &request).await
        }
        TokensCommand::Restore(RestoreArgs { tokens }) => change::restore(tokens, context).await,
        TokensCommand::Mute(MuteArgs { change: arguments, lasting }) => {
            let verb = Verb { what: "muting", command: "mute", question: "Mute?" };
            let for_ms = lasting.map(values::milliseconds);
            let request = |tokens, dry_run| Request::TokensMute { tokens, dry_run, for_ms };
            change(verb, arguments.named_is_meant(), context, &request).await
        }
        TokensCommand::Unmute(arguments) => {
            let verb = Verb { what: "unmuting", command: "unmute", question: "Unmute?" };
            let request = |tokens, dry_run| Request::TokensUnmute { tokens, dry_run };
            change(verb, arguments.named_is_meant(), context, &request).await
        }
        TokensCommand::Prune(arguments) => prune(arguments, context).await,
        TokensCommand::Import(arguments) => import::run(arguments, context).await,
        TokensCommand::Export(arguments) => export::run(arguments, context).await,
    }
}

impl ChangeArgs {
    /// Asks only about a selection by options: naming a token is deliberate, and the change can be undone.
    fn named_is_meant(mut self) -> Self {
        self.consent.yes |= self.selection.names_all();
        self
    }
}

/// Changes the named or selected tokens. `request` makes the request for them; its flag says whether it is a dry run.
async fn change(
    verb: Verb,
    arguments: ChangeArgs,
    context: &mut Context,
    request: &dyn Fn(TokenSelection, bool) -> Request,
) -> Outcome {
    let ChangeArgs { selection, consent } = arguments;
    let tokens = selection.choose(verb, consent, context).await?;
    let instead = change::instead(&tokens, verb.command);
    let change = Change { what: verb.what, instead, question: verb.question, tokens, request };
    apply(change, consent, context).await
}

async fn prune(arguments: PruneArgs, context: &mut Context) -> Outcome {
    let PruneArgs { stale, selection, consent } = arguments;
    consent.check(context, PRUNING, HINT_CONSENT)?;
    let select = if selection.is_empty() { None } else { Some(selection.filter(None, context).await?) };
    let stale_ms = values::milliseconds(stale);
    let change = Change {
        what: PRUNING,
        instead: HINT_CONSENT.to_owned(),
        question: "Revoke?",
        // The request itself contains the selection.
        tokens: TokenSelection::Matching(TokenFilter::default()),
        request: &|_, dry_run| Request::TokensPrune { stale_ms, select: select.clone(), dry_run },
    };
    apply(change, consent, context).await
}
