//! `tokens import`: files of every generation, what is sent, and what is reported.

use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::fake::{Answer, FakeDaemon, HELLO, Run};

const FILE: &str = "one:1,2:0,60:ios:enabled\n\
                    broken:1:0:windows:enabled\n\
                    two:APA91:::android:disabled\n\
                    one:3:0:ios:enabled\n";

/// Accepts each token, but refuses those named `no…`.
fn daemon() -> FakeDaemon {
    FakeDaemon::start(HELLO, |request| {
        let tokens = request["tokens"].as_array().unwrap().iter().map(|token| {
            if token["token"].as_str().unwrap().starts_with("no") {
                json!({"handle": null, "outcome": "refused", "reason": "not today"})
            } else {
                json!({"handle": "1a2b3c4d", "outcome": "added"})
            }
        });
        let ok = json!({"dry_run": request["dry_run"], "tokens": tokens.collect::<Vec<_>>()});
        Answer::Lines(vec![json!({ "ok": ok }).to_string()])
    })
}

fn file(daemon: &FakeDaemon, text: &[u8]) -> PathBuf {
    let file = daemon.directory.path().join("tokens.txt");
    std::fs::write(&file, text).unwrap();
    file
}

fn import(daemon: &FakeDaemon, text: &str, options: &str) -> Run {
    let file = file(daemon, text.as_bytes());
    let run = daemon.run(&format!("tokens import {} {options}", file.display()));
    assert_eq!(std::fs::read(&file).unwrap(), text.as_bytes(), "the file is as it was");
    run
}

#[test]
fn what_can_be_taken_is_sent_and_the_rest_is_told() {
    let daemon = daemon();
    let run = import(&daemon, FILE, "");
    assert_eq!((run.code, run.stderr.as_str()), (Some(7), ""), "{run:?}");
    assert!(run.stdout.starts_with("2 added, 1 skipped, 1 refused (from "), "{run:?}");
    assert!(run.stdout.contains("the platform is neither ios nor android"), "{run:?}");
    assert!(run.stdout.contains("replaced by line 4"), "{run:?}");
    let record = |token: &str, monlist: &str, intlist: &str, platform: &str, pushstate: &str| {
        json!({"token": token, "monlist": monlist, "intlist": intlist, "platform": platform,
            "pushstate": pushstate, "appversion": "", "profile": ""})
    };
    let tokens =
        [record("two:APA91", "", "", "android", "disabled"), record("one", "3", "0", "ios", "enabled")];
    let expected = json!({"type": "tokens_import", "tokens": tokens, "user": "", "dry_run": false});
    assert_eq!(daemon.requests(), [expected]);
}

#[test]
fn programs_get_one_row_for_each_token() {
    let daemon = daemon();
    let report = import(&daemon, FILE, "--json --dry-run --user amy").json();
    let counts = ["added", "changed", "unchanged", "skipped", "refused"].map(|count| report[count].clone());
    assert_eq!(counts, [2, 0, 0, 1, 1].map(|count| json!(count)));
    assert_eq!((&report["format"], &report["dry_run"]), (&json!("colon"), &json!(true)));
    let expected = json!({"place": "line 3", "handle": "1a2b3c4d", "token": "…", "platform": "android",
        "monitors": "all", "outcome": "added", "reason": null});
    assert_eq!(report["tokens"][2], expected);
    let request = &daemon.requests()[0];
    assert_eq!((&request["dry_run"], &request["user"]), (&json!(true), &json!("amy")));
}

#[test]
fn json_and_windows_files_are_taken() {
    let text =
        "\u{feff}{\"tokens\":{\r\n\"a\":{\"platform\":\"ios\"},\"b\":{\"invocations\":{\"count\":1}}}}\r\n";
    let run = import(&daemon(), text, "");
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stdout.starts_with("1 added, 1 skipped"), "{run:?}");
    assert!(run.stdout.contains("only a counter, without the data of a phone"), "{run:?}");
}

