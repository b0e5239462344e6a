//! Waits for the picture of an event.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;
use zmes_shared::EventId;

use super::look::{Search, look};
use super::place::StorageRoots;
use super::{NoPicture, Picture, PictureKind};
use crate::PictureStore;

/// Pause between two looks at the disk.
const PAUSE: Duration = Duration::from_millis(50);
/// After this long the database is asked again: the event may have been moved to another storage.
const PLACE_AGE: Duration = Duration::from_secs(1);
/// How long a picture that is less wanted waits for a better one that ZoneMinder writes with the alarm.
const BETTER: Duration = Duration::from_millis(300);
/// By so much `alarm.jpg` may be older than the moment at which the alarm was found.
const FOUND_LATER: SignedDuration = SignedDuration::from_secs(2);
/// Newest alarm frames that are tried where the pictures of the event show an earlier alarm.
const FRAMES: u32 = 4;
const CACHED: usize = 32;
const CACHED_BYTES: usize = 32 * 1024 * 1024;
const CACHED_FOR: Duration = Duration::from_secs(30);

/// What is wanted of an event.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The event.
    pub event: EventId,
    /// The best one first.
    pub order: Vec<PictureKind>,
    /// Where it was not the first alarm of the event: when it was found. Pictures of earlier alarms are then only taken
    /// where there is no other, and are marked.
    pub alarm_at: Option<Timestamp>,
    /// In bytes; a larger picture is none.
    pub max_size: u64,
}

/// Reads pictures. Keeps the last ones for a moment, because an alarm often goes out by several ways.
#[derive(Debug)]
pub struct PictureReader<S> {
    store: S,
    roots: StorageRoots,
    cache: Mutex<VecDeque<Cached>>,
}

#[derive(Debug)]
struct Cached {
    wanted: Wanted,
    picture: Arc<Picture>,
    at: Instant,
}

impl<S: PictureStore> PictureReader<S> {
    /// Returns a reader that asks `store` where events lie.
    pub fn new(store: S, roots: StorageRoots) -> Self {
        Self { store, roots, cache: Mutex::default() }
    }

    /// Returns the picture of an event as soon as there is a whole one, at the latest at the deadline (and the time of one
    /// question to the database).
    ///
    /// # Errors
    ///
    /// Why there is none at the deadline, or at once where none can come.
    pub async fn read(&self, wanted: &Wanted, deadline: Instant) -> Result<Arc<Picture>, NoPicture> {
        if let Some(picture) = self.cached(wanted) {
            return Ok(picture);
        }
        let began = Instant::now();
        let mut known = None;
        let picture = loop {
            let (search, asked) = match known.take() {
                Some((search, asked)) if Instant::now() < asked + PLACE_AGE => (search, asked),
                _ => (Arc::new(self.search(wanted).await?), Instant::now()),
            };
            let now = Instant::now();
            match self.look(&search).await {
                Ok(picture) if picture.earlier => break self.newer(&search, picture).await,
                Ok(picture) if now >= deadline || now >= began + BETTER || is_best(picture.kind, wanted) => {
                    break picture;
                }
                Err(error) if now >= deadline || !error.may_come() => return Err(error),
                Ok(_) | Err(_) => {}
            }
            known = Some((search, asked));
            tokio::time::sleep_until(deadline.min(now + PAUSE)).await;
        };
        Ok(self.keep(wanted, picture))
    }

    async fn search(&self, wanted: &Wanted) -> Result<Search, NoPicture> {
        let place = self.store.place(wanted.event).await?.ok_or(NoPicture::NoEvent)?;
        let since = wanted.alarm_at.and_then(|at| at.checked_sub(FOUND_LATER).ok());
        Ok(Search { place, kinds: wanted.order.clone(), since, max_size: wanted.max_size })
    }

    /// Looks for the picture of an alarm frame that is newer than an earlier alarm's picture.
    async fn newer(&self, search: &Search, earlier: Picture) -> Picture {
        let frames = match self.store.alarm_frames(search.place.event, FRAMES).await {
            Ok(frames) => frames,
            // The picture that is there is better than none.
            Err(_) => return earlier,
        };
        let kinds = frames.into_iter().map(PictureKind::Frame).collect();
        let search = Arc::new(Search { kinds, ..search.clone() });
        self.look(&search).await.ok().filter(|picture| !picture.earlier).unwrap_or(earlier)
    }

    async fn look(&self, search: &Arc<Search>) -> Result<Picture, NoPicture> {
        let (search, roots) = (Arc::clone(search), self.roots.clone());
        let place = search.place.monitor;
        let looked = tokio::task::spawn_blocking(move || look(&search, &roots)).await;
        looked.unwrap_or_else(|error| {
            Err(NoPicture::Unreadable {
                path: place.to_string().into(),
                source: std::io::Error::other(error),
            })
        })
    }

    fn cached(&self, wanted: &Wanted) -> Option<Arc<Picture>> {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        cache.retain(|cached| now < cached.at + CACHED_FOR);
        let same = cache.iter().find(|cached| cached.wanted.same(wanted))?;
        Some(Arc::clone(&same.picture))
    }

    fn keep(&self, wanted: &Wanted, picture: Picture) -> Arc<Picture> {
        let picture = Arc::new(picture);
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.retain(|cached| !cached.wanted.same(wanted));
        cache.push_back(Cached { wanted: wanted.clone(), picture: Arc::clone(&picture), at: Instant::now() });
        let bytes =
            |cache: &VecDeque<Cached>| cache.iter().map(|cached| cached.picture.bytes.len()).sum::<usize>();
        while cache.len() > CACHED || bytes(&cache) > CACHED_BYTES {
            cache.pop_front();
        }
        picture
    }
}

/// Says whether nothing better comes with the alarm itself: zm_detect's picture comes seconds later, and is not waited
/// for.
fn is_best(kind: PictureKind, wanted: &Wanted) -> bool {
    let mut with_the_alarm = wanted.order.iter().filter(|kind| **kind != PictureKind::Objdetect);
    kind == PictureKind::Objdetect || with_the_alarm.next().is_none_or(|best| *best == kind)
}

impl Wanted {
    /// Says whether one picture answers both.
    fn same(&self, other: &Self) -> bool {
        self.event == other.event
            && self.order == other.order
            && self.alarm_at == other.alarm_at
            && self.max_size == other.max_size
    }
}
