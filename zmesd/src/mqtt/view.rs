//! Home automation as admins see it: its health, a check, the way out.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout};
use zmes_providers::CheckStep;
use zmes_shared::words::FaultKind;

use super::topics::Topics;
use crate::config::{BrokerConfig, MqttConfig};
use crate::ports::{
    Broker, BrokerConnection, BrokerEvent, BrokerLink, BrokerMessage, BrokerSettings, MqttChoice, MqttHealth,
    MqttRefusal, MqttSide, TransportCheck,
};

/// How long the answer of a check serves others who only look.
const FRESH: Duration = Duration::from_secs(10);
/// How long a published message may take to come back.
const READ_BACK: Duration = Duration::from_secs(5);
/// How long a whole check may take.
const CHECK: Duration = Duration::from_secs(30);
/// How long removing everything may take; the owner gives up before.
const CLEAR: Duration = Duration::from_secs(30);
/// Enough for a check.
const PACKET: usize = 64 * 1024;
/// What a check's client is called, behind the name of the other.
const CHECKING: &str = "-check";
const PROBE: &str = "probe";
/// How the check is called among the transports.
const NAME: &str = "mqtt";

/// What the owner is asked.
#[derive(Debug)]
pub enum MqttRequest {
    /// Remove everything that is retained; answered with the number of topics.
    Clear(oneshot::Sender<Result<u64, MqttRefusal>>),
}

/// What the owner says of itself.
#[derive(Debug, Default)]
pub struct MqttStatus(Mutex<Option<MqttHealth>>);

impl MqttStatus {
    pub(super) fn set(&self, health: Option<MqttHealth>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = health;
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut MqttHealth)) {
        if let Some(health) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            change(health);
        }
    }

    pub(super) fn get(&self) -> Option<MqttHealth> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What admins are answered from.
#[derive(Debug)]
pub struct MqttView {
    status: Arc<MqttStatus>,
    config: watch::Receiver<MqttConfig>,
    broker: Arc<dyn Broker>,
    requests: mpsc::Sender<MqttRequest>,
    /// The last check, and when it was.
    last: tokio::sync::Mutex<Option<(Instant, TransportCheck)>>,
}

impl MqttView {
    pub fn new(
        status: Arc<MqttStatus>,
        config: watch::Receiver<MqttConfig>,
        broker: Arc<dyn Broker>,
        requests: mpsc::Sender<MqttRequest>,
    ) -> Self {
        Self { status, config, broker, requests, last: tokio::sync::Mutex::default() }
    }

    async fn examine(&self, config: &MqttConfig, broker: &BrokerConfig) -> TransportCheck {
        let client = broker.client_id.as_deref().unwrap_or("zmesd");
        let settings = BrokerSettings {
            config: broker.clone(),
            client_id: format!("{client}{CHECKING}"),
            will: None,
            max_packet: PACKET,
        };
        let mut steps = Vec::new();
        if timeout(CHECK, self.steps(&settings, &probes(config), &mut steps)).await.is_err() {
            steps.push(step(
                "time",
                Instant::now(),
                Err((FaultKind::Timeout, "no result in time".to_owned())),
            ));
        }
        let ok = steps.iter().all(CheckStep::ok);
        TransportCheck {
            transport: NAME.to_owned(),
            target: broker.url.to_string(),
            ok,
            age: Duration::ZERO,
            steps,
        }
    }

    /// mosquitto acknowledges a publish that its ACL denies (MQTT 3.1.1 has no other answer), so it is read back.
    async fn steps(&self, settings: &BrokerSettings, probes: &[ProbeMessage], steps: &mut Vec<CheckStep>) {
        let Some(BrokerConnection { mut link, mut events }) = self.broker.connect(settings, steps).await
        else {
            return;
        };
        let begun = Instant::now();
        let topics: Vec<_> = probes.iter().map(|probe| probe.topic.clone()).collect();
        let subscribed = link.subscribe(&topics).await;
        let may_read = subscribed.is_ok();
        let shown = subscribed.map(|()| topics.join(", ")).map_err(|text| (FaultKind::Credentials, text));
        steps.push(step("subscribe", begun, shown));
        for probe in probes.iter().filter(|_| may_read) {
            let begun = Instant::now();
            let read = read_back(&*link, &mut events, probe).await;
            let failed = read.is_err();
            steps.push(step(probe.step, begun, read));
            if failed {
                break;
            }
        }
        link.close(Duration::from_secs(1)).await;
    }
}

