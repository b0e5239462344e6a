//! Each kind of failure: exit code, `error:`/`cause:`/`hint:`, and the object for programs.

use std::io::pipe;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use serde_json::json;
use zmes_shared::control::PROTOCOL;

use crate::fake::{Answer, FakeDaemon, HELLO, Run, fixture, zmesctl};

/// Asserts on the three lines of an error, and that `--json` says the same.
fn assert_fails(mut command: Command, code: i32, name: &str, lines: [&str; 3]) {
    let run = Run::of(&mut command);
    assert_eq!(run.code, Some(code), "{run:?}");
    let expected: Vec<_> = lines.iter().filter(|line| !line.is_empty()).collect();
    assert_eq!(run.stderr.lines().count(), expected.len(), "{run:?}");
    for (line, start) in run.stderr.lines().zip(expected) {
        assert!(line.starts_with(start), "{line} does not start with {start}");
    }
    assert_eq!(run.stdout, "", "{run:?}");

    let run = Run::of(command.arg("--json"));
    assert_eq!(run.code, Some(code), "{run:?}");
    let document = run.json();
    assert_eq!(document["error"]["code"], name, "{document}");
    assert!(document["error"]["message"].as_str().is_some_and(|message| !message.is_empty()), "{document}");
    let hint = lines[2].trim_start_matches("hint: ");
    assert!(hint.is_empty() || document["error"]["hint"].as_str().unwrap().starts_with(hint), "{document}");
}

#[test]
fn no_daemon_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("control.sock");
    let away = |command: &str| zmesctl(&format!("{command} --socket {}", socket.display()));
    let error = format!("error: cannot reach zmesd at {}", socket.display());
    for command in ["status", "watch", "tokens list", "alarm test --wait", "config show"] {
        let lines = [error.as_str(), "cause: no such file or directory", "hint: systemctl status zmesd"];
        assert_fails(away(command), 3, "unreachable", lines);
    }
    // A daemon that was killed leaves its socket behind.
    drop(UnixListener::bind(&socket).unwrap());
    let lines = [error.as_str(), "cause: connection refused", "hint: systemctl status zmesd"];
    assert_fails(away("status"), 3, "unreachable", lines);
}

#[test]
fn a_monitoring_system_reads_that_nothing_is_known() {
    let line = "check ping --socket /nowhere/control.sock";
    let unknown = "ZMESD UNKNOWN - cannot reach zmesd at /nowhere/control.sock: no such file or directory \
                   (systemctl status zmesd)\n";
    let run = Run::of(&mut zmesctl(line));
    assert_eq!((run.code, run.stdout.as_str()), (Some(3), unknown), "{run:?}");
    assert!(run.stderr.starts_with("error: cannot reach zmesd"), "{run:?}");
    let run = Run::of(&mut zmesctl(&format!("{line} --nagios")));
    assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (Some(3), unknown, ""), "{run:?}");
    // With --json there is an error object, whatever the exit code means.
    for line in [line.to_owned(), format!("{line} --nagios")] {
        let run = Run::of(zmesctl(&line).arg("--json"));
        assert_eq!((run.code, &run.json()["error"]["code"]), (Some(3), &json!("unreachable")), "{run:?}");
    }
    // Exit code 2 would mean a finding.
    for line in ["check ping --nagios --within 14d", "check pong --nagios", "check --nagios"] {
        let run = Run::of(&mut zmesctl(line));
        assert_eq!(run.code, Some(3), "{line}: {run:?}");
        assert!(run.stdout.starts_with("ZMESD UNKNOWN - "), "{line}: {run:?}");
    }
    let daemon = FakeDaemon::answering("error-forbidden");
    assert_eq!(daemon.run("check ping --nagios").code, Some(3));
    assert_eq!(daemon.run("check ping").code, Some(5));
}

#[test]
fn the_path_of_the_socket_is_too_long_for_the_system() {
    let lines = ["error: cannot reach zmesd at /xxxx", "cause: ", "hint: systemctl status zmesd"];
    assert_fails(zmesctl(&format!("status --socket /{}", "x".repeat(200))), 3, "unreachable", lines);
}

