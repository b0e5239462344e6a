//! Snoozes: no pushes of a monitor for a while, set by admins and by phones, over kills of the daemon.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::unistd::{Uid, User};
use serde_json::{Value, json};
use zmes_tests::standin::{Arrival, PushProxy};
use zmes_tests::{AppClient, UserRow, World, WorldBuilder, includes, skipped, wait_until};

const ANDROID: &str = "snooze-android:APA91bHPRgkF-one";
const IOS: &str = "snooze-ios:APA91bHPRgkF-two";
/// A user other than the daemon's, whose group may open the socket.
const OBSERVER: (u32, u32) = (65534, 0);
/// What a digest says.
const DIGEST: &str = "while snoozed";

fn house(proxy: &PushProxy) -> WorldBuilder {
    World::new()
        .monitor(1, "Garage")
        .monitor(2, "Yard")
        .user(UserRow::new("amy", "amypass"))
        .with_push_proxy(proxy)
}

/// Connects an app of a user that registers a token.
async fn phone(world: &World, user: &str, token: &str) -> Result<AppClient> {
    world.phone_of(user, &format!("{user}pass"), token).await
}

/// Runs a command that must end with that exit code; returns its JSON.
async fn run(world: &World, line: &str, code: i32) -> Result<Value> {
    let arguments: Vec<&str> = line.split(' ').chain(["--json"]).collect();
    world.run(&arguments).await?.expect_code(code)?.json()
}

async fn list(world: &World) -> Result<Vec<Value>> {
    let list = run(world, "snooze list", 0).await?;
    list["snoozes"].as_array().cloned().with_context(|| list.to_string())
}

/// Waits until the last snooze has ended.
async fn all_ended(world: &World) -> Result<()> {
    wait_until("every snooze has ended", async || Ok(list(world).await?.is_empty().then_some(()))).await
}

fn digests(proxy: &PushProxy, token: &str) -> Vec<Arrival> {
    let pushes = proxy.pushes_to(token).into_iter();
    pushes.filter(|push| push.json().to_string().contains(DIGEST)).collect()
}

fn target(why: &Value) -> Value {
    let targets = why["targets"].as_array().cloned().unwrap_or_default();
    targets.into_iter().find(|target| target["kind"] == "token").unwrap_or_default()
}

#[tokio::test]
async fn a_snoozed_monitor_rings_no_phone_and_everything_names_the_snooze() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let world = house(&proxy).start().await?;
    let mut app = phone(&world, "amy", ANDROID).await?;
    let handle = world.handle(ANDROID).await?;
    let mut watch = world.ctl().stream(&["watch", "--type", "decision", "--jsonl"])?;

    let set = run(&world, "snooze Garage --for 2h", 0).await?;
    let own = User::from_uid(Uid::effective())?.context("no name")?.name;
    let expected = json!({"change": "set", "snoozes": [{"id": 1, "monitor_id": 1, "monitor": "Garage",
        "scope": "everybody", "by": own, "origin": "cli", "withheld": 0, "hard": false, "tell": false}]});
    ensure!(includes(&set, &expected), "{set}");
    let until = set["snoozes"][0]["until"].clone();
    world.alarm(1, 10).await?;
    app.expect_alarm(10, 1).await?;
    let logged = world.wait_delivery(&handle, 10, "skipped").await?;
    let by = json!({"reason": "snoozed", "snooze": 1, "snoozed_until": until, "snoozed_by": own});
    ensure!(includes(&logged, &by) && logged["snooze_ended"].is_null(), "{logged}");
    let line = watch.find("the decision", |line| line["target"] == "token").await?;
    ensure!(includes(&line, &by), "{line}");
    let why = target(&run(&world, "why 10", 0).await?);
    ensure!(includes(&why, &by), "{why}");
    let said = format!("by {own} (snooze 1): zmesctl snooze end 1");
    ensure!(why["explanation"].as_str().is_some_and(|text| text.ends_with(&said)), "{why}");
    for command in [["why", "10"].as_slice(), &["tokens", "log", &handle], &["tokens", "show", &handle]] {
        let text = world.run(command).await?.expect_code(0)?.stdout;
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        ensure!(text.contains(&said) && text.contains("snoozed until 20"), "{command:?}: {text}");
    }
    let test = run(&world, &format!("alarm test --monitor 1 --token {handle} --dry-run"), 0).await?;
    ensure!(includes(&test["targets"][0], &by), "{test}");
    let past = ["watch", "--since", "1h", "--type", "decision", "--count", "2", "--json"];
    let past = world.run(&past).await?.expect_code(0)?;
    ensure!(past.stdout.contains("\"snooze\":1"), "the record names it: {past:?}");

    ensure!(run(&world, "status", 0).await?["snoozes"] == 1);
    ensure!(world.run(&["status"]).await?.stdout.contains("1 set: zmesctl snooze list"));
    let monitors = run(&world, "monitors list", 0).await?;
    ensure!(monitors["monitors"][0]["snoozed_until"] == until, "{monitors}");
    ensure!(monitors["monitors"][1]["snoozed_until"].is_null(), "{monitors}");
    let doctor = world.run(&["doctor", &handle, "--monitor", "1", "--json"]).await?.json()?;
    let findings = doctor["findings"].as_array().context("no findings")?;
    let found = findings.iter().find(|finding| finding["step"] == "snooze").context("no warning")?;
    let expected = json!({"severity": "warning", "ok": true, "hint": "zmesctl snooze end 1",
        "parts": ["monitor 1 is snoozed until ", {}, format!(" by {own} (snooze 1)")]});
    ensure!(includes(found, &expected), "{found}");

    world.alarm(2, 11).await?;
    world.wait_delivery(&handle, 11, "sent").await?;
    ensure!(list(&world).await?[0]["withheld"] == 1);
    let said = world.run(&["snooze", "end", "garage"]).await?.expect_code(0)?.stdout;
    let wanted = "Snooze 1 of monitor 1 (Garage) for everybody has ended; 1 push was withheld.\n";
    ensure!(said == wanted, "{said}");
    ensure!(list(&world).await?.is_empty());
    let why = target(&run(&world, "why 10", 0).await?);
    ensure!(includes(&why, &json!({"snooze": 1, "snooze_ended": true})), "{why}");
    ensure!(why["explanation"].as_str().is_some_and(|text| text.ends_with(", ended since)")), "{why}");
    world.alarm(1, 12).await?;
    world.wait_delivery(&handle, 12, "sent").await?;
    ensure!(digests(&proxy, ANDROID).is_empty(), "who ends it knows");
    proxy.ensure_no_violations()
}

