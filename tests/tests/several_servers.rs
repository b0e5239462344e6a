//! `server-id = "all"`: one zmesd sees the cameras of two servers, those of the other one by rows alone.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::time::Instant;
use zmes_tests::standin::PushProxy;
use zmes_tests::{
    AppClient, Certificate, Ctl, Daemon, EventRow, Lab, MonitorRow, Schema, Settings, State, Validity, World,
    WorldBuilder, includes, wait_long, wait_until, zmesd_binary,
};

const PHONE: &str = "several-android:APA91bHPRgkF-one";
/// Away from the ports of other labs.
const LAB_PORT: u16 = 33_900;
/// What ZoneMinder 1.38 has in `Monitor_Status`, of which zmesd reads more than the small world has.
const STATUS: &str = "ALTER TABLE Monitor_Status ADD COLUMN CaptureFPS DECIMAL(10,2) NOT NULL DEFAULT 0, \
    ADD COLUMN UpdatedOn TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP;";

/// Camera 1 belongs to this server (nvr1), cameras 2 and 3 to another one (nvr2).
struct TwoServers {
    world: World,
}

impl TwoServers {
    async fn prepare(world: WorldBuilder) -> Result<Self> {
        let world = world
            .monitor(1, "Front")
            .camera(MonitorRow::new(2, "Yard"))
            .camera(MonitorRow::new(3, "Barn").without_shared_memory())
            .setting("zoneminder", "server-id", "\"all\"")
            // So that alarms of the other server come by the quick looks.
            .setting("zoneminder", "reconcile-interval", "\"5s\"")
            .setting("end", "websocket", "true")
            .prepare()
            .await?;
        let servers = "DELETE FROM Servers; INSERT INTO Servers (Id, Name) VALUES (1, 'nvr1'), (2, 'nvr2'); \
                       UPDATE Monitors SET ServerId=IF(Id=1, 1, 2);";
        world.database.sql(&format!("{servers} {STATUS}")).await?;
        let conf = world.path("zm.conf");
        let text = fs::read_to_string(&conf)?;
        fs::write(&conf, format!("{text}ZM_SERVER_NAME=nvr1\n"))?;
        let site = Self { world };
        site.captures("'Connected', 5, NOW()").await?;
        Ok(site)
    }

    async fn start(world: WorldBuilder) -> Result<Self> {
        let mut site = Self::prepare(world).await?;
        site.launch().await?;
        Ok(site)
    }

    async fn launch(&mut self) -> Result<()> {
        self.world.launch_daemon().await?;
        self.world.wait_comparing().await?;
        let all = |status: &Value| status["monitors"]["watched"] == 3;
        self.world.wait_status("watching all three", all).await.map(drop)
    }

    /// Has the `zmc` of the other server say this of itself.
    async fn captures(&self, says: &str) -> Result<()> {
        let rows = format!(
            "REPLACE INTO Monitor_Status (MonitorId, Status, CaptureFPS, UpdatedOn) VALUES (2, {says}), (3, {says})"
        );
        self.world.database.sql(&rows).await.map(drop)
    }

    async fn end(&self, event: u64) -> Result<()> {
        let end = format!("UPDATE Events SET EndDateTime=NOW() WHERE Id={event}");
        self.world.database.sql(&end).await.map(drop)
    }

    async fn give(&self, monitor: u32, server: u32) -> Result<()> {
        self.world.database.sql(&format!("UPDATE Monitors SET ServerId={server} WHERE Id={monitor}")).await?;
        self.world.run(&["monitors", "reload"]).await?.expect_code(0).map(drop)
    }

    async fn events(&self) -> Result<Vec<Value>> {
        let list = self.world.ctl().json(&["events"]).await?;
        list["events"].as_array().cloned().with_context(|| list.to_string())
    }

    async fn recorded(&self, event: u64, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        wait_until(&format!("event {event} is {what}"), async || {
            let events = self.events().await?;
            Ok(events.into_iter().find(|view| view["event_id"] == event && wanted(view)))
        })
        .await
    }
}

/// Takes a start that is not late.
async fn expect_live(app: &mut AppClient, event: u64, monitor: u32) -> Result<()> {
    let frame = app.expect_alarm(event, monitor).await?;
    ensure!(frame.get("late").is_none(), "late: {frame}");
    Ok(())
}