#[test]
fn a_socket_that_we_may_not_open() {
    let can_change_user = Command::new("setpriv")
        .args(["--reuid=65534", "--clear-groups", "true"])
        .status()
        .is_ok_and(|s| s.success());
    let daemon = FakeDaemon::answering("reply-status");
    std::fs::set_permissions(daemon.directory.path(), PermissionsExt::from_mode(0o750)).unwrap();
    let mut command = Command::new("setpriv");
    command.args([
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        env!("CARGO_BIN_EXE_zmesctl"),
        "status",
    ]);
    command.arg("--socket").arg(&daemon.socket);
    if !can_change_user || Run::of(&mut command).code == Some(127) {
        println!("skipped: needs root, setpriv and a binary that everybody may run");
        return;
    }
    let lines = [
        "error: not permitted to open zmesd's control socket",
        "cause: permission denied",
        "hint: sudo usermod -aG zmesd $USER",
    ];
    assert_fails(command, 5, "forbidden", lines);
}

#[test]
fn another_version_of_the_protocol() {
    let hello =
        r#"{"hello":{"protocol":{"major":2,"minor":4},"daemon":"3.1.0","role":{"may":["everything"]}}}"#;
    let daemon = FakeDaemon::start(hello, |_| Answer::Silence);
    let ours = format!("{}.{}", PROTOCOL.major, PROTOCOL.minor);
    let cause = format!("cause: zmesd 3.1.0 speaks 2.4, zmesctl {} speaks {ours}", env!("CARGO_PKG_VERSION"));
    let lines = [
        "error: zmesd and zmesctl speak different versions",
        cause.as_str(),
        "hint: restart zmesd after the upgrade",
    ];
    assert_fails(daemon.command("status"), 8, "version", lines);
    assert_eq!(daemon.requests(), [] as [serde_json::Value; 0]);
}

