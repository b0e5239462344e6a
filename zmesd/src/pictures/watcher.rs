//! Looks for better pictures of young events, and tells the router.
//!
//! ZoneMinder writes `alarm.jpg` a moment after the alarm, `zm_detect` writes `objdetect.jpg` seconds later. Only with
//! `picture.update` are events watched; otherwise nothing is looked for.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::debug;
use zmes_zoneminder::pictures::NoPicture;

use super::{PictureDesk, lock};
use crate::route::PictureRequest;

/// Time between two looks at the same event.
const EVERY: Duration = Duration::from_secs(1);

/// The watcher of young events.
///
/// Owns: nothing; the events are the desk's, which knows who was shown what. Receives: alarms that pushes tell of. Sends:
/// better pictures to the router, awaited. Ends: when told to, or when the router is gone.
#[derive(Debug)]
pub struct PictureWatch {
    desk: Arc<PictureDesk>,
    requests: mpsc::Receiver<PictureRequest>,
    next: Instant,
}

impl PictureWatch {
    pub fn new(desk: Arc<PictureDesk>, requests: mpsc::Receiver<PictureRequest>) -> Self {
        Self { desk, requests, next: Instant::now() }
    }

    pub async fn run(mut self, stop: CancellationToken) {
        stop.run_until_cancelled(self.keep_looking()).await;
    }

    async fn keep_looking(&mut self) {
        loop {
            let looks = !lock(&self.desk.young).is_empty();
            tokio::select! {
                biased;
                request = self.requests.recv() => match request {
                    Some(request) => lock(&self.desk.young).add(request),
                    None => return,
                },
                () = sleep_until(self.next), if looks => {
                    self.look().await;
                    self.next = Instant::now() + EVERY;
                }
            }
        }
    }

    async fn look(&self) {
        let desk = &self.desk;
        lock(&desk.young).forget_old(desk.parts.clock.now());
        let watched = lock(&desk.young).watched();
        for (request, known) in watched {
            let wanted = desk.wanted(request.event, Some(request.at));
            match desk.reader.better(&wanted, known).await {
                Ok(Some(picture)) => lock(&desk.young).found(request, &picture),
                Ok(None) => {}
                // Others would wait as long for the same.
                Err(problem @ (NoPicture::Database(_) | NoPicture::Stuck)) => {
                    debug!(event = %request.event, error = %problem, "better pictures are looked for later");
                    break;
                }
                // The storage may be mounted within the minute.
                Err(problem) => debug!(event = %request.event, error = %problem, "no better picture"),
            }
        }
        self.tell().await;
    }

    /// Tells the router. What it could not accept is told again after the next look.
    async fn tell(&self) {
        let desk = &self.desk;
        let order = desk.parts.settings.borrow().order.clone();
        let due = lock(&desk.young).due(&order, desk.parts.clock.now());
        for better in due {
            let event = better.event;
            if desk.parts.router.better_picture(better).await.is_ok() {
                lock(&desk.young).forget(event);
            }
        }
    }
}
