//! Answers to shells while a command is being typed: values and descriptions, one per line, or nothing.

use zmes_shared::control::PROTOCOL;

use crate::fake::{Answer, FakeDaemon, HELLO, Run, fixture, zmesctl};

/// What a hostile name could try in a shell, in a completion menu, or on a terminal.
const HOSTILE: &str = "$(touch x)`touch y`\";'\\ %F{red}\u{1b}]0;owned\u{7}\u{9b}2J\u{202e}\ttab\nline\r";
/// A command line for each kind of value, an answer that contains such values, and one of them.
const LINES: [(&str, &str, &str); 4] = [
    ("tokens show", "reply-tokens_list", "1a2b3c4d"),
    ("watch --monitor", "reply-monitors_list", "1"),
    ("clients disconnect", "reply-clients_list", "4"),
    ("clients list --user", "reply-clients_list", "admin"),
];

/// Asks as the script for bash does, with an empty word after `line`.
fn asked(daemon: &FakeDaemon, line: &str) -> Run {
    Run::of(zmesctl(&format!("__complete bash zmesctl {line}")).arg("").env("ZMESCTL_SOCKET", &daemon.socket))
}

fn lines(run: &Run) -> Vec<(&str, &str)> {
    run.stdout.lines().map(|line| line.split_once('\t').unwrap()).collect()
}

#[test]
fn candidates_are_values_with_descriptions() {
    for (line, reply, value) in LINES {
        let run = asked(&FakeDaemon::answering(reply), line);
        assert!(run.stderr.is_empty(), "{line}: {run:?}");
        assert!(lines(&run).iter().any(|(found, _)| *found == value), "{line}: {run:?}");
    }
}

#[test]
fn commands_and_fixed_values_need_no_daemon() {
    let run = Run::of(&mut zmesctl("__complete fish zmesctl tokens li"));
    assert_eq!(lines(&run), [("list", "List registered phones")]);
    for (line, expected) in [
        ("push check f", &["fcm"][..]),
        ("snooze a", &["all"]),
        ("snooze end b", &[]),
        ("why la", &["last"]),
        ("why 3", &[]),
    ] {
        let run = Run::of(&mut zmesctl(&format!("__complete fish zmesctl {line}")));
        assert_eq!(lines(&run).iter().map(|(value, _)| *value).collect::<Vec<_>>(), expected, "{line}");
    }
    let run = Run::of(&mut zmesctl("__complete fish zmesctl tokens list --sta"));
    assert_eq!(lines(&run).iter().map(|(value, _)| *value).collect::<Vec<_>>(), ["--state", "--stale"]);
    // A file name: the shell completes it.
    let run = Run::of(zmesctl("__complete zsh zmesctl tokens import").arg(""));
    assert_eq!(run.stdout, "\t\n");
}

#[test]
fn tokens_that_can_be_restored_are_asked_for_as_such() {
    for (command, state) in [("restore", "revoked"), ("unmute", "muted"), ("unblock", "blocked")] {
        let daemon = FakeDaemon::answering("reply-tokens_list");
        asked(&daemon, &format!("tokens {command}"));
        assert_eq!(daemon.requests()[0]["state"], state, "{command}");
    }
}

#[test]
fn what_stands_on_the_line_already_is_not_offered_again() {
    let daemon = FakeDaemon::answering("reply-tokens_list");
    let run = asked(&daemon, "tokens revoke 1a2b3c4d");
    assert!(!run.stdout.contains("1a2b3c4d\t"), "{run:?}");
}

#[test]
fn the_socket_of_the_line_that_is_typed_counts() {
    let daemon = FakeDaemon::answering("reply-monitors_list");
    let socket = daemon.socket.to_str().unwrap();
    let offered = |words: &[&str]| {
        let mut command = zmesctl("__complete bash zmesctl");
        Run::of(command.args(words).args(["watch", "--monitor", ""]).env("ZMESCTL_SOCKET", "/nowhere"))
    };
    let joined = format!("--socket={socket}");
    for words in [&["--socket", socket][..], &[&joined], &["--socket", "=", socket]] {
        let run = offered(words);
        assert!(!lines(&run).is_empty(), "{words:?}: {run:?}");
    }
    // Text that only the shell can expand is not guessed, and no names of another daemon are offered for it.
    for words in
        [&["--socket", "$HOME/control.sock"][..], &["--socket", "~/control.sock"], &["--socket=$(x)"]]
    {
        let run = offered(words);
        assert_eq!((run.code, run.stdout.as_str()), (Some(0), ""), "{words:?}");
    }
}

#[test]
fn whatever_goes_wrong_the_shell_hears_nothing() {
    let run = Run::of(zmesctl("__complete bash zmesctl --socket /nowhere/control.sock tokens show").arg(""));
    assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (Some(0), "", ""));
    let other = HELLO.replace("\"major\":1", &format!("\"major\":{}", PROTOCOL.major + 1));
    for hello in [other.as_str(), "not json", "{}", HELLO] {
        for line in ["tokens show", "clients list --user"] {
            let run = asked(&FakeDaemon::start(hello, |_| Answer::Silence), line);
            assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (Some(0), "", ""), "{hello}");
        }
    }
    for nonsense in ["__complete bash", "__complete tcsh", "__complete bash zmesctl nosuch --x y"] {
        let run = Run::of(&mut zmesctl(nonsense));
        assert_eq!(run.stderr, "", "{nonsense}");
    }
}

#[test]
fn hostile_names_stay_on_their_line_and_off_the_terminal() {
    let escaped = serde_json::to_string(HOSTILE).unwrap();
    let hostile = escaped.trim_matches('"');
    for (line, reply, name) in [
        ("watch --monitor", "reply-monitors_list", "Front"),
        ("tokens show", "reply-tokens_list", "admin"),
        ("clients disconnect", "reply-clients_list", "admin"),
        ("clients list --user", "reply-clients_list", "admin"),
    ] {
        let honest = asked(&FakeDaemon::answering(reply), line);
        let text = fixture(reply);
        assert!(text.contains(name), "{reply} has no {name}");
        let run = asked(&FakeDaemon::saying(&text.replace(name, hostile)), line);
        let commands = |c: char| (c.is_control() && c != '\n' && c != '\t') || c == '\u{202e}';
        assert!(!run.stdout.contains(commands), "{line}: {run:?}");
        assert!(lines(&run).iter().all(|(value, _)| !value.contains("touch")), "{line}: {run:?}");
        let expected = if line.ends_with("--user") { 0 } else { lines(&honest).len() };
        assert!(lines(&run).len() >= expected, "{line}: {run:?}");
        assert!(run.stdout.lines().all(|line| line.matches('\t').count() == 1), "{line}: {run:?}");
    }
}
