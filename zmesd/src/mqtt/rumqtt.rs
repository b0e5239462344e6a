//! The broker behind the crate `rumqttc`: the one place that names it.
//!
//! The connection is dialled by us, so there is one TLS for all. The crate's event loop only moves while it is polled, and
//! polling it is not safe to interrupt, so it has a task of its own, which ends with the link. A poll that fails is final
//! here: when to connect again is the owner's decision.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rumqttc::{
    AsyncClient, Broker as Address, ConnectReturnCode, ConnectionError, Error, Event, EventLoop, LastWill,
    MqttOptions, Packet, Publish, PublishOptions, QoS, StateError, SubscribeReasonCode,
};
use secrecy::ExposeSecret;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use zmes_providers::{CheckStep, Dial, DialedStream, WallClock};
use zmes_shared::words::FaultKind;

use crate::config::{BrokerConfig, MAX_PICTURE};
use crate::ports::{
    Broker, BrokerAck, BrokerConnection, BrokerEvent, BrokerLink, BrokerLoss, BrokerMessage, BrokerSettings,
    LinkFull,
};

/// For each step of a connection, and for the answer to a subscription.
const STEP: Duration = Duration::from_secs(5);
/// Without a word for this long a client says that it is there; the broker gives up after one and a half of it.
const KEEP_ALIVE: u16 = 30;
/// Messages that wait for their acknowledgement: beyond it the crate waits with the next.
const IN_FLIGHT: u16 = 20;
/// Messages on their way to the crate.
const REQUESTS: usize = 64;
/// Messages of the broker that were not read yet, each without most of its payload. Full: dropped.
const EVENTS: usize = 4096;
/// Longest topic that is heard of, in bytes: longer than any of ours.
const TOPIC: usize = 1024;
/// Longest message that is read, in bytes. Anyone who may publish where zmesd listens decides how long it is. `mqtt clear`
/// hears all that is retained: also pictures of the largest size, whatever `mqtt.max-picture` is by then.
const INCOMING: usize = MAX_PICTURE + (64 << 10);
/// Refused topics that are named.
const NAMED: usize = 3;

#[derive(Debug)]
pub struct MqttBroker {
    clock: WallClock,
}

impl MqttBroker {
    pub fn new(clock: WallClock) -> Self {
        Self { clock }
    }
}

#[async_trait]
impl Broker for MqttBroker {
    async fn connect(
        &self,
        settings: &BrokerSettings,
        steps: &mut Vec<CheckStep>,
    ) -> Option<BrokerConnection> {
        let (config, clock) = (settings.config.clone(), self.clock.clone());
        let begun = Instant::now();
        // It reads files, and a disk may have to spin up.
        let dial = tokio::task::spawn_blocking(move || dial(&config, clock));
        let dial = match timeout(STEP, dial).await {
            Ok(Ok(Ok(dial))) => dial,
            Ok(Ok(Err(problem))) => {
                steps.push(failed("files", begun, FaultKind::OwnCertificate, problem));
                return None;
            }
            Ok(Err(_)) | Err(_) => {
                steps.push(failed(
                    "files",
                    begun,
                    FaultKind::Timeout,
                    "certificates cannot be read in time".into(),
                ));
                return None;
            }
        };
        let stream = dial.open(steps).await?;
        let begun = Instant::now();
        match timeout(STEP, greet(settings, stream)).await {
            Ok(Ok(connection)) => {
                let detail = format!("accepted as {}", settings.client_id);
                steps.push(CheckStep { name: CONNACK, took: begun.elapsed(), detail, fault: None });
                Some(connection)
            }
            Ok(Err((fault, text))) => {
                steps.push(failed(CONNACK, begun, fault, text));
                None
            }
            Err(_) => {
                steps.push(failed(CONNACK, begun, FaultKind::Timeout, "no answer in time".to_owned()));
                None
            }
        }
    }
}

/// The step in which the broker takes the client, or not.
const CONNACK: &str = "connack";

fn failed(name: &'static str, begun: Instant, fault: FaultKind, detail: String) -> CheckStep {
    CheckStep { name, took: begun.elapsed(), detail, fault: Some(fault) }
}

