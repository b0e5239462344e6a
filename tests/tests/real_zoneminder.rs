//! The main job on a real ZoneMinder: its own daemons, its own database, pictures that move. The daemon runs as the
//! user that the packages make, with the permissions that they set.
//!
//! One test, because bringing ZoneMinder up takes ten seconds and its cameras are shared. Takes two to three minutes.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::time::Instant;
use zmes_tests::standin::{PushProxy, TargetPeer};
use zmes_tests::{
    AppClient, Certificate, Ctl, Daemon, Endpoint, HalfOpen, Incoming, Lab, PackagedUsers, Settings,
    Validity, includes, wait_long, wait_until,
};

const FRONT_DOOR: u32 = 1; // Nodect
const YARD: u32 = 2; // Modect
const GARAGE: u32 = 3; // Mocord
const ALL: [u32; 3] = [FRONT_DOOR, YARD, GARAGE];
const IPHONE: &str = "0f1e2d3c4b5a69780f1e2d3c4b5a69780f1e2d3c4b5a69780f1e2d3c4b5a6978";
/// ZoneMinder's own user, who may write its shared memory.
const WEB_USER: &str = "www-data";
/// The phone that gets notices of troubles.
const WATCHMAN: &str = "5a697887a6b5c4d3e2f1001122334455667788990a1b2c3d4e5f60718293a4b5";
/// How often apps read while a test waits.
const READS: Duration = Duration::from_secs(5);
const ANDROID: &str = "cLab:APA91bHPRgkFLJu6sgQ8kQz0ytrewq";

/// The lab, the daemon on it, and two members.
struct Site {
    daemon: Daemon,
    endpoint: Endpoint,
    ctl: Ctl,
    admin: AppClient,
    viewer: AppClient,
    lab: Lab,
    told: Vec<Value>,
    /// `zmesd.toml`
    file: std::path::PathBuf,
}

/// Starts the daemon as `user` in a directory of its own below `home`.
async fn daemon(lab: &Lab, home: &Path, proxy: &PushProxy, user: &str) -> Result<(Daemon, Ctl)> {
    let users = PackagedUsers::install(&home.join("system"))?;
    let home = home.join(user);
    let (state, run, file) = (home.join("state"), home.join("run"), home.join("zmesd.toml"));
    users.directory(&home, "root", 0o755)?;
    users.directory(&state, user, 0o700)?;
    users.directory(&run, user, 0o750)?;
    let certificate = Certificate::write(&home, "cert", Validity::Long)?;
    users.readable(&certificate.key, user)?;
    let root = home.join("proxy.pem");
    std::fs::copy(proxy.ca(), &root)?;
    users.readable(&root, user)?;
    let mut settings = Settings::default();
    settings.set_text("zoneminder", "config", lab.value("ZM_CONF")?);
    settings.set_text("zoneminder", "realarm-interval", "0s");
    settings.set("server", "listen", "[\"127.0.0.1:0\"]");
    settings.set_path("server.tls", "certificate", &certificate.certificate);
    settings.set_path("server.tls", "key", &certificate.key);
    settings.set_path("state", "directory", &state);
    settings.set_path("control", "socket", &run.join("control.sock"));
    settings.set_text("log", "level", "debug");
    settings.set_text("log", "format", "text");
    settings.set("watchdog", "notify", "[\"user:admin\"]");
    settings.set_text("watchdog", "camera-offline", "5s");
    settings.use_push_proxy(proxy);
    settings.set_path("push.proxy", "ca-certificate", &root);
    settings.write(&file)?;
    users.readable(&file, user)?;
    let ctl = Ctl::new(&run.join("control.sock"));
    let command = Daemon::command_as(&users, user, &home, &["--config", &file.to_string_lossy()])?;
    Ok((Daemon::start(command, &home, ctl.clone(), Some(certificate)).await?, ctl))
}

