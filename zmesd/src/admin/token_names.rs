//! Which token an admin means: a prefix of its handle, or the end of the token itself; and how tokens are called.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::OnceLock;

use zmes_providers::PushToken;
use zmes_providers::targets::TargetName;
use zmes_shared::control::{ControlError, ErrorCode, Role};

use super::answers::off_loop;
use crate::domain::{Token, TokenId};
use crate::state::{StateHandle, TokenRow};

/// Characters of the end of a token that name it.
const TAIL: usize = 10;
/// Digits of a handle that people see at least.
const DIGITS: usize = 8;
/// Tokens that an error lists at most.
const LISTED: usize = 20;
/// Characters of a name that may be repeated to its own sender; tokens have 64 and more.
const ECHOED: usize = 20;
/// Names that one request may have.
const NAMES: usize = 1000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenScope {
    /// All tokens of the state.
    Any,
    Live,
    /// Those that are, but not blocked.
    Revoked,
    /// Those that an admin has blocked.
    Blocked,
    /// All others.
    NotBlocked,
}

impl TokenScope {
    pub(super) fn includes(self, token: &Token) -> bool {
        match self {
            Self::Any => true,
            Self::Live => token.revoked.is_none(),
            Self::Revoked => token.revoked.is_some() && !token.blocked(),
            Self::Blocked => token.blocked(),
            Self::NotBlocked => !token.blocked(),
        }
    }
}

pub(super) fn bounded(names: &[String]) -> Result<(), ControlError> {
    if names.len() <= NAMES {
        return Ok(());
    }
    let message = format!("{} tokens are named, and one request may name {NAMES}", names.len());
    Err(ControlError::new(ErrorCode::TooLarge, message)
        .with_hint("ask several times, or select: --user, --platform, --state, …"))
}

/// The tokens of the state, and what each of them is called.
#[derive(Debug)]
pub(super) struct TokenNames {
    pub(super) rows: Vec<TokenRow>,
    /// The role of the peer: only admins may name a token by its end. An observer could otherwise guess the token
    /// character by character.
    asker: Role,
    handles: HashMap<TokenId, String>,
    /// All 64 digits of each token with the index of its row, ordered.
    digits: Vec<(String, usize)>,
    /// The indices of the tokens by their end; made on the first search for an end.
    tails: OnceLock<HashMap<String, Vec<usize>>>,
    /// Tokens of each [`TokenScope`]; built when a name matches none.
    hints: [OnceLock<String>; 5],
}

impl TokenNames {
    /// Reads them. Twenty thousand take some 100 ms of work, which no thread of the runtime does.
    pub(super) async fn load(state: &StateHandle, asker: Role) -> Result<Self, ControlError> {
        let rows = state.tokens().await?;
        off_loop(move || Self::of(rows, asker)).await
    }

    /// Gives each token the shortest unique prefix of its digits, at least 8.
    fn of(rows: Vec<TokenRow>, asker: Role) -> Self {
        let numbered = rows.iter().enumerate();
        let mut digits: Vec<_> = numbered.map(|(place, row)| (row.token.handle.digits(), place)).collect();
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
        let called = |(index, (digits, place)): (usize, &(String, usize))| {
            let handle = digits.get(..length(index)).unwrap_or(digits).to_owned();
            rows.get(*place).map(|row| (row.token.id, handle))
        };
        let mut handles: HashMap<_, _> = digits.iter().enumerate().filter_map(called).collect();
        for row in rows.iter().filter(|row| row.token.handle.is_target()) {
            handles.insert(row.token.id, row.token.handle.digits());
        }
        Self { rows, asker, handles, digits, tails: OnceLock::new(), hints: Default::default() }
    }

    pub(super) fn handle(&self, token: &Token) -> String {
        self.handles.get(&token.id).cloned().unwrap_or_else(|| token.handle.to_string())
    }

    pub(super) fn row(&self, id: TokenId) -> Option<&TokenRow> {
        // They are ordered by id.
        self.rows.binary_search_by_key(&id, |row| row.token.id).ok().and_then(|index| self.rows.get(index))
    }