#[tokio::test]
async fn a_snooze_survives_kill_9_and_its_digest_comes_once() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let mut world = house(&proxy).start().await?;
    let _amy = phone(&world, "amy", ANDROID).await?;
    let _admin = phone(&world, "admin", IOS).await?;
    let (handle, other) = (world.handle(ANDROID).await?, world.handle(IOS).await?);
    let set = run(&world, "snooze 1 --for 8s --user amy", 0).await?;
    ensure!(includes(&set["snoozes"][0], &json!({"scope": "user", "user": "amy", "tell": true})), "{set}");
    let begun = tokio::time::Instant::now();
    world.alarm(1, 10).await?;
    world.wait_delivery(&handle, 10, "skipped").await?;
    // A push that was sent but not yet recorded would be repeated.
    world.wait_delivery(&other, 10, "sent").await?;
    world.kill_daemon().await?;
    world.start_daemon().await?;
    let listed = list(&world).await?;
    ensure!(listed.len() == 1 && listed[0]["withheld"] == 1 && listed[0]["id"] == 1, "{listed:?}");
    world.alarm(1, 11).await?;
    world.wait_delivery(&handle, 11, "skipped").await?;
    world.wait_delivery(&other, 11, "sent").await?;
    // It dies between withholding and digest; meanwhile the time of the snooze is over.
    world.kill_daemon().await?;
    tokio::time::sleep_until(begun + Duration::from_secs(9)).await;
    world.start_daemon().await?;
    let digest = world.wait_notice(&handle, "snooze").await?;
    ensure!(digest["monitor"] == "Garage" && digest["event_id"].is_null(), "{digest}");
    // A kill after it changes nothing.
    world.kill_daemon().await?;
    world.start_daemon().await?;
    all_ended(&world).await?;
    world.alarm(1, 12).await?;
    world.wait_delivery(&handle, 12, "sent").await?;
    let told = digests(&proxy, ANDROID);
    let pushes: Vec<_> = proxy.pushes_to(ANDROID).iter().map(Arrival::json).collect();
    ensure!(told.len() == 1, "{} digests: {pushes:?}", told.len());
    ensure!(told[0].json().to_string().contains("2 alarms while snoozed"), "{}", told[0].json());
    ensure!(digests(&proxy, IOS).is_empty(), "the other phone was not silenced");
    ensure!(proxy.pushes_to(IOS).len() == 3, "{}", proxy.pushes_to(IOS).len());
    proxy.ensure_no_violations()
}

