//! `watch`: the stream, and each way in which it ends.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::fake::{Answer, FakeDaemon, HELLO, fixture, member};

const STATE: [&str; 2] = ["item-monitor", "item-session"];
const CHANGES: [&str; 8] = [
    "item-alarm",
    "item-decision",
    "item-decision-skipped",
    "item-delivery",
    "item-delivery-failed",
    "item-session-closed",
    "item-monitor-changed",
    "item-lagged",
];

fn lines(end: bool) -> Vec<String> {
    let names = STATE.into_iter().chain(CHANGES).chain(end.then_some("end"));
    names.map(fixture).collect()
}

fn streaming(end: bool) -> FakeDaemon {
    FakeDaemon::start(HELLO, move |_| Answer::Lines(lines(end)))
}

fn items() -> Vec<Value> {
    STATE.iter().chain(&CHANGES).map(|name| member(name, "item")).collect()
}

#[test]
fn people_read_one_line_for_each_event() {
    let run = streaming(false).run("watch --count 10");
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    // The events are of a different day than the test run, so each line has its date.
    let expected = "\
2026-11-02 10:00:05.000  monitor   2 Garage: idle, source shm
2026-11-02 10:00:05.000  client    4 (admin, zmNinja 1.6.008, 192.0.2.7:50432): authenticated
2026-11-02 10:00:07.512  ALARM     #12 monitor 2 Garage, event 32910: Motion: door
2026-11-02 10:00:07.512  decision  #12 client 4: sent
2026-11-02 10:00:07.512  decision  #12 client 17: skipped (filter)
2026-11-02 10:00:07.514  delivery  #12 client 4: sent after 2 ms
2026-11-02 10:00:07.892  delivery  #12 token 1a2b3c4d: failed after 380 ms (the proxy answered 502)
2026-11-02 10:00:12.000  client    18 (not authenticated, 198.51.100.23:4711): closed (authentication timeout)
2026-11-02 10:00:30.000  monitor   4 Porch: down, source none (its zmc has ended)
2026-11-02 10:00:40.000  lagged    7 events are missing here: zmesctl read too slowly
";
    assert_eq!(run.stdout, expected);
}

#[test]
fn programs_read_the_events_as_they_came() {
    for format in ["--json", "--jsonl"] {
        let run = streaming(false).run(&format!("watch --count 10 {format}"));
        assert_eq!((run.code, run.jsonl()), (Some(0), items()), "{format}");
        assert!(
            run.stdout.starts_with(r#"{"at":"2026-11-02T10:00:05Z","type":"monitor","#),
            "{}",
            run.stdout
        );
    }
}

#[test]
fn each_line_counts_the_state_at_the_start_too() {
    let run = streaming(false).run("watch --count 3 --jsonl");
    assert_eq!((run.code, run.jsonl()), (Some(0), items().into_iter().take(3).collect()));
}

#[test]
fn the_end_of_the_daemon_is_exit_3_unless_enough_has_come() {
    let run = streaming(true).run("watch --count 11");
    assert_eq!(run.code, Some(3));
    assert_eq!(run.stdout.lines().count(), 10);
    assert!(
        run.stderr.starts_with("error: zmesd ended the stream\ncause: the daemon is stopping\n"),
        "{}",
        run.stderr
    );
    assert_eq!(streaming(true).run("watch --count 10").code, Some(0));
    let killed = FakeDaemon::start(HELLO, |_| Answer::LinesThenClose(lines(false)));
    assert_eq!(killed.run("watch").code, Some(3));
}

#[test]
fn the_time_is_over() {
    let run = streaming(false).run("watch --duration 300ms -q");
    assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (Some(0), "", ""));
}

#[test]
fn an_event_of_a_newer_daemon_reaches_programs_whole() {
    let item = json!({"item": {"at": "2026-11-02T10:00:00Z", "type": "weather", "rain": true}});
    let daemon = FakeDaemon::saying(&item.to_string());
    assert_eq!(daemon.run("watch --count 1 --jsonl").jsonl(), [item["item"].clone()]);
    assert_eq!(daemon.run("watch --count 1").stdout, "");
}

#[test]
fn an_end_says_how_long_the_alarm_lasted_and_lines_about_it_say_so() {
    let told = |name: &str| {
        let daemon = FakeDaemon::saying(&json!({"item": member(name, "item")}).to_string());
        daemon.run("watch --count 1").stdout
    };
    let end = told("item-alarm-end");
    assert!(end.contains("END       #14 monitor 2 Garage, event 32910: ended after 41 s\n"), "{end}");
    let decision = told("item-decision-end");
    assert!(decision.contains("#14 end to token 1a2b3c4d: skipped (muted)\n"), "{decision}");
    let delivery = told("item-delivery-end");
    assert!(
        delivery.contains("#14 end to token 1a2b3c4d: skipped after 200 ms (not started)\n"),
        "{delivery}"
    );
}

#[test]
fn labels_that_become_known_have_a_line_of_their_own() {
    let daemon = FakeDaemon::saying(&json!({"item": member("item-alarm-update", "item")}).to_string());
    let told = daemon.run("watch --count 1").stdout;
    assert!(told.contains("LABELS    #15 monitor 2 Garage, event 32910: person 95 %\n"), "{told}");
}

#[test]
fn the_filter_is_the_daemons_business() {
    let daemon = streaming(false);
    daemon.run("watch --count 1 --monitor 3 --token 1a2b3c4d --since 32910");
    assert_eq!(daemon.requests(), [member("request-watch-since_event", "request")]);
    let daemon = streaming(false);
    daemon.run("watch --count 1 --since 2026-11-02T10:00:00+01:00");
    let mut expected = member("request-watch-since_time", "request");
    expected["troubles"] = json!(true);
    assert_eq!(daemon.requests(), [expected]);
    let daemon = streaming(false);
    daemon.run("watch --count 1 --token -Xk3bQ9_aZ");
    assert_eq!(daemon.requests()[0]["token"], "-Xk3bQ9_aZ", "the end of a token may begin with a dash");
}

#[test]
fn control_c_ends_it_quietly() {
    let daemon = streaming(false);
    let mut command = daemon.command("watch");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut first).unwrap();
    assert!(first.contains("Garage"), "{first}");
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}
