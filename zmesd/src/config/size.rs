//! Sizes as the configuration writes them: `64KiB`, `256MiB`, `1GiB`.

/// The units, largest first, with their length in bytes.
const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a size such as 512KiB, 256MiB or 1GiB")]
pub struct InvalidSize(String);

/// Reads a size; returns bytes.
pub fn parse(text: &str) -> Result<u64, InvalidSize> {
    let invalid = || InvalidSize(super::problem::quotable(text));
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| invalid())?;
    let (_, length) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(invalid)?;
    number.checked_mul(*length).ok_or_else(invalid)
}

/// Writes a size (bytes) in the largest unit without a fraction; less than a KiB is dropped.
pub fn format(bytes: u64) -> String {
    let fitting = UNITS.iter().find(|(_, length)| bytes > 0 && bytes.is_multiple_of(*length));
    let (unit, length) = fitting.copied().unwrap_or(("KiB", 1 << 10));
    format!("{}{unit}", bytes / length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for text in ["64KiB", "256MiB", "1GiB", "3GiB", "0KiB"] {
            assert_eq!(parse(text).map(format).as_deref(), Ok(text));
        }
        assert_eq!(parse("2048MiB").map(format).as_deref(), Ok("2GiB"));
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in ["", "5", "MiB", "5 MiB", "5MB", "5mib", "-5MiB", "1.5GiB", "99999999999999999999GiB"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse("18446744073709551615GiB").is_err(), "overflow");
    }
}
