//! Literal frames of the apps, and frames that no app sends.

use proptest::prelude::*;
use secrecy::ExposeSecret;
use zmes_shared::MonitorId;

use super::*;

fn body(text: &str) -> FrameBody {
    parse(text).unwrap().body
}

fn auth_of(text: &str) -> AuthFrame {
    let FrameBody::Auth(auth) = body(text) else { panic!("{text}") };
    *auth
}

fn password_of(auth: &AuthFrame) -> (&str, &str) {
    match &auth.credentials {
        Credentials::Password { user, password } => (user, password.expose_secret()),
        Credentials::AccessToken(_) => panic!("a token"),
    }
}

fn filter_of(text: &str) -> Result<FilterStatement, FilterFault> {
    let FrameBody::Filter(filter) = body(text) else { panic!("{text}") };
    filter
}

fn only(monlist: &str, intlist: &str) -> MonitorFilter {
    MonitorFilter::parse(monlist, intlist).unwrap()
}

#[test]
fn what_is_not_an_object_of_the_shape_is_malformed() {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let deep_data = format!(r#"{{"event":"auth","data":{{"user":{deep}}}}}"#);
    for text in [
        "hello",
        "",
        "null",
        "1",
        r#""x""#,
        "[]",
        "[1,2]",
        "{}",
        "{",
        &deep,
        &deep_data,
        r#"{"data":{}}"#,
        r#"{"event":1,"data":{}}"#,
        r#"{"event":null,"data":{}}"#,
        r#"{"event":["auth"],"data":{}}"#,
        r#"{"event":"auth"}"#,
        r#"{"event":"auth","data":"x"}"#,
        r#"{"event":"auth","data":[1]}"#,
        r#"{"event":"auth","data":{"user":{},"password":"p"}}"#,
        r#"{"event":"auth","data":{"user":"u","password":true}}"#,
        r#"{"event":"control"}"#,
        r#"{"event":"control","data":7}"#,
        r#"{"event":"control","data":{"type":"filter","monlist":{"1":1},"intlist":""}}"#,
        r#"{"event":"control","data":{"type":"filter","monlist":[[1]],"intlist":""}}"#,
        r#"{"event":"push","data":"x"}"#,
        r#"{"event":"x","data":false}"#,
    ] {
        assert_eq!(parse(text).err(), Some(Malformed), "{text}");
    }
}

#[test]
fn zmninja_with_its_push_token_beside_the_event_is_a_password_login() {
    let auth = auth_of(
        r#"{"event":"auth","data":{"user":"u","password":"p","monlist":"1,2","intlist":"0,30","appversion":"1.8.001"},"token":"fcm:abc"}"#,
    );
    assert_eq!(password_of(&auth), ("u", "p"));
    assert_eq!(auth.app.as_deref(), Some("1.8.001"));
    assert_eq!(auth.filter, Ok(Some(only("1,2", "0,30"))));
    assert_eq!((auth.escontrol, auth.since), (false, None));
}

#[test]
fn zmninjang_says_normal_and_no_lists() {
    let auth = auth_of(
        r#"{"event":"auth","data":{"user":"u","password":"p","appversion":"1.1.14"},"category":"normal"}"#,
    );
    assert_eq!((auth.escontrol, auth.filter), (false, Ok(None)));
}

#[test]
fn an_access_token_counts_only_in_data_and_without_a_user() {
    let auth = auth_of(r#"{"event":"auth","data":{"token":"a.b.c"}}"#);
    assert!(matches!(&auth.credentials, Credentials::AccessToken(token) if token.expose_secret() == "a.b.c"));
    let auth = auth_of(r#"{"event":"auth","data":{"user":"u","password":"p","token":"a.b.c"}}"#);
    assert_eq!(password_of(&auth), ("u", "p"));
    let auth = auth_of(r#"{"event":"auth","data":{},"token":"fcm"}"#);
    assert_eq!(password_of(&auth), ("", ""));
    let auth = auth_of(r#"{"event":"auth","data":{"user":"","password":"","token":""}}"#);
    assert_eq!(password_of(&auth), ("", ""));
}

#[test]
fn numbers_are_texts_and_other_letters_are_letters() {
    let auth = auth_of(r#"{"event":"auth","data":{"user":12,"password":3456,"appversion":7,"x":[{}]}}"#);
    assert_eq!((password_of(&auth), auth.app.as_deref()), (("12", "3456"), None));
    let auth = auth_of(r#"{"event":"auth","data":{"user":"josé","password":"pässwörd 密"}}"#);
    assert_eq!(password_of(&auth), ("josé", "pässwörd 密"));
}

#[test]
fn lists_in_auth_that_say_nothing_are_no_statement() {
    for lists in
        ["", r#","monlist":"","intlist":"""#, r#","monlist":"-1","intlist":"-1""#, r#","intlist":"60""#]
    {
        let auth = auth_of(&format!(r#"{{"event":"auth","data":{{"user":"u","password":"p"{lists}}}}}"#));
        assert_eq!(auth.filter, Ok(None), "{lists}");
    }
    let auth = auth_of(r#"{"event":"auth","data":{"user":"u","password":"p","monlist":"one"}}"#);
    assert_eq!(auth.filter, Err(FilterFault::BadMonitorList));
}

#[test]
fn a_filter_is_taken_in_every_notation() {
    let wanted = Ok(FilterStatement::Replace(only("1,2", "0,30")));
    for lists in [
        r#""monlist":"1,2","intlist":"0,30""#,
        r#""monlist":" 1 , 2 ","intlist":" 0, 30""#,
        r#""monlist":[1,2],"intlist":[0,30]"#,
        r#""monlist":["1","2"],"intlist":["0","30"]"#,
        r#""monlist":"1,2,","intlist":"0,30,","token":"","appversion":"1""#,
    ] {
        let text = format!(r#"{{"event":"control","data":{{"type":"filter",{lists}}}}}"#);
        assert_eq!(filter_of(&text), wanted, "{lists}");
    }
    let zero = filter_of(r#"{"event":"control","data":{"type":"filter","monlist":5,"intlist":"0"}}"#);
    assert_eq!(zero, Ok(FilterStatement::Replace(only("5", "0"))), "\"0\" is a list, a number too");
    for all in [r#""""#, "[]"] {
        let text =
            format!(r#"{{"event":"control","data":{{"type":"filter","monlist":{all},"intlist":{all}}}}}"#);
        assert_eq!(filter_of(&text), Ok(FilterStatement::Replace(MonitorFilter::All)));
    }
}

#[test]
fn a_filter_without_a_list_or_with_a_bad_one_is_named() {
    for (lists, fault) in [
        (r#""x":1"#, "NOMONITORLIST"),
        (r#""intlist":"0""#, "NOMONITORLIST"),
        (r#""monlist":null,"intlist":"0""#, "NOMONITORLIST"),
        (r#""monlist":"1,2""#, "NOINTERVALLIST"),
        (r#""monlist":"1,x","intlist":"0""#, "BADMONITORLIST"),
        (r#""monlist":"1.5","intlist":"0""#, "BADMONITORLIST"),
        (r#""monlist":"4294967296","intlist":"0""#, "BADMONITORLIST"),
        (r#""monlist":"1","intlist":"soon""#, "BADINTERVALLIST"),
        (r#""monlist":"1","intlist":"-5""#, "BADINTERVALLIST"),
    ] {
        let text = format!(r#"{{"event":"control","data":{{"type":"filter",{lists}}}}}"#);
        assert_eq!(filter_of(&text).map_err(|fault| fault.to_string()), Err(fault.to_owned()), "{lists}");
    }
}

#[test]
fn minus_one_in_a_filter_keeps_what_was() {
    let keep = filter_of(r#"{"event":"control","data":{"type":"filter","monlist":"-1","intlist":"-1"}}"#);
    assert_eq!(keep, Ok(FilterStatement::Keep));
    let keep = filter_of(r#"{"event":"control","data":{"type":"filter","monlist":"2,3","intlist":-1}}"#);
    assert_eq!(keep, Ok(FilterStatement::KeepIntervals(only("2,3", ""))));
}

#[test]
fn since_is_an_event_or_a_time() {
    let of = |since: &str| {
        let text = format!(r#"{{"event":"control","data":{{"type":"replay"{since}}}}}"#);
        let FrameBody::Replay(since) = body(&text) else { panic!("{text}") };
        since
    };
    assert_eq!(of(r#","since":"32910""#), Ok(Since::Event(EventId(32910))));
    assert_eq!(of(r#","since":32910"#), Ok(Since::Event(EventId(32910))));
    let noon: Timestamp = "2026-11-01T12:00:00Z".parse().unwrap();
    assert_eq!(of(r#","since":"2026-11-01T13:00:00+01:00""#), Ok(Since::Time(noon)));
    assert_eq!(of(""), Err(SinceFault::Missing));
    assert_eq!(of(r#","since":"""#), Err(SinceFault::Missing));
    assert_eq!(of(r#","since":"yesterday""#), Err(SinceFault::Unreadable));
    assert_eq!(of(r#","since":[1]"#), Err(SinceFault::Unreadable));
    let auth = auth_of(r#"{"event":"auth","data":{"user":"u","password":"p","since":"7"}}"#);
    assert_eq!(auth.since, Some(Ok(Since::Event(EventId(7)))));
}

#[test]
fn what_is_repeated_is_bounded_and_clean() {
    let long = "x".repeat(1000);
    let frame = parse(&format!(r#"{{"event":"{long}","data":{{"type":"a\u001b[2J"}}}}"#)).unwrap();
    assert_eq!((frame.event.len(), frame.kind.as_str()), (64, "a\u{fffd}[2J"));
    assert!(matches!(frame.body, FrameBody::Unknown));
}

#[test]
fn secrets_do_not_show_in_debug_output() {
    let frame = parse(r#"{"event":"auth","data":{"user":"u","password":"hunter2"}}"#).unwrap();
    assert!(!format!("{frame:?}").contains("hunter2"));
}

proptest! {
    #[test]
    fn no_text_panics(text in ".{0,300}") {
        parse(&text).ok();
    }

    #[test]
    fn no_shape_panics(user in ".{0,40}", monlist in "[-0-9, x.]{0,40}", intlist in "[-0-9, x.]{0,40}") {
        let data = serde_json::json!({"type": "filter", "user": user, "monlist": monlist, "intlist": intlist});
        for event in ["auth", "control", "push", "x"] {
            parse(&serde_json::json!({"event": event, "data": data}).to_string()).unwrap();
        }
        if let Ok(FilterStatement::Replace(MonitorFilter::Only(only))) = filter(Some(monlist), Some(intlist)) {
            prop_assert!(only.keys().all(|monitor| *monitor <= MonitorId(u32::MAX)));
        }
    }
}

#[test]
fn a_word_is_cut_and_cleaned() {
    let echoed = |text: &str| bounded(text, LONGEST_WORD);
    assert_eq!(echoed("1.8.001"), "1.8.001");
    assert_eq!(echoed("a\u{1b}[2Jb\n"), "a\u{fffd}[2Jb\u{fffd}");
    assert_eq!(echoed("1.8\u{202e}\u{200b}\u{e0041}"), "1.8\u{fffd}\u{fffd}\u{fffd}");
    assert_eq!(echoed(&"ä".repeat(65)), "ä".repeat(64));
}
