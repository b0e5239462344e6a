//! Every command of `zmesctl` against the real daemon: tables for people, JSON for scripts, exit codes for both.

use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use zmes_tests::{
    Ctl, EventRow, FakeDaemon, UserRow, World, WorldBuilder, includes, skipped, wait_until, zmesctl_binary,
};

/// Fails unless `value` has every one of `members` (as JSON pointers).
fn has(value: &Value, members: &[&str]) -> Result<()> {
    for member in members {
        ensure!(value.pointer(member).is_some(), "no {member} in {value}");
    }
    Ok(())
}

async fn street() -> Result<World> {
    houses().start().await
}

fn houses() -> WorldBuilder {
    World::new().monitor(1, "Front").monitor(2, "Yard").user(UserRow::new("amy", "pw").monitor_ids("1"))
}

/// Fails unless the three forms of an error agree: text for people, JSON for scripts, the exit code.
async fn expect_error(ctl: &Ctl, arguments: &[&str], exit: i32) -> Result<()> {
    let people = ctl.run(arguments).await?.expect_code(exit)?;
    ensure!(people.stderr.contains("error:") && people.stdout.is_empty(), "{people:#?}");
    let arguments: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
    let script = ctl.run(&arguments).await?.expect_code(exit)?;
    let error = script.json()?;
    has(&error, &["/error/code", "/error/message", "/error/hint"])
}

#[tokio::test]
async fn status_is_a_table_and_the_pinned_document() -> Result<()> {
    let mut world = street().await?;
    let _member = world.admin().await?;
    let _stranger = world.app().await?;
    let status = world.wait_status("with two clients", |status| status["clients"]["total"] == 2).await?;
    has(
        &status,
        &[
            "/version",
            "/pid",
            "/started_at",
            "/uptime_ms",
            "/monitors/total",
            "/monitors/watched",
            "/monitors/stale",
            "/clients/total",
            "/clients/authenticated",
            "/tokens/total",
            "/tokens/enabled",
            "/push/queued",
            "/push/delivered",
            "/push/failed",
            "/events/seen",
            "/events/reconciled",
            "/database",
        ],
    )?;
    let expected = json!({"pid": world.daemon()?.pid(), "database": "ok", "version": env!("CARGO_PKG_VERSION"),
                          "monitors": {"total": 2, "watched": 2, "stale": 0},
                          "clients": {"total": 2, "authenticated": 1}});
    ensure!(includes(&status, &expected), "{status}");
    let started: jiff::Timestamp = status["started_at"].as_str().context("no text")?.parse()?;
    ensure!(started.as_second() > 1_700_000_000);
    let people = world.run(&["status"]).await?.expect_code(0)?;
    ensure!(people.stdout.contains("wss://") && !people.stdout.contains('\u{1b}'), "{people:#?}");
    let coloured = world.run(&["status", "--color", "always"]).await?.expect_code(0)?;
    ensure!(!coloured.stdout.is_empty());
    Ok(())
}

#[tokio::test]
async fn clients_are_listed_filtered_and_disconnected() -> Result<()> {
    let world = street().await?;
    let mut admin = world.device("1.8.001").await?;
    let mut amy = world.login("amy", "pw").await?;
    let _stranger = world.app().await?;
    world.wait_status("with three clients", |status| status["clients"]["total"] == 3).await?;
    world.alarm(1, 5).await?;
    admin.expect_alarm(5, 1).await?;
    amy.expect_alarm(5, 1).await?;
    let ctl = world.ctl();
    let list = ctl.json(&["clients", "list"]).await?;
    for index in 0..3 {
        let members =
            ["id", "address", "user", "state", "app", "connected_at", "monitors", "token", "queued", "sent"];
        for member in members {
            has(&list, &[&format!("/clients/{index}/{member}")])?;
        }
    }
    let of = async |arguments: &[&str]| -> Result<Vec<Value>> {
        let arguments: Vec<&str> = ["clients", "list"].iter().chain(arguments).copied().collect();
        Ok(ctl.json(&arguments).await?["clients"].as_array().context("no list")?.clone())
    };
    let amys = of(&["--user", "amy"]).await?;
    let expected = json!({"user": "amy", "state": "authenticated", "monitors": [1], "sent": 1, "app": null});
    ensure!(amys.len() == 1 && includes(&amys[0], &expected), "{amys:?}");
    ensure!(of(&["--state", "pending"]).await?.len() == 1);
    ensure!(of(&["--state", "authenticated"]).await?.len() == 2);
    ensure!(of(&["--address", "127.0.0.0/8"]).await?.len() == 3);
    ensure!(of(&["--address", "192.0.2.1"]).await?.is_empty());
    let lines = ctl.run(&["clients", "list", "--jsonl"]).await?.expect_code(0)?.stdout;
    ensure!(lines.lines().count() == 3, "{lines}");
    let table = ctl.run(&["clients", "list"]).await?.expect_code(0)?.stdout;
    ensure!(table.contains("amy") && table.contains("1.8.001"), "{table}");

    let id = amys[0]["id"].to_string();
    ctl.run(&["clients", "disconnect", &id, "--yes"]).await?.expect_code(0)?;
    ensure!(matches!(amy.next().await?, zmes_tests::Incoming::Closed(_)));
    expect_error(&ctl, &["clients", "disconnect", &id, "--yes"], 4).await?;
    // Without a terminal there is no confirmation.
    let other = of(&["--state", "authenticated"]).await?[0]["id"].to_string();
    let refused = ctl.run(&["clients", "disconnect", &other]).await?;
    ensure!(refused.code != 0 && refused.stderr.contains("--yes"), "{refused:#?}");
    admin.sync().await
}