    /// Returns the one token that `name` means.
    pub(super) fn find(&self, name: &str, scope: TokenScope) -> Result<&TokenRow, ControlError> {
        let name = name.trim();
        let found: Vec<_> = self.named(name).filter_map(|place| self.rows.get(place)).collect();
        let fitting: Vec<_> = found.iter().copied().filter(|row| scope.includes(&row.token)).collect();
        match (fitting.as_slice(), found.as_slice()) {
            ([row], _) => Ok(row),
            ([], []) => Err(self.unknown(name, scope)),
            ([], [row, ..]) => Err(self.other_state(row, scope)),
            (several, _) => Err(self.ambiguous(name, several)),
        }
    }

    pub(super) fn names_any(&self, name: &str) -> bool {
        self.named(name.trim()).next().is_some()
    }

    /// Returns the indices of the tokens that a name matches: by the prefix of the handle, and for admins by the end of the
    /// token or the whole token.
    fn named(&self, name: &str) -> impl Iterator<Item = usize> {
        let prefix = name.to_ascii_lowercase();
        let from = self.digits.partition_point(|(digits, _)| *digits < prefix);
        // A target has but one name.
        let begins = move |digits: &str| {
            if digits.starts_with('@') {
                digits == prefix
            } else {
                !prefix.is_empty() && digits.starts_with(&prefix)
            }
        };
        let by_handle = self.digits.get(from..).unwrap_or_default().iter();
        let by_handle = by_handle.take_while(move |(digits, _)| begins(digits)).map(|(_, place)| *place);
        let by_end = if self.asker == Role::Admin { self.ending(name) } else { Vec::new() };
        by_handle.chain(by_end)
    }

    fn ending(&self, name: &str) -> Vec<usize> {
        match name.chars().count().cmp(&TAIL) {
            Ordering::Less => Vec::new(),
            Ordering::Equal => {
                let tails = self.tails.get_or_init(|| tails(&self.rows));
                tails.get(name).cloned().unwrap_or_default()
            }
            Ordering::Greater => {
                // Perhaps the whole token.
                let Ok(token) = PushToken::parse(name) else { return Vec::new() };
                let digits = token.handle().digits();
                let place = self.digits.binary_search_by(|(known, _)| known.cmp(&digits)).ok();
                place.and_then(|place| self.digits.get(place)).map(|(_, place)| *place).into_iter().collect()
            }
        }
    }

    fn unknown(&self, name: &str, scope: TokenScope) -> ControlError {
        let error = ControlError::new(ErrorCode::NotFound, format!("no token is called {}", repeated(name)));
        let hint = self.hints.get(scope as usize).map(|hint| hint.get_or_init(|| self.hint(scope)));
        error.with_hint(hint.cloned().unwrap_or_default())
    }

    fn hint(&self, scope: TokenScope) -> String {
        let candidates: Vec<_> = self.rows.iter().filter(|row| scope.includes(&row.token)).collect();
        match (candidates.len(), scope) {
            (0, TokenScope::Revoked) => "no token is revoked".to_owned(),
            (0, TokenScope::Blocked) => "no token is blocked".to_owned(),
            (0, _) => "no app has registered a token for pushes".to_owned(),
            (1..=LISTED, _) => format!("there are: {}", self.listed(&candidates)),
            (many, _) => format!("there are {many}: zmesctl tokens list"),
        }
    }

    fn ambiguous(&self, name: &str, found: &[&TokenRow]) -> ControlError {
        let message = format!("{} tokens are called {}", found.len(), repeated(name));
        let more = if found.len() > LISTED { ", …" } else { "" };
        let shown = found.get(..LISTED).unwrap_or(found);
        ControlError::new(ErrorCode::NotFound, message)
            .with_hint(format!("one of: {}{more}", self.listed(shown)))
    }

    fn other_state(&self, row: &TokenRow, scope: TokenScope) -> ControlError {
        let handle = self.handle(&row.token);
        let conflict = |message: String| ControlError::new(ErrorCode::Conflict, message);
        match &row.token.revoked {
            Some(revoked) if revoked.blocked => conflict(format!("token {handle} is blocked"))
                .with_hint(format!("zmesctl tokens unblock {handle} lets its app register it again")),
            _ if scope == TokenScope::Blocked => conflict(format!("token {handle} is not blocked")),
            Some(revoked) => conflict(format!("token {handle} is revoked ({})", revoked.reason))
                .with_hint(format!("zmesctl tokens restore {handle} brings it back")),
            None => conflict(format!("token {handle} is not revoked")),
        }
    }

