//! Pictures for whoever gets one: answers the links of pushes, and reads files for services that take uploads. Also
//! answers the links of snooze buttons.
//!
//! A request with a link comes from a phone without a login, from a person to whom the owner forwarded the link, or
//! from someone who guesses. So every refusal looks the same from outside and takes equally long, the current rights
//! apply, and everything has a limit.

mod other_nodes;
mod snooze;
mod sparing;
mod watcher;
mod young;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tracing::{info, warn};
use zmes_providers::{Neighbours, PictureFile};
use zmes_shared::{EventId, MonitorId};
use zmes_zoneminder::PictureStore;
use zmes_zoneminder::pictures::{NoPicture, Picture, PictureReader, StorageRoots, Wanted};

use crate::config::PictureConfig;
use crate::domain::TokenId;
use crate::limits::{Bounds, Buckets, Quota, Turn, Turns, network};
use crate::links::{LinkHolder, LinkKey, PictureLink, TokenMark, UserMark};
use crate::monitors::Catalog;
use crate::ports::{
    Clock, KeyRotated, NoAnswer, NodeAddresses, PictureAnswer, PictureCare, PictureDoor, PictureExamined,
    PictureUploads,
};
use crate::route::{Busy, LinkUser, RouterHandle};
use crate::state::{LinkKeeper, StateHandle};
use crate::telemetry::{Counters, PictureRequest};
use other_nodes::{ABOUT, OtherNodes, about};
use sparing::SparingStore;
pub use watcher::PictureWatch;
use young::{Shown, YoungEvents};

/// Limits for requests that query the database, or send a picture. Others wait; networks take turns.
const TURNS: Bounds = Bounds { running: 16, running_per_network: 6, waiting: 512, waiting_per_network: 64 };
/// How long a fresh push waits for its picture, and any request for its turn. Android's library gives up after 5 s.
const PATIENCE: Duration = Duration::from_secs(4);
/// How long a picture that was read waits for its turn to be sent.
const WRITE_TURN: Duration = Duration::from_secs(4);
/// An alarm is fresh for this long: its picture may not have been written yet.
const FRESH: SignedDuration = SignedDuration::from_secs(30);
/// Time for the last read of database and disk, in addition to the time that a text waits for its picture.
const ONE_LOOK: Duration = Duration::from_millis(500);
/// How long another node waits here for a fresh picture: it asks again, as long as its own phone is patient.
const NODE_PATIENCE: Duration = Duration::from_secs(3);
/// A refusal is sent after this time, whatever had to be queried first.
const REFUSED_AFTER: Duration = Duration::from_millis(250);
/// Rate limit for one network.
const PER_NETWORK: Quota = Quota { burst: 60.0, every: Duration::from_secs(1) };
const NETWORKS: usize = 1024;
/// Requests with the link of one phone, which loads a picture once or twice.
const PER_LINK: Quota = Quota { burst: 20.0, every: Duration::from_mins(3) };
/// Requests with a link that many open: all apps of a user, all who read a topic of ntfy.
const PER_SHARED_LINK: Quota = Quota { burst: 200.0, every: Duration::from_secs(18) };
const LINKS: usize = 4096;

#[derive(Debug)]
pub struct PictureDeskParts {
    /// Asked by few at a time: alarms and logins use the same connections.
    pub store: Arc<dyn PictureStore>,
    pub roots: StorageRoots,
    pub settings: watch::Receiver<PictureConfig>,
    pub keeper: Arc<LinkKeeper>,
    pub catalog: watch::Receiver<Arc<Catalog>>,
    pub router: RouterHandle,
    pub state: StateHandle,
    pub counters: Arc<Counters>,
    pub clock: Arc<dyn Clock>,
}

/// Owns the reader of pictures, and the recent request rates.
#[derive(Debug)]
pub struct PictureDesk {
    parts: PictureDeskParts,
    /// This is a node of a cluster: others ask it for pictures.
    serves_nodes: bool,
    store: Arc<SparingStore>,
    reader: PictureReader<Arc<SparingStore>>,
    turns: Turns,
    networks: Mutex<Buckets<IpAddr>>,
    links: Mutex<Buckets<LinkUse>>,
    /// Requests about snoozes, by token and monitor.
    buttons: Mutex<Buckets<(TokenMark, MonitorId)>>,
    /// Events whose pushes may get a better picture.
    young: Mutex<YoungEvents>,
}

/// What is counted: the fetches of one alarm's picture by one holder.
type LinkUse = (EventId, LinkHolder, Timestamp);

/// A request with its bounds.
#[derive(Debug, Clone, Copy)]
struct Asked {
    network: IpAddr,
    at: Instant,
}

