//! The desk: brings this node's alarms into the ledger, has alarms decided about when it is this node's turn, and reports
//! what came of pushes.
//!
//! Its statements run one after the other on a line of their own, beside everything else: a ledger that hangs delays no
//! decision.

mod entries;
mod statements;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error};
use zmes_cluster::LedgerLine;
use zmes_cluster::alarms::{AlarmWriter, LedgerAlarm, LogKey};
use zmes_cluster::duty::{Duty, LogStage, for_other, for_own};
use zmes_cluster::node::Membership;
use zmes_cluster::outcomes::{DeviceHandle, DeviceOutcome, OutcomeKind, PusherReport};
use zmes_cluster::records::{Record, RecordKey, RecordKind};

use self::entries::{DeskAlarm, DeskAlarms};
use self::statements::{LoggedFaults, Statement, StatementDone};
use super::board::Board;
use super::body;
use super::node::AlarmElsewhere;
use super::turns::{SendTurn, TurnKind, Turns};
use crate::domain::{Alarm, LedgerMark, Token, TokenId};
use crate::ports::Clock;
use crate::route::{
    LedgerDecided, LedgerEnding, LedgerNews, LedgerOutcome, LedgerQuestion, PusherLegacy, RouterHandle,
    SnoozeElsewhere,
};
use crate::state::{ClusterNote, Note, StateHandle};

/// How often what has waited is looked at.
const TICK: Duration = Duration::from_millis(50);
/// Pause after a statement that failed.
const PAUSE: Duration = Duration::from_millis(250);
/// How often old alarms are forgotten, by the node that sends.
const FORGET_EVERY: Duration = Duration::from_mins(1);
/// How often alarms are looked through whose pushes were withdrawn.
const PRUNE_EVERY: Duration = Duration::from_secs(5);
/// Alarms in memory that the ledger does not have; beyond it the oldest are not told to other nodes.
const UNLOGGED: usize = 20_000;
/// News that are taken at a time.
const NEWS: usize = 64;
/// How long pushes of an earlier turn are waited for.
const OLD_PUSHES: Duration = Duration::from_secs(3);
/// How long the end may take.
const FAREWELL: Duration = Duration::from_millis(1_200);

/// What the desk is made of.
#[derive(Debug)]
pub(super) struct DeskParts {
    pub(super) state: StateHandle,
    pub(super) router: RouterHandle,
    pub(super) turns: Arc<Turns>,
    pub(super) board: Arc<Board>,
    pub(super) news: mpsc::Receiver<LedgerNews>,
    pub(super) elsewhere: mpsc::Receiver<AlarmElsewhere>,
    pub(super) members: watch::Receiver<Option<Membership>>,
    pub(super) keep: Duration,
    pub(super) retry_for: Duration,
    pub(super) clock: Arc<dyn Clock>,
}

/// Owns: the alarms that are on their way, what is to be reported, a line to the ledger. Receives: news of the router and the
/// push side, alarms of other nodes, turns. Sends: questions to the router, statements, notes to the state. Ends: when told
/// to, once it has reported what it can.
#[derive(Debug)]
pub(super) struct Desk {
    parts: DeskParts,
    line: Option<LedgerLine>,
    /// `None` before the first registration, and while a statement has it.
    writer: Option<AlarmWriter>,
    has_writer: bool,
    turn: SendTurn,
    turn_since: Instant,
    entries: DeskAlarms,
    /// Alarms that the writer does not have yet, the oldest first.
    fresh: VecDeque<u64>,
    /// Alarms that are to be decided about.
    undecided: VecDeque<u64>,
    /// Outcomes of alarms that the ledger does not have yet.
    notes: Vec<(u64, DeviceOutcome)>,
    report: PusherReport,
    records: BTreeMap<DeviceHandle, (Record, Option<TokenId>)>,
    takeover: Takeover,
    /// What the pusher before has left behind, for the router.
    legacy: Option<PusherLegacy>,
    statements: JoinSet<(LedgerLine, StatementDone)>,
    /// The kind of statement that was started last.
    last: usize,
    faults: LoggedFaults,
    rest_until: Instant,
    idle_since: Instant,
    forget_at: Instant,
    prune_at: Instant,
}

/// How far a turn has begun.
#[derive(Debug, Clone, Copy, Default)]
struct Takeover {
    /// What was sent in an earlier turn has come out.
    is_clean: bool,
    /// Intervals and badges of the pusher before are taken over.
    has_legacy: bool,
    /// Where the list of open alarms is read on.
    unread: Option<LogKey>,
    /// An alarm has come that its own node has pushed, to some phones at least: the list has to be read once more.
    is_stale: bool,
}

