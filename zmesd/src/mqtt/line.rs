//! The connection to the broker over time: attempts, pauses, what is on its way, what ends it.

use std::fmt;
use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use zmes_providers::CheckStep;
use zmes_shared::words::FaultKind;

use super::backoff::Backoff;
use crate::ports::{
    Broker, BrokerConnection, BrokerEvent, BrokerLink, BrokerLoss, BrokerMessage, BrokerSettings,
};

/// Messages that are on their way at a time.
const IN_FLIGHT: usize = 20;
/// A broker that acknowledges nothing for this long is away.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(30);
/// A whole attempt to connect: the steps have deadlines of their own.
const ATTEMPT: Duration = Duration::from_secs(30);

/// What a message is to its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tag {
    State,
    /// An empty message at this topic: the broker retains nothing there any more.
    Emptied(String),
    Online,
    /// An alarm, by its id; `None`: nothing depends on its arrival.
    Event(Option<String>),
    Discovery,
    Picture,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum LineEvent {
    Up,
    /// Not reached, or lost; it is tried again by itself.
    Down(FaultKind, String),
    Acked(Tag),
    Message {
        topic: String,
        payload: bytes::Bytes,
        retained: bool,
    },
}

type DialAttempt = Pin<Box<dyn Future<Output = Result<BrokerConnection, (FaultKind, String)>> + Send>>;
type Ack = Pin<Box<dyn Future<Output = (Tag, bool)> + Send>>;

enum LineState {
    Off,
    Waiting(Instant),
    Connecting(DialAttempt),
    Up { link: Box<dyn BrokerLink>, events: mpsc::Receiver<BrokerEvent>, since: Instant },
}

pub(super) struct BrokerLine {
    broker: Arc<dyn Broker>,
    settings: Option<BrokerSettings>,
    state: LineState,
    backoff: Backoff,
    acks: FuturesUnordered<Ack>,
    /// When a message was acknowledged last, or the first of those under way was sent.
    moved: Instant,
    /// A message that was too long has ended a connection: nothing is subscribed to any more. A broker that retains it
    /// would end each connection.
    unsubscribed: bool,
}

impl fmt::Debug for BrokerLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BrokerLine")
            .field("up", &self.is_up())
            .field("in_flight", &self.acks.len())
            .finish_non_exhaustive()
    }
}

impl BrokerLine {
    pub(super) fn new(broker: Arc<dyn Broker>) -> Self {
        Self {
            broker,
            settings: None,
            state: LineState::Off,
            backoff: Backoff::default(),
            acks: FuturesUnordered::new(),
            moved: Instant::now(),
            unsubscribed: false,
        }
    }

    /// Connects with these settings from now on. What was on its way is forgotten.
    pub(super) fn connect(&mut self, settings: BrokerSettings) {
        self.settings = Some(settings);
        self.backoff.reset();
        self.acks.clear();
        self.attempt();
    }

    /// Subscribes again, from the next connection on: what was too long may have been removed.
    pub(super) fn hear_again(&mut self) {
        self.unsubscribed = false;
    }

    /// Says whether nothing is subscribed to, because a message that was too long has ended a connection.
    pub(super) fn is_unsubscribed(&self) -> bool {
        self.unsubscribed
    }

    /// Ends the connection without a goodbye, and makes no other.
    pub(super) fn cut(&mut self) {
        self.settings = None;
        self.acks.clear();
        self.state = LineState::Off;
    }

    /// Says goodbye to the broker, and makes no other connection.
    pub(super) async fn close(&mut self, within: Duration) {
        if let LineState::Up { link, .. } = &mut self.state {
            link.close(within).await;
        }
        self.cut();
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(self.state, LineState::Up { .. })
    }

    pub(super) fn has_room(&self) -> bool {
        self.is_up() && self.acks.len() < IN_FLIGHT
    }

    /// Says whether everything is acknowledged.
    pub(super) fn is_idle(&self) -> bool {
        self.acks.is_empty()
    }

