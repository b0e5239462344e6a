//! The cameras of servers without a node at work: which of them this node watches, and what is said of them.
//!
//! Their alarms are in the Events table, which detection of every node reads anyway. So watching them is no more than having
//! their monitors in the catalog. Who watches is for [`zmes_cluster::orphans`] to say, by what all nodes read in the ledger.
//!
//! A node that takes them up tells what happened since the last sign of life of whoever watched them, but for what is in the
//! ledger. While it does not reach the ledger it watches none: it would not know of another node that does.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{debug, info, warn};
use zmes_cluster::node::{Membership, NodeKey, NodeRow, SILENCE, set_server};
use zmes_cluster::orphans::{orphans, watcher};
use zmes_shared::views::ClusterOrphan;
use zmes_zoneminder::OtherServer;

use super::NodeTask;
use crate::monitors::{Catalog, Orphans};

/// While no node that is at work holds the lease for this long, the first node watches.
const UNLED: Duration = SILENCE;
/// Without an answer of the ledger for this long none is watched.
const BLIND: Duration = Duration::from_secs(5);
/// How much further back than the last sign of life what happened is told: a sign of life comes each second, an event begins with
/// pictures from before its alarm, and clocks of servers differ a little.
const OVERLAP: Duration = Duration::from_mins(2);

/// How the cluster stands.
#[derive(Debug)]
struct OrphanSight<'s> {
    own: NodeKey,
    nodes: &'s [NodeRow],
    holder: Option<NodeKey>,
    /// What other nodes have told was read: what they have not told is known.
    is_caught_up: bool,
}

/// Owns: which orphans this node watches. Sends: them to the catalog.
#[derive(Debug)]
pub(in crate::cluster) struct OrphanWatch {
    watched: watch::Sender<Arc<Orphans>>,
    /// Detection reads the Events table.
    reads_events: bool,
    /// When this node could watch last, before this look; `None`: not since its start.
    looked_at: Option<Instant>,
    born: Instant,
    unled_since: Option<Instant>,
    shown: Vec<ClusterOrphan>,
}

impl OrphanWatch {
    pub(in crate::cluster) fn new(
        watched: watch::Sender<Arc<Orphans>>,
        reads_events: bool,
        now: Instant,
    ) -> Self {
        let shown = Vec::new();
        Self { watched, reads_events, looked_at: None, born: now, unled_since: None, shown }
    }

    /// The ledger was read after a sign of life that it took. `away`: how long nothing was heard of this node before its start.
    fn see(&mut self, sight: &OrphanSight<'_>, catalog: &Catalog, away: Option<Duration>, now: Instant) {
        let OrphanSight { own, nodes, holder, is_caught_up } = *sight;
        let is_led = watcher(nodes, holder, false).is_some();
        self.unled_since = (!is_led).then(|| self.unled_since.unwrap_or(now));
        let is_unled = self.unled_since.is_some_and(|since| now.duration_since(since) >= UNLED);
        let watching = watcher(nodes, holder, is_unled);
        let with_cameras = || catalog.servers.iter().filter(|(_, cameras)| **cameras > 0);
        let found = orphans(nodes, with_cameras().map(|(server, _)| server.id));
        let before = Arc::clone(&self.watched.borrow());
        let mut wanted = Vec::new();
        if self.reads_events && watching == Some(own) {
            // Where a server never had a node, the node that sent pushes watched it.
            let others = nodes.iter().filter(|node| node.key.id != own.id).map(|node| node.silent);
            let unwatched = others.chain([self.unwatched(away, now)]).min().unwrap_or_default();
            let gap = |silent: Option<Duration>| now.checked_sub(silent.unwrap_or(unwatched) + OVERLAP);
            let known = |server| before.get(server);
            let from = found.iter().filter(|(server, _)| is_caught_up || before.contains(**server));
            wanted.extend(
                from.map(|(server, silent)| (*server, known(*server).unwrap_or_else(|| gap(*silent)))),
            );
        }
        if is_caught_up && catalog.loaded_at.is_some() {
            self.looked_at = Some(now);
        }
        let wanted: Orphans = wanted.into_iter().collect();
        for server in before.servers().filter(|server| !wanted.contains(*server)) {
            if found.contains_key(&server) {
                info!(server, "another node watches the cameras of this server now");
            } else {
                info!(server, "a zmesd is at work on this server again: its cameras are left to it");
            }
        }
        self.set(wanted, catalog);
        let name = |key: NodeKey| nodes.iter().find(|node| node.key == key).map(|node| node.name.clone());
        let watches = |server: &OtherServer| {
            watching.is_some_and(|key| key != own) || self.watched.borrow().contains(server.id)
        };
        let shown = |(server, cameras): (&Arc<OtherServer>, &u64)| ClusterOrphan {
            server_id: server.id,
            server: server.name.clone(),
            cameras: *cameras,
            watched_by: watching.filter(|_| watches(server)).and_then(name),
        };
        let shown = with_cameras().filter(|(server, _)| found.contains_key(&server.id)).map(shown).collect();
        self.shown = shown;
    }

