//! Changes tokens: in batches that fit into a request, with a confirmation if the change is destructive.

use std::collections::HashSet;
use std::fmt::Write;
use std::io;

use zmes_shared::client::{ClientError, ControlClient};
use zmes_shared::control::{ControlError, ErrorCode, Request, TokenSelection};
use zmes_shared::views::{TokenFailure, TokenView, TokensChanged};

use super::list;
use super::selection::HINT_CONSENT;
use crate::commands::ask::{Consent, confirmed};
use crate::context::{Context, Outcome};
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::{Out, Tone, View, clean, time};

/// Maximum number of names in one request.
const NAMES: usize = 1000;
/// Maximum number of bytes of names in one request. A request has at most 64 KiB, and JSON may double them.
const BATCH: usize = 24 * 1024;
/// Number of tokens that a confirmation shows.
const SHOWN: usize = 20;

/// A change of tokens that may need a confirmation.
pub(crate) struct Change<'c> {
    /// For people: "revoking".
    pub(crate) what: &'static str,
    pub(crate) instead: String,
    pub(crate) question: &'static str,
    pub(crate) tokens: TokenSelection,
    /// Makes the request for these tokens; the flag says whether it is a dry run.
    pub(crate) request: &'c dyn Fn(TokenSelection, bool) -> Request,
}

/// Returns the command line that needs no confirmation.
pub(super) fn instead(tokens: &TokenSelection, command: &str) -> String {
    let TokenSelection::Named(tokens) = tokens else { return HINT_CONSENT.to_owned() };
    let named = tokens.join(" ");
    if tokens.iter().any(|token| token.starts_with('-')) {
        return format!("zmesctl tokens {command} --yes -- {named}");
    }
    format!("zmesctl tokens {command} {named} --yes")
}

/// Restores tokens one by one, because each has its own answer.
pub(super) async fn restore(tokens: Vec<String>, context: &mut Context) -> Outcome {
    let mut daemon = context.connect().await?;
    let mut all = TokensChanged { change: "restored".to_owned(), ..TokensChanged::default() };
    for token in batches(&tokens).concat() {
        match daemon.request::<TokensChanged>(Request::TokensRestore { token: token.clone() }).await {
            Ok(answer) => {
                all.count += answer.count;
                all.tokens.extend(answer.tokens);
                all.failed.extend(answer.failed);
            }
            Err(ClientError::Refused(error)) => all.failed.push(TokenFailure { token, error }),
            // A broken connection must not hide what was already done.
            Err(error) if all.count == 0 => return Err(error.into()),
            Err(error) => {
                let error = ControlError::new(ErrorCode::Unavailable, error.to_string());
                all.failed.push(TokenFailure { token, error });
            }
        }
    }
    show(all, context)
}

/// Asks for confirmation if needed, then sends the change.
pub(crate) async fn apply(change: Change<'_>, consent: Consent, context: &mut Context) -> Outcome {
    consent.check(context, change.what, &change.instead)?;
    let batches = match &change.tokens {
        TokenSelection::Named(tokens) => batches(tokens).into_iter().map(TokenSelection::Named).collect(),
        matching @ TokenSelection::Matching(_) => vec![matching.clone()],
    };
    let mut daemon = context.connect().await?;
    if consent.dry_run {
        let changed = request_all(&mut daemon, &change, &batches, true).await?;
        return show(changed, context);
    }
    if !consent.yes {
        let preview = request_all(&mut daemon, &change, &batches, true).await?;
        if preview.count == 0 {
            return show(TokensChanged { dry_run: false, ..preview }, context);
        }
        if !confirmed(context, &about(&preview, &context.out), change.question)? {
            return Err(CliError::Declined);
        }
    }
    let changed = request_all(&mut daemon, &change, &batches, false).await?;
    show(changed, context)
}

/// Splits names so that each request fits; duplicates are dropped.
fn batches(tokens: &[String]) -> Vec<Vec<String>> {
    let mut batches = vec![Vec::new()];
    let (mut size, mut count, mut seen) = (0, 0, HashSet::new());
    for token in tokens.iter().filter(|token| seen.insert(token.as_str())) {
        if (size + token.len() > BATCH && size > 0) || count == NAMES {
            batches.push(Vec::new());
            (size, count) = (0, 0);
        }
        size += token.len() + 3;
        count += 1;
        if let Some(batch) = batches.last_mut() {
            batch.push(token.clone());
        }
    }
    batches
}

async fn request_all(
    daemon: &mut ControlClient,
    change: &Change<'_>,
    batches: &[TokenSelection],
    dry_run: bool,
) -> Result<TokensChanged, CliError> {
    let mut all: Option<TokensChanged> = None;
    for batch in batches {
        let request = (change.request)(batch.clone(), dry_run);
        match (daemon.request::<TokensChanged>(request).await, &mut all) {
            (Ok(answer), None) => all = Some(answer),
            (Ok(answer), Some(all)) => {
                all.count += answer.count;
                all.tokens.extend(answer.tokens);
                all.failed.extend(answer.failed);
            }
            // Nothing was changed yet, so there is nothing else to report.
            (Err(error), None) => return Err(error.into()),
            (Err(error), Some(all)) => {
                let error = if let ClientError::Refused(error) = error {
                    error
                } else {
                    ControlError::new(ErrorCode::Unavailable, error.to_string())
                };
                // A filter is a single batch, so if a later batch fails, it contains names.
                let TokenSelection::Named(names) = batch else { continue };
                let failed =
                    names.iter().map(|token| TokenFailure { token: token.clone(), error: error.clone() });
                all.failed.extend(failed);
            }
        }
    }
    Ok(all.unwrap_or_default())
}

