//! Which session is attached to which token.
//!
//! A session has at most one token, and a token at most one session. Both directions are changed together, only here.

use std::collections::HashMap;

use zmes_shared::SessionId;

use crate::domain::TokenId;

#[derive(Debug, Default)]
pub(super) struct Attachments {
    tokens: HashMap<SessionId, TokenId>,
    sessions: HashMap<TokenId, SessionId>,
}

impl Attachments {
    pub(super) fn token_of(&self, session: SessionId) -> Option<TokenId> {
        self.tokens.get(&session).copied()
    }

    pub(super) fn session_of(&self, token: TokenId) -> Option<SessionId> {
        self.sessions.get(&token).copied()
    }

    /// Attaches a session to a token. Returns the session that had the token before, which now has none.
    pub(super) fn attach(&mut self, session: SessionId, token: TokenId) -> Option<SessionId> {
        if let Some(left) = self.tokens.insert(session, token) {
            self.sessions.remove(&left);
        }
        let had = self.sessions.insert(token, session).filter(|had| *had != session)?;
        self.tokens.remove(&had);
        Some(had)
    }

    pub(super) fn detach_session(&mut self, session: SessionId) -> Option<TokenId> {
        let token = self.tokens.remove(&session)?;
        self.sessions.remove(&token);
        Some(token)
    }

    pub(super) fn detach_token(&mut self, token: TokenId) -> Option<SessionId> {
        let session = self.sessions.remove(&token)?;
        self.tokens.remove(&session);
        Some(session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSIONS: u64 = 3;
    const TOKENS: i64 = 3;

    /// Checks that the two directions agree.
    fn check(attachments: &Attachments) {
        for (session, token) in &attachments.tokens {
            assert_eq!(attachments.session_of(*token), Some(*session));
        }
        assert_eq!(attachments.tokens.len(), attachments.sessions.len());
    }

    #[test]
    fn a_session_that_takes_a_token_over_leaves_the_other_without_one() {
        let mut attachments = Attachments::default();
        assert_eq!(attachments.attach(SessionId(1), TokenId(1)), None);
        assert_eq!(attachments.attach(SessionId(1), TokenId(1)), None, "it had it already");
        assert_eq!(attachments.attach(SessionId(2), TokenId(1)), Some(SessionId(1)));
        assert_eq!(attachments.token_of(SessionId(1)), None);
        assert_eq!(attachments.attach(SessionId(2), TokenId(2)), None);
        assert_eq!(attachments.session_of(TokenId(1)), None);
        assert_eq!(attachments.detach_token(TokenId(2)), Some(SessionId(2)));
        assert_eq!(attachments.detach_session(SessionId(2)), None);
    }

    #[test]
    fn every_order_of_changes_keeps_both_directions_alike() {
        // Each four-digit number in base 11 is one order of: attach (9 pairs), detach a session, detach a token.
        for order in 0..11_u32.pow(4) {
            let mut attachments = Attachments::default();
            for step in 0..4 {
                let digit = order / 11_u32.pow(step) % 11;
                let (session, token) =
                    (SessionId(u64::from(digit) % SESSIONS), TokenId(i64::from(digit) / TOKENS % TOKENS));
                let _broken_up = match digit {
                    9 => attachments.detach_session(SessionId(0)).map(drop),
                    10 => attachments.detach_token(TokenId(0)).map(drop),
                    _ => attachments.attach(session, token).map(drop),
                };
                check(&attachments);
            }
        }
    }
}
