//! Names, causes and addresses come from cameras and from the network: none of them may control the terminal.

use std::borrow::Cow;

use zmes_shared::text::is_hidden;
pub use zmes_shared::text::json_safe;

/// Returns `text` with control and invisible characters escaped, such as `\u{1b}`.
pub fn clean(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_hidden(character) {
            clean.extend(character.escape_default());
        } else {
            clean.push(character);
        }
    }
    Cow::Owned(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_written_out() {
        assert_eq!(
            clean("Front \u{1b}[2J\u{9b}31m\u{7f}\n\u{202e}\u{200b}\u{e0041}"),
            "Front \\u{1b}[2J\\u{9b}31m\\u{7f}\\n\\u{202e}\\u{200b}\\u{e0041}"
        );
        assert!(matches!(clean("Käse 猫 \u{1f408}"), Cow::Borrowed(_)));
    }

    #[test]
    fn safe_json_is_the_same_json() {
        let name = "a\u{1b}b\u{9b}c\u{7f}d\u{202e}e\u{2028}\u{200b}\u{feff}\u{e0041}\"\\";
        let text = serde_json::to_string(name).unwrap();
        let safe = json_safe(&text);
        assert!(!safe.contains(is_hidden), "{safe}");
        assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), name);
    }
}
