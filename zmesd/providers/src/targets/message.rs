//! What a message of a target is made of. Pure: a push, the time zone and the target's texts in, words out.

use std::borrow::Cow;

use jiff::tz::TimeZone;

use super::settings::{TargetPriority, TargetTexts};
use super::template::{Encoding, Placeholder};
use crate::push::{Push, PushSubject, PushedAlarm, Urgency};
use zmes_shared::MonitorId;
use zmes_shared::machine::{CAUSE_MAX, NAME_MAX, id_of_alarm, id_of_trouble};
use zmes_shared::text::{is_hidden, is_hidden_in_name, stripped};
use zmes_shared::words::MachineKind;

/// How a time is written for people.
pub(super) const LOCAL: &str = "%Y-%m-%d %H:%M:%S";

/// A push with what a target says of it.
#[derive(Debug, Clone)]
pub(super) struct TargetMessage<'a> {
    pub(super) push: &'a Push,
    pub(super) newest: &'a PushedAlarm,
    pub(super) priority: TargetPriority,
    zone: &'a TimeZone,
    // What others can choose, without hidden characters and bounded.
    cause: String,
    detected: String,
    monitor_name: String,
    link: String,
}

/// What people read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) title: String,
    /// Never empty: services refuse messages without a text, or invent one.
    pub(super) text: String,
    /// What a tap opens; may be empty.
    pub(super) link: String,
}

impl<'a> TargetMessage<'a> {
    /// Prepares a push; `None` if it contains no alarm.
    pub(super) fn new(push: &'a Push, texts: &TargetTexts, zone: &'a TimeZone) -> Option<Self> {
        let newest = push.alarms.last()?;
        let priority = texts.priority.of(push.urgency);
        let cause = stripped(&crate::payload::cause(newest), CAUSE_MAX);
        let detected = stripped(&crate::payload::what(newest), CAUSE_MAX);
        let shown = newest.monitor_name.chars().filter(|letter| !is_hidden_in_name(*letter));
        let monitor_name = shown.take(NAME_MAX).collect();
        let link = String::new();
        let mut message = Self { push, newest, priority, zone, cause, detected, monitor_name, link };
        // A link that needs an event opens nothing without one.
        if newest.event.is_some() || !texts.link.source().contains("${event}") {
            message.link = texts.link.render(&message, Encoding::Url);
        }
        Some(message)
    }

    pub(super) fn words(&self, texts: &TargetTexts) -> Words {
        let mark = if self.newest.test { " (test)" } else { "" };
        let title = visible(&format!("{}{mark}", texts.title.render(self, Encoding::Plain)));
        let rendered = visible(&texts.text.render(self, Encoding::Plain));
        let known = [&rendered, &title, &self.detected].into_iter().find(|text| !text.trim().is_empty());
        let text = known.map_or("Alarm", String::as_str);
        let text = match self.digest() {
            Some(count) => format!("{}, the last: {text}", crate::payload::more_alarms(count)),
            None if self.newest.ended.is_some() => {
                format!("{text}, ended{}", crate::payload::lasted(self.newest))
            }
            None => text.to_owned(),
        };
        Words { title, text, link: self.link.clone() }
    }

    /// Returns how many alarms it stands for, if it is more than one.
    pub(super) fn digest(&self) -> Option<u32> {
        crate::payload::count(self.push)
    }

    pub(super) fn is_trouble(&self) -> bool {
        self.newest.subject == PushSubject::Trouble
    }

    /// Returns the id of a message: that of the alarm, as all ways to programs have it, so each attempt has the same id, over
    /// a restart too. A trouble is told apart by its sentence, because a push does not have its name; its id is another one
    /// than in `zmesctl hook`. A digest has an id of its own: who knows its newest alarm already must not take it for that.
    pub(super) fn id(&self) -> String {
        let PushedAlarm { event, monitor, at, cause, .. } = self.newest;
        if self.is_trouble() {
            let name = match self.digest() {
                Some(count) => format!("{count} {cause}"),
                None => cause.to_string(),
            };
            return id_of_trouble(self.kind(), *at, &name);
        }
        // From the other end, where ids of monitors are zero.
        let monitor = MonitorId(monitor.0 ^ self.digest().unwrap_or_default().reverse_bits());
        id_of_alarm(self.kind(), *at, monitor, *event)
    }