fn dial(config: &BrokerConfig, clock: WallClock) -> Result<Dial, String> {
    let dial = Dial::plain(&config.url.host, config.url.port, clock, STEP);
    if !config.url.tls {
        return Ok(dial);
    }
    let root = config.ca_certificate.as_deref().map(|path| ("mqtt.ca-certificate", path));
    let identity = config
        .identity
        .as_ref()
        .map(|identity| [("mqtt.certificate", &*identity.certificate), ("mqtt.key", &*identity.key)]);
    dial.with_tls(root, identity).map_err(|problem| {
        let cause = std::error::Error::source(&problem).map(|cause| format!(": {cause}")).unwrap_or_default();
        format!("{problem}{cause}")
    })
}

/// Speaks MQTT up to the broker's answer.
#[expect(
    clippy::disallowed_methods,
    reason = "the link owns the task: it awaits its end, or stops it when dropped"
)]
async fn greet(
    settings: &BrokerSettings,
    stream: DialedStream,
) -> Result<BrokerConnection, (FaultKind, String)> {
    let BrokerSettings { config, client_id, will, max_packet } = settings;
    let mut options =
        MqttOptions::new(client_id.as_str(), Address::tcp(config.url.host.as_str(), config.url.port));
    options.set_keep_alive(KEEP_ALIVE).set_clean_session(true).set_max_packet_size(INCOMING, *max_packet);
    options.set_inflight(IN_FLIGHT).set_max_request_batch(usize::from(IN_FLIGHT));
    match (&config.username, &config.password) {
        (Some(name), Some(password)) => {
            options.set_credentials(name.as_str(), password.expose_secret().as_bytes().to_vec());
        }
        (Some(name), None) => drop(options.set_username(name.as_str())),
        (None, _) => {}
    }
    if let Some(BrokerMessage { topic, payload, retain }) = will {
        options.set_last_will(LastWill::new(topic.as_str(), payload.to_vec(), QoS::AtLeastOnce, *retain));
    }
    let dialled = Arc::new(Mutex::new(Some(stream)));
    options.set_socket_connector(move |_, _| {
        let stream = dialled.lock().unwrap_or_else(PoisonError::into_inner).take();
        // It is asked for once: a second connection is the owner's to make.
        std::future::ready(stream.ok_or_else(|| std::io::Error::from(std::io::ErrorKind::NotConnected)))
    });
    let build = AsyncClient::builder(options).capacity(REQUESTS).try_build();
    let (client, mut polled) = build.map_err(|error| (FaultKind::Unknown, error.to_string()))?;
    loop {
        match polled.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => break,
            Ok(_) => {}
            Err(error) => return Err(refusal(&error)),
        }
    }
    let (events_tx, events) = mpsc::channel(EVENTS);
    let stop = CancellationToken::new();
    let task = tokio::spawn(pump(polled, events_tx, stop.clone()));
    let link = RumqttLink { client, stop: Some(stop.drop_guard()), task };
    Ok(BrokerConnection { link: Box::new(link), events })
}

/// Moves the crate's event loop until it ends or the link does.
async fn pump(mut polled: EventLoop, events: mpsc::Sender<BrokerEvent>, stop: CancellationToken) {
    loop {
        let event = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            event = polled.poll() => event,
        };
        match event {
            Ok(Event::Incoming(Packet::Publish(message))) => {
                if let Some(heard) = heard(&message) {
                    // Full: a flood of commands must not take memory.
                    events.try_send(heard).ok();
                }
            }
            Ok(_) => {}
            Err(error) => {
                let lost = BrokerEvent::Lost(loss(&error));
                stop.run_until_cancelled(events.send(lost)).await;
                return;
            }
        }
    }
}

/// Returns what is kept of a message: little, because thousands of them may wait.
fn heard(message: &Publish) -> Option<BrokerEvent> {
    let topic = message.topic.get(..).filter(|topic| topic.len() <= TOPIC)?;
    let beginning = message.payload.get(..BrokerEvent::PAYLOAD).unwrap_or(&message.payload);
    Some(BrokerEvent::Message {
        topic: String::from_utf8(topic.to_vec()).ok()?,
        // A copy: a part of it would keep the whole in memory.
        payload: Bytes::copy_from_slice(beginning),
        retained: message.retain,
    })
}

fn loss(error: &ConnectionError) -> BrokerLoss {
    if let ConnectionError::MqttState(StateError::Deserialization(Error::PayloadSizeLimitExceeded(bytes))) =
        error
    {
        let text = format!("the broker sent a message of {bytes} bytes, and at most {INCOMING} are read");
        return BrokerLoss { text, oversized: true };
    }
    let (_, text) = refusal(error);
    BrokerLoss { text, oversized: false }
}

