//! Home automation: one connection to an MQTT broker, over which Home Assistant, Node-RED and others hear what happens at
//! the cameras, and may snooze them.

pub mod es;
pub mod home_assistant;
