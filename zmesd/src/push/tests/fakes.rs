//! Transports and tokens for the unit tests of this room.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::Instant;
use zmes_providers::{
    CheckStep, Delivered, PictureFile, Platform, Push, PushError, PushToken, PushTransport, Urgency,
};
use zmes_shared::{EventId, MonitorId};

use crate::domain::{Alarm, DeliveryId, Origin, Phase, Token, TokenId};
use crate::ports::{Clock, PictureUploads, SystemClock};
use crate::push::queue::Job;

/// There are no pictures.
#[derive(Debug)]
pub(in crate::push) struct NoUploads;

#[async_trait]
impl PictureUploads for NoUploads {
    async fn file(
        &self,
        _event: EventId,
        _at: Option<Timestamp>,
        _reader: Option<TokenId>,
        _wait: Duration,
    ) -> Option<PictureFile> {
        None
    }
}

/// A transport with scripted answers; it accepts pushes without one.
#[derive(Debug)]
pub(in crate::push) struct FakeTransport {
    name: String,
    answers: Mutex<VecDeque<Result<Delivered, PushError>>>,
    always: Mutex<Option<PushError>>,
    sent: Mutex<Vec<Push>>,
    arrived: Notify,
    registered: Mutex<Vec<PushToken>>,
    checked: AtomicUsize,
    /// While this is held, no push is answered.
    pub(in crate::push) hold: tokio::sync::Mutex<()>,
}

impl FakeTransport {
    pub(in crate::push) fn new(name: &str) -> Arc<Self> {
        Arc::new(Self {
            name: name.to_owned(),
            answers: Mutex::default(),
            always: Mutex::default(),
            sent: Mutex::default(),
            arrived: Notify::new(),
            registered: Mutex::default(),
            checked: AtomicUsize::new(0),
            hold: tokio::sync::Mutex::default(),
        })
    }

    /// Scripts the answers to the next pushes.
    pub(in crate::push) fn answer(&self, answers: impl IntoIterator<Item = PushError>) {
        self.answers.lock().unwrap().extend(answers.into_iter().map(Err));
    }

    /// Answers every push like this; `None` restores the default.
    pub(in crate::push) fn always(&self, answer: Option<PushError>) {
        *self.always.lock().unwrap() = answer;
    }

    /// Returns the pushes that have arrived, once there are at least `count`.
    pub(in crate::push) async fn sent(&self, count: usize) -> Vec<Push> {
        loop {
            let arrived = self.arrived.notified();
            let sent = self.sent.lock().unwrap().clone();
            if sent.len() >= count {
                return sent;
            }
            arrived.await;
        }
    }

    /// Returns how many have arrived.
    pub(in crate::push) fn count(&self) -> usize {
        self.sent.lock().unwrap().len()
    }

    /// Returns how often it was checked.
    pub(in crate::push) fn checks(&self) -> usize {
        self.checked.load(Ordering::Relaxed)
    }

    /// Returns the tokens that were registered.
    pub(in crate::push) fn registered(&self) -> Vec<PushToken> {
        self.registered.lock().unwrap().clone()
    }
}

#[async_trait]
impl PushTransport for FakeTransport {
    fn name(&self) -> &str {
        &self.name
    }

    fn target(&self) -> String {
        "nowhere:443".to_owned()
    }

    async fn send(&self, push: &Push) -> Result<Delivered, PushError> {
        self.sent.lock().unwrap().push(push.clone());
        self.arrived.notify_waiters();
        drop(self.hold.lock().await);
        if let Some(error) = self.always.lock().unwrap().clone() {
            return Err(error);
        }
        let told = self.answers.lock().unwrap().pop_front();
        told.unwrap_or_else(|| {
            Ok(Delivered { provider_id: Some("message-1".to_owned()), ..Delivered::default() })
        })
    }

    async fn register(&self, token: &PushToken, _platform: Platform) -> Result<(), PushError> {
        self.registered.lock().unwrap().push(token.clone());
        Ok(())
    }

    async fn check(&self) -> Vec<CheckStep> {
        self.checked.fetch_add(1, Ordering::Relaxed);
        tokio::task::yield_now().await;
        Vec::new()
    }
}

/// Returns a live token without an owner.
pub(in crate::push) fn token(id: i64, text: &str, platform: Platform) -> Token {
    Token::new(TokenId(id), PushToken::parse(text).unwrap(), platform, Timestamp::UNIX_EPOCH)
}

/// Returns an alarm that has just been found.
pub(in crate::push) fn alarm(event: u64, monitor: u32) -> Arc<Alarm> {
    Arc::new(Alarm {
        monitor: MonitorId(monitor),
        monitor_name: format!("Monitor {monitor}").into(),
        event: Some(EventId(event)),
        cause: "Motion".into(),
        labels: crate::domain::AlarmLabels::default(),
        at: SystemClock.now(),
        detected: Instant::now(),
        origin: Origin::Poll,
        phase: Phase::Start,
        span: None,
        elsewhere: None,
        stands_for_event: false,
    })
}

/// Returns a push that waits for its first attempt.
pub(in crate::push) fn job(id: DeliveryId, token: Token, alarm: Arc<Alarm>) -> Job {
    Job {
        id,
        token: Arc::new(token),
        alarm,
        badge: 0,
        urgency: Urgency::Normal,
        attempts: 0,
        receipts: None,
        start: None,
        ledger: None,
    }
}
