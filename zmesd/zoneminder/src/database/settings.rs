//! The rows of `Config` that zmesd uses.

use std::collections::HashMap;
use std::time::Duration;

use secrecy::SecretString;
use tracing::warn;

use super::cells::readable;
use super::explain::Answer;
use super::schema::Session;
use crate::ZmVersion;

/// ZoneMinder's own default of `ZM_WATCH_MAX_DELAY`.
const WATCH_MAX_DELAY: Duration = Duration::from_secs(45);

/// A `ZM_WATCH_MAX_DELAY` above this counts as a mistake.
const WATCH_MAX_DELAY_LIMIT: u64 = 86_400;

const SETTINGS: &str = "SELECT `Name`, `Value` FROM `Config` WHERE `Name` IN \
     ('ZM_DYN_CURR_VERSION', 'ZM_DYN_DB_VERSION', 'ZM_WATCH_MAX_DELAY', 'ZM_EVENT_CLOSE_MODE')";

const TOKEN_SECRET: &str = "SELECT `Value` FROM `Config` WHERE `Name` = 'ZM_AUTH_HASH_SECRET'";

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Settings {
    /// `ZM_DYN_CURR_VERSION`, else `ZM_DYN_DB_VERSION`: a fresh database has only the latter.
    pub(super) version: Option<ZmVersion>,
    /// `ZM_WATCH_MAX_DELAY`
    pub(super) watch_max_delay: Duration,
    /// `ZM_EVENT_CLOSE_MODE` is `alarm`; monitors of 1.37 and later may say otherwise.
    pub(super) alarm_opens_event: bool,
}

impl Settings {
    fn from_values(values: &HashMap<String, String>) -> Self {
        let value = |name: &str| values.get(name).map(String::as_str);
        let version = |name| value(name).and_then(|text| text.parse().ok());
        let delay = value("ZM_WATCH_MAX_DELAY").and_then(|text| text.trim().parse().ok());
        Self {
            version: version("ZM_DYN_CURR_VERSION").or_else(|| version("ZM_DYN_DB_VERSION")),
            watch_max_delay: delay
                .filter(|seconds| (1..=WATCH_MAX_DELAY_LIMIT).contains(seconds))
                .map_or(WATCH_MAX_DELAY, Duration::from_secs),
            alarm_opens_event: value("ZM_EVENT_CLOSE_MODE") == Some("alarm"),
        }
    }
}

pub(super) async fn load(session: &mut Session<'_>) -> Answer<Settings> {
    session.schema.require("Config", &["Name", "Value"])?;
    let rows = sqlx::query(SETTINGS).fetch_all(&mut *session.connection).await?;
    let values = readable("Config", &rows, |cells| {
        Ok((cells.text("Name")?.unwrap_or_default(), cells.text("Value")?.unwrap_or_default()))
    });
    Ok(Settings::from_values(&values.into_iter().collect()))
}

/// Reads the key with which ZoneMinder signs access tokens; `None` if it is empty or no text.
pub(super) async fn token_secret(session: &mut Session<'_>) -> Answer<Option<SecretString>> {
    session.schema.require("Config", &["Name", "Value"])?;
    let value: Option<Vec<u8>> =
        sqlx::query_scalar(TOKEN_SECRET).fetch_optional(&mut *session.connection).await?;
    let Some(value) = value else { return Ok(None) };
    // With replaced bytes it would be another key: none is safer.
    match String::from_utf8(value) {
        Ok(secret) if secret.is_empty() => Ok(None),
        Ok(secret) => Ok(Some(secret.into())),
        Err(_) => {
            warn!(
                "ZM_AUTH_HASH_SECRET is not UTF-8, so access tokens cannot be checked: set it anew in ZoneMinder"
            );
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(values: &[(&str, &str)]) -> Settings {
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Settings::from_values(&values.collect())
    }

    #[test]
    fn the_version_of_the_schema_stands_in_for_that_of_the_programs() {
        let both = settings(&[("ZM_DYN_CURR_VERSION", "1.36.33"), ("ZM_DYN_DB_VERSION", "1.36.12")]);
        assert_eq!(both.version, Some(ZmVersion(1, 36, 33)));
        let fresh = settings(&[("ZM_DYN_CURR_VERSION", ""), ("ZM_DYN_DB_VERSION", "1.36.12")]);
        assert_eq!(fresh.version, Some(ZmVersion(1, 36, 12)));
        assert_eq!(settings(&[]).version, None);
    }

    #[test]
    fn a_delay_that_makes_no_sense_is_zoneminders_default() {
        let delay = |text| settings(&[("ZM_WATCH_MAX_DELAY", text)]).watch_max_delay.as_secs();
        assert_eq!(delay("90"), 90);
        assert_eq!(delay("0"), 45);
        assert_eq!(delay("soon"), 45);
        assert_eq!(delay("99999999999"), 45);
    }
}
