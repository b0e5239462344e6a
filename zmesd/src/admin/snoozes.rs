//! `snooze …`, and which snooze withheld a push.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use zmes_shared::MonitorId;
use zmes_shared::control::{
    ControlError, ErrorCode, Role, SNOOZE_MAX_MS, SnoozeEnd as EndRequest, SnoozeSet as SetRequest,
};
use zmes_shared::views::{SnoozeView, SnoozedBy, Snoozes, SnoozesChanged};
use zmes_shared::words::{SnoozeOrigin, SnoozeScopeKind};

use super::answers::unknown_monitor;
use super::token_names::{TokenNames, TokenScope};
use super::tokens::settled;
use crate::admin::{AdminParts, Asker};
use crate::domain::{DecidedBy, Snooze, SnoozeId, SnoozeScope};
use crate::route::{SnoozeAuthor, SnoozeSummary};
use crate::state::{DeliveryRow, StateError, StateHandle};

/// Users that an error lists at most.
const LISTED: usize = 20;
const LONGEST: SignedDuration = SignedDuration::from_millis(SNOOZE_MAX_MS.cast_signed());

/// Sets a snooze; the answer comes when it is on the disk.
pub(super) async fn set(
    parts: &AdminParts,
    asker: &Asker,
    request: SetRequest,
) -> Result<SnoozesChanged, ControlError> {
    let (now, catalog) = (Snooze::time(parts.clock.now()), parts.catalog.now());
    if let Some(id) = request.monitor.filter(|id| catalog.name_of(*id).is_none()) {
        return Err(unknown_monitor(id, &catalog));
    }
    let known = TokenNames::load(&parts.state, asker.role).await?;
    let scope = scope(parts, &known, request.user.as_deref(), request.token.as_deref())?;
    let until = Snooze::time(until(now, request.for_ms, request.until)?);
    let tell = request.tell.unwrap_or(scope != SnoozeScope::Everybody);
    let SetRequest { monitor, hard, .. } = request;
    let (by, origin) = (asker.user.clone(), SnoozeOrigin::Cli);
    let snooze = Snooze { id: SnoozeId(0), monitor, scope, since: now, until, hard, tell, by, origin };
    let set = parts.router.set_snooze(snooze).await?.map_err(|full| {
        ControlError::new(ErrorCode::Conflict, full.to_string())
            .with_hint("zmesctl snooze list; zmesctl snooze end ID makes room")
    })?;
    settled(parts).await?;
    // One that was changed keeps its beginning.
    let change = if set.snooze.since < now { "changed" } else { "set" };
    Ok(SnoozesChanged { change: change.to_owned(), snoozes: vec![view(parts, Some(&known), &set)] })
}

fn scope(
    parts: &AdminParts,
    known: &TokenNames,
    user: Option<&str>,
    token: Option<&str>,
) -> Result<SnoozeScope, ControlError> {
    let refused = |message: &str| Err(ControlError::new(ErrorCode::BadRequest, message));
    match (user, token) {
        (None, None) => Ok(SnoozeScope::Everybody),
        (Some(_), Some(_)) => refused("a snooze is for a user or for a token, not for both"),
        (None, Some(name)) => Ok(SnoozeScope::Token(known.find(name, TokenScope::Live)?.token.id)),
        (Some(""), None) => refused("no user is named"),
        (Some(name), None) => {
            let catalog = parts.catalog.now();
            let owns = |name: &str| known.rows.iter().any(|row| row.token.user == name);
            if catalog.users.contains_key(name) || owns(name) {
                return Ok(SnoozeScope::User(name.to_owned()));
            }
            Err(no_user(name, catalog.users.keys().map(String::as_str)))
        }
    }
}

fn no_user<'a>(name: &str, users: impl Iterator<Item = &'a str>) -> ControlError {
    let name = zmes_shared::text::quotable(name);
    let error = ControlError::new(ErrorCode::NotFound, format!("ZoneMinder has no user `{name}`"));
    let users: Vec<_> = users.collect();
    match users.get(..LISTED) {
        Some(some) => error.with_hint(format!("there are {}, among them: {}", users.len(), some.join(", "))),
        None if users.is_empty() => error.with_hint("no user is known yet: zmesctl check db"),
        None => error.with_hint(format!("there are: {}", users.join(", "))),
    }
}