    /// Says whether it is an update for a better picture, which tells nothing else.
    pub(super) fn is_picture_alone(&self) -> bool {
        self.newest.updates.is_some() && self.newest.labels.is_empty()
    }

    /// Of an update: the id of the alarm that it replaces.
    pub(super) fn id_of_start(&self) -> Option<String> {
        let PushedAlarm { event, monitor, updates, .. } = self.newest;
        Some(id_of_alarm(MachineKind::AlarmStart, (*updates)?, *monitor, *event))
    }

    pub(super) fn kind(&self) -> MachineKind {
        match self.newest.subject {
            _ if self.newest.test => MachineKind::Test,
            PushSubject::Alarm if self.newest.ended.is_some() => MachineKind::AlarmEnd,
            PushSubject::Alarm if self.newest.updates.is_some() => MachineKind::AlarmUpdate,
            PushSubject::Alarm => MachineKind::AlarmStart,
            PushSubject::SnoozeEnd => MachineKind::SnoozeEnd,
            // The end of a trouble makes no sound; its beginning always does.
            PushSubject::Trouble if self.push.urgency == Urgency::Silent => MachineKind::Resolved,
            PushSubject::Trouble => MachineKind::Trouble,
        }
    }

    /// Returns when it was found, in UTC with milliseconds.
    pub(super) fn at(&self) -> String {
        format!("{:.3}", self.newest.at)
    }

    pub(super) fn cause(&self) -> &str {
        &self.cause
    }

    /// Returns the link to the picture, where the target takes one.
    pub(super) fn picture_link(&self) -> Option<&str> {
        self.push.picture.as_ref()?.link()
    }

    pub(super) fn link(&self) -> &str {
        &self.link
    }

    pub(super) fn value(&self, placeholder: Placeholder) -> Cow<'_, str> {
        match placeholder {
            Placeholder::Id => self.id().into(),
            Placeholder::EventType => self.kind().word().into(),
            Placeholder::MonitorId => self.newest.monitor.to_string().into(),
            Placeholder::MonitorName => self.monitor_name.as_str().into(),
            Placeholder::Event => {
                self.newest.event.map_or(Cow::Borrowed(""), |event| event.to_string().into())
            }
            Placeholder::Cause => self.cause.as_str().into(),
            Placeholder::Detected => self.detected.as_str().into(),
            Placeholder::At => self.at().into(),
            Placeholder::AtLocal => {
                self.newest.at.to_zoned(self.zone.clone()).strftime(LOCAL).to_string().into()
            }
            Placeholder::Late => if self.newest.late { "true" } else { "false" }.into(),
            Placeholder::Url => self.link.as_str().into(),
            Placeholder::Picture => self.picture_link().unwrap_or_default().into(),
            Placeholder::Digest => self.digest().map_or(Cow::Borrowed(""), |count| count.to_string().into()),
        }
    }
}

/// Returns a text without what terminals and phones obey; lines stay.
fn visible(text: &str) -> String {
    text.chars().filter(|c| *c == '\n' || !is_hidden(*c)).collect()
}

