//! The desk between a router and a push side that the test plays, and a ledger of which it says what it did.

use std::path::Path;
use std::sync::Mutex;

use zmes_cluster::LedgerServer;
use zmes_cluster::alarms::{DedupKey, Place, Written};
use zmes_cluster::lease::{LeaseEvent, LeaseRow, LeaseSight, LeaseTiming};
use zmes_cluster::node::{NodeId, NodeKey};
use zmes_cluster::outcomes::{OutcomeKind, PusherState};
use zmes_providers::{Platform, PushToken, TokenHandle};
use zmes_shared::words::Phase;
use zmes_shared::{EventId, MonitorId};

use super::*;
use crate::cluster::join::take_up;
use crate::cluster::turns::steady;
use crate::config::StateConfig;
use crate::domain::LedgerMark;
use crate::ports::{SendPermit, SystemClock};
use crate::route::{LedgerCommand, LedgerDecided, LedgerEnding, RouterCommand};
use crate::state::{ClusterMemory, SentBefore, State};

const OWN: NodeKey = NodeKey { id: NodeId(1), epoch: 7 };
const OTHER: NodeKey = NodeKey { id: NodeId(2), epoch: 3 };
/// How long a condition may take to come true.
const PATIENCE: Duration = Duration::from_secs(20);

struct DeskWorld {
    desk: Desk,
    turns: Arc<Turns>,
    outcomes: mpsc::Sender<LedgerOutcome>,
    /// What the router was asked to decide about.
    asked: Arc<Mutex<Vec<LedgerMark>>>,
    /// While this is held, the router answers nothing.
    router: Arc<tokio::sync::Mutex<()>>,
    _directory: tempfile::TempDir,
}

fn device() -> TokenHandle {
    PushToken::parse("a-phone").unwrap().handle()
}

fn logged(event: u64) -> LedgerAlarm {
    LedgerAlarm {
        dedup: DedupKey::start(EventId(event)),
        phase: Phase::Start,
        monitor: MonitorId(1),
        event: Some(EventId(event)),
        at: SystemClock.now(),
        body: b"{}".to_vec(),
    }
}

fn shared(event: u64) -> Arc<Alarm> {
    Arc::new(body::alarm(&logged(event), None, false))
}

fn key(seq: u64) -> LogKey {
    LogKey::new(OTHER.id, seq)
}

impl DeskWorld {
    #[expect(clippy::disallowed_methods, reason = "the router of a test ends with its runtime")]
    async fn start(lease: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (clock, retry_for): (Arc<dyn Clock>, _) = (Arc::new(SystemClock), Duration::from_mins(10));
        let config = StateConfig {
            directory: directory.path().to_owned(),
            keep_events: retry_for,
            keep_deliveries: retry_for,
            keep_tombstones: retry_for,
            max_size: 1 << 28,
        };
        let state = State::open(&config, Arc::clone(&clock)).await.unwrap().handle;
        let (commands, commands_rx) = mpsc::channel(64);
        let (asked, router) = (Arc::default(), Arc::default());
        tokio::spawn(answer(commands_rx, Arc::clone(&asked), Arc::clone(&router)));
        let turns = Arc::new(Turns::new(LeaseTiming::new(Duration::from_secs(lease)), 0, true, 7 << 20));
        turns.enter(Some(OWN));
        let (outcomes, outcomes_rx) = mpsc::channel(64);
        let parts = DeskParts {
            state,
            router: RouterHandle::new(commands),
            turns: Arc::clone(&turns),
            board: Arc::new(Board::new(Arc::clone(&clock), retry_for)),
            // The senders end, and nothing is asked of the ledger: no statement is made without a registration.
            news: mpsc::channel(1).1,
            outcomes: outcomes_rx,
            elsewhere: mpsc::channel(1).1,
            members: watch::channel(None).1,
            keep: retry_for,
            keep_tombstones: retry_for,
            retry_for,
            clock,
        };
        let server = LedgerServer::socket(Path::new("/nowhere"), "nobody", &String::new().into());
        let desk = Desk::new(parts, LedgerLine::new(server.into(), PATIENCE), Instant::now());
        Self { desk, turns, outcomes, asked, router, _directory: directory }
    }

    async fn begin_turn(&mut self) {
        self.desk.on_turn(self.turns.now()).await;
    }