    /// Sends a message; `false`: it has no room, or there is no connection.
    pub(super) fn publish(&mut self, message: BrokerMessage, tag: Tag) -> bool {
        let LineState::Up { link, .. } = &self.state else { return false };
        let Ok(ack) = link.publish(message) else { return false };
        if self.acks.is_empty() {
            self.moved = Instant::now();
        }
        self.acks.push(Box::pin(async move { (tag, ack.await) }));
        true
    }

    pub(super) async fn subscribe(&mut self, filters: &[String]) -> Result<(), String> {
        if self.unsubscribed {
            return Err("a message that is too long has ended the connection before".to_owned());
        }
        match &mut self.state {
            LineState::Up { link, .. } => link.subscribe(filters).await,
            LineState::Off | LineState::Waiting(_) | LineState::Connecting(_) => Ok(()),
        }
    }

    /// Returns what happens next. Nothing is lost if the future is dropped before that.
    pub(super) async fn next(&mut self) -> LineEvent {
        loop {
            match &mut self.state {
                LineState::Off => pending::<()>().await,
                LineState::Waiting(until) => {
                    sleep_until(*until).await;
                    self.attempt();
                }
                LineState::Connecting(attempt) => match attempt.await {
                    Ok(BrokerConnection { link, events }) => {
                        self.state = LineState::Up { link, events, since: Instant::now() };
                        return LineEvent::Up;
                    }
                    Err((fault, text)) => {
                        let pause = self.backoff.failed(fault, fastrand::f64());
                        self.state = LineState::Waiting(Instant::now() + pause);
                        return LineEvent::Down(fault, text);
                    }
                },
                LineState::Up { events, .. } => {
                    let lost = tokio::select! {
                        biased;
                        // At most `IN_FLIGHT`, before any flood of messages. Without an answer the connection ends, and
                        // that tells why.
                        Some((tag, true)) = self.acks.next() => {
                            self.moved = Instant::now();
                            return LineEvent::Acked(tag);
                        }
                        event = events.recv() => match event {
                            Some(BrokerEvent::Message { topic, payload, retained }) => {
                                return LineEvent::Message { topic, payload, retained };
                            }
                            Some(BrokerEvent::Lost(BrokerLoss { text, oversized })) => {
                                self.unsubscribed |= oversized;
                                (FaultKind::Closed, text)
                            }
                            None => (FaultKind::Closed, "the connection ended".to_owned()),
                        },
                        () = sleep_until(self.moved + ACKNOWLEDGED_WITHIN), if !self.acks.is_empty() => {
                            let text = format!("no acknowledgement for {} s", ACKNOWLEDGED_WITHIN.as_secs());
                            (FaultKind::Timeout, text)
                        }
                    };
                    return self.lost(lost);
                }
            }
        }
    }

    fn lost(&mut self, (fault, text): (FaultKind, String)) -> LineEvent {
        let lived = match &self.state {
            LineState::Up { since, .. } => since.elapsed(),
            LineState::Off | LineState::Waiting(_) | LineState::Connecting(_) => Duration::ZERO,
        };
        self.acks.clear();
        let pause = self.backoff.lost(lived, fault, fastrand::f64());
        self.state = LineState::Waiting(Instant::now() + pause);
        LineEvent::Down(fault, text)
    }

    fn attempt(&mut self) {
        let Some(settings) = self.settings.clone() else {
            self.state = LineState::Off;
            return;
        };
        let broker = Arc::clone(&self.broker);
        self.state = LineState::Connecting(Box::pin(async move {
            let mut steps = Vec::new();
            let connected = timeout(ATTEMPT, broker.connect(&settings, &mut steps)).await;
            connected.ok().flatten().ok_or_else(|| failure(&steps))
        }));
    }
}

/// Returns why an attempt has failed: its last step.
fn failure(steps: &[CheckStep]) -> (FaultKind, String) {
    match steps.last() {
        Some(CheckStep { name, detail, fault: Some(fault), .. }) => (*fault, format!("{name}: {detail}")),
        Some(_) | None => (FaultKind::Timeout, "no connection in time".to_owned()),
    }
}
