//! The values that only the daemon knows, for a shell that asks while somebody types.
//!
//! Whatever goes wrong, nothing is printed: an error in the middle of a command line helps nobody. The exit code tells.

use std::collections::HashSet;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, ValueEnum};
use zmes_shared::control::{ClientFilter, Request, TokenFilter, TokenState};
use zmes_shared::views::{ClientView, Clients, MonitorView, Monitors, TokenView, Tokens};

use crate::client::Client;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::clean;

/// How long the daemon may take, all questions together: somebody waits with a finger on the key.
const LIMIT: Duration = Duration::from_millis(800);
/// More candidates than that help nobody.
const MAX: usize = 1000;
/// Longest description, in characters: it shares a line with the value.
const DESCRIPTION: usize = 60;

/// What the daemon is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Live {
    /// Handles of tokens that are not revoked.
    Tokens,
    /// Handles of tokens that can be restored.
    RevokedTokens,
    /// Handles of tokens that are blocked.
    BlockedTokens,
    /// Handles of tokens that are silenced.
    MutedTokens,
    /// Numbers of connected apps.
    Clients,
    /// Numbers of monitors.
    Monitors,
    /// Names of users who have an app connected or a token.
    Users,
    /// Handles of tokens, and names of users.
    TokensOrUsers,
}

impl Live {
    /// Returns what belongs in the place of an argument, as the name of its value says; `path`: the commands that
    /// lead to it, without the program.
    pub(super) fn of(path: &[&str], arg: &Arg) -> Option<Self> {
        let words: Vec<&str> =
            arg.get_value_names().unwrap_or_default().iter().flat_map(|name| name.split('|')).collect();
        let named = |name: &str| words.contains(&name);
        match (named("T"), named("USER")) {
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
        if named("MONITOR") || arg.get_long() == Some("monitor") {
            return Some(Self::Monitors);
        }
        (path == ["clients", "disconnect"] && arg.is_positional()).then_some(Self::Clients)
    }

    /// Returns the word for `--candidates`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::RevokedTokens => "revoked-tokens",
            Self::BlockedTokens => "blocked-tokens",
            Self::MutedTokens => "muted-tokens",
            Self::Clients => "clients",
            Self::Monitors => "monitors",
            Self::Users => "users",
            Self::TokensOrUsers => "tokens-or-users",
        }
    }
}

/// One value that could be typed, and what it stands for.
#[derive(Debug, PartialEq, Eq)]
struct Candidate {
    value: String,
    description: String,
}

/// Prints the candidates, one a line: value, tab, description. `words`: the command line so far, without the program
/// and the word that is being typed.
pub async fn candidates(live: Live, words: &[OsString], context: &mut Context) -> Result<Exit, CliError> {
    let Some(socket) = socket(words, context) else { return Ok(Exit::Done) };
    let mut found = Vec::new();
    let asked = async {
        let mut daemon = Client::connect(&socket, LIMIT).await?;
        gather(live, &mut daemon, &mut found).await
    };
    let exit = match tokio::time::timeout(LIMIT, asked).await {
        Ok(Ok(())) => Exit::Done,
        Ok(Err(error)) => error.exit(),
        Err(_) => Exit::Timeout,
    };
    let mut told: HashSet<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    for Candidate { value, description } in &found {
        // What stands there already is not wanted twice.
        if !value.is_empty() && told.insert(value.as_bytes()) {
            context.out.line(&format!("{value}\t{description}")).map_err(CliError::Output)?;
        }
    }
    Ok(exit)
}

/// Returns the socket that the command line will use; `None`: that is not known before the shell has expanded it.
fn socket(words: &[OsString], context: &Context) -> Option<PathBuf> {
    let mut words = words.iter().map(|word| word.as_bytes()).take_while(|word| *word != b"--");
    let mut said = None;
    while let Some(word) = words.next() {
        if word == b"--socket" {
            // bash takes `--socket=PATH` apart at the sign.
            said = words.next().and_then(|value| if value == b"=" { words.next() } else { Some(value) });
        } else if let Some(value) = word.strip_prefix(b"--socket=") {
            said = Some(value);
        }
    }
    let Some(said) = said else { return Some(context.socket().to_owned()) };
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-+@:,".contains(byte) || !byte.is_ascii();
    said.iter().all(plain).then(|| PathBuf::from(std::ffi::OsStr::from_bytes(said)))
}

