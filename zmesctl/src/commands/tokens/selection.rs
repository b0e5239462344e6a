//! Options that select tokens, the same for lists and for changes.

use std::time::Duration;

use clap::Args;
use zmes_shared::control::{PlatformKind, TokenFilter, TokenSelection, TokenState};

use crate::commands::ask::Consent;
use crate::commands::named;
use crate::context::Context;
use crate::error::CliError;
use crate::values::{self, MonitorArg};

/// What to type if there is no terminal.
pub(super) const HINT_CONSENT: &str = "add --yes, or use --dry-run to see what would change";

/// Options that select tokens; if several are given, all must match.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct TokenCriteria {
    /// Only phones of this platform
    #[arg(long, value_enum, value_name = "ios|android", hide_possible_values = true)]
    platform: Option<PlatformKind>,
    /// Only tokens of this ZoneMinder user; `*` matches any characters
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Only tokens in this state [default: all but revoked and blocked]
    #[arg(long, value_enum, value_name = "STATE")]
    state: Option<TokenState>,
    /// Only tokens whose last push failed
    #[arg(long)]
    failing: bool,
    /// Only tokens that get alarms of this monitor
    #[arg(long, value_name = "ID|NAME")]
    monitor: Option<MonitorArg>,
}

/// The words for a change.
#[derive(Debug, Clone, Copy)]
pub(super) struct Verb {
    /// "revoking"
    pub(super) what: &'static str,
    /// "revoke"
    pub(super) command: &'static str,
    /// "Revoke?"
    pub(super) question: &'static str,
}

/// Tokens by name, by options, or all of them.
#[derive(Debug, Args)]
pub(super) struct TokenArgs {
    /// Handles, unique prefixes of handles, or the last 10 characters of tokens
    // If this accepted values with a leading dash, it would swallow every option after it, too.
    #[arg(value_name = "TOKEN", value_parser = values::token)]
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
    /// Returns whether the selection is by name only.
    pub(super) fn names_all(&self) -> bool {
        !self.tokens.is_empty()
    }

    /// Returns the tokens if a confirmation is possible or not needed. Names, options and `--all` exclude each other.
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
                message: "no tokens given".to_owned(),
                hint: "name them, select with --user, --platform, …, or use --all".to_owned(),
            }),
            (_, _, _) => Err(CliError::Usage {
                message: "tokens can be named, selected or all of them, but only one of these at a time"
                    .to_owned(),
                hint: format!("zmesctl tokens {} --help shows examples", verb.command),
            }),
        }
    }
}

impl TokenCriteria {
    /// Returns whether no option is given.
    pub(super) fn is_empty(&self) -> bool {
        let Self { platform, user, state, failing, monitor } = self;
        platform.is_none() && user.is_none() && state.is_none() && !failing && monitor.is_none()
    }

    /// Returns the filter, with the id of the named monitor.
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