async fn login(endpoint: &Endpoint, lab: &Lab, account: &str) -> Result<AppClient> {
    let (user, password) = lab.value(account)?.split_once(':').context("no user:password")?;
    let mut app = AppClient::connect(endpoint).await?;
    app.authenticate(user, password).await?;
    Ok(app)
}

impl Site {
    async fn open(lab: Lab, home: &Path, proxy: &PushProxy) -> Result<Self> {
        let (daemon, ctl) = daemon(&lab, home, proxy, PackagedUsers::ZMESD).await?;
        let endpoint = daemon.endpoint().await?;
        let admin = login(&endpoint, &lab, "ZM_ADMIN").await?;
        let viewer = login(&endpoint, &lab, "ZM_VIEWER").await?;
        let file = home.join(PackagedUsers::ZMESD).join("zmesd.toml");
        let site = Self { daemon, endpoint, ctl, admin, viewer, lab, told: Vec::new(), file };
        for monitor in ALL {
            site.wait_monitor(monitor, "healthy", |seen| seen["healthy"] == true).await?;
        }
        Ok(site)
    }

    async fn monitor(&self, id: u32) -> Result<Value> {
        let list = self.ctl.json(&["monitors", "list"]).await?;
        let found =
            list["monitors"].as_array().and_then(|all| all.iter().find(|monitor| monitor["id"] == id));
        Ok(found.with_context(|| list.to_string())?.clone())
    }

