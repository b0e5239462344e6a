//! `zmesctl status`.

use std::io;
use std::time::Duration;

use zmes_shared::views::{
    DatabaseState, Finding, FindingCounts, PushModeState, Sentence, Status, TroubleSummary, TroubleView,
};

use crate::render::{Facts, Out, Tone, View, clean, time};

impl View for Status {
    fn human(&self, out: &mut Out) -> io::Result<()> {
        out.line(&title(self, out))?;
        let mut facts = Facts::default();
        if !self.listening.is_empty() {
            let from = if self.handed_over.iter().any(|name| name == "app") {
                " (sockets from systemd)"
            } else {
                ""
            };
            facts.add("listening", format!("{}{from}", clean(&self.listening.join(", "))));
        }
        facts.add("ZoneMinder", zoneminder(self, out));
        facts.add("monitors", monitors(self, out));
        facts.add("clients", clients(self, out));
        facts.add("tokens", format!("{} of {} enabled", self.tokens.enabled, self.tokens.total));
        let push = format!("{} delivered, {} queued", self.push.delivered, self.push.queued);
        facts.add("push", alarming(push, self.push.failed, "failed", out) + &mode(self, out));
        if let Some(mqtt) = &self.mqtt {
            let (tone, word) = match (mqtt.connected, mqtt.cleared) {
                (true, _) => (Tone::Plain, "connected to"),
                (false, true) => (Tone::Warning, "cleared, publishes nothing to"),
                (false, false) => (Tone::Bad, "not connected to"),
            };
            facts.add("mqtt", out.paint(tone, &format!("{word} {}", clean(&mqtt.broker))));
        }
        if let Some(count @ 1..) = self.snoozes {
            facts.add("snoozes", format!("{count} set: zmesctl snooze list"));
        }
        let reconciled = match self.events.reconciled {
            0 => String::new(),
            late => format!(", {late} of them found later in the database"),
        };
        facts.add("alarms", format!("{} announced{reconciled}", self.events.seen));
        if let Some(damage) = &self.state_damage {
            let damage = Sentence::of(damage, &self.state_damage_parts);
            let damage = time::told(&damage, &out.look().zone);
            facts.add("state", out.paint(Tone::Warning, &clean(&damage)));
        }
        if let Some(error) = &self.state_error {
            let error = format!("cannot be written: {}", clean(error));
            facts.add("state", out.paint(Tone::Bad, &error));
        }
        if let Some(troubles) = self.troubles.as_ref().filter(|troubles| troubles.standing > 0) {
            facts.add("troubles", standing(troubles, out));
        }
        if let Some(worst) = &self.worst {
            facts.add(if worst.ok { "warning" } else { "trouble" }, trouble(self, worst, out));
        }
        if let Some(hint) = self.worst.as_ref().and_then(|worst| worst.hint.as_deref()) {
            facts.add("hint", clean(hint));
        }
        out.facts(&facts)
    }
}

/// Names the oldest troubles, and their total number.
fn standing(troubles: &TroubleSummary, out: &Out) -> String {
    let zone = &out.look().zone;
    let told = |trouble: &TroubleView| clean(&time::told(&trouble.sentence(), zone)).into_owned();
    let oldest: Vec<_> = troubles.oldest.iter().map(told).collect();
    let text = format!("{} ({})", troubles.standing, oldest.join("; "));
    let more = if troubles.standing > oldest.len() as u64 { ": zmesctl troubles" } else { "" };
    out.paint(Tone::Bad, &format!("{text}{more}"))
}

/// Names the worst finding, and the number of others.
fn trouble(status: &Status, worst: &Finding, out: &Out) -> String {
    let FindingCounts { errors, warnings } = status.findings.unwrap_or_default();
    let others = match (errors + warnings).saturating_sub(1) {
        0 => String::new(),
        1 => "; and 1 other: zmesctl doctor".to_owned(),
        more => format!("; and {more} others: zmesctl doctor"),
    };
    let tone = if worst.ok { Tone::Warning } else { Tone::Bad };
    let detail = time::told(&worst.sentence(), &out.look().zone);
    out.paint(tone, &format!("{}: {}{others}", clean(&worst.step), clean(&detail)))
}

fn title(status: &Status, out: &Out) -> String {
    let name = out.paint(Tone::Strong, &format!("zmesd {}", clean(&status.version)));
    let state = if status.stopping {
        out.paint(Tone::Warning, "is stopping,")
    } else {
        out.paint(Tone::Good, "is running,")
    };
    let up = time::span(Duration::from_millis(status.uptime_ms));
    let since = time::date(status.started_at, &out.look().zone);
    format!("{name} {state} up {up} (since {since}, pid {})", status.pid)
}

fn zoneminder(status: &Status, out: &Out) -> String {
    let version =
        status.zoneminder.as_deref().map_or_else(String::new, |version| format!("{}, ", clean(version)));
    match (status.database, &status.database_error) {
        (DatabaseState::Ok, _) => format!("{version}database ok"),
        (DatabaseState::Down, None) => format!("{version}{}", out.paint(Tone::Bad, "database down")),
        (DatabaseState::Down, Some(error)) => {
            format!("{version}{}", out.paint(Tone::Bad, &format!("database down: {}", clean(error))))
        }
    }
}

fn monitors(status: &Status, out: &Out) -> String {
    let counts = status.monitors;
    let elsewhere = counts.elsewhere.map_or_else(String::new, |count| {
        format!(" ({count} on other servers, seen in the Events table up to 0.5 s later)")
    });
    let text = format!("{} of {} watched{elsewhere}", counts.watched, counts.total);
    alarming(text, counts.stale, "stale: zmesctl monitors list says why", out)
}

fn clients(status: &Status, out: &Out) -> String {
    let counts = status.clients;
    let mut text = format!("{} connected, {} authenticated", counts.total, counts.authenticated);
    let since_start = [(counts.dropped_slow, "dropped as slow"), (counts.rejected, "rejected")];
    let parts: Vec<_> = since_start
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    if !parts.is_empty() {
        let remark = format!(" (since the start: {})", parts.join(", "));
        text += &out.paint(Tone::Faint, &remark);
    }
    text
}

/// Returns the push mode, unless pushes are sent.
fn mode(status: &Status, out: &Out) -> String {
    let (tone, text) = match status.push.mode {
        Some(PushModeState::Shadow) => (Tone::Warning, "shadow: pushes are decided and logged, but not sent"),
        Some(PushModeState::Off) => (Tone::Faint, "off"),
        Some(PushModeState::Live | PushModeState::Unknown) | None => return String::new(),
    };
    format!(" ({})", out.paint(tone, text))
}

/// Adds a count that should be 0, if it is not.
fn alarming(text: String, count: u64, what: &str, out: &Out) -> String {
    if count == 0 { text } else { format!("{text}, {}", out.paint(Tone::Bad, &format!("{count} {what}"))) }
}
