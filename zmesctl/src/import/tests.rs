use std::fmt::Write;

use proptest::prelude::*;

use super::*;

fn parsed(text: &str) -> TokenFile {
    parse(text.as_bytes()).unwrap()
}

/// Returns token | monlist | intlist | platform | pushstate, or the reason.
fn fields(entry: &FileEntry) -> String {
    match &entry.content {
        Ok(record) => {
            let TokenRecord { token, monlist, intlist, platform, pushstate, .. } = record;
            format!("{token}|{monlist}|{intlist}|{platform}|{pushstate}")
        }
        Err(EntryRefusal::Useless(reason)) => format!("useless: {reason}"),
        Err(EntryRefusal::Damaged(reason)) => format!("damaged: {reason}"),
    }
}

fn all(text: &str) -> Vec<String> {
    parsed(text).entries.iter().map(fields).collect()
}

fn one(line: &str) -> String {
    let [entry] = parsed(line).entries.try_into().unwrap();
    fields(&entry)
}

const APNS: &str = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";

#[test]
fn lines_of_every_age_are_read_from_the_right() {
    for (line, expected) in [
        ("tok:1,2:0,0:ios:enabled", "tok|1,2|0,0|ios|enabled"),
        ("a:b:1,2:0,0:android:disabled", "a:b|1,2|0,0|android|disabled"),
        ("tok:::android:enabled", "tok|||android|enabled"),
        ("tok:1:0:ios:", "tok|1|0|ios|enabled"),
        ("tok:1:0:ios:nonsense", "tok|1|0|ios|enabled"),
        ("tok:1,2:0,0:ios", "tok|1,2|0,0|ios|enabled"),
        ("tok:1,2:ios", "tok|1,2||ios|enabled"),
        ("a:b:1,2:0,0:android", "a:b|1,2|0,0|android|enabled"),
        ("a:b:1,2:android", "a:b|1,2||android|enabled"),
        ("a:b:::android:", "a:b|||android|enabled"),
        ("cXyz:APA91bH...:::android:enabled", "cXyz:APA91bH...|||android|enabled"),
        ("abcdef0123:5:0:android:disabled", "abcdef0123|5|0|android|disabled"),
        ("tok:-1:-1:IOS:enabled", "tok|||ios|enabled"),
        ("tok: 1, 2 : 0,0 :ios: disabled ", "tok|1, 2|0,0|ios|disabled"),
        ("ios:1:0:android:enabled", "ios|1|0|android|enabled"),
    ] {
        assert_eq!(one(line), expected, "{line}");
    }
}

#[test]
fn lines_without_a_platform_are_taken_where_they_can_only_be_apples() {
    assert_eq!(one(APNS), format!("{APNS}|||ios|enabled"));
    assert_eq!(one(&format!("{APNS}:1,2")), format!("{APNS}|1,2||ios|enabled"));
    assert_eq!(one(&format!("{APNS}:1:0::disabled")), format!("{APNS}|1|0|ios|disabled"));
    assert_eq!(one("tok"), "damaged: no platform: neither ios nor android");
    assert_eq!(one("tok:1,2"), "damaged: no platform: neither ios nor android");
    assert_eq!(one("tok:1:0:windows:enabled"), "damaged: the platform is neither ios nor android");
}

#[test]
fn a_line_that_an_early_server_damaged_is_named_not_guessed() {
    let reason = "damaged: damaged by an early event server 0.93, which cut the token at a colon and lost the platform";
    assert_eq!(one("a:b:1,2:0,0:enabled"), reason);
}

#[test]
fn windows_files_and_blank_lines_are_the_same_file() {
    let plain = all("one:1:0:ios:enabled\ntwo:::android:disabled\n");
    assert_eq!(plain, ["one|1|0|ios|enabled", "two|||android|disabled"]);
    assert_eq!(all("\u{feff}one:1:0:ios:enabled\r\n\r\n   \r\ntwo:::android:disabled\r\n"), plain);
    assert_eq!(all("one:1:0:ios:enabled\ntwo:::android:disabled"), plain, "no line feed at the end");
    assert_eq!(parsed("\n\none:1:0:ios:enabled").entries[0].place.to_string(), "line 3");
}

