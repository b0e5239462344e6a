//! Hides what looks like a secret.
//!
//! The daemon's answers contain no secrets. But they contain texts of providers, users and cameras, and other programs
//! also write to the log: this is the second line of defence.

use std::borrow::Cow;
use std::ops::Range;

const HIDDEN: &str = "[hidden]";
/// Suffixes of names of secrets, in JSON, TOML, zm.conf, URLs and headers.
const NAMES: [&str; 14] = [
    "password",
    "passwd",
    "passphrase",
    "pass",
    "pwd",
    "secret",
    "token",
    "app-key",
    "api-key",
    "apikey",
    "private-key",
    "authorization",
    "cookie",
    "credentials",
];
/// Words that precede a secret.
const SCHEMES: [&str; 3] = ["bearer", "basic", "key"];
/// Maximum length of a name that is examined.
const NAME: usize = 64;
/// Minimum length of a word of mixed characters, or of hexadecimal digits, that may be a key or a token.
const MIXED: usize = 40;
const HEX: usize = 64;
/// Number of digits in a token's handle, which is no secret.
const HANDLE: usize = 8;
/// Part of every FCM token.
const FCM: &str = ":APA91b";

/// Replaces each value that looks like a secret. Also returns the number of replacements.
pub(super) fn hide(text: &str) -> (Cow<'_, str>, usize) {
    let mut found = keys(text);
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let shifted = |range: Range<usize>| range.start + at..range.end + at;
        found.extend(urls(line).map(shifted));
        found.extend(named(line).map(shifted));
        found.extend(words(line).map(shifted));
        at += line.len();
    }
    replace(text, found)
}

fn replace(text: &str, mut found: Vec<Range<usize>>) -> (Cow<'_, str>, usize) {
    if found.is_empty() {
        return (Cow::Borrowed(text), 0);
    }
    found.sort_by_key(|range| (range.start, range.end));
    let mut safe = String::with_capacity(text.len());
    let (mut end, mut count) = (0, 0);
    for range in found {
        if range.start >= end {
            safe.push_str(text.get(end..range.start).unwrap_or_default());
            safe.push_str(HIDDEN);
            count += 1;
        }
        end = end.max(range.end);
    }
    safe.push_str(text.get(end..).unwrap_or_default());
    (Cow::Owned(safe), count)
}

/// Finds PEM keys and certificates, on several lines or with `
/// ` as text.
fn keys(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(begin) = text.get(at..).and_then(|rest| rest.find("-----BEGIN ")).map(|begin| begin + at) {
        let rest = text.get(begin..).unwrap_or_default();
        let closed = rest.find("-----END ").and_then(|end| {
            let after = end + "-----END ".len();
            rest.get(after..)?.find("-----").map(|dashes| after + dashes + "-----".len())
        });
        let end = closed.or_else(|| rest.find('\n')).unwrap_or(rest.len());
        found.push(begin..begin + end);
        at = begin + end;
    }
    found
}

/// Finds passwords in URLs: `mysql://zm:PASSWORD@localhost/zm`.
fn urls(line: &str) -> impl Iterator<Item = Range<usize>> {
    line.match_indices("://").filter_map(|(at, scheme)| {
        let begin = at + scheme.len();
        let rest = line.get(begin..)?;
        let end = rest
            .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>'))
            .unwrap_or(rest.len());
        // A password may contain `@` and `/` if it was not encoded.
        let user_info = rest.get(..end)?.rsplit_once('@')?.0;
        let password = user_info.find(':')? + 1;
        (password < user_info.len()).then_some(begin + password..begin + user_info.len())
    })
}

