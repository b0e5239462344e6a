//! Values that only the daemon knows: handles of tokens, ids of clients and monitors, names of users.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use clap::{Arg, ValueEnum};
use zmes_shared::client::{ClientError, ControlClient};
use zmes_shared::control::{ClientFilter, EventFilter, Request, TokenFilter, TokenState, TransportKind};
use zmes_shared::views::{
    ClientView, Clients, ClusterNode, ClusterStatus, EventView, Events, MonitorElsewhere, MonitorView,
    Monitors, SnoozeView, Snoozes, TokenView, Tokens,
};

use super::Candidate;
use crate::commands::cluster::status;
use crate::render::clean;

/// Time limit for the daemon, for all requests together: the shell waits for the answer.
const LIMIT: Duration = Duration::from_millis(800);
/// Maximum number of values.
const MAX: usize = 1000;
/// Number of alarms offered: `why` is usually about a recent one.
const EVENTS: u32 = 50;

/// A kind of value that the daemon knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Live {
    /// Handles of tokens that are not revoked.
    Tokens,
    /// Handles of tokens that can be restored.
    RevokedTokens,
    /// Handles of tokens that are blocked.
    BlockedTokens,
    /// Handles of muted tokens.
    MutedTokens,
    Clients,
    Monitors,
    /// Monitors, and `all`.
    MonitorsOrAll,
    /// Numbers of snoozes, and `all`.
    SnoozesOrAll,
    /// Names of users who have a connected app or a token.
    Users,
    /// Handles of tokens, and names of users.
    TokensOrUsers,
    /// `last`, and the events before it.
    LastOrEvents,
    /// Events of the latest alarms.
    Events,
    /// Kinds of transports, and handles of targets.
    Transports,
    /// Names of the cluster's nodes.
    Nodes,
}

impl Live {
    /// Parses a kind from its `Debug` output.
    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::value_variants().iter().copied().find(|live| format!("{live:?}") == name)
    }

    /// Returns the kind of value for an argument, by its value name. `path` is the commands that lead to it, without
    /// the program.
    pub(super) fn of(path: &[&str], arg: &Arg) -> Option<Self> {
        let words: Vec<&str> =
            arg.get_value_names().unwrap_or_default().iter().flat_map(|name| name.split('|')).collect();
        let named = |name: &str| words.contains(&name);
        if named("NODE") {
            return Some(Self::Nodes);
        }
        if named("TRANSPORT") {
            return Some(Self::Transports);
        }
        match (named("TOKEN"), named("USER")) {
            (true, true) => return Some(Self::TokensOrUsers),
            (true, false) => {
                return Some(match path {
                    ["tokens", "restore"] => Self::RevokedTokens,
                    ["tokens", "unblock"] => Self::BlockedTokens,
                    ["tokens", "unmute"] => Self::MutedTokens,
                    _ => Self::Tokens,
                });
            }
            (false, true) => return Some(Self::Users),
            (false, false) => {}
        }
        if named("all") && named("MONITOR") {
            return Some(if path == ["snooze", "end"] { Self::SnoozesOrAll } else { Self::MonitorsOrAll });
        }
        if named("EVENT") && named("last") {
            return Some(Self::LastOrEvents);
        }
        if named("EVENT") && path == ["pictures", "test"] {
            return Some(Self::Events);
        }
        if named("MONITOR") || arg.get_long() == Some("monitor") {
            return Some(Self::Monitors);
        }
        (path == ["clients", "disconnect"] && arg.is_positional()).then_some(Self::Clients)
    }

    /// Returns the fixed words, which need no daemon.
    pub(super) fn words(self) -> Vec<Candidate> {
        let word = |word: &str, description| vec![Candidate::new(word.to_owned(), description)];
        match self {
            Self::LastOrEvents => word("last", "the last announced alarm"),
            Self::MonitorsOrAll => word("all", "all monitors"),
            Self::SnoozesOrAll => word("all", "all snoozes"),
            Self::Transports => {
                let kinds = TransportKind::ALL.iter();
                kinds.map(|kind| Candidate::new(kind.as_str().to_owned(), "all of this kind")).collect()
            }
            Self::Tokens
            | Self::RevokedTokens
            | Self::BlockedTokens
            | Self::MutedTokens
            | Self::Clients
            | Self::Monitors
            | Self::Users
            | Self::Events
            | Self::Nodes
            | Self::TokensOrUsers => Vec::new(),
        }
    }
}

