//! The desk: brings this node's alarms into the ledger, has alarms decided about when it is this node's turn, and reports
//! what came of pushes.
//!
//! Its statements run one after the other on a line of their own, beside everything else: a ledger that hangs delays no
//! decision.

mod deciding;
mod entries;
mod over;
mod refusals;
mod statements;
#[cfg(test)]
mod tests;

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
use zmes_cluster::duty::{Duty, LogStage, for_begun, for_other, for_own};
use zmes_cluster::node::Membership;
use zmes_cluster::outcomes::{DeviceHandle, DeviceOutcome, OpenPlace, PusherReport};
use zmes_cluster::records::{Record, RecordKey, RecordKind};

use self::entries::{DeskAlarm, DeskAlarms};
use self::over::OverRecords;
use self::refusals::RefusedWrites;
use self::statements::{LoggedFaults, Statement, StatementDone};
use super::board::Board;
use super::body;
use super::node::AlarmElsewhere;
use super::turns::{SendTurn, TurnKind, Turns};
use crate::domain::{Alarm, Token, TokenId};
use crate::ports::Clock;
use crate::route::{LedgerNews, LedgerOutcome, PusherLegacy, RouterHandle, SnoozeElsewhere};
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
    pub(super) outcomes: mpsc::Receiver<LedgerOutcome>,
    pub(super) elsewhere: mpsc::Receiver<AlarmElsewhere>,
    pub(super) members: watch::Receiver<Option<Membership>>,
    pub(super) keep: Duration,
    pub(super) keep_tombstones: Duration,
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
    /// The same, once pushes of them that are on their way since an earlier turn have come out.
    on_their_way: Vec<u64>,
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
    refusals: RefusedWrites,
    rest_until: Instant,
    idle_since: Instant,
    forget_at: Instant,
    over: OverRecords,
    prune_at: Instant,
}

/// How far a turn has begun.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum TakeoverStage {
    #[default]
    New,
    /// What came of pushes of an earlier turn is known here, unless they are still on their way.
    Known,
    /// The ledger has what came of it: from here on, outcomes that are still to be written are known here.
    Reported,
    /// Intervals and badges of the pusher before are taken over.
    Inherited,
}

/// What a turn still has to take over.
#[derive(Debug, Clone, Copy, Default)]
struct Takeover {
    stage: TakeoverStage,
    /// Where the list of open alarms is read on; `None`: it is read.
    unread: Option<OpenPlace>,
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
            entries: DeskAlarms::after(turn.number),
            fresh: VecDeque::new(),
            undecided: VecDeque::new(),
            on_their_way: Vec::new(),
            notes: Vec::new(),
            report: PusherReport::default(),
            records: BTreeMap::new(),
            takeover: Takeover::default(),
            legacy: None,
            statements: JoinSet::new(),
            last: 0,
            faults: LoggedFaults::default(),
            refusals: RefusedWrites::default(),
            rest_until: now,
            idle_since: now,
            forget_at: now + FORGET_EVERY,
            over: OverRecords::new(now),
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

    /// Takes up what the daemon before sent of an alarm of the ledger, which may not know of it.
    pub(super) fn sent_before(&mut self, key: LogKey, outcome: DeviceOutcome) {
        self.report.outcomes.push((key, outcome));
    }

    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut turns = self.parts.turns.watch();
        turns.mark_changed();
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut news = Vec::with_capacity(NEWS);
        self.share_snoozes().await;
        loop {
            let more = self.proceed().await;
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Ok(()) = turns.changed() => {
                    let turn = *turns.borrow_and_update();
                    self.on_turn(turn).await;
                }
                Ok(()) = self.parts.members.changed() => self.on_member(),
                Some(Ok((line, done))) = self.statements.join_next() => self.on_done(line, done),
                // None, once the router has ended.
                1.. = self.parts.news.recv_many(&mut news, NEWS) => {
                    news.drain(..).for_each(|news| self.on_news(news));
                    // Not all at once: news must not wait for all of them.
                    self.take_outcomes(NEWS);
                }
                Some(outcome) = self.parts.outcomes.recv() => {
                    self.on_outcome(outcome);
                    self.take_outcomes(NEWS);
                }
                Some(elsewhere) = self.parts.elsewhere.recv() => self.on_elsewhere(elsewhere),
                () = std::future::ready(()), if more => {}
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
        while let Ok(outcome) = self.parts.outcomes.try_recv() {
            self.on_outcome(outcome);
        }
        loop {
            self.start_statement();
            let Some(Ok((line, done))) = self.statements.join_next().await else { return };
            self.on_done(line, done);
        }
    }

