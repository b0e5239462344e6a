//! What people do when something is wrong: list the announced alarms, ask why, and send a report.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use flate2::read::GzDecoder;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tokio::process::Command;
use zmes_tests::standin::{Answer, Behaviour, Fcm, PushProxy};
use zmes_tests::tmux::Tmux;
use zmes_tests::{CtlOutput, Database, World, skipped, wait_until, zmesctl_binary};

const TOKEN: &str = "planted-token:APA91bHPRgkFLJu6sgFull";
const RULE: [(&str, &str); 3] =
    [("name", "night"), ("action", "notify"), ("comment", "app-key=planted-rule-key")];
const APNS_TOKEN: &str = "ab1e0000000000000000000000000000000000000000000000000000000000aa";

/// Returns `zmesctl events --json` without the times.
async fn events(world: &World, arguments: &[&str]) -> Result<Value> {
    let arguments: Vec<&str> = ["events"].iter().chain(arguments).copied().collect();
    let mut events = world.ctl().json(&arguments).await?;
    for event in events["events"].as_array_mut().context("no list")? {
        let at = event.as_object_mut().and_then(|event| event.remove("at"));
        ensure!(at.is_some_and(|at| at.as_str().is_some_and(|at| at.ends_with('Z'))), "no time: {event}");
    }
    Ok(events)
}

fn event(id: u64, monitor: (u32, &str), told: [u64; 4], clients: Option<[u64; 2]>) -> Value {
    let [sent, skipped, failed, queued] = told;
    let mut event = json!({
        "event_id": id, "monitor_id": monitor.0, "monitor": monitor.1, "cause": "Motion", "late": false,
        "told": {"sent": sent, "skipped": skipped, "failed": failed, "queued": queued},
    });
    if let Some([sent, skipped]) = clients {
        event["clients"] = json!({"sent": sent, "skipped": skipped});
    }
    event
}

#[tokio::test]
async fn events_say_how_many_were_told_and_why_last_takes_the_newest() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let mut world =
        World::new().monitor(1, "Garage").monitor(2, "Yard").with_push_proxy(&proxy).start().await?;
    ensure!(world.ctl().json(&["events"]).await? == json!({"events": []}));
    let none = world.run(&["why", "last"]).await?.expect_code(4)?;
    ensure!(none.stderr.starts_with("error: no alarm is recorded\nhint: zmesctl doctor"), "{none:#?}");
    let phone = world.phone("android", TOKEN).await?;
    let handle = world.handle(TOKEN).await?;
    world.alarm(1, 10).await?;
    world.wait_delivery(&handle, 10, "sent").await?;
    // A test alarm is pushed, but it is not in the record of alarms.
    world.run(&["alarm", "test", "--monitor", "1", "--wait"]).await?.expect_code(0)?;
    world.run(&["tokens", "mute", &handle]).await?.expect_code(0)?;
    world.alarm(2, 11).await?;
    world.wait_delivery(&handle, 11, "skipped").await?;
    let garage = event(10, (1, "Garage"), [1, 0, 0, 0], Some([1, 0]));
    let yard = event(11, (2, "Yard"), [0, 1, 0, 0], Some([1, 0]));
    for (arguments, expected) in [
        (&[][..], json!([garage, yard])),
        (&["--limit", "1"], json!([yard])),
        (&["--monitor", "garage"], json!([garage])),
        (&["--since", "10"], json!([yard])),
        (&["--since", "1h", "--until", "30m"], json!([])),
        (&["--until", "2000-01-01 00:00"], json!([])),
        (&["--monitor", "7"], json!([])),
    ] {
        let found = events(&world, arguments).await?;
        ensure!(found["events"] == expected, "{arguments:?}: {found:#}");
    }
    let before = events(&world, &["--since", "2000-01-01"]).await?;
    ensure!(before["gap"] == true, "the record begins later: {before:#}");
    ensure!(world.run(&["events", "-q"]).await?.expect_code(0)?.stdout == "10\n11\n");
    let shown = world.run(&["events", "--limit", "1"]).await?.expect_code(0)?.stdout;
    ensure!(shown.contains("Yard (2)") && shown.contains("older alarms: --limit 10"), "{shown}");
    world.run(&["events", "--since", "yesterday"]).await?.expect_code(2)?;
    world.run(&["events", "--limit", "0"]).await?.expect_code(2)?;

    let last = world.ctl().json(&["why", "last"]).await?;
    ensure!(last["event_id"] == 11 && last["monitor"] == "Yard", "{last:#}");
    let last = world.ctl().json(&["why", "last", "--monitor", "Garage", "--token", &handle]).await?;
    ensure!(last["event_id"] == 10 && last["targets"][0]["decision"] == "sent", "{last:#}");
    world.run(&["why", "10", "--monitor", "1"]).await?.expect_code(2)?;
    world.run(&["why", "last", "--monitor", "7"]).await?.expect_code(4)?;

    // After a restart pushes are still known, decisions for clients are not.
    ensure!(world.daemon()?.end(Signal::SIGKILL).await?.code().is_none());
    drop(phone);
    world.start_daemon().await?;
    let found = events(&world, &[]).await?;
    let expected = [event(10, (1, "Garage"), [1, 0, 0, 0], None), event(11, (2, "Yard"), [0, 1, 0, 0], None)];
    ensure!(found["events"] == json!(expected), "{found:#}");
    proxy.ensure_no_violations()
}