#[tokio::test]
async fn it_ends_by_itself_and_only_a_hard_one_withholds_what_is_urgent() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let world = house(&proxy).start().await?;
    world.write_settings_with("[[rule]]\nname = \"gate\"\nmonitors = [1]\naction = \"urgent\"\n")?;
    world.run(&["reload"]).await?.expect_code(0)?;
    let _amy = phone(&world, "amy", ANDROID).await?;
    let handle = world.handle(ANDROID).await?;
    run(&world, &format!("snooze all --for 10m --token {handle}"), 0).await?;
    world.alarm(1, 10).await?;
    world.wait_delivery(&handle, 10, "sent").await?;
    world.alarm(2, 11).await?;
    world.wait_delivery(&handle, 11, "skipped").await?;
    let changed = run(&world, &format!("snooze all --for 4s --hard --no-tell --token {handle}"), 0).await?;
    let expected = json!({"change": "changed", "snoozes": [{"id": 1, "monitor_id": null, "token": handle,
        "hard": true, "tell": false, "withheld": 1}]});
    ensure!(includes(&changed, &expected), "{changed}");
    world.alarm(1, 12).await?;
    let skipped = world.wait_delivery(&handle, 12, "skipped").await?;
    ensure!(skipped["snooze"] == 1, "{skipped}");
    all_ended(&world).await?;
    world.alarm(2, 13).await?;
    world.wait_delivery(&handle, 13, "sent").await?;
    ensure!(digests(&proxy, ANDROID).is_empty());
    proxy.ensure_no_violations()
}

#[tokio::test]
async fn wrong_requests_are_refused_with_a_hint_and_observers_only_read() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let world = house(&proxy).start().await?;
    let _amy = phone(&world, "amy", ANDROID).await?;
    for (line, code, hint) in [
        ("snooze 9 --for 1h", 4, "there are: 1, 2"),
        ("snooze Garge --for 1h", 4, "did you mean Garage (1)?"),
        ("snooze 1 --for 1h --user zoe", 4, "there are: admin, amy"),
        ("snooze 1 --for 1h --token ffffffff", 4, "there are: "),
        ("snooze 1 --until 2020-01-01T00:00:00Z", 1, "by the clock of this machine it is 2"),
        ("snooze 1 --for 31d", 1, "zmesctl tokens mute"),
        ("snooze 1", 2, "--help"),
        ("snooze 1 --for 0s", 2, "--help"),
        ("snooze 1 --for 1h --until 18:00", 2, "--help"),
        ("snooze 1 --until tomorrow", 2, "--help"),
        ("snooze 1 --for 1h --user amy --token 1a", 2, "--help"),
        ("snooze end 17", 4, "no snooze is set"),
        ("snooze end Yard", 4, "no snooze is set"),
    ] {
        let refused = run(&world, line, code).await?;
        let said = refused["error"]["hint"].as_str().unwrap_or_default();
        ensure!(said.contains(hint), "{line}: {refused}");
    }
    ensure!(list(&world).await?.is_empty());
    // Two admins: the second changes what the first has set, and there is one snooze.
    run(&world, "snooze 1 --for 1h", 0).await?;
    let changed = run(&world, "snooze 1 --for 3h", 0).await?;
    ensure!(changed["change"] == "changed" && changed["snoozes"][0]["id"] == 1, "{changed}");
    run(&world, "snooze all --for 1h", 0).await?;
    ensure!(world.run(&["snooze", "list", "-q"]).await?.stdout == "1\n2\n");
    ensure!(world.run(&["snooze", "2", "--for", "1h", "-q"]).await?.expect_code(0)?.stdout.is_empty());
    let refused = run(&world, "snooze end 9", 4).await?;
    ensure!(refused["error"]["message"] == "no snooze 9 is set", "{refused}");
    if Uid::effective().is_root() {
        let (user, group) = OBSERVER;
        for arguments in [["snooze", "1", "--for", "1h"].as_slice(), &["snooze", "end", "all"]] {
            world.ctl().run_as(user, group, arguments).await?.expect_code(5)?;
        }
        let read = world.ctl().run_as(user, group, &["snooze", "list", "-q"]).await?.expect_code(0)?;
        ensure!(read.stdout == "1\n2\n3\n", "{}", read.stdout);
    } else {
        skipped("to be another user takes root")?;
    }
    let ended = run(&world, "snooze end all", 0).await?;
    ensure!(ended["snoozes"].as_array().map(Vec::len) == Some(3), "{ended}");
    ensure!(run(&world, "snooze end all", 0).await?["snoozes"] == json!([]));
    Ok(())
}

