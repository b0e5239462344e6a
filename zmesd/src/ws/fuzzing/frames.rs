//! A whole session from a sequence of frames, one per line.

use std::sync::Arc;

use secrecy::SecretString;
use serde_json::Value;
use zmes_zoneminder::{MonitorRights, User};

use crate::domain::{LoginVerdict, MonitorFilter};
use crate::protocol::{FilterStatement, ServerIdentity};
use crate::ws::session::{AppSession, Input, Output};

/// More frames than a dialogue needs; the rest of an input is ignored.
const MOST_FRAMES: usize = 64;
/// Maximum length of a reply in bytes: quotes of a frame are limited.
const LONGEST_REPLY: usize = 2048;
/// A password that no input contains by accident.
const PLANTED: &str = "planted-Zq7-9f3a1c-password";

/// The first byte decides how logins end and whether push is on; the lines after it are frames.
pub(crate) fn app_frames(bytes: &[u8]) {
    let Some((choice, lines)) = bytes.split_first() else { return };
    let identity = ServerIdentity { version: "7.0.0".to_owned(), server: "zmesd/0.0.0".to_owned() };
    let address = std::net::IpAddr::from([192, 0, 2, 7]);
    let mut session = AppSession::new(address, Arc::new(identity), choice & 1 == 1);
    let mut ended = false;
    for line in lines.split(|byte| *byte == b'\n').take(MOST_FRAMES) {
        let planted = std::str::from_utf8(line).ok().map(plant);
        let input = planted.as_deref().map_or(Input::Binary, Input::Text);
        let mut outputs = step(&mut session, input, &mut ended);
        // The pump passes no other input while a verdict is pending.
        if outputs.iter().any(|output| matches!(output, Output::Verify(_))) {
            outputs = step(&mut session, Input::Verdict(verdict(*choice)), &mut ended);
        }
        drop(outputs);
    }
    step(&mut session, Input::AuthTimeout, &mut ended);
}

fn step(session: &mut AppSession, input: Input<'_>, ended: &mut bool) -> Vec<Output> {
    let outputs = session.step(input);
    assert!(!*ended || outputs.is_empty(), "something is done after the end: {outputs:?}");
    for output in &outputs {
        check(output, session.logged_in());
        *ended |= matches!(output, Output::End(_));
    }
    outputs
}

fn check(output: &Output, logged_in: bool) {
    assert!(!format!("{output:?}").contains(PLANTED), "the password is in Debug");
    match output {
        Output::Reply(frame) => {
            assert!(frame.len() <= LONGEST_REPLY, "an answer of {} bytes", frame.len());
            assert!(!frame.contains(PLANTED), "the password is in an answer");
            let reply: Value = serde_json::from_str(frame).unwrap_or_default();
            assert!(reply["event"].is_string() && reply["status"].is_string(), "{frame}");
        }
        Output::Verify(_) | Output::End(_) => {}
        Output::Attach(admitted) => {
            assert!(logged_in, "attached without a login");
            admitted.filter.iter().for_each(same_when_written);
        }
        Output::SetFilter(statement, _) => {
            assert!(logged_in, "a filter without a login");
            if let FilterStatement::Replace(filter) | FilterStatement::KeepIntervals(filter) = statement {
                same_when_written(filter);
            }
        }
        Output::Register(token) => {
            assert!(logged_in, "a token without a login");
            token.filter.iter().for_each(same_when_written);
        }
        Output::Badge(..) | Output::Snooze(..) | Output::Replay(_) => {
            assert!(logged_in, "an effect without a login");
        }
    }
}

/// Checks that a filter survives being stored as its two lists.
fn same_when_written(filter: &MonitorFilter) {
    let (monitors, intervals) = filter.lists();
    assert_eq!(MonitorFilter::parse(&monitors, &intervals).as_ref(), Ok(filter));
}

fn plant(text: &str) -> String {
    let Ok(mut frame) = serde_json::from_str::<Value>(text) else { return text.to_owned() };
    match frame.pointer_mut("/data/password") {
        Some(password) if password.is_string() => {
            *password = Value::from(PLANTED);
            frame.to_string()
        }
        Some(_) | None => text.to_owned(),
    }
}

fn verdict(choice: u8) -> LoginVerdict {
    match choice >> 1 & 3 {
        0 => LoginVerdict::Rejected("wrong password"),
        1 => LoginVerdict::Unavailable("database away"),
        _ => LoginVerdict::Accepted(Arc::new(User {
            name: "amy".to_owned(),
            password: SecretString::from("*HASH"),
            enabled: true,
            api_enabled: true,
            may_see_events: true,
            token_min_expiry: 0,
            rights: MonitorRights::All,
        })),
    }
}
