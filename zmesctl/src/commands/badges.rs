//! `zmesctl badges reset`.

use clap::{Args, Subcommand};
use zmes_shared::control::{Request, TokenFilter, TokenSelection};

use crate::commands::ask::Consent;
use crate::commands::tokens::change::{Change, apply};
use crate::context::{Context, Outcome};
use crate::values;

#[derive(Debug, Subcommand)]
#[command(
    disable_help_subcommand = true,
    after_help = "Examples:\n  zmesctl badges reset 1a2b3c4d\n  zmesctl badges reset --all --yes"
)]
pub enum BadgesCommand {
    /// Set the badge of an app icon to 0 or another number
    Reset(ResetArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl badges reset 1a2b3c4d
  zmesctl badges reset --all --yes      without confirmation, for scripts
  zmesctl badges reset 1a2b3c4d --to 5

The icon shows the new number with the next push.")]
pub struct ResetArgs {
    /// Handles, unique prefixes of them, or the last 10 characters of tokens
    // If this accepted values with a leading dash, it would swallow every option after it, too.
    #[arg(value_name = "TOKEN", value_parser = values::token, required_unless_present = "all")]
    tokens: Vec<String>,
    /// All tokens
    #[arg(long, conflicts_with = "tokens")]
    all: bool,
    /// Number to show
    #[arg(long, value_name = "N", default_value_t = 0)]
    to: u32,
    #[command(flatten)]
    consent: Consent,
}

pub(crate) async fn run(command: BadgesCommand, context: &mut Context) -> Outcome {
    let BadgesCommand::Reset(ResetArgs { tokens, all, to, consent }) = command;
    let request = move |tokens, dry_run| Request::BadgesReset { tokens, to, dry_run };
    if all {
        let change = Change {
            what: "resetting all badges",
            instead: "zmesctl badges reset --all --yes".to_owned(),
            question: "Reset their badges?",
            tokens: TokenSelection::Matching(TokenFilter::default()),
            request: &request,
        };
        return apply(change, consent, context).await;
    }
    // Named badges are easy to set back, so this does not ask.
    let consent = Consent { yes: true, ..consent };
    let change = Change {
        what: "resetting badges",
        instead: String::new(),
        question: "Reset their badges?",
        tokens: TokenSelection::Named(tokens),
        request: &request,
    };
    apply(change, consent, context).await
}
