//! Durations in the configuration and on all command lines: `20ms`, `5s`, `10m`, `1h30m`, `60d`.
//!
//! A subset of jiff's friendly format: integers with the units `d`, `h`, `m`, `s`, `ms`, longest first, without spaces,
//! signs or fractions.

use std::time::Duration;

use jiff::SpanRelativeTo;
use jiff::fmt::friendly::SpanParser;

/// The units, longest first, with their length in milliseconds.
const UNITS: [(&str, u64); 5] =
    [("d", 24 * 60 * 60 * 1000), ("h", 60 * 60 * 1000), ("m", 60 * 1000), ("s", 1000), ("ms", 1)];

/// Why a text is not accepted as a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDuration {
    /// The format is wrong.
    #[error("not a duration such as 20ms, 5s, 10m, 1h or 60d")]
    Malformed,
    /// It is zero, which makes no sense here.
    #[error("must be greater than zero")]
    Zero,
}

/// Parses a duration; days have 24 hours.
pub fn parse(text: &str) -> Result<Duration, InvalidDuration> {
    let mut units = text.split(|character: char| character.is_ascii_digit()).filter(|unit| !unit.is_empty());
    if !units.all(|unit| UNITS.iter().any(|(name, _)| *name == unit)) {
        return Err(InvalidDuration::Malformed);
    }
    let span = SpanParser::new().parse_span(text).map_err(|_| InvalidDuration::Malformed)?;
    let signed = span.to_duration(SpanRelativeTo::days_are_24_hours());
    signed.ok().and_then(|signed| Duration::try_from(signed).ok()).ok_or(InvalidDuration::Malformed)
}

/// Parses a duration that must not be zero.
pub fn parse_positive(text: &str) -> Result<Duration, InvalidDuration> {
    parse(text)
        .and_then(|duration| if duration.is_zero() { Err(InvalidDuration::Zero) } else { Ok(duration) })
}

/// Formats a duration in the longest unit that needs no fraction; drops fractions of a millisecond.
pub fn format(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 {
        return "0s".to_owned();
    }
    let fitting = UNITS.iter().find(|(_, length)| millis.is_multiple_of(*length));
    let (unit, length) = fitting.copied().unwrap_or(("ms", 1));
    format!("{}{unit}", millis / length)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_unit_is_understood() {
        for (text, millis) in [
            ("20ms", 20),
            ("5s", 5_000),
            ("10m", 600_000),
            ("1h", 3_600_000),
            ("60d", 5_184_000_000),
            ("1h30m", 5_400_000),
            ("1d2h3m4s5ms", 93_784_005),
            ("0s", 0),
            ("0ms", 0),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "5",
            "s",
            "5 s",
            " 5s",
            "5s ",
            "-5s",
            "1.5s",
            "1,5s",
            "5S",
            "5sec",
            "1h 30m",
            "30m1h",
            "1h1h",
            "1w",
            "1mo",
            "5us",
            "PT5S",
            "5s ago",
            "01:30:00",
            "1h30",
            "99999999999999999999s",
            "5 parsecs",
        ] {
            assert_eq!(parse(text), Err(InvalidDuration::Malformed), "{text}");
        }
        assert!(parse("18446744073709551615d").is_err(), "overflow");
    }

    #[test]
    fn zero_is_refused_where_it_means_nothing() {
        assert_eq!(parse_positive("0s"), Err(InvalidDuration::Zero));
        assert_eq!(parse_positive("1ms"), Ok(Duration::from_millis(1)));
        assert_eq!(InvalidDuration::Zero.to_string(), "must be greater than zero");
    }

    #[test]
    fn the_longest_whole_unit_is_written() {
        assert_eq!(format(Duration::from_mins(1)), "1m");
        assert_eq!(format(Duration::from_secs(90)), "90s");
        assert_eq!(format(Duration::from_hours(48)), "2d");
        assert_eq!(format(Duration::from_millis(1500)), "1500ms");
        assert_eq!(format(Duration::ZERO), "0s");
    }

    proptest! {
        /// Up to jiff's maximum: 19,998 years.
        #[test]
        fn what_is_written_is_read_again(millis in 0..631_107_417_600_000_u64) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse(&format(duration)), Ok(duration));
        }

        #[test]
        fn any_text_is_harmless(text in "\\PC*") {
            parse(&text).ok();
        }
    }
}
