//! What the router and the push side tell the cluster, and what the cluster asks of the router.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tracing::error;
use zmes_cluster::alarms::{BODY_MAX, DedupKey, LedgerAlarm};
use zmes_cluster::outcomes::DeviceHandle;
use zmes_providers::{App, Platform, PushToken, TokenHandle};
use zmes_shared::words::{Phase, SnoozeOrigin};
use zmes_shared::{EventId, MonitorId};

use super::handle::{Busy, COMMAND_DEADLINE, RouterCommand, RouterHandle};
use super::outlet::Outlet;
use crate::domain::{Alarm, LedgerMark, MonitorFilter, PushState, Revoked, Token, TokenBlock, TokenId};

/// Events whose start this node has told of and that are remembered; a further alarm of one is another alarm.
const MAX_TOLD: usize = 10_000;
/// Alarms, decisions and snoozes that wait for room in the queue of the cluster.
const MAX_UNTOLD: usize = 20_000;
/// Alarms whose rules were counted for sessions and that are remembered; of an older one a rule counts twice.
const MAX_COUNTED: usize = 1_000;
/// Snoozes that are kept for phones that are not known yet.
const MAX_EARLY: usize = 1_000;

/// An alarm as all nodes name it: when it was found, in ms since 1970, as the ledger has it; its monitor; its event.
type AlarmName = (i64, MonitorId, Option<EventId>);

/// What the cluster is told. Never waited for.
#[derive(Debug)]
pub enum LedgerNews {
    /// An alarm of this node, or its end: it is noted for the disk.
    Alarm(Arc<Alarm>, LedgerAlarm),
    /// A token as it is now; whether the number on its icon was set.
    Token(Arc<Token>, bool),
    /// A token of which the ledger was told, and which it has lost, with when it was changed at the earliest.
    TokenAgain(Arc<Token>, Timestamp),
    /// A snooze was set or ended by people.
    Snooze(SnoozeElsewhere, Timestamp),
    Decided(LedgerDecided),
}

/// What was decided about an alarm for the tokens of all nodes.
#[derive(Debug, Clone)]
pub struct LedgerDecided {
    pub mark: LedgerMark,
    pub at: Timestamp,
    /// Tokens that are not sent it, with why.
    pub withheld: Vec<(TokenHandle, String)>,
    /// How many are to be sent it; each has an outcome, or is withdrawn.
    pub sends: usize,
}

/// What became of a push for all nodes.
#[derive(Debug, Clone)]
pub struct LedgerOutcome {
    pub mark: LedgerMark,
    pub token: TokenHandle,
    pub monitor: MonitorId,
    pub alarm_at: Timestamp,
    pub badge: u32,
    pub kind: LedgerEnding,
    pub reason: String,
    pub provider_id: String,
    pub at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LedgerEnding {
    Taken,
    Withheld,
    Abandoned,
    /// It is left to the node that sends now.
    Left,
}

/// Of which monitor's alarm an event was told, as far as that is known. After ZoneMinder's database was restored, another
/// monitor may have the same number.
#[derive(Debug, Clone, Copy, Default)]
struct ToldEvent {
    by_us: Option<MonitorId>,
    by_others: Option<MonitorId>,
}

/// The router's side of the cluster.
#[derive(Debug)]
pub struct LedgerSide {
    outlet: Outlet<LedgerNews>,
    /// Tokens that found no room, as they are now; whether the number on the icon was set.
    untold: BTreeMap<TokenId, (Arc<Token>, bool)>,
    /// Events whose start is told.
    told: BTreeMap<EventId, ToldEvent>,
    /// What was last told of each token, as a fingerprint.
    tokens: HashMap<TokenId, u64>,
    /// The log has that there is no room for tokens of other nodes.
    is_full_logged: bool,
    /// Rules that were counted when sessions were told of an alarm.
    counted: BTreeMap<AlarmName, BTreeSet<Arc<str>>>,
    /// Snoozes of phones that are not known yet: records come in the order of their last changes.
    early: HashMap<(DeviceHandle, Option<MonitorId>), SnoozeElsewhere>,
}

impl LedgerSide {
    /// `told`: events that were announced before this start, with their monitor where another node told of them; `tokens`: all
    /// that are remembered. That a phone is seen again changes nothing: what this node remembers may be older than what others
    /// have changed.
    pub fn new(
        news: mpsc::Sender<LedgerNews>,
        told: impl IntoIterator<Item = (EventId, Option<MonitorId>)>,
        tokens: &[Token],
    ) -> Self {
        let before = |(event, by_others)| (event, ToldEvent { by_us: None, by_others });
        let told = told.into_iter().map(before).collect();
        let tokens = tokens.iter().map(|token| (token.id, fingerprint(token))).collect();
        let (outlet, untold) = (Outlet::new(news, MAX_UNTOLD), BTreeMap::new());
        let (counted, early) = (BTreeMap::new(), HashMap::new());
        Self { outlet, untold, told, tokens, is_full_logged: false, counted, early }
    }

