//! The node's task: registers, gives signs of life, reads what other nodes have told, answers admins.

mod health;
mod link_key;
mod orphans;
mod probes;
mod records;
mod requests;
mod unseen;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};
use zmes_cluster::alarms::{LogKey, LoggedAlarm, Reader};
use zmes_cluster::lease::LeaseSight;
use zmes_cluster::node::{
    Admission, Health, Heartbeat, Membership, NodeId, NodeKey, NodeRow, NodeSettings, heartbeat, nodes,
    register, stop,
};
use zmes_cluster::outcomes::DeviceHandle;
use zmes_cluster::records::{Record, RecordReader};
use zmes_cluster::schema::clock_offset;
use zmes_cluster::{Glance, LedgerError, LedgerFault, LedgerLine};
use zmes_shared::views::{ClusterNode, ClusterStatus};

pub(in crate::cluster) use self::health::Ways;
pub(in crate::cluster) use self::orphans::OrphanWatch;
pub(in crate::cluster) use self::probes::ProviderProbes;
use self::unseen::UnseenPhones;
use super::board::Board;
use super::body;
use super::handle::ClusterRequest;
use super::turns::Turns;
use crate::domain::{Alarm, Elsewhere};
use crate::ports::Clock;
use crate::route::RouterHandle;
use crate::state::{ClusterNote, LinkKeeper, Note, StateHandle};

/// How often a sign of life is given, and the status renewed.
const BEAT: Duration = Duration::from_secs(1);
/// How often the clocks are compared, and the key of links, in beats.
const SELDOM: u32 = 10;
/// An alarm that was written this long ago is told as a late one.
const LATE: Duration = Duration::from_secs(10);
/// How long saying goodbye may take.
const FAREWELL: Duration = Duration::from_millis(500);
/// Pause after an attempt to register that failed.
const PAUSE: Duration = Duration::from_secs(1);

/// An alarm of another node, for those who push.
#[derive(Debug)]
pub(super) struct AlarmElsewhere {
    pub(super) key: LogKey,
    pub(super) alarm: Arc<Alarm>,
    /// Its node was alone and has pushed it, to some phones at least.
    pub(super) is_begun: bool,
}

/// Owns: a line to the ledger, the registration, how far others were read. Receives: requests of admins. Sends: alarms of
/// other nodes to the router, then to the desk; sights of the lease; the status. Ends: when told to.
#[derive(Debug)]
pub(super) struct NodeTask {
    pub(super) line: LedgerLine,
    pub(super) settings: NodeSettings,
    pub(super) poll: Duration,
    /// Older alarms are recorded, not told.
    pub(super) catch_up: Duration,
    pub(super) turns: Arc<Turns>,
    pub(super) board: Arc<Board>,
    pub(super) state: StateHandle,
    pub(super) router: RouterHandle,
    pub(super) alarms: mpsc::Sender<Alarm>,
    pub(super) desk: mpsc::Sender<AlarmElsewhere>,
    pub(super) sights: watch::Sender<Option<LeaseSight>>,
    pub(super) beats: watch::Sender<bool>,
    pub(super) links: Arc<LinkKeeper>,
    pub(super) ways: Ways,
    pub(super) probes: ProviderProbes,
    pub(super) orphans: OrphanWatch,
    pub(super) members: watch::Sender<Option<Membership>>,
    pub(super) requests: mpsc::Receiver<ClusterRequest>,
    pub(super) shows: watch::Sender<Arc<ClusterStatus>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) reader: Option<Reader>,
    pub(super) positions: Vec<(u16, u64, u64)>,
    pub(super) reading: NodeReading,
}