    /// Takes the lease.
    async fn begin_to_lead(&mut self) {
        let free = LeaseSight {
            row: LeaseRow::default(),
            is_wanted_alive: false,
            holder_prefer: None,
            is_other_well: true,
        };
        self.turns.on(LeaseEvent::Seen(free));
        self.turns.on(LeaseEvent::Taken { sent: steady(), epoch: Some(1) });
        assert_eq!(self.turns.now().kind, TurnKind::Lead);
        self.begin_turn().await;
        self.desk.proceed().await;
    }

    /// The same, and takes over what the pusher before has left: nothing.
    async fn lead(&mut self) {
        self.begin_to_lead().await;
        assert!(matches!(self.desk.taking_over(), Some(Statement::Legacy)));
        self.done(StatementDone::Legacy(Ok(PusherState::default())));
        self.desk.proceed().await;
    }

    /// Time passes without an answer of the ledger.
    async fn is_alone(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while self.turns.now().kind != TurnKind::Alone {
            assert!(Instant::now() < deadline);
            tokio::time::sleep(Duration::from_millis(5)).await;
            let before = self.turns.now().number;
            self.turns.on(LeaseEvent::Tick);
            if self.turns.now().number != before {
                self.begin_turn().await;
            }
        }
    }

    /// A statement has come out.
    fn done(&mut self, done: StatementDone) {
        let line = self.desk.line.take().unwrap();
        self.desk.on_done(line, done);
    }

    /// What is to be reported goes into the ledger.
    fn report(&mut self) {
        while let Some(Statement::Report(what)) = self.desk.reporting() {
            self.done(StatementDone::Reported(what, Ok(())));
        }
    }

    fn asked(&self) -> Vec<LedgerMark> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    fn decided(&mut self, mark: LedgerMark, sends: usize) {
        let (at, withheld) = (SystemClock.now(), Vec::new());
        self.desk.on_decided(LedgerDecided { mark, at, withheld, sends });
    }
}

fn outcome(mark: LedgerMark, kind: LedgerEnding) -> LedgerOutcome {
    let at = SystemClock.now();
    let (reason, provider_id) = (String::new(), String::new());
    let monitor = MonitorId(1);
    LedgerOutcome { mark, token: device(), monitor, alarm_at: at, badge: 0, kind, reason, provider_id, at }
}

async fn answer(
    mut commands: mpsc::Receiver<RouterCommand>,
    asked: Arc<Mutex<Vec<LedgerMark>>>,
    holds: Arc<tokio::sync::Mutex<()>>,
) {
    while let Some(command) = commands.recv().await {
        drop(holds.lock().await);
        let RouterCommand::Ledger(command) = command else { continue };
        // The desk may have given up.
        match *command {
            LedgerCommand::Decide(question, reply) => {
                asked.lock().unwrap().push(question.mark);
                reply.send(()).ok();
            }
            LedgerCommand::Adopt(_, reply)
            | LedgerCommand::Leave(reply)
            | LedgerCommand::Token(_, reply)
            | LedgerCommand::Absent(_, _, reply)
            | LedgerCommand::Snooze(_, reply) => drop(reply.send(())),
            LedgerCommand::Snoozes(reply) => drop(reply.send(Vec::new())),
        }
    }
}

fn writer() -> AlarmWriter {
    AlarmWriter::new(Membership { key: OWN, seq: 0, away: None, is_known: false }, 8)
}

#[tokio::test]
async fn a_handover_waits_for_pushes_that_are_on_their_way_and_for_what_came_of_them() {
    let mut world = DeskWorld::start(60).await;
    world.lead().await;
    world.desk.on_elsewhere(AlarmElsewhere { key: key(5), alarm: shared(1), is_begun: false });
    world.desk.proceed().await;
    let [mark] = world.asked()[..] else { panic!() };
    assert_eq!(mark.key, Some(key(5)));
    world.decided(mark, 1);
    assert!(world.turns.begin(mark.turn, &[mark.alarm]));
    world.turns.on(LeaseEvent::Stop);
    world.begin_turn().await;
    // There is nothing to report yet.
    world.desk.proceed().await;
    assert!(!world.turns.is_drained(), "a push is on its way");
    world.outcomes.try_send(outcome(mark, LedgerEnding::Taken)).unwrap();
    world.turns.came_out(&[mark.alarm]);
    world.desk.proceed().await;
    assert!(!world.turns.is_drained(), "its outcome is not in the ledger");
    world.desk.take_outcomes(NEWS);
    world.desk.proceed().await;
    assert!(!world.turns.is_drained());
    assert_eq!(world.desk.report.settled, [key(5)]);
    world.report();
    world.desk.proceed().await;
    assert!(world.turns.is_drained(), "the next one finds nothing to repeat");
}