    /// Returns an alarm as the ledger takes it.
    pub(super) fn entry(&mut self, alarm: &Alarm) -> LedgerAlarm {
        let dedup = match (alarm.phase, alarm.event) {
            (Phase::End, Some(event)) => {
                // The same number over a restart: it is when the alarm began.
                let began = alarm.span.map_or(alarm.at, |span| span.began).as_millisecond();
                DedupKey::end(event, u32::try_from(began.rem_euclid(1 << 32)).unwrap_or_default())
            }
            (Phase::Start, Some(event)) => {
                let is_first = !self.told.contains_key(&event);
                self.told.entry(event).or_default().by_us = Some(alarm.monitor);
                if is_first { DedupKey::start(event) } else { numbered() }
            }
            (_, _) => numbered(),
        };
        while self.told.len() > MAX_TOLD {
            self.told.pop_first();
        }
        let Alarm { phase, monitor, event, at, .. } = *alarm;
        LedgerAlarm { dedup, phase, monitor, event, at, body: AlarmBody::of(alarm).written() }
    }

    /// Takes over that another node has told of an alarm.
    pub(super) fn told_elsewhere(&mut self, alarm: &Alarm) {
        let Some(event) = alarm.event else { return };
        let told = self.told.entry(event).or_default();
        if alarm.phase.is_start() {
            told.by_others = Some(alarm.monitor);
        }
    }

    /// Says whether the apps of this node have heard of an alarm already, because two nodes tell of it: the one whose camera it
    /// is, and the one that watched the camera meanwhile. Whichever comes first here counts.
    pub(super) fn has_told(&self, alarm: &Alarm) -> bool {
        let Some(told) = alarm.event.and_then(|event| self.told.get(&event)) else { return false };
        let by = if alarm.elsewhere.is_none() { told.by_others } else { told.by_us };
        alarm.phase.is_start() && alarm.stands_for_event && by == Some(alarm.monitor)
    }

    /// Tells the cluster, now or once there is room.
    pub(super) fn tell(&mut self, news: LedgerNews) {
        match self.outlet.tell(news) {
            Some(LedgerNews::Alarm(alarm, _)) => {
                error!(monitor = %alarm.monitor, "cluster queue full: this alarm rings no phone before the next start");
            }
            Some(
                LedgerNews::Token(..)
                | LedgerNews::TokenAgain(..)
                | LedgerNews::Snooze(..)
                | LedgerNews::Decided(_),
            ) => {
                error!("cluster queue full: other nodes do not hear of a change");
            }
            None => {}
        }
    }

    /// Tells of a token, now or as it is once there is room.
    pub(super) fn tell_token(&mut self, token: &Arc<Token>, is_badge: bool) {
        self.offer();
        let (id, was_set) = (token.id, self.untold.remove(&token.id).is_some_and(|(_, is_badge)| is_badge));
        if let Err(LedgerNews::Token(token, is_badge)) =
            self.outlet.try_tell(LedgerNews::Token(Arc::clone(token), is_badge || was_set))
        {
            self.untold.insert(id, (token, is_badge));
        }
    }

    /// Says whether something waits for room.
    pub(super) fn has_untold(&self) -> bool {
        !self.untold.is_empty() || !self.outlet.is_empty()
    }

    /// Offers what waits for room.
    pub(super) fn offer(&mut self) {
        while let Some((id, (token, is_badge))) = self.untold.pop_first() {
            let news = LedgerNews::Token(token, is_badge);
            if let Err(LedgerNews::Token(token, is_badge)) = self.outlet.try_tell(news) {
                self.untold.insert(id, (token, is_badge));
                return;
            }
        }
        self.outlet.offer();
    }

    /// Notes whether there is room for tokens of other nodes; true: there is none any more, and the log has to have it.
    pub(super) fn is_newly_full(&mut self, is_full: bool) -> bool {
        let was_logged = std::mem::replace(&mut self.is_full_logged, is_full);
        is_full && !was_logged
    }

    /// Remembers which rules were counted for an alarm when its sessions were told.
    pub(super) fn counted(&mut self, alarm: &Alarm, rules: impl Iterator<Item = Arc<str>>) {
        let rules: BTreeSet<_> = rules.collect();
        if !rules.is_empty() {
            self.counted.insert(name(alarm), rules);
        }
        while self.counted.len() > MAX_COUNTED {
            self.counted.pop_first();
        }
    }

    /// Says whether a rule was counted for an alarm already.
    pub(super) fn has_counted(&self, alarm: &Alarm, rule: &Arc<str>) -> bool {
        let counted = self.counted.get(&name(alarm));
        counted.is_some_and(|rules| rules.contains(rule))
    }

