//! Compares tokens from a file with the tokens that are already known.

use std::collections::HashMap;

use jiff::Timestamp;
use zmes_providers::{App, PushToken};

use super::token_handle::TokenImported;
use super::tokens::TokenTable;
use crate::domain::{Token, TokenId};

#[derive(Debug, Default)]
pub(super) struct ImportPlan {
    /// One outcome for each token of the file, in the same order.
    pub(super) outcomes: Vec<TokenImported>,
    /// The tokens that are new or changed, in their final form.
    pub(super) tokens: Vec<Token>,
}

/// Plans an import without changing anything.
///
/// What an app has registered is newer than any file and stays. A revoked token stays revoked: an admin decided so, or
/// its provider no longer knows it, and an older file cannot know that. So importing twice changes nothing.
pub(super) fn plan(known: &TokenTable, imports: Vec<Token>, now: Timestamp) -> ImportPlan {
    let mut plan = ImportPlan::default();
    // If a file lists a token twice, the second entry finds it already known.
    let mut planned: HashMap<PushToken, usize> = HashMap::new();
    let mut next = known.next_id();
    let mut room = known.room();
    for import in imports {
        let earlier = planned.get(&import.token).copied();
        let before = match earlier.and_then(|index| plan.tokens.get(index)) {
            Some(token) => Some(token.clone()),
            None => known.find(&import.token).map(|entry| Token::clone(entry.token())),
        };
        let (outcome, token) = match before {
            None if room == 0 => (TokenImported::Refused("too many tokens"), None),
            None => {
                room -= 1;
                let id = next;
                next = TokenId(id.0 + 1);
                (TokenImported::New(id), Some(Token { id, created_at: now, last_seen_at: now, ..import }))
            }
            Some(before) if before.blocked() => {
                (TokenImported::Refused("it is blocked: tokens unblock lets it be used again"), None)
            }
            Some(before) if before.revoked.is_some() => {
                (TokenImported::Refused("it was revoked: tokens restore brings it back"), None)
            }
            Some(before) => again(&before, import),
        };
        if let Some(token) = token {
            if let Some(planned) = earlier.and_then(|index| plan.tokens.get_mut(index)) {
                *planned = token;
            } else {
                planned.insert(token.token.clone(), plan.tokens.len());
                plan.tokens.push(token);
            }
        }
        plan.outcomes.push(outcome);
    }
    plan
}

/// A token that is already known. What the file does not contain stays, and so does the badge, which has moved on.
fn again(before: &Token, import: Token) -> (TokenImported, Option<Token>) {
    let id = before.id;
    let told = |new: String, old: &String| if new.is_empty() { old.clone() } else { new };
    let after = Token {
        platform: import.platform,
        state: import.state,
        user: told(import.user, &before.user),
        app: if import.app == App::Unknown { before.app } else { import.app },
        app_version: told(import.app_version, &before.app_version),
        profile: told(import.profile, &before.profile),
        filter: import.filter,
        ..before.clone()
    };
    if after == *before {
        return (TokenImported::Unchanged(id), None);
    }
    // Only an app sets the owner of a token, or a file that names one: an admin has then reviewed that file.
    if before.user.is_empty() {
        (TokenImported::Changed(id), Some(after))
    } else {
        (TokenImported::Kept(id), None)
    }
}
