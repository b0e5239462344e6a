//! Names of targets.

use std::fmt;

/// Longest name, in bytes.
const LONGEST: usize = 32;

/// The name of a `[[target]]`: 1 to 32 characters from a-z, 0-9 and `-`, the first one a letter or digit. Its handle is
/// `@` and the name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetName {
    bytes: [u8; LONGEST],
    length: u8,
}

impl TargetName {
    /// Reads a name; `None`: it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let fits =
            text.bytes().all(|byte| plain(byte) || byte == b'-') && text.bytes().next().is_some_and(plain);
        let mut bytes = [0; LONGEST];
        bytes.get_mut(..text.len()).filter(|_| fits)?.copy_from_slice(text.as_bytes());
        Some(Self { bytes, length: u8::try_from(text.len()).ok()? })
    }

    /// Reads a handle: `@night-guard`.
    pub fn of_handle(handle: &str) -> Option<Self> {
        Self::parse(handle.strip_prefix('@')?)
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..usize::from(self.length)).unwrap_or_default();
        str::from_utf8(bytes).unwrap_or_default()
    }
}

impl fmt::Display for TargetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for TargetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        for name in ["a", "7", "night-guard", "0-9", &"x".repeat(32)] {
            assert_eq!(TargetName::parse(name).unwrap().as_str(), name);
        }
        for other in ["", "-a", "A", "ä", "a b", "@a", "a_b", "a:b", &"x".repeat(33)] {
            assert_eq!(TargetName::parse(other), None, "{other}");
        }
        assert_eq!(TargetName::of_handle("@cam").unwrap().as_str(), "cam");
        assert_eq!(TargetName::of_handle("cam"), None);
    }
}