    /// Keeps a snooze until its phone is known. If there are too many, it is lost.
    pub(super) fn keep_early(&mut self, device: DeviceHandle, snooze: SnoozeElsewhere, now: Timestamp) {
        let key = (device, snooze.monitor);
        if snooze.ended {
            self.early.remove(&key);
            return;
        }
        self.early.retain(|_, early| early.until > now);
        if self.early.len() < MAX_EARLY || self.early.contains_key(&key) {
            self.early.insert(key, snooze);
        }
    }

    /// Returns the snoozes that were read before their phone.
    pub(super) fn take_early(&mut self, device: DeviceHandle) -> Vec<SnoozeElsewhere> {
        self.early.extract_if(|(of, _), _| *of == device).map(|(_, snooze)| snooze).collect()
    }

    /// Says whether a token differs from what was told of it, and takes it as told.
    pub(super) fn differs(&mut self, token: &Token) -> bool {
        let fingerprint = fingerprint(token);
        self.tokens.insert(token.id, fingerprint) != Some(fingerprint)
    }
}

/// The key of a further alarm in an event, or of one without an event: nobody else can tell of it.
fn numbered() -> DedupKey {
    DedupKey::from_bytes(fastrand::u128(..).to_be_bytes())
}

fn name(alarm: &Alarm) -> AlarmName {
    (alarm.at.as_millisecond(), alarm.monitor, alarm.event)
}

/// What of a token all nodes have in common.
fn fingerprint(token: &Token) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    let Token { platform, state, user, app, app_version, profile, filter, mute_until, revoked, .. } = token;
    let revoked = revoked.as_ref().map(|revoked| (revoked.at, &revoked.reason, revoked.blocked));
    (platform.as_str(), state.as_str(), user, app.as_str(), app_version, profile).hash(&mut hasher);
    (filter.lists(), mute_until, revoked).hash(&mut hasher);
    hasher.finish()
}

/// What the columns of the ledger do not have of an alarm, as JSON. Members are only ever added: nodes may differ in version.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AlarmBody {
    /// Milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub began: Option<i64>,
    pub cause: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lasted_ms: Option<u64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub late: bool,
    pub name: String,
}

impl AlarmBody {
    fn of(alarm: &Alarm) -> Self {
        let lasted = alarm.span.and_then(|span| span.lasted);
        Self {
            began: alarm.span.map(|span| span.began.as_millisecond()),
            cause: alarm.cause.to_string(),
            lasted_ms: lasted.map(|lasted| u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX)),
            late: alarm.late(),
            name: alarm.monitor_name.to_string(),
        }
    }

    /// Writes it, with shorter texts if it is too long for the ledger.
    fn written(self) -> Vec<u8> {
        let json = |body: &Self| serde_json::to_vec(body).unwrap_or_default();
        let whole = json(&self);
        if whole.len() <= BODY_MAX {
            return whole;
        }
        let cut = |text: &str| text.chars().take(200).collect::<String>();
        json(&Self { cause: cut(&self.cause), name: cut(&self.name), ..self })
    }
}

/// A token as another node has told of it.
#[derive(Debug, Clone)]
pub struct TokenElsewhere {
    pub token: PushToken,
    pub platform: Platform,
    pub state: PushState,
    pub user: String,
    pub app: App,
    pub app_version: String,
    pub profile: String,
    pub filter: MonitorFilter,
    pub mute_until: Option<Timestamp>,
    pub revoked: Option<Revoked>,
    /// Whether an admin has blocked it, as far as that node knew.
    pub block: Option<TokenBlock>,
    /// It was changed here since: only its block counts.
    pub is_older: bool,
    /// When it was changed so.
    pub changed: Timestamp,
    /// The number on its icon, where it was set; `None`: it stays.
    pub badge: Option<u32>,
    pub seen_at: Timestamp,
}

/// A snooze, as nodes tell each other of it. There is at most one for each monitor and scope, which name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnoozeElsewhere {
    pub monitor: Option<MonitorId>,
    pub scope: ScopeElsewhere,
    pub since: Timestamp,
    pub until: Timestamp,
    pub hard: bool,
    pub tell: bool,
    pub by: String,
    pub origin: SnoozeOrigin,
    /// It was ended before its time.
    pub ended: bool,
}

/// Whose phones it silences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScopeElsewhere {
    Everybody,
    User(String),
    Device(DeviceHandle),
}

/// An alarm of the ledger, to be decided about for tokens.
#[derive(Debug, Clone)]
pub struct LedgerQuestion {
    pub alarm: Arc<Alarm>,
    pub mark: LedgerMark,
    /// Devices of which it is known what became of it.
    pub done: Arc<HashSet<DeviceHandle>>,
}