#[tokio::test]
async fn many_alarms_come_in_pages_and_observers_may_read_them() -> Result<()> {
    let world = World::new().monitor(1, "Garage").setting("zoneminder", "alarm-limit", "0").start().await?;
    let app = world.admin().await?;
    for id in 1..=30 {
        world.alarm(1, id).await?;
        let wanted = id.to_string();
        wait_until(&format!("event {id} is recorded"), async || {
            let ids = world.run(&["events", "-q", "--limit", "1"]).await?.stdout;
            Ok((ids.trim() == wanted).then_some(()))
        })
        .await?;
    }
    let ids: Vec<String> = (1..=30).map(|id: u64| id.to_string()).collect();
    let shown = world.run(&["events", "-q"]).await?.expect_code(0)?.stdout;
    ensure!(shown.lines().eq(ids.iter().map(String::as_str)), "{shown}");
    let mut control = zmes_shared_client(&world).await?;
    let (mut before, mut found) = (None, Vec::new());
    loop {
        let filter = json!({"type": "events", "limit": 7, "before": before});
        let page: Value = control.request(serde_json::from_value(filter)?).await?;
        let events = page["events"].as_array().context("no page")?;
        let mut ids: Vec<u64> = events.iter().filter_map(|event| event["event_id"].as_u64()).collect();
        ensure!(ids.len() <= 7, "{page:#}");
        ids.extend(found);
        found = ids;
        before = page["next"].as_u64();
        if before.is_none() {
            break;
        }
    }
    ensure!(found == (1..=30).collect::<Vec<u64>>(), "{found:?}");
    let hourly: Value = control.request(serde_json::from_value(json!({"type": "events_hourly"}))?).await?;
    let hours = hourly["monitors"][0]["hours"].as_array().context("no hours")?;
    ensure!(hours.len() == 24 && hours.iter().filter_map(Value::as_u64).sum::<u64>() == 30, "{hourly:#}");
    if nix::unistd::Uid::effective().is_root() {
        let ctl = world.ctl();
        ensure!(ctl.run_as(65534, 0, &["events", "-q"]).await?.expect_code(0)?.stdout.lines().count() == 30);
        ctl.run_as(65534, 0, &["why", "last"]).await?.expect_code(0)?;
    }
    drop(app);
    Ok(())
}

async fn zmes_shared_client(world: &World) -> Result<zmes_shared::client::ControlClient> {
    Ok(zmes_shared::client::ControlClient::connect(world.ctl().socket()).await?)
}

/// Runs `zmesctl report` where `journalctl` is a program of ours.
async fn report(world: &World, arguments: &[&str]) -> Result<CtlOutput> {
    let path = format!("{}:/usr/bin:/bin", world.path("bin").display());
    let mut command = Command::new(zmesctl_binary()?);
    command.arg("--socket").arg(world.ctl().socket()).arg("report").args(arguments);
    let output =
        command.env("PATH", path).current_dir(world.directory()).stdin(Stdio::null()).output().await?;
    Ok(CtlOutput {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout)?,
        stderr: String::from_utf8(output.stderr)?,
    })
}

/// Returns the files of a report by their names, without the directory.
fn unpack(path: &Path) -> Result<BTreeMap<String, String>> {
    let mode = fs::metadata(path)?.permissions().mode() & 0o777;
    ensure!(mode == 0o600, "everybody may read it: {mode:o}");
    let mut archive = tar::Archive::new(GzDecoder::new(File::open(path)?));
    let mut files = BTreeMap::new();
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = entry.path()?.display().to_string();
        let (directory, name) = name.split_once('/').context("no directory")?;
        ensure!(directory.starts_with("zmesctl-report-"), "{directory}");
        let mut content = String::new();
        entry.read_to_string(&mut content)?;
        files.insert(name.to_owned(), content);
    }
    Ok(files)
}

