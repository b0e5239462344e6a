//! The sentences that explain a decision to people: one for each word of the vocabulary.
//!
//! They hold no times: views have those as members of their own, and `zmesctl` prints them in the reader's zone.

use std::time::Duration;

use zmes_shared::MonitorId;
use zmes_shared::words::{DeliveryState, GiveUp, Reason, SkipReason};

use crate::domain::{Decision, MonitorFilter};
use crate::state::{DeliveryRow, TokenRow};

#[derive(Debug, Clone, Copy, Default)]
struct Subject<'a> {
    monitor: Option<MonitorId>,
    user: Option<&'a str>,
    /// The token's handle; empty for a client.
    handle: &'a str,
    /// The app's list has the monitor by now.
    listed_now: bool,
}

pub(super) fn for_client(decision: Decision, monitor: Option<MonitorId>) -> String {
    match decision {
        Decision::Send => "it went to the app over its WebSocket".to_owned(),
        Decision::Skip(reason) => skipped(reason, Subject { monitor, ..Subject::default() }),
    }
}

pub(super) fn for_token(delivery: &DeliveryRow, row: Option<&TokenRow>, handle: &str) -> String {
    let DeliveryRow { decision, reason, transport, attempts, latency, monitor, .. } = delivery;
    // The wait for labels is reported separately.
    let since = if delivery.labels.waited.is_some() { "decision" } else { "alarm" };
    let on_attempt = if *attempts > 1 { format!(", on attempt {attempts}") } else { String::new() };
    match (decision, reason) {
        (DeliveryState::Sent, reason) => {
            let digest =
                if *reason == Reason::Digest { ", as part of a digest (push.storm-limit)" } else { "" };
            format!("{transport} took it{}{on_attempt}{digest}", after(*latency, ", ", since))
        }
        (DeliveryState::Queued, Reason::None) => "it waits to be sent: zmesctl push queue".to_owned(),
        (DeliveryState::Queued, reason) => {
            format!("it is tried again; the last attempt failed: {reason}")
        }
        (DeliveryState::Failed, Reason::GaveUp(reason)) => {
            format!("given up{on_attempt}: {}", gave_up(*reason))
        }
        (DeliveryState::Failed, Reason::None) => format!("given up{on_attempt}"),
        (DeliveryState::Failed, reason) => format!("given up{on_attempt}: {reason}"),
        (DeliveryState::Skipped, Reason::Skip(SkipReason::Shadow)) => shadow(transport, *latency, since),
        (DeliveryState::Skipped, Reason::Skip(reason)) => {
            let user = row.map(|row| row.token.user.as_str());
            skipped(
                *reason,
                Subject { monitor: Some(*monitor), user, handle, listed_now: listed(row, *monitor) },
            )
        }
        (DeliveryState::Skipped, Reason::None) => "it was skipped; the reason is not recorded".to_owned(),
        (DeliveryState::Skipped, reason) => reason.to_string(),
        (DeliveryState::Unknown, _) => {
            "a newer zmesd recorded it; this version does not know what became of it".to_owned()
        }
    }
}

fn listed(row: Option<&TokenRow>, monitor: MonitorId) -> bool {
    match row.map(|row| &row.token.filter) {
        Some(MonitorFilter::Only(only)) => only.contains_key(&monitor),
        Some(MonitorFilter::All) => true,
        None => false,
    }
}

fn after(latency: Option<Duration>, before: &str, since: &str) -> String {
    latency
        .map_or_else(String::new, |latency| format!("{before}{} ms after the {since}", latency.as_millis()))
}

fn shadow(transport: &str, latency: Option<Duration>, since: &str) -> String {
    let way = if transport.is_empty() {
        GiveUp::NoTransport.word().to_owned()
    } else {
        format!("{transport} would have got it{}", after(latency, " ", since))
    };
    format!("push.mode is shadow: it was decided, not sent; {way}")
}

fn gave_up(reason: GiveUp) -> &'static str {
    match reason {
        GiveUp::Expired => "it could not be sent within push.retry-for",
        GiveUp::NoTransport => "no configured transport takes this token: zmesctl push check",
        GiveUp::Unknown => "a newer zmesd recorded the reason; this version does not know it",
    }
}