#[tokio::test]
async fn what_came_of_an_alarm_while_it_was_written_goes_into_the_ledger_after_it() {
    let mut world = DeskWorld::start(2).await;
    world.is_alone().await;
    world.desk.on_alarm(shared(1), logged(1));
    world.desk.proceed().await;
    let [mark] = world.asked()[..] else { panic!() };
    world.decided(mark, 1);
    world.desk.writer = Some(writer());
    // The node that sends for all would push it, too. But a provider that does not answer keeps it from nobody's app.
    assert!(world.desk.writing().is_none());
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(2)).await;
    tokio::time::resume();
    let Some(Statement::Write(writer)) = world.desk.writing() else { panic!() };
    let ticket = world.desk.entries.get_mut(mark.alarm).unwrap().ticket.unwrap();
    world.desk.on_outcome(outcome(mark, LedgerEnding::Taken));
    let place = Place::Ours(LogKey::new(OWN.id, 1));
    world.done(StatementDone::Wrote(writer, Ok(vec![Written { ticket, place }])));
    let report = &world.desk.report;
    let outcomes: Vec<_> = report.outcomes.iter().map(|(key, outcome)| (*key, outcome.kind)).collect();
    assert_eq!(outcomes, [(place.key(), OutcomeKind::Taken)]);
    assert_eq!(report.settled, [place.key()]);
    assert!(world.desk.notes.is_empty() && world.desk.entries.get_mut(mark.alarm).is_none());
}

#[tokio::test]
async fn what_a_node_pushes_while_the_ledger_comes_back_is_written_with_what_came_of_it() {
    let mut world = DeskWorld::start(2).await;
    world.is_alone().await;
    world.desk.on_alarm(shared(1), logged(1));
    world.desk.on_alarm(shared(2), logged(2));
    world.desk.proceed().await;
    let [first, second] = world.asked()[..] else { panic!() };
    world.desk.writer = Some(writer());
    world.decided(first, 1);
    world.decided(second, 1);
    assert!(world.desk.writing().is_none());
    world.desk.on_outcome(outcome(first, LedgerEnding::Taken));
    let Some(Statement::Write(writer)) = world.desk.writing() else { panic!() };
    assert_eq!(writer.backlog().len(), 1, "the second one is on its way");
    world.desk.writer = Some(writer);
    world.desk.on_outcome(outcome(second, LedgerEnding::Taken));
    let Some(Statement::Write(writer)) = world.desk.writing() else { panic!() };
    assert_eq!(writer.backlog().len(), 2);
    assert!(world.desk.notes.is_empty(), "the writer has both outcomes");
}

#[tokio::test]
async fn a_router_that_answers_late_is_asked_once_about_each_alarm() {
    let mut world = DeskWorld::start(60).await;
    world.lead().await;
    for seq in 1..=3 {
        world.desk.on_elsewhere(AlarmElsewhere { key: key(seq), alarm: shared(seq), is_begun: false });
    }
    let held = Arc::clone(&world.router);
    let held = held.lock().await;
    tokio::time::pause();
    assert!(!world.desk.decide_next().await, "it has no answer to the first one");
    tokio::time::resume();
    assert!(world.asked().is_empty());
    drop(held);
    while !world.desk.undecided.is_empty() {
        world.desk.decide_next().await;
    }
    let asked: Vec<_> = world.asked().into_iter().map(|mark| mark.key).collect();
    assert_eq!(asked, [Some(key(1)), Some(key(2)), Some(key(3))]);
}

#[tokio::test]
async fn the_list_of_open_alarms_is_read_while_outcomes_keep_coming() {
    let mut world = DeskWorld::start(60).await;
    world.lead().await;
    world.desk.on_elsewhere(AlarmElsewhere { key: key(5), alarm: shared(1), is_begun: false });
    world.desk.proceed().await;
    let [mark] = world.asked()[..] else { panic!() };
    world.decided(mark, 2);
    world.desk.on_outcome(outcome(mark, LedgerEnding::Taken));
    assert!(!world.desk.report.outcomes.is_empty());
    assert!(matches!(world.desk.taking_over(), Some(Statement::Open(..))));
}