fn until(now: Timestamp, for_ms: Option<u64>, until: Option<Timestamp>) -> Result<Timestamp, ControlError> {
    let refused = |message: String| Err(ControlError::new(ErrorCode::BadRequest, message));
    let end = match (for_ms, until) {
        (Some(0), None) => return refused("a snooze must last longer than 0 ms".to_owned()),
        (Some(ms), None) => {
            let lasting = SignedDuration::try_from(Duration::from_millis(ms)).unwrap_or(SignedDuration::MAX);
            now.saturating_add(lasting).unwrap_or(Timestamp::MAX)
        }
        (None, Some(until)) => until,
        (Some(_), Some(_)) | (None, None) => {
            return refused("a snooze needs its length or its end, and not both".to_owned());
        }
    };
    if end <= now {
        let error = ControlError::new(ErrorCode::Conflict, format!("{end} is in the past"));
        return Err(error.with_hint(format!("by the clock of this machine it is {now}")));
    }
    if end.duration_since(now) > LONGEST {
        let error = ControlError::new(ErrorCode::Conflict, "a snooze lasts at most 30 days");
        return Err(error.with_hint(
            "to silence a phone for longer: zmesctl tokens mute; a monitor: an [[rule]] in zmesd.toml",
        ));
    }
    Ok(end)
}

pub(super) async fn list(parts: &AdminParts) -> Result<Snoozes, ControlError> {
    let set = parts.router.snoozes().await?;
    let known = names(parts, &set).await?;
    Ok(Snoozes { snoozes: set.iter().map(|one| view(parts, known.as_ref(), one)).collect() })
}

/// Ends snoozes; the answer comes when that is on the disk.
pub(super) async fn end(
    parts: &AdminParts,
    asker: &Asker,
    request: EndRequest,
) -> Result<SnoozesChanged, ControlError> {
    let set = parts.router.snoozes().await?;
    let ids = chosen(&set, request)?;
    let author = SnoozeAuthor { by: asker.user.clone(), origin: SnoozeOrigin::Cli };
    let ended = parts.router.end_snoozes(ids, author).await?;
    settled(parts).await?;
    let known = names(parts, &ended).await?;
    let snoozes = ended.iter().map(|one| view(parts, known.as_ref(), one)).collect();
    Ok(SnoozesChanged { change: "ended".to_owned(), snoozes })
}

/// Returns which snoozes to end.
fn chosen(set: &[SnoozeSummary], request: EndRequest) -> Result<Vec<SnoozeId>, ControlError> {
    let ids = |meant: &dyn Fn(&Snooze) -> bool| -> Vec<SnoozeId> {
        set.iter().map(|one| &one.snooze).filter(|one| meant(one)).map(|one| one.id).collect()
    };
    match request {
        EndRequest { id: None, monitor: None, all: true } => Ok(ids(&|_| true)),
        EndRequest { id: Some(id), monitor: None, all: false } => {
            let found = ids(&|one| u64::try_from(one.id.0).is_ok_and(|own| own == id));
            if found.is_empty() { Err(none(format!("no snooze {id} is set"), set)) } else { Ok(found) }
        }
        EndRequest { id: None, monitor: Some(monitor), all: false } => {
            let found = ids(&|one| one.monitor == Some(monitor));
            if found.is_empty() { Err(not_snoozed(monitor, set)) } else { Ok(found) }
        }
        EndRequest { .. } => {
            let message = "name the snoozes to end by `id`, `monitor` or `all`, one of them";
            Err(ControlError::new(ErrorCode::BadRequest, message))
        }
    }
}

