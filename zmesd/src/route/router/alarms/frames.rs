//! The frames of one alarm: one for all sessions, or one per user if the alarm has a link to a picture.

use std::collections::HashMap;

use jiff::Timestamp;
use secrecy::ExposeSecret;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use zmes_shared::EventId;

use crate::domain::{Alarm, Origin};
use crate::links::LinkMaker;
use crate::protocol::{self, AlarmBody};

pub(super) struct AlarmFrames<'a> {
    alarm: &'a Alarm,
    /// The event whose picture is linked, if any.
    picture: Option<EventId>,
    links: &'a LinkMaker,
    auth: bool,
    now: Timestamp,
    /// Keyed by user and by whether the alarm is also sent as a push.
    made: HashMap<(Option<String>, bool), Utf8Bytes>,
}

impl<'a> AlarmFrames<'a> {
    pub(super) fn new(alarm: &'a Alarm, links: &'a LinkMaker, auth: bool, now: Timestamp) -> Self {
        // A test alarm has no event in ZoneMinder.
        let real = alarm.origin != Origin::Test && links.is_on();
        Self { alarm, picture: alarm.event.filter(|_| real), links, auth, now, made: HashMap::new() }
    }

    /// Returns the frame for a session of that user.
    pub(super) fn of(&mut self, user: &str, supplementary: bool) -> Utf8Bytes {
        let user = Some(user).filter(|_| self.auth && self.picture.is_some());
        let key = (user.map(ToOwned::to_owned), supplementary);
        if let Some(made) = self.made.get(&key) {
            return made.clone();
        }
        let alarm = self.alarm;
        let link = self.picture.and_then(|event| self.links.for_user(event, user, alarm.at, self.now));
        let frame = protocol::alarm(&AlarmBody {
            event: alarm.event,
            monitor: alarm.monitor,
            monitor_name: &alarm.monitor_name,
            cause: &alarm.cause,
            picture: link.as_ref().map(ExposeSecret::expose_secret),
            late: alarm.late(),
            replayed: false,
            supplementary,
        });
        self.made.insert(key, frame.clone());
        frame
    }
}
