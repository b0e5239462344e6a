//! What the control socket sees of the push side: checks, counts, breakers, latencies.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use zmes_shared::views::PushModeState;

use super::status::PushStatus;
use super::transport::Transports;
use crate::domain::Token;
use crate::ports::{
    BreakerView, CheckStep, Clock, FaultKind, PushCounts, PushSide, PushTransport, StageLatency,
    TransportCheck, TransportHealth,
};
use crate::route::PushRules;
use crate::telemetry::Latencies;

/// How long the check of one transport may take; its steps have deadlines of their own.
const DEADLINE: Duration = Duration::from_secs(30);

/// The push side as admins see it: cheap to clone.
#[derive(Debug, Clone)]
pub struct PushView {
    transports: Arc<Transports>,
    status: Arc<PushStatus>,
    latencies: Arc<Latencies>,
    rules: watch::Receiver<PushRules>,
    clock: Arc<dyn Clock>,
}

impl PushView {
    /// Looks at what dispatcher and router share.
    pub fn new(
        transports: Arc<Transports>,
        status: Arc<PushStatus>,
        latencies: Arc<Latencies>,
        rules: watch::Receiver<PushRules>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { transports, status, latencies, rules, clock }
    }
}

#[async_trait]
impl PushSide for PushView {
    async fn check(&self, only: Option<&str>) -> Vec<TransportCheck> {
        let wanted = |transport: &&Arc<dyn PushTransport>| {
            let kind = transport.name().split(':').next();
            only.is_none_or(|only| kind == Some(only))
        };
        let mut running = JoinSet::new();
        for (place, transport) in self.transports.all().filter(wanted).enumerate() {
            let transport = Arc::clone(transport);
            running.spawn(async move { (place, check(&*transport).await) });
        }
        let mut checks = running.join_all().await;
        checks.sort_by_key(|(place, _)| *place);
        checks.into_iter().map(|(_, check)| check).collect()
    }

    fn mode(&self) -> PushModeState {
        let PushRules { enabled, shadow, .. } = *self.rules.borrow();
        match (enabled, shadow) {
            (false, _) => PushModeState::Off,
            (true, true) => PushModeState::Shadow,
            (true, false) => PushModeState::Live,
        }
    }

    fn counts(&self) -> PushCounts {
        PushCounts {
            queued: self.status.queued(),
            delivered: self.status.delivered(),
            failed: self.status.failed(),
        }
    }

    fn health(&self) -> Vec<TransportHealth> {
        let mut known = self.status.health();
        let health = |transport: &Arc<dyn PushTransport>| TransportHealth {
            transport: transport.name().to_owned(),
            target: transport.target(),
            ..known.remove(transport.name()).unwrap_or_default()
        };
        self.transports.all().map(health).collect()
    }

    fn breakers(&self) -> Vec<BreakerView> {
        let now = self.clock.now();
        let view = |health: TransportHealth| BreakerView {
            open: health.held_back(),
            // Where the rest is over, the next push is the probe: nothing to wait for.
            retry_at: health.rest(now).and(health.rests_until),
            last_error: health.failure.map(|failure| failure.fault.to_string()),
            transport: health.transport,
            in_flight: health.in_flight,
        };
        self.health().into_iter().map(view).collect()
    }

    fn ways(&self, token: &Token) -> Vec<String> {
        let candidates = self.transports.candidates(token);
        candidates.iter().map(|transport| transport.name().to_owned()).collect()
    }

    fn latencies(&self) -> Vec<StageLatency> {
        self.latencies.report()
    }
}

async fn check(transport: &dyn PushTransport) -> TransportCheck {
    let steps = timeout(DEADLINE, transport.check()).await.unwrap_or_else(|_| {
        let detail = "no result in time".to_owned();
        vec![CheckStep { name: "http", ok: false, took: DEADLINE, detail, fault: Some(FaultKind::Timeout) }]
    });
    TransportCheck {
        transport: transport.name().to_owned(),
        target: transport.target(),
        ok: steps.iter().all(|step| step.ok),
        steps,
    }
}