fn not_snoozed(monitor: MonitorId, set: &[SnoozeSummary]) -> ControlError {
    let message = format!("no snooze is set for monitor {monitor}");
    match set.iter().find(|one| one.snooze.monitor.is_none()) {
        Some(SnoozeSummary { snooze: Snooze { id, .. }, .. }) => {
            ControlError::new(ErrorCode::NotFound, message)
                .with_hint(format!("snooze {id} is for all monitors: zmesctl snooze end {id}"))
        }
        None => none(message, set),
    }
}

fn none(message: String, set: &[SnoozeSummary]) -> ControlError {
    let hint = if set.is_empty() { "no snooze is set" } else { "zmesctl snooze list shows those that are" };
    ControlError::new(ErrorCode::NotFound, message).with_hint(hint)
}

/// Reads what tokens are called, where one is among them.
async fn names(parts: &AdminParts, set: &[SnoozeSummary]) -> Result<Option<TokenNames>, ControlError> {
    let named = set.iter().any(|one| matches!(one.snooze.scope, SnoozeScope::Token(_)));
    if named { Ok(Some(TokenNames::load(&parts.state, Role::Observer).await?)) } else { Ok(None) }
}

fn view(parts: &AdminParts, known: Option<&TokenNames>, set: &SnoozeSummary) -> SnoozeView {
    let SnoozeSummary { snooze, withheld } = set;
    let Snooze { id, monitor, scope, since, until, hard, tell, by, origin } = snooze.clone();
    let catalog = parts.catalog.now();
    let name = monitor.and_then(|id| catalog.name_of(id)).map(ToString::to_string);
    let (scope, user, token) = match scope {
        SnoozeScope::Everybody => (SnoozeScopeKind::Everybody, None, None),
        SnoozeScope::User(user) => (SnoozeScopeKind::User, Some(user), None),
        SnoozeScope::Token(id) => {
            let handle = known.and_then(|known| known.row(id).map(|row| known.handle(&row.token)));
            (SnoozeScopeKind::Token, None, Some(handle.unwrap_or_else(|| "forgotten".to_owned())))
        }
    };
    SnoozeView {
        id: id.0.cast_unsigned(),
        monitor_id: monitor,
        monitor: name,
        scope,
        user,
        token,
        until,
        since,
        by,
        origin,
        withheld: *withheld,
        hard,
        tell,
    }
}

/// Returns until when each monitor is snoozed for everybody; empty where the router does not answer.
pub(super) async fn for_everybody(parts: &AdminParts) -> Silenced {
    let mut silenced = Silenced::default();
    for SnoozeSummary { snooze, .. } in parts.router.snoozes().await.unwrap_or_default() {
        if snooze.scope == SnoozeScope::Everybody {
            silenced.0.insert(snooze.monitor, snooze.until);
        }
    }
    silenced
}

/// Monitors that are snoozed for everybody, each with the end; `None` means all monitors.
#[derive(Debug, Default)]
pub(super) struct Silenced(BTreeMap<Option<MonitorId>, Timestamp>);

impl Silenced {
    /// Returns until when a monitor is snoozed for everybody.
    pub(super) fn until(&self, monitor: MonitorId) -> Option<Timestamp> {
        let ends = [self.0.get(&Some(monitor)), self.0.get(&None)];
        ends.into_iter().flatten().max().copied()
    }
}

/// The snoozes that withheld some pushes.
#[derive(Debug, Default)]
pub(super) struct SnoozeNames(BTreeMap<SnoozeId, SnoozedBy>);

impl SnoozeNames {
    /// Reads those of these deliveries; without a snooze among them nothing is asked.
    pub(super) async fn of_deliveries(state: &StateHandle, rows: &[DeliveryRow]) -> Result<Self, StateError> {
        Self::load(state, rows.iter().filter_map(|row| row.by.as_ref()?.snooze()).collect()).await
    }

    pub(super) async fn load(state: &StateHandle, ids: BTreeSet<SnoozeId>) -> Result<Self, StateError> {
        if ids.is_empty() {
            return Ok(Self::default());
        }
        let ids: Vec<_> = ids.into_iter().collect();
        let found = state.snoozes(&ids).await?;
        Ok(Self(found.iter().map(|(snooze, ended)| (snooze.id, snoozed_by(snooze, *ended))).collect()))
    }