/// Says in words why a connection was refused or lost.
fn refusal(error: &ConnectionError) -> (FaultKind, String) {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a foreign, non-exhaustive enum: it has words of its own"
    )]
    let (fault, text) = match error {
        ConnectionError::ConnectionRefused(code) => match code {
            ConnectReturnCode::BadUserNamePassword => {
                (FaultKind::Credentials, "the broker refused the user or the password (return code 4)")
            }
            ConnectReturnCode::NotAuthorized => (
                FaultKind::Credentials,
                "the broker refused this client: a wrong user or password, or no permission (return code 5)",
            ),
            ConnectReturnCode::BadClientId => {
                (FaultKind::Credentials, "the broker refused the client id (return code 2)")
            }
            ConnectReturnCode::RefusedProtocolVersion => {
                (FaultKind::Provider, "the broker does not speak MQTT 3.1.1 (return code 1)")
            }
            ConnectReturnCode::ServiceUnavailable => {
                (FaultKind::Provider, "the broker is not available (return code 3)")
            }
            ConnectReturnCode::Success => (FaultKind::BadAnswer, "the broker gave no reason"),
        },
        ConnectionError::NetworkTimeout | ConnectionError::FlushTimeout => {
            (FaultKind::Timeout, "the broker did not answer in time")
        }
        ConnectionError::MqttState(StateError::ConnectionAborted) => {
            (FaultKind::Closed, "the broker closed the connection")
        }
        ConnectionError::NotConnAck(_) => (FaultKind::BadAnswer, "what answers there is no MQTT broker"),
        ConnectionError::RequestsDone => (FaultKind::Closed, "the connection was closed by zmesd"),
        other => return other_cause(other),
    };
    (fault, text.to_owned())
}

fn other_cause(error: &ConnectionError) -> (FaultKind, String) {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            let closed = matches!(
                io.kind(),
                std::io::ErrorKind::UnexpectedEof
                    | std::io::ErrorKind::ConnectionReset
                    | std::io::ErrorKind::ConnectionAborted
                    | std::io::ErrorKind::BrokenPipe
            );
            if closed {
                return (FaultKind::Closed, "the broker closed the connection".to_owned());
            }
            let text = io.to_string();
            // With TLS 1.3 a broker refuses our certificate, or the lack of one, after the handshake.
            return zmes_providers::told_alert(&text).unwrap_or((FaultKind::Closed, text));
        }
        source = cause.source();
    }
    (FaultKind::BadAnswer, zmes_shared::text::quotable(&error.to_string()))
}

struct RumqttLink {
    client: AsyncClient,
    /// Ends the task that polls: the connection breaks.
    stop: Option<DropGuard>,
    task: JoinHandle<()>,
}

impl fmt::Debug for RumqttLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RumqttLink").field("ended", &self.task.is_finished()).finish_non_exhaustive()
    }
}

#[async_trait]
impl BrokerLink for RumqttLink {
    fn publish(&self, message: BrokerMessage) -> Result<BrokerAck, LinkFull> {
        let BrokerMessage { topic, payload, retain } = message;
        let options = PublishOptions::at_least_once().retain(retain);
        let notice = self.client.try_publish_tracked(topic, payload, options).map_err(|_| LinkFull)?;
        Ok(Box::pin(async move { notice.wait_async().await.is_ok() }))
    }

    async fn subscribe(&self, filters: &[String]) -> Result<(), String> {
        let mut refused = Vec::new();
        for filter in filters {
            let asked = self.client.try_subscribe_tracked(filter.as_str(), QoS::AtLeastOnce);
            let notice = asked.map_err(|error| error.to_string())?;
            let answer = timeout(STEP, notice.wait_async()).await;
            let answer = answer.map_err(|_| "no answer to a subscription in time".to_owned())?;
            let answer = answer.map_err(|_| "the connection ended".to_owned())?;
            if answer.return_codes.contains(&SubscribeReasonCode::Failure) {
                refused.push(filter.as_str());
            }
        }
        if refused.is_empty() {
            return Ok(());
        }
        let named = refused.get(..NAMED).unwrap_or(&refused).join(", ");
        Err(format!("the broker refuses the subscription to {named}"))
    }

    async fn close(&mut self, within: Duration) {
        let closing = async {
            if self.client.disconnect_with_timeout(within).await.is_ok() {
                (&mut self.task).await.ok();
            }
        };
        timeout(within, closing).await.ok();
        drop(self.stop.take());
    }
}
