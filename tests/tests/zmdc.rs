//! zmesd in place of `zmeventnotification.pl`: started, told of log rotations, restarted and stopped by the real
//! `zmdc.pl`, with only its configuration file.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use zmes_tests::{AppClient, Certificate, Ctl, Endpoint, Lab, Settings, Validity, wait_until, zmesd_binary};

/// A port away from the lab of `real_zoneminder`, which may run at the same time.
const BASE_PORT: u16 = 33_800;
/// What zmdc calls it.
const NAME: &str = "zmeventnotification.pl";

struct Site {
    lab: Lab,
    certificate: Certificate,
    settings: PathBuf,
}

impl Site {
    /// Returns the pid of the daemon that zmdc has started, as it is seen from here.
    async fn pid(&self) -> Result<Option<i32>> {
        // The command fails while there is none.
        let Ok(pid) = self.lab.run(&["zmdc-pid"]).await else { return Ok(None) };
        Ok(Some(pid.trim().parse()?))
    }

    /// `zmesctl` on the system's own socket, in the place where zmdc lives.
    fn ctl(pid: i32) -> Ctl {
        let place = Path::new("/proc").join(pid.to_string()).join("root");
        Ctl::new(&place.join("run/zmesd/control.sock"))
    }

    /// Waits until a daemon other than `before` watches the camera; returns its pid.
    async fn watching(&self, before: Option<i32>) -> Result<i32> {
        wait_until("a daemon of zmdc watches the camera", async || {
            let Some(pid) = self.pid().await?.filter(|pid| Some(*pid) != before) else { return Ok(None) };
            let output = Self::ctl(pid).run(&["status", "--json"]).await?;
            let watched = || Some(output.json().ok()?.pointer("/monitors/watched")?.as_u64()? >= 1);
            Ok((output.code == 0 && watched() == Some(true)).then_some(pid))
        })
        .await
    }

    /// Logs in, makes ZoneMinder raise an alarm, and waits until the app has it.
    async fn an_alarm_arrives(&self, pid: i32) -> Result<()> {
        let status = Self::ctl(pid).json(&["status"]).await?;
        let url = status["listening"][0].as_str().with_context(|| status.to_string())?;
        let address = url.strip_prefix("wss://").context("no TLS")?.parse()?;
        let tls = Some(self.certificate.client(rustls::ALL_VERSIONS)?);
        let mut app = AppClient::connect(&Endpoint { address, tls }).await?;
        app.authenticate("admin", "adminpass").await?;
        self.lab.run(&["alarm", "1"]).await?;
        let alarm = app.next_json().await?;
        ensure!(alarm["event"] == "alarm" && alarm["events"][0]["MonitorId"] == "1", "{alarm}");
        self.lab.run(&["cancel", "1"]).await?;
        let calm = |list: &Value| {
            list["monitors"]
                .as_array()
                .is_some_and(|all| all.iter().any(|one| one["id"] == 1 && one["state"] == "idle"))
        };
        wait_until("the monitor is calm", async || {
            Ok(calm(&Self::ctl(pid).json(&["monitors", "list"]).await?).then_some(()))
        })
        .await
    }

    /// What has reached the journal.
    fn journal(&self) -> Result<String> {
        let path = Path::new(self.lab.value("ZM_LAB_DIR")?).join("log/journal.out");
        Ok(String::from_utf8_lossy(&std::fs::read(path)?).into_owned())
    }

    /// What zmdc says of its daemons.
    fn zmdc_log(&self) -> Result<String> {
        let path = Path::new(self.lab.value("ZM_LAB_DIR")?).join("log/zm/zmdc.log");
        Ok(String::from_utf8_lossy(&std::fs::read(path)?).into_owned())
    }
}

fn settings(certificate: &Certificate) -> Settings {
    let mut settings = Settings::default();
    settings.set_text("zoneminder", "realarm-interval", "0s");
    settings.set("server", "listen", "[\"127.0.0.1:0\"]");
    settings.set_path("server.tls", "certificate", &certificate.certificate);
    settings.set_path("server.tls", "key", &certificate.key);
    settings.set_text("control", "admin-group", "www-data");
    // Nothing else: zm.conf, state, socket and log are where they are by default.
    settings
}

#[tokio::test]
async fn zoneminder_starts_it_as_its_event_server_and_alarms_arrive() -> Result<()> {
    let home = tempfile::Builder::new().prefix("zmes-zmdc-").tempdir()?;
    std::fs::set_permissions(home.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let Some(lab) = Lab::up_at(&home.path().join("lab"), BASE_PORT, 1).await? else { return Ok(()) };
    let certificate = Certificate::write(home.path(), "cert", Validity::Long)?;
    std::fs::set_permissions(&certificate.key, std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    let file = home.path().join("zmesd.toml");
    settings(&certificate).write(&file)?;
    let program = zmesd_binary()?;
    lab.run(&["zmdc-up", &program.to_string_lossy(), &file.to_string_lossy()]).await?;
    let settings = home.path().join("lab/zmdc/etc/zmesd/zmesd.toml");
    let site = Site { lab, certificate, settings };

    let first = site.watching(None).await?;
    ensure!(
        std::fs::read_to_string(format!("/proc/{first}/comm"))?.starts_with("zmeventnotif"),
        "the old name"
    );
    site.an_alarm_arrives(first).await?;
    ensure!(site.journal()?.contains("SYSLOG_IDENTIFIER=zmesd"), "nothing of its log was heard");

    // logrotate's postrotate: HUP up to 1.39.21, WINCH from then on.
    site.lab.run(&["zmdc", "logrot"]).await?;
    kill(Pid::from_raw(first), Signal::SIGWINCH)?;
    site.an_alarm_arrives(first).await.context("after the logs were rotated")?;
    ensure!(site.pid().await? == Some(first), "it was restarted");

    kill(Pid::from_raw(first), Signal::SIGKILL)?;
    let second = site.watching(Some(first)).await.context("after a crash")?;
    site.an_alarm_arrives(second).await.context("after a crash")?;

    site.lab.run(&["zmdc", "stop", NAME]).await?;
    wait_until("it has ended", async || Ok(site.pid().await?.is_none().then_some(()))).await?;
    let log = site.zmdc_log()?;
    ensure!(
        log.contains("exited normally") && !log.contains("has not stopped"),
        "zmdc had to kill it: {log}"
    );

    // Its standard error is not read there, but the reason why it does not start must be logged.
    std::fs::write(&site.settings, "[server]\nlissten = []\n")?;
    site.lab.run(&["zmdc", "start", NAME]).await?;
    wait_until("the journal has the reason", async || Ok(site.journal()?.contains("lissten").then_some(())))
        .await?;
    site.lab.run(&["zmdc", "shutdown"]).await?;
    Ok(())
}
