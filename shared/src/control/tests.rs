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
    let hello = Hello::new("0.1.0".into(), Role::Observer);
    assert_eq!(
        serde_json::to_value(&hello).unwrap(),
        json!({"hello": {"protocol": {"major": PROTOCOL.major, "minor": PROTOCOL.minor}, "daemon": "0.1.0", "role": "observer"}})
    );
}
