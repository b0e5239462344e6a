//! Characters that texts from outside must not contain in logs, tables and terminals.
//!
//! Others can choose the names of cameras and users, versions of apps, causes, and answers of providers. The same set
//! of characters is replaced in all of them.

use std::borrow::Cow;
use std::fmt::Write;

/// The replacement for a hidden character.
pub const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

/// Returns whether a character is hidden: it moves the cursor or ends a line (control characters, U+2028, U+2029),
/// changes the direction of the text after it (U+061C, U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069), or is
/// invisible, so that two different texts look alike (U+180E, U+200B to U+200D, U+2060 to U+2065, U+206A to U+206F,
/// U+FEFF, U+FFF9 to U+FFFB, the tags U+E0000 to U+E007F).
pub fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

/// As [`is_hidden`], except for the two joiners that names in Persian and Hindi, and some emoji, need: for names that
/// apps show. Use [`is_hidden`] where such a name is logged or printed.
pub fn is_hidden_in_name(character: char) -> bool {
    is_hidden(character) && !matches!(character, '\u{200c}' | '\u{200d}')
}

/// Returns at most the first `longest` characters, with each hidden one ([`is_hidden`]) replaced by [`REPLACEMENT`].
pub fn bounded(text: &str, longest: usize) -> String {
    text.chars().take(longest).map(|char| if is_hidden(char) { REPLACEMENT } else { char }).collect()
}

/// Returns at most the first `longest` characters of those that are not [`is_hidden`].
pub fn stripped(text: &str, longest: usize) -> String {
    text.chars().filter(|char| !is_hidden(*char)).take(longest).collect()
}

/// Returns text from a file in a form that can be quoted in a message: at most 60 characters, on one line, without
/// escape sequences.
pub fn quotable(text: &str) -> String {
    const CHARACTERS_MAX: usize = 60;
    let mut quoted: String = text.chars().take(CHARACTERS_MAX).flat_map(char::escape_debug).collect();
    if text.chars().nth(CHARACTERS_MAX).is_some() {
        quoted.push('…');
    }
    quoted
}

/// Returns an equivalent JSON text that has no effect on a terminal when printed.
///
/// JSON itself escapes only characters below U+0020. The other hidden ones, above all U+009B, can occur only in
/// strings, and so may be escaped without parsing.
pub fn json_safe(text: &str) -> Cow<'_, str> {
    let hostile = |character: char| character > '\u{1f}' && is_hidden(character);
    if !text.contains(hostile) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if hostile(character) {
            // Beyond U+FFFF, JSON uses two surrogates. Writing to a String cannot fail.
            for half in character.encode_utf16(&mut [0; 2]) {
                write!(safe, "\\u{half:04x}").ok();
            }
        } else {
            safe.push(character);
        }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_or_turns_the_text_is_hidden() {
        for hidden in [
            '\0',
            '\n',
            '\u{1b}',
            '\u{7f}',
            '\u{85}',
            '\u{9b}',
            '\u{61c}',
            '\u{180e}',
            '\u{200b}',
            '\u{200c}',
            '\u{200d}',
            '\u{200e}',
            '\u{200f}',
            '\u{2028}',
            '\u{2029}',
            '\u{202a}',
            '\u{202e}',
            '\u{2060}',
            '\u{2066}',
            '\u{2069}',
            '\u{feff}',
            '\u{e0001}',
            '\u{e0041}',
            '\u{e007f}',
        ] {
            assert!(is_hidden(hidden), "{hidden:?}");
        }
        for shown in ['a', 'ä', '猫', 'م', '\u{1f3e1}', ' ', '\u{a0}', '\u{fffd}', '\u{fe0f}', '\u{301}'] {
            assert!(!is_hidden(shown), "{shown:?}");
        }
        assert!(
            !is_hidden_in_name('\u{200d}') && !is_hidden_in_name('\u{200c}') && is_hidden_in_name('\u{200b}')
        );
    }

    #[test]
    fn the_length_counts_characters() {
        assert_eq!(bounded("a\u{202e}äb", 3), "a\u{fffd}ä");
        assert_eq!(stripped("a\u{202e}äb\u{e0041}c", 3), "aäb");
    }

    #[test]
    fn quoted_text_is_bounded_and_harmless() {
        assert_eq!(quotable("a\u{1b}[2J\n"), "a\\u{1b}[2J\\n");
        assert_eq!(quotable(&"x".repeat(1000)).chars().count(), 61);
    }
}