fn skipped(reason: SkipReason, subject: Subject<'_>) -> String {
    let Subject { handle, listed_now, .. } = subject;
    let user = subject.user.filter(|user| !user.is_empty()).unwrap_or("its user");
    let monitor = subject.monitor.map_or_else(|| "the monitor".to_owned(), |id| format!("monitor {id}"));
    match reason {
        SkipReason::Rights => format!("ZoneMinder does not let {user} see {monitor}"),
        SkipReason::Filter if listed_now => {
            format!("{monitor} was not in the app's list at the time (it is now)")
        }
        SkipReason::Filter => format!("{monitor} is not in the app's list"),
        SkipReason::Interval => {
            format!("the app's interval for {monitor} had not passed since the last alarm")
        }
        SkipReason::OtherTarget => "the test alarm was for another client or token".to_owned(),
        SkipReason::Pending => "the app had not logged in".to_owned(),
        SkipReason::Slow => "the app did not read earlier messages and was disconnected".to_owned(),
        SkipReason::Ending => "the app was being disconnected".to_owned(),
        SkipReason::User => {
            format!("{user} does not exist in ZoneMinder, is disabled, or has no right to view events")
        }
        SkipReason::Disabled => "the app asked for no pushes (its state is disabled)".to_owned(),
        SkipReason::Muted => format!("an admin muted this token: zmesctl tokens unmute {handle}"),
        SkipReason::Snoozed => format!("{monitor} was snoozed: zmesctl snooze list"),
        SkipReason::Rule => "a rule in zmesd.toml mutes it: zmesctl rules list".to_owned(),
        SkipReason::NoLabels => {
            "nothing was detected within labels.wait, and labels.without drops such pushes".to_owned()
        }
        SkipReason::PushOff => "push is switched off (push.enabled is false)".to_owned(),
        SkipReason::Shadow => "push.mode is shadow: it was decided, not sent".to_owned(),
        SkipReason::Revoked => {
            format!("the token was revoked before the push was sent: zmesctl tokens restore {handle}")
        }
        SkipReason::AnotherUser => "another user registered this phone before the push was sent".to_owned(),
        SkipReason::NotStarted => {
            "the start of the alarm was not sent to it, or only as part of a digest".to_owned()
        }
        SkipReason::NotReplaceable => {
            "a better picture came, and the way to it cannot replace a message or takes no picture".to_owned()
        }
        SkipReason::NotConfigured => {
            format!("the target {handle} left zmesd.toml before the push was sent")
        }
        SkipReason::Elsewhere => "another node of the cluster sends it: zmesctl cluster status".to_owned(),
        SkipReason::NotDecided => {
            "no decision is recorded for it: push.enabled was false, or the log no longer reaches back"
                .to_owned()
        }
        SkipReason::NotAnnounced => "the event was not announced to any app".to_owned(),
        SkipReason::Unknown => {
            "a newer zmesd skipped it for a reason that this version does not know".to_owned()
        }
    }
}

pub(super) fn undecided(reason: SkipReason) -> String {
    skipped(reason, Subject::default())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// All sentences, each with its word in JSON.
    fn sentences() -> Vec<(String, String)> {
        let delivery = |decision, reason| DeliveryRow {
            id: crate::domain::DeliveryId(1),
            token: crate::domain::TokenId(1),
            at: jiff::Timestamp::UNIX_EPOCH,
            event: None,
            monitor: MonitorId(3),
            monitor_name: "Garage".to_owned(),
            cause: "Motion".to_owned(),
            origin: crate::domain::Origin::Poll,
            decision,
            reason,
            transport: "proxy".to_owned(),
            attempts: 2,
            latency: Some(Duration::from_millis(4)),
            labels: crate::domain::AlarmLabels::default(),
            provider_id: None,
            by: None,
            urgency: zmes_providers::Urgency::Normal,
            phase: zmes_shared::words::Phase::Start,
            lasted: None,
            failures: Vec::new(),
        };
        let reasons = |of: &'static [SkipReason]| of.iter().map(|reason| Reason::Skip(*reason));
        let skipped = reasons(SkipReason::ALL).chain(reasons(&[SkipReason::Unknown]));
        let given_up = GiveUp::ALL.iter().chain([&GiveUp::Unknown]).map(|reason| Reason::GaveUp(*reason));
        let plain = DeliveryState::ALL.iter().chain([&DeliveryState::Unknown]);
        let rows = plain
            .map(|state| delivery(*state, Reason::None))
            .chain(skipped.map(|reason| delivery(DeliveryState::Skipped, reason)))
            .chain(given_up.map(|reason| delivery(DeliveryState::Failed, reason)))
            .chain([delivery(DeliveryState::Sent, Reason::Digest)]);
        rows.map(|row| (format!("{} {}", row.decision, row.reason), for_token(&row, None, "1a2b3c4d")))
            .collect()
    }

    #[test]
    fn every_decision_and_reason_has_a_sentence_of_its_own() {
        let all = sentences();
        let mut seen = BTreeSet::new();
        for (words, sentence) in &all {
            assert!(sentence.split(' ').count() > 2, "{words}: {sentence}");
            assert!(seen.insert(sentence), "{words} has the sentence of another: {sentence}");
            assert!(!sentence.contains(['"', '`']), "{words} quotes a word: {sentence}");
        }
        let words = SkipReason::ALL.iter().map(|reason| reason.word());
        for word in words.chain(GiveUp::ALL.iter().map(|reason| reason.word())) {
            assert!(all.iter().all(|(_, sentence)| sentence != word), "{word} is no sentence");
        }
    }

    #[test]
    fn every_reason_of_a_client_has_a_sentence_of_its_own() {
        let reasons = SkipReason::ALL.iter().map(|reason| Decision::Skip(*reason));
        let all: Vec<_> =
            reasons.chain([Decision::Send]).map(|decision| for_client(decision, None)).collect();
        let distinct: BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len(), "{all:?}");
    }

    #[test]
    fn a_push_that_another_user_or_its_age_stopped_is_explained() {
        let all = sentences();
        let find =
            |words: &str| all.iter().find(|(known, _)| known == words).map(|(_, sentence)| &**sentence);
        let another = "another user registered this phone before the push was sent";
        assert_eq!(find("skipped another user"), Some(another));
        let expired = "given up, on attempt 2: it could not be sent within push.retry-for";
        assert_eq!(find("failed expired"), Some(expired));
    }
}
