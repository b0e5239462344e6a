//! Each command: what it asks, what programs and people get, how it exits.

use serde_json::{Value, json};

use crate::fake::{FakeDaemon, HELLO, fixture, member};

/// (command line, fixture of the request, fixture of the answer, words for people, exit code)
const COMMANDS: [(&str, &str, &str, &str, i32); 16] = [
    ("status", "request-status", "reply-status", "monitors    11 of 12 watched, 1 stale", 0),
    ("clients list", "request-clients_list", "reply-clients_list", "192.0.2.7:50432", 0),
    (
        "clients list --user a* --state pending --address 192.0.2.0/24",
        "request-clients_list-filtered",
        "reply-clients_list-empty",
        "No such client is connected.",
        0,
    ),
    (
        "clients disconnect 4 --yes",
        "request-clients_disconnect",
        "reply-clients_disconnect",
        "client 4 disconnected",
        0,
    ),
    ("monitors list", "request-monitors_list", "reply-monitors_list", "Garden behind the house", 0),
    (
        "monitors reload",
        "request-monitors_reload",
        "reply-monitors_reload",
        "12 monitors (2 added, 1 removed), rights of 5 users",
        0,
    ),
    ("alarm test", "request-alarm_test", "reply-alarm_test", "1 sent, 1 skipped, 1 failed", 7),
    (
        "alarm test --monitor 3 --token 1a2b3c4d --dry-run --wait",
        "request-alarm_test-chosen",
        "reply-alarm_test-dry_run",
        "nobody would get it",
        0,
    ),
    (
        "alarm force --monitor 3",
        "request-alarm_force",
        "reply-alarm_force",
        "forced for 10 s (through shm)",
        0,
    ),
    (
        "alarm cancel --monitor 3",
        "request-alarm_cancel",
        "reply-alarm_cancel",
        "cancelled (through zmtrigger)",
        0,
    ),
    ("check all", "request-check", "reply-check", "FAIL all: 1 of 3 does not hold\n  OK ping", 1),
    ("check tls --within 14d", "request-check-tls", "reply-check-tls", "OK tls: valid until 2027-02-01\n", 0),
    (
        "log level zmesd::ws=debug --for 10m",
        "request-log_level",
        "reply-log_level",
        "log level zmesd::ws=debug for 10 min, before: info",
        0,
    ),
    ("reload", "request-reload", "reply-reload", "needs a restart  server.listen", 0),
    (
        "config show",
        "request-config_show",
        "reply-config_show",
        "# /etc/zmesd/zmesd.toml, as it is in force; secrets are hidden\n[server]\n",
        0,
    ),
    (
        "status --timeout 1m",
        "request-status",
        "reply-status-degraded",
        "database down: connection refused",
        0,
    ),
];

#[test]
fn each_command_asks_what_it_should_and_people_read_the_answer() {
    for (line, request, reply, words, code) in COMMANDS {
        let daemon = FakeDaemon::answering(reply);
        let run = daemon.run(line);
        assert_eq!(run.code, Some(code), "{line}: {run:?}");
        assert!(run.stdout.contains(words), "{line}: {}", run.stdout);
        assert!(!run.stdout.contains('\u{1b}'), "{line}: colours in a pipe");
        assert_eq!(run.stderr, "", "{line}");
        assert_eq!(daemon.requests(), [member(request, "request")], "{line}");
    }
}

#[test]
fn programs_get_the_answer_as_the_daemon_gave_it() {
    for (line, _, reply, _, code) in COMMANDS {
        let daemon = FakeDaemon::answering(reply);
        let run = daemon.run(&format!("--json {line}"));
        assert_eq!((run.code, run.json()), (Some(code), member(reply, "ok")), "{line}");
        let run = daemon.run(&format!("{line} --json"));
        assert_eq!((run.code, run.json()), (Some(code), member(reply, "ok")), "{line}");
    }
}

#[test]
fn jsonl_has_one_line_for_each_element_of_a_list() {
    for (line, _, reply, _, code) in COMMANDS {
        let run = FakeDaemon::answering(reply).run(&format!("{line} --jsonl"));
        let ok = member(reply, "ok");
        let list = ok.get("clients").or_else(|| ok.get("monitors")).and_then(Value::as_array);
        // `status` and `monitors reload` have members of these names too, which are no lists.
        let expected = if line.ends_with("list") { list.unwrap().clone() } else { vec![ok.clone()] };
        if !line.contains("--state") {
            assert_eq!((run.code, run.jsonl()), (Some(code), expected), "{line}");
        } else {
            assert_eq!((run.code, run.stdout.as_str()), (Some(0), ""), "{line}");
        }
    }
}

#[test]
fn quiet_says_nothing_where_all_is_well() {
    for (line, _, reply, words, code) in COMMANDS {
        let run = FakeDaemon::answering(reply).run(&format!("-q {line}"));
        assert_eq!(run.code, Some(code), "{line}");
        assert_eq!(run.stdout.contains(words), code != 0, "{line}: {}", run.stdout);
    }
}

#[test]
fn a_test_alarm_exits_with_what_became_of_its_targets() {
    let table: [(&[&str], i32); 6] = [
        (&[], 0),
        (&["sent", "sent"], 0),
        (&["sent", "skipped"], 0),
        (&["skipped"], 0),
        (&["sent", "failed", "skipped"], 7),
        (&["failed", "skipped"], 1),
    ];
    for (decisions, code) in table {
        let targets: Vec<_> = decisions
            .iter()
            .map(|decision| json!({"kind": "session", "id": "4", "decision": decision, "reason": "", "latency_ms": null}))
            .collect();
        let ok = json!({"event_id": 1, "monitor_id": 2, "dry_run": false, "targets": targets});
        let run = FakeDaemon::saying(&json!({"ok": ok}).to_string()).run("alarm test --json");
        assert_eq!((run.code, run.json()), (Some(code), ok), "{decisions:?}");
    }
}

#[test]
fn members_of_a_newer_daemon_do_not_disturb() {
    let mut reply: Value = serde_json::from_str(&fixture("reply-status")).unwrap();
    reply["ok"]["weather"] = json!("rain");
    let run = FakeDaemon::saying(&reply.to_string()).run("status --json");
    assert_eq!((run.code, run.json()["pid"].clone()), (Some(0), json!(812)));
}

#[test]
fn an_answer_to_somebody_else_is_passed_over() {
    let other = r#"{"id":99,"ok":{"done":"not for you"}}"#;
    let mine = fixture("reply-reload");
    // The fake gives each line the id of the request; a line that is not an object keeps its own.
    let daemon = FakeDaemon::start(&format!("{HELLO}\n{other}"), move |_| {
        crate::fake::Answer::Lines(vec![mine.clone()])
    });
    let run = daemon.run("reload --json");
    assert_eq!((run.code, run.json()), (Some(0), member("reply-reload", "ok")));
}
