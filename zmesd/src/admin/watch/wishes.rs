//! The filters of one `watch`.

use std::collections::HashMap;

use zmes_shared::control::{ControlError, WatchEvent, WatchFilter, WatchType};
use zmes_shared::views::ClientView;
use zmes_shared::{MonitorId, SessionId};

use crate::admin::answers::unsupported;
use crate::admin::clients::matches;
use crate::domain::{Token, TokenId};

/// The filters of one stream. Alarms go by their monitor alone: they are what decisions are about.
#[derive(Debug)]
pub(super) struct Wishes {
    filter: WatchFilter,
    /// The token that the filter names.
    token: Option<TokenId>,
    /// The user of each client, kept only for a filter by user: decisions have the client only.
    users: HashMap<SessionId, String>,
}

impl Wishes {
    pub(super) fn of(filter: &WatchFilter, token: Option<TokenId>) -> Result<Self, ControlError> {
        if filter.types.contains(&WatchType::Unknown) {
            return Err(unsupported());
        }
        Ok(Self { filter: filter.clone(), token, users: HashMap::new() })
    }

    pub(super) fn shows(&self, event: &WatchEvent) -> bool {
        self.filter.types.is_empty()
            || event.kind.filtered_as().is_none_or(|kind| self.filter.types.contains(&kind))
    }

    pub(super) fn includes(&self, kind: WatchType) -> bool {
        self.filter.types.is_empty() || self.filter.types.contains(&kind)
    }

    /// Says whether alarms of that monitor, and what became of them, are wanted.
    pub(super) fn alarms_of(&self, monitor: MonitorId) -> bool {
        self.filter.monitor.is_none_or(|only| only == monitor)
    }

    /// Says whether changes of that monitor are wanted: not when watching a token or a user.
    pub(super) fn state_of(&self, monitor: MonitorId) -> bool {
        match self.filter.monitor {
            Some(only) => only == monitor,
            None => self.token.is_none() && self.filter.user.is_none(),
        }
    }

    pub(super) fn token(&self, token: &Token) -> bool {
        self.token.is_none_or(|only| only == token.id) && self.user_is(Some(&token.user))
    }

    /// Says whether that token is part of the initial state; a revoked one only if it is named.
    pub(super) fn present(&self, token: &Token) -> bool {
        self.token(token) && (token.revoked.is_none() || self.token.is_some())
    }

    /// Says whether changes of that token are wanted: watching a monitor says nothing about tokens, unless one is named,
    /// too.
    pub(super) fn changes_of(&self, token: &Token) -> bool {
        (self.filter.monitor.is_none() || self.names_owner()) && self.token(token)
    }

    /// Says whether the initial state has tokens: without a filter they may be very many.
    pub(super) fn names_owner(&self) -> bool {
        self.token.is_some() || self.filter.user.is_some()
    }

    /// Says whether a client and its changes are wanted, and remembers whose it is; `tried`: as whom it failed to log in.
    pub(super) fn client(&mut self, client: &ClientView, gone: bool, tried: Option<&str>) -> bool {
        if self.filter.user.is_some() {
            match &client.user {
                Some(user) if !gone => drop(self.users.insert(client.id, user.clone())),
                Some(_) | None => drop(self.users.remove(&client.id)),
            }
        }
        self.filter.monitor.is_none()
            && self.token.is_none()
            && self.user_is(client.user.as_deref().or(tried))
    }

    pub(super) fn decided_for(&self, client: SessionId) -> bool {
        self.token.is_none() && self.user_is(self.users.get(&client).map(String::as_str))
    }

    fn user_is(&self, user: Option<&str>) -> bool {
        self.filter.user.as_deref().is_none_or(|pattern| user.is_some_and(|user| matches(pattern, user)))
    }
}
