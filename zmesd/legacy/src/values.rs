//! Parses values as people write them: quotes, comments behind them, a dozen spellings of yes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Returns a value that is one word (a number, a switch, a path, a URL), without quotes and without the comment behind
/// it, which the old server took as a part of it.
pub(super) fn word(value: &str) -> &str {
    let value = value.trim();
    if let Some(quoted) = in_quotes(value) {
        return quoted.trim();
    }
    let comment = value.char_indices().find(|(at, character)| {
        let after_blank =
            || value.get(..*at).is_some_and(|before| before.ends_with([' ', '\t']) || before.is_empty());
        matches!(character, '#' | ';') && after_blank()
    });
    let value = comment.and_then(|(at, _)| value.get(..at)).unwrap_or(value).trim_end();
    in_quotes(value).unwrap_or(value).trim()
}

/// Returns a value that may be any text (a password), without the quotes around it.
pub(super) fn text(value: &str) -> &str {
    let value = value.trim();
    in_quotes(value).unwrap_or(value)
}

/// Returns the content of quotes; a comment may follow them.
fn in_quotes(value: &str) -> Option<&str> {
    let quote = value.chars().next().filter(|first| matches!(first, '"' | '\''))?;
    let (inner, rest) = value.get(1..)?.split_once(quote)?;
    let rest = rest.trim_start();
    (rest.is_empty() || rest.starts_with(['#', ';'])).then_some(inner)
}

pub(super) fn flag(value: &str) -> Option<bool> {
    match word(value).to_ascii_lowercase().as_str() {
        "yes" | "y" | "true" | "t" | "on" | "1" | "enable" | "enabled" => Some(true),
        "no" | "n" | "false" | "f" | "off" | "0" | "disable" | "disabled" => Some(false),
        _ => None,
    }
}

/// Reads a number of seconds, with or without the unit.
pub(super) fn seconds(value: &str) -> Option<u64> {
    let word = word(value);
    let number = word.trim_end_matches(|character: char| character.is_ascii_alphabetic());
    let unit = word.get(number.len()..).unwrap_or_default().to_ascii_lowercase();
    let known = ["", "s", "sec", "secs", "second", "seconds"].contains(&unit.as_str());
    number.trim_end().parse().ok().filter(|_| known)
}

/// Reads an address of this machine; `*` and an empty value mean all.
pub(super) fn address(value: &str) -> Option<IpAddr> {
    let word = word(value);
    if matches!(word, "" | "*") {
        return Some(Ipv6Addr::UNSPECIFIED.into());
    }
    let bare = word.strip_prefix('[').and_then(|word| word.strip_suffix(']')).unwrap_or(word);
    bare.parse().ok()
}

/// Returns address and port as `server.listen` takes them.
pub(super) fn listener(address: IpAddr, port: u16) -> String {
    SocketAddr::new(address, port).to_string()
}

/// What a server without TLS listened on, whatever its address was set to.
pub(super) const EVERY_IPV4: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_lose_quotes_and_comments() {
        for (value, expected) in [
            ("9000", "9000"),
            (" 9000 # the port", "9000"),
            ("9000\t; the port", "9000"),
            ("'/a b/c' # x", "/a b/c"),
            ("\"/a\"", "/a"),
            ("/a#b;c", "/a#b;c"),
            ("# all of it", ""),
            ("'unbalanced", "'unbalanced"),
            ("'", "'"),
            ("", ""),
            ("'a' and 'b'", "'a' and 'b'"),
        ] {
            assert_eq!(word(value), expected, "{value:?}");
        }
    }

    #[test]
    fn texts_keep_what_looks_like_a_comment() {
        for (value, expected) in [
            ("pass #1", "pass #1"),
            ("'pass #1'", "pass #1"),
            ("\"it's\"", "it's"),
            ("p'a'ss", "p'a'ss"),
            ("  a b ", "a b"),
        ] {
            assert_eq!(text(value), expected, "{value:?}");
        }
    }

    #[test]
    fn switches_and_numbers_are_read_in_all_their_spellings() {
        for value in ["yes", "YES", "'yes'", "1", "true", "on", "yes # c", "Enabled"] {
            assert_eq!(flag(value), Some(true), "{value}");
        }
        for value in ["no", "No", "0", "false", "off", "\"no\""] {
            assert_eq!(flag(value), Some(false), "{value}");
        }
        assert_eq!((flag("maybe"), flag("")), (None, None));
        assert_eq!((seconds("20"), seconds("20 s"), seconds("'300' # c")), (Some(20), Some(20), Some(300)));
        assert_eq!((seconds("5m"), seconds("-1"), seconds("x"), seconds("")), (None, None, None, None));
    }

    #[test]
    fn addresses_are_read_with_and_without_brackets() {
        for (value, expected) in [
            ("[::]", Some("[::]:9000")),
            ("::1", Some("[::1]:9000")),
            ("0.0.0.0", Some("0.0.0.0:9000")),
            ("*", Some("[::]:9000")),
            ("zm.example.org", None),
        ] {
            let read = address(value).map(|address| listener(address, 9000));
            assert_eq!(read.as_deref(), expected, "{value}");
        }
    }
}
