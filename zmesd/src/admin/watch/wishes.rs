//! The filters of one `watch`.

use std::collections::HashMap;

use zmes_shared::control::{ControlError, ErrorCode, WatchEvent, WatchFilter, WatchType};
use zmes_shared::text::quotable;
use zmes_shared::views::ClientView;
use zmes_shared::{MonitorId, SessionId};

use crate::admin::answers::unsupported;
use crate::admin::clients::matches;
use crate::domain::{Token, TokenId};
use crate::monitors::CatalogHandle;

/// The filters of one stream. Alarms go by their monitor alone: they are what decisions are about.
#[derive(Debug)]
pub(super) struct Wishes {
    filter: WatchFilter,
    /// The token that the filter names.
    token: Option<TokenId>,
    /// The rights of the moment, for a filter by viewer.
    catalog: CatalogHandle,
    /// The user of each client, kept only for a filter by user: decisions have the client only.
    users: HashMap<SessionId, String>,
}

impl Wishes {
    pub(super) fn of(
        filter: &WatchFilter,
        token: Option<TokenId>,
        catalog: CatalogHandle,
    ) -> Result<Self, ControlError> {
        if filter.types.contains(&WatchType::Unknown) {
            return Err(unsupported());
        }
        if let Some(viewer) = &filter.viewer {
            known(viewer, &catalog)?;
        }
        Ok(Self { filter: filter.clone(), token, catalog, users: HashMap::new() })
    }

    pub(super) fn shows(&self, event: &WatchEvent) -> bool {
        event.kind.filtered_as().is_none_or(|kind| self.includes(kind))
    }

    pub(super) fn includes(&self, kind: WatchType) -> bool {
        match kind {
            // Older clients do not know them.
            WatchType::Trouble => self.filter.troubles || self.filter.types.contains(&kind),
            WatchType::Alarm
            | WatchType::Decision
            | WatchType::Delivery
            | WatchType::Session
            | WatchType::Token
            | WatchType::Monitor
            | WatchType::Unknown => self.filter.types.is_empty() || self.filter.types.contains(&kind),
        }
    }

    /// Says whether alarms of that monitor, and what became of them, are wanted.
    pub(super) fn alarms_of(&self, monitor: MonitorId) -> bool {
        self.filter.monitor.is_none_or(|only| only == monitor) && self.viewer_sees(monitor)
    }

    /// Says whether a trouble is wanted. One that is about no camera concerns no viewer of cameras.
    pub(super) fn trouble(&self, camera: Option<MonitorId>) -> bool {
        let restricted = self.filter.monitor.is_some() || self.filter.viewer.is_some();
        self.includes(WatchType::Trouble)
            && self.token.is_none()
            && self.filter.user.is_none()
            && camera.map_or(!restricted, |camera| self.alarms_of(camera))
    }

    fn viewer_sees(&self, monitor: MonitorId) -> bool {
        let viewer = self.filter.viewer.as_deref();
        viewer.is_none_or(|viewer| self.catalog.now().may_hear(viewer, monitor).is_ok())
    }

    /// Says whether changes of that monitor are wanted: not when watching a token or a user.
    pub(super) fn state_of(&self, monitor: MonitorId) -> bool {
        match self.filter.monitor {
            Some(only) => only == monitor && self.viewer_sees(monitor),
            None => self.token.is_none() && self.filter.user.is_none() && self.viewer_sees(monitor),
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

/// Refuses a name that is no user's: a stream that never tells anything would look like a quiet night.
fn known(viewer: &str, catalog: &CatalogHandle) -> Result<(), ControlError> {
    let now = catalog.now();
    if now.users.contains_key(viewer) {
        return Ok(());
    }
    let (message, hint) = match now.loaded_at {
        Some(_) => (
            format!("no user of ZoneMinder is called {}", quotable(viewer)),
            "names of users are as in ZoneMinder's options, with upper and lower case",
        ),
        None => ("ZoneMinder's users are not known yet".to_owned(), "see zmesctl check db"),
    };
    Err(ControlError::new(ErrorCode::NotFound, message).with_hint(hint))
}