#[test]
fn the_exit_code_says_how_much_was_taken() {
    for (text, code) in [
        ("yes:1:0:ios:enabled\n", 0),
        ("yes:1:0:ios:enabled\nno:1:0:ios:enabled\n", 7),
        ("no:1:0:ios:enabled\nbroken:1\n", 1),
        (":1:0:ios:enabled\n", 0),
        ("", 0),
        ("{\"tokens\":{\"yes\":{\"platform\":\"ios\"},\"cut", 7),
    ] {
        let run = import(&daemon(), text, "");
        assert_eq!(run.code, Some(code), "{text}: {run:?}");
    }
    let daemon = daemon();
    let run = import(&daemon, "\n", "");
    assert!(run.stdout.starts_with("No tokens in "), "{run:?}");
    assert_eq!(daemon.requests(), [] as [Value; 0], "nobody is asked for nothing");
}

#[test]
fn a_file_that_cannot_be_parsed_is_named_and_left_alone() {
    let daemon = daemon();
    let run = import(&daemon, "{\"tokens\":{\"a\":{\"platform\":\"ios\"}},\n \"b\" 7}", "");
    let file = daemon.directory.path().join("tokens.txt");
    let expected = format!(
        "error: {}, line 2, column 6: not valid JSON\nhint: fix the file and import it again; nothing was imported\n",
        file.display()
    );
    assert_eq!((run.code, run.stderr, run.stdout.as_str()), (Some(1), expected, ""));
    assert_eq!(daemon.requests(), [] as [Value; 0]);
    let run = daemon.run("tokens import /does/not/exist --json");
    assert_eq!((run.code, &run.json()["error"]["code"]), (Some(1), &json!("file")));
    assert!(run.stderr.contains("cause: no such file or directory"), "{run:?}");
}

#[test]
fn a_dash_reads_the_standard_input() {
    let daemon = daemon();
    let mut command = daemon.command("tokens import -");
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"one:1:0:ios:enabled").unwrap();
    let run = Run::from(child.wait_with_output().unwrap());
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert!(run.stdout.starts_with("1 added (from standard input)\n"), "{run:?}");
}

#[test]
fn many_tokens_go_in_requests_that_fit() {
    let daemon = daemon();
    let lines = (0..1000).map(|number| format!("{number:0>200}:1:0:ios:enabled"));
    let run = import(&daemon, &lines.collect::<Vec<_>>().join("\n"), "-q");
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), ""), "{run:?}");
    let requests = daemon.requests();
    let counts = requests.iter().map(|request| request["tokens"].as_array().unwrap().len());
    assert_eq!(counts.sum::<usize>(), 1000);
    assert!(requests.iter().all(|request| request.to_string().len() < 64 * 1024), "{}", requests.len());
}

#[test]
fn what_could_not_be_sent_after_some_were_is_told() {
    let daemon = FakeDaemon::start(HELLO, |request| {
        let tokens = request["tokens"].as_array().unwrap();
        if tokens.iter().any(|token| token["token"] == "stop") {
            let error = json!({"code": "busy", "message": "the router is busy", "hint": null});
            return Answer::Lines(vec![json!({ "error": error }).to_string()]);
        }
        let rows: Vec<_> = tokens.iter().map(|_| json!({"handle": "1a2b3c4d", "outcome": "added"})).collect();
        Answer::Lines(vec![json!({"ok": {"dry_run": false, "tokens": rows}}).to_string()])
    });
    let mut lines: Vec<_> = (0..200).map(|number| format!("t{number}:1:0:ios:enabled")).collect();
    lines.extend(["stop:1:0:ios:enabled".to_owned()]);
    let run = import(&daemon, &lines.join("\n"), "--json");
    let report = run.json();
    assert_eq!((run.code, &report["added"], &report["refused"]), (Some(7), &json!(200), &json!(1)));
    assert_eq!(report["tokens"][200]["reason"], "not sent: the router is busy");
    // If nothing was done, there is one error instead.
    let run = import(&daemon, "stop:1:0:ios:enabled", "");
    let expected =
        "error: the router is busy\nhint: try again; zmesctl check ping shows whether zmesd responds\n";
    assert_eq!((run.code, run.stderr.as_str()), (Some(1), expected));
}