async fn expect_end(app: &mut AppClient, event: u64) -> Result<()> {
    let frame = app.next_json().await?;
    let end = &frame["events"][0];
    let cause = end["Cause"].as_str().unwrap_or_default();
    ensure!(
        end["EventId"].as_str() == Some(event.to_string().as_str()) && cause.starts_with("End:"),
        "{frame}"
    );
    Ok(())
}

#[tokio::test]
async fn cameras_of_both_servers_are_seen_told_and_explained_alike() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let site = TwoServers::start(World::new().with_push_proxy(&proxy)).await?;
    let world = &site.world;
    let mut app = world.phone("android", PHONE).await?;
    // By shared memory here, by a row there.
    world.alarm(1, 10).await?;
    expect_live(&mut app, 10, 1).await?;
    world.insert_event(EventRow::new(11, 3)).await?;
    expect_live(&mut app, 11, 3).await?;
    site.end(11).await?;
    expect_end(&mut app, 11).await?;
    world.end_alarm(1, 10).await?;
    expect_end(&mut app, 10).await?;
    proxy.wait_accepted(2).await?;
    for (event, monitor, name) in [(10, 1, "Front"), (11, 3, "Barn")] {
        let view = site.recorded(event, "over", |view| view["ended_at"].is_string()).await?;
        let expected = json!({"monitor_id": monitor, "monitor": name});
        ensure!(includes(&view, &expected) && view["late"] != true, "{view}");
        ensure!(view["told"]["sent"].as_u64() >= Some(1), "{view}");
        let why = world.ctl().json(&["why", &event.to_string()]).await?;
        let mut targets = why["targets"].as_array().context("no targets")?.iter();
        ensure!(targets.any(|target| target["kind"] == "token" && target["decision"] == "sent"), "{why}");
    }
    app.send(&json!({"event": "control", "data": {"type": "replay", "since": "10"}})).await?;
    let frame = app.expect_alarm(11, 3).await?;
    ensure!(frame["replayed"] == "true", "{frame}");
    Ok(())
}

/// Within a recording that was read without an alarm: it is as live as any.
#[tokio::test]
async fn an_alarm_in_a_recording_of_the_other_server_is_live_and_waits_for_labels() -> Result<()> {
    let proxy = PushProxy::start().await?;
    let world = World::new().setting("labels", "wait", "\"20s\"").with_push_proxy(&proxy);
    let site = TwoServers::start(world).await?;
    let mut app = site.world.phone("android", PHONE).await?;
    site.world.insert_event(EventRow::new(15, 2).continuous()).await?;
    site.world.insert_event(EventRow::new(16, 3)).await?;
    expect_live(&mut app, 16, 3).await?;
    let alarm = "UPDATE Events SET AlarmFrames=3, Notes='detected:person:95%' WHERE Id IN (15, 16)";
    site.world.database.sql(alarm).await?;
    expect_live(&mut app, 15, 2).await?;
    for event in ["15", "16"] {
        wait_until("the push says the labels", async || {
            let why = site.world.ctl().json(&["why", event]).await?;
            let found = json!({"decision": "sent", "label_wait": {"outcome": "found"}});
            let mut targets = why["targets"].as_array().into_iter().flatten();
            Ok(targets.any(|target| includes(target, &found)).then_some(()))
        })
        .await?;
    }
    Ok(())
}