/// What a pusher has left behind.
#[derive(Debug, Clone, Default)]
pub struct PusherLegacy {
    pub told: HashMap<DeviceHandle, Vec<(MonitorId, Timestamp)>>,
    pub badges: HashMap<DeviceHandle, u32>,
}

/// What the cluster asks, each by a method of [`RouterHandle`].
#[derive(Debug)]
pub enum LedgerCommand {
    Decide(LedgerQuestion, oneshot::Sender<()>),
    Token(TokenElsewhere, oneshot::Sender<()>),
    /// Phones that the ledger had and does not have: those that were revoked and forgotten, and those that it has to be told
    /// of again; `None`: all.
    Absent(Vec<DeviceHandle>, Option<Vec<DeviceHandle>>, oneshot::Sender<()>),
    Snooze(SnoozeElsewhere, oneshot::Sender<()>),
    /// What snoozes there are.
    Snoozes(oneshot::Sender<Vec<SnoozeElsewhere>>),
    Adopt(PusherLegacy, oneshot::Sender<()>),
    /// What waits for labels is left to the node that sends now.
    Leave(oneshot::Sender<()>),
}

impl RouterHandle {
    /// Has an alarm of the ledger decided about for the tokens of all nodes; what is decided is told as news. Returns
    /// whether it is decided already. `Busy`: it will not be.
    pub async fn decide(&self, question: LedgerQuestion) -> Result<bool, Busy> {
        let (reply, answer) = oneshot::channel();
        self.send(RouterCommand::Ledger(Box::new(LedgerCommand::Decide(question, reply)))).await?;
        // From here on the router does it, however late: whoever asked again would have each phone rung twice.
        Ok(timeout(COMMAND_DEADLINE, answer).await.is_ok())
    }

    /// Takes a token as another node has told of it, where there is room.
    pub async fn token_elsewhere(&self, token: TokenElsewhere) -> Result<(), Busy> {
        self.ask_ledger(|reply| LedgerCommand::Token(token, reply)).await
    }

    /// Revokes tokens that the ledger had, and has forgotten while this node was away; has it told again of those that it
    /// has lost (`None`: of all).
    pub async fn tokens_absent(
        &self,
        forgotten: Vec<DeviceHandle>,
        lost: Option<Vec<DeviceHandle>>,
    ) -> Result<(), Busy> {
        self.ask_ledger(|reply| LedgerCommand::Absent(forgotten, lost, reply)).await
    }

    /// Takes a snooze as another node has told of it.
    pub async fn snooze_elsewhere(&self, snooze: SnoozeElsewhere) -> Result<(), Busy> {
        self.ask_ledger(|reply| LedgerCommand::Snooze(snooze, reply)).await
    }

    /// Returns the snoozes as other nodes are told of them.
    pub async fn snoozes_to_tell(&self) -> Result<Vec<SnoozeElsewhere>, Busy> {
        self.ask_ledger(LedgerCommand::Snoozes).await
    }

    /// Takes over intervals and badges of the pusher before.
    pub async fn adopt(&self, legacy: PusherLegacy) -> Result<(), Busy> {
        self.ask_ledger(|reply| LedgerCommand::Adopt(legacy, reply)).await
    }

    /// Drops what waits for labels: another node sends now.
    pub async fn leave_pushes(&self) -> Result<(), Busy> {
        self.ask_ledger(LedgerCommand::Leave).await
    }

    async fn ask_ledger<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> LedgerCommand,
    ) -> Result<T, Busy> {
        self.call(|reply| RouterCommand::Ledger(Box::new(command(reply)))).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_of_an_alarm_stays_as_other_versions_read_it() {
        let whole = AlarmBody {
            began: Some(1_900_000_000_123),
            cause: "Motion: \"door\"".to_owned(),
            lasted_ms: Some(4_500),
            late: true,
            name: "Garage".to_owned(),
        };
        let text = r#"{"began":1900000000123,"cause":"Motion: \"door\"","lasted_ms":4500,"late":true,"name":"Garage"}"#;
        assert_eq!(serde_json::from_str::<AlarmBody>(text).unwrap(), whole);
        assert_eq!(String::from_utf8(whole.written()).unwrap(), text);
        let start = AlarmBody { cause: "Motion".to_owned(), name: "Gate".to_owned(), ..AlarmBody::default() };
        assert_eq!(start.written(), br#"{"cause":"Motion","name":"Gate"}"#);
        let long = AlarmBody { cause: "é".repeat(3_000), ..AlarmBody::default() };
        let cut = format!(r#"{{"cause":"{}","name":""}}"#, "é".repeat(200));
        assert_eq!(String::from_utf8(long.written()).unwrap(), cut);
    }
}