/// Sends `control/snooze` and returns the answer.
async fn ask(app: &mut AppClient, data: Value) -> Result<Value> {
    let mut data = data;
    data["type"] = json!("snooze");
    app.send(&json!({"event": "control", "data": data})).await?;
    app.expect(&json!({"event": "control", "type": "snooze"})).await
}

#[tokio::test]
async fn a_phone_silences_itself_and_nobody_else() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let world = house(&proxy).user(UserRow::new("guest", "guestpass").monitor_ids("1")).start().await?;
    let mut amy = phone(&world, "amy", ANDROID).await?;
    let mut other = phone(&world, "amy", IOS).await?;
    let (handle, second) = (world.handle(ANDROID).await?, world.handle(IOS).await?);
    let set = ask(&mut amy, json!({"monlist": "1", "minutes": 120})).await?;
    ensure!(set["status"] == "Success" && set["until"].as_str().is_some_and(|at| at.ends_with('Z')), "{set}");
    let listed = list(&world).await?;
    let expected = json!([{"id": 1, "monitor_id": 1, "scope": "token", "token": handle, "by": "amy",
        "origin": "app", "tell": true, "hard": false}]);
    ensure!(includes(&json!(listed), &expected), "{listed:?}");
    world.alarm(1, 10).await?;
    amy.expect_alarm(10, 1).await?;
    other.expect_alarm(10, 1).await?;
    let skipped = world.wait_delivery(&handle, 10, "skipped").await?;
    ensure!(includes(&skipped, &json!({"snooze": 1, "snoozed_by": "amy"})), "{skipped}");
    world.wait_delivery(&second, 10, "sent").await?;
    // Its socket breaks; the snooze is the phone's, not the connection's.
    drop(amy);
    world.alarm(1, 11).await?;
    world.wait_delivery(&handle, 11, "skipped").await?;
    let mut amy = phone(&world, "amy", ANDROID).await?;
    ensure!(ask(&mut amy, json!({"minutes": "5"})).await?["status"] == "Success", "all monitors");
    ensure!(list(&world).await?.len() == 2);
    let ended = ask(&mut amy, json!({"monlist": "-1", "minutes": 0})).await?;
    ensure!(ended == json!({"event": "control", "type": "snooze", "status": "Success"}), "{ended}");
    ensure!(list(&world).await?.is_empty());
    world.alarm(1, 12).await?;
    world.wait_delivery(&handle, 12, "sent").await?;

    // Without a token: all phones of the user.
    let mut desk = world.login("amy", "amypass").await?;
    ensure!(ask(&mut desk, json!({"minutes": 1})).await?["status"] == "Success");
    ensure!(includes(&list(&world).await?[0], &json!({"scope": "user", "user": "amy", "monitor_id": null})));
    ask(&mut desk, json!({"minutes": 0})).await?;
    let mut guest = world.login("guest", "guestpass").await?;
    for (data, reason) in [
        (json!({}), "NOMINUTES"),
        (json!({"minutes": 43_201}), "BADMINUTES"),
        (json!({"minutes": -1}), "BADMINUTES"),
        (json!({"minutes": {"a": 1}}), "BADMINUTES"),
        (json!({"minutes": 1, "monlist": "Garage"}), "BADMONITORLIST"),
        (json!({"minutes": 1, "monlist": "1,99"}), "BADMONITORLIST"),
    ] {
        let refused = ask(&mut desk, data.clone()).await?;
        let expected = json!({"event": "control", "type": "snooze", "status": "Fail", "reason": reason});
        ensure!(refused == expected, "{data}: {refused}");
    }
    // One that the user may not see is as unknown as one that is not there.
    let refused = ask(&mut guest, json!({"minutes": 1, "monlist": "2"})).await?;
    ensure!(refused["reason"] == "BADMONITORLIST", "{refused}");
    let mut stranger = world.app().await?;
    let refused = ask(&mut stranger, json!({"minutes": 1})).await?;
    ensure!(refused["reason"] == "NOTAUTHORIZED", "{refused}");
    ensure!(list(&world).await?.is_empty(), "what was refused has changed nothing");
    proxy.ensure_no_violations()
}

#[tokio::test]
async fn a_phone_that_changes_hands_is_not_silent_for_its_new_owner() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let world = house(&proxy).start().await?;
    let mut amy = phone(&world, "amy", ANDROID).await?;
    ask(&mut amy, json!({"minutes": 600})).await?;
    ensure!(list(&world).await?.len() == 1);
    let _admin = phone(&world, "admin", ANDROID).await?;
    ensure!(list(&world).await?.is_empty());
    Ok(())
}
