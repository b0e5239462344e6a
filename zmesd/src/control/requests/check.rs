//! `check`

use std::time::Duration;

use tokio::time::Instant;
use zmes_shared::control::{CheckKind, ControlError};
use zmes_shared::views::{Check, CheckPart, Perf, PushModeState, Severity};

use super::monitors::{self, Listed};
use super::unreadable;
use crate::control::ControlParts;
use crate::ports::{CertificateProblem, CertificateSummary, DbHealth, TransportCheck};
use crate::state::StoreReport;

/// Rounds within which the poller must have moved.
const ROUNDS: u32 = 3;
/// At least so long it may take: a busy machine is not a dead daemon.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often the counter is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(10);
/// How long the database may take; less than what `zmesctl` waits for the whole.
const ASKED: Duration = Duration::from_secs(3);
/// How long the providers may take when they alone are asked: less than what `zmesctl` waits for it.
const PUSH_ASKED: Duration = Duration::from_secs(25);
/// How long they may take among all checks.
const PUSH_ASKED_AMONG_ALL: Duration = Duration::from_secs(10);
/// How long the state file may take to be read whole.
const STORE_ASKED: Duration = Duration::from_secs(10);
const DB_HINT: &str = "is it running, and do ZM_DB_* in zm.conf (or database-url) lead to it?";
/// A day, in seconds.
const DAY: i64 = 24 * 60 * 60;
/// A day, in milliseconds.
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Looks at what is asked for.
pub(super) async fn run(
    parts: &ControlParts,
    check: CheckKind,
    within_ms: Option<u64>,
) -> Result<Check, ControlError> {
    let within_ms = within_ms.unwrap_or(0);
    let part = match check {
        CheckKind::Ping => ping(parts).await,
        CheckKind::Shm => shm(&monitors::join(parts)),
        CheckKind::Db => db(parts).await,
        CheckKind::Tls => tls(parts, within_ms),
        CheckKind::Push => push(parts, PUSH_ASKED).await,
        CheckKind::Store => store(parts).await,
        CheckKind::All => return Ok(all(parts, within_ms).await),
        CheckKind::Unknown => return Err(super::unsupported()),
    };
    let CheckPart { ok, check, detail, hint, severity, perf } = part;
    Ok(Check { ok, check, detail, hint, severity, perf, checks: Vec::new() })
}

async fn all(parts: &ControlParts, within_ms: u64) -> Check {
    let (ping, db, push, store) =
        tokio::join!(ping(parts), db(parts), push(parts, PUSH_ASKED_AMONG_ALL), store(parts));
    let checks = vec![ping, shm(&monitors::join(parts)), db, tls(parts, within_ms), push, store];
    let failed: Vec<_> = checks.iter().filter(|part| !part.ok).collect();
    let detail = if failed.is_empty() {
        format!("all {} checks hold", checks.len())
    } else {
        let failed = failed.iter().map(|part| format!("{}: {}", part.check, part.detail));
        failed.collect::<Vec<_>>().join("; ")
    };
    let hint = failed.iter().find_map(|part| part.hint.clone());
    let severity = checks.iter().filter_map(|part| part.severity).max();
    let perf = checks.iter().flat_map(|part| part.perf.iter().cloned()).collect();
    Check { ok: failed.is_empty(), check: "all".to_owned(), detail, hint, severity, perf, checks }
}

/// The daemon answers (it does), its router moves, and its poller does.
pub(super) async fn ping(parts: &ControlParts) -> CheckPart {
    let asked = Instant::now();
    if parts.router.ping().await.is_err() {
        return fails("ping", "the router does not move", "journalctl -u zmesd; then restart zmesd");
    }
    let mut perf = vec![took("router", asked)];
    if let Ok(clients) = parts.router.count().await {
        perf.push(number("clients", clients.authenticated));
    }
    let before = parts.counters.polls.value();
    let patience = PATIENCE.max(parts.poll_interval.saturating_mul(ROUNDS));
    let moved = async {
        while parts.counters.polls.value() == before {
            tokio::time::sleep(LOOK).await;
        }
    };
    match tokio::time::timeout(patience, moved).await {
        Ok(()) => measured(holds("ping", "router and poller move"), perf),
        Err(_) => fails("ping", "the poller does not move", "journalctl -u zmesd; then restart zmesd"),
    }
}

fn shm(monitors: &[Listed]) -> CheckPart {
    let watched: Vec<_> = monitors.iter().filter(|listed| listed.watched).collect();
    let sick: Vec<_> =
        watched.iter().filter(|listed| !listed.view.healthy).map(|listed| &listed.view).collect();
    let (all, failed) = (watched.len() as u64, sick.len() as u64);
    let critical = if all > 0 { Some(all - 1) } else { None };
    let perf = vec![number("monitors", all), limited("monitors_failed", failed, Some(0), critical)];
    let Some((first, others)) = sick.split_first() else {
        let detail = match watched.len() {
            0 => "no monitor is watched".to_owned(),
            1 => "the monitor that is watched is alive".to_owned(),
            many => format!("all {many} monitors that are watched are alive"),
        };
        return measured(holds("shm", detail), perf);
    };
    let reason = first.reason.as_deref().unwrap_or("not alive");
    let others = match others.len() {
        0 => String::new(),
        1 => "; and 1 other".to_owned(),
        more => format!("; and {more} others"),
    };
    let detail = format!("monitor {} ({}): {reason}{others}", first.id, first.name);
    let part = fails("shm", detail, "zmesctl monitors list shows all; is zmc running for them?");
    // One camera that is off is not the end of all alarms.
    measured(if failed < all { only_a_warning(part) } else { part }, perf)
}

