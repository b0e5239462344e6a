//! `[[rule]]` and `[labels]`.

use std::time::Duration;

use jiff::tz::TimeZone;
use toml::de::DeTable;

use crate::config::forms::{
    CHANNELS, Choice, Flag, LABEL_NAMES, LABEL_SOURCES, Listing, MONITOR_NAMES, Number, RECEIVER_NAMES,
    RULE_NAME, Span, TEXTS, Text, WINDOWS, WORDS, Weekdays, ZONE_NAME,
};
use crate::config::reader::Reader;
use crate::config::section::{Form, Key, Literal, Reload, Section, Setting, SettingsArea, section};
use crate::config::settings::Resolved;
use crate::config::shown::Shown;
use crate::config::{LabelSource, WithoutLabels};
use crate::rules::{Channel, MonitorName, ReceiverName, RuleAction, Window};

section! {
    /// Which alarms are muted, sent, or urgent: for whom, and when. The first rule whose conditions all hold decides; without
    /// one, alarms are sent. An empty list is no condition. One block per rule; an entry without a name is ignored.
    RuleSection: Rule = "rule" many {
        /// Unique: "night". `zmesctl why` and `zmesctl rules list` show it.
        "name" name: Text<String> = RULE_NAME, Literal::Text(""), Hot;
        /// Names or ids of monitors: ["Garden", 4].
        "monitors" monitors: Listing<MonitorName> = MONITOR_NAMES, Literal::List(&[]), Hot;
        /// Users, handles of tokens or targets, "ios", "android" or "target" (all targets): ["amy", "@guard"]. A user called
        /// like one: "user:ios".
        "receivers" receivers: Listing<ReceiverName> = RECEIVER_NAMES, Literal::List(&[]), Hot;
        /// "push" for phones, "websocket" for connected apps, "mqtt" for events at the MQTT broker.
        "channels" channels: Listing<Channel> = CHANNELS, Literal::List(&["push"]), Hot;
        /// The days on which a time begins: ["mon", "tue", "wed", "thu", "fri"].
        "days" days: Weekdays = Weekdays, Literal::List(&[]), Hot;
        /// Times of the day: ["22:00-06:00"]. The end does not belong to it; a time over midnight belongs to the day on which
        /// it begins.
        "between" between: Listing<Window> = WINDOWS, Literal::List(&[]), Hot;
        /// Time zone of days and times: "Europe/Berlin". Empty: the machine's.
        "time-zone" time_zone: Text<Option<TimeZone>> = ZONE_NAME, Literal::Text(""), Hot;
        /// The cause contains one of these texts: ["person", "car"].
        "cause-has" cause_has: Listing<String> = TEXTS, Literal::List(&[]), Hot;
        /// The cause contains none of these texts.
        "cause-lacks" cause_lacks: Listing<String> = TEXTS, Literal::List(&[]), Hot;
        /// One of these labels is known of the event: ["person"]. Mostly only with labels.wait: detection takes seconds.
        "labels" labels: Listing<String> = LABEL_NAMES, Literal::List(&[]), Hot;
        /// Labels are known of the event, and none of these is among them.
        "labels-lack" labels_lack: Listing<String> = LABEL_NAMES, Literal::List(&[]), Hot;
        /// Ignore labels below this confidence, in percent. Tags have none and always count.
        "min-confidence" min_confidence: Number<u8> = Number { min: 0, max: 100 }, Literal::Number(0), Hot;
        /// "mute": not sent. "notify": sent, whatever later rules say. "urgent": sent as urgent, and through a snooze.
        "action" action: Choice<RuleAction> = Choice(&[
            ("mute", RuleAction::Mute),
            ("notify", RuleAction::Notify),
            ("urgent", RuleAction::Urgent),
        ]), Literal::Text("mute"), Hot;
        /// A note for people.
        "comment" comment: Text<String> = WORDS, Literal::Text(""), Hot;
    }
}

section! {
    /// Labels: what zm_detect or ZoneMinder itself detected in an event. Pushes, rules, `zmesctl events` and `zmesctl why`
    /// name them.
    LabelsSection: Labels = "labels" once {}
    #[derive(Debug, Clone, PartialEq, Eq)]
    LabelsConfig {} {
        /// Where they are looked for, while an event is young: "notes" for Events.Notes, "tags" for the tags of
        /// ZoneMinder 1.38. Empty: nowhere.
        "source" source: Listing<LabelSource> = LABEL_SOURCES, Literal::List(&["notes", "tags"]), Hot;
        /// How long pushes wait for labels, up to 30s; connected apps never wait. "0s": pushes leave at once, mostly
        /// without labels.
        "wait" wait: Span = Span { min: Duration::ZERO, max: Duration::from_secs(30) }, Literal::Text("0s"), Hot;
        /// What becomes of a push if there are no labels when the wait is over: "send", or "drop". A rule with action
        /// "notify" or "urgent" sends it in any case.
        "without" without: Choice<WithoutLabels> = Choice(&[
            ("send", WithoutLabels::Send),
            ("drop", WithoutLabels::Drop),
        ]), Literal::Text("send"), Hot;
        /// Replace a push that left without labels by a silent one that names them, once they are known: at most a minute
        /// after the alarm. Targets are told of it by their own phases.
        "update" update: Flag = Flag, Literal::Flag(false), Hot;
    }
}
