//! Literal frames with tokens and badges.

use zmes_shared::MonitorId;

use super::*;
use crate::protocol::{FrameBody, IncomingFrame, parse};

fn frame(text: &str) -> IncomingFrame {
    parse(text).unwrap()
}

fn push_of(text: &str) -> PushFrame {
    let FrameBody::Push(push) = frame(text).body else { panic!("{text}") };
    push
}

fn token_of(text: &str) -> Result<Option<TokenFrame>, TokenFault> {
    let PushFrame::Token(token) = push_of(text) else { panic!("{text}") };
    token
}

fn badge_of(badge: &str) -> Result<u32, TokenFault> {
    let text = format!(r#"{{"event":"push","data":{{"type":"badge","badge":{badge}}}}}"#);
    let PushFrame::Badge(badge) = push_of(&text) else { panic!("{text}") };
    badge
}

#[test]
fn zmninjas_token_is_read_with_all_that_it_says() {
    let text = r#"{"event":"push","data":{"type":"token","platform":"android","token":"c:APA91b","state":"disabled","monlist":"1, 2","intlist":[0,"60"],"appversion":"1.8.001"},"token":"c:APA91b"}"#;
    let token = token_of(text).unwrap().unwrap().registration;
    assert_eq!((token.token.expose(), token.platform), ("c:APA91b", Platform::Android));
    assert_eq!((token.state, token.app_version.as_deref()), (PushState::Disabled, Some("1.8.001")));
    let filter = token.filter.unwrap();
    assert_eq!(filter.interval(MonitorId(2)).unwrap().as_secs(), 60);
    assert_eq!(token.profile, None);
    assert_eq!(frame(text).app, App::ZmNinja);
}

#[test]
fn zmninjangs_token_says_all_monitors_by_empty_lists() {
    let text = r#"{"event":"push","data":{"type":"token","token":"T","platform":"iOS","monlist":"","intlist":"","profile":"Home\u0007"}}"#;
    let token = token_of(text).unwrap().unwrap().registration;
    assert_eq!((token.platform, token.state), (Platform::Ios, PushState::Enabled));
    assert_eq!((token.filter, token.profile.as_deref()), (Some(MonitorFilter::All), Some("Home\u{fffd}")));
    assert_eq!(frame(text).app, App::ZmNinjaNg);
    let long = "ä".repeat(200);
    let text = format!(
        r#"{{"event":"push","data":{{"type":"token","token":"T","platform":"ios","profile":"{long}"}}}}"#
    );
    assert_eq!(token_of(&text).unwrap().unwrap().registration.profile, Some("ä".repeat(128)));
}

#[test]
fn lists_that_say_nothing_are_no_statement() {
    let frame = |lists: &str| {
        let text =
            format!(r#"{{"event":"push","data":{{"type":"token","token":"T","platform":"ios"{lists}}}}}"#);
        token_of(&text).unwrap().unwrap()
    };
    for lists in [
        "",
        r#","monlist":null,"intlist":null"#,
        r#","monlist":"-1","intlist":"-1""#,
        r#","monlist":-1"#,
        r#","intlist":"60""#,
        r#","intlist":"""#,
    ] {
        let frame = frame(lists);
        assert_eq!((frame.registration.filter, frame.ignored), (None, None), "{lists}");
    }
    for lists in [
        r#","monlist":"","intlist":"""#,
        r#","monlist":"""#,
        r#","monlist":" , ","intlist":"60""#,
        r#","monlist":[],"intlist":[]"#,
    ] {
        let frame = frame(lists);
        assert_eq!((frame.registration.filter, frame.ignored), (Some(MonitorFilter::All), None), "{lists}");
    }
    let text =
        r#"{"event":"push","data":{"type":"token","token":"T","platform":"ios","monlist":"x","intlist":""}}"#;
    assert_eq!(token_of(text).unwrap().unwrap().ignored, Some(FilterFault::BadMonitorList));
}

#[test]
fn a_token_that_cannot_be_taken_is_named() {
    let long = "x".repeat(5000);
    for (data, fault) in [
        (r#""token":"T""#, "MISSINGPLATFORM"),
        (r#""token":"T","platform":"""#, "MISSINGPLATFORM"),
        (r#""token":"T","platform":null"#, "MISSINGPLATFORM"),
        (r#""token":"T","platform":"0""#, "MISSINGPLATFORM"),
        (r#""token":"""#, "MISSINGPLATFORM"),
        (r#""token":"T","platform":"web""#, "BADPLATFORM"),
        (r#""token":"a b","platform":"ios""#, "BADTOKEN"),
        (r#""token":"a\nb","platform":"ios""#, "BADTOKEN"),
        (&format!(r#""token":"{long}","platform":"ios""#), "BADTOKEN"),
    ] {
        let text = format!(r#"{{"event":"push","data":{{"type":"token",{data}}}}}"#);
        assert_eq!(token_of(&text).unwrap_err().to_string(), fault, "{data:.60}");
    }
    for nothing in [r#""token":"","#, r#""token":null,"#, ""] {
        let text = format!(r#"{{"event":"push","data":{{"type":"token",{nothing}"platform":"ios"}}}}"#);
        assert!(token_of(&text).unwrap().is_none(), "{nothing}");
    }
}

#[test]
fn a_badge_is_a_number_however_it_is_written() {
    for (badge, number) in
        [("0", 0), ("3", 3), (r#""7""#, 7), (r#"" 12 ""#, 12), ("3.0", 3), ("-1", 0), ("1e300", u32::MAX)]
    {
        assert_eq!(badge_of(badge), Ok(number), "{badge}");
    }
    for badge in [r#""""#, r#""many""#, "null", r#""NaN""#, r#""inf""#] {
        assert_eq!(badge_of(badge), Err(TokenFault::BadBadge), "{badge}");
    }
}

#[test]
fn what_has_no_shape_is_malformed() {
    for data in [
        r#"{"type":"token","token":{},"platform":"ios"}"#,
        r#"{"type":"token","token":"T","platform":["ios"]}"#,
        r#"{"type":"token","token":"T","platform":"ios","monlist":{}}"#,
        r#"{"type":"badge","badge":[1]}"#,
        r#"{"type":"badge","badge":true}"#,
    ] {
        let text = format!(r#"{{"event":"push","data":{data}}}"#);
        assert_eq!(parse(&text).err(), Some(Malformed), "{data}");
    }
    for other in [r#"{"event":"push"}"#, r#"{"event":"push","data":{"type":"nosuch"}}"#] {
        assert!(matches!(push_of(other), PushFrame::Other), "{other}");
    }
}

#[test]
fn the_named_token_is_that_beside_the_event_then_that_in_data_but_never_an_access_token() {
    let hint = |text: &str| frame(text).hint.map(|hint| hint.expose().to_owned());
    let filter = r#""monlist":"1","intlist":"0""#;
    let top = format!(r#"{{"event":"control","data":{{"type":"filter",{filter},"token":"D"}},"token":"T"}}"#);
    let inner =
        format!(r#"{{"event":"control","data":{{"type":"filter",{filter},"token":"D"}},"token":""}}"#);
    assert_eq!(hint(&top).as_deref(), Some("T"));
    assert_eq!(hint(&inner).as_deref(), Some("D"));
    assert_eq!(hint(r#"{"event":"auth","data":{"token":"a.b.c"}}"#), None);
    let auth = r#"{"event":"auth","data":{"user":"u","password":"p"},"token":"T"}"#;
    assert_eq!(hint(auth).as_deref(), Some("T"));
    assert_eq!(hint(r#"{"event":"auth","data":{"user":"u"},"token":7}"#), None);
    assert_eq!(frame(auth).app, App::ZmNinja);
    assert_eq!(frame(r#"{"event":"auth","data":{},"category":"normal"}"#).app, App::ZmNinjaNg);
    assert_eq!(frame(r#"{"event":"auth","data":{}}"#).app, App::Unknown);
}

#[test]
fn tokens_do_not_show_in_debug_output() {
    let text = r#"{"event":"push","data":{"type":"token","platform":"ios","token":"planted-push-token"},"token":"planted-push-token"}"#;
    let shown = format!("{:?}", frame(text));
    assert!(!shown.contains("planted"), "{shown}");
}
