//! A host as a daemon would be: detects alarms, writes them, reads those of others, and pushes what is its duty.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, sleep};
use zmes_cluster::alarms::{AlarmWriter, LedgerAlarm, LogKey, Place, Reader, Ticket};
use zmes_cluster::duty::{Duty, LogStage, for_other, for_own};
use zmes_cluster::lease::{Lease, LeaseAction, LeaseEvent, LeaseSight, LeaseTiming, perform};
use zmes_cluster::node::{Admission, Health, Membership, NodeSettings, heartbeat, register};
use zmes_cluster::outcomes::{
    DeviceHandle, DeviceOutcome, OpenPlace, OutcomeKind, PusherReport, open_alarms, report,
};
use zmes_cluster::{LedgerError, LedgerLine};

use crate::nodes::{CAPACITY, alarm, settings};

/// Registered phones.
pub(crate) const PHONES: [DeviceHandle; 3] =
    [DeviceHandle::new([1; 32]), DeviceHandle::new([2; 32]), DeviceHandle::new([3; 32])];

/// Alarms that are pushed in a turn: the lease has to be renewed between two.
const TURN: usize = 20;
/// How often a sign of life is given.
const BEAT: Duration = Duration::from_millis(100);
/// How long a push takes.
const PUSH: Duration = Duration::from_millis(1);

/// What the provider was asked: event, phone.
pub(crate) type Provider = Arc<Mutex<Vec<(u64, DeviceHandle)>>>;

/// What survives a crash of the host.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    last_epoch: u64,
    /// Alarms that are not in the log yet, each with what was sent of it.
    backlog: Vec<(LedgerAlarm, Vec<DeviceOutcome>)>,
    /// Events of the host's cameras that were not detected yet.
    pub(crate) events: Vec<u64>,
}

/// An alarm of the log that is to be pushed, and for whom that is done.
struct Open {
    key: LogKey,
    event: u64,
    done: HashSet<DeviceHandle>,
}

/// The host.
pub(crate) struct Host {
    name: &'static str,
    disk: Arc<Mutex<Disk>>,
    provider: Provider,
    /// For what the lease needs: quick, or not at all.
    line: LedgerLine,
    /// For all else.
    patient: LedgerLine,
    lease: Lease,
    member: Membership,
    writer: AlarmWriter,
    reader: Reader,
    started: Instant,
    beat_at: Instant,
    /// Tickets of what waits, by the alarm's place on the disk.
    waiting: HashMap<Ticket, LedgerAlarm>,
    open: Vec<Open>,
    known: HashSet<LogKey>,
    /// Where the list of open alarms is read on, page by page.
    unread: Option<OpenPlace>,
    unreported: Vec<(LogKey, DeviceOutcome)>,
    settled: Vec<LogKey>,
}

fn taken(device: DeviceHandle) -> DeviceOutcome {
    let (reason, provider_id) = (String::new(), String::new());
    DeviceOutcome { device, kind: OutcomeKind::Taken, reason, provider_id, at: Timestamp::UNIX_EPOCH }
}

impl Host {
    /// Starts the host: registers, and takes up what its disk has.
    pub(crate) async fn start(
        name: &'static str,
        disk: Arc<Mutex<Disk>>,
        provider: Provider,
        (mut line, patient): (LedgerLine, LedgerLine),
        term: Duration,
        started: Instant,
    ) -> Self {
        let member = loop {
            let last_epoch = disk.lock().unwrap().last_epoch;
            match register(&mut line, &NodeSettings { last_epoch, ..settings(name) }).await {
                Ok(Admission::Member(member)) => break member,
                Ok(Admission::Twin(twin)) => panic!("{twin:?}"),
                Err(error) => assert!(error.fault.is_away(), "{error:?}"),
            }
            sleep(Duration::from_millis(20)).await;
        };
        disk.lock().unwrap().last_epoch = member.key.epoch;
        let lease = Lease::new(member.key, 0, LeaseTiming::new(term), started.elapsed());
        let mut host = Self {
            name,
            provider,
            line,
            patient,
            lease,
            member,
            writer: AlarmWriter::new(member, CAPACITY),
            reader: Reader::from_now(member.key.id),
            started,
            beat_at: started,
            waiting: HashMap::new(),
            open: Vec::new(),
            known: HashSet::new(),
            unread: None,
            unreported: Vec::new(),
            settled: Vec::new(),
            disk: Arc::clone(&disk),
        };
        let backlog = disk.lock().unwrap().backlog.clone();
        for (alarm, outcomes) in backlog {
            host.enqueue(alarm, outcomes);
        }
        host
    }

    fn enqueue(&mut self, alarm: LedgerAlarm, outcomes: Vec<DeviceOutcome>) {
        let (ticket, dropped) = self.writer.push(alarm.clone()).unwrap();
        assert!(dropped.is_none());
        self.waiting.insert(ticket, alarm);
        self.writer.note(ticket, outcomes, false).unwrap();
    }

    /// Runs until it is killed.
    pub(crate) async fn run(mut self) {
        loop {
            self.detect();
            self.look().await;
            if self.beat_at <= Instant::now()
                && heartbeat(&mut self.line, self.member.key, &Health::default()).await.is_ok()
            {
                self.beat_at = Instant::now() + BEAT;
                self.tell(LeaseEvent::Beat { is_well: true }).await;
            }
            self.tell(LeaseEvent::Tick).await;
            self.write().await;
            self.push_alone().await;
            self.push().await;
            sleep(Duration::from_millis(5)).await;
        }
    }

