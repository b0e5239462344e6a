//! The push transports: each provider, step by step as in `push check`, and whether a transport rests.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, timeout};
use zmes_providers::CheckStep;
use zmes_shared::views::{Finding, Perf, Sentence, Severity};
use zmes_shared::words::{FaultKind, Mender};

use super::measure::{PartOutcome, failures, number, took};
use crate::admin::AdminParts;
use crate::admin::push_cure::push_cure;
use crate::config::{Config, PushMode};
use crate::ports::{Refusals, TransportCheck, TransportHealth};

pub(super) const STEP: &str = "push";
/// This many failures in a row are an error, fewer are a warning.
const LASTING: u64 = 3;

#[derive(Debug)]
pub(super) struct ProviderProbe {
    /// `None`: not in time.
    checks: Option<Vec<TransportCheck>>,
    limit: Duration,
    took: Perf,
}

pub(super) async fn look(parts: &AdminParts, limit: Duration) -> ProviderProbe {
    let began = Instant::now();
    let checks = timeout(limit, parts.push.check(None)).await.ok();
    ProviderProbe { checks, limit, took: took("push", began) }
}

/// Judges the last pushes, without asking a provider; `waiting` phones are registered.
pub(super) fn glance(parts: &AdminParts, waiting: usize) -> Vec<Finding> {
    let (config, now, health) = (parts.configuration.running(), parts.clock.now(), parts.push.health());
    if waiting > 0
        && let Some(finding) = off(&config, health.is_empty(), waiting)
    {
        return vec![finding];
    }
    let judged = |health: &TransportHealth| ailing(health, now).or_else(|| unreachable(health));
    shadow(&config).into_iter().chain(health.iter().filter_map(judged)).collect()
}

/// Returns that the last check without a message failed.
fn unreachable(health: &TransportHealth) -> Option<Finding> {
    let failure = health.probe.as_ref()?.failure.as_ref()?;
    Some(failed(&health.transport, &health.target, &failure.step))
}

impl ProviderProbe {
    /// Judges all transports; `waiting` phones are registered.
    pub(super) fn outcome(&self, parts: &AdminParts, waiting: usize) -> PartOutcome {
        let findings = self.findings(parts, waiting);
        let mut perf = vec![self.took.clone()];
        if let Some(checks) = &self.checks {
            let failed = checks.iter().filter(|check| !check.ok).count();
            perf.push(number("push_ways", checks.len() as u64));
            perf.push(failures("push_failed", failed as u64));
        }
        perf.push(number("push_queued", parts.push.counts().queued));
        PartOutcome { findings, perf }
    }

    fn findings(&self, parts: &AdminParts, waiting: usize) -> Vec<Finding> {
        let config = parts.configuration.running();
        let Some(checks) = &self.checks else { return vec![self.late()] };
        if let Some(finding) = off(&config, checks.is_empty(), waiting) {
            return vec![finding];
        }
        shadow(&config).into_iter().chain(ways(parts, checks.iter())).collect()
    }

    /// Judges the transport that one token uses: the first of `names`.
    pub(super) fn for_token(&self, parts: &AdminParts, names: &[String]) -> Vec<Finding> {
        let config = parts.configuration.running();
        let Some(checks) = &self.checks else { return vec![self.late()] };
        if let Some(finding) = off(&config, checks.is_empty(), 1) {
            return vec![finding];
        }
        let Some(name) = names.first() else {
            let detail = "no configured transport takes this kind of token";
            let hint = "see [push.fcm] and [push.apns] in zmesd.toml: an iOS token of 64 hexadecimal digits needs \
                        APNs, all others FCM";
            return vec![Finding::error(STEP, detail, hint)];
        };
        // Red here: it is why this phone does not ring.
        let red =
            |finding: Finding| Finding::error(STEP, finding.sentence(), finding.hint.unwrap_or_default());
        let own = checks.iter().filter(|check| check.transport == *name);
        shadow(&config).map(red).into_iter().chain(ways(parts, own)).collect()
    }

    fn late(&self) -> Finding {
        let detail = format!("the providers did not answer within {} s", self.limit.as_secs());
        Finding::error(STEP, detail, "zmesctl push check --timeout 60s shows each step")
    }
}

