//! The lookup task: queries the database so that polling does not wait for it.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::debug;
use zmes_shared::MonitorId;
use zmes_zoneminder::{DbError, EventRow, EventStore};

/// Which events of a monitor are open?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LookupQuestion {
    pub monitor: MonitorId,
    /// The detector's number for the question, repeated in the answer.
    pub number: u64,
}

#[derive(Debug)]
pub struct LookupAnswer {
    pub question: LookupQuestion,
    /// The open events, newest first.
    pub open: Result<Vec<EventRow>, DbError>,
}

/// Owns nothing. Receives questions, which the poller drops rather than waits; sends answers. Ends when stopped, or
/// when the poller is gone.
#[derive(Debug)]
pub struct Lookup {
    store: Arc<dyn EventStore>,
    questions: mpsc::Receiver<LookupQuestion>,
    answers: mpsc::Sender<LookupAnswer>,
}

impl Lookup {
    pub fn new(
        store: Arc<dyn EventStore>,
        questions: mpsc::Receiver<LookupQuestion>,
        answers: mpsc::Sender<LookupAnswer>,
    ) -> Self {
        Self { store, questions, answers }
    }

    pub async fn run(mut self, stop: CancellationToken) {
        stop.run_until_cancelled(async {
            while let Some(question) = self.questions.recv().await {
                let open = self.store.open_events(question.monitor).await;
                if let Err(error) = &open {
                    debug!(monitor = %question.monitor, %error, "cannot ask for open events");
                }
                if self.answers.send(LookupAnswer { question, open }).await.is_err() {
                    return;
                }
            }
        })
        .await;
    }
}
