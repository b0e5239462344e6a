//! Making the tasks of a node, and its first registration.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::warn;
use zmes_cluster::lease::LeaseTiming;
use zmes_cluster::node::{Admission, Membership, NEVER, NodeSettings, Twin, register};
use zmes_cluster::outcomes::{DeviceHandle, DeviceOutcome, OutcomeKind};
use zmes_cluster::{LedgerError, LedgerLine, LedgerServer};
use zmes_shared::views::ClusterStatus;
use zmes_zoneminder::conf::{DatabaseConfig, ServerIdentity};

use super::board::Board;
use super::desk::{Desk, DeskParts};
use super::handle::{ClusterHandle, ClusterRequest};
use super::lease_task::LeaseTask;
use super::node::{NodeReading, NodeTask, OrphanWatch, ProviderProbes, Ways};
use super::turns::Turns;
use crate::config::{Alone, AuthConfig, ClusterConfig, NodeConfig};
use crate::domain::{Alarm, Token, TokenId};
use crate::monitors::{Catalog, Orphans};
use crate::ports::{Clock, PushSide};
use crate::route::{LedgerNews, LedgerOutcome, PushRules, RouterHandle};
use crate::state::{ClusterMemory, ClusterNote, LinkKeeper, Note, SentBefore, StateHandle};

/// How long the first registration may take: the daemon serves its own cameras without it.
const FIRST: Duration = Duration::from_secs(3);
/// Deadline of what the node reads, and of what the desk writes.
const READING: Duration = Duration::from_secs(2);
const WRITING: Duration = Duration::from_secs(5);
/// How long giving the lease back may take when the daemon ends.
const FAREWELL: Duration = Duration::from_millis(1_500);
/// Numbers of turns and alarms that a daemon has for each millisecond of its run, as a power of two.
const NUMBERS: u32 = 20;
/// Alarms of other nodes that wait for the desk. Full: reading waits.
const ELSEWHERE: usize = 1_024;

/// Why this node must not start.
#[derive(Debug, thiserror::Error)]
#[error("another zmesd with the name {} is at work{}", .0.name, place(.0))]
pub struct JoinError(pub Twin);

fn place(twin: &Twin) -> String {
    let mut place = String::new();
    if !twin.address.is_empty() {
        place = format!(" at {}", twin.address);
    }
    place
}

impl JoinError {
    pub const HINT: &'static str =
        "give each node its own [cluster] name; after a move to another machine wait 10 s";
}

/// A node before its tasks run.
#[derive(Debug)]
pub struct Cluster {
    config: ClusterConfig,
    server: Arc<LedgerServer>,
    settings: NodeSettings,
    member: Option<Membership>,
    memory: ClusterMemory,
    board: Arc<Board>,
    turns: Arc<Turns>,
    links: Arc<LinkKeeper>,
    handle: ClusterHandle,
    requests: mpsc::Receiver<ClusterRequest>,
    shows: watch::Sender<Arc<ClusterStatus>>,
}

/// What the tasks need of others.
#[derive(Debug)]
pub struct ClusterParts {
    pub state: StateHandle,
    pub router: RouterHandle,
    pub alarms: mpsc::Sender<Alarm>,
    pub news: mpsc::Receiver<LedgerNews>,
    pub outcomes: mpsc::Receiver<LedgerOutcome>,
    /// All that are known here.
    pub tokens: Vec<Token>,
    /// Where the node learns whether it can send pushes.
    pub push: Arc<dyn PushSide>,
    pub push_rules: watch::Receiver<PushRules>,
    pub catalog: watch::Receiver<Arc<Catalog>>,
    pub auth: watch::Receiver<AuthConfig>,
    /// Which servers without a node at work this one watches.
    pub orphans: watch::Sender<Arc<Orphans>>,
    /// Detection reads the Events table.
    pub reads_events: bool,
    pub retry_for: Duration,
    pub catch_up: Duration,
    /// How long revoked tokens are kept.
    pub keep_tombstones: Duration,
    pub clock: Arc<dyn Clock>,
}

/// The tasks. Node and lease end first, the desk after the push side.
#[derive(Debug)]
pub struct ClusterTasks {
    node: NodeTask,
    lease: Option<LeaseTask>,
    desk: Desk,
}