impl PictureDesk {
    /// `nodes`: the other nodes of a cluster.
    pub fn new(parts: PictureDeskParts, nodes: Option<(Arc<dyn NodeAddresses>, Neighbours)>) -> Self {
        let store = Arc::new(SparingStore::new(Arc::clone(&parts.store)));
        let reader = PictureReader::new(Arc::clone(&store), parts.roots.clone());
        let serves_nodes = nodes.is_some();
        let reader = match nodes {
            Some((addresses, neighbours)) => {
                let (keys, clock) = (parts.keeper.watch(), Arc::clone(&parts.clock));
                reader.with_others(Arc::new(OtherNodes::new(addresses, keys, neighbours, clock)))
            }
            None => reader,
        };
        Self {
            serves_nodes,
            parts,
            store,
            reader,
            turns: Turns::new(TURNS),
            networks: Mutex::new(Buckets::new(NETWORKS)),
            links: Mutex::new(Buckets::new(LINKS)),
            buttons: Mutex::new(Buckets::new(LINKS)),
            young: Mutex::default(),
        }
    }

    /// `alarm_at` is truncated to seconds, as in links, so that links and uploads share what was read.
    fn wanted(&self, event: EventId, alarm_at: Option<Timestamp>) -> Wanted {
        let settings = self.parts.settings.borrow();
        let alarm_at = alarm_at.and_then(|at| Timestamp::from_second(at.as_second()).ok());
        Wanted { event, order: settings.order.clone(), alarm_at, max_size: settings.max_size }
    }

    /// Says whether phones get links at all.
    fn has_links(&self) -> bool {
        self.parts.settings.borrow().base_url.is_some()
    }

    /// Notes which picture of a young event a receiver gets; `None`: there was none.
    fn note_shown(&self, wanted: &Wanted, token: TokenId, picture: Option<&Picture>) {
        let shown: Shown = picture.filter(|picture| !picture.earlier).map(|picture| picture.kind);
        lock(&self.young).shown(wanted.event, token, shown, wanted);
    }

    async fn turn(&self, asked: Asked) -> Result<Turn, NoAnswer> {
        match timeout_at(asked.at + PATIENCE, self.turns.turn(asked.network)).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) | Err(_) => Err(NoAnswer::Busy),
        }
    }

    async fn answer(&self, link: &str, asked: Asked) -> Result<PictureAnswer, NoAnswer> {
        let now = self.parts.clock.now();
        let keys = self.parts.keeper.keys();
        let opened = keys.open(|key| PictureLink::open(link, key, now));
        let is_node = opened.as_ref().is_some_and(|(link, _)| link.holder == LinkHolder::Node);
        // Another node asks for all its phones.
        if !is_node && !lock(&self.networks).try_take(asked.network, PER_NETWORK, asked.at) {
            return Err(NoAnswer::Busy);
        }
        let (link, key) = opened.filter(|_| is_node || self.has_links()).ok_or(NoAnswer::None)?;
        let quota = if link.holder.is_shared() { PER_SHARED_LINK } else { PER_LINK };
        if !lock(&self.links).try_take((link.event, link.holder, link.at), quota, asked.at) {
            return Err(NoAnswer::Busy);
        }
        let reader = self.permit(&link, key, asked).await?;
        let PictureLink { event, at, .. } = link;
        let fresh = now.duration_since(at) < FRESH;
        let patience = if is_node { NODE_PATIENCE } else { PATIENCE };
        let deadline = if fresh { asked.at + patience } else { asked.at };
        let wanted = self.wanted(event, Some(at));
        // While a picture is waited for nobody's turn is taken. And while a turn is waited for no picture is held: hundreds
        // may wait, and each would hold its own.
        let first = self.read(&wanted, deadline, fresh).await;
        if let Some(token) = reader {
            self.note_shown(&wanted, token, first.as_ref().ok().map(Arc::as_ref));
        }
        drop(first?);
        let turn = timeout(WRITE_TURN, self.turns.turn(asked.network)).await;
        let Ok(Ok(turn)) = turn else { return Err(NoAnswer::Busy) };
        // The reader has kept it, unless the turn was long in coming.
        let picture = self.read(&wanted, Instant::now(), fresh).await?;
        let about = is_node.then(|| (ABOUT, about(&picture)));
        Ok(PictureAnswer { picture, about, turn: Some(turn) })
    }

    async fn read(&self, wanted: &Wanted, deadline: Instant, fresh: bool) -> Result<Arc<Picture>, NoAnswer> {
        self.reader.read(wanted, deadline).await.map_err(|problem| {
            warn!(event = %wanted.event, error = %problem, hint = problem.hint(), "no picture for a phone");
            // Phones ask again after "busy", and never after 404.
            let busy = matches!(problem, NoPicture::Database(_));
            let missing = if fresh { NoAnswer::NotYet } else { NoAnswer::Missing };
            if busy { NoAnswer::Busy } else { missing }
        })
    }

    /// Says whether the event is still there, and whoever the link is for may see its monitor at this moment. Returns the
    /// token that the link is for; `None`: it is for no token.
    async fn permit(
        &self,
        link: &PictureLink,
        key: &LinkKey,
        asked: Asked,
    ) -> Result<Option<TokenId>, NoAnswer> {
        let _turn = self.turn(asked).await?;
        let place = self.store.place(link.event).await.map_err(|problem| {
            let hint = &problem.trouble().hint;
            warn!(event = %link.event, error = %problem, hint, "no picture for a phone");
            NoAnswer::Busy
        })?;
        let monitor = place.ok_or(NoAnswer::None)?.monitor;
        let router = &self.parts.router;
        let may_see = match link.holder {
            LinkHolder::Token(token) | LinkHolder::Target(token) => {
                let seer = router.who_may_see(token, monitor).await;
                return seer.map_err(|_busy| NoAnswer::Busy)?.ok_or(NoAnswer::None).map(Some);
            }
            LinkHolder::User(mark) => match self.user(mark, key).await {
                Ok(Some(user)) => router.user_may_see(user, monitor).await,
                Ok(None) => Ok(false),
                Err(busy) => Err(busy),
            },
            LinkHolder::Node => Ok(true),
        };
        match may_see {
            Ok(true) => Ok(None),
            Ok(false) => Err(NoAnswer::None),
            Err(_busy) => Err(NoAnswer::Busy),
        }
    }

    /// Returns whom a mark stands for: a user of the catalog, or one who has logged in since it was read.
    async fn user(&self, mark: UserMark, key: &LinkKey) -> Result<Option<LinkUser>, Busy> {
        if key.mark(None) == Some(mark) {
            return Ok(Some(LinkUser::Anyone));
        }
        let is_meant = |name: &&String| key.mark(Some(name)) == Some(mark);
        let known = self.parts.catalog.borrow().users.keys().find(is_meant).cloned();
        let known = match known {
            Some(known) => Some(known),
            None => self.parts.router.fresh_users().await?.iter().find(is_meant).cloned(),
        };
        Ok(known.map(LinkUser::Named))
    }
}

