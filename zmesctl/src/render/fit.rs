//! Fits lines to the terminal: measures, cuts and wraps text.
//!
//! Texts may be painted: colour escape sequences take no columns. Wide characters take two.

use std::borrow::Cow;

use textwrap::core::display_width;
use textwrap::{Options, WordSeparator, WordSplitter};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Marks where a text was cut.
const CUT: char = '…';

/// Returns how many columns a single-line text takes, painted or not.
pub fn columns(text: &str) -> usize {
    if text.contains('\u{1b}') { display_width(text) } else { text.width() }
}

/// Returns a plain text in at most `width` columns; a cut is marked by `…`.
pub fn cut(text: &str, width: usize) -> Cow<'_, str> {
    if text.width() <= width {
        return Cow::Borrowed(text);
    }
    let room = width.saturating_sub(1);
    let mut taken = 0;
    let mut short = String::with_capacity(text.len());
    for character in text.chars() {
        taken += character.width().unwrap_or(0);
        if taken > room {
            break;
        }
        short.push(character);
    }
    short.truncate(short.trim_end().len());
    if width > 0 {
        short.push(CUT);
    }
    Cow::Owned(short)
}

/// Wraps a line to pieces of at most `width` columns, at spaces or inside words that are too long. Continuation lines
/// begin with `indent` spaces.
pub fn wrap(line: &str, width: usize, indent: usize) -> Cow<'_, str> {
    if columns(line) <= width || width == 0 {
        return Cow::Borrowed(line);
    }
    let indent = " ".repeat(indent.min(width / 2));
    let options = Options::new(width)
        .subsequent_indent(&indent)
        .word_separator(WordSeparator::AsciiSpace)
        // Words are not broken at hyphens, so that options can be copied.
        .word_splitter(WordSplitter::NoHyphenation);
    Cow::Owned(textwrap::fill(line, options))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn wide_characters_take_two_columns_and_colours_none() {
        assert_eq!(columns("玄関カメラ"), 10);
        assert_eq!(columns("\u{1b}[31mdown\u{1b}[0m now"), 8);
    }

    #[test]
    fn what_is_cut_off_is_shown() {
        assert_eq!(cut("Garden behind the house", 12), "Garden behi…");
        assert_eq!(cut("Garden behind", 7), "Garden…");
        assert_eq!(cut("玄関カメラ", 10), "玄関カメラ");
        assert_eq!(cut("玄関カメラ", 6), "玄関…");
        assert_eq!((cut("gate", 4), cut("gate", 1), cut("gate", 0)), ("gate".into(), "…".into(), "".into()));
    }

    #[test]
    fn a_line_goes_on_below_itself() {
        let line = "monitors  11 of 12 watched, 1 stale: zmesctl monitors list says why";
        let wrapped =
            "monitors  11 of 12 watched, 1\n          stale: zmesctl\n          monitors list says why";
        assert_eq!(wrap(line, 32, 10), wrapped);
        assert_eq!(wrap("short", 32, 10), "short");
        assert_eq!(wrap("0123456789abcdef", 10, 2), "01234567\n  89abcdef");
    }

    proptest! {
        #[test]
        fn no_line_is_wider_and_nothing_but_blanks_is_lost(
            words in proptest::collection::vec("[a-z玄é]{0,30}|\u{1b}\\[31m[a-z ]{1,9}\u{1b}\\[0m", 0..20),
            width in 4_usize..60,
            indent in 0_usize..40,
        ) {
            let line = words.join(" ");
            let wrapped = wrap(&line, width, indent);
            for part in wrapped.lines() {
                prop_assert!(columns(part) <= width, "{part:?} in {width}");
            }
            let bare = |text: &str| text.replace(['\n', ' '], "");
            prop_assert_eq!(bare(&wrapped), bare(&line));
            let plain = words.concat().replace(char::from(27), "");
            prop_assert!(columns(&cut(&plain, width)) <= width);
        }
    }
}