/// Cuts a text to at most `limit` characters.
pub(super) fn cut_characters(text: &str, limit: usize) -> String {
    if text.chars().nth(limit).is_none() {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(limit.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// Cuts a text to at most `limit` bytes, on the boundary of a character.
pub(super) fn cut_bytes(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(limit.saturating_sub('…'.len_utf8()));
    format!("{}…", text.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::fixtures::{message_texts, push};
    use crate::targets::template::Template;

    #[test]
    fn the_id_is_the_same_for_each_attempt_and_another_for_each_message() {
        let id = |push: &Push| TargetMessage::new(push, &message_texts(), &TimeZone::UTC).unwrap().id();
        let first = push(32_910);
        let id_of_first = id(&first);
        assert_eq!((id_of_first.len(), &id_of_first), (26, &id(&first.clone())));
        assert_eq!(id_of_first, "01M89Q2H600000000G0000104E", "as zmesctl hook and others have it");
        let digest = Push { digest: Some(3), ..first.clone() };
        let mut test = first.clone();
        test.alarms[0].test = true;
        let ids: std::collections::BTreeSet<_> = [&first, &push(32_911), &digest, &test].map(id).into();
        assert_eq!(ids.len(), 4);
    }

    #[test]
    fn two_troubles_of_one_moment_have_different_ids() {
        let trouble = |cause: &str, urgency, digest| {
            let mut push = Push { digest, urgency, ..push(0) };
            let at = &mut push.alarms[0];
            (at.event, at.monitor, at.cause, at.subject) =
                (None, MonitorId(0), cause.into(), PushSubject::Trouble);
            TargetMessage::new(&push, &message_texts(), &TimeZone::UTC).unwrap().id()
        };
        let database = trouble("the database does not answer", Urgency::Normal, None);
        assert_eq!(database, trouble("the database does not answer", Urgency::Normal, None));
        assert_ne!(database, trouble("no push reaches fcm", Urgency::Normal, None));
        assert_ne!(database, trouble("the database does not answer", Urgency::Silent, None));
        assert_ne!(database, trouble("the database does not answer", Urgency::Normal, Some(2)));
    }

    #[test]
    fn words_are_those_of_the_target() {
        let utc = TimeZone::UTC;
        let texts = TargetTexts {
            title: Template::parse("${monitor.name} #${monitor.id}").unwrap(),
            text: Template::parse("${cause}\n${at.local}").unwrap(),
            link: Template::parse("https://zm/?eid=${event}&c=${cause}").unwrap(),
            priority: TargetPriority::High,
        };
        let mut push = push(32_910);
        push.alarms[0].cause = "Motion: \u{1b}[31mAll".into();
        let message = TargetMessage::new(&push, &texts, &utc).unwrap();
        let words = message.words(&texts);
        assert_eq!(words.title, "Garage #1");
        assert_eq!(words.text, "Motion: [31mAll\n2026-11-25 16:02:00");
        assert_eq!(words.link, "https://zm/?eid=32910&c=Motion%3A%20%5B31mAll");
        assert_eq!(message.at(), "2026-11-25T16:02:00.000Z");
        push.digest = Some(12);
        push.urgency = Urgency::Urgent;
        let message = TargetMessage::new(&push, &texts, &utc).unwrap();
        assert_eq!(message.priority, TargetPriority::Urgent);
        assert!(message.words(&texts).text.starts_with("12 more alarms, the last: Motion"));
        push.alarms[0].event = None;
        assert_eq!(TargetMessage::new(&push, &texts, &utc).unwrap().words(&texts).link, "");
    }

    #[test]
    fn each_value_that_others_choose_is_stripped_and_cut() {
        let (mut push, texts, utc) = (push(32_910), message_texts(), TimeZone::UTC);
        push.alarms[0].cause = format!("Mo\u{202e}tion\n{}", "x".repeat(2000)).into();
        push.alarms[0].monitor_name = format!("Ga\u{1b}ra\u{200d}ge{}", "y".repeat(2000)).into();
        let message = TargetMessage::new(&push, &texts, &utc).unwrap();
        for (placeholder, begin, longest) in [
            (Placeholder::Cause, "Motionxxx", CAUSE_MAX),
            (Placeholder::Detected, "Motionxxx", CAUSE_MAX),
            (Placeholder::MonitorName, "Gara\u{200d}geyyy", NAME_MAX),
        ] {
            let value = message.value(placeholder);
            assert!(value.starts_with(begin) && value.chars().count() == longest, "{value}");
        }
    }

    #[test]
    fn a_message_always_has_a_text() {
        let (push, utc) = (push(32_910), TimeZone::UTC);
        let text = |title: &str, text: &str| {
            let (title, text) = (Template::parse(title).unwrap(), Template::parse(text).unwrap());
            let texts = TargetTexts { title, text, ..message_texts() };
            TargetMessage::new(&push, &texts, &utc).unwrap().words(&texts).text
        };
        assert_eq!(text("${monitor.name}", ""), "Garage");
        assert_eq!(text("${monitor.name}", "${digest}\n"), "Garage");
        assert_eq!(text("", " "), "Motion: All");
    }

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(cut_bytes("Motion", 6), "Motion");
        assert_eq!(cut_bytes("üüüü", 7), "üü…");
        assert_eq!(cut_characters("üüüü", 4), "üüüü");
        assert_eq!(cut_characters("üüüü", 3), "üü…");
    }
}