#[async_trait]
impl PictureDoor for PictureDesk {
    fn is_open(&self) -> bool {
        self.serves_nodes || self.has_links()
    }

    async fn picture(&self, link: &str, client: IpAddr) -> Result<PictureAnswer, NoAnswer> {
        let asked = Asked { network: network(client), at: Instant::now() };
        let answer = self.answer(link, asked).await;
        self.parts.counters.pictures.count(match &answer {
            Ok(_) => PictureRequest::Served,
            Err(NoAnswer::None) => PictureRequest::Refused,
            Err(NoAnswer::NotYet | NoAnswer::Missing) => PictureRequest::Missing,
            Err(NoAnswer::Busy) => PictureRequest::Busy,
        });
        if matches!(answer, Err(NoAnswer::None | NoAnswer::Missing)) {
            sleep_until(asked.at + REFUSED_AFTER).await;
        }
        answer
    }
}

#[async_trait]
impl PictureUploads for PictureDesk {
    async fn file(
        &self,
        event: EventId,
        at: Option<Timestamp>,
        reader: Option<TokenId>,
        wait: Duration,
    ) -> Option<PictureFile> {
        let wanted = self.wanted(event, at);
        let read = timeout(wait + ONE_LOOK, self.reader.read(&wanted, Instant::now() + wait)).await;
        if let Some(token) = reader {
            self.note_shown(&wanted, token, read.as_ref().ok().and_then(|read| read.as_deref().ok()));
        }
        let picture = match read {
            Ok(Ok(picture)) => Some(PictureFile::new(picture.bytes.clone())),
            Ok(Err(problem)) => {
                info!(%event, error = %problem, hint = problem.hint(), "no picture of the event was found in time");
                None
            }
            Err(_) => {
                info!(%event, "no picture of the event was found in time: database or disk did not answer");
                None
            }
        };
        let had = picture.is_some();
        let outcome = if had { PictureRequest::Uploaded } else { PictureRequest::NotUploaded };
        self.parts.counters.pictures.count(outcome);
        picture
    }
}

#[async_trait]
impl PictureCare for PictureDesk {
    fn base_url(&self) -> Option<String> {
        self.parts.settings.borrow().base_url.clone()
    }

    async fn examine(&self, event: EventId, deadline: Instant) -> PictureExamined {
        let monitor = match self.store.place(event).await {
            Ok(place) => place.map(|place| place.monitor),
            // Another question would wait as long again.
            Err(problem) => return PictureExamined { monitor: None, picture: Err(problem.into()) },
        };
        PictureExamined { monitor, picture: self.reader.read(&self.wanted(event, None), deadline).await }
    }

    async fn rotate(&self) -> KeyRotated {
        if !self.parts.keeper.replace(self.parts.clock.now()) {
            return KeyRotated::No;
        }
        if self.parts.state.settle().await { KeyRotated::Written } else { KeyRotated::Unwritten }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
