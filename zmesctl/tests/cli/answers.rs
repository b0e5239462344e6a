//! Each command: its request, its output for programs and people, its exit code.

use serde_json::{Value, json};

use crate::fake::{FakeDaemon, HELLO, fixture, member};

/// (command line, fixture of the request, fixture of the answer, words for people, exit code)
pub(crate) const COMMANDS: [(&str, &str, &str, &str, i32); 58] = [
    ("status", "request-status", "reply-status", "monitors    11 of 12 watched, 1 stale", 0),
    ("clients list", "request-clients_list", "reply-clients_list", "192.0.2.7:50432", 0),
    (
        "clients list --user a* --state pending --address 192.0.2.0/24",
        "request-clients_list-filtered",
        "reply-clients_list-empty",
        "No matching clients.",
        0,
    ),
    (
        "clients rejected --since 1h",
        "request-clients_rejected-since",
        "reply-clients_rejected",
        "wrong_name: use a name of the certificate in the app",
        0,
    ),
    (
        "clients rejected",
        "request-clients_rejected",
        "reply-clients_rejected-empty",
        "No client was refused.",
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
        "Dry run, nothing was sent: an alarm of monitor 3: no app is connected",
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
    (
        "check all",
        "request-check",
        "reply-check",
        "ZMESD CRITICAL - all: 1 of 3 does not hold\n  OK ping: poller and router move",
        1,
    ),
    (
        "check tls --within 14d",
        "request-check-tls",
        "reply-check-perf",
        "ZMESD WARNING - tls: CN=zm is valid until 2026-11-11 12:00:00, 9 days more (renew it) | tls_days=9;14:;0:\n",
        1,
    ),
    (
        "log level zmesd::ws=debug --for 10m",
        "request-log_level",
        "reply-log_level",
        "log level zmesd::ws=debug for 10 min (was info)",
        0,
    ),
    ("reload", "request-reload", "reply-reload", "needs a restart  server.listen", 0),
    (
        "config show",
        "request-config_show",
        "reply-config_show",
        "# /etc/zmesd/zmesd.toml, as the running daemon uses it; secrets are hidden\n[server]\n",
        0,
    ),
    (
        "status --timeout 1m",
        "request-status",
        "reply-status-degraded",
        "database down: connection refused",
        0,
    ),
    ("tokens list", "request-tokens_list", "reply-tokens_list", "9f00e1d2", 0),
    (
        "tokens list --platform ios --user a* --state enabled --stale 60d --failing --reveal",
        "request-tokens_list-filtered",
        "reply-tokens_list-empty",
        "No matching tokens.",
        0,
    ),
    (
        "tokens show 1a2b3c4d",
        "request-tokens_show",
        "reply-tokens_show",
        ": 503: try again later (4 times)",
        0,
    ),
    ("tokens show 1a2b3c4d --reveal", "request-tokens_show-revealed", "reply-tokens_show", "of amy", 0),
    ("tokens log 1a2b3c4d", "request-tokens_log", "reply-tokens_log", "503: try again later", 0),
    (
        "tokens log 1a2b3c4d --limit 20",
        "request-tokens_log-limited",
        "reply-tokens_log-empty",
        "No decisions",
        0,
    ),
    (
        "tokens revoke 1a2b3c4d 9f 1a2b3c4d --yes",
        "request-tokens_revoke",
        "reply-tokens_revoke",
        "failed 9f: no token is called 9f (there are: 1a2b3c4d, c0ffee00)",
        7,
    ),
    (
        "tokens revoke 1a2b3c4d --dry-run",
        "request-tokens_revoke-dry_run",
        "reply-tokens_revoke-dry_run",
        "token 1a2b3c4d (ios, admin, zmninja): would be revoked",
        0,
    ),
    (
        "tokens restore 1a2b3c4d",
        "request-tokens_restore",
        "reply-tokens_restore",
        "token 1a2b3c4d (ios, admin, zmninja): restored",
        0,
    ),
    (
        "tokens block 1a2b3c4d --yes",
        "request-tokens_block",
        "reply-tokens_block",
        "token 1a2b3c4d (ios, admin, zmninja): blocked; the app cannot register it again",
        0,
    ),
    (
        "tokens block --user bob --dry-run",
        "request-tokens_block-selected",
        "reply-tokens_block-dry_run",
        "token 1a2b3c4d (ios, admin, zmninja): would be blocked",
        0,
    ),
    (
        "tokens unblock 1a2b3c4d",
        "request-tokens_unblock",
        "reply-tokens_unblock",
        "it stays revoked until its app is opened",
        0,
    ),
    (
        "tokens mute 1a2b3c4d --for 1h",
        "request-tokens_mute",
        "reply-tokens_mute",
        "token c0ffee00 (android, bob): muted until 2026-11-02 11:00:05",
        0,
    ),
    ("tokens mute 1a2b3c4d", "request-tokens_mute-unlimited", "reply-tokens_mute", "muted until", 0),
    ("tokens unmute 1a2b3c4d", "request-tokens_unmute", "reply-tokens_unmute", "unmuted", 0),
    (
        "tokens prune --stale 60d --yes",
        "request-tokens_prune",
        "reply-tokens_prune",
        "2 tokens: revoked (zmesctl tokens restore or opening the app undoes it; zmesctl tokens block is permanent)",
        0,
    ),
    (
        "tokens prune --stale 60d --dry-run",
        "request-tokens_prune-dry_run",
        "reply-tokens_prune-none",
        "no token revoked",
        0,
    ),
    (
        "badges reset 1a2b3c4d",
        "request-badges_reset",
        "reply-badges_reset",
        "token 1a2b3c4d (ios, admin, zmninja): badge set to 0",
        0,
    ),
    (
        "badges reset --all --to 3 --yes",
        "request-badges_reset-all",
        "reply-badges_reset-many",
        "(and 11999 more)",
        0,
    ),
    ("push check", "request-push_check", "reply-push_check", "FAIL fcm:zmninja (fcm.example.org:443)", 1),
    (
        "push check fcm",
        "request-push_check-fcm",
        "reply-push_check-none",
        "No push transport is configured",
        0,
    ),
    ("push queue", "request-push_queue", "reply-push_queue", "2 pushes are queued.", 0),
    (
        "push retry",
        "request-push_retry",
        "reply-push_retry",
        "fcm:zmninja: ended a pause of another 27 s; 2 pushes are queued: the first is sent now",
        0,
    ),
    (
        "push retry fcm",
        "request-push_retry-fcm",
        "reply-push_retry",
        "proxy: it was not paused; 0 pushes are queued",
        0,
    ),
    ("why 32910", "request-why", "reply-why", "an admin muted this token", 0),
    ("why 32910 --token 1a2b3c4d", "request-why-token", "reply-why-unseen", "is not watched", 0),
    ("latency", "request-latency", "reply-latency", "4.10 s", 0),
    ("doctor", "request-doctor", "reply-doctor", "First error: push proxy: push.example.org:8801: tcp", 1),
    ("doctor 1a2b3c4d --monitor 3", "request-doctor-token", "reply-doctor-token", "token 1a2b3c4d:\n", 0),
    ("check push", "request-check-push", "reply-check-tls", "ZMESD OK - tls: valid until 2027-02-01\n", 0),
    ("check store", "request-check-store", "reply-check-tls", "ZMESD OK - tls", 0),
    ("check store --nagios", "request-check-store", "reply-check", "ZMESD CRITICAL - all", 2),
    ("check tls --within 14d --nagios", "request-check-tls", "reply-check-perf", "ZMESD WARNING - tls", 1),
    (
        "tokens revoke --user a* --platform ios --stale 60d --yes",
        "request-tokens_revoke-selected",
        "reply-tokens_prune",
        "2 tokens: revoked",
        0,
    ),
    (
        "tokens mute 1a2b3c4d 9f --for 1h",
        "request-tokens_mute-several",
        "reply-tokens_mute",
        "muted until 2026-11-02 11:00:05",
        0,
    ),
    (
        "tokens mute --monitor 3 --failing --dry-run",
        "request-tokens_mute-selected",
        "reply-tokens_mute",
        "muted until",
        0,
    ),
    ("tokens unmute --all --yes", "request-tokens_unmute-all", "reply-tokens_unmute", "unmuted", 0),
    (
        "tokens prune --stale 60d --platform ios --dry-run",
        "request-tokens_prune-selected",
        "reply-tokens_prune-dry_run",
        "would be revoked",
        0,
    ),
    ("tokens list --monitor 3", "request-tokens_list-monitor", "reply-tokens_list", "9f00e1d2", 0),
    (
        "why 32000 --token 1a2b3c4d",
        "request-why-unseen",
        "reply-why-notes",
        "zmesd started at 2026-11-02 10:00:00",
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

/// Returns the member whose elements become lines of `--jsonl`; `None` if the answer is a single thing.
fn elements(reply: &str) -> Option<&'static str> {
    match reply.split('-').nth(1).unwrap() {
        "clients_list" => Some("clients"),
        "clients_rejected" => Some("rejected"),
        "monitors_list" => Some("monitors"),
        "tokens_list" => Some("tokens"),
        "tokens_log" | "push_queue" => Some("deliveries"),
        "push_check" => Some("checks"),
        "push_retry" => Some("transports"),
        "why" => Some("targets"),
        "doctor" => Some("findings"),
        "latency" => Some("stages"),
        _ => None,
    }
}

#[test]
fn jsonl_has_one_line_for_each_element_of_a_list() {
    for (line, _, reply, _, code) in COMMANDS {
        let run = FakeDaemon::answering(reply).run(&format!("{line} --jsonl"));
        let ok = member(reply, "ok");
        let expected = match elements(reply) {
            Some(list) => ok[list].as_array().unwrap().clone(),
            None => vec![ok],
        };
        assert_eq!((run.code, run.jsonl()), (Some(code), expected), "{line}");
    }
}

/// Returns what `-q` prints for a list: the bare ids and handles; `None` if the answer is not a list of named things.
fn names(reply: &str) -> Option<Vec<String>> {
    let (list, name) = match reply.split('-').nth(1).unwrap() {
        "clients_list" => ("clients", "id"),
        "clients_rejected" => ("rejected", "address"),
        "monitors_list" => ("monitors", "id"),
        "tokens_list" => ("tokens", "handle"),
        _ => return None,
    };
    let name_of = |element: &Value| element[name].to_string().trim_matches('"').to_owned();
    Some(member(reply, "ok")[list].as_array().unwrap().iter().map(name_of).collect())
}

#[test]
fn quiet_says_nothing_where_all_is_well_and_of_lists_the_names() {
    for (line, _, reply, words, code) in COMMANDS {
        let run = FakeDaemon::answering(reply).run(&format!("-q {line}"));
        assert_eq!(run.code, Some(code), "{line}");
        if let Some(names) = names(reply) {
            assert_eq!(run.stdout.lines().collect::<Vec<_>>(), names, "{line}");
            continue;
        }
        // A requested text is itself the answer.
        let document = line == "config show";
        assert_eq!(run.stdout.contains(words), code != 0 || document, "{line}: {}", run.stdout);
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
    // Sent with the greeting, because the fake gives every later answer the id of its request.
    let daemon = FakeDaemon::start(&format!("{HELLO}\n{other}"), move |_| {
        crate::fake::Answer::Lines(vec![mine.clone()])
    });
    let run = daemon.run("reload --json");
    assert_eq!((run.code, run.json()), (Some(0), member("reply-reload", "ok")));
}