/// Shows the result. A single token that could not be changed is an error.
fn show(mut changed: TokensChanged, context: &mut Context) -> Outcome {
    if changed.count == 0
        && changed.failed.len() == 1
        && let Some(failure) = changed.failed.pop()
    {
        return Err(CliError::Daemon(failure.error));
    }
    context.show(&changed)
}

fn about(preview: &TokensChanged, out: &Out) -> String {
    let shown = preview.tokens.get(..SHOWN).unwrap_or(&preview.tokens);
    let mut text = format!("{}:\n{}", counted(preview.count), list::brief(shown).render(out.look()));
    let more = preview.count.saturating_sub(shown.len() as u64);
    // Writing to a String cannot fail.
    if more > 0 {
        write!(text, "\n(and {more} more)").ok();
    }
    for failure in &preview.failed {
        write!(text, "\nnot {}: {}", clean(&failure.token), clean(&failure.error.message)).ok();
    }
    text
}

fn counted(count: u64) -> String {
    if count == 1 { "1 token".to_owned() } else { format!("{count} tokens") }
}

impl View for TokensChanged {
    fn human(&self, out: &mut Out) -> io::Result<()> {
        let sentence = sentence(self, out);
        match (self.tokens.as_slice(), self.count) {
            ([], 0) => out.line(&sentence)?,
            ([token], 1) => out.line(&format!("token {}: {sentence}", described(token)))?,
            (tokens, count) => {
                out.line(&format!("{}: {sentence}", counted(count)))?;
                out.table(&list::brief(tokens))?;
                let more = count.saturating_sub(tokens.len() as u64);
                if more > 0 {
                    out.line(&format!("(and {more} more)"))?;
                }
            }
        }
        for failure in &self.failed {
            let failed = out.paint(Tone::Bad, "failed");
            let hint =
                failure.error.hint.as_deref().map_or_else(String::new, |hint| format!(" ({})", clean(hint)));
            let (token, message) = (clean(&failure.token), clean(&failure.error.message));
            out.line(&format!("{failed} {token}: {message}{hint}"))?;
        }
        Ok(())
    }

    fn exit(&self) -> Exit {
        let not_found = |failure: &TokenFailure| failure.error.code == ErrorCode::NotFound;
        match (self.failed.is_empty(), self.count) {
            (true, _) => Exit::Done,
            (false, 0) if self.failed.iter().all(not_found) => Exit::NotFound,
            (false, 0) => Exit::Negative,
            (false, _) => Exit::Partial,
        }
    }
}

fn sentence(changed: &TokensChanged, out: &Out) -> String {
    let first = changed.tokens.first();
    let done = match changed.change.as_str() {
        "muted" => match first.and_then(|token| token.mute_until) {
            Some(until) => format!("muted until {}", time::date(until, &out.look().zone)),
            None => "muted until zmesctl tokens unmute".to_owned(),
        },
        "badge_reset" => match first {
            Some(token) if !changed.dry_run => format!("badge set to {}", token.badge),
            Some(_) | None => "badge set".to_owned(),
        },
        other => clean(other).into_owned(),
    };
    match (changed.count, changed.dry_run) {
        (0, true) => format!("no token would be {done}"),
        (0, false) => format!("no token {done}"),
        (_, true) => format!("would be {done}"),
        (_, false) if changed.change == "revoked" => {
            format!(
                "{done} (zmesctl tokens restore or opening the app undoes it; zmesctl tokens block is permanent)"
            )
        }
        (_, false) if changed.change == "blocked" => {
            format!("{done}; the app cannot register it again (zmesctl tokens unblock undoes it)")
        }
        (_, false) if changed.change == "unblocked" => {
            format!("{done}; it stays revoked until its app is opened, or until zmesctl tokens restore")
        }
        (_, false) => done,
    }
}

/// Returns a token in a few clean words: "1a2b3c4d (ios, admin, zmninja)".
fn described(token: &TokenView) -> String {
    let parts = [Some(token.platform.as_str()), Some(token.user.as_str()), token.app.as_deref()];
    let parts: Vec<_> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    format!("{} ({})", clean(&token.handle), clean(&parts.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_asked_for_once_in_requests_that_fit() {
        let names: Vec<String> = (0..9000).map(|number| format!("{:08x}", number % 8000)).collect();
        let batches = batches(&names);
        assert!(batches.len() > 1);
        assert_eq!(batches.concat(), names[..8000]);
        for batch in batches {
            assert!(batch.len() <= NAMES && serde_json::to_string(&batch).unwrap().len() < 60 * 1024);
        }
    }

    #[test]
    fn the_exit_code_tells_none_from_some() {
        let failure = |code| TokenFailure { token: "9f".into(), error: ControlError::new(code, "no") };
        let exit =
            |count, failed: Vec<TokenFailure>| TokensChanged { count, failed, ..Default::default() }.exit();
        assert_eq!(exit(0, Vec::new()), Exit::Done);
        assert_eq!(exit(1, vec![failure(ErrorCode::NotFound)]), Exit::Partial);
        assert_eq!(exit(0, vec![failure(ErrorCode::NotFound)]), Exit::NotFound);
        assert_eq!(exit(0, vec![failure(ErrorCode::NotFound), failure(ErrorCode::Conflict)]), Exit::Negative);
    }
}
