//! `zmesctl` with daemons of other versions: the same major version is understood, whatever the minor one.

use serde_json::{Value, json};

use crate::answers::COMMANDS;
use crate::fake::{Answer, FakeDaemon, fixture};

/// What an older daemon knows: zmesctl must work without the rest.
const OLDER: [&str; 14] = [
    "status",
    "clients_list",
    "clients_disconnect",
    "monitors_list",
    "monitors_reload",
    "alarm_test",
    "alarm_force",
    "alarm_cancel",
    "watch",
    "check",
    "log_level",
    "reload",
    "config_show",
    "unknown",
];
/// The greeting of a much newer daemon with the same major version.
const FROM_THE_FUTURE: &str = r#"{"hello":{"protocol":{"major":1,"minor":99,"patch":3},"daemon":"9.4.2","role":"operator","features":["x"]},"motd":"hi"}"#;

#[test]
fn an_older_daemon_does_what_it_knows_and_the_rest_is_said_clearly() {
    let mut refused = 0;
    for (line, request, reply, words, code) in COMMANDS {
        let known = OLDER.iter().any(|known| fixture(request).contains(&format!(r#""type":"{known}""#)));
        let answer = fixture(if known { reply } else { "error-unsupported-older" });
        let daemon = FakeDaemon::start(&fixture("hello-admin"), move |_| Answer::Lines(vec![answer.clone()]));
        let run = daemon.run(line);
        if known {
            assert_eq!(run.code, Some(code), "{line}: {run:?}");
            assert!(run.stdout.contains(words), "{line}: {run:?}");
            continue;
        }
        refused += 1;
        // "zmesd and zmesctl speak different versions", and the error says which one to upgrade.
        assert_eq!((run.code, run.stdout.as_str()), (Some(8), ""), "{line}: {run:?}");
        let said = "error: zmesd 0.2.0 does not know this request\n\
                    hint: update zmesd, or use the zmesctl that came with it\n";
        assert_eq!(run.stderr, said, "{line}");
        let document = daemon.run(&format!("{line} --json")).json();
        assert_eq!(document["error"]["code"], "unsupported", "{line}: {document}");
    }
    assert!(refused > 20, "{refused}");
}

/// Adds a member to every object.
fn with_unknown_members(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.values_mut().for_each(with_unknown_members);
            members.insert("of_a_newer_version".to_owned(), json!({"any": ["thing", 1, null]}));
        }
        Value::Array(elements) => elements.iter_mut().for_each(with_unknown_members),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn members_of_a_newer_daemon_are_passed_over() {
    for (line, _, reply, words, code) in COMMANDS {
        let mut answer: Value = serde_json::from_str(&fixture(reply)).unwrap();
        // The toml of `config show` is text, and `error` is an enum: objects around them may grow.
        with_unknown_members(answer.as_object_mut().unwrap().values_mut().last().unwrap());
        let answer = answer.to_string();
        let daemon = FakeDaemon::start(FROM_THE_FUTURE, move |_| Answer::Lines(vec![answer.clone()]));
        let run = daemon.run(line);
        assert_eq!(run.code, Some(code), "{line}: {run:?}");
        assert!(run.stdout.contains(words), "{line}: {run:?}");
        let run = daemon.run(&format!("{line} --json"));
        assert_eq!(run.code, Some(code), "{line}: {run:?}");
        run.json();
    }
}

/// Returns the JSON pointers to all words that may be values of an enumeration.
fn words(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, member)| words(member, &format!("{at}/{name}"), found));
        }
        Value::Array(elements) => {
            elements.iter().enumerate().for_each(|(n, element)| words(element, &format!("{at}/{n}"), found));
        }
        Value::String(text) if text.chars().all(|c| c.is_ascii_lowercase() || c == '_') => {
            found.push(at.to_owned());
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn words_of_a_newer_daemon_are_shown_not_stumbled_over() {
    let items =
        ["item-alarm", "item-decision", "item-delivery", "item-session", "item-token", "item-monitor"];
    let watch = items.map(|item| ("watch --count 1", item));
    for (line, reply) in COMMANDS.iter().map(|command| (command.0, command.2)).chain(watch) {
        let answer: Value = serde_json::from_str(&fixture(reply)).unwrap();
        let mut places = Vec::new();
        words(&answer, "", &mut places);
        for place in places {
            let mut newer = answer.clone();
            *newer.pointer_mut(&place).unwrap() = json!("of_a_newer_version");
            let (first, end) = (newer.to_string(), fixture("end"));
            let lines = move |_: &Value| Answer::LinesThenClose(vec![first.clone(), end.clone()]);
            let run = FakeDaemon::start(FROM_THE_FUTURE, lines).run(line);
            assert_ne!(run.code, Some(8), "{line}, {place}: {run:?}");
        }
    }
}
