//! Dialogues as literal JSON: each row of the protocol's table, in each state.

use secrecy::SecretString;
use serde_json::{Value, json};
use zmes_shared::EventId;
use zmes_zoneminder::MonitorRights;

use super::*;
use crate::domain::Credentials;

const AUTH: &str = r#"{"event":"auth","data":{"user":"amy","password":"secret"}}"#;

fn session() -> AppSession {
    let identity = ServerIdentity { version: "7.0.0".to_owned(), server: "zmesd/0.2.0".to_owned() };
    AppSession::new("192.0.2.7".parse().unwrap(), Arc::new(identity), false)
}

/// Returns the session of a logged-in app, with push on.
fn with_push() -> AppSession {
    AppSession { push: true, ..logged_in() }
}

fn amy() -> LoginVerdict {
    LoginVerdict::Accepted(Arc::new(User {
        name: "amy".to_owned(),
        password: SecretString::from("*HASH"),
        enabled: true,
        api_enabled: true,
        may_see_events: true,
        token_min_expiry: 0,
        rights: MonitorRights::All,
    }))
}

fn logged_in() -> AppSession {
    let mut session = session();
    session.step(Input::Text(AUTH));
    session.step(Input::Verdict(amy()));
    assert!(session.logged_in());
    session
}

/// Returns the session's outputs in readable form: replies as their JSON, the rest in a word or two.
fn wanted(outputs: &[Output]) -> Vec<Value> {
    let one = |output: &Output| match output {
        Output::Reply(frame) => serde_json::from_str(frame).unwrap(),
        Output::Verify(login) => match &login.credentials {
            Credentials::Password { user, .. } => json!({"verify": user}),
            Credentials::AccessToken(_) => json!({"verify": "token"}),
        },
        Output::Attach(admitted) => {
            json!({"attach": admitted.user.name, "app": admitted.app, "filter": admitted.filter.as_ref().map(MonitorFilter::lists)})
        }
        Output::SetFilter(statement, hint) => {
            let mut wanted = match statement {
                FilterStatement::Replace(filter) => json!({"filter": filter.lists()}),
                FilterStatement::KeepIntervals(filter) => json!({"monitors": filter.lists().0}),
                FilterStatement::Keep => json!({"filter": "keep"}),
            };
            if let Some(hint) = hint {
                wanted["of"] = json!(hint.expose());
            }
            wanted
        }
        Output::Register(token) => {
            json!({"register": token.token.expose(), "platform": token.platform.as_str(),
            "state": token.state.as_str(), "filter": token.filter.as_ref().map(MonitorFilter::lists),
            "app": token.kind.as_str(), "version": token.app_version, "profile": token.profile})
        }
        Output::Snooze(SnoozeStatement { monitors, minutes }, hint) => {
            json!({"snooze": monitors.lists().0, "minutes": minutes, "of": hint.as_ref().map(PushToken::expose)})
        }
        Output::Badge(badge, hint) => json!({"badge": badge, "of": hint.as_ref().map(PushToken::expose)}),
        Output::Replay(Since::Event(event)) => json!({"replay": event}),
        Output::Replay(Since::Time(at)) => json!({"replay": at}),
        Output::End(end) => json!({"end": end.as_str()}),
    };
    outputs.iter().map(one).collect()
}

fn say(session: &mut AppSession, text: &str) -> Vec<Value> {
    wanted(&session.step(Input::Text(text)))
}

fn success() -> Value {
    json!({"event": "auth", "type": "", "version": "7.0.0", "status": "Success", "reason": "", "server": "zmesd/0.2.0"})
}

fn fail(event: &str, kind: &str, reason: &str) -> Value {
    json!({"event": event, "type": kind, "status": "Fail", "reason": reason})
}