    /// For how long this node could not watch.
    fn unwatched(&self, away: Option<Duration>, now: Instant) -> Duration {
        match self.looked_at {
            Some(at) => now.duration_since(at),
            None => now.duration_since(self.born) + away.unwrap_or_default(),
        }
    }

    /// This node cannot know what others do.
    fn leave_all(&mut self) {
        self.shown.clear();
        if self.watched.borrow().is_empty() {
            return;
        }
        info!("cameras of other servers are not watched while the cluster's ledger cannot be used");
        self.watched.send_replace(Arc::default());
    }

    fn set(&self, wanted: Orphans, catalog: &Catalog) {
        let before = Arc::clone(&self.watched.borrow());
        if *before == wanted {
            return;
        }
        for (server, cameras) in &catalog.servers {
            if wanted.contains(server.id) && !before.contains(server.id) {
                warn!(
                    %server,
                    cameras,
                    "no zmesd is at work there: this node watches the cameras, in the Events table"
                );
            }
        }
        self.watched.send_replace(Arc::new(wanted));
    }

    pub(super) fn shown(&self) -> Vec<ClusterOrphan> {
        self.shown.clone()
    }
}

impl NodeTask {
    /// The nodes were read, after a sign of life.
    pub(super) async fn see_orphans(&mut self) {
        let Some(member) = *self.members.borrow() else { return };
        let catalog = Arc::clone(&self.ways.catalog.borrow());
        self.note_server(member, &catalog).await;
        let nodes = &self.reading.nodes;
        let sight = OrphanSight {
            own: member.key,
            nodes,
            holder: self.reading.glance.as_ref().and_then(|glance| glance.lease.holder),
            is_caught_up: !nodes.iter().any(|node| self.reading.behind.contains_key(&node.key.id)),
        };
        let now = Instant::now();
        self.orphans.see(&sight, &catalog, member.away, now);
        self.reading.seen_at = Some(now);
    }

    /// Tells the others which server this is, where that was not known at the registration.
    async fn note_server(&mut self, member: Membership, catalog: &Catalog) {
        let Some(server) = catalog.own_server else { return };
        self.settings.server = Some(server);
        let Some(own) = self.reading.nodes.iter_mut().find(|node| node.key == member.key) else { return };
        if own.server == Some(server) {
            return;
        }
        match set_server(&mut self.line, member.key, server).await {
            Ok(()) => own.server = Some(server),
            Err(error) => debug!(%error, "the ledger does not know yet which server this is"),
        }
    }