impl Desk {
    pub(super) fn new(mut parts: DeskParts, line: LedgerLine, now: Instant) -> Self {
        let turn = parts.turns.now();
        parts.members.mark_changed();
        Self {
            parts,
            line: Some(line),
            writer: None,
            has_writer: false,
            turn,
            turn_since: now,
            entries: DeskAlarms::default(),
            fresh: VecDeque::new(),
            undecided: VecDeque::new(),
            notes: Vec::new(),
            report: PusherReport::default(),
            records: BTreeMap::new(),
            takeover: Takeover::default(),
            legacy: None,
            statements: JoinSet::new(),
            last: 0,
            faults: LoggedFaults::default(),
            rest_until: now,
            idle_since: now,
            forget_at: now + FORGET_EVERY,
            prune_at: now + PRUNE_EVERY,
        }
    }

    /// Takes up what the ledger did not have when the daemon before ended.
    pub(super) fn remember(&mut self, alarm: LedgerAlarm, done: Vec<DeviceOutcome>) {
        let shared = Arc::new(body::alarm(&alarm, None, false));
        let number = self.entries.add(DeskAlarm::own(shared, alarm));
        for outcome in done {
            self.note_outcome(number, outcome);
        }
        self.fresh.push_back(number);
    }

    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut turns = self.parts.turns.watch();
        turns.mark_changed();
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut news = Vec::with_capacity(NEWS);
        self.share_snoozes().await;
        loop {
            self.proceed().await;
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Ok(()) = turns.changed() => {
                    let turn = *turns.borrow_and_update();
                    self.on_turn(turn).await;
                }
                Ok(()) = self.parts.members.changed() => self.on_member(),
                Some(Ok((line, done))) = self.statements.join_next() => self.on_done(line, done),
                taken = self.parts.news.recv_many(&mut news, NEWS) => {
                    if taken == 0 {
                        break;
                    }
                    news.drain(..).for_each(|news| self.on_news(news));
                }
                Some(elsewhere) = self.parts.elsewhere.recv() => self.on_elsewhere(elsewhere),
                _ = tick.tick() => self.prune(Instant::now()),
            }
        }
        // What came of the last pushes: the next pusher must know.
        if timeout(FAREWELL, self.farewell()).await.is_err() {
            debug!("the ledger was not told of everything");
        }
    }

    async fn farewell(&mut self) {
        while let Ok(news) = self.parts.news.try_recv() {
            self.on_news(news);
        }
        loop {
            self.start_statement();
            let Some(Ok((line, done))) = self.statements.join_next().await else { return };
            self.on_done(line, done);
        }
    }

    async fn proceed(&mut self) {
        self.decide_next().await;
        self.read_again();
        self.start_statement();
        if self.is_reported() {
            self.parts.turns.reported(self.turn.number);
        }
        self.parts.board.waits(self.entries.unlogged());
    }

    fn is_reported(&self) -> bool {
        self.report.outcomes.is_empty() && self.report.settled.is_empty() && self.statements.is_empty()
    }

    fn on_member(&mut self) {
        let Some(member) = *self.parts.members.borrow_and_update() else { return };
        match &mut self.writer {
            Some(writer) => writer.renew(member),
            None if !self.has_writer => {
                self.has_writer = true;
                self.writer = Some(AlarmWriter::new(member, statements::BACKLOG));
            }
            // A statement has it: it fails for the old registration, and is renewed then.
            None => {}
        }
    }

    async fn on_turn(&mut self, turn: SendTurn) {
        (self.turn, self.turn_since) = (turn, Instant::now());
        self.entries.begin();
        self.undecided.clear();
        self.takeover = Takeover::default();
        self.legacy = None;
        match turn.kind {
            TurnKind::None => {
                if self.parts.router.leave_pushes().await.is_err() {
                    debug!("router busy: what waits for labels is refused when its turn comes");
                }
            }
            TurnKind::Lead => self.takeover.unread = Some(LogKey::new(zmes_cluster::node::NodeId(0), 0)),
            TurnKind::Alone => self.undecided.extend(self.entries.of_nobody()),
        }
    }

    fn on_news(&mut self, news: LedgerNews) {
        match news {
            LedgerNews::Alarm(alarm, entry) => self.on_alarm(alarm, entry),
            LedgerNews::Token(token, is_badge) => self.on_token(&token, is_badge),
            LedgerNews::Snooze(snooze, at) => self.share_snooze(&snooze, at),
            LedgerNews::Decided(decided) => self.on_decided(decided),
            LedgerNews::Outcome(outcome) => self.on_outcome(outcome),
        }
    }

    fn on_alarm(&mut self, alarm: Arc<Alarm>, entry: LedgerAlarm) {
        if self.entries.unlogged() >= UNLOGGED
            && let Some(oldest) = self.fresh.pop_front()
            && let Some(entry) = self.entries.remove(oldest)
        {
            error!(monitor = %entry.alarm.monitor, "alarm dropped: the ledger was away too long; other nodes will not get it");
            if let Some(own) = entry.own {
                self.note(ClusterNote::Logged(vec![own.dedup]));
            }
        }
        let is_start = alarm.phase.is_start();
        let number = self.entries.add(DeskAlarm::own(alarm, entry));
        self.fresh.push_back(number);
        let is_alone = self.turn.kind == TurnKind::Alone;
        if is_start && for_own(LogStage::Waiting, false, is_alone) == Duty::Push {
            self.undecided.push_back(number);
        }
    }

    fn on_elsewhere(&mut self, AlarmElsewhere { key, alarm, is_begun }: AlarmElsewhere) {
        let leads = self.turn.kind == TurnKind::Lead;
        if for_other(leads) != Duty::Push || self.entries.knows(key) {
            return;
        }
        if is_begun {
            self.takeover.is_stale = true;
            return;
        }
        let number = self.entries.add(DeskAlarm::logged(alarm, key));
        self.undecided.push_back(number);
    }

    fn on_token(&mut self, token: &Arc<Token>, is_badge: bool) {
        self.share(token, self.parts.clock.now(), is_badge);
    }

    /// Takes up when the number on a token's icon was set.
    pub(super) fn badge_was_set(&self, token: &Token, at: jiff::Timestamp) {
        self.parts.board.tokens().badges.insert(DeviceHandle::new(token.handle.digest()), at);
    }

    /// Has the other nodes told of a snooze that was changed at that time.
    fn share_snooze(&mut self, snooze: &SnoozeElsewhere, changed: jiff::Timestamp) {
        let (id, body) = body::of_snooze(snooze);
        let key = RecordKey { kind: RecordKind::Snooze, id };
        self.parts.board.tokens().pending.insert(DeviceHandle::new(id), changed);
        self.records.insert(DeviceHandle::new(id), (Record { key, changed, deleted: false, body }, None));
    }

    /// Tells of the snoozes that were set before this node was in a cluster, or that it could not tell of.
    async fn share_snoozes(&mut self) {
        let Ok(set) = self.parts.router.snoozes_to_tell().await else { return };
        for snooze in set {
            self.share_snooze(&snooze, snooze.since);
        }
    }

    /// Has the other nodes told of a token that was changed at that time.
    pub(super) fn share(&mut self, token: &Token, changed: jiff::Timestamp, is_badge: bool) {
        let device = DeviceHandle::new(token.handle.digest());
        let badge_at = {
            let mut clocks = self.parts.board.tokens();
            clocks.pending.insert(device, changed);
            if is_badge {
                clocks.badges.insert(device, changed);
                // The next pusher begins with it.
                self.report.badges.push((device, token.badge, changed));
            }
            clocks.badges.get(&device).copied()
        };
        let body = body::of_token(token, badge_at);
        let record = Record { key: RecordKey::device(device), changed, deleted: false, body };
        self.records.insert(device, (record, Some(token.id)));
    }

    fn on_decided(&mut self, decided: LedgerDecided) {
        let LedgerDecided { mark, at, withheld, sends } = decided;
        let Some(entry) = self.entries.get_mut(mark.alarm).filter(|entry| entry.turn == Some(mark.turn))
        else {
            return;
        };
        entry.pending = Some(sends);
        for (token, reason) in withheld {
            let device = DeviceHandle::new(token.digest());
            let kind = OutcomeKind::Withheld;
            let outcome = DeviceOutcome { device, kind, reason, provider_id: String::new(), at };
            self.note_outcome(mark.alarm, outcome);
        }
        self.settle_if_done(mark.alarm);
    }

    fn on_outcome(&mut self, outcome: LedgerOutcome) {
        let LedgerOutcome { mark, token, monitor, alarm_at, badge, kind, reason, provider_id, at } = outcome;
        let device = DeviceHandle::new(token.digest());
        let kind = match kind {
            LedgerEnding::Taken => Some(OutcomeKind::Taken),
            LedgerEnding::Withheld => Some(OutcomeKind::Withheld),
            LedgerEnding::Abandoned => Some(OutcomeKind::Abandoned),
            LedgerEnding::Left => None,
        };
        let Some(entry) = self.entries.get_mut(mark.alarm) else { return };
        if entry.turn == Some(mark.turn) {
            entry.pending = entry.pending.map(|pending| pending.saturating_sub(1));
            entry.is_left |= kind.is_none();
        }
        if let Some(kind) = kind {
            if kind == OutcomeKind::Taken {
                self.report.told.push((device, monitor, alarm_at));
                if badge > 0 {
                    self.report.badges.push((device, badge, at));
                }
            }
            self.note_outcome(mark.alarm, DeviceOutcome { device, kind, reason, provider_id, at });
        }
        self.settle_if_done(mark.alarm);
    }

    /// Notes what became of an alarm for a device: for the ledger, or for the writer while the ledger does not have it.
    fn note_outcome(&mut self, number: u64, outcome: DeviceOutcome) {
        let Some(entry) = self.entries.get_mut(number) else { return };
        entry.done.insert(outcome.device);
        match entry.key {
            Some(key) => self.report.outcomes.push((key, outcome)),
            None => self.notes.push((number, outcome)),
        }
    }

    fn settle_if_done(&mut self, number: u64) {
        let Some(entry) = self.entries.get_mut(number) else { return };
        if entry.pending != Some(0) {
            return;
        }
        entry.pending = None;
        if entry.is_left {
            // It is in the list of open alarms of the node that sends now.
            if entry.key.is_some() {
                self.entries.remove(number);
            }
            return;
        }
        entry.is_settled = true;
        if let Some(key) = entry.key {
            self.report.settled.push(key);
            self.entries.settle(number, key);
        }
    }

    /// Has the router decide about what is this node's turn to push.
    async fn decide_next(&mut self) {
        if !self.takeover.is_clean {
            // What is on its way since an earlier turn would be sent again.
            let waited = Instant::now().duration_since(self.turn_since);
            self.takeover.is_clean = self.parts.turns.under_way() == 0 || waited > OLD_PUSHES;
            if !self.takeover.is_clean {
                return;
            }
        }
        if let Some(legacy) = self.legacy.take() {
            if self.parts.router.adopt(legacy).await.is_err() {
                debug!("router busy: intervals and badges of the pusher before are not taken over");
            }
            self.takeover.has_legacy = true;
        }
        let may = match self.turn.kind {
            TurnKind::None => false,
            TurnKind::Lead => self.takeover.has_legacy,
            TurnKind::Alone => true,
        };
        let turn = self.turn.number;
        while may && let Some(number) = self.undecided.pop_front() {
            let Some(entry) = self.entries.get_mut(number) else { continue };
            if entry.turn == Some(turn) || entry.is_settled || !entry.alarm.phase.is_start() {
                continue;
            }
            let mark = LedgerMark { alarm: number, turn };
            let done = Arc::new(entry.done.clone());
            let question = LedgerQuestion { alarm: Arc::clone(&entry.alarm), mark, done };
            (entry.turn, entry.pending, entry.is_left) = (Some(turn), None, false);
            if self.parts.router.decide(question).await.is_err() {
                // It may have been decided nevertheless; then its outcomes come.
                debug!("router busy: an alarm is decided about later");
                if let Some(entry) = self.entries.get_mut(number) {
                    entry.turn = None;
                }
                self.undecided.push_front(number);
                return;
            }
        }
    }

    /// Pushes that were withdrawn have no outcome: their alarms are settled when nothing can be sent of them any more.
    fn prune(&mut self, now: Instant) {
        if now < self.prune_at {
            return;
        }
        self.prune_at = now + PRUNE_EVERY;
        for (number, key) in self.entries.over(now, self.parts.retry_for + FORGET_EVERY) {
            if self.turn.kind == TurnKind::Lead {
                self.report.settled.push(key);
            }
            self.entries.remove(number);
        }
    }

    fn note(&self, note: ClusterNote) {
        self.parts.state.note(Note::Cluster(Box::new(note)));
    }

    fn start_statement(&mut self) {
        if !self.statements.is_empty() || Instant::now() < self.rest_until {
            return;
        }
        let Some(statement) = self.next_statement() else { return };
        let Some(line) = self.line.take() else { return };
        self.statements.spawn(statement.run(line, self.parts.keep));
    }

    /// Returns the next statement, by turns: none of them must keep the others waiting for ever.
    fn next_statement(&mut self) -> Option<Statement> {
        self.writer.as_ref()?;
        for _ in 0..Self::KINDS {
            self.last = (self.last + 1) % Self::KINDS;
            let statement = match self.last {
                0 => self.writing(),
                1 => self.reporting(),
                2 => self.recording(),
                3 => self.taking_over(),
                4 => self.forgetting(),
                _ => self.keeping_open(),
            };
            if statement.is_some() {
                return statement;
            }
        }
        None
    }

    const KINDS: usize = 6;
}