    async fn wait_monitor(&self, id: u32, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<()> {
        wait_until(&format!("monitor {id} is {what}"), async || {
            Ok(wanted(&self.monitor(id).await?).then_some(()))
        })
        .await
    }

    async fn wait_calm(&self, id: u32) -> Result<()> {
        self.wait_monitor(id, "calm", |monitor| {
            monitor["healthy"] == true && (monitor["state"] == "idle" || monitor["state"] == "tape")
        })
        .await
    }

    /// Takes the next alarm of the admin; it must be of `monitor`, its event must be in the table and be new.
    async fn expect_alarm(&mut self, monitor: u32) -> Result<u64> {
        let frame = self.admin.next_json().await?;
        ensure!(
            includes(&frame, &json!({"event": "alarm", "events": [{"MonitorId": monitor.to_string()}]})),
            "{frame}"
        );
        let event: u64 = frame["events"][0]["EventId"].as_str().context("no text")?.parse()?;
        let row = self.lab.sql(&format!("SELECT MonitorId FROM Events WHERE Id={event}")).await?;
        ensure!(row.trim().parse() == Ok(monitor), "event {event} belongs to `{row}`: {frame}");
        ensure!(event == self.lab.newest_event(monitor).await?, "not the newest event: {frame}");
        if monitor == FRONT_DOOR {
            self.viewer.expect_alarm(event, FRONT_DOOR).await?;
        }
        self.told.push(frame);
        Ok(event)
    }

    /// Forces an alarm through ZoneMinder's trigger, as its web interface does, and cancels it.
    async fn forced_alarm(&mut self, monitor: u32) -> Result<u64> {
        self.wait_calm(monitor).await?;
        let number = monitor.to_string();
        self.lab.run(&["alarm", &number]).await?;
        let event = self.expect_alarm(monitor).await.with_context(|| format!("forced on {monitor}"))?;
        self.lab.run(&["cancel", &number]).await?;
        self.wait_calm(monitor).await?;
        Ok(event)
    }

    /// Moves something in front of the camera until the alarm arrives.
    async fn motion(&mut self, monitor: u32) -> Result<u64> {
        self.wait_calm(monitor).await?;
        let number = monitor.to_string();
        self.lab.run(&["motion", &number, "30"]).await?;
        let event = self.expect_alarm(monitor).await.with_context(|| format!("motion on {monitor}"))?;
        self.lab.run(&["motion", &number, "0"]).await?;
        self.wait_calm(monitor).await?;
        Ok(event)
    }

    /// Waits for troubles. Meanwhile the apps read, as apps do: a client that does not answer pings is disconnected
    /// after half a minute.
    async fn wait_troubles(&mut self, what: &str, wanted: impl Fn(&[Value]) -> bool) -> Result<Vec<Value>> {
        let mut read_at = Instant::now();
        wait_long(&format!("the troubles are {what}"), async || {
            if read_at.elapsed() >= READS {
                read_at = Instant::now();
                self.admin.sync().await?;
                self.viewer.sync().await?;
            }
            Ok(Some(self.ctl.troubles().await?).filter(|troubles| wanted(troubles)))
        })
        .await
    }

    /// Fails if another frame arrived: the answer to a request must be the next frame.
    async fn nothing_else(&mut self) -> Result<()> {
        self.admin.sync().await?;
        self.viewer.sync().await?;
        self.daemon.ensure_running()
    }
}

async fn alarms_of_every_kind(site: &mut Site) -> Result<()> {
    for monitor in ALL {
        let first = site.forced_alarm(monitor).await?;
        let second = site.forced_alarm(monitor).await?;
        // A Nodect or Modect makes an event of each; in a Mocord both may fall into one.
        ensure!(second > first || monitor == GARAGE, "{first}, then {second}");
    }
    site.motion(YARD).await?;
    site.motion(GARAGE).await?;
    site.nothing_else().await
}

/// Writes into the notes of an open event as `zm_detect` does. ZoneMinder overwrites them; labels seen before are kept.
async fn what_was_detected_is_kept(site: &mut Site) -> Result<()> {
    site.wait_calm(YARD).await?;
    let number = YARD.to_string();
    site.lab.run(&["alarm", &number]).await?;
    let event = site.expect_alarm(YARD).await?;
    // Detection comes seconds after the alarm; so early, ZoneMinder's own notes may still be on their way.
    let notes = "Notes=CONCAT('[a] detected:person:95% car:87% ', IFNULL(Notes, ''))";
    let detect =
        format!("UPDATE Events SET {notes} WHERE Id={event} AND IFNULL(Notes, '') NOT LIKE '%detected:%'");
    let labels = async || {
        let events = site.ctl.json(&["events"]).await?;
        let found = events["events"].as_array().into_iter().flatten().find(|view| view["event_id"] == event);
        anyhow::Ok(found.map(|view| view["labels"].clone()))
    };
    let expected = json!([{"name": "person", "confidence": 95}, {"name": "car", "confidence": 87}]);
    wait_until("the labels are told", async || {
        site.lab.sql(&detect).await?;
        Ok((labels().await? == Some(expected.clone())).then_some(()))
    })
    .await?;
    site.lab.run(&["cancel", &number]).await?;
    site.wait_calm(YARD).await?;
    wait_until("the event is closed", async || {
        let open = site.lab.sql(&format!("SELECT EndDateTime IS NULL FROM Events WHERE Id={event}")).await?;
        Ok((open.trim() == "0").then_some(()))
    })
    .await?;
    // ZoneMinder's last text depends on the version, so the test overwrites the notes here in any case.
    site.lab.sql(&format!("UPDATE Events SET Notes='Motion: All' WHERE Id={event}")).await?;
    ensure!(labels().await? == Some(expected), "{:?}", labels().await?);
    site.nothing_else().await
}

async fn who_may_not_is_refused(site: &Site) -> Result<()> {
    for (user, password) in
        [("disabled", "disabledpass"), ("noapi", "noapipass"), ("noevents", "adminpass"), ("admin", "wrong")]
    {
        let mut app = AppClient::connect(&site.endpoint).await?;
        app.send_auth(user, password).await?;
        app.expect(&json!({"event": "auth", "status": "Fail", "reason": "BADAUTH"})).await?;
        app.expect_close(1008).await?;
    }
    login(&site.endpoint, &site.lab, "ZM_MIGRATED").await.map(drop)
}

async fn the_life_of_zmc(site: &mut Site) -> Result<()> {
    for signal in ["TERM", "KILL"] {
        site.lab.run(&["zmc-stop", "2", signal]).await?;
        if signal == "TERM" {
            site.wait_monitor(YARD, "down", |monitor| monitor["healthy"] == false).await?;
        }
        site.lab.run(&["zmc-start", "2"]).await?;
        picture(site, YARD).await?;
        site.forced_alarm(YARD).await.with_context(|| format!("after SIG{signal}"))?;
    }
    let pids = std::fs::read_to_string(Path::new(site.lab.value("ZM_LAB_DIR")?).join("pids/zmc1"))?;
    let pid: i32 = pids.split_whitespace().next().context("no pid")?.parse()?;
    let inode = inode(site, FRONT_DOOR)?;
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGHUP)?;
    wait_until("zmc has made a new file", async || {
        Ok(self::inode(site, FRONT_DOOR).is_ok_and(|new| new != inode).then_some(()))
    })
    .await?;
    picture(site, FRONT_DOOR).await?;
    site.forced_alarm(FRONT_DOOR).await.context("after SIGHUP")?;
    site.nothing_else().await
}

