//! Commands that change tokens: confirmations, pages, batches, failures.

use serde_json::{Value, json};

use crate::fake::{Answer, FakeDaemon, HELLO, fixture, member, on_a_terminal};

/// Answers a dry run with what would change, and other requests with what was done.
fn daemon() -> FakeDaemon {
    FakeDaemon::start(HELLO, |request| {
        let kind = request["type"].as_str().unwrap();
        let dry = if request["dry_run"] == true { "-dry_run" } else { "" };
        Answer::Lines(vec![fixture(&format!("reply-{kind}{dry}"))])
    })
}

/// Returns for each request whether it is a dry run; a missing member means no.
fn dry_runs(daemon: &FakeDaemon) -> Vec<bool> {
    daemon.requests().iter().map(|request| request["dry_run"].as_bool().unwrap_or_default()).collect()
}

#[test]
fn a_script_has_to_say_yes_before_tokens_go() {
    for (line, what, hint) in [
        ("tokens revoke 1a2b 9f", "revoking", "zmesctl tokens revoke 1a2b 9f --yes"),
        ("tokens revoke -- -Xk3bQ9_aZ 9f", "revoking", "zmesctl tokens revoke --yes -- -Xk3bQ9_aZ 9f"),
        ("tokens prune --stale 60d", "pruning", "add --yes, or use --dry-run to see what would change"),
        ("badges reset --all", "resetting all badges", "zmesctl badges reset --all --yes"),
    ] {
        let daemon = daemon();
        let run = daemon.run(line);
        let expected =
            format!("error: {what} needs a confirmation, but stdin is not a terminal\nhint: {hint}\n");
        assert_eq!((run.code, run.stderr), (Some(2), expected), "{line}");
        assert_eq!(daemon.requests(), [] as [Value; 0]);
    }
}

#[test]
fn options_after_tokens_are_not_taken_for_tokens() {
    for (line, tokens, dry) in [
        ("tokens revoke 1a2b --yes", json!(["1a2b"]), false),
        ("tokens revoke 1a2b 9f --dry-run", json!(["1a2b", "9f"]), true),
        ("tokens revoke --yes -- -Xk3bQ9_aZ", json!(["-Xk3bQ9_aZ"]), false),
        ("badges reset 1a2b --to 3", json!(["1a2b"]), false),
        ("badges reset 1a2b 9f --dry-run", json!(["1a2b", "9f"]), true),
    ] {
        let daemon = daemon();
        let run = daemon.run(line);
        let request = &daemon.requests()[0];
        // A missing member means false.
        let asked = request["dry_run"].as_bool().unwrap_or_default();
        assert_eq!((&request["tokens"], asked), (&tokens, dry), "{line}: {run:?}");
    }
}

#[test]
fn a_person_sees_what_would_go_and_is_asked() {
    for (typed, code, dry) in [("y\n", 0, &[true, false][..]), ("\n", 1, &[true]), ("no\n", 1, &[true])] {
        let daemon = daemon();
        let Some(run) = on_a_terminal(&daemon, "tokens prune --stale 60d", typed) else {
            println!("skipped: no `script` here");
            return;
        };
        assert_eq!(run.code, Some(code), "{run:?}");
        assert!(run.stdout.contains("2 tokens:") && run.stdout.contains("c0ffee00"), "{run:?}");
        assert!(run.stdout.contains("Revoke? [y/N]"), "{run:?}");
        assert_eq!(dry_runs(&daemon), dry, "{run:?}");
    }
}

#[test]
fn nobody_is_asked_where_nothing_would_go() {
    let daemon = FakeDaemon::answering("reply-tokens_prune-none");
    let Some(run) = on_a_terminal(&daemon, "tokens prune --stale 60d", "") else {
        println!("skipped: no `script` here");
        return;
    };
    assert_eq!((run.code, dry_runs(&daemon)), (Some(0), vec![true]), "{run:?}");
    assert!(run.stdout.contains("no token revoked"), "{run:?}");
}

#[test]
fn one_token_that_is_not_there_is_exit_4() {
    let daemon = FakeDaemon::answering("reply-tokens_revoke-none");
    let run = daemon.run("tokens revoke 9f --yes --json");
    let error = json!({"code": "not_found", "message": "no token is called 9f", "hint": "there are: 1a2b3c4d, c0ffee00"});
    assert_eq!((run.code, run.json()), (Some(4), json!({ "error": error })));
    assert_eq!(run.stderr, "error: no token is called 9f\nhint: there are: 1a2b3c4d, c0ffee00\n");
}

