//! What shells are told while a command is being typed: values and descriptions, one a line, or nothing.

use zmes_shared::control::PROTOCOL;

use crate::fake::{Answer, FakeDaemon, HELLO, Run, fixture, zmesctl};

/// What a name could try: in a shell, in a completion menu, on a terminal.
const HOSTILE: &str = "$(touch x)`touch y`\";'\\ %F{red}\u{1b}]0;owned\u{7}\u{9b}2J\u{202e}\ttab\nline\r";

fn lines(run: &Run) -> Vec<(&str, &str)> {
    run.stdout.lines().map(|line| line.split_once('\t').unwrap()).collect()
}

#[test]
fn candidates_are_values_with_descriptions() {
    let table = [
        ("tokens", "reply-tokens_list", "1a2b3c4d"),
        ("monitors", "reply-monitors_list", "1"),
        ("clients", "reply-clients_list", "4"),
        ("users", "reply-clients_list", "admin"),
    ];
    for (kind, reply, value) in table {
        let daemon = FakeDaemon::answering(reply);
        let run = daemon.run(&format!("completions --candidates {kind}"));
        assert!(run.stderr.is_empty(), "{kind}: {run:?}");
        assert!(lines(&run).iter().any(|(found, _)| *found == value), "{kind}: {run:?}");
    }
}

#[test]
fn tokens_that_can_be_restored_are_asked_for_as_such() {
    for (kind, state) in [("revoked-tokens", "revoked"), ("muted-tokens", "muted")] {
        let daemon = FakeDaemon::answering("reply-tokens_list");
        daemon.run(&format!("completions --candidates {kind}"));
        assert_eq!(daemon.requests()[0]["state"], state, "{kind}");
    }
}

#[test]
fn what_stands_on_the_line_already_is_not_offered_again() {
    let daemon = FakeDaemon::answering("reply-tokens_list");
    let run = daemon.run("completions --candidates tokens -- tokens revoke 1a2b3c4d");
    assert!(!run.stdout.contains("1a2b3c4d\t"), "{run:?}");
}

#[test]
fn the_socket_of_the_line_that_is_typed_counts() {
    let daemon = FakeDaemon::answering("reply-monitors_list");
    let socket = daemon.socket.to_str().unwrap();
    for words in [
        format!("--socket {socket} watch"),
        format!("watch --socket={socket}"),
        format!("--socket = {socket}"),
    ] {
        let run =
            Run::of(&mut zmesctl(&format!("--socket /nowhere completions --candidates monitors -- {words}")));
        assert!(!lines(&run).is_empty(), "{words}: {run:?}");
    }
    // What only the shell can expand is not guessed at, and no other daemon's names are offered for it.
    for words in
        ["--socket $HOME/control.sock", "--socket ~/control.sock", "--socket '/a b'", "--socket=$(x)"]
    {
        let run = daemon.run(&format!("completions --candidates monitors -- {words}"));
        assert_eq!((run.code, run.stdout.as_str()), (Some(0), ""), "{words}");
    }
}

#[test]
fn whatever_goes_wrong_the_shell_hears_nothing() {
    let run = Run::of(&mut zmesctl("--socket /nowhere/control.sock completions --candidates tokens"));
    assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (Some(3), "", ""));
    let other = HELLO.replace("\"major\":1", &format!("\"major\":{}", PROTOCOL.major + 1));
    for hello in [other.as_str(), "not json", "{}"] {
        let run = FakeDaemon::start(hello, |_| Answer::Silence).run("completions --candidates tokens");
        assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (Some(8), "", ""), "{hello}");
    }
    let run = FakeDaemon::start(HELLO, |_| Answer::Silence).run("completions --candidates users");
    assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (Some(6), "", ""));
}

#[test]
fn hostile_names_stay_on_their_line_and_off_the_terminal() {
    let escaped = serde_json::to_string(HOSTILE).unwrap();
    let hostile = escaped.trim_matches('"');
    for (kind, reply, name) in [
        ("monitors", "reply-monitors_list", "Front"),
        ("tokens", "reply-tokens_list", "admin"),
        ("clients", "reply-clients_list", "admin"),
        ("users", "reply-clients_list", "admin"),
    ] {
        let honest = FakeDaemon::answering(reply).run(&format!("completions --candidates {kind}"));
        let text = fixture(reply);
        assert!(text.contains(name), "{reply} has no {name}");
        let daemon = FakeDaemon::saying(&text.replace(name, hostile));
        let run = daemon.run(&format!("completions --candidates {kind}"));
        let commands = |c: char| (c.is_control() && c != '\n' && c != '\t') || c == '\u{202e}';
        assert!(!run.stdout.contains(commands), "{kind}: {run:?}");
        assert!(lines(&run).iter().all(|(value, _)| !value.contains("touch")), "{kind}: {run:?}");
        let expected = if kind == "users" { 0 } else { lines(&honest).len() };
        assert!(lines(&run).len() >= expected, "{kind}: {run:?}");
        assert!(run.stdout.lines().all(|line| line.matches('\t').count() == 1), "{kind}: {run:?}");
    }
}