#[tokio::test]
async fn what_was_sent_before_a_kill_is_in_the_ledger_before_open_alarms_are_read() {
    let mut world = DeskWorld::start(60).await;
    let secret = PushToken::parse("a-phone").unwrap();
    let token = Token::new(TokenId(4), secret, Platform::Android, SystemClock.now());
    let (kind, at) = (OutcomeKind::Taken, SystemClock.now());
    let sent = vec![SentBefore { key: key(5), token: token.id, kind, at }];
    take_up(&mut world.desk, ClusterMemory { sent, ..ClusterMemory::default() }, &[token]);
    world.begin_to_lead().await;
    assert!(world.desk.taking_over().is_none());
    let Some(Statement::Report(what)) = world.desk.reporting() else { panic!() };
    let outcomes: Vec<_> = what.outcomes.iter().map(|(key, told)| (*key, told.device, told.kind)).collect();
    assert_eq!(outcomes, [(key(5), DeviceHandle::new(device().digest()), kind)]);
    world.done(StatementDone::Reported(what, Ok(())));
    assert!(matches!(world.desk.taking_over(), Some(Statement::Legacy)));
}

#[tokio::test]
async fn what_was_begun_goes_on_when_the_ledger_is_lost_and_not_after_another_node_led() {
    for other_led in [false, true] {
        let mut world = DeskWorld::start(2).await;
        world.lead().await;
        world.desk.on_elsewhere(AlarmElsewhere { key: key(5), alarm: shared(1), is_begun: false });
        world.desk.on_elsewhere(AlarmElsewhere { key: key(6), alarm: shared(2), is_begun: false });
        world.desk.proceed().await;
        let [first, second] = world.asked()[..] else { panic!() };
        // The provider took the first one; the second one is tried again and again.
        world.decided(first, 1);
        world.desk.on_outcome(outcome(first, LedgerEnding::Taken));
        world.decided(second, 1);
        if other_led {
            let row = LeaseRow { holder: Some(OTHER), epoch: 2, ..LeaseRow::default() };
            world.turns.on(LeaseEvent::Seen(LeaseSight {
                row,
                is_wanted_alive: false,
                holder_prefer: None,
                is_other_well: true,
            }));
            world.begin_turn().await;
        }
        world.is_alone().await;
        world.desk.on_outcome(outcome(second, LedgerEnding::Left));
        world.desk.proceed().await;
        let asked: Vec<_> = world.asked().into_iter().map(|mark| (mark.key, mark.turn)).collect();
        let goes_on = [(Some(key(6)), world.turns.now().number)];
        assert_eq!(asked, if other_led { &[][..] } else { &goes_on }, "another node led: {other_led}");
    }
}

#[tokio::test]
async fn a_push_that_hangs_over_a_fence_is_not_decided_about_again_before_it_has_come_out() {
    for is_taken in [true, false] {
        let mut world = DeskWorld::start(2).await;
        world.lead().await;
        world.desk.on_elsewhere(AlarmElsewhere { key: key(5), alarm: shared(1), is_begun: false });
        world.desk.on_elsewhere(AlarmElsewhere { key: key(6), alarm: shared(2), is_begun: false });
        world.desk.proceed().await;
        let [hangs, waits] = world.asked()[..] else { panic!() };
        world.decided(hangs, 1);
        world.decided(waits, 1);
        assert!(world.turns.begin(hangs.turn, &[hangs.alarm]));
        world.is_alone().await;
        world.desk.on_outcome(outcome(waits, LedgerEnding::Left));
        world.desk.proceed().await;
        let keys = |world: &DeskWorld| world.asked().into_iter().map(|mark| mark.key).collect::<Vec<_>>();
        assert_eq!(keys(&world), [Some(key(6))], "the other alarm waits for nothing");
        // As long as its provider likes.
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(15)).await;
        tokio::time::resume();
        world.desk.proceed().await;
        assert!(keys(&world).is_empty());
        // The attempt failed, and is not to be repeated in its turn; or the phone has rung.
        if is_taken {
            world.outcomes.try_send(outcome(hangs, LedgerEnding::Taken)).unwrap();
        }
        world.turns.came_out(&[hangs.alarm]);
        world.desk.proceed().await;
        let again = [Some(key(5))];
        assert_eq!(keys(&world), if is_taken { &[][..] } else { &again });
        assert_eq!(world.desk.report.settled.contains(&key(5)), is_taken);
    }
}