    /// Leaves the orphans, unless the ledger has answered just now.
    pub(super) fn follow_orphans(&mut self) {
        let is_member = self.members.borrow().is_some();
        let is_fresh = self.reading.seen_at.is_some_and(|at| at.elapsed() < BLIND);
        if !is_member || !is_fresh || self.turns.is_alone() {
            self.orphans.leave_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;
    use zmes_cluster::node::NodeId;

    use super::super::tests::row;
    use super::*;

    const OWN: NodeKey = NodeKey { id: NodeId(1), epoch: 7 };
    const OTHER: NodeKey = NodeKey { id: NodeId(2), epoch: 7 };

    fn server(id: u32) -> Arc<OtherServer> {
        Arc::new(OtherServer { id, name: Some(format!("nvr{id}")) })
    }

    /// Server 2 has a node of its own, server 3 has none, and server 4 no camera that can have alarms.
    fn catalog() -> Catalog {
        Catalog {
            loaded_at: Some(Timestamp::UNIX_EPOCH),
            servers: BTreeMap::from([(server(2), 4), (server(3), 1), (server(4), 0)]),
            ..Catalog::default()
        }
    }

    fn node(key: NodeKey, server: u32, silent: u64) -> NodeRow {
        NodeRow { key, name: format!("nvr{server}"), server: Some(server), ..row(silent, false) }
    }

    struct World {
        watch: OrphanWatch,
        watched: watch::Receiver<Arc<Orphans>>,
        now: Instant,
    }

    impl World {
        fn new() -> Self {
            let (sender, watched) = watch::channel(Arc::default());
            // Long after the machine was started.
            let now = Instant::now() + Duration::from_hours(1000);
            Self { watch: OrphanWatch::new(sender, true, now), watched, now }
        }

        /// A second later.
        fn look(&mut self, other_silent: u64, holder: Option<NodeKey>, is_caught_up: bool) -> Vec<u32> {
            self.now += Duration::from_secs(1);
            let nodes = [node(OWN, 1, 0), node(OTHER, 2, other_silent)];
            let sight = OrphanSight { own: OWN, nodes: &nodes, holder, is_caught_up };
            self.watch.see(&sight, &catalog(), Some(Duration::from_mins(5)), self.now);
            self.watched.borrow().servers().collect()
        }

        fn from(&self, server: u32) -> Duration {
            self.now - self.watched.borrow().get(server).unwrap().unwrap()
        }

        fn watched_by(&self) -> Vec<(u32, Option<String>)> {
            self.watch.shown().into_iter().map(|orphan| (orphan.server_id, orphan.watched_by)).collect()
        }
    }

    #[test]
    fn the_node_that_sends_watches_from_the_last_sign_of_life_on_and_leaves_what_comes_back() {
        let mut world = World::new();
        assert_eq!(world.look(0, Some(OWN), true), [3], "it never had a node");
        assert_eq!(world.from(3), OVERLAP, "the other node was at work");
        assert_eq!(world.look(9, Some(OWN), true), [3]);
        assert_eq!(world.look(10, Some(OWN), true), [2, 3]);
        assert_eq!(world.from(2), OVERLAP + Duration::from_secs(10));
        assert_eq!(world.watched_by(), [(2, Some("nvr1".to_owned())), (3, Some("nvr1".to_owned()))]);
        world.look(11, Some(OWN), true);
        assert_eq!(world.from(2), OVERLAP + Duration::from_secs(11), "the same moment as before");
        assert_eq!(world.look(0, Some(OWN), true), [3]);
        assert_eq!(world.look(0, Some(OTHER), true), [0_u32; 0]);
        assert_eq!(world.watched_by(), [(3, Some("nvr2".to_owned()))]);
    }

    #[test]
    fn what_a_server_without_a_node_had_while_no_node_was_at_work_is_told() {
        let mut world = World::new();
        assert_eq!(world.look(7_200, Some(OWN), true), [2, 3]);
        assert_eq!(world.from(3), OVERLAP + Duration::from_secs(301), "it was away for 5 minutes");
        assert_eq!(world.from(2), OVERLAP + Duration::from_hours(2));
        // It cannot know what others do.
        world.watch.leave_all();
        assert!(world.watched.borrow().is_empty() && world.watched_by().is_empty());
        world.now += Duration::from_mins(1);
        world.look(9_000, Some(OWN), true);
        assert_eq!(world.from(3), OVERLAP + Duration::from_secs(61));
    }

    #[test]
    fn nothing_is_taken_up_before_what_others_have_told_is_read() {
        let mut world = World::new();
        assert_eq!(world.look(0, Some(OWN), true), [3]);
        assert_eq!(world.look(60, Some(OWN), false), [3]);
        assert_eq!(world.watched_by()[0], (2, None));
        assert_eq!(world.look(61, Some(OWN), true), [2, 3]);
        assert_eq!(world.look(62, Some(OWN), false), [2, 3]);
    }

    #[test]
    fn without_a_sender_the_first_node_watches_after_a_while() {
        let mut world = World::new();
        for _ in 0..10 {
            assert!(world.look(0, None, true).is_empty());
        }
        assert_eq!(world.look(0, None, true), [3]);
        // The lease names a dead node.
        assert_eq!(world.look(60, Some(OTHER), true), [2, 3]);
        assert!(world.look(0, Some(OTHER), true).is_empty());
        assert!(world.look(60, Some(OTHER), true).is_empty(), "another node may take the lease");
    }

    #[test]
    fn a_node_that_does_not_read_the_events_table_watches_none() {
        let mut world = World::new();
        world.watch.reads_events = false;
        assert!(world.look(60, Some(OWN), true).is_empty());
        assert_eq!(world.watched_by(), [(2, None), (3, None)]);
    }
}