#[test]
fn before_auth_everything_else_is_refused_and_changes_nothing() {
    for (text, event, kind) in [
        (r#"{"event":"control","data":{"type":"filter","monlist":"1","intlist":"0"}}"#, "control", "filter"),
        (r#"{"event":"control","data":{"type":"filter"}}"#, "control", "filter"),
        (r#"{"event":"control","data":{"type":"replay","since":"1"}}"#, "control", "replay"),
        (r#"{"event":"control","data":{"type":"nosuch"}}"#, "control", "nosuch"),
        (r#"{"event":"control","data":{}}"#, "control", ""),
        (r#"{"event":"push","data":{"type":"token","token":"T","platform":"ios"}}"#, "push", "token"),
        (r#"{"event":"push","data":{"type":"badge","badge":0}}"#, "push", "badge"),
        (r#"{"event":"escontrol","data":{"command":"get"}}"#, "escontrol", ""),
        (r#"{"event":"nosuch","data":{}}"#, "nosuch", ""),
    ] {
        let mut session = session();
        assert_eq!(say(&mut session, text), [fail(event, kind, "NOTAUTHORIZED")], "{text}");
        assert!(session.awaits_credentials());
    }
}

#[test]
fn the_version_is_told_to_everybody_with_both_spellings_of_type() {
    let text = r#"{"event":"control","data":{"type":"version"}}"#;
    let told = json!({"event": "control", "type": "version", "type:": "version", "version": "7.0.0",
        "status": "Success", "reason": "", "server": "zmesd/0.2.0"});
    assert_eq!(say(&mut session(), text), std::slice::from_ref(&told));
    assert_eq!(say(&mut logged_in(), text), [told]);
}

#[test]
fn a_right_password_attaches_before_it_is_answered() {
    let mut session = session();
    let text = r#"{"event":"auth","data":{"user":"amy","password":"s","monlist":"2,1","intlist":"60,0","appversion":"1.8.001"},"token":"fcm"}"#;
    assert_eq!(say(&mut session, text), [json!({"verify": "amy"})]);
    assert!(!session.awaits_credentials() && !session.logged_in());
    let outputs = session.step(Input::Verdict(amy()));
    let attach = json!({"attach": "amy", "app": "1.8.001", "filter": ["1,2", "0,60"]});
    assert_eq!(wanted(&outputs), [attach, success()]);
    assert!(session.logged_in());
}

#[test]
fn auth_without_lists_makes_no_statement_about_the_filter() {
    let mut session = session();
    say(&mut session, AUTH);
    let outputs = session.step(Input::Verdict(amy()));
    assert_eq!(wanted(&outputs)[0], json!({"attach": "amy", "app": null, "filter": null}));
}

#[test]
fn a_bad_list_in_auth_does_not_keep_the_app_out() {
    let mut session = session();
    say(&mut session, r#"{"event":"auth","data":{"user":"amy","password":"s","monlist":"1,x"}}"#);
    let outputs = session.step(Input::Verdict(amy()));
    let attach = json!({"attach": "amy", "app": null, "filter": null});
    assert_eq!(wanted(&outputs), [attach, success(), fail("control", "filter", "BADMONITORLIST")]);
}

#[test]
fn since_in_auth_replays_after_success() {
    let mut session = session();
    say(&mut session, r#"{"event":"auth","data":{"user":"amy","password":"s","since":"32910"}}"#);
    let outputs = wanted(&session.step(Input::Verdict(amy())));
    assert_eq!(outputs[1..], [success(), json!({"replay": EventId(32910)})]);
}

#[test]
fn wrong_credentials_are_badauth_and_the_end() {
    let mut session = session();
    say(&mut session, AUTH);
    let outputs = session.step(Input::Verdict(LoginVerdict::Rejected("wrong password")));
    assert_eq!(wanted(&outputs), [fail("auth", "", "BADAUTH"), json!({"end": "bad authentication"})]);
    assert!(say(&mut session, AUTH).is_empty(), "the dead do not knock");
}

#[test]
fn what_others_got_wrong_is_no_badauth() {
    let mut session = session();
    say(&mut session, AUTH);
    let throttled = wanted(&session.step(Input::Verdict(LoginVerdict::Throttled)));
    assert!(throttled.iter().all(|output| output["reason"] != "BADAUTH"), "{throttled:?}");
    assert_eq!(throttled.len(), 1, "{throttled:?}");
}

#[test]
fn no_credentials_at_all_are_for_the_login_check_to_refuse() {
    for text in [r#"{"event":"auth","data":{}}"#, r#"{"event":"auth","data":{"user":"","password":""}}"#] {
        assert_eq!(say(&mut session(), text), [json!({"verify": ""})], "{text}");
    }
}

#[test]
fn a_database_that_is_away_is_not_badauth() {
    let mut session = session();
    say(&mut session, AUTH);
    let outputs = session.step(Input::Verdict(LoginVerdict::Unavailable("database away")));
    assert_eq!(wanted(&outputs), [json!({"end": "login not possible now"})]);
}

#[test]
fn silence_is_noauth_but_a_slow_verdict_is_not() {
    let mut silent = session();
    let outputs = silent.step(Input::AuthTimeout);
    assert_eq!(wanted(&outputs), [fail("auth", "", "NOAUTH"), json!({"end": "authentication timeout"})]);
    let mut waiting = session();
    say(&mut waiting, AUTH);
    assert!(waiting.step(Input::AuthTimeout).is_empty());
    assert!(logged_in().step(Input::AuthTimeout).is_empty());
}

#[test]
fn auth_again_is_verified_and_answered_again() {
    let mut session = logged_in();
    assert_eq!(say(&mut session, AUTH), [json!({"verify": "amy"})]);
    let outputs = session.step(Input::Verdict(amy()));
    assert_eq!(wanted(&outputs), [json!({"attach": "amy", "app": null, "filter": null}), success()]);
    say(&mut session, AUTH);
    let outputs = session.step(Input::Verdict(LoginVerdict::Rejected("wrong password")));
    assert_eq!(wanted(&outputs)[0], fail("auth", "", "BADAUTH"));
}

#[test]
fn a_filter_is_set_without_a_word() {
    let mut session = logged_in();
    for (lists, set) in [
        (r#""monlist":"1,2","intlist":"0,30""#, json!({"filter": ["1,2", "0,30"]})),
        (r#""monlist":"","intlist":"""#, json!({"filter": ["", ""]})),
        (r#""monlist":"5","intlist":"0""#, json!({"filter": ["5", "0"]})),
        (r#""monlist":"5","intlist":"-1""#, json!({"monitors": "5"})),
    ] {
        let text = format!(r#"{{"event":"control","data":{{"type":"filter",{lists}}}}}"#);
        assert_eq!(say(&mut session, &text), [set], "{lists}");
    }
    let keep = r#"{"event":"control","data":{"type":"filter","monlist":"-1","intlist":"-1"}}"#;
    assert!(say(&mut session, keep).is_empty());
}

#[test]
fn what_cannot_be_done_for_a_logged_in_app_is_named() {
    let mut session = logged_in();
    for (text, refusal) in [
        (
            r#"{"event":"control","data":{"type":"filter","intlist":"0"}}"#,
            fail("control", "filter", "NOMONITORLIST"),
        ),
        (
            r#"{"event":"control","data":{"type":"filter","monlist":"1"}}"#,
            fail("control", "filter", "NOINTERVALLIST"),
        ),
        (
            r#"{"event":"control","data":{"type":"filter","monlist":"x","intlist":""}}"#,
            fail("control", "filter", "BADMONITORLIST"),
        ),
        (
            r#"{"event":"control","data":{"type":"filter","monlist":"1","intlist":"x"}}"#,
            fail("control", "filter", "BADINTERVALLIST"),
        ),
        (r#"{"event":"control","data":{"type":"replay"}}"#, fail("control", "replay", "NOSINCE")),
        (
            r#"{"event":"control","data":{"type":"replay","since":"x"}}"#,
            fail("control", "replay", "BADSINCE"),
        ),
        (r#"{"event":"control","data":{"type":"nosuch"}}"#, fail("control", "nosuch", "NOTSUPPORTED")),
        (
            r#"{"event":"push","data":{"type":"token","token":"T","platform":"ios"}}"#,
            fail("push", "", "PUSHDISABLED"),
        ),
        (r#"{"event":"push","data":{"type":"badge","badge":3}}"#, fail("push", "", "PUSHDISABLED")),
        (r#"{"event":"push"}"#, fail("push", "", "PUSHDISABLED")),
        (r#"{"event":"escontrol","data":{"command":"mute"}}"#, fail("escontrol", "", "ESCONTROLDISABLED")),
        (
            r#"{"event":"auth","category":"escontrol","data":{"password":"x"}}"#,
            fail("auth", "", "ESCONTROLDISABLED"),
        ),
        (r#"{"event":"nosuch","data":{"type":"x"}}"#, fail("nosuch", "", "NOTSUPPORTED")),
        ("[1,2]", fail("malformed", "", "BADJSON")),
        (r#"{"event":"auth","data":"x"}"#, fail("malformed", "", "BADJSON")),
    ] {
        assert_eq!(say(&mut session, text), [refusal], "{text}");
        assert!(session.logged_in(), "{text}");
    }
    assert_eq!(wanted(&session.step(Input::Binary)), [fail("malformed", "", "BADJSON")]);
}

#[test]
fn a_replay_is_asked_for_by_event_or_time() {
    let mut session = logged_in();
    let by_event = r#"{"event":"control","data":{"type":"replay","since":"7"}}"#;
    assert_eq!(say(&mut session, by_event), [json!({"replay": 7})]);
    let by_time = r#"{"event":"control","data":{"type":"replay","since":"2026-11-01T12:00:00Z"}}"#;
    assert_eq!(say(&mut session, by_time), [json!({"replay": "2026-11-01T12:00:00Z"})]);
}

const TOKEN: &str = r#"{"event":"push","data":{"type":"token","platform":"android","token":"fcm:a","state":"enabled","appversion":"1.8.001"},"token":"fcm:a"}"#;

#[test]
fn a_token_is_registered_without_a_word() {
    let zmninja = json!({"register": "fcm:a", "platform": "android", "state": "enabled", "filter": null,
        "app": "zmninja", "version": "1.8.001", "profile": null});
    assert_eq!(say(&mut with_push(), TOKEN), [zmninja]);
    let text = r#"{"event":"push","data":{"type":"token","token":"T","platform":"ios","monlist":"1,2","intlist":"60,60","state":"disabled","profile":"Home"}}"#;
    let zmninjang = json!({"register": "T", "platform": "ios", "state": "disabled", "filter": ["1,2", "60,60"],
        "app": "zmninjang", "version": null, "profile": "Home"});
    assert_eq!(say(&mut with_push(), text), [zmninjang]);
    let badge = r#"{"event":"push","data":{"type":"badge","badge":"3"},"token":"fcm:a"}"#;
    assert_eq!(say(&mut with_push(), badge), [json!({"badge": 3, "of": "fcm:a"})]);
    let filter =
        r#"{"event":"control","data":{"type":"filter","monlist":"1","intlist":"0","token":"fcm:a"}}"#;
    assert_eq!(say(&mut with_push(), filter), [json!({"filter": ["1", "0"], "of": "fcm:a"})]);
}

#[test]
fn what_cannot_be_taken_of_a_token_is_named() {
    let token = |reason| fail("push", "token", reason);
    for (data, refusal) in [
        (r#""type":"token","token":"T""#, token("MISSINGPLATFORM")),
        (r#""type":"token","token":"T","platform":"web""#, token("BADPLATFORM")),
        (r#""type":"token","token":"a b","platform":"ios""#, token("BADTOKEN")),
        (r#""type":"badge","badge":"many""#, fail("push", "badge", "BADBADGE")),
        (r#""type":"nosuch""#, fail("push", "nosuch", "NOTSUPPORTED")),
        (r#""type":"badge","badge":[1]"#, fail("malformed", "", "BADJSON")),
    ] {
        let text = format!(r#"{{"event":"push","data":{{{data}}}}}"#);
        assert_eq!(say(&mut with_push(), &text), [refusal], "{data}");
    }
    let nothing = r#"{"event":"push","data":{"type":"token","token":"","platform":"ios"}}"#;
    assert!(say(&mut with_push(), nothing).is_empty());
    let lists = r#"{"event":"push","data":{"type":"token","token":"T","platform":"ios","monlist":"1","intlist":"soon"}}"#;
    let outputs = say(&mut with_push(), lists);
    assert_eq!((&outputs[0]["register"], &outputs[0]["filter"]), (&json!("T"), &Value::Null));
    assert_eq!(outputs[1..], [token("BADINTERVALLIST")]);
    let refused = with_push().step(Input::NotRegistered(TokenFault::TooManyTokens));
    assert_eq!(wanted(&refused), [token("TOOMANYTOKENS")]);
}

#[test]
fn before_auth_a_token_is_refused_while_push_is_on_too() {
    let mut session = AppSession { push: true, ..session() };
    assert_eq!(say(&mut session, TOKEN), [fail("push", "token", "NOTAUTHORIZED")]);
}

#[test]
fn a_login_is_attached_to_the_token_that_the_app_names() {
    let mut session = session();
    say(&mut session, r#"{"event":"auth","data":{"user":"amy","password":"s"},"token":"fcm:a"}"#);
    let outputs = session.step(Input::Verdict(amy()));
    let Some(Output::Attach(admitted)) = outputs.first() else { panic!("{outputs:?}") };
    assert_eq!(admitted.hint.as_ref().map(PushToken::expose), Some("fcm:a"));
    assert_eq!(admitted.kind, App::ZmNinja);
}

#[test]
fn a_phone_that_wants_quiet_is_asked_of_the_router_and_answered_with_the_end() {
    let text = r#"{"event":"control","data":{"type":"snooze","monlist":"3","minutes":120},"token":"FCM"}"#;
    let mut session = with_push();
    assert_eq!(say(&mut session, text), [json!({"snooze": "3", "minutes": 120, "of": "FCM"})]);
    let until = "2026-11-30T18:00:00Z";
    let outputs = session.step(Input::Snoozed(Ok(Some(until.parse().unwrap()))));
    let told = json!({"event": "control", "type": "snooze", "status": "Success", "until": until});
    assert_eq!(wanted(&outputs), [told]);
    let outputs = session.step(Input::Snoozed(Err(SnoozeRefusal::TooMany)));
    assert_eq!(wanted(&outputs), [fail("control", "snooze", "TOOMANYSNOOZES")]);
    let wrong = r#"{"event":"control","data":{"type":"snooze","minutes":"soon"}}"#;
    assert_eq!(say(&mut session, wrong), [fail("control", "snooze", "BADMINUTES")]);
    assert_eq!(say(&mut logged_in(), text), [fail("control", "snooze", "PUSHDISABLED")]);
}