/// What the node has read.
#[derive(Debug, Default)]
pub(super) struct NodeReading {
    records: RecordReader,
    /// Changes that the router had no time for.
    unapplied: VecDeque<Record>,
    unseen: UnseenPhones,
    nodes: Vec<NodeRow>,
    glance: Option<Glance>,
    /// Since when each node's alarms wait to be read here.
    behind: HashMap<NodeId, Instant>,
    offset_ms: Option<i64>,
    beat: u32,
    beat_at: Option<Instant>,
    /// When the nodes were read last, after a sign of life.
    seen_at: Option<Instant>,
    register_at: Option<Instant>,
    told_away: bool,
    /// Since when the ledger's key of links is unreadable, which was told.
    no_key_since: Option<Instant>,
    /// A question failed since the last sign of life.
    failed: bool,
    /// What keeps this node from sending pushes, as the others know it.
    trouble: String,
    has_phones: bool,
    blind_since: Option<Instant>,
}

impl NodeReading {
    /// `shared`: phones that the ledger has, or had, with their last changes there.
    pub(super) fn new(shared: HashMap<DeviceHandle, Timestamp>) -> Self {
        Self { unseen: UnseenPhones::new(shared), ..Self::default() }
    }
}

impl NodeTask {
    pub(super) async fn run(mut self, cancelled: CancellationToken) {
        let mut poll = interval(self.poll);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = cancelled.cancelled() => break,
                Some(request) = self.requests.recv() => self.answer(request).await,
                _ = poll.tick() => self.round().await,
            }
        }
        let member = *self.members.borrow();
        if let Some(member) = member
            && !matches!(timeout(FAREWELL, stop(&mut self.line, member.key)).await, Ok(Ok(())))
        {
            debug!("other nodes find out by themselves that this one has stopped");
        }
    }

    async fn round(&mut self) {
        let now = Instant::now();
        if self.board.is_fenced() {
            return self.fenced_round(now).await;
        }
        let member = *self.members.borrow();
        let Some(member) = member else {
            if self.reading.register_at.is_none_or(|at| at <= now) {
                self.reading.register_at = Some(now + PAUSE);
                self.register().await;
            }
            self.show_each_second(now);
            return;
        };
        self.read(member).await;
        if self.reading.beat_at.is_none_or(|at| at <= now) {
            self.reading.beat_at = Some(now + BEAT);
            self.beat(member).await;
            self.show();
        }
    }

    /// It is not registered, and alarms of others are not read. But what was revoked, muted or snoozed elsewhere holds for
    /// the pushes of its own cameras.
    async fn fenced_round(&mut self, now: Instant) {
        if self.reading.beat_at.is_none_or(|at| at <= now) {
            self.reading.beat_at = Some(now + BEAT);
            self.read_records().await;
            self.show();
        }
    }

    fn show_each_second(&mut self, now: Instant) {
        if self.reading.beat_at.is_none_or(|at| at <= now) {
            self.reading.beat_at = Some(now + BEAT);
            self.show();
        }
    }

    async fn register(&mut self) {
        match register(&mut self.line, &self.settings).await {
            Ok(Admission::Member(member)) => self.enter(member),
            Ok(Admission::Twin(twin)) => {
                error!(
                    name = twin.name,
                    address = twin.address,
                    hint = "give each node its own [cluster] name, then restart this zmesd",
                    "another zmesd with the name of this node is at work: this one sends for its own cameras, and other nodes \
                     do not hear of them"
                );
                self.fence();
            }
            Err(error) => self.failed(&error),
        }
    }

    /// Takes part from now on.
    pub(super) fn enter(&mut self, member: Membership) {
        info!(name = self.settings.name, epoch = member.key.epoch, "registered in the cluster");
        self.settings.last_epoch = member.key.epoch;
        let (identity, epoch) = (self.settings.identity, member.key.epoch);
        self.state.note(Note::Cluster(Box::new(ClusterNote::Node { identity, epoch })));
        self.board.answered();
        self.reading.told_away = false;
        let away = member.away.filter(|_| member.is_known);
        self.reading.unseen.enter(away.and_then(|away| self.clock.now().checked_sub(away).ok()));
        // Under another number after an admin has removed it: it goes on where it was.
        let reader = self.reader.take().map(|reader| reader.renamed(member.key.id));
        let positions = std::mem::take(&mut self.positions);
        self.reader = Some(reader.unwrap_or_else(|| Reader::from_positions(member.key.id, positions)));
        self.members.send_replace(Some(member));
    }

    fn fence(&mut self) {
        self.board.fence();
        self.members.send_replace(None);
    }

    /// This start of the node counts no more: it registers again.
    fn leave(&mut self, why: &str) {
        warn!(why, "registering in the cluster again");
        self.reading.register_at = None;
        self.members.send_replace(None);
    }

    fn failed(&mut self, error: &LedgerError) {
        self.reading.failed = true;
        self.board.away(error);
        if !std::mem::replace(&mut self.reading.told_away, true) {
            warn!(%error, hint = error.hint, "the cluster's ledger cannot be used; trying again");
        }
        match error.fault {
            LedgerFault::Fenced => self.fence(),
            LedgerFault::Forgotten => self.leave("the ledger does not know this start of the node"),
            LedgerFault::Unreachable
            | LedgerFault::Late
            | LedgerFault::Closed
            | LedgerFault::Contended
            | LedgerFault::Login
            | LedgerFault::Grants
            | LedgerFault::NoSchema
            | LedgerFault::OldSchema
            | LedgerFault::NewSchema
            | LedgerFault::Unfit
            | LedgerFault::Other => {}
        }
    }

    async fn read(&mut self, member: Membership) {
        let Some(reader) = &mut self.reader else { return };
        let news = match reader.read(&mut self.line).await {
            Ok(news) => news,
            Err(error) => {
                self.sights.send_replace(None);
                self.failed(&error);
                return;
            }
        };
        self.sights.send_replace(Some(LeaseSight::of(&news.glance, member.key.id)));
        let now = Instant::now();
        for (node, lag) in reader.lag(&news.glance) {
            if lag == 0 {
                self.reading.behind.remove(&node);
            } else {
                self.reading.behind.entry(node).or_insert(now);
            }
        }
        let rev = news.glance.rev;
        self.reading.glance = Some(news.glance);
        for logged in news.alarms {
            self.tell(member, logged).await;
        }
        if self.board.is_to_read_again() {
            self.reading.records = RecordReader::after(0);
        }
        if rev < self.reading.records.rev() {
            self.went_back().await;
        }
        let reading = &self.reading;
        if rev > reading.records.rev() || !reading.unapplied.is_empty() || reading.unseen.waits() {
            self.read_records().await;
        }
    }

    /// Tells the apps of this node of an alarm of another one, and those who push.
    async fn tell(&mut self, member: Membership, logged: LoggedAlarm) {
        let LoggedAlarm { key, alarm, age, is_begun } = logged;
        if key.node == member.key.id {
            return;
        }
        let name = self.name_of(key.node).await;
        let heads = self.reading.glance.iter().flat_map(|glance| &glance.heads);
        let epoch = heads.filter(|head| head.node.id == key.node).map(|head| head.node.epoch).max();
        let elsewhere = Elsewhere {
            node: key.node.0,
            epoch: epoch.unwrap_or_default(),
            seq: key.seq,
            name,
            is_past: age > self.catch_up,
        };
        let alarm = body::alarm(&alarm, Some(elsewhere), age > LATE);
        let starts = alarm.phase.is_start();
        let shared = Arc::new(alarm.clone());
        if self.alarms.send(alarm).await.is_err() || !starts {
            return;
        }
        // The desk only ends after this task.
        self.desk.send(AlarmElsewhere { key, alarm: shared, is_begun }).await.ok();
    }

    async fn name_of(&mut self, node: NodeId) -> Arc<str> {
        if !self.reading.nodes.iter().any(|row| row.key.id == node)
            && let Ok(rows) = nodes(&mut self.line).await
        {
            self.reading.nodes = rows;
        }
        let row = self.reading.nodes.iter().find(|row| row.key.id == node);
        row.map_or_else(|| format!("node {}", node.0).into(), |row| row.name.as_str().into())
    }

    async fn beat(&mut self, member: Membership) {
        self.reading.beat = self.reading.beat.wrapping_add(1);
        if self.reading.beat % SELDOM == 1 {
            let clock = Arc::clone(&self.clock);
            if let Ok(offset) = clock_offset(&mut self.line, move || clock.now()).await {
                self.reading.offset_ms = Some(offset.ms);
            }
            self.agree_on_links().await;
        }
        let clock_ms = self.reading.offset_ms.map_or(0, |ms| i32::try_from(ms).unwrap_or(i32::MAX));
        let health = Health { trouble: self.trouble(), clock_ms };
        match heartbeat(&mut self.line, member.key, &health).await {
            Ok(Heartbeat::Alive) => self.alive(health.trouble),
            Ok(Heartbeat::Fenced) => {
                error!(
                    hint = "give each node its own [cluster] name, then restart this zmesd",
                    "another zmesd has registered under the name of this node: this one sends for its own cameras, and other \
                     nodes do not hear of them"
                );
                self.fence();
            }
            Ok(Heartbeat::Removed) => self.leave("an admin has removed this node"),
            Ok(Heartbeat::Forgotten) => self.leave("the database has lost this start of the node"),
            Err(error) => return self.failed(&error),
        }
        match nodes(&mut self.line).await {
            Ok(rows) => {
                self.reading.nodes = rows;
                self.see_orphans().await;
            }
            Err(error) => self.failed(&error),
        }
    }

    fn show(&mut self) {
        self.follow_orphans();
        let reading = &self.reading;
        let holder = reading.glance.as_ref().and_then(|glance| glance.lease.holder);
        let now = Instant::now();
        let node = |row: &NodeRow| ClusterNode {
            name: row.name.clone(),
            server_id: row.server,
            seen_ms: millis(row.silent),
            lag_ms: reading.behind.get(&row.key.id).map_or(0, |since| millis(now.duration_since(*since))),
            pusher: sends(row, holder),
            version: row.version.clone(),
            alive: row.is_alive(),
            stopped: row.stopped,
            clock_offset_ms: row.clock_ms.into(),
            trouble: row.trouble.clone(),
            address: row.address.clone(),
            prefer: row.prefer,
        };
        let nodes: Vec<ClusterNode> = reading.nodes.iter().map(node).collect();
        let mut status = ClusterStatus {
            pusher: nodes.iter().find(|node| node.pusher).map(|node| node.name.clone()),
            nodes,
            clock_offset_ms: reading.offset_ms,
            name: self.settings.name.clone(),
            epoch: self.members.borrow().map(|member| member.key.epoch),
            ledger: self.line.server().place(),
            may_send: self.turns.may_send(),
            alone: self.turns.is_alone(),
            orphans: self.orphans.shown(),
            ..ClusterStatus::default()
        };
        self.board.describe(&mut status);
        self.shows.send_replace(Arc::new(status));
    }
}

/// Says whether a node sends pushes. The lease names the holder for a while after it has died.
fn sends(row: &NodeRow, holder: Option<NodeKey>) -> bool {
    holder == Some(row.key) && row.is_alive()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: NodeKey = NodeKey { id: NodeId(1), epoch: 7 };

    pub(super) fn row(silent: u64, stopped: bool) -> NodeRow {
        NodeRow {
            key: KEY,
            name: "nvr1".to_owned(),
            server: None,
            seq: 0,
            silent: Duration::from_secs(silent),
            stopped,
            clock_ms: 0,
            prefer: 0,
            version: String::new(),
            address: String::new(),
            trouble: String::new(),
        }
    }

    #[test]
    fn a_dead_holder_of_the_lease_sends_no_pushes() {
        let key = KEY;
        assert!(sends(&row(9, false), Some(key)));
        assert!(!sends(&row(10, false), Some(key)) && !sends(&row(0, true), Some(key)));
        assert!(!sends(&row(0, false), Some(NodeKey { epoch: 8, ..key })) && !sends(&row(0, false), None));
    }
}