fn ways<'c>(parts: &AdminParts, checks: impl Iterator<Item = &'c TransportCheck>) -> Vec<Finding> {
    let (health, now) = (parts.push.health(), parts.clock.now());
    checks.flat_map(|check| std::iter::once(way(check)).chain(beyond(check, &health, now))).collect()
}

/// Returns that nothing is pushed at all, if so: red if phones are registered.
fn off(config: &Config, wayless: bool, waiting: usize) -> Option<Finding> {
    let (detail, hint) = if !config.push.enabled {
        ("push.enabled is false", "set push.enabled = true in zmesd.toml, then: systemctl restart zmesd")
    } else if wayless {
        ("no push transport is configured", "see [push] in zmesd.toml, then: zmesctl reload")
    } else {
        return None;
    };
    if waiting == 0 {
        return Some(Finding::good(STEP, format!("{detail}, and no phone is registered for pushes")));
    }
    let phones = if waiting == 1 {
        "1 phone is registered".to_owned()
    } else {
        format!("{waiting} phones are registered")
    };
    Some(Finding::error(STEP, format!("{detail}, but {phones} for pushes"), hint))
}

fn shadow(config: &Config) -> Option<Finding> {
    let detail = "push.mode is shadow: pushes are decided and logged, not sent";
    let hint = "set push.mode = \"live\" in zmesd.toml, then: zmesctl reload";
    // Set on purpose, but no phone rings through this server.
    (config.push.mode == PushMode::Shadow).then(|| Finding::warning(STEP, detail, hint))
}

pub(super) fn way(check: &TransportCheck) -> Finding {
    let TransportCheck { transport, target, steps, .. } = check;
    if let Some(step) = check.failed() {
        return failed(transport, target, step);
    }
    let step = format!("push {transport}");
    let names = steps.iter().map(|step| step.name).collect::<Vec<_>>().join(", ");
    Finding::good(step, format!("{target} answers ({names})"))
}

fn failed(transport: &str, target: &str, step: &CheckStep) -> Finding {
    let detail = format!("{target}: {} failed: {}", step.name, step.detail);
    let cure = push_cure(step.fault.unwrap_or(FaultKind::Unknown), transport, target);
    Finding::error(format!("push {transport}"), detail, cure)
}

/// Judges the last pushes of a transport whose check went well: the check sends nothing, and so does not see everything.
fn beyond(check: &TransportCheck, health: &[TransportHealth], now: Timestamp) -> Option<Finding> {
    let own = health.iter().find(|health| health.transport == check.transport)?;
    if check.ok { ailing(own, now) } else { None }
}

/// Returns that pushes fail: since when, why, and what to do.
fn ailing(health: &TransportHealth, now: Timestamp) -> Option<Finding> {
    let step = format!("push {}", health.transport);
    if let Some(failure) = &health.failure {
        let rest = health
            .rest(now)
            .map_or_else(String::new, |rest| format!("; it rests for {} s more", rest.as_secs().max(1)));
        let detail = Sentence::from(format!("{}: ", health.target));
        let detail = match failure.count {
            1 => detail.text("the last push failed"),
            count => detail.text(format!("{count} attempts failed in a row since ")).time(failure.since),
        };
        let detail = detail.text(format!(": {}{rest}", failure.fault));
        let remedy = push_cure(failure.fault.kind, &health.transport, &health.target);
        let lasting = failure.count >= LASTING
            || health.held_back()
            || failure.fault.kind.mender() == Mender::Configuration;
        let severity = if lasting { Severity::Error } else { Severity::Warning };
        return Some(Finding::new(step, severity, detail, Some(remedy)));
    }
    let Refusals { count, since, detail } = health.refusals.as_ref()?;
    if *count < LASTING {
        return None;
    }
    let detail = Sentence::from(format!("{}: it refused the last {count} messages, since ", health.target))
        .time(*since)
        .text(format!(": {detail}"));
    Some(Finding::error(step, detail, "zmesctl tokens list --failing shows the phones; zmesctl push check"))
}

#[cfg(test)]
mod tests {
    use zmes_providers::TransportFault;

    use super::*;
    use crate::ports::TransportFailure;