/// Finds values whose names are those of secrets: `"app-key": "…"`, `ZM_DB_PASS=…`, `Authorization: Bearer …`.
fn named(line: &str) -> impl Iterator<Item = Range<usize>> {
    let assigned = line.match_indices([':', '=']).filter_map(|(at, sign)| {
        let before = line.get(..at)?.trim_end_matches([' ', '\t']).trim_end_matches(['"', '\'', '\\']);
        let short = before.char_indices().rev().nth(NAME).map_or(0, |(at, _)| at);
        let name = before.get(short..)?;
        let begin = name
            .rfind(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-')))
            .map_or(0, |at| at + 1);
        let name = name.get(begin..)?.to_ascii_lowercase().replace('_', "-");
        let secret = NAMES.iter().any(|secret| {
            name.strip_suffix(secret)
                .is_some_and(|before| before.is_empty() || before.ends_with('-') || secret.len() > 4)
        });
        if secret { value(line, at + sign.len()) } else { None }
    });
    let lower = line.to_ascii_lowercase();
    let schemes: Vec<_> = SCHEMES
        .iter()
        .flat_map(|scheme| {
            lower.match_indices(scheme).map(|(at, scheme)| (at, at + scheme.len())).collect::<Vec<_>>()
        })
        .filter_map(|(at, end)| {
            let before = line.get(..at)?.chars().next_back();
            let sign = line.get(end..)?.chars().next()?;
            let alone = before.is_none_or(|c| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '-'));
            // `key=…` is an FCM header; "the key of the certificate" is not.
            let fits = if lower.get(at..end) == Some("key") { sign == '=' } else { sign == ' ' };
            let found = value(line, end + 1).filter(|found| found.len() >= 16)?;
            (alone && fits).then_some(found)
        })
        .collect();
    assigned.chain(schemes)
}

/// Returns the range of the value that begins there, unless it cannot be a secret: a number, a path, a handle, or
/// empty.
fn value(line: &str, begin: usize) -> Option<Range<usize>> {
    let rest = line.get(begin..)?;
    let blanks = rest.len() - rest.trim_start_matches([' ', '\t']).len();
    let (begin, rest) = (begin + blanks, rest.get(blanks..)?);
    let quoted = rest.strip_prefix("\\\"").map(|inner| (inner, "\\\"", 2));
    let quoted = quoted.or_else(|| rest.strip_prefix('"').map(|inner| (inner, "\"", 1)));
    let quoted = quoted.or_else(|| rest.strip_prefix('\'').map(|inner| (inner, "'", 1)));
    let (begin, text) = if let Some((inner, quote, width)) = quoted {
        (begin + width, inner.get(..end_of(inner, quote))?)
    } else {
        let ends = |c: char| c.is_whitespace() || matches!(c, '&' | '"' | '\'');
        (begin, rest.get(..rest.find(ends).unwrap_or(rest.len()))?)
    };
    let text_alone = text.trim_end_matches([',', ';', '.', ':', ')', ']', '}']);
    let is_handle = text_alone.len() == HANDLE && text_alone.bytes().all(|byte| byte.is_ascii_hexdigit());
    let plain = text_alone.is_empty()
        || is_handle
        || matches!(text_alone, "null" | "true" | "false")
        || text.starts_with(['/', '{', '[', '<'])
        || quoted.is_none() && text_alone.bytes().all(|byte| byte.is_ascii_digit());
    (!plain).then(|| begin..begin + text.len())
}

/// Returns where a quoted text ends: a quote after a backslash is part of it.
fn end_of(inner: &str, quote: &str) -> usize {
    let mut from = 0;
    while let Some(at) = inner.get(from..).and_then(|rest| rest.find(quote)).map(|at| at + from) {
        let escapes =
            inner.get(..at).unwrap_or_default().bytes().rev().take_while(|&byte| byte == b'\\').count();
        if quote.len() > 1 || escapes % 2 == 0 {
            return at;
        }
        from = at + quote.len();
    }
    inner.trim_end_matches('\n').len()
}

/// Finds words that look like tokens or keys.
fn words(line: &str) -> impl Iterator<Item = Range<usize>> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '_' | ':' | '-' | '.');
    let mut rest = 0;
    std::iter::from_fn(move || {
        let begin = line.get(rest..)?.find(is_part)? + rest;
        let end = line.get(begin..)?.find(|c| !is_part(c)).map_or(line.len(), |end| begin + end);
        rest = end;
        let word = line.get(begin..end)?;
        Some(begin..begin + word.trim_end_matches([':', '.']).len())
    })
    .filter(|range| line.get(range.clone()).is_some_and(is_key))
}

