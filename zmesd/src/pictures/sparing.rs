//! ZoneMinder's database as pictures may use it: alarms, logins and the reconciler come first.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;
use zmes_shared::EventId;
use zmes_zoneminder::pictures::EventPlace;
use zmes_zoneminder::{DatabaseTrouble, DbError, PictureStore};

/// Questions at once. There are four connections for everything (`database/pool.rs`), and whoever waits for one may use up
/// its own time.
const QUESTIONS: usize = 2;
/// How long a question waits for its turn.
const TURN: Duration = Duration::from_secs(4);

/// Asks few questions at once.
#[derive(Debug)]
pub(super) struct SparingStore {
    store: Arc<dyn PictureStore>,
    turns: Semaphore,
}

impl SparingStore {
    pub(super) fn new(store: Arc<dyn PictureStore>) -> Self {
        Self { store, turns: Semaphore::new(QUESTIONS) }
    }

    async fn turn(&self) -> Result<SemaphorePermit<'_>, DbError> {
        let turn = timeout(TURN, self.turns.acquire()).await.ok().and_then(Result::ok);
        turn.ok_or_else(|| {
            let seconds = TURN.as_secs();
            let late = format!("earlier questions for pictures were not answered within {seconds} s");
            DbError::Unavailable(DatabaseTrouble::late(late))
        })
    }
}

#[async_trait]
impl PictureStore for SparingStore {
    async fn place(&self, event: EventId) -> Result<Option<EventPlace>, DbError> {
        let _turn = self.turn().await?;
        self.store.place(event).await
    }

    async fn alarm_frames(&self, event: EventId, limit: u32) -> Result<Vec<u64>, DbError> {
        let _turn = self.turn().await?;
        self.store.alarm_frames(event, limit).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio_util::task::TaskTracker;

    use super::*;

    /// Answers after a while; counts who asks at once.
    #[derive(Debug, Default)]
    struct SlowStore {
        asking: AtomicUsize,
        most: AtomicUsize,
    }

    #[async_trait]
    impl PictureStore for SlowStore {
        async fn place(&self, event: EventId) -> Result<Option<EventPlace>, DbError> {
            self.alarm_frames(event, 1).await.map(|_| None)
        }

        async fn alarm_frames(&self, _event: EventId, _limit: u32) -> Result<Vec<u64>, DbError> {
            let asking = self.asking.fetch_add(1, Ordering::Relaxed) + 1;
            self.most.fetch_max(asking, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_secs(1)).await;
            self.asking.fetch_sub(1, Ordering::Relaxed);
            Ok(Vec::new())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_hundred_pictures_leave_connections_for_alarms_and_logins() {
        let slow = Arc::new(SlowStore::default());
        let store = Arc::new(SparingStore::new(Arc::<SlowStore>::clone(&slow)));
        let failed = Arc::new(AtomicUsize::new(0));
        let asking = TaskTracker::new();
        for _ in 0..100 {
            let (store, failed) = (Arc::clone(&store), Arc::clone(&failed));
            asking.spawn(async move {
                if store.place(EventId(1)).await.is_err() {
                    failed.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        asking.close();
        asking.wait().await;
        assert_eq!(slow.most.load(Ordering::Relaxed), QUESTIONS);
        // Two a second for four seconds, give or take those whose turn comes at that very moment.
        let failed = failed.load(Ordering::Relaxed);
        assert!((90..=92).contains(&failed), "{failed}");
        assert!(store.alarm_frames(EventId(1), 1).await.is_ok(), "the next one is answered");
    }
}
