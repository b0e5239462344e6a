//! The ways to phones: each provider, step by step as `push check` goes, and whether a way rests.

use std::time::Duration;

use tokio::time::timeout;
use zmes_shared::views::Finding;

use crate::config::{Config, PushMode};
use crate::control::ControlParts;
use crate::ports::{BreakerView, CheckStep, TransportCheck};

const STEP: &str = "push";

/// How far each transport comes.
#[derive(Debug)]
pub(super) struct Look {
    /// `None`: they did not answer in time.
    checks: Option<Vec<TransportCheck>>,
    limit: Duration,
}

/// Goes to every provider as far as possible without sending anything.
pub(super) async fn look(parts: &ControlParts, limit: Duration) -> Look {
    let checks = timeout(limit, parts.push.check(None)).await.ok();
    Look { checks, limit }
}

impl Look {
    /// Says how all ways are; `waiting` phones want pushes.
    pub(super) fn findings(&self, parts: &ControlParts, waiting: usize) -> Vec<Finding> {
        let config = parts.configuration.running();
        let Some(checks) = &self.checks else { return vec![self.late()] };
        if let Some(finding) = off(&config, checks, waiting) {
            return vec![finding];
        }
        let mut findings: Vec<_> = shadow(&config).into_iter().collect();
        findings.extend(checks.iter().map(way));
        findings.extend(parts.push.breakers().iter().filter_map(resting));
        findings
    }

    /// Says how the way is that one token takes, the first of `names`.
    pub(super) fn for_token(&self, parts: &ControlParts, names: &[String]) -> Vec<Finding> {
        let config = parts.configuration.running();
        let Some(checks) = &self.checks else { return vec![self.late()] };
        if let Some(finding) = off(&config, checks, 1) {
            return vec![finding];
        }
        let Some(name) = names.first() else {
            let detail = "no configured way takes this kind of token";
            let hint = "see [push.fcm] and [push.apns] in zmesd.toml: an iOS token of 64 hexadecimal digits needs \
                        APNs, all others FCM";
            return vec![Finding::error(STEP, detail, hint)];
        };
        let mut findings: Vec<_> = shadow(&config).into_iter().collect();
        findings.extend(checks.iter().filter(|check| check.transport == *name).map(way));
        let breakers = parts.push.breakers();
        findings.extend(breakers.iter().filter(|breaker| breaker.transport == *name).filter_map(resting));
        findings
    }

    fn late(&self) -> Finding {
        let detail = format!("the providers did not answer within {} s", self.limit.as_secs());
        Finding::error(STEP, detail, "zmesctl push check --timeout 60s shows each step")
    }
}

/// Says that nothing is pushed at all, if so: red where somebody waits for it.
fn off(config: &Config, checks: &[TransportCheck], waiting: usize) -> Option<Finding> {
    let (detail, hint) = if !config.push.enabled {
        ("push.enabled is false", "set push.enabled = true in zmesd.toml, then: systemctl restart zmesd")
    } else if checks.is_empty() {
        ("no way to phones is configured", "see [push] in zmesd.toml, then: systemctl restart zmesd")
    } else {
        return None;
    };
    if waiting == 0 {
        return Some(Finding::good(STEP, format!("{detail}, and no phone waits for pushes")));
    }
    let phones = if waiting == 1 { "1 phone waits".to_owned() } else { format!("{waiting} phones wait") };
    Some(Finding::error(STEP, format!("{detail}, but {phones} for pushes"), hint))
}

fn shadow(config: &Config) -> Option<Finding> {
    let detail = "push.mode is shadow: pushes are decided and logged, not sent";
    let hint = "set push.mode = \"live\" in zmesd.toml, then: zmesctl reload";
    (config.push.mode == PushMode::Shadow).then(|| Finding::error(STEP, detail, hint))
}