    fn check(failed: Option<(&'static str, FaultKind, &str)>) -> TransportCheck {
        let step = |name, fault, detail: &str| CheckStep {
            name,
            took: Duration::ZERO,
            detail: detail.to_owned(),
            fault,
        };
        let mut steps = vec![step("dns", None, "192.0.2.1")];
        steps.extend(failed.map(|(name, fault, detail)| step(name, Some(fault), detail)));
        let (transport, target) = ("proxy".to_owned(), "push.example.org:8801".to_owned());
        TransportCheck { transport, target, ok: failed.is_none(), age: Duration::ZERO, steps }
    }

    #[test]
    fn the_step_that_fails_and_its_command_are_named() {
        for (step, fault, detail, hint) in [
            ("tcp", FaultKind::Refused, "connection refused", "nc -vz push.example.org 8801"),
            ("tls", FaultKind::Tls, "not usable", "openssl s_client -connect push.example.org:8801"),
            ("dns", FaultKind::Dns, "no address", "getent hosts push.example.org"),
            ("http", FaultKind::BadAnswer, "503", "curl -v https://push.example.org:8801/"),
            ("credentials", FaultKind::Credentials, "401", "correct push.proxy.app-key"),
        ] {
            let finding = way(&check(Some((step, fault, detail))));
            assert_eq!(finding.step, "push proxy");
            assert_eq!(finding.detail, format!("push.example.org:8801: {step} failed: {detail}"));
            assert!(finding.hint.is_some_and(|found| found.starts_with(hint)), "{step}");
        }
        assert!(way(&check(None)).ok);
    }

    fn failing(kind: FaultKind, status: u16, count: u64) -> TransportHealth {
        let fault =
            TransportFault { status: Some(status), ..TransportFault::unanswered(kind, format!("{status}")) };
        let (since, last) =
            ("2026-11-02T09:00:00.123456789Z".parse().unwrap(), "2026-11-02T10:00:00Z".parse().unwrap());
        TransportHealth {
            transport: "proxy".to_owned(),
            target: "push.example.org:8801".to_owned(),
            failure: Some(TransportFailure { fault, since, last, count }),
            rests_until: Some("2026-11-02T10:00:27Z".parse().unwrap()),
            ..TransportHealth::default()
        }
    }

    #[test]
    fn pushes_that_are_refused_for_hours_are_red_though_the_check_goes_well() {
        let now = "2026-11-02T10:00:00Z".parse().unwrap();
        for (kind, status, cure) in [
            (FaultKind::Credentials, 401, "correct push.proxy.app-key"),
            (FaultKind::NotFound, 404, "correct push.proxy.url"),
            (FaultKind::Provider, 500, "wait, or ask the operator of push.example.org"),
        ] {
            let finding = beyond(&check(None), &[failing(kind, status, 7)], now).unwrap();
            assert_eq!((finding.ok, finding.step.as_str()), (false, "push proxy"));
            let words = "7 attempts failed in a row since 2026-11-02T09:00:00Z: ";
            assert!(
                finding.detail.contains(words) && finding.detail.ends_with("; it rests for 27 s more"),
                "{finding:?}"
            );
            assert!(finding.hint.unwrap().starts_with(cure));
        }
        let once = TransportHealth { rests_until: None, ..failing(FaultKind::Timeout, 0, 1) };
        assert_eq!(
            ailing(&once, now).map(|finding| finding.severity),
            Some(Severity::Warning),
            "it is tried again"
        );
        let past = TransportHealth {
            rests_until: Some("2026-11-02T09:59:00Z".parse().unwrap()),
            ..failing(FaultKind::Provider, 500, 7)
        };
        assert!(!ailing(&past, now).unwrap().detail.contains("rests"), "never until a time that is past");
        assert_eq!(ailing(&TransportHealth::default(), now), None);
    }

    #[test]
    fn messages_that_are_refused_in_a_row_are_red() {
        let now = "2026-11-02T10:00:00Z".parse().unwrap();
        let refusals = |count| TransportHealth {
            failure: None,
            refusals: Some(Refusals { count, since: now, detail: "400 bad payload".to_owned() }),
            ..failing(FaultKind::Provider, 0, 0)
        };
        assert_eq!(ailing(&refusals(1), now), None);
        assert!(ailing(&refusals(3), now).unwrap().detail.contains("it refused the last 3 messages"));
    }
}