async fn gather(live: Live, daemon: &mut Client, found: &mut Vec<Candidate>) -> Result<(), CliError> {
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
        Live::Monitors => {
            let Monitors { monitors } = daemon.request(Request::MonitorsList).await?;
            found.extend(monitors.iter().take(MAX).map(monitor));
            Ok(())
        }
        Live::Users => users(daemon, found).await,
        Live::TokensOrUsers => {
            users(daemon, found).await?;
            tokens(None, daemon, found, token).await
        }
    }
}

/// Asks page by page, so that what came in time is kept.
async fn tokens(
    state: Option<TokenState>,
    daemon: &mut Client,
    found: &mut Vec<Candidate>,
    show: impl Fn(&TokenView) -> Candidate,
) -> Result<(), CliError> {
    let mut after = None;
    while found.len() < MAX {
        let filter = TokenFilter { state, after, ..TokenFilter::default() };
        let Tokens { tokens, next } = daemon.request(Request::TokensList(filter)).await?;
        found.extend(tokens.iter().take(MAX - found.len()).map(&show));
        match next {
            // A page that does not get on would be asked for for ever.
            Some(next) if after.is_none_or(|before| before < next) => after = Some(next),
            Some(_) | None => break,
        }
    }
    Ok(())
}

/// Gathers who has an app connected, then who has a token.
async fn users(daemon: &mut Client, found: &mut Vec<Candidate>) -> Result<(), CliError> {
    let Clients { clients } = daemon.request(Request::ClientsList(ClientFilter::default())).await?;
    let mut seen = HashSet::new();
    for client in &clients {
        let name = client.user.as_deref().unwrap_or_default();
        if is_plain(name) && seen.insert(name.to_owned()) && found.len() < MAX {
            found.push(Candidate {
                value: name.to_owned(),
                description: "user with an app connected".to_owned(),
            });
        }
    }
    let mut owned = Vec::new();
    let name_of = |token: &TokenView| Candidate {
        value: token.user.clone(),
        description: "user with a token".to_owned(),
    };
    let asked = tokens(None, daemon, &mut owned, name_of).await;
    owned.retain(|user| is_plain(&user.value) && seen.insert(user.value.clone()));
    found.extend(owned);
    asked
}

/// Says whether a name can be typed as the value of an option: with nothing in it that a terminal obeys, and not an
/// option itself.
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
    Candidate { value: handle(&token.handle), description: described(parts) }
}

/// Returns a handle as it is: hexadecimal digits and nothing else, whoever answers.
fn handle(text: &str) -> String {
    text.chars().filter(char::is_ascii_hexdigit).collect()
}

fn client(client: &ClientView) -> Candidate {
    let user = client.user.as_deref().unwrap_or("not authenticated");
    let parts = [Some(user), client.app.as_deref(), Some(&client.address), None];
    Candidate { value: client.id.to_string(), description: described(parts) }
}

fn monitor(monitor: &MonitorView) -> Candidate {
    let health = if monitor.healthy { None } else { Some("not healthy") };
    Candidate {
        value: monitor.id.to_string(),
        description: described([Some(&monitor.name), health, None, None]),
    }
}

/// Returns a description on one line, without anything that a terminal obeys.
fn described(parts: [Option<&str>; 4]) -> String {
    let whole = parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let whole = clean(&whole);
    if whole.chars().count() <= DESCRIPTION {
        return whole.into_owned();
    }
    whole.chars().take(DESCRIPTION - 3).chain("...".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_are_one_harmless_line() {
        let hostile = "a\u{1b}]0;x\u{7}\tb\nc\u{202e}";
        assert_eq!(
            described([Some(hostile), None, Some("d"), None]),
            "a\\u{1b}]0;x\\u{7}\\tb\\nc\\u{202e}, d"
        );
        let long = described([Some(&"x".repeat(200)), None, None, None]);
        assert_eq!((long.len(), long.ends_with("...")), (60, true));
    }

    #[test]
    fn names_that_cannot_be_typed_are_left_out() {
        for plain in ["amy", "Jan Müller", "o'neill", "$(touch x)", "a`b`"] {
            assert!(is_plain(plain), "{plain}");
        }
        for other in ["", "-n", "--yes", "a\nb", "a\tb", "\u{1b}[2J", " amy", "\u{202e}amy"] {
            assert!(!is_plain(other), "{other:?}");
        }
        assert_eq!(handle("1a2b$(x)`;\n"), "1a2b");
    }
}
