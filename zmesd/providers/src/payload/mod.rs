//! The text of a push, which all providers share, and one file with the JSON of each. Pure: a push, the time
//! and the time zone in, a body out.
//!
//! Titles keep the form `<Monitor> Alarm…`, from which the apps read the monitor's name; ids are strings, as the apps
//! expect. If a body is larger than the provider accepts, its texts are cut, never its ids.

pub(super) mod apns;
pub(super) mod fcm;
pub(super) mod fcm_proxy;
pub(super) mod proxy;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};
use zmes_shared::EventId;

use crate::push::{Push, PushedAlarm, Urgency};
use crate::token::App;

/// Largest message that FCM and APNs accept, in bytes, without the token.
const MAX_BODY: usize = 4096;
/// How the event servers have always written times.
const TIME_FORMAT: &str = "%I:%M %p, %d-%b";
/// Stands for the event in `picture-url`.
const EVENT_MARK: &str = "EVENTID";
/// What stands before the cause of an alarm that has ended.
const ENDED: &str = "End:";
/// Most monitors that a title names.
const MAX_NAMES: usize = 3;
/// Most labels that a text names.
const MAX_LABELS: usize = 5;
/// Texts shorter than that are not cut.
const SHORTEST: usize = 16;

/// A push with its texts.
#[derive(Debug, Clone)]
pub(super) struct Message<'a> {
    push: &'a Push,
    newest: &'a PushedAlarm,
    title: String,
    body: String,
    cause: String,
    picture: Option<String>,
    /// Seconds until it expires.
    ttl: u64,
}

impl<'a> Message<'a> {
    /// Writes the texts of a push; `None` if the push contains no alarm.
    pub(super) fn new(
        push: &'a Push,
        now: Timestamp,
        zone: &TimeZone,
        picture_url: Option<&str>,
    ) -> Option<Self> {
        let newest = push.alarms.last()?;
        let (what, cause) = (what(newest), cause(newest));
        // People know an alarm by when it began.
        let began = newest.updates.unwrap_or(newest.at);
        let told = began.to_zoned(zone.clone()).strftime(TIME_FORMAT).to_string();
        let body = match count(push) {
            None if newest.ended.is_some() => format!("{cause} ended at {told}{}", lasted(newest)),
            None => format!("{what} at {told}"),
            Some(count) => format!("{}, the last: {what} at {told}", more_alarms(count)),
        };
        // A test has no real event, and what has ended was shown.
        let event = newest.event.filter(|_| !newest.test && newest.ended.is_none());
        let by_template = |event: EventId| Some(picture_url?.replace(EVENT_MARK, &event.to_string()));
        let link = push.picture.as_ref().and_then(|picture| picture.link()).map(ToOwned::to_owned);
        let picture = event.and_then(|event| link.or_else(|| by_template(event)));
        let left = push.expires_at.as_second().saturating_sub(now.as_second());
        let ttl = u64::try_from(left).unwrap_or_default();
        Some(Self { push, newest, title: title(push, newest), body, cause, picture, ttl })
    }

    /// The name under which a repeated push replaces the first on the screen: delivery is at least once.
    fn replaces(&self) -> Option<String> {
        let event = self.newest.event?;
        Some(format!("zmes-{}-{event}", self.newest.monitor))
    }

