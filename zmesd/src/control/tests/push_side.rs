//! The push side of the world's daemon: it answers what a test has put into [`Outside`].

use async_trait::async_trait;
use zmes_shared::views::{PushCounts, PushModeState};

use super::world::Outside;
use crate::domain::Token;
use crate::ports::{
    Held, MqttChoice, MqttHealth, MqttRefusal, MqttSide, PushBusy, PushSide, Retried, StageLatency,
    TransportCheck, TransportHealth,
};

#[async_trait]
impl PushSide for Outside {
    async fn check(&self, only: Option<&str>) -> Vec<TransportCheck> {
        let checks = self.checks.lock().unwrap();
        checks
            .iter()
            .filter(|check| only.is_none_or(|only| check.transport.starts_with(only)))
            .cloned()
            .collect()
    }

    fn mode(&self) -> PushModeState {
        self.push_mode.lock().unwrap().unwrap_or(PushModeState::Live)
    }

    fn counts(&self) -> PushCounts {
        PushCounts { mode: Some(self.mode()), ..*self.pushes.lock().unwrap() }
    }

    fn check_anew(&self) {
        *self.anew.lock().unwrap() += 1;
    }

    async fn retry(&self, only: Option<&str>) -> Result<Vec<Retried>, PushBusy> {
        let retried = self.retried.lock().unwrap().clone().ok_or(PushBusy)?;
        Ok(retried
            .into_iter()
            .filter(|retried| only.is_none_or(|only| retried.transport.starts_with(only)))
            .collect())
    }

    fn held(&self, _token: &Token) -> Option<Held> {
        self.held.lock().unwrap().clone()
    }

    fn health(&self) -> Vec<TransportHealth> {
        self.health.lock().unwrap().clone()
    }

    fn ways(&self, _token: &Token) -> Vec<String> {
        self.ways.lock().unwrap().clone()
    }

    fn latencies(&self) -> Vec<StageLatency> {
        self.latencies.lock().unwrap().clone()
    }
}

#[async_trait]
impl MqttSide for Outside {
    fn health(&self) -> Option<MqttHealth> {
        None
    }

    fn choice(&self) -> MqttChoice {
        MqttChoice::default()
    }

    async fn check(&self, _: bool) -> Result<TransportCheck, MqttRefusal> {
        Err(MqttRefusal::NotEnabled)
    }

    async fn clear(&self) -> Result<u64, MqttRefusal> {
        Err(MqttRefusal::NotEnabled)
    }
}