fn inode(site: &Site, monitor: u32) -> Result<u64> {
    let file = Path::new(site.lab.value("ZM_LAB_MAP")?).join(format!("zm.mmap.{monitor}"));
    Ok(std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(file)?))
}

/// Waits until a camera delivers again: a frame has been written since its file was made.
async fn picture(site: &Site, monitor: u32) -> Result<()> {
    let file = Path::new(site.lab.value("ZM_LAB_MAP")?).join(format!("zm.mmap.{monitor}"));
    let decoder = concat!(env!("CARGO_MANIFEST_DIR"), "/lab/zmshm.py");
    wait_until(&format!("camera {monitor} has a picture"), async || {
        let output = tokio::process::Command::new("python3")
            .args([decoder, "read", "--json"])
            .arg(&file)
            .output()
            .await?;
        let Ok(header) = serde_json::from_slice::<Value>(&output.stdout) else { return Ok(None) };
        let fresh = header["last_write_time"].as_i64() >= header["startup_time"].as_i64();
        Ok((header["valid"] == 1 && header["signal"] == 1 && fresh).then_some(()))
    })
    .await
}

/// One trouble and one recovery are pushed, and the next alarm is pushed as usual.
async fn a_lost_camera(site: &mut Site, proxy: &PushProxy) -> Result<()> {
    let mut watchman = login(&site.endpoint, &site.lab, "ZM_ADMIN").await?;
    let data = json!({"type": "token", "platform": "ios", "token": WATCHMAN, "state": "enabled"});
    watchman.send(&json!({"event": "push", "data": data})).await?;
    watchman.sync().await?;
    // What the stages before have stopped is over before this one begins.
    site.wait_troubles("none", <[Value]>::is_empty).await?;
    let already = proxy.pushes_to(WATCHMAN).len();
    site.lab.run(&["cam-stop", "1"]).await?;
    let before = inode(site, FRONT_DOOR)?;
    wait_until("zmc has given the camera up", async || {
        Ok(inode(site, FRONT_DOOR).map_or(true, |now| now != before).then_some(()))
    })
    .await?;
    let is_one = |trouble: &Value| trouble["id"] == "camera:1";
    let troubles = site.wait_troubles("the camera", |troubles| troubles.iter().any(is_one)).await?;
    let trouble = troubles.iter().find(|trouble| is_one(trouble)).context("no trouble")?;
    // zmc may run without a picture (a warning), or be down (an error): it depends on the moment of the check.
    ensure!(trouble["text"].as_str().is_some_and(|text| text.starts_with("FrontDoor: ")), "{trouble}");
    site.lab.run(&["cam-start", "1"]).await?;
    picture(site, FRONT_DOOR).await?;
    site.wait_troubles("not the camera", |troubles| !troubles.iter().any(is_one)).await?;
    let event = site.forced_alarm(FRONT_DOOR).await.context("after the camera was lost")?;
    let alerts = wait_until("the phone was told of it all", async || {
        let pushes = proxy.pushes_to(WATCHMAN);
        let alerts: Vec<_> = pushes[already..].iter().map(|push| push.json()["alert"].to_string()).collect();
        Ok(alerts.last().is_some_and(|last| last.contains(&format!("({event})"))).then_some(alerts))
    })
    .await?;
    ensure!(alerts.len() == 3, "one trouble, one recovery, one alarm: {alerts:?}");
    ensure!(alerts[0].contains("since") && alerts[1].contains("resolved"), "{alerts:?}");
    let end = &WATCHMAN[WATCHMAN.len() - 10..];
    site.ctl.run(&["tokens", "revoke", "--yes", end]).await?.expect_code(0)?;
    site.nothing_else().await
}