#[tokio::test]
async fn what_is_on_the_other_server_is_said() -> Result<()> {
    let site = TwoServers::start(World::new()).await?;
    let world = &site.world;
    let status = world.status().await?;
    ensure!(status["monitors"] == json!({"total": 3, "watched": 3, "stale": 0, "elsewhere": 2}), "{status}");
    let text = world.run(&["status"]).await?.expect_code(0)?.stdout;
    ensure!(text.contains("3 of 3 watched (2 on other servers, seen in the Events table"), "{text}");
    let yard = world.monitor(2).await?;
    let expected = json!({"source": "db", "healthy": true, "server": {"id": 2, "name": "nvr2"}});
    ensure!(includes(&yard, &expected), "{yard}");
    let front = world.monitor(1).await?;
    ensure!(front["source"] == "shm" && front.get("server").is_none(), "{front}");
    let text = world.run(&["monitors", "list"]).await?.expect_code(0)?.stdout;
    ensure!(text.contains("db (nvr2)"), "{text}");
    let doctor = world.ctl().run(&["doctor", "--json"]).await?.stdout;
    let doctor: Value = serde_json::from_str(&doctor)?;
    let findings = doctor["findings"].as_array().context("no findings")?;
    let told = findings.iter().find(|finding| finding["step"] == "server 2").context("not told")?;
    let detail = told["detail"].as_str().unwrap_or_default();
    ensure!(
        told["ok"] == true
            && detail.starts_with("server 2 (nvr2): 2 monitors are watched in the Events table"),
        "{told}"
    );
    // A trigger lies in the memory of the other server.
    let forced = world.run(&["alarm", "force", "--monitor", "2", "--json"]).await?.expect_code(1)?.json()?;
    let error = &forced["error"];
    let message = error["message"].as_str().unwrap_or_default();
    ensure!(message.starts_with("monitor 2 is captured by server 2 (nvr2)"), "{error}");
    ensure!(error["hint"] == "there: zmu -m 2 -a forces one, zmu -m 2 -c cancels it", "{error}");
    Ok(())
}

#[tokio::test]
async fn over_a_kill_nothing_is_told_twice_and_nothing_is_lost() -> Result<()> {
    let mut site = TwoServers::start(World::new()).await?;
    let mut app = site.world.admin().await?;
    site.world.insert_event(EventRow::new(20, 2)).await?;
    expect_live(&mut app, 20, 2).await?;
    site.world.insert_event(EventRow::new(21, 3)).await?;
    expect_live(&mut app, 21, 3).await?;
    site.recorded(20, "recorded", |_| true).await?;
    site.recorded(21, "recorded", |_| true).await?;
    site.world.kill_daemon().await?;
    // While it is down, one ends, and two begin and end; the clock of the server goes an hour behind for one of them.
    site.end(20).await?;
    site.world.insert_event(EventRow::new(22, 2).closed()).await?;
    site.world.insert_event(EventRow::new(23, 2).aged(3600).closed()).await?;
    site.launch().await?;
    let late = |event| move |view: &Value| view["event_id"] == event && view["late"] == true;
    site.recorded(22, "told late", late(22)).await?;
    site.recorded(23, "told late", late(23)).await?;
    site.recorded(20, "over", |view| view["ended_at"].is_string()).await?;
    // The next alarm is live again, and the end of what went on over the kill is told.
    let mut app = site.world.admin().await?;
    site.end(21).await?;
    site.recorded(21, "over", |view| view["ended_at"].is_string()).await?;
    site.world.insert_event(EventRow::new(24, 2)).await?;
    wait_until("the next alarm comes", async || {
        let frame = app.next_json().await?;
        Ok((frame["events"][0]["EventId"] == "24" && frame.get("late").is_none()).then_some(()))
    })
    .await?;
    let mut told: Vec<_> = site.events().await?.iter().map(|view| view["event_id"].as_u64()).collect();
    told.sort_unstable();
    assert_eq!(told, [20, 21, 22, 23, 24].map(Some));
    Ok(())
}

#[tokio::test]
async fn rows_that_are_committed_out_of_order_and_clocks_that_differ_hide_nothing() -> Result<()> {
    let site = TwoServers::start(World::new().schema(Schema::V1_38)).await?;
    let mut app = site.world.admin().await?;
    // Each server has a zone or a clock of its own: hours behind, hours ahead.
    site.world.insert_event(EventRow::new(31, 2).aged(5 * 3600)).await?;
    expect_live(&mut app, 31, 2).await?;
    let ahead = EventRow::new(32, 3).insert().replace("NOW() - INTERVAL 0", "NOW() + INTERVAL 20000");
    site.world.database.sql(&ahead).await?;
    expect_live(&mut app, 32, 3).await?;
    // Its transaction began before those of 31 and 32.
    site.world.insert_event(EventRow::new(30, 2)).await?;
    expect_live(&mut app, 30, 2).await?;
    app.sync().await?;
    Ok(())
}

