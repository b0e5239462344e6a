//! The seams of home automation: a broker as its one owner sees it, and the owner as admins see it.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::mpsc;
use zmes_providers::CheckStep;
use zmes_shared::words::FaultKind;

use super::TransportCheck;
use crate::config::{BrokerConfig, BrokerUrl};
use crate::rules::MonitorName;

/// How a connection is made.
#[derive(Debug, Clone)]
pub struct BrokerSettings {
    pub config: BrokerConfig,
    pub client_id: String,
    /// What the broker publishes if the connection breaks; `None`: nothing.
    pub will: Option<BrokerMessage>,
    /// Longest message that is sent, in bytes.
    pub max_packet: usize,
}

/// A message to publish with QoS 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerMessage {
    pub topic: String,
    pub payload: Bytes,
    /// The broker keeps it for those who subscribe later; an empty one removes what it keeps.
    pub retain: bool,
}

impl BrokerMessage {
    pub fn retained(topic: impl Into<String>, payload: impl Into<Bytes>) -> Self {
        Self { topic: topic.into(), payload: payload.into(), retain: true }
    }
}

/// What comes from a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrokerEvent {
    /// A message of a topic that was subscribed to. `retained`: the broker had kept it; it was not published just now.
    /// Of a payload that is longer than [`BrokerEvent::PAYLOAD`], only the beginning is here.
    Message { topic: String, payload: Bytes, retained: bool },
    /// The connection is over.
    Lost(BrokerLoss),
}

impl BrokerEvent {
    /// Bytes of a payload that are kept: more than any command or answer that is understood has.
    pub const PAYLOAD: usize = 64;
}

/// Why a connection is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerLoss {
    pub text: String,
    /// The broker has sent a message that was too long to be read.
    pub oversized: bool,
}

/// Ends once the broker has acknowledged a message; `false`: the connection ended first.
pub type BrokerAck = Pin<Box<dyn Future<Output = bool> + Send>>;

/// The connection has no room for another message now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many messages are on their way to the broker")]
pub struct LinkFull;

/// Ends the connection when it is dropped: the broker then publishes the will.
#[async_trait]
pub trait BrokerLink: Send + Sync + fmt::Debug {
    /// Hands over a message without waiting. Messages reach the broker in this order.
    fn publish(&self, message: BrokerMessage) -> Result<BrokerAck, LinkFull>;

    /// Subscribes with QoS 1; an error says which of the topics the broker refuses.
    async fn subscribe(&self, filters: &[String]) -> Result<(), String>;

    /// Says goodbye, so that the broker does not publish the will.
    async fn close(&mut self, within: Duration);
}

/// A connection that the broker has accepted.
#[derive(Debug)]
pub struct BrokerConnection {
    pub link: Box<dyn BrokerLink>,
    /// Bounded; messages that come while it is full are dropped.
    pub events: mpsc::Receiver<BrokerEvent>,
}

/// Connects to brokers.
#[async_trait]
pub trait Broker: Send + Sync + fmt::Debug {
    /// Connects, and adds the steps that were taken. `None`: the last one failed. Each step has a deadline.
    async fn connect(
        &self,
        settings: &BrokerSettings,
        steps: &mut Vec<CheckStep>,
    ) -> Option<BrokerConnection>;
}

/// Why the broker is not reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MqttFailure {
    pub at: Timestamp,
    pub fault: FaultKind,
    pub text: String,
}

/// How the connection to the broker is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MqttHealth {
    /// Its URL.
    pub broker: String,
    pub connected_at: Option<Timestamp>,
    /// Since when it is not connected, or not any more.
    pub away_since: Option<Timestamp>,
    /// The last failure since the start, or since the broker was changed.
    pub failure: Option<MqttFailure>,
    /// Messages that the broker has acknowledged since the start.
    pub acknowledged: u64,
    /// Alarms and ends that wait for the broker, since the start.
    pub backlog: u64,
    /// Commands that were ignored: retained, not understood, or too many.
    pub ignored_commands: u64,
    /// `mqtt clear` has removed everything, and nothing is published until a reload.
    pub cleared: bool,
    /// A message that was too long has ended the connection: nothing is subscribed to until a reload.
    pub unsubscribed: bool,
    /// Connections have ended at pictures: until then none is published. `None` once the broker has taken one.
    pub pictures_rest_until: Option<Timestamp>,
}

impl MqttHealth {
    /// Returns that of a broker that was not reached yet.
    pub fn unreached(broker: &BrokerUrl) -> Self {
        Self {
            broker: broker.to_string(),
            connected_at: None,
            away_since: None,
            failure: None,
            acknowledged: 0,
            backlog: 0,
            ignored_commands: 0,
            cleared: false,
            unsubscribed: false,
            pictures_rest_until: None,
        }
    }
}

/// Which monitors are published, as the configuration says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MqttChoice {
    /// Empty: whatever ZoneMinder's users may see.
    pub user: String,
    /// Empty: all that the user may see.
    pub monitors: Vec<MonitorName>,
}

/// Why something was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MqttRefusal {
    #[error("mqtt is not enabled")]
    NotEnabled,
    #[error("the broker is not connected")]
    Away,
    #[error("the broker did not take everything in time")]
    Unfinished,
    #[error("home automation does not answer")]
    Busy,
}

#[async_trait]
pub trait MqttSide: Send + Sync + fmt::Debug {
    /// `None`: `[mqtt]` is not enabled.
    fn health(&self) -> Option<MqttHealth>;

    /// Returns which monitors are to be published.
    fn choice(&self) -> MqttChoice;

    /// Connects a second time, publishes a message and reads it back; one check at a time. `fresh`: not the answer of a
    /// moment ago.
    async fn check(&self, fresh: bool) -> Result<TransportCheck, MqttRefusal>;

    /// Removes everything that the broker retains of us; returns from how many topics.
    async fn clear(&self) -> Result<u64, MqttRefusal>;
}
