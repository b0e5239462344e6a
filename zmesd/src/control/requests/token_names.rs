//! Which token an admin means: a unique prefix of its handle, or its last ten characters.

use zmes_shared::control::{ControlError, ErrorCode};

use super::no_token;
use crate::domain::Token;
use crate::state::{StateError, StateHandle, TokenRow};

/// Characters of a token that name it.
const TAIL: usize = 10;
/// Tokens that an error lists at most.
const LISTED: usize = 5;

/// Returns the token that `name` means, revoked or not.
pub(super) async fn resolve(state: &StateHandle, name: &str) -> Result<Token, ControlError> {
    let rows = state.tokens().await.map_err(|error| unreadable(&error))?;
    let name = name.trim();
    let mut found: Vec<_> = rows.into_iter().filter(|row| is_named(row, name)).collect();
    match (found.len(), found.pop()) {
        (1, Some(row)) => Ok(row.token),
        (_, None) => Err(no_token(name)),
        (count, Some(_)) => Err(ambiguous(name, count, &found)),
    }
}

fn is_named(row: &TokenRow, name: &str) -> bool {
    let prefix = name.to_ascii_lowercase();
    let by_handle = !name.is_empty() && row.token.handle.digits().starts_with(&prefix);
    by_handle || (name.chars().count() == TAIL && row.token.token.expose().ends_with(name))
}

fn ambiguous(name: &str, count: usize, some: &[TokenRow]) -> ControlError {
    let listed: Vec<_> = some.iter().take(LISTED).map(|row| row.token.handle.to_string()).collect();
    let error = ControlError::new(ErrorCode::BadRequest, format!("`{name}` names {count} tokens"));
    error.with_hint(format!("more digits of the handle, please; among them: {}", listed.join(", ")))
}

fn unreadable(error: &StateError) -> ControlError {
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    ControlError::new(ErrorCode::Unavailable, format!("cannot read the tokens: {error}: {cause}"))
}
