//! Text of an app that is repeated to it, to logs and to `zmesctl`.

/// Longest word that is repeated, in characters.
const LONGEST: usize = 64;

/// Returns at most the first 64 characters, invisible and control characters replaced: an app must not be able to move a
/// terminal's cursor or to fill a log.
pub(super) fn bounded(text: &str) -> String {
    bounded_to(LONGEST, text)
}

/// Like [`bounded`], with another length.
pub(super) fn bounded_to(longest: usize, text: &str) -> String {
    zmes_shared::text::bounded(text, longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_cut_and_cleaned() {
        assert_eq!(bounded("1.8.001"), "1.8.001");
        assert_eq!(bounded("a\u{1b}[2Jb\n"), "a\u{fffd}[2Jb\u{fffd}");
        assert_eq!(bounded("1.8\u{202e}\u{200b}\u{e0041}"), "1.8\u{fffd}\u{fffd}\u{fffd}");
        assert_eq!(bounded(&"ä".repeat(65)), "ä".repeat(64));
    }
}