#[tokio::test]
async fn a_camera_that_moves_and_a_server_that_is_added() -> Result<()> {
    let site = TwoServers::start(World::new()).await?;
    let world = &site.world;
    let mut app = world.admin().await?;
    // What its memory here shows is old: it is captured elsewhere.
    world.shm(2)?.set_last_event(39)?;
    world.shm(2)?.set_state(State::Alarm)?;
    world.insert_event(EventRow::new(40, 2)).await?;
    expect_live(&mut app, 40, 2).await?;
    site.end(40).await?;
    expect_end(&mut app, 40).await?;
    world.shm(2)?.start()?;
    site.give(2, 1).await?;
    world
        .wait_monitor(2, "polled", |monitor| monitor["source"] == "shm" && monitor["state"] == "idle")
        .await?;
    world.alarm(2, 41).await?;
    expect_live(&mut app, 41, 2).await?;
    // It moves in alarm: its end is that of its event.
    site.give(2, 2).await?;
    world.wait_monitor(2, "elsewhere", |monitor| monitor["source"] == "db").await?;
    site.end(41).await?;
    expect_end(&mut app, 41).await?;
    world.insert_event(EventRow::new(42, 2)).await?;
    expect_live(&mut app, 42, 2).await?;
    // A third server, with an alarm before zmesd knows of it.
    world.database.sql("INSERT INTO Servers (Id, Name) VALUES (3, 'nvr3'); INSERT INTO Monitors SET Id=4, Name='Gate', Type='Ffmpeg', `Function`='Modect', Enabled=1, ServerId=3").await?;
    world.insert_event(EventRow::new(43, 4)).await?;
    app.sync().await?;
    let why = world.ctl().json(&["why", "43"]).await?["explanation"].to_string();
    ensure!(why.contains("monitor 4 (Gate) is new"), "{why}");
    world.run(&["monitors", "reload"]).await?.expect_code(0)?;
    app.expect_alarm(43, 4).await?;
    world.insert_event(EventRow::new(44, 4)).await?;
    expect_live(&mut app, 44, 4).await?;
    ensure!(world.monitor(4).await?["server"]["name"] == "nvr3");
    Ok(())
}

