//! Answers the links of pushes with pictures.
//!
//! Who has a link is a phone without a login, somebody to whom the phone's owner forwarded it, or somebody who guesses. So
//! each refusal is the same to the outside, rights are those of the moment, and everything has a bound.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout};
use tracing::{debug, warn};
use zmes_shared::EventId;
use zmes_zoneminder::PictureStore;
use zmes_zoneminder::pictures::{Picture, PictureReader, StorageRoots, Wanted};

use crate::config::PictureConfig;
use crate::domain::TokenId;
use crate::limits::{Buckets, Quota, network};
use crate::links::{LinkKey, PictureLink};
use crate::ports::{Clock, NoAnswer, PictureCare, PictureDoor, PictureExamined};
use crate::route::RouterHandle;
use crate::state::{Note, StateHandle};
use crate::telemetry::{Counters, PictureRequest};

/// Requests that are worked on at once.
const AT_ONCE: usize = 16;
/// How long a request waits for one of these places.
const PLACE: Duration = Duration::from_secs(1);
/// How long a fresh push waits for its picture. Android's library gives up after 5 s.
const FRESH_WAIT: Duration = Duration::from_secs(4);
/// A push is fresh for that long.
const FRESH: SignedDuration = SignedDuration::from_secs(30);
/// Requests of one network.
const PER_NETWORK: Quota = Quota { burst: 60.0, every: Duration::from_secs(1) };
const NETWORKS: usize = 1024;
/// Requests with one link: phones load a picture once or twice.
const PER_LINK: Quota = Quota { burst: 20.0, every: Duration::from_mins(3) };
const LINKS: usize = 4096;

#[derive(Debug)]
pub struct PictureDeskParts {
    pub store: Arc<dyn PictureStore>,
    pub roots: StorageRoots,
    pub settings: watch::Receiver<PictureConfig>,
    pub key: watch::Sender<LinkKey>,
    pub router: RouterHandle,
    pub state: StateHandle,
    pub counters: Arc<Counters>,
    pub clock: Arc<dyn Clock>,
}

/// Owns the reader of pictures, the key of the links, and what was asked for lately.
#[derive(Debug)]
pub struct PictureDesk {
    parts: PictureDeskParts,
    reader: PictureReader<Arc<dyn PictureStore>>,
    places: Semaphore,
    networks: Mutex<Buckets<IpAddr>>,
    links: Mutex<Buckets<(EventId, TokenId)>>,
}

impl PictureDesk {
    pub fn new(parts: PictureDeskParts) -> Self {
        let reader = PictureReader::new(Arc::clone(&parts.store), parts.roots.clone());
        Self {
            parts,
            reader,
            places: Semaphore::new(AT_ONCE),
            networks: Mutex::new(Buckets::new(NETWORKS)),
            links: Mutex::new(Buckets::new(LINKS)),
        }
    }

    fn wanted(&self, event: EventId, alarm_at: Option<Timestamp>) -> Wanted {
        let settings = self.parts.settings.borrow();
        Wanted { event, order: settings.order.clone(), alarm_at, max_size: settings.max_size }
    }

    async fn answer(&self, link: &str, client: IpAddr) -> Result<Arc<Picture>, NoAnswer> {
        let (asked, now) = (Instant::now(), self.parts.clock.now());
        let network = network(client);
        if !lock(&self.networks).try_take(network, PER_NETWORK, asked) {
            return Err(NoAnswer::Busy);
        }
        let link = PictureLink::open(link, &self.parts.key.borrow(), now).ok_or(NoAnswer::None)?;
        let PictureLink { event, token, at, until } = link;
        if !lock(&self.links).try_take((event, token), PER_LINK, asked) {
            return Err(NoAnswer::Busy);
        }
        let _place = match timeout(PLACE, self.places.acquire()).await {
            Ok(Ok(place)) => place,
            Ok(Err(_)) | Err(_) => return Err(NoAnswer::Busy),
        };
        let place = match self.parts.store.place(event).await {
            Ok(place) => place.ok_or(NoAnswer::None)?,
            Err(problem) => {
                debug!(%event, error = %problem, "cannot look for a picture");
                return Err(NoAnswer::Busy);
            }
        };
        match self.parts.router.may_see(token, place.monitor).await {
            Ok(true) => {}
            Ok(false) => return Err(NoAnswer::None),
            Err(_busy) => return Err(NoAnswer::Busy),
        }
        let lifetime = self.parts.settings.borrow().lifetime;
        let lifetime = SignedDuration::try_from(lifetime).unwrap_or(SignedDuration::MAX);
        let pushed_at = until.saturating_sub(lifetime).unwrap_or(now);
        let fresh = now.duration_since(pushed_at) < FRESH;
        let deadline = if fresh { asked + FRESH_WAIT } else { asked };
        self.reader.read(&self.wanted(event, Some(at)), deadline).await.map_err(|problem| {
            warn!(%event, error = %problem, hint = problem.hint(), "no picture for a phone");
            if fresh { NoAnswer::NotYet } else { NoAnswer::None }
        })
    }
}

#[async_trait]
impl PictureDoor for PictureDesk {
    fn is_open(&self) -> bool {
        self.parts.settings.borrow().base_url.is_some()
    }

    async fn picture(&self, link: &str, client: IpAddr) -> Result<Arc<Picture>, NoAnswer> {
        let answer = self.answer(link, client).await;
        self.parts.counters.pictures.count(match &answer {
            Ok(_) => PictureRequest::Served,
            Err(NoAnswer::None) => PictureRequest::Refused,
            Err(NoAnswer::NotYet) => PictureRequest::Missing,
            Err(NoAnswer::Busy) => PictureRequest::Busy,
        });
        answer
    }
}

#[async_trait]
impl PictureCare for PictureDesk {
    fn has_links(&self) -> bool {
        self.is_open()
    }

    async fn examine(&self, event: EventId, deadline: Instant) -> PictureExamined {
        let place = self.parts.store.place(event).await;
        let monitor = place.ok().flatten().map(|place| place.monitor);
        PictureExamined { monitor, picture: self.reader.read(&self.wanted(event, None), deadline).await }
    }

    fn rotate(&self) -> bool {
        let Some(key) = LinkKey::generate() else { return false };
        let kept = self.parts.state.note(Note::LinkKey(key.clone(), self.parts.clock.now()));
        if kept {
            self.parts.key.send_replace(key);
        }
        kept
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