#[tokio::test]
async fn monitors_are_listed_and_reloaded() -> Result<()> {
    let world = street().await?;
    let list = world.ctl().json(&["monitors", "list"]).await?;
    let expected = json!({"monitors": [
        {"id": 1, "name": "Front", "source": "shm", "state": "idle", "last_event_id": null, "layout": 760,
         "healthy": true, "reason": null},
        {"id": 2, "name": "Yard", "source": "shm", "state": "idle", "layout": 760, "healthy": true}]});
    ensure!(includes(&list, &expected), "{list}");
    let table = world.run(&["monitors", "list"]).await?.expect_code(0)?.stdout;
    ensure!(table.contains("Front") && table.contains("idle"), "{table}");
    world.database.sql("DELETE FROM Monitors WHERE Id=2").await?;
    let reloaded = world.ctl().json(&["monitors", "reload"]).await?;
    ensure!(includes(&reloaded, &json!({"monitors": 1, "removed": 1, "added": 0})), "{reloaded}");
    Ok(())
}

#[tokio::test]
async fn a_test_alarm_goes_the_whole_way_and_says_to_whom() -> Result<()> {
    let world = street().await?;
    let mut admin = world.admin().await?;
    let mut amy = world.login("amy", "pw").await?;
    let tested = world.ctl().json(&["alarm", "test", "--monitor", "2", "--wait"]).await?;
    let event = tested["event_id"].as_u64().with_context(|| tested.to_string())?;
    admin.expect_alarm(event, 2).await?;
    let targets = tested["targets"].as_array().context("no targets")?;
    ensure!(targets.len() == 2, "{tested}");
    let decided = |decision: &str| targets.iter().find(|target| target["decision"] == decision);
    let sent = decided("sent").with_context(|| tested.to_string())?;
    ensure!(sent["kind"] == "session" && sent["id"].is_string() && sent["latency_ms"].is_u64(), "{tested}");
    let skipped = decided("skipped").with_context(|| tested.to_string())?;
    ensure!(skipped["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{tested}");
    amy.sync().await?;

    world.run(&["alarm", "test", "--monitor", "1"]).await?.expect_code(0)?;
    for app in [&mut admin, &mut amy] {
        let frame = app.next_json().await?;
        ensure!(frame["events"][0]["MonitorId"] == "1", "{frame}");
    }
    let dry = world.ctl().json(&["alarm", "test", "--monitor", "1", "--dry-run"]).await?;
    has(&dry, &["/event_id", "/targets/1/decision"])?;
    admin.sync().await?;
    expect_error(&world.ctl(), &["alarm", "test", "--monitor", "99"], 4).await
}

#[tokio::test]
async fn a_forced_alarm_is_written_for_zoneminder_and_taken_back() -> Result<()> {
    let world = street().await?;
    let shm = world.shm(1)?;
    let forced = world.ctl().json(&["alarm", "force", "--monitor", "1", "--for", "1h"]).await?;
    ensure!(includes(&forced, &json!({"monitor_id": 1, "via": "shm"})), "{forced}");
    let trigger = shm.trigger()?;
    ensure!(trigger.state == 1 && trigger.score > 0 && !trigger.cause.is_empty(), "{trigger:?}");
    ensure!(!trigger.cause.contains('\''), "1.36 does not escape it: {trigger:?}");
    world.run(&["alarm", "cancel", "--monitor", "1"]).await?.expect_code(0)?;
    assert_eq!(shm.trigger()?.state, 0);
    // By itself after the time that was asked for.
    world.run(&["alarm", "force", "--monitor", "1", "--for", "1s"]).await?.expect_code(0)?;
    assert_eq!(shm.trigger()?.state, 1);
    wait_until("the forced alarm is over", async || Ok((shm.trigger()?.state == 0).then_some(()))).await?;
    expect_error(&world.ctl(), &["alarm", "force", "--monitor", "99"], 4).await?;
    // And a daemon that ends leaves no camera in alarm.
    let mut world = world;
    world.run(&["alarm", "force", "--monitor", "2", "--for", "1h"]).await?.expect_code(0)?;
    world.daemon()?.end(nix::sys::signal::Signal::SIGTERM).await?;
    assert_eq!(world.shm(2)?.trigger()?.state, 0);
    Ok(())
}

#[tokio::test]
async fn watch_shows_what_happens_as_it_happens() -> Result<()> {
    let world = street().await?;
    let mut watch = world.ctl().stream(&["watch", "--jsonl"])?;
    watch.find("the present state", |line| line["type"] == "monitor" && line["monitor"]["id"] == 2).await?;
    let mut app = world.admin().await?;
    watch.find("a session", |line| line["type"] == "session" && line["change"] == "authenticated").await?;
    world.alarm(1, 5).await?;
    let alarm = watch.find("the alarm", |line| line["type"] == "alarm").await?;
    ensure!(includes(&alarm, &json!({"event_id": 5, "monitor_id": 1, "late": false})), "{alarm}");
    ensure!(alarm["at"].is_string(), "{alarm}");
    watch.find("the decision", |line| line["type"] == "decision" && line["decision"] == "sent").await?;
    app.expect_alarm(5, 1).await?;

    let only_yard = world.ctl().stream(&["watch", "--jsonl", "--monitor", "2", "--count", "1"]);
    let mut only_yard = only_yard?;
    ensure!(only_yard.next().await?.is_some());
    assert_eq!(only_yard.exit().await?, 0);
    let mut since = world.ctl().stream(&["watch", "--jsonl", "--since", "4", "--duration", "30s"])?;
    let old = since.find("the alarm of before", |line| line["type"] == "alarm").await?;
    ensure!(old["event_id"] == 5, "{old}");
    let brief = world.run(&["watch", "--jsonl", "--duration", "100ms"]).await?.expect_code(0)?;
    ensure!(brief.stdout.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{brief:#?}");
    Ok(())
}

#[tokio::test]
async fn a_reader_that_has_enough_is_no_error() -> Result<()> {
    let world = street().await?;
    let mut watch = world.ctl().stream(&["watch", "--jsonl"])?;
    ensure!(watch.next().await?.is_some());
    watch.close_pipe();
    let mut event = 100;
    wait_until("zmesctl notices that its output is closed", async || {
        event += 1;
        world.insert_event(EventRow::new(event, 1)).await?;
        world.alarm_without_row(1, event).await?;
        Ok((!watch.running()?).then_some(()))
    })
    .await?;
    assert_eq!(watch.exit().await?, 0);
    Ok(())
}

#[tokio::test]
async fn checks_hold_or_say_why_not() -> Result<()> {
    // A group that is missing is a warning.
    let mut world = houses().setting("control", "admin-group", "\"root\"").start().await?;
    for check in ["ping", "shm", "db", "tls", "all"] {
        let answer = world.ctl().json(&["check", check]).await?;
        ensure!(answer["ok"] == true && answer["check"] == check && answer["detail"].is_string(), "{answer}");
        world.run(&["check", check]).await?.expect_code(0)?;
    }
    world.run(&["check", "tls", "--within", "1000000d"]).await?.expect_code(1)?;
    world.shm(2)?.stop()?;
    world.wait_monitor(2, "down", |monitor| monitor["healthy"] == false).await?;
    let failed = world.run(&["check", "shm", "--json"]).await?.expect_code(1)?.json()?;
    ensure!(
        failed["ok"] == false
            && failed["detail"].as_str().is_some_and(|text| text.contains("Yard") || text.contains('2')),
        "{failed}"
    );
    world.database.stop().await?;
    world.run(&["check", "db"]).await?.expect_code(1)?;
    world.run(&["check", "all"]).await?.expect_code(1)?;
    world.run(&["check", "ping"]).await?.expect_code(0)?;
    Ok(())
}

#[tokio::test]
async fn log_level_reload_and_config_do_what_they_say() -> Result<()> {
    let mut world = street().await?;
    let ctl = world.ctl();
    let level = ctl.json(&["log", "level", "trace", "--for", "10m"]).await?;
    ensure!(level["level"].is_string(), "{level}");
    let nonsense = ctl.run(&["log", "level", "=nonsense="]).await?;
    ensure!(nonsense.code == 1 || nonsense.code == 2, "{nonsense:#?}");
    let shown = ctl.run(&["config", "show"]).await?.expect_code(0)?;
    ensure!(shown.stdout.contains("[server]") && shown.stdout.contains("reconcile-interval"), "{shown:#?}");
    world.settings.set_text("zoneminder", "realarm-interval", "5s");
    world.write_settings()?;
    let reloaded = ctl.json(&["reload"]).await?;
    let said = reloaded.to_string();
    ensure!(said.contains("realarm-interval"), "{reloaded}");
    let file = world.settings_file();
    ctl.run(&["config", "check", &file.to_string_lossy()]).await?.expect_code(0)?;
    let default = ctl.run(&["config", "default"]).await?.expect_code(0)?;
    ensure!(default.stdout.contains("[zoneminder]"), "{default:#?}");
    for shell in ["bash", "zsh", "fish"] {
        let script = ctl.run(&["completions", shell]).await?.expect_code(0)?;
        ensure!(script.stdout.contains("zmesctl"), "{shell}");
    }
    Ok(())
}

#[tokio::test]
async fn an_observer_may_look_and_nothing_else() -> Result<()> {
    if !nix::unistd::Uid::effective().is_root() {
        return skipped("becoming another user needs root");
    }
    let world = street().await?;
    let ctl = world.ctl();
    let nobody = 65534;
    ctl.run_as(nobody, 0, &["status"]).await?.expect_code(0)?;
    ctl.run_as(nobody, 0, &["monitors", "list", "--json"]).await?.expect_code(0)?;
    for command in [
        &["monitors", "reload"][..],
        &["reload"],
        &["alarm", "test", "--monitor", "1"],
        &["alarm", "force", "--monitor", "1"],
        &["clients", "disconnect", "1", "--yes"],
        &["log", "level", "trace"],
    ] {
        let refused = ctl.run_as(nobody, 0, command).await?.expect_code(5)?;
        ensure!(refused.stderr.contains("error:"), "{refused:#?}");
    }
    assert_eq!(world.shm(1)?.trigger()?.state, 0);
    // A user who cannot open the socket gets that error, not "zmesd is not running".
    ctl.run_as(nobody, nobody, &["status"]).await?.expect_code(5)?;
    Ok(())
}

#[tokio::test]
async fn members_of_the_admin_group_are_admins() -> Result<()> {
    if !nix::unistd::Uid::effective().is_root() {
        return skipped("becoming another user needs root");
    }
    let member = nix::unistd::User::from_name("daemon")?.context("no user `daemon`")?;
    let world =
        World::new().monitor(1, "Front").setting("control", "admin-group", "\"daemon\"").start().await?;
    let (user, group) = (member.uid.as_raw(), member.gid.as_raw());
    world.ctl().run_as(user, group, &["monitors", "reload"]).await?.expect_code(0)?;
    // A user without that group cannot even open the socket.
    world.ctl().run_as(65534, 0, &["status"]).await?.expect_code(5)?;
    Ok(())
}

#[tokio::test]
async fn without_a_daemon_it_says_so() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let socket = directory.path().join("control.sock");
    let ctl = Ctl::new(&socket);
    expect_error(&ctl, &["status"], 3).await?;
    std::os::unix::net::UnixListener::bind(&socket)?; // left behind by a crash
    expect_error(&ctl, &["monitors", "list"], 3).await?;
    fs::remove_file(&socket)?;
    ctl.run(&["nonsense"]).await?.expect_code(2)?;
    ctl.run(&["alarm", "force"]).await?.expect_code(2)?;
    ctl.run(&["--version"]).await?.expect_code(0)?;
    ctl.run(&["completions", "bash"]).await?.expect_code(0)?;
    let help = std::process::Command::new(zmesctl_binary()?).arg("--help").output()?;
    ensure!(help.status.success() && String::from_utf8_lossy(&help.stdout).contains("monitors"));
    Ok(())
}

#[tokio::test]
async fn another_version_and_a_daemon_that_hangs_are_told_apart() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let greeting = |major: u32| {
        format!(r#"{{"hello":{{"protocol":{{"major":{major},"minor":0}},"daemon":"9.9.9","role":"admin"}}}}"#)
    };
    for (name, greeting, exit) in
        [("new", greeting(2), 8), ("hung", greeting(1), 6), ("mute", String::new(), 6)]
    {
        let socket = directory.path().join(name);
        let daemon = FakeDaemon::listen(&socket, &greeting)?;
        let ctl = Ctl::new(&socket);
        let arguments = ["status", "--timeout", "300ms"];
        tokio::select! {
            end = daemon.serve() => end?,
            answer = expect_error(&ctl, &arguments, exit) => answer.with_context(|| name.to_owned())?,
        }
    }
    Ok(())
}