/// Asks the database now: how it answered last may be some seconds old.
async fn db(parts: &ControlParts) -> CheckPart {
    // The answer itself is of no interest, only whether there was one; that is then the health.
    let began = Instant::now();
    let asked = tokio::time::timeout(ASKED, parts.catalog.refresh()).await;
    let perf = vec![took("db", began)];
    if asked.is_err() {
        return fails("db", format!("the database does not answer within {} s", ASKED.as_secs()), DB_HINT);
    }
    let health = parts.database.borrow().clone();
    match health {
        DbHealth::Up => measured(holds("db", "the database answers"), perf),
        DbHealth::Untried => fails("db", "the database has not been asked yet", "try again in a few seconds"),
        DbHealth::Down(reason) => fails("db", format!("the database does not answer: {reason}"), DB_HINT),
    }
}

/// Goes to every provider as far as possible without sending anything.
async fn push(parts: &ControlParts, limit: Duration) -> CheckPart {
    let hint = "zmesctl push check shows each step";
    let began = Instant::now();
    let Ok(checks) = tokio::time::timeout(limit, parts.push.check(None)).await else {
        return fails("push", format!("no answer of the providers within {} s", limit.as_secs()), hint);
    };
    let failed = |check: &TransportCheck| {
        let step = check.steps.iter().find(|step| !step.ok);
        let step = step.map_or_else(String::new, |step| format!(": {}: {}", step.name, step.detail));
        format!("{} ({}){step}", check.transport, check.target)
    };
    let failures: Vec<_> = checks.iter().filter(|check| !check.ok).map(failed).collect();
    let sent = if parts.push.mode() == PushModeState::Shadow {
        "; push.mode is shadow: nothing is sent"
    } else {
        ""
    };
    let counts = parts.push.counts();
    let perf = vec![
        took("push", began),
        number("push_ways", checks.len() as u64),
        limited(
            "push_failed",
            failures.len() as u64,
            Some(0),
            checks.len().checked_sub(1).map(|most| most as u64),
        ),
        number("push_queued", counts.queued),
    ];
    let part = match (checks.len(), failures.as_slice()) {
        (0, _) => return holds("push", format!("no way to phones is configured{sent}")),
        (1, []) => holds("push", format!("the way to phones is open{sent}")),
        (many, []) => holds("push", format!("all {many} ways to phones are open{sent}")),
        (many, failures) if failures.len() < many => only_a_warning(fails("push", failures.join("; "), hint)),
        (_, failures) => fails("push", failures.join("; "), hint),
    };
    measured(part, perf)
}

/// Reads the state file whole, and has it written.
async fn store(parts: &ControlParts) -> CheckPart {
    let hint = "is the disk full or read-only? journalctl -u zmesd";
    let began = Instant::now();
    let report = match tokio::time::timeout(STORE_ASKED, parts.state.examine()).await {
        Err(_) => {
            let detail = format!("the state cannot be read within {} s", STORE_ASKED.as_secs());
            return fails("store", detail, hint);
        }
        Ok(Err(error)) => return fails("store", unreadable(&error).message, hint),
        Ok(Ok(report)) => report,
    };
    let StoreReport { path, bytes, damage, writable } = report;
    if let [first, others @ ..] = damage.as_slice() {
        let more = if others.is_empty() { String::new() } else { format!("; and {} more", others.len()) };
        return fails("store", format!("{path} is damaged: {first}{more}"), StoreReport::DAMAGED);
    }
    if let Some(trouble) = parts.state_trouble.borrow().clone() {
        return fails("store", format!("{path} cannot be written: {trouble}"), hint);
    }
    if !writable {
        return fails("store", format!("{path} was not written within a second"), hint);
    }
    let size = Perf { unit: "B".to_owned(), ..number("store_size", bytes) };
    let detail = format!("{path} is whole and can be written ({} KiB)", bytes.div_ceil(1024));
    measured(holds("store", detail), vec![took("store", began), size])
}

fn tls(parts: &ControlParts, within_ms: u64) -> CheckPart {
    let Some(certificate) = parts.certificate.summary() else {
        return holds("tls", "plaintext: apps are served without TLS, as configured");
    };
    let seconds_left = certificate.not_after.as_second() - parts.clock.now().as_second();
    judge(&certificate, seconds_left, within_ms)
}