async fn a_lost_database(site: &mut Site) -> Result<()> {
    site.lab.run(&["db-stop"]).await?;
    wait_until("the status says that the database is down", async || {
        Ok((site.ctl.json(&["status"]).await?["database"] == "down").then_some(()))
    })
    .await?;
    let mut newcomer = AppClient::connect(&site.endpoint).await?;
    newcomer.send_auth("admin", "adminpass").await?;
    newcomer.expect_close(1013).await?;
    site.lab.run(&["db-start"]).await?;
    wait_until("the database is back", async || {
        Ok((site.ctl.json(&["status"]).await?["database"] == "ok").then_some(()))
    })
    .await?;
    for monitor in [FRONT_DOOR, YARD] {
        site.forced_alarm(monitor).await.context("after the database was away")?;
    }
    login(&site.endpoint, &site.lab, "ZM_ADMIN").await?;
    site.nothing_else().await
}

/// Motion and a trigger: the app hears of each start and each end, once. Ends are recorded in any case.
async fn an_alarm_has_one_end(site: &mut Site) -> Result<()> {
    let settings = std::fs::read_to_string(&site.file)?;
    std::fs::write(&site.file, format!("{settings}\n[end]\nwebsocket = true\n"))?;
    site.ctl.run(&["reload"]).await?.expect_code(0)?;
    for (monitor, moves) in [(YARD, true), (GARAGE, true), (FRONT_DOOR, false)] {
        let event = if moves { site.motion(monitor).await? } else { site.forced_alarm(monitor).await? };
        let end = json!({"event": "alarm", "events": [{"EventId": event.to_string(), "MonitorId": monitor.to_string()}]});
        let frame = site.admin.expect(&end).await.with_context(|| format!("the end of monitor {monitor}"))?;
        let cause = frame["events"][0]["Cause"].as_str().unwrap_or_default();
        ensure!(cause.starts_with("End:"), "{frame}");
        if monitor == FRONT_DOOR {
            site.viewer.expect(&end).await?;
        }
        site.nothing_else().await?;
    }
    std::fs::write(&site.file, settings)?;
    site.ctl.run(&["reload"]).await?.expect_code(0)?;
    wait_until("every alarm has an end", async || {
        let list = site.ctl.json(&["events"]).await?;
        let events = list["events"].as_array().context("no list")?;
        Ok(events.iter().all(|event| event["ended_at"].is_string()).then_some(()))
    })
    .await
}

