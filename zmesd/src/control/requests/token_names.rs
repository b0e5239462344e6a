//! Which token an admin means: a prefix of its handle, or the end of the token itself; and how tokens are called.

use std::collections::HashMap;

use zmes_shared::control::{ControlError, ErrorCode};

use super::unreadable;
use crate::domain::{Token, TokenId};
use crate::state::{StateHandle, TokenRow};

/// Least characters of the end of a token that name it.
const TAIL: usize = 10;
/// Digits of a handle that people see at least.
const DIGITS: usize = 8;
/// Tokens that an error lists at most.
const LISTED: usize = 20;
/// Characters of a name that errors and logs repeat: more could be a whole token.
const REPEATED: usize = 10;

/// Which tokens a command is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All that are in the state.
    Any,
    /// Those that are not revoked.
    Live,
    /// Those that are.
    Revoked,
}

/// The tokens of the state, and what each of them is called.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) rows: Vec<TokenRow>,
    handles: HashMap<TokenId, String>,
}

impl Known {
    /// Reads them.
    pub(super) async fn load(state: &StateHandle) -> Result<Self, ControlError> {
        Ok(Self::of(state.tokens().await.map_err(|error| unreadable(&error))?))
    }

    /// Calls each token by as many digits as tell it from all others, and at least by 8.
    fn of(rows: Vec<TokenRow>) -> Self {
        let mut digits: Vec<_> = rows.iter().map(|row| (row.token.handle.digits(), row.token.id)).collect();
        digits.sort_unstable();
        let mut shared = vec![0; digits.len() + 1];
        for (index, pair) in digits.windows(2).enumerate() {
            if let ([(left, _), (right, _)], Some(shared)) = (pair, shared.get_mut(index + 1)) {
                *shared = left.bytes().zip(right.bytes()).take_while(|(left, right)| left == right).count();
            }
        }
        let length = |index: usize| {
            let neighbours = shared.get(index..index + 2).unwrap_or_default();
            neighbours.iter().max().map_or(DIGITS, |shared| DIGITS.max(shared + 1))
        };
        let called = |(index, (digits, id)): (usize, (String, TokenId))| {
            (id, digits.get(..length(index)).unwrap_or(&digits).to_owned())
        };
        let handles = digits.into_iter().enumerate().map(called).collect();
        Self { rows, handles }
    }

    /// Returns what a token is called.
    pub(super) fn handle(&self, token: &Token) -> String {
        self.handles.get(&token.id).cloned().unwrap_or_else(|| token.handle.to_string())
    }

    /// Returns the token of that id.
    pub(super) fn row(&self, id: TokenId) -> Option<&TokenRow> {
        // They are ordered by id.
        self.rows.binary_search_by_key(&id, |row| row.token.id).ok().and_then(|index| self.rows.get(index))
    }

    /// Returns the one token that `name` means.
    pub(super) fn find(&self, name: &str, wanted: Wanted) -> Result<&TokenRow, ControlError> {
        let name = name.trim();
        let prefix = name.to_ascii_lowercase();
        let found: Vec<_> = self.rows.iter().filter(|row| is_named(&row.token, name, &prefix)).collect();
        let fitting: Vec<_> = found.iter().copied().filter(|row| is_wanted(&row.token, wanted)).collect();
        match (fitting.as_slice(), found.as_slice()) {
            ([row], _) => Ok(row),
            ([], []) => Err(self.unknown(name, wanted)),
            ([], [row, ..]) => Err(self.other_state(row)),
            (several, _) => Err(self.ambiguous(name, several)),
        }
    }

    /// Says whether any token is called so, in whatever state.
    pub(super) fn names_any(&self, name: &str) -> bool {
        let name = name.trim();
        let prefix = name.to_ascii_lowercase();
        self.rows.iter().any(|row| is_named(&row.token, name, &prefix))
    }

    fn unknown(&self, name: &str, wanted: Wanted) -> ControlError {
        let error = ControlError::new(ErrorCode::NotFound, format!("no token is called {}", repeated(name)));
        let candidates: Vec<_> = self.rows.iter().filter(|row| is_wanted(&row.token, wanted)).collect();
        match candidates.len() {
            0 if wanted == Wanted::Revoked => error.with_hint("no token is revoked"),
            0 => error.with_hint("no app has registered a token for pushes"),
            1..=LISTED => error.with_hint(format!("there are: {}", self.listed(&candidates))),
            many => error.with_hint(format!("there are {many}: zmesctl tokens list")),
        }
    }

    fn ambiguous(&self, name: &str, found: &[&TokenRow]) -> ControlError {
        let message = format!("{} tokens are called {}", found.len(), repeated(name));
        let more = if found.len() > LISTED { ", …" } else { "" };
        let shown = found.get(..LISTED).unwrap_or(found);
        ControlError::new(ErrorCode::NotFound, message)
            .with_hint(format!("one of: {}{more}", self.listed(shown)))
    }

    fn other_state(&self, row: &TokenRow) -> ControlError {
        let handle = self.handle(&row.token);
        match &row.token.revoked {
            Some(revoked) => {
                let message = format!("token {handle} is revoked ({})", revoked.reason);
                ControlError::new(ErrorCode::Conflict, message)
                    .with_hint(format!("zmesctl tokens restore {handle} brings it back"))
            }
            None => ControlError::new(ErrorCode::Conflict, format!("token {handle} is not revoked")),
        }
    }

