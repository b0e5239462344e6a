//! Troubles of the daemon: a state that says whether there are any, and a message for each that comes or goes.

use std::sync::Arc;

use serde::Serialize;
use tracing::warn;
use zmes_shared::machine::MachineMessage;
use zmes_shared::words::TroubleKind;

use super::{EVENTS, MqttOwner, QueuedEvent};
use crate::mqtt::cameras::json;
use crate::ports::BrokerMessage;
use crate::route::TroubleTold;
use crate::troubles::TroubleChange;

/// Troubles that are named in the attributes: a packet has a bound, and hundreds of cameras can be away.
const TOLD: usize = 50;

#[derive(Serialize)]
struct PushAttributes {
    troubles: Vec<String>,
}

impl MqttOwner {
    pub(super) fn on_trouble(&mut self, told: &TroubleTold) {
        let TroubleTold { at, change, trouble } = told;
        let raised = match change {
            TroubleChange::Raised => true,
            TroubleChange::Cleared => false,
            TroubleChange::Reminder => return,
        };
        if raised {
            self.troubles.insert(trouble.id.clone(), trouble.clone());
        } else {
            self.troubles.remove(&trouble.id);
        }
        self.show_troubles();
        let camera = trouble.id.monitor();
        let foreign = camera.is_some_and(|id| self.cameras.get(id).is_none());
        if foreign || self.cleared || !self.line.is_up() || self.events.len() >= EVENTS {
            return;
        }
        let name = camera.and_then(|id| self.cameras.get(id)).map(|camera| Arc::clone(&camera.name));
        let monitor = camera.zip(name.as_deref());
        let view = trouble.view((!raised).then_some(*at));
        let told = MachineMessage::of_trouble(raised, *at, monitor, &view);
        let message =
            BrokerMessage { topic: self.topics.server("trouble"), payload: json(&told), retain: false };
        self.events.push_back(QueuedEvent { message, id: None });
    }

    pub(super) async fn read_troubles(&mut self) {
        match self.parts.state.standing_troubles().await {
            Ok(rows) => {
                let rows = rows.into_iter().map(|row| row.record.trouble);
                self.troubles = rows.map(|trouble| (trouble.id.clone(), trouble)).collect();
            }
            Err(error) => warn!(%error, "mqtt cannot read which troubles stand"),
        }
    }

    pub(super) fn show_troubles(&mut self) {
        if self.cleared {
            return;
        }
        // Our own absence is over once this is read.
        let standing = self.troubles.values().filter(|trouble| trouble.id.kind != TroubleKind::Mqtt);
        let ours = |id| self.cameras.get(id).is_some();
        let standing = standing.filter(|trouble| trouble.id.monitor().is_none_or(ours));
        let mut troubles: Vec<_> = standing.map(|trouble| trouble.sentence().to_string()).collect();
        if let Some(more) = troubles.len().checked_sub(TOLD).filter(|more| *more > 0) {
            troubles.truncate(TOLD);
            troubles.push(format!("and {more} more"));
        }
        let word = if troubles.is_empty() { "OFF" } else { "ON" };
        self.slots.set(&self.topics.server("push"), word);
        self.slots.set(&self.topics.server("push/attributes"), json(&PushAttributes { troubles }));
    }
}
