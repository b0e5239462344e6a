//! The push side as admins see it: checks, counts, health, latencies; and their commands to it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use zmes_providers::{PushTransport, Transports};
use zmes_shared::views::{PushCounts, PushModeState};
use zmes_shared::words::HeldBy;

use super::checks::Checks;
use super::gates::is_meant;
use super::status::PushStatus;
use crate::domain::Token;
use crate::ports::{Clock, Held, PushBusy, PushSide, Retried, StageLatency, TransportCheck, TransportHealth};
use crate::route::PushRules;
use crate::telemetry::Counters;

/// How long the dispatcher may take to answer. It waits for nothing itself.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub enum PushCommand {
    Retry {
        /// Only those of that kind: `proxy`, `fcm`, `apns`; or that of a target: `@night-guard`.
        only: Option<String>,
        reply: oneshot::Sender<Vec<Retried>>,
    },
}

#[derive(Debug, Clone)]
pub struct PushViewParts {
    pub transports: watch::Receiver<Arc<Transports>>,
    pub commands: mpsc::Sender<PushCommand>,
    pub status: Arc<PushStatus>,
    pub counters: Arc<Counters>,
    pub rules: watch::Receiver<PushRules>,
    pub clock: Arc<dyn Clock>,
}

#[derive(Debug)]
pub struct PushView {
    parts: PushViewParts,
    checks: Checks,
}

impl PushView {
    pub fn new(parts: PushViewParts) -> Self {
        Self { parts, checks: Checks::default() }
    }

    fn transports(&self) -> Arc<Transports> {
        Arc::clone(&*self.parts.transports.borrow())
    }
}

#[async_trait]
impl PushSide for PushView {
    async fn check(&self, only: Option<&str>) -> Vec<TransportCheck> {
        let wanted =
            |transport: &&Arc<dyn PushTransport>| only.is_none_or(|only| is_meant(transport.name(), only));
        let mut running = JoinSet::new();
        for (place, transport) in self.transports().all().filter(wanted).enumerate() {
            let (transport, slot) = (Arc::clone(transport), self.checks.slot(transport));
            let since = self.checks.since();
            running.spawn(async move {
                let check = slot.check(&*transport, since).await;
                (place, transport, check)
            });
        }
        let mut checks = running.join_all().await;
        checks.sort_by_key(|(place, ..)| *place);
        let (now, transports) = (self.parts.clock.now(), self.transports());
        let noted = |(_, transport, check): (usize, Arc<dyn PushTransport>, TransportCheck)| {
            // A transport replaced by a reload says nothing about its successor.
            let current = transports.all().any(|known| Arc::ptr_eq(known, &transport));
            if current && check.age.is_zero() {
                self.parts.status.checked(&check, now);
            }
            check
        };
        checks.into_iter().map(noted).collect()
    }

    fn check_anew(&self) {
        self.checks.anew();
    }

    async fn retry(&self, only: Option<&str>) -> Result<Vec<Retried>, PushBusy> {
        let (reply, answer) = oneshot::channel();
        let only = only.map(ToOwned::to_owned);
        self.parts.commands.try_send(PushCommand::Retry { only, reply }).map_err(|_| PushBusy)?;
        timeout(PATIENCE, answer).await.ok().and_then(Result::ok).ok_or(PushBusy)
    }

    fn held(&self, token: &Token) -> Option<Held> {
        let now = self.parts.clock.now();
        if let Some(held) = self.parts.status.held(token.id, now) {
            return Some(held);
        }
        let way = self.transports().candidates(&token.destination()).into_iter().next()?;
        let health = self.parts.status.health().remove(way.name())?;
        let reason = health.failure.as_ref().map(|failure| failure.fault.to_string()).unwrap_or_default();
        let until = health.rest(now).and(health.rests_until);
        health.held_back().then_some(Held { by: HeldBy::Transport, until, reason })
    }

    fn mode(&self) -> PushModeState {
        let PushRules { enabled, shadow, .. } = *self.parts.rules.borrow();
        match (enabled, shadow) {
            (false, _) => PushModeState::Off,
            (true, true) => PushModeState::Shadow,
            (true, false) => PushModeState::Live,
        }
    }

    fn counts(&self) -> PushCounts {
        PushCounts { mode: Some(self.mode()), ..self.parts.status.counts() }
    }

    fn health(&self) -> Vec<TransportHealth> {
        let mut known = self.parts.status.health();
        let health = |transport: &Arc<dyn PushTransport>| TransportHealth {
            transport: transport.name().to_owned(),
            target: transport.target(),
            ..known.remove(transport.name()).unwrap_or_default()
        };
        self.transports().all().map(health).collect()
    }

    fn ways(&self, token: &Token) -> Vec<String> {
        let candidates = self.transports().candidates(&token.destination());
        candidates.iter().map(|transport| transport.name().to_owned()).collect()
    }

    fn latencies(&self) -> Vec<StageLatency> {
        self.parts.counters.timings.report()
    }
}
