//! `zmesctl pictures`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{EventId, MonitorId};

/// The picture of an event that phones would get, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PictureTested {
    /// Which event.
    pub event_id: EventId,
    /// Its monitor; absent if there is no such event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitor_id: Option<MonitorId>,
    /// Whether there is a picture.
    pub found: bool,
    /// ZoneMinder's name of the picture: `objdetect`, `alarm`, `snapshot`, or `frame` with a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<String>,
    /// Its size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// When ZoneMinder wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_at: Option<Timestamp>,
    /// How long it took to read it, in milliseconds.
    pub took_ms: u64,
    /// Whether phones get links to pictures: `picture.base-url` is set.
    pub links: bool,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub error: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hint: String,
}

/// The picture of an alarm, for a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PictureRead {
    /// Which event.
    pub event_id: EventId,
    /// The whole JPEG in base64; absent if there was none in time, or one of more than 8 MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jpeg: Option<String>,
}
