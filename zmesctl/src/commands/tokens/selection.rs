//! Which tokens a command is about, where they are not named: what lists show is what changes change.

use std::time::Duration;

use clap::Args;
use zmes_shared::control::{PlatformKind, TokenFilter, TokenSelection, TokenState};

use crate::commands::ask::Consent;
use crate::commands::named;
use crate::context::Context;
use crate::error::CliError;
use crate::values::{self, MonitorArg};

/// What to type where nobody can be asked.
pub(super) const HINT_CONSENT: &str = "add --yes, or --dry-run to see what would happen";

/// Options that choose tokens; several of them must all hold.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct TokenCriteria {
    /// Only phones of this kind
    #[arg(long, value_enum, value_name = "ios|android", hide_possible_values = true)]
    platform: Option<PlatformKind>,
    /// Only this ZoneMinder user; `*` stands for any characters
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Only tokens in this state [default: all but revoked and blocked]
    #[arg(long, value_enum, value_name = "STATE")]
    state: Option<TokenState>,
    /// Only those whose last push failed
    #[arg(long)]
    failing: bool,
    /// Only those that want to hear of this monitor
    #[arg(long, value_name = "ID|NAME")]
    monitor: Option<MonitorArg>,
}

/// What is to be done, in words.
#[derive(Debug, Clone, Copy)]
pub(super) struct Verb {
    /// "revoking"
    pub(super) what: &'static str,
    /// "revoke"
    pub(super) command: &'static str,
    /// "Revoke?"
    pub(super) question: &'static str,
}

/// Tokens by name, by what they have in common, or all.
#[derive(Debug, Args)]
pub(super) struct TokenArgs {
    /// Handles, unique prefixes of them, or the last 10 characters of tokens
    // A list that took what begins with a dash would take every option behind it, too.
    #[arg(value_name = "T", value_parser = values::token)]
    tokens: Vec<String>,
    /// All tokens
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    selection: TokenCriteria,
    /// Only tokens not seen for at least this long
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    stale: Option<Duration>,
}

impl TokenArgs {
    /// Says whether each token is named.
    pub(super) fn names_all(&self) -> bool {
        !self.tokens.is_empty()
    }

    /// Returns which tokens are meant, once it is sure that somebody says yes; exactly one way of naming them is taken.
    pub(super) async fn choose(
        self,
        verb: Verb,
        consent: Consent,
        context: &Context,
    ) -> Result<TokenSelection, CliError> {
        let Self { tokens, all, selection, stale } = self;
        let selected = !selection.is_empty() || stale.is_some();
        match (tokens.is_empty(), all, selected) {
            (false, false, false) => Ok(TokenSelection::Named(tokens)),
            (true, true, false) => Ok(TokenSelection::Matching(TokenFilter::default())),
            (true, false, true) => {
                consent.check(context, verb.what, HINT_CONSENT)?;
                Ok(TokenSelection::Matching(selection.filter(stale, context).await?))
            }
            (true, false, false) => Err(CliError::Usage {
                message: format!("{} wants to know which tokens", verb.what),
                hint: format!("zmesctl tokens {} T, or --user, --platform, …, or --all", verb.command),
            }),
            (_, _, _) => Err(CliError::Usage {
                message: "tokens are named, or selected, or all of them: not several of these at once"
                    .to_owned(),
                hint: format!("zmesctl tokens {} --help shows how", verb.command),
            }),
        }
    }
}

impl TokenCriteria {
    /// Says whether nothing is said.
    pub(super) fn is_empty(&self) -> bool {
        let Self { platform, user, state, failing, monitor } = self;
        platform.is_none() && user.is_none() && state.is_none() && !failing && monitor.is_none()
    }

    /// Returns the filter; a monitor that is named is looked up.
    pub(super) async fn filter(
        self,
        stale: Option<Duration>,
        context: &Context,
    ) -> Result<TokenFilter, CliError> {
        let Self { platform, user, state, failing, monitor } = self;
        let monitor = named::monitor(monitor, context).await?;
        let stale_ms = stale.map(values::milliseconds);
        Ok(TokenFilter { platform, user, state, stale_ms, failing, monitor, reveal: false, after: None })
    }
}
