//! The clocks: ours, and the database's.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use zmes_shared::views::{Finding, Sentence};

use crate::admin::AdminParts;

/// 2026-01-01, in seconds since 1970: no clock that works is earlier.
const EARLIEST: i64 = 1_767_225_600;
/// The wall clock may have been corrected by this many seconds since the start.
const JUMP: u64 = 60;
/// The database's clock may differ by this many seconds; a reading is some hundred milliseconds old.
const DRIFT: u64 = 10;
const STEP: &str = "clock";

pub(super) fn findings(parts: &AdminParts, database: Option<Timestamp>) -> Vec<Finding> {
    judge(parts.clock.now(), database, parts.started_at, parts.started.elapsed())
}

fn judge(
    now: Timestamp,
    database: Option<Timestamp>,
    started_at: Timestamp,
    running: Duration,
) -> Vec<Finding> {
    if now.as_second() < EARLIEST {
        let detail = Sentence::from("this machine's clock says ")
            .time(now)
            .text(": certificates and providers do not work with that");
        return vec![Finding::error(STEP, detail, "timedatectl set-ntp true")];
    }
    let running = SignedDuration::try_from(running).unwrap_or(SignedDuration::MAX);
    let jump = now.duration_since(started_at).saturating_sub(running).as_secs();
    let mut findings = Vec::new();
    if jump.unsigned_abs() > JUMP {
        let detail =
            format!("the clock has jumped by {jump} s since zmesd started, or the machine was suspended");
        let hint = "timedatectl; events of that time may be announced late, or not at all";
        findings.push(Finding::warning(STEP, detail, hint));
    }
    let drift = database.map(|database| now.duration_since(database).as_secs());
    if let Some(drift) = drift.filter(|drift| drift.unsigned_abs() > DRIFT) {
        let side = if drift > 0 { "behind" } else { "ahead" };
        let detail = format!("the database's clock is {} s {side}", drift.unsigned_abs());
        findings.push(Finding::warning(STEP, detail, "timedatectl set-ntp true, on both machines"));
    }
    if findings.is_empty() {
        let agree = if drift.is_some() { ", and the database agrees" } else { "" };
        findings.push(Finding::good(STEP, Sentence::from("it is ").time(now).text(agree)));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(now: &str, database: &str, started_at: &str, seconds: u64) -> Vec<String> {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let findings = judge(at(now), Some(at(database)), at(started_at), Duration::from_secs(seconds));
        findings.into_iter().map(|finding| finding.detail).collect()
    }

    #[test]
    fn clocks_that_agree_are_fine() {
        let told = told("2026-11-02T10:00:09Z", "2026-11-02T10:00:00Z", "2026-11-02T09:00:00Z", 3600);
        assert_eq!(told, ["it is 2026-11-02T10:00:09Z, and the database agrees"]);
    }

    #[test]
    fn what_differs_is_said() {
        let told = told("2026-11-02T10:00:00Z", "2026-11-02T09:00:00Z", "2026-11-02T10:30:00Z", 0);
        assert_eq!(
            told,
            [
                "the clock has jumped by -1800 s since zmesd started, or the machine was suspended",
                "the database's clock is 3600 s behind"
            ]
        );
    }

    #[test]
    fn a_machine_without_a_battery_starts_in_1970() {
        let now = Timestamp::UNIX_EPOCH;
        let findings = judge(now, None, now, Duration::ZERO);
        assert!(findings.len() == 1 && !findings[0].ok, "{findings:?}");
    }
}