    /// Returns the app's channel on Android; `None`: the app's default, because the app is not known.
    fn channel(&self) -> Option<&'static str> {
        match self.push.app {
            App::ZmNinja => Some("zmninja"),
            App::ZmNinjaNg => Some("zmninja-ng"),
            App::Unknown => None,
        }
    }

    /// Returns the data for the app itself: only strings.
    fn data(&self) -> Map<String, Value> {
        let mut data = Map::new();
        data.insert("mid".to_owned(), self.newest.monitor.to_string().into());
        if let Some(event) = self.newest.event {
            data.insert("eid".to_owned(), event.to_string().into());
        }
        data.insert("monitorName".to_owned(), self.newest.monitor_name.as_ref().into());
        let ended = if self.newest.ended.is_some() { ENDED } else { "" };
        data.insert("cause".to_owned(), format!("{ended}{}", self.cause).into());
        data.insert("notification_foreground".to_owned(), "true".into());
        if !self.push.profile.is_empty() {
            data.insert("profile".to_owned(), self.push.profile.as_str().into());
        }
        data
    }

    fn is_silent(&self) -> bool {
        self.push.urgency == Urgency::Silent
    }

    /// Returns `interruption-level` of `aps` (Apple: `UNNotificationInterruptionLevel`); `None`: Apple's default, active.
    fn interruption_level(&self) -> Option<&'static str> {
        match self.push.urgency {
            Urgency::Silent => Some("passive"),
            Urgency::Normal => None,
            // `critical` is above it, and needs an entitlement that only the app's maker can get.
            Urgency::Urgent => Some("time-sensitive"),
        }
    }

    /// Returns `apns-priority`: 10 is at once, 5 considers the phone's battery.
    fn apns_priority(&self) -> &'static str {
        if self.is_silent() { "5" } else { "10" }
    }

    /// Returns the priority with which FCM wakes an Android phone.
    fn android_priority(&self) -> &'static str {
        if self.is_silent() { "normal" } else { "high" }
    }

    /// Returns the text for Android, which has no separate line for the name of the server.
    fn body_with_profile(&self) -> String {
        let profile = &self.push.profile;
        if profile.is_empty() { self.body.clone() } else { format!("{} — {profile}", self.body) }
    }

    /// Returns the JSON, its texts cut until it has at most `limit` bytes.
    fn fit(mut self, limit: usize, json: impl Fn(&Self) -> Value) -> String {
        loop {
            let text = json(&self).to_string();
            let over = text.len().saturating_sub(limit);
            if over == 0 || !self.shorten(over) {
                return text;
            }
        }
    }

    /// Shortens the longest text by `by` bytes; says whether it could.
    fn shorten(&mut self, by: usize) -> bool {
        let words = [&mut self.body, &mut self.cause, &mut self.title];
        let Some(longest) = words.into_iter().max_by_key(|text| text.len()) else { return false };
        if longest.len() <= SHORTEST {
            return false;
        }
        cut(longest, longest.len().saturating_sub(by + '…'.len_utf8()));
        true
    }
}

/// Shortens a text to `to` bytes and an ellipsis.
fn cut(text: &mut String, to: usize) {
    text.truncate(text.floor_char_boundary(to));
    text.push('…');
}

/// Returns how many alarms a push stands for, if it is more than one.
pub(crate) fn count(push: &Push) -> Option<u32> {
    let several = || u32::try_from(push.alarms.len()).ok().filter(|count| *count > 1);
    push.digest.or_else(several)
}

pub(crate) fn more_alarms(count: u32) -> String {
    if count == 1 { "1 more alarm".to_owned() } else { format!("{count} more alarms") }
}

fn title(push: &Push, newest: &PushedAlarm) -> String {
    let mut names = Vec::<&str>::new();
    for alarm in push.alarms.iter().rev() {
        if !names.contains(&alarm.monitor_name.as_ref()) {
            names.push(&alarm.monitor_name);
        }
    }
    if newest.ended.is_some() {
        return quiet(newest);
    }
    let more = if names.len() > MAX_NAMES { ", …" } else { "" };
    names.truncate(MAX_NAMES);
    let test = if newest.test { " (test)" } else { "" };
    format!("{}{more} Alarm{test}", names.join(", "))
}

/// Says that an alarm has ended.
fn quiet(alarm: &PushedAlarm) -> String {
    format!("{}: quiet again", alarm.monitor_name)
}

/// Returns how long an alarm lasted, where that is known: ` after 42 s`.
pub(crate) fn lasted(alarm: &PushedAlarm) -> String {
    match alarm.ended.map_or(0, |lasted| lasted.as_secs()) {
        0 => String::new(),
        seconds @ 1..120 => format!(" after {seconds} s"),
        seconds => format!(" after {} min", seconds / 60),
    }
}

/// Returns what was detected, with the cause if that says something else: `person, car (Motion: Front)`.
pub(crate) fn what(alarm: &PushedAlarm) -> String {
    let Some(labels) = labels(alarm) else { return cause(alarm) };
    // A cause that comes from detection says the same.
    if alarm.cause.is_empty() || alarm.cause.contains("detected:") {
        labels
    } else {
        format!("{labels} ({})", alarm.cause)
    }
}

/// Returns the names of the first labels; `None`: there is none.
fn labels(alarm: &PushedAlarm) -> Option<String> {
    let mut names: Vec<_> = alarm.labels.iter().take(MAX_LABELS).map(|label| label.name.as_str()).collect();
    if alarm.labels.len() > MAX_LABELS {
        names.push("…");
    }
    (!names.is_empty()).then(|| names.join(", "))
}

/// Returns the cause, never empty; says "test" for a test.
pub(crate) fn cause(alarm: &PushedAlarm) -> String {
    let cause = if alarm.cause.is_empty() { "Alarm" } else { alarm.cause.as_ref() };
    if alarm.test && !cause.to_lowercase().contains("test") {
        return format!("Test: {cause}");
    }
    cause.to_owned()
}

#[cfg(test)]
mod tests;