fn journal(world: &World, script: &str) -> Result<()> {
    let directory = world.path("bin");
    fs::create_dir_all(&directory)?;
    let program = directory.join("journalctl");
    fs::write(&program, format!("#!/bin/sh\n{script}\n"))?;
    Ok(fs::set_permissions(program, fs::Permissions::from_mode(0o755))?)
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "secrets are planted everywhere, and the whole bundle is read")]
async fn a_report_has_what_is_needed_and_no_secret() -> Result<()> {
    let (proxy, fcm) = (PushProxy::start().await?, Fcm::start().await?);
    let mut world = World::new()
        .monitor(1, "Gate\u{1b}]0;owned\u{7}\u{202e}")
        .monitor(2, "Yard")
        .with_push_proxy(&proxy)
        .with_fcm(&fcm)
        .setting(
            "push",
            "picture-url",
            "\"https://zm.example.org/?eid=EVENTID&username=v&password=planted-picture\"",
        )
        .setting("log", "level", "\"trace\"");
    world = world.setting("push", "storm-limit", "30");
    let world = world.prepare().await?;
    let url = format!(
        "mysql://{}:{}@localhost/zm?socket={}",
        Database::USER,
        Database::PASSWORD,
        world.database.socket().display()
    );
    let mut world = world;
    world.settings.set_text("zoneminder", "database-url", &url);
    world.settings.set_text("watchdog", "ping-url", "http://127.0.0.1:9/planted-ping-uuid");
    world.settings.set("watchdog", "camera-offline", "\"1s\"");
    world.settings.add_block("rule", &RULE);
    world.write_settings()?;
    world.start_daemon().await?;
    // A provider that echoes the request in its error.
    let told = json!({"error": format!("bad: {TOKEN} {} password=planted-picture", PushProxy::APP_KEY)});
    let echo = Behaviour::Answer(Answer::json(400, &told));
    proxy.always(echo.clone());
    fcm.messages.always(echo);
    let _phones = (world.phone("android", TOKEN).await?, world.phone("ios", APNS_TOKEN).await?);
    let wrong =
        json!({"event": "auth", "data": {"user": "planted-user", "password": "planted-wrong-password"}});
    let mut app = world.app().await?;
    app.send(&wrong).await?;
    world.alarm(1, 5).await?;
    world.wait_delivery(&world.handle(TOKEN).await?, 5, "failed").await?;
    snooze_and_trouble(&world).await?;
    let account: Value = serde_json::from_slice(&fs::read(fcm.service_account())?)?;
    let key = account["private_key"].as_str().context("no key")?;
    // What some other program, or an older zmesd, may have written to the journal.
    fs::write(
        world.path("journal"),
        format!(
            "Nov 30 zmesd[1]: database is {url}\nNov 30 zmesd[1]: app-key = \"{}\"\nNov 30 zmesd[1]: push to {TOKEN} and {APNS_TOKEN}\n\
             Nov 30 zmesd[1]: name \u{1b}[2J\u{202e}\n{key}\nNov 30 zmesd[1]: {}\nNov 30 zmesd[1]: the last line\n",
            PushProxy::APP_KEY,
            serde_json::to_string(&account)?,
        ),
    )?;
    journal(&world, &format!("cat '{}'", world.path("journal").display()))?;
    let made = report(&world, &["--json"]).await?.expect_code(0)?.json()?;
    let file = made["file"].as_str().context("no file")?;
    ensure!(file.starts_with("zmesctl-report-") && file.ends_with(".tar.gz"), "{made:#}");
    ensure!(
        made["missing"] == json!([]) && made["hidden"].as_u64().is_some_and(|hidden| hidden >= 6),
        "{made:#}"
    );
    let files = unpack(&world.path(file))?;
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    ensure!(
        names
            == [
                "README.txt",
                "checks.json",
                "clients.json",
                "config.toml",
                "doctor.json",
                "events.json",
                "journal.txt",
                "latency.json",
                "log-level.json",
                "monitors.json",
                "push-queue.json",
                "rejected.json",
                "rules.json",
                "snoozes.json",
                "status.json",
                "tokens.json",
                "troubles.json",
                "versions.txt"
            ],
        "{names:?}"
    );
    let listed: Vec<&str> = made["files"]
        .as_array()
        .context("no files")?
        .iter()
        .filter_map(|file| file["name"].as_str())
        .collect();
    for name in &names {
        ensure!(listed.contains(name), "{name} is not listed");
        ensure!(files["README.txt"].contains(name) || *name == "README.txt", "{name} is not explained");
    }
    ensure_useful(&files, &world.handle(TOKEN).await?)?;
    ensure_silent(&files, key)
}