/// Returns the daemon's values, or only those that arrived, if it is away, refuses or is too slow.
pub(super) async fn values(live: Live, socket: &Path) -> Vec<Candidate> {
    let mut found = Vec::new();
    let asked = async {
        let mut daemon = ControlClient::connect_within(socket, LIMIT).await?;
        gather(live, &mut daemon, &mut found).await
    };
    // An error in the middle of a command line helps nobody: the shell offers what there is.
    tokio::time::timeout(LIMIT, asked).await.ok();
    found
}

async fn gather(
    live: Live,
    daemon: &mut ControlClient,
    found: &mut Vec<Candidate>,
) -> Result<(), ClientError> {
    match live {
        Live::Tokens => tokens(None, daemon, found, token).await,
        Live::RevokedTokens => tokens(Some(TokenState::Revoked), daemon, found, token).await,
        Live::BlockedTokens => tokens(Some(TokenState::Blocked), daemon, found, token).await,
        Live::MutedTokens => tokens(Some(TokenState::Muted), daemon, found, token).await,
        Live::Clients => {
            let Clients { clients } = daemon.request(Request::ClientsList(ClientFilter::default())).await?;
            found.extend(clients.iter().take(MAX).map(client));
            Ok(())
        }
        Live::Monitors | Live::MonitorsOrAll => {
            let Monitors { monitors, elsewhere } = daemon.request(Request::MonitorsList).await?;
            found.extend(monitors.iter().take(MAX).map(monitor));
            found.extend(elsewhere.iter().take(MAX).map(other_monitor));
            Ok(())
        }
        Live::SnoozesOrAll => {
            let Snoozes { snoozes } = daemon.request(Request::SnoozeList).await?;
            found.extend(snoozes.iter().take(MAX).map(snooze));
            Ok(())
        }
        Live::LastOrEvents | Live::Events => {
            let filter = EventFilter { limit: Some(EVENTS), ..EventFilter::default() };
            let Events { events, .. } = daemon.request(Request::Events(filter)).await?;
            found.extend(events.iter().rev().filter_map(event).take(MAX));
            Ok(())
        }
        Live::Users => users(daemon, found).await,
        Live::Nodes => {
            let ClusterStatus { nodes, .. } = daemon.request(Request::ClusterStatus).await?;
            let nodes = nodes.iter().filter(|node| is_plain(&node.name));
            found.extend(nodes.take(MAX).map(node));
            Ok(())
        }
        Live::Transports => {
            let mut all = Vec::new();
            let asked = tokens(None, daemon, &mut all, token).await;
            found.extend(all.into_iter().filter(|candidate| candidate.value.starts_with('@')));
            asked
        }
        Live::TokensOrUsers => {
            users(daemon, found).await?;
            tokens(None, daemon, found, token).await
        }
    }
}

/// Requests page by page, so that what arrived in time is kept.
async fn tokens(
    state: Option<TokenState>,
    daemon: &mut ControlClient,
    found: &mut Vec<Candidate>,
    show: impl Fn(&TokenView) -> Candidate,
) -> Result<(), ClientError> {
    let mut after = None;
    while found.len() < MAX {
        let filter = TokenFilter { state, after, ..TokenFilter::default() };
        let Tokens { tokens, next } = daemon.request(Request::TokensList(filter)).await?;
        found.extend(tokens.iter().take(MAX - found.len()).map(&show));
        match next {
            // A page that does not advance would be requested forever.
            Some(next) if after.is_none_or(|before| before < next) => after = Some(next),
            Some(_) | None => break,
        }
    }
    Ok(())
}