#[test]
fn pages_of_tokens_are_one_list() {
    let daemon = FakeDaemon::start(HELLO, |request| {
        let page = if request["after"].is_null() { "reply-tokens_list-page" } else { "reply-tokens_list" };
        Answer::Lines(vec![fixture(page)])
    });
    let run = daemon.run("tokens list --json");
    let first = member("reply-tokens_list-page", "ok")["tokens"].as_array().unwrap().clone();
    let second = member("reply-tokens_list", "ok")["tokens"].as_array().unwrap().clone();
    let all = [first, second].concat();
    assert_eq!((run.code, run.json()), (Some(0), json!({ "tokens": all })));
    let after: Vec<_> = daemon.requests().iter().map(|request| request["after"].clone()).collect();
    assert_eq!(after, [json!(null), json!(1)]);
}

#[test]
fn a_page_that_does_not_advance_ends_the_list() {
    let run = FakeDaemon::answering("reply-tokens_list-page").run("tokens list --jsonl");
    assert_eq!((run.code, run.jsonl().len()), (Some(0), 2));
}

#[test]
fn more_names_than_fit_into_a_request_are_asked_for_in_several() {
    let daemon = FakeDaemon::answering("reply-tokens_revoke-none");
    let names: Vec<String> = (0..5000).map(|number| format!("{number:08x}")).collect();
    let run = daemon.run(&format!("tokens revoke {} --yes", names.join(" ")));
    // The same failure in each answer: nothing was done.
    assert_eq!(run.code, Some(4), "{run:?}");
    let requests = daemon.requests();
    assert!(requests.len() > 1, "{}", requests.len());
    let asked: Vec<_> = requests.iter().flat_map(|request| request["tokens"].as_array().unwrap()).collect();
    assert_eq!(asked, names.iter().map(|name| json!(name)).collect::<Vec<_>>().iter().collect::<Vec<_>>());
}

#[test]
fn wrong_command_lines_are_exit_2() {
    for line in [
        "tokens revoke",
        "tokens prune",
        "tokens prune --stale 60",
        "tokens mute",
        "tokens mute 1a2b --for 0s",
        "tokens list --state asleep",
        "badges reset",
        "badges reset --all 1a2b",
        "badges reset 1a2b --to -1",
        "push check pigeon",
        "why",
        "why garage",
    ] {
        let run = FakeDaemon::answering("reply-status").run(line);
        assert_eq!(run.code, Some(2), "{line}: {run:?}");
    }
    let run = FakeDaemon::answering("reply-status").run("tokens lst");
    assert!(run.stderr.contains("'list'"), "{run:?}");
}

#[test]
fn an_export_is_a_tokens_txt_of_either_age() {
    let daemon = FakeDaemon::start(HELLO, |request| {
        let page =
            if request["after"].is_null() { "reply-tokens_export-page" } else { "reply-tokens_export" };
        Answer::Lines(vec![fixture(page)])
    });
    let run = daemon.run("tokens export");
    let exported = run.json();
    let mut first = exported["tokens"]["cXyz:APA91bHPRgkFLJu6sg"].clone();
    assert!(first["invocations"]["at"].as_u64().unwrap() < 12, "{exported}");
    first["invocations"]["at"] = json!(3);
    let expected = json!({"monlist": "1,2", "intlist": "0,60", "platform": "android", "pushstate": "enabled",
        "appversion": "1.8.002", "invocations": {"count": 0, "at": 3}});
    assert_eq!(first, expected);
    let second = &exported["tokens"]["abcdef0123456789"];
    assert_eq!((&second["appversion"], &second["profile"]), (&json!("unknown"), &json!("Home")));
    assert_eq!((run.code, run.stdout.lines().count()), (Some(0), 1));

    let run = FakeDaemon::answering("reply-tokens_export").run("tokens export --format colon");
    let expected = "cXyz:APA91bHPRgkFLJu6sg:1,2:0,60:android:enabled\nabcdef0123456789:::ios:disabled\n";
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), expected));
}