/// A trigger and motion bring a whole picture of their event: to ntfy as a file, to the app as a link.
async fn an_alarm_brings_its_picture(site: &mut Site) -> Result<()> {
    let (ntfy, settings) = (TargetPeer::ntfy().await?, std::fs::read_to_string(&site.file)?);
    let ca = site.file.with_file_name("ntfy.pem");
    std::fs::write(&ca, std::fs::read(ntfy.ca())?)?;
    let secrets = format!("topic = '{}'\ntoken = '{}'", TargetPeer::TOPIC, TargetPeer::NTFY_TOKEN);
    let place = format!("url = '{}'\nca-certificate = '{}'\npicture-wait = '10s'", ntfy.url(), ca.display());
    let target = format!("[[target]]\nname = 'guard'\nuser = 'admin'\n{place}\n{secrets}\n");
    std::fs::write(&site.file, format!("{settings}\n[picture]\nbase-url = \"https://zm\"\n{target}"))?;
    site.ctl.run(&["reload"]).await?.expect_code(0)?;
    for round in 0..2 {
        let event = if round == 0 { site.forced_alarm(YARD).await? } else { site.motion(YARD).await? };
        let link = site.told.last().context("no frame")?["events"][0]["Picture"].clone();
        let path = link.as_str().and_then(|link| link.strip_prefix("https://zm")).context("no link")?;
        let (head, body) = HalfOpen::get(&site.endpoint, path).await?;
        ensure!(head.starts_with("HTTP/1.1 200 ") && body.starts_with(&[0xff, 0xd8, 0xff]), "{head}");
        let sent = ntfy.wait_accepted(round + 1).await?.remove(round).request.body;
        ensure!(sent == body && sent.len() > 1000, "{} and {} bytes", sent.len(), body.len());
        site.ctl.run(&["pictures", "test", &event.to_string()]).await?.expect_code(0)?;
    }
    std::fs::write(&site.file, settings)?;
    site.ctl.run(&["reload"]).await?.expect_code(0)?;
    ntfy.ensure_no_violations()
}

/// The package's user reads shared memory and must not write it.
async fn forcing_is_refused_to_who_may_only_read(site: &Site) -> Result<()> {
    let refused = site.ctl.run(&["alarm", "force", "--monitor", "1", "--for", "1m"]).await?.expect_code(5)?;
    ensure!(refused.stderr.contains("hint:"), "{refused:#?}");
    Ok(())
}

/// As ZoneMinder's own user, which zmdc would start it as, the daemon may.
async fn zmesctl_forces_an_alarm(lab: &Lab, home: &Path, proxy: &PushProxy) -> Result<()> {
    let (mut daemon, ctl) = daemon(lab, home, proxy, WEB_USER).await?;
    let endpoint = daemon.endpoint().await?;
    let mut app = login(&endpoint, lab, "ZM_ADMIN").await?;
    let state = async |wanted: &str| {
        wait_until(&format!("the camera is {wanted}"), async || {
            let list = ctl.json(&["monitors", "list"]).await?;
            let monitors = list["monitors"].as_array().into_iter().flatten();
            let mut first = monitors.filter(|monitor| monitor["id"] == FRONT_DOOR);
            Ok(first.any(|monitor| monitor["state"] == wanted && monitor["healthy"] == true).then_some(()))
        })
        .await
    };
    state("idle").await?;
    let forced = ctl.json(&["alarm", "force", "--monitor", "1", "--for", "1m"]).await?;
    ensure!(forced["via"] == "shm", "{forced}");
    app.expect(&json!({"event": "alarm", "events": [{"MonitorId": FRONT_DOOR.to_string()}]})).await?;
    ctl.run(&["alarm", "cancel", "--monitor", "1"]).await?.expect_code(0)?;
    state("idle").await?;
    daemon.end(nix::sys::signal::Signal::SIGTERM).await.map(drop)
}