#[test]
fn what_is_not_zmesd() {
    for hello in [r#"{"jsonrpc":"2.0"}"#, "220 mail.example.org ESMTP", "[]"] {
        let daemon = FakeDaemon::start(hello, |_| Answer::Silence);
        let lines = [
            "error: the answer is not understood",
            "cause: ",
            "hint: check that this is the socket of zmesd",
        ];
        assert_fails(daemon.command("status"), 8, "version", lines);
    }
    let daemon = FakeDaemon::saying(r#"{"ok":{"version":7}}"#);
    let lines =
        ["error: the answer is not understood", "cause: ", "hint: check that this is the socket of zmesd"];
    assert_fails(daemon.command("status"), 8, "version", lines);
    let daemon = FakeDaemon::answering("item-alarm");
    assert_eq!(daemon.run("status").code, Some(8));
    let daemon = FakeDaemon::answering("reply-status");
    assert_eq!(daemon.run("watch").code, Some(8));
}

#[test]
fn a_daemon_that_does_not_answer_in_time() {
    let lines = ["error: zmesd did not answer within 50 ms", "", "hint: if zmesd is busy"];
    let mute = FakeDaemon::start("", |_| Answer::Silence);
    assert_fails(mute.command("status --timeout 50ms"), 6, "timeout", lines);
    assert_fails(mute.command("watch --timeout 50ms"), 6, "timeout", lines);
    let slow = FakeDaemon::start(HELLO, |_| Answer::Silence);
    assert_fails(slow.command("alarm test --wait --timeout 50ms"), 6, "timeout", lines);
}

#[test]
fn a_daemon_that_goes_away_in_the_middle() {
    let daemon = FakeDaemon::start(HELLO, |_| Answer::LinesThenClose(Vec::new()));
    let lines = ["error: zmesd closed the connection before it answered", "", "hint: systemctl status zmesd"];
    assert_fails(daemon.command("status"), 3, "unreachable", lines);
    let daemon = FakeDaemon::start(HELLO, |_| Answer::LinesThenClose(vec![r#"{"id":1,"ok":{"#.to_owned()]));
    assert_eq!(daemon.run("status").code, Some(8));
}

#[test]
fn what_the_daemon_refuses() {
    let table = [
        ("not_found", 4),
        ("forbidden", 5),
        ("timeout", 6),
        ("unsupported", 8),
        ("busy", 1),
        ("unavailable", 1),
        ("conflict", 1),
        ("config_invalid", 1),
        ("bad_request", 1),
        ("too_large", 1),
        ("internal", 1),
    ];
    for (code, exit) in table {
        let daemon = FakeDaemon::answering(&format!("error-{code}"));
        assert_fails(
            daemon.command("reload"),
            exit,
            code,
            ["error: no, for a reason", "", "hint: do something else"],
        );
        assert_eq!(daemon.run("watch --jsonl").code, Some(exit), "{code}");
    }
    let daemon = FakeDaemon::answering("error-unread");
    assert_fails(daemon.command("reload"), 1, "bad_request", ["error: not JSON: expected value", "", ""]);
}

#[test]
fn a_daemon_that_refuses_before_it_greets() {
    let daemon = FakeDaemon::start(&fixture("error-busy"), |_| Answer::Silence);
    assert_fails(
        daemon.command("status"),
        1,
        "busy",
        ["error: no, for a reason", "", "hint: do something else"],
    );
}

#[test]
fn a_message_of_many_lines_stays_readable() {
    let error = json!({"error": {"code": "config_invalid", "hint": null,
        "message": "the configuration has 2 problems\nline 14: push.url: \u{1b}[31mbad\nline 31: unknown key"}});
    let run = FakeDaemon::saying(&error.to_string()).run("reload");
    let expected = "error: the configuration has 2 problems\n  line 14: push.url: \\u{1b}[31mbad\n  line 31: unknown key\n\
                    hint: zmesctl config check shows every problem\n";
    assert_eq!((run.code, run.stderr.as_str()), (Some(1), expected));
}

#[test]
fn a_wrong_command_line() {
    let table = [
        ("statu", "a similar subcommand exists: 'status'"),
        ("clients lst", "a similar subcommand exists: 'list'"),
        ("status --jsno", "a similar argument exists: '--json'"),
        ("status --json --jsonl", "zmesctl --help"),
        ("--json status --jsonl", "zmesctl --help"),
        ("alarm force", "zmesctl --help"),
        ("alarm force --monitor 99999999999", "zmesctl --help"),
        ("alarm force --monitor 1 --for 2h", "zmesctl --help"),
        ("clients disconnect", "name them, select with --user, --state or --address, or use --all"),
        ("clients list --address garden", "zmesctl --help"),
        ("status --timeout 5", "zmesctl --help"),
        ("status --color pink", "zmesctl --help"),
        ("watch --count 0", "zmesctl --help"),
        ("check everything", "zmesctl --help"),
        ("check ping --within 14d", "zmesctl check tls --within 14d"),
        ("completions tcsh", "a similar value exists: 'zsh'"),
        ("clients", "zmesctl --help"),
        ("", "zmesctl --help"),
    ];
    for (line, hint) in table {
        let run = Run::of(&mut zmesctl(line));
        assert_eq!(run.code, Some(2), "{line}: {run:?}");
        assert_eq!(run.stdout.is_empty(), !line.contains("--json"), "{line}: {run:?}");
        // Without a command there is no mistake to report: the help shows what exists.
        assert_eq!(
            run.stderr.starts_with("error: "),
            !["clients", ""].contains(&line),
            "{line}: {}",
            run.stderr
        );
        if hint != "zmesctl --help" {
            assert!(run.stderr.contains(&format!("hint: {hint}")), "{line}: {}", run.stderr);
        }
        let run = Run::of(zmesctl(line).arg("--json"));
        assert_eq!(run.json()["error"]["code"], "usage", "{line}: {run:?}");
        assert_eq!(run.json()["error"]["hint"], hint, "{line}: {run:?}");
    }
}

#[test]
fn a_usage_error_says_all_of_it_in_one_line() {
    let run = Run::of(&mut zmesctl("alarm force --json"));
    let message = "the following required arguments were not provided: --monitor <ID|NAME>";
    assert_eq!(run.json()["error"]["message"], message);
    assert!(run.stderr.starts_with(&format!("error: {message}\n\nUsage: zmesctl alarm force")), "{run:?}");
    let run = Run::of(&mut zmesctl("completions tcsh"));
    let start = "error: invalid value 'tcsh' for '<SHELL>' [possible values: bash, zsh, fish]\n\
                 hint: a similar value exists: 'zsh'\n";
    assert!(run.stderr.starts_with(start), "{run:?}");
}

#[test]
fn nobody_reads_the_output() {
    let commands =
        [("clients list", "reply-clients_list"), ("--json status", "reply-status"), ("watch", "item-alarm")];
    for (line, reply) in commands {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let daemon = FakeDaemon::answering(reply);
        let run = Run::of(daemon.command(line).stdout(writer));
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{line}");
    }
    for line in ["--help", "completions bash", "help clients list", "status --bad --json"] {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let run = Run::of(zmesctl(line).stdout(writer));
        assert_eq!(run.code, Some(if line.contains("bad") { 2 } else { 0 }), "{line}");
        assert!(!run.stderr.contains("panicked"), "{line}: {}", run.stderr);
    }
}

#[test]
fn a_full_disk_is_an_error() {
    if !Path::new("/dev/full").exists() {
        return;
    }
    let full = std::fs::File::create("/dev/full").unwrap();
    let run = Run::of(FakeDaemon::answering("reply-status").command("status").stdout(full));
    assert_eq!(run.code, Some(1));
    let expected = "error: cannot write the output\ncause: no space left on device\n\
                    hint: check the free space with df, and that you can write the file\n";
    assert_eq!(run.stderr, expected);
}

#[test]
fn hostile_names_do_not_reach_the_terminal() {
    let hostile = "a\u{1b}]0;owned\u{7}b\u{9b}2Jc\u{7f}d\u{202e}e\nf\rg";
    let harmless = |run: &Run, line: &str| {
        let commands = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(!run.stdout.contains(commands) && !run.stderr.contains(commands), "{line}: {run:?}");
    };
    let poisoned = [
        ("clients list", "reply-clients_list", ["admin", "zmNinja 1.6.008", "192.0.2.7:50432"]),
        ("monitors list", "reply-monitors_list", ["Front", "Garage", "zmc does not write"]),
        ("status", "reply-status-degraded", ["connection refused", "no space left", "0.2.0"]),
        ("alarm test", "reply-alarm_test", ["the proxy answered 502", "filter", "1a2b3c4d"]),
        ("check all", "reply-check", ["the certificate ends", "renew it", "poller and router"]),
        ("doctor", "reply-doctor", ["8801: tcp", "in force", "renew it"]),
        ("config show", "reply-config_show", ["zmesd.toml", "REDACTED", "zoneminder"]),
        ("clients disconnect 4 --yes", "error-not_found", ["for a reason", "do something", "no,"]),
        ("watch --count 1", "item-alarm", ["Garage", "Motion: door", "\"poll"]),
        ("watch --count 1", "item-session-closed", ["198.51.100.23", "authentication timeout", "pending"]),
        ("watch --count 1", "item-session-tried", ["198.51.100.23", "bad authentication", "amy"]),
        ("clients rejected", "reply-clients_rejected", ["zm.lan", "amy", "wrong password"]),
    ];
    for (line, reply, places) in poisoned {
        let escaped = serde_json::to_string(hostile).unwrap();
        let text = places.iter().fold(fixture(reply), |text, place| {
            assert!(text.contains(place), "{reply} has no {place}");
            text.replace(place, &format!("{place}{}", escaped.trim_matches('"')))
        });
        for format in ["", "--json", "--jsonl", "--color always"] {
            let daemon = FakeDaemon::saying(&text);
            let line = format!("{line} {format}");
            let run = daemon.run(&line);
            if format != "--color always" {
                harmless(&run, &line);
            }
            assert!(!run.stdout.contains("\u{1b}]") && !run.stdout.contains('\u{9b}'), "{line}: {run:?}");
        }
    }
}
