//! Waits for the picture of an event.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};
use zmes_shared::EventId;

use super::look::{Search, look};
use super::place::{EventPlace, StorageRoots};
use super::{NoPicture, Picture, PictureKind, PicturesElsewhere};
use crate::PictureStore;

/// Pause between two looks at the disk.
const PAUSE: Duration = Duration::from_millis(50);
/// After this long the database is asked again: the event may have been moved to another storage.
const PLACE_AGE: Duration = Duration::from_secs(1);
/// Pause before another server is asked again that had no answer: it may have been starting.
const ASK_AGAIN: Duration = Duration::from_millis(500);
/// How long a picture that is less wanted waits for a better one that ZoneMinder writes with the alarm. `snapshot.jpg` is
/// there with the first frame of the event, without motion; `alarm.jpg` only when the pre-event buffer has been written.
const BETTER: Duration = Duration::from_millis(1500);
/// How long the picture of an earlier alarm waits for that of the later one: often none comes.
const LATER: Duration = Duration::from_secs(1);
/// How long one look at the disk may take beyond the deadline.
const GRACE: Duration = Duration::from_secs(2);
/// Looks at all disks at once. A look at a share whose server is away ends when it is back, so that each costs a thread until then.
const LOOKS: usize = 8;
/// Looks at one storage at once: a share that hangs leaves the others to other storages.
const LOOKS_PER_ROOT: usize = 3;
/// By so much `alarm.jpg` may be older than the moment at which the alarm was found.
const FOUND_LATER: SignedDuration = SignedDuration::from_secs(2);
/// Newest alarm frames that are tried where the pictures of the event show an earlier alarm.
const FRAMES: u32 = 4;
const CACHED: usize = 32;
const CACHED_BYTES: usize = 32 * 1024 * 1024;
/// How long the picture that is wanted most is kept.
const CACHED_FOR: Duration = Duration::from_secs(30);
/// How long any other is kept: a better one may come, as that of `zm_detect` does seconds later.
const SECOND_BEST_FOR: Duration = Duration::from_secs(1);
/// How long one of an earlier alarm is kept: whoever asks next waits [`LATER`] again.
const EARLIER_FOR: Duration = Duration::from_secs(2);

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

/// Held by who looks for a picture.
type LookTurn = tokio::sync::Mutex<()>;
/// An event, and which of its alarms.
type LookKey = (EventId, Option<Timestamp>);

/// Reads pictures. Keeps the last ones for a moment, because an alarm often goes out by several ways.
#[derive(Debug)]
pub struct PictureReader<S> {
    store: S,
    roots: StorageRoots,
    elsewhere: Option<Arc<dyn PicturesElsewhere>>,
    cache: Mutex<VecDeque<Cached>>,
    /// Who looks for a picture: others who want the same wait for the result.
    under_way: Mutex<HashMap<LookKey, Weak<LookTurn>>>,
    looks: Arc<Semaphore>,
    /// The looks at each storage, by its root.
    of_roots: Mutex<HashMap<Option<PathBuf>, Weak<Semaphore>>>,
}

#[derive(Debug)]
struct Cached {
    wanted: Wanted,
    picture: Arc<Picture>,
    until: Instant,
    /// Nobody would wait longer for a better one. One that was taken at its deadline is for those who wait no more either.
    settled: bool,
}