fn way(check: &TransportCheck) -> Finding {
    let TransportCheck { transport, target, steps, .. } = check;
    let step = format!("push {transport}");
    if let Some(failed) = steps.iter().find(|step| !step.ok) {
        let detail = format!("{target}: {} failed: {}", failed.name, failed.detail);
        return Finding::error(step, detail, hint(transport, target, failed));
    }
    let names = steps.iter().map(|step| step.name).collect::<Vec<_>>().join(", ");
    Finding::good(step, format!("{target} answers ({names})"))
}

/// Names the command that mends it, or that shows what is to be mended.
fn hint(transport: &str, target: &str, failed: &CheckStep) -> String {
    let (host, port) = target.rsplit_once(':').unwrap_or((target, "443"));
    let host = host.trim_matches(['[', ']']);
    let section = transport.split(':').next().unwrap_or(transport);
    match failed.name {
        "dns" => format!(
            "getent hosts {host}; is the name in push.{section} right, and does /etc/resolv.conf hold?"
        ),
        "tcp" => format!("nc -vz {host} {port}; if it is yours, start it; else let the firewall pass it"),
        "tls" => format!(
            "openssl s_client -connect {target} -showcerts </dev/null shows who signed it; name that root as \
             push.{section}.ca-certificate, then: systemctl restart zmesd"
        ),
        "credentials" => format!(
            "correct the credentials in [push.{section}] of zmesd.toml, then: systemctl restart zmesd"
        ),
        _ => format!("curl -v https://{target}/; then: zmesctl push check {section}"),
    }
}

fn resting(breaker: &BreakerView) -> Option<Finding> {
    let BreakerView { transport, open, retry_at, last_error, .. } = breaker;
    let until = retry_at.map_or_else(String::new, |at| format!(" until {at}"));
    let error = last_error.as_deref().unwrap_or("it failed five times in a row");
    let detail = format!("it rests{until}: {error}");
    open.then(|| Finding::error(format!("push {transport}"), detail, "zmesctl push queue shows what waits"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(failed: Option<(&'static str, &str)>) -> TransportCheck {
        let step = |name, ok, detail: &str| CheckStep {
            name,
            ok,
            took: Duration::ZERO,
            detail: detail.to_owned(),
            fault: None,
        };
        let mut steps = vec![step("dns", true, "192.0.2.1")];
        steps.extend(failed.map(|(name, detail)| step(name, false, detail)));
        let (transport, target) = ("proxy".to_owned(), "push.example.org:8801".to_owned());
        TransportCheck { transport, target, ok: failed.is_none(), age: Duration::ZERO, steps }
    }

    #[test]
    fn the_step_that_fails_and_its_command_are_named() {
        for (step, detail, hint) in [
            ("tcp", "connection refused", "nc -vz push.example.org 8801"),
            ("tls", "the certificate is not trusted", "openssl s_client -connect push.example.org:8801"),
            ("dns", "no address", "getent hosts push.example.org"),
            ("http", "503", "curl -v https://push.example.org:8801/"),
            ("credentials", "401", "correct the credentials in [push.proxy]"),
        ] {
            let finding = way(&check(Some((step, detail))));
            assert_eq!(finding.step, "push proxy");
            assert_eq!(finding.detail, format!("push.example.org:8801: {step} failed: {detail}"));
            assert!(finding.hint.is_some_and(|found| found.starts_with(hint)), "{step}");
        }
        assert!(way(&check(None)).ok);
    }

    #[test]
    fn a_way_that_rests_says_until_when() {
        let breaker = |open| BreakerView {
            transport: "proxy".to_owned(),
            open,
            retry_at: Some("2026-11-02T10:00:00Z".parse().unwrap()),
            last_error: Some("connection refused".to_owned()),
            in_flight: 0,
        };
        let finding = resting(&breaker(true)).unwrap();
        assert_eq!(finding.detail, "it rests until 2026-11-02T10:00:00Z: connection refused");
        assert_eq!(resting(&breaker(false)), None);
    }
}
