//! `check`

use std::time::Duration;

use zmes_shared::control::{CheckKind, ControlError};
use zmes_shared::views::{Check, CheckPart};

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
    let CheckPart { ok, check, detail, hint } = part;
    Ok(Check { ok, check, detail, hint, checks: Vec::new() })
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
    Check { ok: failed.is_empty(), check: "all".to_owned(), detail, hint, checks }
}

/// The daemon answers (it does), its router moves, and its poller does.
pub(super) async fn ping(parts: &ControlParts) -> CheckPart {
    if parts.router.ping().await.is_err() {
        return fails("ping", "the router does not move", "journalctl -u zmesd; then restart zmesd");
    }
    let before = parts.counters.polls.value();
    let patience = PATIENCE.max(parts.poll_interval.saturating_mul(ROUNDS));
    let moved = async {
        while parts.counters.polls.value() == before {
            tokio::time::sleep(LOOK).await;
        }
    };
    match tokio::time::timeout(patience, moved).await {
        Ok(()) => holds("ping", "router and poller move"),
        Err(_) => fails("ping", "the poller does not move", "journalctl -u zmesd; then restart zmesd"),
    }
}

fn shm(monitors: &[Listed]) -> CheckPart {
    let watched: Vec<_> = monitors.iter().filter(|listed| listed.watched).collect();
    let mut sick = watched.iter().filter(|listed| !listed.view.healthy).map(|listed| &listed.view);
    let Some(first) = sick.next() else {
        let detail = match watched.len() {
            0 => "no monitor is watched".to_owned(),
            1 => "the monitor that is watched is alive".to_owned(),
            many => format!("all {many} monitors that are watched are alive"),
        };
        return holds("shm", detail);
    };
    let reason = first.reason.as_deref().unwrap_or("not alive");
    let others = match sick.count() {
        0 => String::new(),
        1 => "; and 1 other".to_owned(),
        more => format!("; and {more} others"),
    };
    let detail = format!("monitor {} ({}): {reason}{others}", first.id, first.name);
    fails("shm", detail, "zmesctl monitors list shows all; is zmc running for them?")
}

/// Asks the database now: how it answered last may be some seconds old.
async fn db(parts: &ControlParts) -> CheckPart {
    // The answer itself is of no interest, only whether there was one; that is then the health.
    let asked = tokio::time::timeout(ASKED, parts.catalog.refresh()).await;
    if asked.is_err() {
        return fails("db", format!("the database does not answer within {} s", ASKED.as_secs()), DB_HINT);
    }
    let health = parts.database.borrow().clone();
    match health {
        DbHealth::Up => holds("db", "the database answers"),
        DbHealth::Untried => fails("db", "the database has not been asked yet", "try again in a few seconds"),
        DbHealth::Down(reason) => fails("db", format!("the database does not answer: {reason}"), DB_HINT),
    }
}

/// Goes to every provider as far as possible without sending anything.
async fn push(parts: &ControlParts, limit: Duration) -> CheckPart {
    let hint = "zmesctl push check shows each step";
    let Ok(checks) = tokio::time::timeout(limit, parts.push.check(None)).await else {
        return fails("push", format!("no answer of the providers within {} s", limit.as_secs()), hint);
    };
    let failed = |check: &TransportCheck| {
        let step = check.steps.iter().find(|step| !step.ok);
        let step = step.map_or_else(String::new, |step| format!(": {}: {}", step.name, step.detail));
        format!("{} ({}){step}", check.transport, check.target)
    };
    let failures: Vec<_> = checks.iter().filter(|check| !check.ok).map(failed).collect();
    match (checks.len(), failures.as_slice()) {
        (0, _) => holds("push", "no way to phones is configured"),
        (1, []) => holds("push", "the way to phones is open"),
        (many, []) => holds("push", format!("all {many} ways to phones are open")),
        (_, _) => fails("push", failures.join("; "), hint),
    }
}

/// Reads the state file whole, and has it written.
async fn store(parts: &ControlParts) -> CheckPart {
    let hint = "is the disk full or read-only? journalctl -u zmesd";
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
        let hint = "stop zmesd, move the file away, start it, and import the tokens of a backup";
        return fails("store", format!("{path} is damaged: {first}{more}"), hint);
    }
    if let Some(trouble) = parts.state_trouble.borrow().clone() {
        return fails("store", format!("{path} cannot be written: {trouble}"), hint);
    }
    if !writable {
        return fails("store", format!("{path} was not written within a second"), hint);
    }
    holds("store", format!("{path} is whole and can be written ({} KiB)", bytes.div_ceil(1024)))
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
    if seconds_left <= 0 {
        let detail = format!("{subject} has expired on {not_after}");
        return fails("tls", detail, "renew the certificate, then zmesctl reload");
    }
    if let [first, others @ ..] = problems.as_slice() {
        let more = if others.is_empty() { String::new() } else { format!("; and {} more", others.len()) };
        let CertificateProblem { message, hint, .. } = first;
        return fails("tls", format!("{subject}: {message}: {hint}{more}"), "apps may refuse to connect");
    }
    let days = seconds_left / DAY;
    let detail = format!("{subject} is valid until {not_after}, {days} days more");
    if seconds_left < i64::try_from(within_ms / 1000).unwrap_or(i64::MAX) {
        return fails("tls", detail, "renew the certificate, then zmesctl reload");
    }
    holds("tls", detail)
}

fn holds(check: &str, detail: impl Into<String>) -> CheckPart {
    CheckPart { ok: true, check: check.to_owned(), detail: detail.into(), hint: None }
}

fn fails(check: &str, detail: impl Into<String>, hint: &str) -> CheckPart {
    CheckPart { ok: false, check: check.to_owned(), detail: detail.into(), hint: Some(hint.to_owned()) }
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
        assert!(!judge(&certificate(&[]), 13 * DAY, fourteen_days).ok);
        assert!(judge(&certificate(&[]), 13 * DAY, 0).ok);
        let expired = judge(&certificate(&[]), 0, 0);
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
