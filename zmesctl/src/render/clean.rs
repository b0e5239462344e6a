//! Names, causes and addresses come from cameras and from the network: none may speak to the terminal.

use std::borrow::Cow;
use std::fmt::Write;

/// Returns `text` with every character that a terminal obeys (control characters, changes of the writing
/// direction, line separators) written out, such as `\u{1b}`.
pub fn clean(text: &str) -> Cow<'_, str> {
    if !text.contains(commands) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if commands(character) {
            clean.extend(character.escape_default());
        } else {
            clean.push(character);
        }
    }
    Cow::Owned(clean)
}

/// Returns a JSON text that means the same, and prints without effect on a terminal.
///
/// JSON itself escapes only the characters below U+0020; the others that a terminal obeys, U+009B above all, can
/// stand in strings alone and so may be escaped without looking at the syntax.
pub fn json_safe(text: &str) -> Cow<'_, str> {
    let hostile = |character: char| character > '\u{1f}' && commands(character);
    if !text.contains(hostile) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if hostile(character) {
            // Writing to a String cannot fail; all of them are below U+10000.
            write!(safe, "\\u{:04x}", u32::from(character)).ok();
        } else {
            safe.push(character);
        }
    }
    Cow::Owned(safe)
}

/// Says whether a terminal would do something else than print `character`.
fn commands(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_written_out() {
        assert_eq!(
            clean("Front \u{1b}[2J\u{9b}31m\u{7f}\n\u{202e}"),
            "Front \\u{1b}[2J\\u{9b}31m\\u{7f}\\n\\u{202e}"
        );
        assert!(matches!(clean("Käse 猫 \u{1f408}"), Cow::Borrowed(_)));
    }

    #[test]
    fn safe_json_is_the_same_json() {
        let name = "a\u{1b}b\u{9b}c\u{7f}d\u{202e}e\u{2028}\"\\";
        let text = serde_json::to_string(name).unwrap();
        let safe = json_safe(&text);
        assert!(!safe.contains(commands), "{safe}");
        assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), name);
    }
}