/// A look at a disk, counted until it ends, even if nobody waits for it any more.
#[derive(Debug)]
struct LookPlace {
    _of_root: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl<S: PictureStore> PictureReader<S> {
    /// Returns a reader that asks `store` where events lie.
    pub fn new(store: S, roots: StorageRoots) -> Self {
        Self {
            store,
            roots,
            elsewhere: None,
            cache: Mutex::default(),
            under_way: Mutex::default(),
            looks: Arc::new(Semaphore::new(LOOKS)),
            of_roots: Mutex::default(),
        }
    }

    /// Has others asked for pictures of other servers that are not found on a disk of this one.
    #[must_use]
    pub fn with_others(self, elsewhere: Arc<dyn PicturesElsewhere>) -> Self {
        Self { elsewhere: Some(elsewhere), ..self }
    }

    /// Takes all places at the disk of a storage, as looks that hang do.
    #[cfg(test)]
    pub(super) async fn occupy(&self, root: &std::path::Path) -> impl Sized + use<S> {
        let mut hung = Vec::new();
        for _ in 0..LOOKS_PER_ROOT {
            hung.push(self.look_place(Some(root.to_owned())).await);
        }
        hung
    }

    /// Returns the picture of an event as soon as there is a whole one, at the latest at the deadline (and the time of one
    /// question to the database).
    ///
    /// # Errors
    ///
    /// Why there is none at the deadline, or at once where none can come.
    pub async fn read(&self, wanted: &Wanted, deadline: Instant) -> Result<Arc<Picture>, NoPicture> {
        if let Some(picture) = self.cached(wanted, deadline) {
            return Ok(picture);
        }
        // Many phones ask for the picture of one alarm: one of them looks at the disk.
        let turn = self.turn(wanted);
        let _first = timeout_at(deadline, turn.lock()).await;
        if let Some(picture) = self.cached(wanted, deadline) {
            return Ok(picture);
        }
        let began = Instant::now();
        let (mut known, mut ask_at) = (None, began);
        let (picture, settled) = loop {
            let (search, asked) = match known.take() {
                Some((search, asked)) if Instant::now() < asked + PLACE_AGE => (search, asked),
                _ => (Arc::new(self.search(wanted).await?), Instant::now()),
            };
            let now = Instant::now();
            match self.look(&search, deadline).await {
                Ok(picture) => {
                    let settled = if picture.earlier {
                        now >= began + LATER
                    } else {
                        now >= began + BETTER || is_best(picture.kind, wanted)
                    };
                    if picture.earlier && (settled || now >= deadline) {
                        break (self.newer(&search, picture, deadline).await, settled);
                    }
                    if settled || now >= deadline {
                        break (picture, settled);
                    }
                }
                Err(error) => {
                    if ask_at <= now {
                        if let Some(picture) = self.elsewhere(&search.place, wanted, deadline).await {
                            // Whoever has it on the disk has waited for the better one.
                            break (picture, true);
                        }
                        ask_at = Instant::now() + ASK_AGAIN;
                    }
                    let may_come = error.may_come() || self.may_be_elsewhere(&search.place);
                    if now >= deadline || !may_come {
                        return Err(error);
                    }
                }
            }
            known = Some((search, asked));
            tokio::time::sleep_until(deadline.min(now + PAUSE)).await;
        };
        Ok(self.keep(wanted, picture, settled))
    }

    fn may_be_elsewhere(&self, place: &EventPlace) -> bool {
        self.elsewhere.is_some() && place.server.is_some()
    }

    /// Asks others for the picture of an event of theirs.
    async fn elsewhere(&self, place: &EventPlace, wanted: &Wanted, deadline: Instant) -> Option<Picture> {
        let (others, server) = (self.elsewhere.as_ref()?, place.server?);
        let deadline = deadline.max(Instant::now() + GRACE);
        timeout_at(deadline, others.picture(server, wanted, deadline)).await.ok().flatten()
    }

    /// Looks once for a picture that is wanted more than `than`, and is not of an earlier alarm. Whoever reads the same
    /// afterwards gets it.
    ///
    /// # Errors
    ///
    /// Why none can come, or cannot be looked for at the moment.
    pub async fn better(
        &self,
        wanted: &Wanted,
        than: Option<PictureKind>,
    ) -> Result<Option<Arc<Picture>>, NoPicture> {
        let kinds: Vec<_> = wanted.better_than(than).collect();
        if kinds.is_empty() {
            return Ok(None);
        }
        let search = Arc::new(Search { kinds, ..self.search(wanted).await? });
        match self.look(&search, Instant::now()).await {
            Ok(picture) if picture.earlier => Ok(None),
            Ok(picture) => {
                let settled = is_best(picture.kind, wanted);
                Ok(Some(self.keep(wanted, picture, settled)))
            }
            Err(error) if error.may_come() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn turn(&self, wanted: &Wanted) -> Arc<LookTurn> {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.retain(|_, turn| turn.strong_count() > 0);
        let key = (wanted.event, wanted.alarm_at);
        let known = under_way.get(&key).and_then(Weak::upgrade);
        known.unwrap_or_else(|| {
            let turn = Arc::default();
            under_way.insert(key, Arc::downgrade(&turn));
            turn
        })
    }

    async fn search(&self, wanted: &Wanted) -> Result<Search, NoPicture> {
        let place = self.store.place(wanted.event).await?.ok_or(NoPicture::NoEvent)?;
        Ok(Search { place, kinds: wanted.order.clone(), since: since(wanted), max_size: wanted.max_size })
    }

    /// Looks for the picture of an alarm frame that is newer than an earlier alarm's picture.
    async fn newer(&self, search: &Search, earlier: Picture, deadline: Instant) -> Picture {
        // The picture that is there is better than none.
        let Ok(frames) = self.store.alarm_frames(search.place.event, FRAMES).await else { return earlier };
        let kinds = frames.into_iter().map(PictureKind::Frame).collect();
        let search = Arc::new(Search { kinds, ..search.clone() });
        self.look(&search, deadline).await.ok().filter(|picture| !picture.earlier).unwrap_or(earlier)
    }

    async fn look(&self, search: &Arc<Search>, deadline: Instant) -> Result<Picture, NoPicture> {
        let late = deadline.max(Instant::now()) + GRACE;
        let root = search.place.storages.first().and_then(|storage| self.roots.root(storage));
        let Ok(Some(place)) = timeout_at(late, self.look_place(root)).await else {
            return Err(NoPicture::Stuck);
        };
        let (search, roots) = (Arc::clone(search), self.roots.clone());
        let looked = tokio::task::spawn_blocking(move || {
            let _place = place;
            look(&search, &roots)
        });
        match timeout_at(late, looked).await {
            Ok(Ok(looked)) => looked,
            // A look cannot panic, and is not aborted while the daemon runs.
            Ok(Err(_)) | Err(_) => Err(NoPicture::Stuck),
        }
    }

    /// Waits for a place at the disk of a storage; `None` never comes, as no semaphore is closed.
    async fn look_place(&self, root: Option<PathBuf>) -> Option<LookPlace> {
        let of_root = {
            let mut roots = self.of_roots.lock().unwrap_or_else(PoisonError::into_inner);
            // A look holds the semaphore of its storage, and so does whoever waits for it.
            roots.retain(|_, looks| looks.strong_count() > 0);
            let known = roots.get(&root).and_then(Weak::upgrade);
            known.unwrap_or_else(|| {
                let looks = Arc::new(Semaphore::new(LOOKS_PER_ROOT));
                roots.insert(root, Arc::downgrade(&looks));
                looks
            })
        };
        let of_root = of_root.acquire_owned().await.ok()?;
        let of_all = Arc::clone(&self.looks).acquire_owned().await.ok()?;
        Some(LookPlace { _of_root: of_root, _of_all: of_all })
    }

    fn cached(&self, wanted: &Wanted, deadline: Instant) -> Option<Arc<Picture>> {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        cache.retain(|cached| now < cached.until);
        let same = cache.iter().find(|cached| cached.wanted.same(wanted))?;
        (same.settled || now >= deadline).then(|| Arc::clone(&same.picture))
    }

    fn keep(&self, wanted: &Wanted, picture: Picture, settled: bool) -> Arc<Picture> {
        let picture = Arc::new(picture);
        let keep_for = match wanted.order.first() {
            _ if picture.earlier => EARLIER_FOR,
            Some(best) if *best == picture.kind => CACHED_FOR,
            _ => SECOND_BEST_FOR,
        };
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.retain(|cached| !cached.wanted.same(wanted));
        cache.push_back(Cached {
            wanted: wanted.clone(),
            picture: Arc::clone(&picture),
            until: Instant::now() + keep_for,
            settled,
        });
        let bytes =
            |cache: &VecDeque<Cached>| cache.iter().map(|cached| cached.picture.bytes.len()).sum::<usize>();
        while cache.len() > CACHED || bytes(&cache) > CACHED_BYTES {
            cache.pop_front();
        }
        picture
    }
}

/// A picture that was written before is of an earlier alarm of the event.
pub(super) fn since(wanted: &Wanted) -> Option<Timestamp> {
    wanted.alarm_at?.checked_sub(FOUND_LATER).ok()
}

/// Says whether nothing better comes with the alarm itself: `zm_detect`'s picture comes seconds later, and is not waited
/// for.
fn is_best(kind: PictureKind, wanted: &Wanted) -> bool {
    let mut with_the_alarm = wanted.order.iter().filter(|kind| **kind != PictureKind::Objdetect);
    kind == PictureKind::Objdetect || with_the_alarm.next().is_none_or(|best| *best == kind)
}

impl Wanted {
    /// Says whether `one` is wanted more than `other`; `None` is no picture. That of an alarm frame is as good as
    /// `alarm.jpg`.
    pub fn prefers(&self, one: PictureKind, other: Option<PictureKind>) -> bool {
        let rank = |kind| {
            let listed = if let PictureKind::Frame(_) = kind { PictureKind::Alarm } else { kind };
            self.order.iter().position(|wanted| *wanted == listed).unwrap_or(self.order.len())
        };
        other.is_none_or(|other| rank(one) < rank(other))
    }

    fn better_than(&self, than: Option<PictureKind>) -> impl Iterator<Item = PictureKind> {
        self.order.iter().copied().filter(move |kind| self.prefers(*kind, than))
    }

    /// Says whether one picture answers both.
    fn same(&self, other: &Self) -> bool {
        self.event == other.event
            && self.order == other.order
            && self.alarm_at == other.alarm_at
            && self.max_size == other.max_size
    }
}