    /// Takes as many outcomes as were told until now, at most.
    fn take_outcomes(&mut self, most: usize) {
        for _ in 0..most {
            let Ok(outcome) = self.parts.outcomes.try_recv() else { return };
            self.on_outcome(outcome);
        }
    }

    /// Returns whether there is more to decide.
    async fn proceed(&mut self) -> bool {
        let more = self.decide_next().await;
        self.read_again();
        self.start_statement();
        let turn = self.turn.number;
        self.parts.turns.reported(if self.is_reported() { turn } else { 0 });
        self.parts.board.waits(self.entries.unlogged(), self.entries.waited(Instant::now()));
        more
    }

    async fn on_turn(&mut self, turn: SendTurn) {
        (self.turn, self.turn_since) = (turn, Instant::now());
        self.entries.begin();
        self.undecided.clear();
        self.on_their_way.clear();
        self.takeover = Takeover::default();
        self.refusals.of_turn = false;
        self.legacy = None;
        match turn.kind {
            TurnKind::None => {
                if self.parts.router.leave_pushes().await.is_err() {
                    debug!("router busy: what waits for labels is refused when its turn comes");
                }
            }
            TurnKind::Lead => {
                self.takeover.unread = Some(OpenPlace::default());
                for number in self.unlogged_to_push() {
                    self.take_on(number);
                }
            }
            TurnKind::Alone => {
                // While the ledger only refuses its alarms, another node goes on with what it had begun.
                let is_alone = self.parts.turns.is_alone();
                let goes_on = for_begun(false, is_alone, turn.led_from.is_some()) == Duty::Push;
                let since = turn.led_from.filter(|_| goes_on).unwrap_or(turn.number);
                for number in self.entries.unfinished(since).into_iter().chain(self.unlogged_to_push()) {
                    self.take_on(number);
                }
            }
        }
    }

    fn on_news(&mut self, news: LedgerNews) {
        match news {
            LedgerNews::Alarm(alarm, entry) => self.on_alarm(alarm, entry),
            LedgerNews::Token(token, is_badge) => self.on_token(&token, is_badge),
            LedgerNews::TokenAgain(token, at) => self.on_token_again(&token, at),
            LedgerNews::Snooze(snooze, at) => self.share_snooze(&snooze, at),
            LedgerNews::Decided(decided) => self.on_decided(decided),
        }
    }

    fn on_alarm(&mut self, alarm: Arc<Alarm>, entry: LedgerAlarm) {
        if self.entries.unlogged() >= UNLOGGED
            && let Some(oldest) = self.fresh.pop_front()
            && let Some(entry) = self.entries.remove(oldest)
        {
            if !self.parts.board.is_fenced() {
                error!(monitor = %entry.alarm.monitor, "alarm dropped: the ledger was away too long; other nodes will not get it");
            }
            if let Some(own) = entry.own {
                self.note(ClusterNote::Logged(vec![own.dedup]));
            }
        }
        let is_start = alarm.phase.is_start();
        let number = self.entries.add(DeskAlarm::own(alarm, entry));
        self.fresh.push_back(number);
        let is_alone = self.turn.kind != TurnKind::None && self.pushes_unlogged();
        if is_start && for_own(LogStage::Waiting, false, is_alone) == Duty::Push {
            self.take_on(number);
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
        self.take_on(number);
    }

    fn on_token(&mut self, token: &Arc<Token>, is_badge: bool) {
        self.share(token, self.parts.clock.now(), is_badge);
    }

    /// The ledger has lost a token. What was changed since is told anyway.
    fn on_token_again(&mut self, token: &Token, at: jiff::Timestamp) {
        let device = DeviceHandle::new(token.handle.digest());
        let is_told = self.parts.board.tokens().pending.contains_key(&device);
        if !is_told {
            self.share(token, at, false);
        }
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
        // A twin was perhaps never registered, and tells of its phones all the same.
        if self.writer.is_none() && (self.has_writer || !self.parts.board.is_fenced()) {
            return None;
        }
        for _ in 0..Self::KINDS {
            self.last = (self.last + 1) % Self::KINDS;
            let statement = match self.last {
                0 => self.writing(),
                Self::REPORTING => self.reporting(),
                2 => self.recording(),
                3 => self.taking_over(),
                4 => self.forgetting(),
                5 => self.deleting(),
                _ => self.keeping_open(),
            };
            if statement.is_some() {
                return statement;
            }
        }
        None
    }

    const KINDS: usize = 7;
    const REPORTING: usize = 1;
}
