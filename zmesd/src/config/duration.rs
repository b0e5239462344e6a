//! Durations as the configuration and the command lines write them: `20ms`, `5s`, `10m`, `1h`, `60d`.
//!
//! One number and one unit, no blanks, no fractions: what is written is what is printed again.

use std::time::Duration;

/// The units, longest first, with their length in milliseconds.
const UNITS: [(&str, u64); 5] =
    [("d", 24 * 60 * 60 * 1000), ("h", 60 * 60 * 1000), ("m", 60 * 1000), ("s", 1000), ("ms", 1)];

/// Says that a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a duration such as 20ms, 5s, 10m, 1h or 60d")]
pub struct InvalidDuration(String);

/// Reads a duration.
pub fn parse(text: &str) -> Result<Duration, InvalidDuration> {
    let invalid = || InvalidDuration(super::problem::quotable(text));
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| invalid())?;
    let (_, length) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(invalid)?;
    number.checked_mul(*length).map(Duration::from_millis).ok_or_else(invalid)
}

/// Writes a duration in the longest unit that needs no fraction; what is below a millisecond is dropped.
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
            ("0s", 0),
            ("0ms", 0),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in
            ["", "5", "s", "5 s", " 5s", "5s ", "-5s", "1.5s", "5S", "5sec", "1h30m", "99999999999999999999s"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse("18446744073709551615d").is_err(), "overflow");
        assert_eq!(
            parse("20 parsecs").unwrap_err().to_string(),
            "`20 parsecs` is not a duration such as 20ms, 5s, 10m, 1h or 60d"
        );
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
        #[test]
        fn what_is_written_is_read_again(millis in 0..u64::MAX / 2) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse(&format(duration)), Ok(duration));
        }

        #[test]
        fn any_text_is_harmless(text in "\\PC*") {
            drop(parse(&text));
        }
    }
}
