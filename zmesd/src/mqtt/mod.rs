//! Home automation: one connection to an MQTT broker, over which Home Assistant, Node-RED and others hear what happens at
//! the cameras, and may snooze them.
//!
//! What is published is of two kinds. *States* (is there an alarm, is the monitor watched, until when is it snoozed) are
//! retained, and only the latest counts: a slot for each topic. *Events* (alarms and their ends) are numbered by the record
//! in the state file: a cursor stands behind the last one that the broker acknowledged, so that a restart of either side
//! loses none. The router waits for nothing here: it tells the tap, and what the tap has dropped is read from the record.
//!
//! Without `[mqtt]` there is no task and no connection.

mod backoff;
mod cameras;
mod commands;
mod cursor;
pub mod es;
pub mod home_assistant;
mod line;
mod message;
mod owner;
mod rumqtt;
mod slots;
mod starts;
mod topics;
mod view;

pub use owner::{MqttOwner, MqttParts};
pub use rumqtt::MqttBroker;
pub use view::{MqttRequest, MqttStatus, MqttView};
