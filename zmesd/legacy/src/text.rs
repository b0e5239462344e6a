//! Decodes the bytes of an old file: UTF-8 or Latin-1, any kind of line ends.

use std::borrow::Cow;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DecodedText {
    /// Lines end with `\n`.
    pub(super) text: String,
    /// It was not UTF-8 and was read as Latin-1.
    pub(super) latin: bool,
}

/// Why bytes are not text, and what to do about it.
type NotText = (&'static str, &'static str);

/// As some editors of Windows write it.
const UTF_16: NotText = ("is UTF-16", "save it as UTF-8");
const BINARY: NotText = ("is not text", "is it the right file?");

pub(super) fn decode(bytes: &[u8]) -> Result<DecodedText, NotText> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(UTF_16);
    }
    if bytes.contains(&0) {
        return Err(BINARY);
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let (text, latin) = match std::str::from_utf8(bytes) {
        Ok(text) => (Cow::Borrowed(text), false),
        // Each byte of Latin-1 is the character of that number.
        Err(_) => (Cow::Owned(bytes.iter().map(|&byte| char::from(byte)).collect()), true),
    };
    let text =
        if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n") } else { text.into_owned() };
    Ok(DecodedText { text, latin })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(bytes: &[u8]) -> String {
        decode(bytes).unwrap().text
    }

    #[test]
    fn lines_of_every_system_end_alike() {
        assert_eq!(plain(b"a\r\nb\rc\nd"), "a\nb\nc\nd");
        assert_eq!(plain(b"\xef\xbb\xbf[general]\r\n"), "[general]\n");
    }

    #[test]
    fn latin_1_is_read_and_told() {
        assert_eq!(
            decode(b"name = K\xfcche").unwrap(),
            DecodedText { text: "name = Küche".to_owned(), latin: true }
        );
        assert_eq!(
            decode("Küche".as_bytes()).unwrap(),
            DecodedText { text: "Küche".to_owned(), latin: false }
        );
    }

    #[test]
    fn what_is_no_text_is_refused() {
        assert_eq!(decode(b"\xff\xfe[\0g\0"), Err(UTF_16));
        assert_eq!(decode(b"\x7fELF\0"), Err(BINARY));
    }
}