/// An iPhone and an Android get the seed's JSON, the badge counts and is reset, and the log shows all of it.
async fn a_forced_alarm_rings_two_phones(site: &mut Site, proxy: &PushProxy) -> Result<()> {
    let mut phone = login(&site.endpoint, &site.lab, "ZM_ADMIN").await?;
    let mut android = login(&site.endpoint, &site.lab, "ZM_ADMIN").await?;
    for (app, platform, token) in [(&mut phone, "ios", IPHONE), (&mut android, "android", ANDROID)] {
        let data = json!({"type": "token", "platform": platform, "token": token, "state": "enabled"});
        app.send(&json!({"event": "push", "data": data})).await?;
        app.sync().await?;
    }
    let mut badges = Vec::new();
    for round in 0..3 {
        if round == 2 {
            phone.send(&json!({"event": "push", "data": {"type": "badge", "badge": "0"}})).await?;
            phone.sync().await?;
        }
        let event = site.forced_alarm(FRONT_DOOR).await?;
        let ios = pushed(proxy, IPHONE, round + 1).await?;
        badges.push(ios["badge"].clone());
        let alert = ios["alert"].as_str().unwrap_or_default();
        ensure!(alert.contains(&format!("({event})")) && alert.starts_with("Alarms: "), "{ios}");
        ensure!(ios["device"] == "ios" && ios["custom"] == json!({"mid": "1"}), "{ios}");
        let droid = pushed(proxy, ANDROID, round + 1).await?;
        ensure!(droid["device"] == "android" && droid["extra"] == json!({"mid": "1"}), "{droid}");
        // The open socket of a phone gets a copy, marked supplementary.
        phone.expect(&json!({"event": "alarm", "supplementary": "true"})).await?;
    }
    ensure!(badges == [1, 2, 1], "{badges:?}");
    let tokens = site.ctl.json(&["tokens", "list", "--platform", "ios"]).await?;
    let handle = tokens["tokens"][0]["handle"].as_str().with_context(|| tokens.to_string())?.to_owned();
    let log = wait_until("the log knows three deliveries", async || {
        let log = site.ctl.json(&["tokens", "log", &handle]).await?;
        let sent = |delivery: &&Value| delivery["decision"] == "sent" && delivery["transport"] == "proxy";
        let count = log["deliveries"].as_array().map_or(0, |all| all.iter().filter(sent).count());
        Ok((count == 3).then_some(log))
    })
    .await?;
    ensure!(log["deliveries"][0]["monitor_id"] == 1, "{log}");
    let all = [IPHONE, ANDROID].map(|token| &token[token.len() - 10..]);
    site.ctl.run(&["tokens", "revoke", "--yes", all[0], all[1]]).await?.expect_code(0)?;
    proxy.ensure_no_violations()
}

/// Waits for `count` pushes to a phone, and returns the last one.
async fn pushed(proxy: &PushProxy, token: &str, count: usize) -> Result<Value> {
    wait_until(&format!("{count} pushes to {token}"), async || {
        let pushes = proxy.pushes_to(token);
        Ok((pushes.len() >= count).then(|| pushes[count - 1].json()))
    })
    .await
}

#[tokio::test]
async fn each_alarm_of_a_real_zoneminder_reaches_the_app_once() -> Result<()> {
    let home = tempfile::Builder::new().prefix("zmes-real-").tempdir()?;
    // The database and zmc run as users of their own.
    std::fs::set_permissions(home.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let Some(lab) = Lab::up(&home.path().join("lab")).await? else { return Ok(()) };
    let proxy = PushProxy::start().await?;
    let mut site = Site::open(lab, home.path(), &proxy).await?;
    who_may_not_is_refused(&site).await?;
    alarms_of_every_kind(&mut site).await?;
    what_was_detected_is_kept(&mut site).await?;
    forcing_is_refused_to_who_may_only_read(&site).await?;
    a_forced_alarm_rings_two_phones(&mut site, &proxy).await?;
    an_alarm_has_one_end(&mut site).await?;
    an_alarm_brings_its_picture(&mut site).await?;
    the_life_of_zmc(&mut site).await?;
    a_lost_camera(&mut site, &proxy).await?;
    a_lost_database(&mut site).await?;
    let status = site.ctl.json(&["status"]).await?;
    ensure!(status["events"]["seen"] == site.told.len(), "told {} of {status}", site.told.len());
    let ended = site.daemon.end(nix::sys::signal::Signal::SIGTERM).await?;
    ensure!(ended.success(), "{ended}");
    ensure!(site.admin.next().await? == Incoming::Closed(Some(1001)));
    zmesctl_forces_an_alarm(&site.lab, home.path(), &proxy).await
}