#[tokio::test]
async fn a_database_that_was_away_is_followed_again() -> Result<()> {
    let mut site = TwoServers::start(World::new()).await?;
    let mut app = site.world.admin().await?;
    site.world.database.stop().await?;
    let away = |monitor: &Value| monitor["healthy"] == false && monitor["trouble"] == "database";
    site.world.wait_monitor(2, "not seen", away).await?;
    // What is here is still seen.
    site.world.alarm_without_row(1, 50).await?;
    expect_live(&mut app, 50, 1).await?;
    site.world.database.resume().await?;
    site.world.wait_monitor(2, "seen", |monitor| monitor["healthy"] == true).await?;
    site.world.insert_event(EventRow::new(51, 2)).await?;
    expect_live(&mut app, 51, 2).await?;
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_gone_is_told_of_once() -> Result<()> {
    let site = TwoServers::start(World::new().setting("watchdog", "camera-offline", "\"1s\"")).await?;
    let ctl = site.world.ctl();
    // Its zmc were killed with it: nobody renews the rows.
    site.captures("'Connected', 5, NOW() - INTERVAL 5 MINUTE").await?;
    site.world.wait_monitor(2, "silent", |monitor| monitor["trouble"] == "frozen").await?;
    let doctor = site.world.ctl().run(&["doctor", "--json"]).await?.stdout;
    let doctor: Value = serde_json::from_str(&doctor)?;
    let findings = doctor["findings"].as_array().context("no findings")?;
    let red: Vec<_> = findings.iter().filter(|finding| finding["severity"] == "error").collect();
    ensure!(red.iter().any(|finding| finding["step"] == "server 2"), "{red:?}");
    ensure!(!red.iter().any(|finding| finding["step"] == "monitor 2"), "{red:?}");
    let trouble = wait_long("the server is a trouble", async || {
        Ok(ctl.troubles().await?.into_iter().find(|trouble| trouble["kind"] == "zoneminder"))
    })
    .await?;
    ensure!(trouble["id"] == "zoneminder:2", "{trouble}");
    let text = trouble["text"].as_str().unwrap_or_default();
    ensure!(
        text.starts_with(
            "server 2 (nvr2): 2 of 2 cameras deliver nothing; Yard: zmc on server 2 (nvr2) has not renewed"
        ),
        "{text}"
    );
    let cameras: Vec<_> = ctl.troubles().await?;
    let of_them = |trouble: &Value| trouble["id"] == "camera:2" || trouble["id"] == "camera:3";
    ensure!(!cameras.iter().any(of_them), "{cameras:?}");
    site.captures("'Connected', 5, NOW()").await?;
    ctl.wait_trouble_over("zoneminder:2").await?;
    // One camera of two that is off is that camera: while it is, its zmc writes nothing more.
    let reason = |monitor: &Value| monitor["reason"].as_str().unwrap_or_default().to_owned();
    let off = "UPDATE Monitor_Status SET UpdatedOn=NOW(), Status=IF(MonitorId=3, 'Running', Status)";
    site.world.database.sql(off).await?;
    let dark = "zmc runs on server 2 (nvr2), but the camera delivers no picture";
    site.world.wait_monitor(3, "dark", |monitor| reason(monitor) == dark).await?;
    let aged = "UPDATE Monitor_Status SET UpdatedOn=NOW() - INTERVAL 2 MINUTE WHERE MonitorId=3";
    site.world.database.sql(aged).await?;
    let unreached = "zmc on server 2 (nvr2) has not reached the camera for 2 min";
    site.world.wait_monitor(3, "off", |monitor| reason(monitor).starts_with(unreached)).await?;
    let doctor = site.world.ctl().run(&["doctor", "--json"]).await?.stdout;
    let doctor: Value = serde_json::from_str(&doctor)?;
    let findings = doctor["findings"].as_array().context("no findings")?;
    let severity = |step: &str| {
        let found = findings.iter().find(|finding| finding["step"] == step);
        found.map(|finding| finding["severity"].clone())
    };
    ensure!(severity("monitor 3") == Some(json!("warning")), "{findings:?}");
    ensure!(severity("server 2") == Some(json!("ok")), "{findings:?}");
    Ok(())
}

#[tokio::test]
async fn a_machine_that_does_not_know_which_server_it_is_does_not_start() -> Result<()> {
    let site = TwoServers::prepare(World::new()).await?;
    let conf = site.world.path("zm.conf");
    let text = fs::read_to_string(&conf)?;
    fs::write(&conf, text.replace("ZM_SERVER_NAME=nvr1\n", ""))?;
    let file = site.world.settings_file();
    let check =
        std::process::Command::new(zmesd_binary()?).args(["check-config", "--config"]).arg(&file).output()?;
    let told =
        format!("{}{}", String::from_utf8_lossy(&check.stdout), String::from_utf8_lossy(&check.stderr));
    ensure!(check.status.code() == Some(78), "{check:?}");
    ensure!(
        told.contains("which server this machine is") && told.contains("add ZM_SERVER_ID=N to zm.conf"),
        "{told}"
    );
    // Where no zmc runs on this machine, all cameras come from rows.
    let of_front = "REPLACE INTO Monitor_Status (MonitorId, Status, CaptureFPS, UpdatedOn) VALUES (1, 'Connected', 5, NOW())";
    site.world.database.sql(of_front).await?;
    let mut site = site;
    site.world.settings.set_text("zoneminder", "source", "db");
    site.world.write_settings()?;
    site.launch().await?;
    let status = site.world.status().await?;
    ensure!(status["monitors"]["elsewhere"] == 3, "{status}");
    let mut app = site.world.admin().await?;
    site.world.insert_event(EventRow::new(60, 1)).await?;
    expect_live(&mut app, 60, 1).await?;
    Ok(())
}

/// A real ZoneMinder, whose database says that one of its cameras belongs to another server: what only rows tell is what
/// they really say. Takes half a minute.
#[tokio::test]
async fn a_camera_of_another_server_on_a_real_zoneminder() -> Result<()> {
    let home = tempfile::Builder::new().prefix("zmes-servers-").tempdir()?;
    let home = home.path();
    let Some(lab) = Lab::up_at(&home.join("lab"), LAB_PORT, 1).await? else { return Ok(()) };
    lab.sql("DELETE FROM Servers; INSERT INTO Servers (Id, Name) VALUES (1, 'nvr1'), (2, 'nvr2'); UPDATE Monitors SET ServerId=2").await?;
    let conf = Path::new(lab.value("ZM_CONF")?);
    let directory = conf.parent().context("no directory")?.join("conf.d");
    fs::create_dir_all(&directory)?;
    fs::write(directory.join("zz-server.conf"), "ZM_SERVER_ID=1\n")?;
    let certificate = Certificate::write(home, "cert", Validity::Long)?;
    let mut settings = Settings::default();
    settings.set_path("zoneminder", "config", conf);
    settings.set_text("zoneminder", "server-id", "all");
    settings.set("server", "listen", "[\"127.0.0.1:0\"]");
    settings.set("end", "websocket", "true");
    settings.set_path("server.tls", "certificate", &certificate.certificate);
    settings.set_path("server.tls", "key", &certificate.key);
    settings.set_path("state", "directory", &home.join("state"));
    settings.set_path("control", "socket", &home.join("run/control.sock"));
    settings.set_text("log", "format", "text");
    let file = home.join("zmesd.toml");
    settings.write(&file)?;
    let ctl = Ctl::new(&home.join("run/control.sock"));
    let command = Daemon::command(home, &["--config", &file.to_string_lossy()])?;
    let daemon = Daemon::start(command, home, ctl.clone(), Some(certificate)).await?;
    let seen = json!({"id": 1, "source": "db", "healthy": true, "server": {"id": 2, "name": "nvr2"}});
    wait_until("the camera of the other server is known", async || {
        let list = ctl.json(&["monitors", "list"]).await?;
        Ok(list["monitors"]
            .as_array()
            .into_iter()
            .flatten()
            .any(|found| includes(found, &seen))
            .then_some(()))
    })
    .await?;
    let (user, password) = lab.value("ZM_ADMIN")?.split_once(':').context("no user:password")?;
    let mut app = AppClient::connect(&daemon.endpoint().await?).await?;
    app.authenticate(user, password).await?;
    for _ in 0..2 {
        lab.run(&["alarm", "1"]).await?;
        let frame = app.next_json().await?;
        let event: u64 = frame["events"][0]["EventId"].as_str().context("no id")?.parse()?;
        ensure!(event == lab.newest_event(1).await? && frame.get("late").is_none(), "{frame}");
        lab.run(&["cancel", "1"]).await?;
        expect_end(&mut app, event).await?;
    }
    Ok(())
}

/// How long an alarm of another server takes, and what watching costs the database. Prints figures; holds wide bounds.
#[tokio::test]
async fn alarms_of_another_server_take_half_a_second_and_a_few_statements() -> Result<()> {
    let site = TwoServers::start(World::new()).await?;
    let mut app = site.world.admin().await?;
    let mut took = Vec::new();
    for event in 100..120 {
        let since = Instant::now();
        site.world.insert_event(EventRow::new(event, 2).closed()).await?;
        loop {
            let frame = app.next_json().await?;
            let told = &frame["events"][0];
            if told["EventId"].as_str() == Some(event.to_string().as_str())
                && !told["Cause"].as_str().unwrap_or_default().starts_with("End:")
            {
                break;
            }
        }
        took.push(since.elapsed());
    }
    took.sort_unstable();
    let (median, longest) = (took[took.len() / 2], took[took.len() - 1]);
    let questions = async || -> Result<(f64, f64)> {
        let sql = "SHOW GLOBAL STATUS WHERE Variable_name IN ('Questions', 'Com_stmt_prepare')";
        let answer = site.world.database.sql(sql).await?;
        let number = |name: &str| -> f64 {
            let line = answer.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.split_whitespace().nth(1))
                .and_then(|text| text.parse().ok())
                .unwrap_or_default()
        };
        Ok((number("Questions"), number("Com_stmt_prepare")))
    };
    let (since, before) = (Instant::now(), questions().await?);
    tokio::time::sleep(Duration::from_secs(20)).await;
    let (after, seconds) = (questions().await?, since.elapsed().as_secs_f64());
    let rate = (after.0 - before.0) / seconds;
    println!(
        "row to frame: median {median:?}, longest {longest:?} (with the client that inserts); {rate:.1} statements/s idle"
    );
    ensure!(median < Duration::from_secs(1), "{took:?}");
    ensure!(rate < 25.0, "{rate}");
    Ok(())
}