#[test]
fn the_later_line_wins() {
    let entries = all("one:1:0:ios:enabled\ntwo:::ios:\none:2:60:ios:disabled");
    assert_eq!(entries, ["useless: replaced by line 3", "two|||ios|enabled", "one|2|60|ios|disabled"]);
    let entries = all(r#"{"tokens":{"a":{"platform":"ios"},"a":{"platform":"android"}}}"#);
    assert_eq!(entries, ["useless: replaced by token 2", "a|||android|enabled"]);
}

#[test]
fn lines_without_a_token_and_bytes_that_are_no_text_are_named() {
    assert_eq!(one(":1:0:ios:enabled"), "useless: no token");
    assert_eq!(one("a b:1:0:ios:enabled"), "damaged: the token contains white space or control characters");
    let long = format!("{}:1:0:ios:enabled", "x".repeat(4097));
    assert_eq!(one(&long), "damaged: the token is longer than 4096 bytes");
    let entries = parse(b"a\xff:1:0:ios:enabled\nb:1:0:ios:enabled").unwrap().entries;
    assert_eq!(entries.iter().map(fields).collect::<Vec<_>>(), ["damaged: not UTF-8", "b|1|0|ios|enabled"]);
}

#[test]
fn json_of_6_and_later_is_read() {
    let text = r#"{"tokens":{"cXyz:APA91":{"monlist":"1,2","intlist":"0,0","platform":"android","pushstate":"enabled","appversion":"1.6.007","invocations":{"count":"135","at":"2"},"profile":"Home"}}}"#;
    let [entry] = parsed(text).entries.try_into().unwrap();
    let record = entry.content.unwrap();
    assert_eq!((record.token.as_str(), record.platform.as_str()), ("cXyz:APA91", "android"));
    assert_eq!((record.appversion.as_str(), record.profile.as_str()), ("1.6.007", "Home"));
    assert_eq!((record.monlist.as_str(), record.intlist.as_str()), ("1,2", "0,0"));
    assert_eq!(parsed(text).format, FileFormat::Json);
}

#[test]
fn json_members_of_any_shape_are_read_or_named() {
    let one = |members: &str| one(&format!(r#"{{"tokens":{{"tok":{members}}}}}"#));
    assert_eq!(one(r#"{"platform":"ios","monlist":null,"intlist":"-1"}"#), "tok|||ios|enabled");
    assert_eq!(one(r#"{"platform":"ios","monlist":[1,"2"],"intlist":0}"#), "tok|1,2|0|ios|enabled");
    assert_eq!(one(r#"{"platform":"ios","monlist":7,"pushstate":"disabled"}"#), "tok|7||ios|disabled");
    assert_eq!(
        one(r#"{"invocations":{"count":12,"at":3}}"#),
        "useless: only a counter, without the data of a phone"
    );
    assert_eq!(
        one(r#"{"monlist":"1","pushstate":"enabled"}"#),
        "damaged: no platform: neither ios nor android"
    );
    assert_eq!(one("7"), "damaged: not an object");
    assert_eq!(all(r#"{"tokens":{"":{"platform":"ios"}}}"#), ["useless: no token"]);
}

#[test]
fn a_version_that_is_not_known_is_none() {
    let text = r#"{"tokens":{"tok":{"platform":"ios","appversion":"unknown"}}}"#;
    let [entry] = parsed(text).entries.try_into().unwrap();
    assert_eq!(entry.content.unwrap().appversion, "");
}

#[test]
fn what_was_whole_before_a_cut_is_taken_and_the_cut_is_named() {
    let text = r#"{"tokens":{"one":{"platform":"ios"},"two":{"platform":"ios","monli"#;
    let entries = all(text);
    assert_eq!(entries[0], "one|||ios|enabled");
    let column = text.len();
    assert_eq!(entries[1], format!("damaged: the file was cut off here (line 1, column {column})"));
    assert_eq!(entries.len(), 2);
    assert_eq!(all(r#"{"tokens":{"#).len(), 1);
}

#[test]
fn an_empty_file_holds_nothing() {
    for text in ["", "{}", " { }\n", "\n", "\u{feff}", r#"{"tokens":{}}"#, r#" {"tokens": []} "#] {
        assert_eq!(parsed(text).entries, [], "{text:?}");
    }
    assert_eq!(parsed("").format, FileFormat::Empty);
}

#[test]
fn a_file_that_is_none_is_named_with_line_and_column() {
    for (text, line, column, detail) in [
        ("{\"tokens\":{\"a\":{\"platform\":\"ios\"}},\n \"b\" 7}", 2, 6, "not valid JSON"),
        ("{\"tokens\":7}", 1, 11, "not the JSON of a token file: {\"tokens\":{…}}"),
        ("{\"clients\":{}}", 1, 1, "not a token file: no \"tokens\""),
        ("[1]", 1, 1, "not the JSON of a token file: {\"tokens\":{…}}"),
        ("{\"tok", 1, 5, "the file was cut off before its first token"),
        ("{\"tokens\":{}} {", 1, 15, "not valid JSON"),
    ] {
        let error = parse(text.as_bytes()).unwrap_err();
        assert_eq!((error.line, error.column, error.detail.as_str()), (line, column, detail), "{text}");
    }
    assert!(parse(b"\xff\xfet\0o\0k\0").unwrap_err().detail.starts_with("the file is UTF-16"));
}

#[test]
fn no_reason_quotes_a_token() {
    let secret = "cXyz:APA91bHPRgkFLJu6sg";
    for text in [
        format!("{secret}:1:0:ios:enabled"),
        format!("{secret} x:1:0:ios:enabled"),
        format!("{secret}:1:0:{secret}:enabled"),
        format!(r#"{{"tokens":{{"{secret}":7}}}}"#),
        format!(r#"{{"tokens":{{"{secret}":{{"platform":"{secret}"}}}}}}"#),
        format!(r#"{{"tokens":"{secret}"}}"#),
    ] {
        let seen = format!("{:?}", parse(text.as_bytes()));
        assert!(!seen.contains(secret), "{seen}");
    }
}

/// Token files of every generation, each with its expected result beside it; `UPDATE=1` writes the results.
#[test]
fn files_of_every_generation_are_read_as_expected() {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/tokens");
    let mut read = 0;
    for file in std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()) {
        if file.extension().is_some_and(|extension| extension == "expected") {
            continue;
        }
        let TokenFile { format, entries } = parse(&std::fs::read(&file).unwrap()).unwrap();
        let mut found = format!("{}\n", serde_json::to_value(format).unwrap().as_str().unwrap());
        for entry in &entries {
            let more =
                entry.content.as_ref().map(|record| format!("|{}|{}", record.appversion, record.profile));
            writeln!(found, "{}: {}{}", entry.place, fields(entry), more.unwrap_or_default()).unwrap();
        }
        let beside = file.with_added_extension("expected");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&beside, &found).unwrap();
        }
        let expected = std::fs::read_to_string(&beside).unwrap_or_default();
        assert_eq!(found, expected, "{}", file.display());
        read += 1;
    }
    assert!(read >= 14, "{read} files");
}

/// Bytes that often resemble token files enough to reach deep into the parsers.
fn files() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(&b":"[..]),
        Just(&b"\n"[..]),
        Just(&b"\r\n"[..]),
        Just(&b"ios"[..]),
        Just(&b"android"[..]),
        Just(&b"enabled"[..]),
        Just(&b"1,2"[..]),
        Just(&b"tok"[..]),
        Just(&b"{\"tokens\":{"[..]),
        Just(&b"\"a\":{\"platform\":\"ios\"}"[..]),
        Just(&b","[..]),
        Just(&b"}}"[..]),
        Just(&b"\xff"[..]),
        Just(&b"\xef\xbb\xbf"[..]),
        Just(&b" "[..]),
    ];
    prop_oneof![
        proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat()),
        proptest::collection::vec(any::<u8>(), 0..200),
    ]
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in files()) {
        let Ok(parsed) = parse(&bytes) else { return Ok(()) };
        for record in parsed.entries.iter().filter_map(|entry| entry.content.as_ref().ok()) {
            prop_assert!(!record.token.is_empty() && record.token.len() <= MAX_TOKEN);
            prop_assert!(["ios", "android"].contains(&record.platform.as_str()));
        }
        if parsed.format == FileFormat::Colon {
            let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
            // A line that is not valid text is not blank either.
            let lines = text.split(|&byte| byte == b'\n').filter(|line| {
                std::str::from_utf8(line).map_or(true, |line| !line.trim().is_empty())
            });
            prop_assert_eq!(parsed.entries.len(), lines.count(), "every line is taken or refused");
        }
    }

    #[test]
    fn every_token_of_a_json_file_is_taken_or_refused(
        tokens in proptest::collection::btree_map("[a-z:]{0,6}", prop_oneof![Just("ios"), Just("tape"), Just("")], 0..20),
        cut in any::<prop::sample::Index>(),
    ) {
        let entries = tokens.iter().map(|(token, platform)| format!(r#""{token}":{{"platform":"{platform}"}}"#));
        let text = format!(r#"{{"tokens":{{{}}}}}"#, entries.collect::<Vec<_>>().join(","));
        prop_assert_eq!(parsed(&text).entries.len(), tokens.len());
        // A truncation loses at most what comes after it, and is reported.
        let whole = &text[..cut.index(text.len() + 1)];
        if let Ok(parsed) = parse(whole.as_bytes()) {
            let damaged = parsed.entries.iter().filter(|entry| fields(entry).contains("cut off")).count();
            prop_assert_eq!(damaged, usize::from(whole.len() < text.len() && !whole.trim().is_empty()));
        }
    }

    #[test]
    fn what_an_old_server_wrote_comes_back(
        token in "[a-zA-Z0-9_-]{1,20}(:[a-zA-Z0-9_-]{1,20}){0,2}",
        monlist in "([0-9]{1,3}(,[0-9]{1,3}){0,3})?",
        intlist in "([0-9]{1,3}(,[0-9]{1,3}){0,3})?",
        android in any::<bool>(),
        disabled in any::<bool>(),
    ) {
        let platform = if android { "android" } else { "ios" };
        let state = if disabled { "disabled" } else { "enabled" };
        let line = format!("{token}:{monlist}:{intlist}:{platform}:{state}");
        prop_assert_eq!(one(&line), format!("{token}|{monlist}|{intlist}|{platform}|{state}"));
    }
}