/// Collects the users with a connected app, then those with a token.
async fn users(daemon: &mut ControlClient, found: &mut Vec<Candidate>) -> Result<(), ClientError> {
    let Clients { clients } = daemon.request(Request::ClientsList(ClientFilter::default())).await?;
    let mut seen = HashSet::new();
    for client in &clients {
        let name = client.user.as_deref().unwrap_or_default();
        if is_plain(name) && seen.insert(name.to_owned()) && found.len() < MAX {
            found.push(Candidate::new(name.to_owned(), "user with an app connected"));
        }
    }
    let mut owned = Vec::new();
    let name_of = |token: &TokenView| Candidate::new(token.user.clone(), "user with a token");
    let asked = tokens(None, daemon, &mut owned, name_of).await;
    owned.retain(|user| is_plain(&user.value) && seen.insert(user.value.clone()));
    found.extend(owned);
    asked
}

/// Returns whether a name can be typed as an option value: it contains no control characters and does not look like an
/// option.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('-') && name.trim() == name && clean(name) == name
}

fn token(token: &TokenView) -> Candidate {
    let user = if token.user.is_empty() { "imported" } else { &token.user };
    let state = match token.state {
        TokenState::Enabled | TokenState::Unknown => None,
        TokenState::Disabled | TokenState::Muted | TokenState::Revoked | TokenState::Blocked => {
            Some(token.state.as_str())
        }
    };
    let parts = [Some(user), Some(token.platform.as_str()), token.app.as_deref(), state];
    Candidate::new(handle(&token.handle), &described(parts))
}

/// Returns the hexadecimal digits of a handle, or `@` and a target's name. The answer may come from any process.
fn handle(text: &str) -> String {
    let plain =
        |character: &char| character.is_ascii_lowercase() || character.is_ascii_digit() || *character == '-';
    match text.strip_prefix('@') {
        Some(name) => std::iter::once('@').chain(name.chars().filter(plain)).collect(),
        None => text.chars().filter(char::is_ascii_hexdigit).collect(),
    }
}

fn client(client: &ClientView) -> Candidate {
    let user = client.user.as_deref().unwrap_or("not authenticated");
    let parts = [Some(user), client.app.as_deref(), Some(&client.address), None];
    Candidate::new(client.id.to_string(), &described(parts))
}

fn monitor(monitor: &MonitorView) -> Candidate {
    let health = if monitor.healthy { None } else { Some("not healthy") };
    Candidate::new(monitor.id.to_string(), &described([Some(&monitor.name), health, None, None]))
}

fn other_monitor(monitor: &MonitorElsewhere) -> Candidate {
    let text = described([Some(&monitor.name), Some("another node watches it"), None, None]);
    Candidate::new(monitor.id.to_string(), &text)
}

fn snooze(snooze: &SnoozeView) -> Candidate {
    let monitor = match (snooze.monitor_id, &snooze.monitor) {
        (None, _) => "all monitors".to_owned(),
        (Some(_), Some(name)) => name.clone(),
        (Some(id), None) => format!("monitor {id}"),
    };
    let whom = snooze.user.as_deref().or(snooze.token.as_deref()).unwrap_or("everybody");
    let by = format!("set by {}", snooze.by);
    Candidate::new(snooze.id.to_string(), &described([Some(&monitor), Some(whom), Some(&by), None]))
}

fn node(node: &ClusterNode) -> Candidate {
    let (state, _tone) = status::state(node);
    let pushes = node.pusher.then_some("sends the pushes");
    Candidate::new(node.name.clone(), &described([Some(state), pushes, None, None]))
}

/// Returns the event of an alarm; `None`: ZoneMinder recorded none, and `why` cannot name it.
fn event(alarm: &EventView) -> Option<Candidate> {
    let described = described([Some(&alarm.monitor), Some(&alarm.cause), None, None]);
    Some(Candidate::new(alarm.event_id?.to_string(), &described))
}

fn described(parts: [Option<&str>; 4]) -> String {
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_cannot_be_typed_are_left_out() {
        for plain in ["amy", "Jan Müller", "o'neill", "$(touch x)", "a`b`"] {
            assert!(is_plain(plain), "{plain}");
        }
        for other in ["", "-n", "--yes", "a\nb", "a\tb", "\u{1b}[2J", " amy", "\u{202e}amy"] {
            assert!(!is_plain(other), "{other:?}");
        }
        assert_eq!(handle("1a2b$(x)`;\n"), "1a2b");
        assert_eq!(handle("@night-guard$(x)`;\n"), "@night-guardx");
    }
}