/// Sets a snooze, and causes a trouble.
async fn snooze_and_trouble(world: &World) -> Result<()> {
    world.run(&["snooze", "2", "--for", "1h"]).await?.expect_code(0)?;
    world.shm(2)?.stop()?;
    world.ctl().wait_trouble("camera:2").await.map(drop)
}

/// Fails unless the files of a report contain what is needed.
fn ensure_useful(files: &BTreeMap<String, String>, handle: &str) -> Result<()> {
    for (name, text) in [
        ("status.json", "\"zoneminder\""),
        ("tokens.json", handle),
        ("events.json", "\"event_id\": 5"),
        ("rejected.json", "bad_credentials"),
        ("config.toml", "[push.proxy]"),
        ("versions.txt", "zmesd that is installed: zmesd "),
        ("versions.txt", "/etc/os-release:"),
        ("journal.txt", "the last line"),
        ("doctor.json", "\"findings\""),
        ("rules.json", "\"night\""),
        ("snoozes.json", "\"monitor_id\": 2"),
        ("troubles.json", "\"camera:2\""),
    ] {
        ensure!(files.get(name).is_some_and(|content| content.contains(text)), "{name} lacks {text}");
    }
    Ok(())
}

/// Fails if a file of a report has a secret, or a character that speaks to a terminal.
fn ensure_silent(files: &BTreeMap<String, String>, key: &str) -> Result<()> {
    let mut secrets: Vec<&str> =
        key.lines().filter(|line| line.len() > 16 && !line.starts_with('-')).collect();
    ensure!(secrets.len() > 5, "the key is short");
    secrets.extend([TOKEN, APNS_TOKEN, Database::PASSWORD, PushProxy::APP_KEY, World::AUTH_SECRET]);
    secrets.extend(["planted-rule-key", "planted-ping-uuid"]);
    secrets.extend(["planted-picture", "planted-wrong-password", "adminpass", "BEGIN PRIVATE", "APA91bHP"]);
    for (name, content) in files {
        for secret in &secrets {
            let line = content.lines().find(|line| line.contains(secret));
            ensure!(line.is_none(), "{name} has {secret}: {line:?}");
        }
        let speaks = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
        ensure!(!content.contains(speaks), "{name} speaks to terminals");
    }
    Ok(())
}

#[tokio::test]
async fn a_report_overwrites_nothing_and_works_without_a_daemon_and_without_rights() -> Result<()> {
    let mut world = World::new().monitor(1, "Garage").start().await?;
    journal(&world, "echo 'planted: no entries' >&2; exit 1")?;
    let target = world.path("bug.tar.gz");
    let name = target.display().to_string();
    let shown = report(&world, &["--output", &name]).await?.expect_code(0)?;
    ensure!(shown.stdout.contains(&format!("Wrote {name}")), "{shown:#?}");
    let before = fs::read(&target)?;
    let files = unpack(&target)?;
    ensure!(
        files["journal.txt"].starts_with("the journal has no readable lines of zmesd"),
        "{}",
        files["journal.txt"]
    );
    let refused = report(&world, &["--output", &name]).await?.expect_code(1)?;
    ensure!(
        refused.stderr.contains("cannot write") && refused.stderr.contains("hint: no file is overwritten"),
        "{refused:#?}"
    );
    ensure!(fs::read(&target)? == before, "the report was overwritten");
    report(&world, &["--output", "/nonexistent/x.tar.gz"]).await?.expect_code(1)?;
    // Into a directory; the name of the file alone with -q.
    let place = world.path("reports");
    fs::create_dir(&place)?;
    let place_name = place.display().to_string();
    for _ in 0..2 {
        let quiet = report(&world, &["--output", &place_name, "-q"]).await?.expect_code(0)?;
        unpack(Path::new(quiet.stdout.trim_end()))?;
    }
    ensure!(fs::read_dir(&place)?.count() == 2);
    if nix::unistd::Uid::effective().is_root() {
        fs::set_permissions(&place, fs::Permissions::from_mode(0o777))?;
        let observer = world.ctl().run_as(65534, 0, &["report", "--output", &place_name, "--json"]).await?;
        let made = observer.expect_code(7)?.json()?;
        ensure!(made["missing"][0]["name"] == "config.toml" && made["missing"][1].is_null(), "{made:#}");
    }

    ensure!(world.daemon()?.end(Signal::SIGTERM).await?.success());
    let made = report(&world, &["--json"]).await?.expect_code(7)?.json()?;
    let files = unpack(&world.path(made["file"].as_str().context("no file")?))?;
    ensure!(files.contains_key("versions.txt") && files.contains_key("journal.txt"), "{:?}", files.keys());
    ensure!(files["doctor.json"].contains("\"daemon\""), "{}", files["doctor.json"]);
    ensure!(files["README.txt"].contains("Missing:\n  status.json"), "{}", files["README.txt"]);
    Ok(())
}