fn judge(certificate: &CertificateSummary, seconds_left: i64, within_ms: u64) -> CheckPart {
    let CertificateSummary { subject, not_after, problems, .. } = certificate;
    let days = seconds_left.div_euclid(DAY);
    let within_days = (within_ms > 0).then(|| format!("{}:", within_ms.div_ceil(DAY_MS)));
    let perf = vec![Perf {
        value: days,
        warning: within_days,
        critical: Some("0:".to_owned()),
        ..number("tls_days", 0)
    }];
    if seconds_left <= 0 {
        let detail = format!("{subject} has expired on {not_after}");
        return measured(fails("tls", detail, "renew the certificate, then zmesctl reload"), perf);
    }
    if let [first, others @ ..] = problems.as_slice() {
        let more = if others.is_empty() { String::new() } else { format!("; and {} more", others.len()) };
        let CertificateProblem { message, hint, .. } = first;
        let part = fails("tls", format!("{subject}: {message}: {hint}{more}"), "apps may refuse to connect");
        return measured(only_a_warning(part), perf);
    }
    let detail = format!("{subject} is valid until {not_after}, {days} days more");
    if seconds_left < i64::try_from(within_ms / 1000).unwrap_or(i64::MAX) {
        let part = fails("tls", detail, "renew the certificate, then zmesctl reload");
        return measured(only_a_warning(part), perf);
    }
    measured(holds("tls", detail), perf)
}

fn holds(check: &str, detail: impl Into<String>) -> CheckPart {
    part(check, detail.into(), None)
}

fn fails(check: &str, detail: impl Into<String>, hint: &str) -> CheckPart {
    part(check, detail.into(), Some(hint.to_owned()))
}

fn part(check: &str, detail: String, hint: Option<String>) -> CheckPart {
    let severity = if hint.is_none() { Severity::Ok } else { Severity::Error };
    let ok = hint.is_none();
    CheckPart { ok, check: check.to_owned(), detail, hint, severity: Some(severity), perf: Vec::new() }
}

/// It works for some, or will not for long.
fn only_a_warning(part: CheckPart) -> CheckPart {
    CheckPart { severity: Some(Severity::Warning), ..part }
}

/// Adds what was measured.
fn measured(part: CheckPart, perf: Vec<Perf>) -> CheckPart {
    CheckPart { perf, ..part }
}

fn number(label: &str, value: u64) -> Perf {
    let value = i64::try_from(value).unwrap_or(i64::MAX);
    Perf { label: label.to_owned(), value, unit: String::new(), warning: None, critical: None }
}

/// A number with the largest values that are no warning, and not critical.
fn limited(label: &str, value: u64, warning: Option<u64>, critical: Option<u64>) -> Perf {
    let [warning, critical] = [warning, critical].map(|limit| limit.map(|limit| limit.to_string()));
    Perf { warning, critical, ..number(label, value) }
}

/// How long it took from `began` until now.
fn took(label: &str, began: Instant) -> Perf {
    let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    Perf { unit: "ms".to_owned(), ..number(label, took) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stumble(message: &str) -> CertificateProblem {
        CertificateProblem { grave: true, message: message.to_owned(), hint: "issue it anew".to_owned() }
    }

    fn certificate(problems: &[&str]) -> CertificateSummary {
        CertificateSummary {
            subject: "CN=zm".into(),
            sans: vec!["zm".into()],
            not_after: "2030-01-01T00:00:00Z".parse().unwrap(),
            problems: problems.iter().map(|&problem| stumble(problem)).collect(),
            objections: Vec::new(),
        }
    }

    #[test]
    fn a_certificate_must_be_valid_for_long_enough() {
        let fourteen_days = 14 * 24 * 3_600_000;
        let good = judge(&certificate(&[]), 15 * DAY, fourteen_days);
        assert_eq!(
            (good.ok, good.detail.as_str()),
            (true, "CN=zm is valid until 2030-01-01T00:00:00Z, 15 days more")
        );
        let soon = judge(&certificate(&[]), 13 * DAY, fourteen_days);
        assert_eq!((soon.ok, soon.severity), (false, Some(Severity::Warning)));
        let perf = |value| Perf {
            label: "tls_days".into(),
            value,
            unit: String::new(),
            warning: Some("14:".into()),
            critical: Some("0:".into()),
        };
        assert_eq!((good.perf, soon.perf), (vec![perf(15)], vec![perf(13)]));
        assert!(judge(&certificate(&[]), 13 * DAY, 0).ok);
        let expired = judge(&certificate(&[]), 0, 0);
        assert_eq!(expired.severity, Some(Severity::Error));
        assert_eq!(
            (expired.ok, expired.detail.as_str()),
            (false, "CN=zm has expired on 2030-01-01T00:00:00Z")
        );
    }

    #[test]
    fn a_problem_of_the_certificate_is_named() {
        let bad = judge(&certificate(&["no SAN", "self-signed"]), 15 * DAY, 0);
        assert_eq!((bad.ok, bad.detail.as_str()), (false, "CN=zm: no SAN: issue it anew; and 1 more"));
    }
}