    fn detect(&mut self) {
        let mut disk = self.disk.lock().unwrap();
        let events = std::mem::take(&mut disk.events);
        disk.backlog.extend(events.iter().map(|event| (alarm(*event), Vec::new())));
        drop(disk);
        for event in events {
            self.enqueue(alarm(event), Vec::new());
        }
    }

    async fn look(&mut self) {
        let event = match self.reader.read(&mut self.line).await {
            Ok(news) => {
                let duty = for_other(self.lease.may_send(self.started.elapsed()));
                for logged in news.alarms.iter().filter(|_| duty == Duty::Push) {
                    self.add(logged.key, logged.alarm.event.unwrap().0, HashSet::new());
                }
                LeaseEvent::Seen(LeaseSight::of(&news.glance, self.member.key.id))
            }
            Err(error) => {
                assert!(error.fault.is_away(), "{}: {error:?}", self.name);
                LeaseEvent::Unanswered
            }
        };
        self.tell(event).await;
    }

    fn add(&mut self, key: LogKey, event: u64, done: HashSet<DeviceHandle>) {
        if self.known.insert(key) {
            self.open.push(Open { key, event, done });
        }
    }

    async fn tell(&mut self, event: LeaseEvent) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            for action in self.lease.on(event, self.started.elapsed()) {
                match action {
                    LeaseAction::Lead(_) => {
                        self.unread = Some(OpenPlace::default());
                        self.open.clear();
                        self.known.clear();
                    }
                    LeaseAction::Fence => {
                        self.unread = None;
                        self.open.clear();
                    }
                    LeaseAction::Drain => events.push(LeaseEvent::Drained),
                    LeaseAction::Take(_)
                    | LeaseAction::Renew(_)
                    | LeaseAction::Release(_)
                    | LeaseAction::Ask(_)
                    | LeaseAction::Alone
                    | LeaseAction::Together => {}
                }
                let started = self.started;
                let (event, _) = perform(&mut self.line, self.member.key, action, || started.elapsed()).await;
                events.extend(event);
            }
        }
    }

    async fn write(&mut self) {
        while !self.writer.backlog().is_empty() {
            let written = match self.writer.write(&mut self.patient).await {
                Ok(written) => written,
                Err(error) => {
                    assert!(error.fault.is_away(), "{}: {error:?}", self.name);
                    return;
                }
            };
            for written in written {
                let alarm = self.waiting.remove(&written.ticket).unwrap();
                let mut disk = self.disk.lock().unwrap();
                let index = disk.backlog.iter().position(|(kept, _)| *kept == alarm).unwrap();
                let (_, outcomes) = disk.backlog.remove(index);
                drop(disk);
                let may_send = self.lease.may_send(self.started.elapsed());
                // What was there before is on the list of who pushes already.
                if let (Place::Ours(key), Duty::Push) =
                    (written.place, for_own(LogStage::Logged, may_send, false))
                {
                    let done = outcomes.iter().map(|outcome| outcome.device).collect();
                    self.add(key, alarm.event.unwrap().0, done);
                }
            }
        }
    }

    /// Pushes what nobody else may know of.
    async fn push_alone(&mut self) {
        let waiting: Vec<_> = self.writer.backlog().entries().cloned().collect();
        for entry in waiting {
            let stage = if entry.is_in_doubt() { LogStage::InDoubt } else { LogStage::Waiting };
            let may_send = self.lease.may_send(self.started.elapsed());
            if for_own(stage, may_send, self.lease.is_alone()) != Duty::Push {
                return;
            }
            for phone in PHONES {
                if entry.outcomes.iter().any(|outcome| outcome.device == phone) {
                    continue;
                }
                self.send(entry.alarm.event.unwrap().0, phone).await;
                let mut disk = self.disk.lock().unwrap();
                if let Some((_, outcomes)) = disk.backlog.iter_mut().find(|(kept, _)| *kept == entry.alarm) {
                    outcomes.push(taken(phone));
                }
                drop(disk);
                self.writer.note(entry.ticket, vec![taken(phone)], false).unwrap();
            }
        }
    }

    async fn push(&mut self) {
        // What was sent is told first: it may stand in the list of open alarms that is read next.
        if self.report().await.is_err() {
            return;
        }
        if self.open.len() < TURN && self.read_open().await.is_err() {
            return;
        }
        let turn = self.open.len().min(TURN);
        for open in self.open.drain(..turn).collect::<Vec<_>>() {
            for phone in PHONES.iter().filter(|phone| !open.done.contains(phone)) {
                if !self.lease.may_send(self.started.elapsed()) {
                    return;
                }
                self.send(open.event, *phone).await;
                self.unreported.push((open.key, taken(*phone)));
            }
            self.settled.push(open.key);
        }
    }

    async fn send(&self, event: u64, phone: DeviceHandle) {
        self.provider.lock().unwrap().push((event, phone));
        sleep(PUSH).await;
    }

    async fn report(&mut self) -> Result<(), LedgerError> {
        if self.unreported.is_empty() && self.settled.is_empty() {
            return Ok(());
        }
        let done = PusherReport {
            outcomes: self.unreported.clone(),
            settled: self.settled.clone(),
            ..PusherReport::default()
        };
        report(&mut self.patient, &done).await?;
        self.unreported.clear();
        self.settled.clear();
        Ok(())
    }

    /// Reads a page of what the pusher before has left open.
    async fn read_open(&mut self) -> Result<(), LedgerError> {
        let Some(after) = self.unread else { return Ok(()) };
        let page = open_alarms(&mut self.patient, Duration::from_hours(1), after, 50).await?;
        self.unread = page.next;
        for open in page.open {
            self.add(open.logged.key, open.logged.alarm.event.unwrap().0, open.done.into_iter().collect());
        }
        Ok(())
    }
}
