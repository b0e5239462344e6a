//! What the findings about phones and users are made from, read once.

use std::sync::Arc;

use jiff::Timestamp;
use zmes_shared::MonitorId;
use zmes_shared::control::{ClientFilter, ClientState, ControlError, ErrorCode, Role};
use zmes_shared::views::ClientView;
use zmes_zoneminder::Monitor;

use super::super::token_names::{TokenNames, TokenScope, echoed};
use crate::admin::conditions::SWITCH_ON;
use crate::admin::{AdminParts, conditions};
use crate::config::Config;
use crate::domain::{PushState, Token};
use crate::monitors::Catalog;
use crate::route::RulesInUse;
use crate::state::TokenRow;

/// Maximum number of typos in a user name that is suggested.
const SLIPS: usize = 2;

/// Configuration, catalog, tokens and clients at one moment.
#[derive(Debug)]
pub(super) struct Snapshot<'a> {
    pub(super) parts: &'a AdminParts,
    pub(super) config: Arc<Config>,
    pub(super) catalog: Arc<Catalog>,
    pub(super) known: TokenNames,
    pub(super) clients: Vec<ClientView>,
    /// The rules that decide now.
    pub(super) rules: RulesInUse,
    pub(super) now: Timestamp,
}

#[derive(Debug)]
pub(super) enum DoctorTarget<'a> {
    Token(&'a TokenRow),
    User(String),
}

/// Something that keeps a user from getting alarms, and the command that fixes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Obstacle {
    pub(super) detail: String,
    pub(super) hint: String,
}

impl<'a> Snapshot<'a> {
    pub(super) async fn load(parts: &'a AdminParts, asker: Role) -> Result<Self, ControlError> {
        let known = TokenNames::load(&parts.state, asker).await?;
        let clients = parts.router.list(ClientFilter::default()).await?;
        let (config, catalog, now) = (parts.configuration.running(), parts.catalog.now(), parts.clock.now());
        let rules = parts.router.rules().await?;
        Ok(Self { parts, config, catalog, known, clients, rules, now })
    }

