//! `clients disconnect`: nothing is destroyed by accident.

use serde_json::{Value, json};

use crate::fake::{Answer, FakeDaemon, HELLO, fixture, member, on_a_terminal};

fn daemon() -> FakeDaemon {
    FakeDaemon::start(HELLO, |request| {
        let kind = request["type"].as_str().unwrap();
        Answer::Lines(vec![fixture(&format!("reply-{kind}"))])
    })
}

fn asked(daemon: &FakeDaemon) -> Vec<Value> {
    daemon.requests().iter().map(|request| request["type"].clone()).collect()
}

#[test]
fn a_script_has_to_say_yes() {
    let daemon = daemon();
    let run = daemon.run("clients disconnect 4");
    assert_eq!(run.code, Some(2));
    let expected = "error: disconnecting client 4 needs a confirmation, but stdin is not a terminal\n\
                    hint: zmesctl clients disconnect 4 --yes\n";
    assert_eq!(run.stderr, expected);
    assert_eq!(asked(&daemon), [] as [Value; 0]);
    assert_eq!(daemon.run("clients disconnect 4 --yes").code, Some(0));
    assert_eq!(asked(&daemon), ["clients_disconnect"]);
}

#[test]
fn a_dry_run_shows_who_would_go() {
    let daemon = daemon();
    let run = daemon.run("clients disconnect 4 --dry-run");
    assert_eq!(run.stdout, "would disconnect client 4 (admin, zmNinja 1.6.008, 192.0.2.7:50432)\n");
    let run = daemon.run("clients disconnect 4 --yes --dry-run --json");
    let client = &member("reply-clients_list", "ok")["clients"][0];
    assert_eq!((run.code, run.json()), (Some(0), json!({"dry_run": true, "client": client})));
    assert_eq!(asked(&daemon), ["clients_list", "clients_list"]);
}

#[test]
fn a_client_that_is_not_there_is_exit_4() {
    let run = daemon().run("clients disconnect 99 --dry-run --json");
    assert_eq!(run.code, Some(4));
    let error =
        json!({"code": "not_found", "message": "no client 99", "hint": "zmesctl clients list shows the ids"});
    assert_eq!(run.json(), json!({"error": error}));
    let run = FakeDaemon::answering("error-not_found").run("clients disconnect 99 --yes");
    assert_eq!(run.code, Some(4));
}

#[test]
fn a_person_is_asked() {
    for (typed, code, requests) in [
        ("y\n", 0, &["clients_list", "clients_disconnect"][..]),
        ("\n", 1, &["clients_list"]),
        ("n\n", 1, &["clients_list"]),
    ] {
        let daemon = daemon();
        let Some(run) = on_a_terminal(&daemon, "clients disconnect 4", typed) else {
            println!("skipped: no `script` here");
            return;
        };
        assert_eq!(run.code, Some(code), "{run:?}");
        assert!(
            run.stdout.contains("client 4 (admin, zmNinja 1.6.008, 192.0.2.7:50432), connected"),
            "{run:?}"
        );
        assert_eq!(asked(&daemon), requests, "{run:?}");
    }
}