    pub(super) fn get(&self, by: Option<&DecidedBy>) -> Option<SnoozedBy> {
        self.0.get(&by?.snooze()?).cloned()
    }
}

/// Returns the text for a push that a snooze withheld.
pub(super) fn snoozed_by(snooze: &Snooze, ended: bool) -> SnoozedBy {
    SnoozedBy {
        snooze: snooze.id.0.cast_unsigned(),
        snoozed_until: snooze.until,
        snoozed_by: snooze.by.clone(),
        snooze_ended: ended,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    #[test]
    fn a_snooze_ends_within_30_days_from_now() {
        let later = |ms: u64| now() + Duration::from_millis(ms);
        let code = |for_ms, end| until(now(), for_ms, end).map_err(|error| error.code);
        assert_eq!(code(Some(1), None), Ok(later(1)));
        assert_eq!(code(Some(SNOOZE_MAX_MS), None), Ok(later(SNOOZE_MAX_MS)));
        assert_eq!(code(None, Some(later(9))), Ok(later(9)));
        for (for_ms, end, refused) in [
            (Some(0), None, ErrorCode::BadRequest),
            (None, None, ErrorCode::BadRequest),
            (Some(1), Some(later(1)), ErrorCode::BadRequest),
            (None, Some(now()), ErrorCode::Conflict),
            (None, Some(Timestamp::MIN), ErrorCode::Conflict),
            (None, Some(Timestamp::MAX), ErrorCode::Conflict),
            (Some(SNOOZE_MAX_MS + 1), None, ErrorCode::Conflict),
            (Some(u64::MAX), None, ErrorCode::Conflict),
        ] {
            assert_eq!(code(for_ms, end), Err(refused), "{for_ms:?} {end:?}");
        }
    }

    fn set(id: i64, monitor: Option<u32>) -> SnoozeSummary {
        let snooze = Snooze {
            id: SnoozeId(id),
            monitor: monitor.map(MonitorId),
            scope: SnoozeScope::Everybody,
            since: now(),
            until: now(),
            hard: false,
            tell: false,
            by: "root".to_owned(),
            origin: SnoozeOrigin::Cli,
        };
        SnoozeSummary { snooze, withheld: 0 }
    }

    #[test]
    fn snoozes_are_ended_by_number_by_monitor_or_all() {
        let all = [set(1, Some(3)), set(2, None), set(5, Some(3))];
        let ids = |request| {
            let found = chosen(&all, request).map_err(|error| error.hint.unwrap_or_default())?;
            Ok::<_, String>(found.into_iter().map(|id| id.0).collect::<Vec<_>>())
        };
        let request = EndRequest::default();
        assert_eq!(ids(EndRequest { all: true, ..request }), Ok(vec![1, 2, 5]));
        assert_eq!(ids(EndRequest { id: Some(2), ..request }), Ok(vec![2]));
        assert_eq!(ids(EndRequest { monitor: Some(MonitorId(3)), ..request }), Ok(vec![1, 5]));
        assert_eq!(
            ids(EndRequest { monitor: Some(MonitorId(4)), ..request }),
            Err("snooze 2 is for all monitors: zmesctl snooze end 2".to_owned())
        );
        assert_eq!(
            ids(EndRequest { id: Some(u64::MAX), ..request }),
            Err("zmesctl snooze list shows those that are".to_owned())
        );
        assert!(ids(request).is_err());
        assert!(ids(EndRequest { id: Some(1), all: true, ..request }).is_err());
    }

    #[test]
    fn an_unknown_user_is_told_who_there_is() {
        let hint = no_user("amz", ["amy", "bob"].into_iter()).hint;
        assert_eq!(hint.as_deref(), Some("there are: amy, bob"));
        let many: Vec<String> = (0..40).map(|id| format!("u{id}")).collect();
        let hint = no_user("amz", many.iter().map(String::as_str)).hint.unwrap();
        assert!(hint.starts_with("there are 40, among them: u0, u1") && !hint.contains("u20"), "{hint}");
    }
}