    /// Returns what `name` means: a user rather than a token, because the prefix of a handle may look like a user name.
    pub(super) fn target(&self, name: &str) -> Result<DoctorTarget<'_>, ControlError> {
        let name = name.trim();
        let is_owner = |row: &TokenRow| !row.token.user.is_empty() && row.token.user == name;
        let is_connected = |client: &ClientView| client.user.as_deref() == Some(name);
        if self.catalog.users.contains_key(name)
            || self.known.rows.iter().any(is_owner)
            || self.clients.iter().any(is_connected)
        {
            return Ok(DoctorTarget::User(name.to_owned()));
        }
        self.known.find(name, TokenScope::Any).map(DoctorTarget::Token).map_err(|error| {
            if self.known.names_any(name) {
                // Ambiguous: it says so.
                return error;
            }
            let message = format!("no token and no user is called {}", echoed(name));
            let hint = match self.similar(name) {
                Some(user) => format!("did you mean {user}? zmesctl doctor {user}"),
                None => error.hint.unwrap_or_else(|| "zmesctl tokens list".to_owned()),
            };
            ControlError::new(ErrorCode::NotFound, message).with_hint(hint)
        })
    }

    /// Returns the user whose name is similar: in another case, or with a typo.
    fn similar(&self, name: &str) -> Option<&str> {
        let typed = name.to_lowercase();
        let owners = self.known.rows.iter().map(|row| row.token.user.as_str());
        let connected = self.clients.iter().filter_map(|client| client.user.as_deref());
        let users = self.catalog.users.keys().map(String::as_str).chain(owners).chain(connected);
        let distance = |user: &str| strsim::damerau_levenshtein(&user.to_lowercase(), &typed);
        // Comparing takes the product of the lengths, and the argument may have any length. The distance is never less
        // than the difference in length.
        let length = typed.chars().count();
        let close = |user: &&str| !user.is_empty() && user.chars().count().abs_diff(length) <= SLIPS;
        let near = users.filter(close).map(|user| (distance(user), user));
        near.min()
            .filter(|(distance, user)| *distance <= SLIPS.min(user.chars().count() / 2))
            .map(|(_, user)| user)
    }

    pub(super) fn live(&self) -> impl Iterator<Item = &TokenRow> {
        self.known.rows.iter().filter(|row| row.token.revoked.is_none())
    }

    pub(super) fn waiting(&self) -> usize {
        self.live().filter(|row| row.token.state == PushState::Enabled).count()
    }

    pub(super) fn listening(&self) -> impl Iterator<Item = &ClientView> {
        self.clients.iter().filter(|client| client.state == ClientState::Authenticated)
    }

    pub(super) fn watched(&self) -> impl Iterator<Item = &Arc<Monitor>> {
        self.catalog.monitors.watched()
    }

    /// Monitors whose alarms come from other nodes of the cluster.
    pub(super) fn others(&self) -> impl Iterator<Item = MonitorId> {
        self.catalog.others.keys().copied()
    }

    pub(super) fn may_hear(&self, user: &str, monitor: MonitorId) -> bool {
        self.is_free(user) || self.catalog.may_hear(user, monitor).is_ok()
    }

    pub(super) fn hears(&self, token: &Token, monitor: MonitorId) -> bool {
        token.state == PushState::Enabled
            && token.filter.interval(monitor).is_some()
            && self.may_hear(&token.user, monitor)
    }

    /// Returns how many monitors a user may see: "3 of 4".
    pub(super) fn seen_of_all(&self, user: &str) -> String {
        let seen = self.watched().filter(|monitor| self.may_hear(user, monitor.id)).count();
        format!("{seen} of {}", self.watched().count())
    }

    /// Says whether a list has monitors, but none that the user may see.
    pub(super) fn is_in_vain(&self, user: &str, list: impl Iterator<Item = MonitorId>) -> bool {
        let mut known = list.filter(|&id| self.catalog.name_of(id).is_some()).peekable();
        known.peek().is_some() && known.all(|id| !self.may_hear(user, id))
    }

    /// Returns why a user's rights exclude every alarm: of this monitor, or of all.
    pub(super) fn unseen(&self, user: &str, wanted: Option<MonitorId>) -> Option<Obstacle> {
        let whom = if user.is_empty() { "its owner" } else { user };
        let may = |id| self.may_hear(user, id);
        let hint = format!(
            "ZoneMinder > Options > Users > {whom}: allow the monitor (restricted monitors, or the role); \
             then: zmesctl monitors reload"
        );
        if let Some(id) = wanted.filter(|&id| !may(id)) {
            let name = self.catalog.name_of(id).map_or("", |name| &**name);
            let detail = format!("ZoneMinder does not let {whom} see monitor {id} ({name})");
            return Some(Obstacle { detail, hint });
        }
        let all = self.catalog.monitors.len();
        if all == 0 || self.watched().any(|monitor| may(monitor.id)) || self.others().any(may) {
            return None;
        }
        let off: Vec<_> = self.catalog.monitors.iter().filter(|monitor| may(monitor.id)).collect();
        let Some(first) = off.first() else {
            let detail = format!("ZoneMinder does not let {whom} see any of {all} monitors");
            return Some(Obstacle { detail, hint });
        };
        if wanted.is_some() {
            // The requested monitor has its own finding.
            return None;
        }
        let names: Vec<_> = off.iter().map(|monitor| format!("{} ({})", monitor.id, monitor.name)).collect();
        let reason = first.watched.err().map_or("not watched", conditions::switched_off);
        let detail =
            format!("none of the monitors that {whom} may see can alarm: {}: {reason}", some(&names));
        Some(Obstacle { detail, hint: SWITCH_ON.to_owned() })
    }

    pub(super) fn call(&self, token: &Token) -> String {
        self.known.handle(token)
    }

    pub(super) fn barred(&self, user: &str) -> Option<Obstacle> {
        if self.is_free(user) {
            return None;
        }
        let Some(found) = self.catalog.users.get(user) else {
            let detail = format!("{user} is not a user of ZoneMinder");
            let hint =
                "add the user in ZoneMinder (Options > Users), then: zmesctl monitors reload".to_owned();
            return Some(Obstacle { detail, hint });
        };
        let reason = found.barred()?;
        let (column, value) = if !found.enabled {
            ("Enabled", "1")
        } else if !found.api_enabled {
            ("APIEnabled", "1")
        } else {
            ("Events", "'View'")
        };
        let detail = format!("ZoneMinder does not let {user} in: {reason}");
        Some(Obstacle { detail, hint: self.update(user, column, value) })
    }

    /// Says whether rights do not apply: logins are not checked, the token was imported without a user, or the database
    /// has not answered yet.
    fn is_free(&self, user: &str) -> bool {
        !self.config.auth.enabled || user.is_empty() || self.catalog.loaded_at.is_none()
    }

    fn update(&self, user: &str, column: &str, value: &str) -> String {
        let name = &self.config.zoneminder.database.name;
        let plain =
            |text: &str| text.chars().all(|char| char.is_ascii_alphanumeric() || "_-.@".contains(char));
        if plain(user) && plain(name) {
            format!(
                "mysql {name} -e \"UPDATE Users SET {column}={value} WHERE Username='{user}'\" && zmesctl monitors reload"
            )
        } else {
            format!("set {column} of the user in ZoneMinder (Options > Users), then: zmesctl monitors reload")
        }
    }
}

pub(super) fn some(names: &[String]) -> String {
    const TOLD: usize = 5;
    let more = if names.len() > TOLD { format!(" and {} more", names.len() - TOLD) } else { String::new() };
    format!("{}{more}", names.get(..TOLD).unwrap_or(names).join(", "))
}