    fn listed(&self, rows: &[&TokenRow]) -> String {
        rows.iter().map(|row| self.handle(&row.token)).collect::<Vec<_>>().join(", ")
    }
}

fn is_named(token: &Token, name: &str, prefix: &str) -> bool {
    let by_handle = !prefix.is_empty() && token.handle.digits().starts_with(prefix);
    by_handle || name.chars().count() >= TAIL && token.token.ends_with(name)
}

fn is_wanted(token: &Token, wanted: Wanted) -> bool {
    match wanted {
        Wanted::Any => true,
        Wanted::Live => token.revoked.is_none(),
        Wanted::Revoked => token.revoked.is_some(),
    }
}

/// What somebody has typed as a token, so that it can be repeated: whoever pastes a whole token here must not find
/// it in a log.
pub(in crate::control) fn repeated(name: &str) -> String {
    let count = name.chars().count();
    if count <= REPEATED {
        return name.to_owned();
    }
    if name.len() <= 2 * DIGITS && name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return name.to_owned();
    }
    format!("…{}", name.chars().skip(count - REPEATED).collect::<String>())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::domain::{Platform, PushToken, Revoked};

    fn row(id: i64, secret: &str, revoked: bool) -> TokenRow {
        let (token, at) = (PushToken::parse(secret).unwrap(), Timestamp::UNIX_EPOCH);
        let revoked = revoked.then(|| Revoked { at, reason: "admin".to_owned() });
        let token = Token { revoked, ..Token::new(TokenId(id), token, Platform::Ios, at) };
        TokenRow { token, last_notified_at: None, last_error: None, last_error_at: None, failures: 0 }
    }

    /// abc: ba7816bf…; def: cb8379ac…; the third begins like the first: b…
    fn known() -> Known {
        Known::of(vec![row(1, "abc", false), row(4, "cXyz:APA91bHPRgkFLJu6sg", false), row(9, "def", true)])
    }

    fn found(name: &str, wanted: Wanted) -> Result<i64, ErrorCode> {
        known().find(name, wanted).map(|row| row.token.id.0).map_err(|error| error.code)
    }

    #[test]
    fn a_token_is_found_by_a_prefix_or_by_its_end() {
        for name in ["ba7816bf", "BA7816BF", "ba", " ba7816bf8f01cfea414140de5dae2223 "] {
            assert_eq!(found(name, Wanted::Live), Ok(1), "{name}");
        }
        for name in ["gkFLJu6sg", "RgkFLJu6sg", "cXyz:APA91bHPRgkFLJu6sg"] {
            let expected = if name.len() < TAIL { Err(ErrorCode::NotFound) } else { Ok(4) };
            assert_eq!(found(name, Wanted::Live), expected, "{name}");
        }
        assert_eq!(found("", Wanted::Any), Err(ErrorCode::NotFound));
        assert_eq!(found("bb", Wanted::Any), Err(ErrorCode::NotFound));
    }

    #[test]
    fn a_token_in_the_wrong_state_is_a_conflict() {
        assert_eq!(found("cb8379ac", Wanted::Any), Ok(9));
        assert_eq!(found("cb8379ac", Wanted::Revoked), Ok(9));
        assert_eq!(found("cb8379ac", Wanted::Live), Err(ErrorCode::Conflict));
        assert_eq!(found("ba7816bf", Wanted::Revoked), Err(ErrorCode::Conflict));
    }

    #[test]
    fn what_is_not_one_token_lists_the_candidates() {
        let known = Known::of((0..40).map(|id| row(id, &format!("token-{id}"), false)).collect());
        let first = known.rows[0].token.handle.digits();
        let error = known.find(&first[..1], Wanted::Live).unwrap_err();
        assert_eq!(error.code, ErrorCode::NotFound);
        assert!(error.hint.unwrap().contains(&first[..8]), "{}", error.message);
        let error = self::known().find("ffff", Wanted::Live).unwrap_err();
        let other = self::known().rows[1].token.handle.to_string();
        assert_eq!(error.message, "no token is called ffff");
        assert_eq!(error.hint, Some(format!("there are: ba7816bf, {other}")));
    }

    #[test]
    fn tokens_that_share_eight_digits_are_called_by_more() {
        let known = known();
        assert_eq!(known.handle(&known.rows[0].token), "ba7816bf");
        // Two rows of the same secret stand for two handles that are the same up to the last digit.
        let known = Known::of(vec![row(1, "abc", false), row(2, "abc", true)]);
        assert_eq!(known.handle(&known.rows[0].token).len(), 64);
    }

    #[test]
    fn a_whole_token_is_never_repeated() {
        assert_eq!(repeated("1a2b3c4d"), "1a2b3c4d");
        assert_eq!(repeated("1a2b3c4d5e6f7081"), "1a2b3c4d5e6f7081");
        assert_eq!(repeated("RgkFLJu6sg"), "RgkFLJu6sg");
        assert_eq!(repeated("cXyz:APA91bHPRgkFLJu6sg"), "…RgkFLJu6sg");
        assert_eq!(repeated(&"0123456789abcdef".repeat(4)), "…6789abcdef");
        let error = known().find("not-a-token-of-anybody", Wanted::Any).unwrap_err();
        assert_eq!(error.message, "no token is called …of-anybody");
    }
}