    fn listed(&self, rows: &[&TokenRow]) -> String {
        rows.iter().map(|row| self.handle(&row.token)).collect::<Vec<_>>().join(", ")
    }
}

/// Returns the indices of the tokens by their last characters.
fn tails(rows: &[TokenRow]) -> HashMap<String, Vec<usize>> {
    let mut tails: HashMap<String, Vec<usize>> = HashMap::new();
    for (place, row) in rows.iter().enumerate() {
        if let Some(tail) = row.token.token.end(TAIL) {
            tails.entry(tail.to_owned()).or_default().push(place);
        }
    }
    tails
}

/// Returns the name of a token as errors and the log may have it: the digits that lists show, or a target's; of anything else only the
/// length, because it may be a token or the end of one.
pub(crate) fn repeated(name: &str) -> String {
    let is_target = TargetName::of_handle(name).is_some();
    if is_target || (name.len() <= DIGITS && name.bytes().all(|byte| byte.is_ascii_hexdigit())) {
        return name.to_owned();
    }
    format!("… ({} characters)", name.chars().count())
}

/// The same for the answer to the peer, which is not logged: hides only texts as long as a token.
pub(super) fn echoed(name: &str) -> String {
    if name.chars().count() <= ECHOED { name.to_owned() } else { repeated(name) }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use zmes_providers::{Platform, PushToken};

    use super::*;
    use crate::domain::Revoked;

    fn row(id: i64, secret: &str, revoked: bool) -> TokenRow {
        let (token, at) = (PushToken::parse(secret).unwrap(), Timestamp::UNIX_EPOCH);
        let revoked = revoked.then(|| Revoked { at, reason: "admin".to_owned(), blocked: false });
        let token = Token { revoked, ..Token::new(TokenId(id), token, Platform::Ios, at) };
        TokenRow { token, last_notified_at: None, last_error: None, last_error_at: None, failures: 0 }
    }

    /// abc: ba7816bf…; def: cb8379ac…; the third begins like the first: b…
    fn known() -> TokenNames {
        known_to(Role::Admin)
    }

    fn known_to(role: Role) -> TokenNames {
        let rows = vec![row(1, "abc", false), row(4, "cXyz:APA91bHPRgkFLJu6sg", false), row(9, "def", true)];
        TokenNames::of(rows, role)
    }

    fn found(name: &str, scope: TokenScope) -> Result<i64, ErrorCode> {
        known().find(name, scope).map(|row| row.token.id.0).map_err(|error| error.code)
    }

    #[test]
    fn a_token_is_found_by_a_prefix_or_by_its_end() {
        for name in ["ba7816bf", "BA7816BF", "ba", " ba7816bf8f01cfea414140de5dae2223 "] {
            assert_eq!(found(name, TokenScope::Live), Ok(1), "{name}");
        }
        for name in ["RgkFLJu6sg", "cXyz:APA91bHPRgkFLJu6sg"] {
            assert_eq!(found(name, TokenScope::Live), Ok(4), "{name}");
        }
        for name in ["gkFLJu6sg", "PRgkFLJu6sg", "bHPRgkFLJu6sg", "Xyz:APA91bHPRgkFLJu6sg", "RGKFLJU6SG"] {
            assert_eq!(found(name, TokenScope::Live), Err(ErrorCode::NotFound), "{name}");
        }
        assert_eq!(found("", TokenScope::Any), Err(ErrorCode::NotFound));
        assert_eq!(found("bb", TokenScope::Any), Err(ErrorCode::NotFound));
    }

    #[test]
    fn a_target_has_but_one_name() {
        let target = |id, name: &str| {
            let token = PushToken::of_target(TargetName::parse(name).unwrap());
            let mut row = row(id, "x", false);
            row.token = Token::new(TokenId(id), token, Platform::Target, Timestamp::UNIX_EPOCH);
            row
        };
        let rows = vec![row(1, "abc", false), target(2, "cam"), target(3, "cam2"), target(4, "a")];
        for role in [Role::Admin, Role::Observer] {
            let known = TokenNames::of(rows.clone(), role);
            let found = |name| known.find(name, TokenScope::Live).map(|row| row.token.id.0).ok();
            assert_eq!(["@cam", "@cam2", "@a", "ba78"].map(found), [Some(2), Some(3), Some(4), Some(1)]);
            assert_eq!(["@ca", "@", "cam", "@cam3"].map(found), [None; 4]);
            assert_eq!(known.handle(&known.rows[1].token), "@cam");
            let error = known.find("@cam3", TokenScope::Live).unwrap_err();
            assert_eq!(error.message, "no token is called @cam3");
        }
    }

    #[test]
    fn an_observer_learns_nothing_by_guessing_how_a_token_ends() {
        let known = known_to(Role::Observer);
        let handle = known.rows[1].token.handle.to_string();
        assert_eq!(known.find(&handle, TokenScope::Live).unwrap().token.id.0, 4);
        for name in ["RgkFLJu6sg", "cXyz:APA91bHPRgkFLJu6sg"] {
            let guessed = known.find(name, TokenScope::Any).unwrap_err();
            let wrong = known.find(&name.replace('R', "S"), TokenScope::Any).unwrap_err();
            assert_eq!(guessed, wrong, "{name}");
        }
    }

    #[test]
    fn a_thousand_names_are_found_among_twenty_thousand_tokens_by_an_index() {
        let rows: Vec<_> =
            (0..20_000).map(|id| row(id, &format!("token-number-{id:08}-end"), false)).collect();
        let names: Vec<String> = (0..1000).map(|id| format!("{:06}-end", id * 19)).collect();
        let known = TokenNames::of(rows, Role::Admin);
        for (name, id) in names.iter().zip(0..) {
            assert_eq!(known.find(name, TokenScope::Live).unwrap().token.id.0, id * 19);
            assert!(known.find("fffffffffffffff", TokenScope::Live).is_err());
        }
        bounded(&names).unwrap();
        assert_eq!(bounded(&vec![String::new(); 1001]).unwrap_err().code, ErrorCode::TooLarge);
    }

    #[test]
    fn a_token_in_the_wrong_state_is_a_conflict() {
        assert_eq!(found("cb8379ac", TokenScope::Any), Ok(9));
        assert_eq!(found("cb8379ac", TokenScope::Revoked), Ok(9));
        assert_eq!(found("cb8379ac", TokenScope::Live), Err(ErrorCode::Conflict));
        assert_eq!(found("ba7816bf", TokenScope::Revoked), Err(ErrorCode::Conflict));
    }

    #[test]
    fn what_is_not_one_token_lists_the_candidates() {
        let known =
            TokenNames::of((0..40).map(|id| row(id, &format!("token-{id}"), false)).collect(), Role::Admin);
        let first = known.rows[0].token.handle.digits();
        let error = known.find(&first[..1], TokenScope::Live).unwrap_err();
        assert_eq!(error.code, ErrorCode::NotFound);
        assert!(error.hint.unwrap().contains(&first[..8]), "{}", error.message);
        let error = self::known().find("ffff", TokenScope::Live).unwrap_err();
        let other = self::known().rows[1].token.handle.to_string();
        assert_eq!(error.message, "no token is called ffff");
        assert_eq!(error.hint, Some(format!("there are: ba7816bf, {other}")));
    }

    #[test]
    fn tokens_that_share_eight_digits_are_called_by_more() {
        let known = known();
        assert_eq!(known.handle(&known.rows[0].token), "ba7816bf");
        // Two rows of the same secret have two handles that differ only in the last digit.
        let known = TokenNames::of(vec![row(1, "abc", false), row(2, "abc", true)], Role::Admin);
        assert_eq!(known.handle(&known.rows[0].token).len(), 64);
    }

    #[test]
    fn neither_a_token_nor_its_end_is_repeated() {
        assert_eq!(repeated("1a2b3c4d"), "1a2b3c4d");
        for name in ["1a2b3c4d5e", "1a2b3c4d5e6f7081", "RgkFLJu6sg", "cXyz:APA91bHPRgkFLJu6sg"] {
            assert_eq!(repeated(name), format!("… ({} characters)", name.len()));
        }
        let error = known().find("not-a-token-of-anybody", TokenScope::Any).unwrap_err();
        assert_eq!(error.message, "no token is called … (22 characters)");
    }
}
