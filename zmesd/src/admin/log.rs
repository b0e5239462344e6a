//! `log level`

use std::time::Duration;

use zmes_shared::control::{ControlError, ErrorCode};
use zmes_shared::views::LogLevel;

use crate::admin::Admin;
use crate::telemetry::log::LogError;

/// The shortest and the longest temporary change, in milliseconds: one second and one week.
const TEMPORARY_MS: std::ops::RangeInclusive<u64> = 1_000..=7 * 24 * 3_600_000;

/// Changes the log level, temporarily or permanently; without a level, returns the current one.
pub(super) fn level(admin: &Admin, level: &str, for_ms: Option<u64>) -> Result<LogLevel, ControlError> {
    if level.is_empty() {
        let level = admin.parts.log.level();
        return Ok(LogLevel { before: level.clone(), level, for_ms: None });
    }
    if for_ms.is_some_and(|for_ms| !TEMPORARY_MS.contains(&for_ms)) {
        let error = ControlError::new(ErrorCode::BadRequest, "a level cannot be changed for that long");
        return Err(error.with_hint("between 1s and 7d; without --for it stays until the next reload"));
    }
    let change = admin.level.set(level, for_ms.map(Duration::from_millis)).map_err(refused)?;
    Ok(LogLevel { level: level.to_owned(), before: change.before, for_ms })
}

fn refused(error: LogError) -> ControlError {
    match error {
        LogError::Level(error) => {
            ControlError::new(ErrorCode::BadRequest, error.to_string()).with_hint(error.hint())
        }
        error @ (LogError::Journal(_) | LogError::Twice(_) | LogError::Gone(_)) => {
            ControlError::new(ErrorCode::Internal, error.to_string())
        }
    }
}