impl Cluster {
    /// Registers this node. A ledger that does not answer keeps nothing from starting; a twin does. `pushes`: it is
    /// configured to send pushes.
    pub async fn join(
        (config, node): (&ClusterConfig, &NodeConfig),
        pushes: bool,
        own: Option<&ServerIdentity>,
        (state, links): (&StateHandle, Arc<LinkKeeper>),
        retry_for: Duration,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, JoinError> {
        let started = clock.now();
        let memory = state.cluster_memory(started, retry_for).await.unwrap_or_else(|error| {
            warn!(error = &error as &dyn std::error::Error, "cannot read what this node knew of the cluster");
            ClusterMemory::default()
        });
        // Before anything reads them: their turns are those of the daemon before.
        state.note(Note::Cluster(Box::new(ClusterNote::LeavePushes)));
        let server = Arc::new(ledger_server(&node.database));
        let settings = NodeSettings {
            name: node.name.clone(),
            identity: memory.identity.unwrap_or_else(|| fastrand::u128(..).to_be_bytes()),
            last_epoch: memory.epoch,
            server: own.and_then(|own| match own {
                ServerIdentity::Id(id) => Some(*id),
                ServerIdentity::Name(_) => None,
            }),
            prefer: if pushes { config.prefer } else { NEVER },
            version: env!("CARGO_PKG_VERSION").to_owned(),
            address: config.address.clone().unwrap_or_default(),
        };
        let board = Arc::new(Board::new(clock, retry_for));
        let mut line = LedgerLine::new(Arc::clone(&server), FIRST);
        let member = match register(&mut line, &settings).await {
            Ok(Admission::Member(member)) => Some(member),
            Ok(Admission::Twin(twin)) => return Err(JoinError(twin)),
            Err(error) => {
                tell_away(&error);
                board.away(&error);
                None
            }
        };
        let may_be_alone = config.alone == Alone::Push;
        // The state file may keep marks of an earlier start that nothing here must be taken for.
        let first = u64::try_from(started.as_millisecond()).unwrap_or_default() << NUMBERS;
        let timing = LeaseTiming::new(config.lease);
        let turns = Arc::new(Turns::new(timing, config.prefer, may_be_alone, first));
        let status = ClusterStatus { name: settings.name.clone(), ..ClusterStatus::default() };
        let (handle, requests, shows) = ClusterHandle::new(status);
        let config = config.clone();
        Ok(Self { config, server, settings, member, memory, board, turns, links, handle, requests, shows })
    }

    pub fn handle(&self) -> ClusterHandle {
        self.handle.clone()
    }

    pub fn turns(&self) -> Arc<Turns> {
        Arc::clone(&self.turns)
    }

    #[expect(clippy::too_many_lines, reason = "one list of tasks, each with what is moved into it")]
    pub fn tasks(self, parts: ClusterParts) -> ClusterTasks {
        let Self {
            config, server, settings, member, mut memory, board, turns, links, requests, shows, ..
        } = self;
        let ClusterParts { state, router, alarms, news, outcomes, tokens, retry_for, catch_up, .. } = parts;
        let ClusterParts {
            push,
            push_rules,
            catalog,
            auth,
            orphans,
            reads_events,
            keep_tombstones,
            clock,
            ..
        } = parts;
        let (sights, seen) = watch::channel(None);
        let (beats, beaten) = watch::channel(true);
        let pushes = settings.prefer != NEVER;
        let (members, follow) = watch::channel(None);
        let leases = members.subscribe();
        let (desk_tx, elsewhere) = mpsc::channel(ELSEWHERE);
        let line = |deadline| LedgerLine::new(Arc::clone(&server), deadline);
        let mut node = NodeTask {
            line: line(READING),
            settings,
            poll: config.poll,
            catch_up,
            turns: Arc::clone(&turns),
            board: Arc::clone(&board),
            state: state.clone(),
            router: router.clone(),
            alarms,
            desk: desk_tx,
            sights,
            beats,
            links,
            ways: Ways { push, rules: push_rules, catalog, auth },
            probes: ProviderProbes::default(),
            orphans: OrphanWatch::new(orphans, reads_events, Instant::now()),
            members,
            requests,
            shows,
            clock: Arc::clone(&clock),
            reader: None,
            positions: std::mem::take(&mut memory.positions),
            reading: NodeReading::new(shared(&memory, &tokens)),
        };
        if let Some(member) = member {
            node.enter(member);
        }
        let timing = LeaseTiming::new(config.lease);
        let lease = pushes.then(|| LeaseTask {
            turns: Arc::clone(&turns),
            board: Arc::clone(&board),
            line: line(timing.deadline()),
            member: leases,
            sights: seen,
            beats: beaten,
        });
        let desk_parts = DeskParts {
            state,
            router,
            turns,
            board,
            news,
            outcomes,
            elsewhere,
            members: follow,
            keep: config.keep,
            keep_tombstones,
            retry_for,
            clock,
        };
        let mut desk = Desk::new(desk_parts, line(WRITING), Instant::now());
        take_up(&mut desk, memory, &tokens);
        ClusterTasks { node, lease, desk }
    }
}

impl ClusterTasks {
    /// Runs what ends with the daemon's edges.
    pub fn split(
        self,
        stop: &CancellationToken,
        last: &CancellationToken,
    ) -> (impl Future<Output = ()> + Send + use<>, impl Future<Output = ()> + Send + use<>) {
        let Self { node, lease, desk } = self;
        let (for_node, for_lease, last) = (stop.clone(), stop.clone(), last.clone());
        let front = async move {
            // The lease is given back while the node still reads; a node without the lease has nothing to give back.
            let ended = CancellationToken::new();
            let leasing = async {
                let leases = async {
                    match lease {
                        Some(lease) => lease.run(for_lease).await,
                        None => std::future::pending().await,
                    }
                };
                let in_time = async {
                    for_node.cancelled().await;
                    tokio::time::sleep(FAREWELL).await;
                };
                // Without the lease given back, another node takes it a term later.
                tokio::select! {
                    () = leases => {}
                    () = in_time => {}
                }
                ended.cancel();
            };
            tokio::join!(leasing, node.run(ended.clone()));
        };
        (front, desk.run(last))
    }
}

/// Takes up what the ledger does not have: alarms, what was sent, and tokens that were changed here.
pub(super) fn take_up(desk: &mut Desk, memory: ClusterMemory, tokens: &[Token]) {
    let handle = |id: TokenId| tokens.iter().find(|token| token.id == id).map(|token| token.handle);
    for (alarm, told) in memory.unlogged {
        let outcome = |(token, at): (TokenId, jiff::Timestamp)| {
            Some(DeviceOutcome {
                device: DeviceHandle::new(handle(token)?.digest()),
                kind: OutcomeKind::Taken,
                reason: String::new(),
                provider_id: String::new(),
                at,
            })
        };
        desk.remember(alarm, told.into_iter().filter_map(outcome).collect());
    }
    for SentBefore { key, token, kind, at } in memory.sent {
        let Some(token) = handle(token) else { continue };
        let device = DeviceHandle::new(token.digest());
        let (reason, provider_id) = (String::new(), String::new());
        desk.sent_before(key, DeviceOutcome { device, kind, reason, provider_id, at });
    }
    for token in tokens.iter().filter(|token| !token.handle.is_target()) {
        let known = memory.tokens.get(&token.id);
        if let Some(at) = known.and_then(|known| known.badge_at) {
            desk.badge_was_set(token, at);
        }
        // Also while this node was in no cluster: whichever change is the latest counts. That the phone was seen since is
        // none: else a node with an old state would revive what was revoked at another.
        let latest = token.revoked.as_ref().map_or(token.created_at, |revoked| revoked.at);
        match known {
            Some(known) if known.is_shared && latest <= known.changed => {}
            Some(known) => desk.share(token, known.changed.max(latest), false),
            None => desk.share(token, latest, false),
        }
    }
}

/// Returns the phones of this node's state that the ledger has, or had, each with its last change.
fn shared(memory: &ClusterMemory, tokens: &[Token]) -> HashMap<DeviceHandle, jiff::Timestamp> {
    let phones = tokens.iter().filter(|token| !token.handle.is_target());
    let known = phones.filter_map(|token| Some((token, memory.tokens.get(&token.id)?)));
    let had = known.filter(|(_, known)| known.is_shared);
    had.map(|(token, known)| (DeviceHandle::new(token.handle.digest()), known.changed)).collect()
}

fn tell_away(error: &LedgerError) {
    warn!(
        %error,
        hint = error.hint,
        "the cluster's ledger cannot be used: this node serves its own cameras and tries again"
    );
}

/// Returns the server of the ledger.
pub fn ledger_server(database: &DatabaseConfig) -> LedgerServer {
    let DatabaseConfig { address, user, password, name, tls, .. } = database;
    LedgerServer::new(address.clone(), user, password, tls.as_ref()).with_schema(name)
}
