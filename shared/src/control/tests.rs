use serde_json::json;

use super::*;

#[test]
fn a_request_is_the_pinned_json() {
    let frame = ClientFrame { id: 1, request: Request::Status };
    assert_eq!(serde_json::to_value(&frame).unwrap(), json!({"id": 1, "request": {"type": "status"}}));
}

#[test]
fn answers_are_the_pinned_json() {
    let ok = ServerFrame { id: Some(1), body: ServerBody::Ok(json!({"pid": 7})) };
    assert_eq!(serde_json::to_value(&ok).unwrap(), json!({"id": 1, "ok": {"pid": 7}}));
    let end = ServerFrame { id: Some(2), body: ServerBody::End(StreamEnd { reason: "done".into() }) };
    assert_eq!(serde_json::to_value(&end).unwrap(), json!({"id": 2, "end": {"reason": "done"}}));
    let error = ControlError::new(ErrorCode::NotFound, "no client 9").with_hint("zmesctl clients list");
    let error = ServerFrame { id: Some(3), body: ServerBody::Error(error) };
    assert_eq!(
        serde_json::to_value(&error).unwrap(),
        json!({"id": 3, "error": {"code": "not_found", "message": "no client 9", "hint": "zmesctl clients list"}})
    );
}

#[test]
fn an_unknown_member_is_ignored_and_an_unknown_code_is_unknown() {
    let text = r#"{"id":3,"error":{"code":"brand_new","message":"m","hint":null,"more":1}}"#;
    let frame: ServerFrame = serde_json::from_str(text).unwrap();
    let ServerBody::Error(error) = frame.body else { panic!("not an error: {frame:?}") };
    assert_eq!(error.code, ErrorCode::Unknown);
}

#[test]
fn an_unknown_request_is_not_a_broken_one() {
    let text = r#"{"id":3,"request":{"type":"make_coffee","cups":2}}"#;
    let frame: ClientFrame = serde_json::from_str(text).unwrap();
    assert_eq!(frame.request, Request::Unknown);
}

#[test]
fn the_greeting_is_the_pinned_json() {
    let hello = Hello::new("0.2.0".into(), Role::Observer);
    assert_eq!(
        serde_json::to_value(&hello).unwrap(),
        json!({"hello": {"protocol": {"major": PROTOCOL.major, "minor": PROTOCOL.minor}, "daemon": "0.2.0", "role": "observer"}})
    );
}

#[test]
fn what_reveals_or_changes_wants_an_admin() {
    let access = |text: &str| serde_json::from_str::<Request>(text).unwrap().access();
    for read in [
        r#"{"type":"tokens_list"}"#,
        r#"{"type":"tokens_show","token":"1a2b"}"#,
        r#"{"type":"tokens_log","token":"1a2b"}"#,
        r#"{"type":"tokens_revoke","tokens":["1a2b"],"dry_run":true}"#,
        r#"{"type":"tokens_prune","stale_ms":1,"dry_run":true}"#,
        r#"{"type":"badges_reset","tokens":{},"dry_run":true}"#,
        r#"{"type":"push_check"}"#,
        r#"{"type":"push_queue"}"#,
        r#"{"type":"why","event":7}"#,
        r#"{"type":"latency"}"#,
    ] {
        assert_eq!(access(read), Access::Read, "{read}");
    }
    for admin in [
        r#"{"type":"tokens_list","reveal":true}"#,
        r#"{"type":"tokens_show","token":"1a2b","reveal":true}"#,
        r#"{"type":"tokens_export"}"#,
        r#"{"type":"tokens_revoke","tokens":["1a2b"]}"#,
        r#"{"type":"tokens_restore","token":"1a2b"}"#,
        r#"{"type":"tokens_mute","tokens":["1a2b"]}"#,
        r#"{"type":"tokens_unmute","tokens":["1a2b"]}"#,
        r#"{"type":"tokens_prune","stale_ms":1}"#,
        r#"{"type":"tokens_import","tokens":[]}"#,
        r#"{"type":"badges_reset","tokens":{}}"#,
        r#"{"type":"push_retry"}"#,
        r#"{"type":"push_retry","transport":"fcm"}"#,
    ] {
        assert_eq!(access(admin), Access::Admin, "{admin}");
    }
}

#[test]
fn no_token_is_seen_where_a_request_or_an_answer_is_printed_for_debugging() {
    let secret = "cXyz:APA91bHPRgkFLJu6sg";
    let token =
        TokenRecord { token: secret.to_owned(), platform: "ios".to_owned(), ..TokenRecord::default() };
    let request = Request::TokensImport(TokenImport { tokens: vec![token], ..TokenImport::default() });
    assert!(!format!("{request:?}").contains(secret));
    let view = json!({"handle": "1a2b3c4d", "platform": "ios", "state": "enabled", "user": "amy", "app": null,
        "monitors": null, "intervals": null, "badge": 0, "created_at": "2026-11-02T10:00:00Z",
        "last_seen_at": "2026-11-02T10:00:00Z", "last_delivered_at": null, "last_error": null, "failures": 0,
        "token": secret});
    let view: crate::views::TokenView = serde_json::from_value(view).unwrap();
    assert_eq!(view.token.as_deref(), Some(secret));
    assert!(!format!("{view:?}").contains(secret));
}

#[test]
fn a_selection_of_tokens_names_them_or_is_a_filter_without_unknown_members() {
    let read = |tokens: &str| {
        serde_json::from_str::<Request>(&format!(r#"{{"type":"tokens_revoke","tokens":{tokens}}}"#))
    };
    let revoke = |tokens| Request::TokensRevoke { tokens, dry_run: false };
    assert_eq!(read(r#"["1a2b"]"#).unwrap(), revoke(TokenSelection::Named(vec!["1a2b".to_owned()])));
    assert_eq!(read("{}").unwrap(), revoke(TokenSelection::Matching(TokenFilter::default())));
    let amys = TokenFilter { user: Some("amy".to_owned()), ..TokenFilter::default() };
    let matching = revoke(TokenSelection::Matching(amys));
    assert_eq!(read(r#"{"user":"amy"}"#).unwrap(), matching);
    let written = serde_json::to_string(&matching).unwrap();
    assert_eq!(serde_json::from_str::<Request>(&written).unwrap(), matching);
    for wrong in [r#"{"usr":"amy"}"#, r#"{"user":"amy","weekday":"sunday"}"#, "null", r#""1a2b""#] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
    let prune = r#"{"type":"tokens_prune","stale_ms":1,"select":{"usr":"amy"}}"#;
    assert!(serde_json::from_str::<Request>(prune).is_err());
    assert!(serde_json::from_str::<Request>(r#"{"type":"tokens_revoke"}"#).is_err());
}
