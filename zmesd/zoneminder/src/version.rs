//! Versions of ZoneMinder.

use std::fmt;
use std::str::FromStr;

/// A version such as 1.36.33. Only used where the shared memory alone is ambiguous (layout 760).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ZmVersion(pub u32, pub u32, pub u32);

impl fmt::Display for ZmVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// The text is not a version of ZoneMinder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a ZoneMinder version such as 1.36.33")]
pub struct InvalidVersion(String);

impl FromStr for ZmVersion {
    type Err = InvalidVersion;

    /// Accepts "1.36.33" and suffixes of packagers ("1.36.33+dfsg1", "1.38.0~20260101").
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidVersion(text.to_owned());
        let core = text.trim().split(['+', '~', '-']).next().unwrap_or_default();
        let mut numbers = core.split('.').map(str::parse::<u32>);
        let mut next = || numbers.next().and_then(Result::ok);
        match (next(), next(), next()) {
            (Some(major), Some(minor), patch) => Ok(Self(major, minor, patch.unwrap_or(0))),
            _ => Err(invalid()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packagers_suffixes_are_ignored() {
        assert_eq!("1.36.33+dfsg1-1".parse(), Ok(ZmVersion(1, 36, 33)));
        assert_eq!("1.38.0~2026".parse(), Ok(ZmVersion(1, 38, 0)));
        assert!("".parse::<ZmVersion>().is_err());
        assert!("one".parse::<ZmVersion>().is_err());
        assert!(ZmVersion(1, 36, 16) > ZmVersion(1, 36, 9));
    }
}