fn is_key(word: &str) -> bool {
    let has = |of: fn(&u8) -> bool| word.bytes().any(|byte| of(&byte));
    let hex = word.split(|c: char| !c.is_ascii_hexdigit()).any(|run| run.len() >= HEX);
    let mixed = word.len() >= MIXED
        && has(u8::is_ascii_digit)
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
        // URLs and paths: secrets in them have names.
        && !word.starts_with('/')
        && !word.contains("://");
    word.contains(FCM) || hex || mixed
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn secrets_are_hidden_wherever_they_stand() {
        let table = [
            ("ZM_DB_PASS=hunter2", "ZM_DB_PASS=[hidden]"),
            (
                "database-url = \"mysql://zm:hun@ter/2@db:3306/zm\"",
                "database-url = \"mysql://zm:[hidden]@db:3306/zm\"",
            ),
            ("app-key = \"K.e y\" # x", "app-key = \"[hidden]\" # x"),
            ("{\"app_key\":\"ke\\\"y\",\"n\":1}", "{\"app_key\":\"[hidden]\",\"n\":1}"),
            ("said: {\\\"private_key\\\": \\\"abc\\\"}", "said: {\\\"private_key\\\": \\\"[hidden]\\\"}"),
            ("GET /index.php?user=a&password=b&x=1", "GET /index.php?user=a&password=[hidden]&x=1"),
            ("Authorization: Bearer abcdefghijklmnopqrst", "Authorization: [hidden] [hidden]"),
            ("key=AAAAabcdefgh-_:xyz1 x", "key=[hidden] x"),
            ("token terminal:APA91bHPRgkF-x failed", "token [hidden] failed"),
            ("-----BEGIN PRIVATE KEY-----\\nMIIx\\n-----END PRIVATE KEY-----\\n", "[hidden]\\n"),
            ("a -----BEGIN KEY-----\nMIIx\n-----END KEY----- b", "a [hidden] b"),
            ("a -----BEGIN KEY-----MIIx\nb", "a [hidden]\nb"),
        ];
        for (text, expected) in table {
            let (safe, count) = hide(text);
            assert_eq!(safe, expected);
            assert!(count > 0, "{text}");
        }
        let apns = "ab1e0000000000000000000000000000000000000000000000000000000000aa";
        assert_eq!(hide(&format!("push to {apns}: 410")).0, "push to [hidden]: 410");
        let base64 = "MIGTAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBHkwdwIBAQQg/+abc";
        assert_eq!(hide(&format!("Nov 30 zmesd: {base64}")).0, "Nov 30 zmesd: [hidden]");
    }

    #[test]
    fn what_helps_stays() {
        for text in [
            "  \"token\": \"1a2b3c4d\",",
            "\"tokens\": {\"total\": 2, \"enabled\": 2}",
            "\"token\": null, \"user\": \"amy\"",
            "app-key-file = \"/etc/zmesd/app.key\"",
            "key = \"/etc/zmesd/tls.key\"",
            "token 1a2b3c4d: skipped (rights)",
            "wss://[::]:9000 accepts apps (TLS 1.3, WebSocket, 1 ms)",
            "https://push.example.org:8801/api/v2/push?x=1",
            "\"at\": \"2026-11-30T09:15:07.123456789Z\"",
            "the key of the certificate cannot be read",
            "/usr/lib/x86_64-linux-gnu/A/very/long/path/of/a/library.so.1",
            "Access denied for user 'zm'@'localhost' (using password: YES)",
        ] {
            // MySQL says YES or NO here: hiding that does no harm.
            let (safe, count) = hide(text);
            assert!(count == 0 || text.contains("using password"), "{text} became {safe}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_and_hiding_twice_changes_nothing(text in "(?s)[ -~\n\u{e9}]{0,200}|(pass|token|://|:|=|\"|@|-----BEGIN |\\\\| ){0,20}") {
            let (safe, _) = hide(&text);
            let (again, _) = hide(&safe);
            prop_assert!(again.len() <= safe.len() + HIDDEN.len() * safe.len());
        }
    }
}