/// A message that is published and read back.
#[derive(Debug, PartialEq, Eq)]
struct ProbeMessage {
    step: &'static str,
    topic: String,
    payload: Bytes,
}

/// Returns a message for each place where something is published, and that nobody there misunderstands.
fn probes(config: &MqttConfig) -> Vec<ProbeMessage> {
    let own = ProbeMessage {
        step: "publish",
        topic: Topics::new(&config.topic).server(PROBE),
        payload: format!("{:016x}", fastrand::u64(..)).into(),
    };
    // Nothing to read for programs that expect JSON of a monitor.
    let es = config.es_topic.as_ref().map(|topic| ProbeMessage {
        step: "es-topic",
        topic: format!("{topic}/{PROBE}"),
        payload: Bytes::from_static(b"{}"),
    });
    // Home Assistant takes it for the end of a device that it does not have.
    let discovery = config.home_assistant.enabled.then(|| ProbeMessage {
        step: "discovery",
        topic: format!("{}/device/zmesd_{PROBE}/config", config.home_assistant.prefix),
        payload: Bytes::new(),
    });
    [Some(own), es, discovery].into_iter().flatten().collect()
}

async fn read_back(
    link: &dyn BrokerLink,
    events: &mut mpsc::Receiver<BrokerEvent>,
    probe: &ProbeMessage,
) -> Result<String, (FaultKind, String)> {
    let ProbeMessage { topic: wanted, payload: sent, .. } = probe;
    let message = BrokerMessage { topic: wanted.clone(), payload: sent.clone(), retain: false };
    let taken = link.publish(message).is_ok();
    let back = async {
        while let Some(event) = events.recv().await {
            match event {
                BrokerEvent::Message { topic, payload, .. } if topic == *wanted && payload == *sent => {
                    return true;
                }
                BrokerEvent::Message { .. } => {}
                BrokerEvent::Lost(_) => return false,
            }
        }
        false
    };
    match timeout(READ_BACK, back).await {
        Ok(true) if taken => Ok(format!("{wanted} was read back")),
        Ok(_) => Err((FaultKind::Closed, "the broker closed the connection".to_owned())),
        Err(_) => {
            let text = format!(
                "a message to {wanted} did not come back: the broker's ACL may deny silently to write or to read it"
            );
            Err((FaultKind::Credentials, text))
        }
    }
}

fn step(name: &'static str, begun: Instant, outcome: Result<String, (FaultKind, String)>) -> CheckStep {
    let (detail, fault) = match outcome {
        Ok(detail) => (detail, None),
        Err((fault, detail)) => (detail, Some(fault)),
    };
    CheckStep { name, took: begun.elapsed(), detail, fault }
}

#[async_trait]
impl MqttSide for MqttView {
    fn health(&self) -> Option<MqttHealth> {
        // Right after the start the owner has not said anything yet.
        let starting =
            || self.config.borrow().broker.as_ref().map(|broker| MqttHealth::unreached(&broker.url));
        self.status.get().or_else(starting)
    }

    fn choice(&self) -> MqttChoice {
        let config = self.config.borrow();
        MqttChoice { user: config.user.clone(), monitors: config.monitors.clone() }
    }

    async fn check(&self, fresh: bool) -> Result<TransportCheck, MqttRefusal> {
        let asked = Instant::now();
        let mut last = self.last.lock().await;
        if let Some((at, check)) = &*last
            // Those who came while it was made share it.
            && (*at >= asked || (!fresh && at.elapsed() < FRESH))
        {
            return Ok(TransportCheck { age: at.elapsed(), ..check.clone() });
        }
        let config = self.config.borrow().clone();
        let broker = config.broker.clone().ok_or(MqttRefusal::NotEnabled)?;
        let check = self.examine(&config, &broker).await;
        *last = Some((Instant::now(), check.clone()));
        Ok(check)
    }

    async fn clear(&self) -> Result<u64, MqttRefusal> {
        if self.config.borrow().broker.is_none() {
            return Err(MqttRefusal::NotEnabled);
        }
        let (reply, answer) = oneshot::channel();
        self.requests.try_send(MqttRequest::Clear(reply)).map_err(|_| MqttRefusal::Busy)?;
        match timeout(CLEAR, answer).await {
            Ok(Ok(cleared)) => cleared,
            Ok(Err(_)) | Err(_) => Err(MqttRefusal::Busy),
        }
    }
}