#[tokio::test]
async fn top_shows_what_happens_over_a_restart_and_gives_the_terminal_back() -> Result<()> {
    if !Tmux::is_there() {
        return skipped("there is no tmux");
    }
    let mut world =
        World::new().monitor(1, "Garage").monitor(2, "Gate\u{1b}]0;owned\u{7}\u{202e}").start().await?;
    let top = |options: &str| -> Result<String> {
        let (zmesctl, ctl) = (zmesctl_binary()?, world.ctl());
        Ok(format!("{options} '{}' --socket '{}' top", zmesctl.display(), ctl.socket().display()))
    };
    let terminated = top("timeout --foreground --preserve-status -s TERM 2")?;
    let commands = [top("")?, "stty -a".to_owned(), terminated, "stty -a".to_owned()];
    let tmux =
        Tmux::run(world.directory(), "top", 80, "export TERM=xterm-256color LC_ALL=C.UTF-8", &commands)?;
    tmux.wait_for("ALARMS, LAST 24 HOURS").await?;
    let _app = world.admin().await?;
    world.alarm(1, 77).await?;
    let screen = tmux.wait_for("Garage, event 77: pushes 0, clients 1").await?;
    ensure!(screen.contains('█') && screen.contains("q quits") && screen.contains("clients 1"), "{screen}");
    ensure!(screen.contains("]0;owned"), "{screen}");
    ensure!(world.daemon()?.end(Signal::SIGTERM).await?.success());
    tmux.wait_for("trying again").await?;
    world.start_daemon().await?;
    wait_until("top is connected again", async || {
        let screen = tmux.screen()?;
        Ok((screen.contains("event 77") && !screen.contains("trying again")).then_some(()))
    })
    .await?;
    tmux.keys(&["x", "Up", "q"])?;
    let shown = tmux.finished(&commands).await?;
    for (number, top) in shown.iter().enumerate().step_by(2) {
        let (text, settings) = (&top.text, &shown[number + 1].text);
        ensure!(top.code == 0, "{top:#?}");
        ensure!(text.contains("\u{1b}[?1049h") && text.contains("\u{1b}[?25h\u{1b}[?1049l"), "{text:?}");
        ensure!(!text.contains(['\u{7}', '\u{202e}']) && !text.contains("\u{1b}]"), "{text:?}");
        for flag in ["icanon", "echo", "isig", "opost"] {
            ensure!(settings.split_whitespace().any(|word| word == flag), "{flag}: {settings}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn top_without_a_terminal_or_a_daemon_says_what_to_do() -> Result<()> {
    let mut world = World::new().monitor(1, "Garage").start().await?;
    let refused = world.run(&["top"]).await?.expect_code(2)?;
    ensure!(refused.stderr == "error: top needs a terminal\nhint: zmesctl status --json\n", "{refused:#?}");
    if !Tmux::is_there() {
        return skipped("there is no tmux");
    }
    ensure!(world.daemon()?.end(Signal::SIGTERM).await?.success());
    let ctl = world.ctl();
    let command = format!("'{}' --socket '{}' top", zmesctl_binary()?.display(), ctl.socket().display());
    let commands = [command];
    let tmux = Tmux::run(world.directory(), "away", 80, "export TERM=xterm-256color", &commands)?;
    let shown = tmux.finished(&commands).await?;
    ensure!(shown[0].code == 3 && !shown[0].text.contains("?1049h"), "{shown:#?}");
    Ok(())
}
