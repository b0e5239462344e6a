//! The world in which the commands of a page run. Every page has one of its own, and all of them begin alike: four
//! cameras, two users, two phones, a PushProxy, two alarms.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};
use jiff::tz::TimeZone;
use nix::sys::signal::Signal;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::{Duration, timeout};
use zmes_tests::standin::PushProxy;
use zmes_tests::{
    AppClient, Certificate, Incoming, UserRow, World, epoch_seconds, token_ending, wait_until, within,
    zmesctl_binary, zmesd_binary,
};

/// The cameras, as the pages name them.
const MONITORS: [(u32, &str); 4] = [(1, "Front Door"), (2, "Garage"), (3, "Driveway"), (4, "Garden")];
/// Amy may see the first two; her handle is 1a2b95a1.
pub(crate) const AMYS_PHONE: &str = "fKq81vYdT0y:APA91bEAmysPhone233336";
/// The admin's phone; its handle is 9f002a63.
pub(crate) const ADMINS_PHONE: &str = "dR7c0sWmQ2e:APA91bEAdminsPhone24495";

/// Paths that the pages name, and where they are in the world's directory.
const PLACES: [(&str, &str); 13] = [
    ("/etc/zmesd/zmesd.toml", "zmesd.toml"),
    ("/etc/zmesd/tls/cert.pem", "cert.pem"),
    ("/etc/zmesd/tls/key.pem", "cert.key"),
    ("/etc/zm/zm.conf", "zm.conf"),
    ("/run/zmesd/control.sock", "run/control.sock"),
    ("/run/mysqld/mysqld.sock", "db/sock"),
    ("/var/lib/zmesd", "state"),
    ("/var/lib/zmeventnotification/push/tokens.txt", "old/tokens.txt"),
    ("/etc/private/tokens.txt", "old/tokens-0.93.txt"),
    ("/etc/zm/zmeventnotification.ini", "old/zmeventnotification.ini"),
    ("/etc/zm/secrets.ini", "old/secrets.ini"),
    ("/usr/bin/zmeventnotification.pl", "old/zmeventnotification.pl"),
    ("/dev/shm", "shm"),
];

/// The world of one page.
pub(crate) struct Stage {
    /// ZoneMinder and the daemon.
    pub(crate) world: World,
    /// Where pushes go.
    pub(crate) proxy: PushProxy,
    apps: Vec<AppClient>,
    /// Exit code of the last command, for `echo $?`.
    last: i32,
    addresses: Vec<(String, String)>,
}

/// What a command printed, in the words of the pages, and its exit code.
#[derive(Debug, Clone)]
pub(crate) struct Printed {
    /// Exit code.
    pub(crate) code: i32,
    /// Both streams, as a terminal shows them.
    pub(crate) lines: Vec<String>,
}

impl Stage {
    /// Builds everything and raises the two alarms.
    pub(crate) async fn open() -> Result<Self> {
        let proxy = PushProxy::start().await?;
        let mut builder = World::new()
            .user(UserRow::new("amy", "secret").monitor_ids("1,2"))
            .setting("server", "trusted-proxies", "[\"127.0.0.1\"]")
            .setting("auth", "timeout", "\"3s\"")
            // A group that every machine has; `zmesd` comes with the package.
            .setting("control", "admin-group", "\"root\"")
            .with_push_proxy(&proxy);
        for (id, name) in MONITORS {
            builder = builder.monitor(id, name);
        }
        let mut world = builder.prepare().await?;
        world.certificate = certificate(&world)?;
        world.start_daemon().await?;
        world.wait_comparing().await?;
        let mut stage = Self { world, proxy, apps: Vec::new(), last: 0, addresses: Vec::new() };
        stage.furnish()?;
        stage.enter().await?;
        Ok(stage)
    }

    /// Puts the programs onto a path, and the files of an old event server where pages expect them.
    fn furnish(&self) -> Result<()> {
        let bin = self.world.path("bin");
        fs::create_dir(&bin)?;
        symlink(zmesctl_binary()?, bin.join("zmesctl"))?;
        symlink(zmesd_binary()?, bin.join("zmesd"))?;
        fs::create_dir(self.world.path("here"))?;
        let old = self.world.path("old");
        fs::create_dir(&old)?;
        let files = zmes_tests::repository()?.join("tests/fixtures/docs");
        for entry in fs::read_dir(&files).with_context(|| files.display().to_string())? {
            let entry = entry?;
            fs::write(old.join(entry.file_name()), self.here(&fs::read_to_string(entry.path())?))?;
        }
        Ok(())
    }

    /// Amy and the admin open their apps, then two cameras see something.
    async fn enter(&mut self) -> Result<()> {
        self.connect().await?;
        self.alarm(2, 32910).await?;
        self.alarm(3, 32911).await?;
        for (token, event) in [(AMYS_PHONE, 32910), (ADMINS_PHONE, 32910), (ADMINS_PHONE, 32911)] {
            let handle = self.world.handle(token).await?;
            self.world.wait_delivery(&handle, event, "sent").await?;
        }
        let standin = "CN=localhost < CN=Authority of the stand-ins".to_owned();
        self.addresses.push((standin, "CN=push.example.org < CN=Example CA".to_owned()));
        self.addresses.push((self.proxy.address().to_string(), "push.example.org:8801".to_owned()));
        // As configured: any port.
        self.addresses.push(("127.0.0.1:0".to_owned(), "[::]:9000".to_owned()));
        Ok(())
    }

    /// Connects the apps, as they do by themselves whenever the daemon runs.
    async fn connect(&mut self) -> Result<()> {
        self.apps.clear();
        let endpoint = self.world.endpoint().await?;
        self.addresses.insert(0, (endpoint.address.to_string(), "[::]:9000".to_owned()));
        for (user, password, address, platform, token, app) in [
            ("amy", "secret", "192.0.2.31:50412", "ios", AMYS_PHONE, "1.8.001"),
            ("admin", "adminpass", "192.0.2.32:41877", "android", ADMINS_PHONE, "1.8.001"),
        ] {
            let mut client = AppClient::connect_with(&endpoint, &[("X-Forwarded-For", address)]).await?;
            let data = json!({"user": user, "password": password, "appversion": app});
            client.send(&json!({"event": "auth", "data": data, "token": token})).await?;
            client.expect(&json!({"event": "auth", "status": "Success"})).await?;
            let data = json!({"type": "token", "platform": platform, "token": token, "state": "enabled",
                              "appversion": app});
            client.send(&json!({"event": "push", "data": data, "token": token})).await?;
            client.sync().await?;
            self.world.wait_token(token, "registered", |_| true).await?;
            self.apps.push(client);
        }
        Ok(())
    }

    /// The apps read frames and answer pings, as real apps do all the time.
    async fn read_along(&mut self) {
        for app in &mut self.apps {
            while let Ok(Ok(Incoming::Json(_))) = timeout(Duration::from_millis(1), app.next()).await {}
        }
    }

    /// An alarm, and its end.
    async fn alarm(&self, monitor: u32, event: u64) -> Result<()> {
        self.world.alarm(monitor, event).await?;
        self.world
            .wait_status("that has seen the alarm", |status| {
                status["events"]["seen"].as_u64() >= Some(event - 32909)
            })
            .await?;
        self.world.end_alarm(monitor, event).await
    }

    /// Carries out a direction of a fence.
    pub(crate) async fn direct(&mut self, word: &str) -> Result<()> {
        match word {
            // Kinds of text, no directions.
            "app" | "control" | "demo" | "shown" | "logged-in" => Ok(()),
            "stopped" => {
                self.world.daemon()?.end(Signal::SIGTERM).await?;
                Ok(())
            }
            "started" => self.start().await,
            // Each phone's next push, once; the second attempt succeeds.
            "proxy-refuses-once" => {
                for token in [AMYS_PHONE, ADMINS_PHONE] {
                    self.proxy.answer_token_next(token, 1, &PushProxy::wrong_app_key());
                }
                Ok(())
            }
            "proxy-gone" => self.proxy.refuse().await,
            "camera-lost" => self.world.shm(3)?.stop(),
            "camera-back" => self.world.shm(3)?.start(),
            "amy-muted" => self.order(&["tokens", "mute", token_ending(AMYS_PHONE)]).await,
            "amy-unmuted" => self.order(&["tokens", "unmute", token_ending(AMYS_PHONE)]).await,
            "amy-disabled" => {
                self.world.database.sql("UPDATE Users SET Enabled=0 WHERE Username='amy'").await?;
                self.order(&["monitors", "reload"]).await
            }
            "amy-enabled" => {
                self.world.database.sql("UPDATE Users SET Enabled=1 WHERE Username='amy'").await?;
                self.order(&["monitors", "reload"]).await
            }
            "shadow" | "live" => {
                self.world.daemon()?.end(Signal::SIGTERM).await?;
                self.world.settings.set_text("push", "mode", word);
                self.world.write_settings()?;
                self.start().await
            }
            "typo" => {
                let text =
                    self.world.settings.render().replace("[push.proxy]\n", "[push.proxy]\nsuond = \"x\"\n");
                Ok(fs::write(self.world.settings_file(), text)?)
            }
            "mended" => self.world.write_settings(),
            "garage-alarms" => {
                self.world.alarm(2, 32912).await?;
                self.concluded(32912).await
            }
            other => bail!("unknown direction `{other}` (documented/stage.rs)"),
        }
    }

    /// Carries out a line in parentheses: `Garage alarms: event 32912`.
    pub(crate) async fn happen(&self, what: &str) -> Result<()> {
        let (who, event) =
            what.split_once(" alarms: event ").with_context(|| format!("unknown direction `{what}`"))?;
        let monitor = MONITORS.iter().find(|(_, name)| *name == who).with_context(|| format!("no {who}"))?.0;
        self.world.alarm(monitor, event.parse()?).await
    }

    /// Waits until the outcome of an event's pushes is recorded when none is sent: `why` would show a queue.
    async fn concluded(&self, event: u64) -> Result<()> {
        if self.world.status().await?["push"]["mode"] != "shadow" {
            return Ok(());
        }
        wait_until("the pushes are concluded", async || {
            let why = self.world.ctl().json(&["why", &event.to_string()]).await?;
            let waits = |target: &Value| target["decision"] == "queued";
            Ok((!why["targets"].as_array().context("no targets")?.iter().any(waits)).then_some(()))
        })
        .await
    }

    async fn order(&self, arguments: &[&str]) -> Result<()> {
        self.world.run(arguments).await?.expect_code(0).map(drop)
    }

    async fn start(&mut self) -> Result<()> {
        self.world.start_daemon().await?;
        self.world.wait_comparing().await?;
        self.connect().await
    }

    /// Runs a command line of a page, in the shell that an admin has.
    pub(crate) async fn run(&mut self, line: &str) -> Result<Printed> {
        self.read_along().await;
        let command = self.here(line);
        crate::fate::stays_below(&self.world.directory().to_string_lossy(), &command)?;
        let script = format!("exec 2>&1\n(exit {})\n{command}", self.last);
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-c", &script])
            .current_dir(self.world.path("here"))
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", self.world.path("bin").display()))
            .env("HOME", self.world.path("here"))
            .env("LANG", "C.UTF-8")
            .env("TZ", "UTC")
            .env("ZMESCTL_SOCKET", self.world.path("run/control.sock"))
            .env("ZMESD_CONFIG", self.world.settings_file())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output = within(line, shell.output()).await??;
        self.last = output.status.code().context("ended by a signal")?;
        let text = String::from_utf8(output.stdout).context("output is not UTF-8")?;
        ensure!(output.stderr.is_empty(), "the shell: {}", String::from_utf8_lossy(&output.stderr));
        Ok(Printed { code: self.last, lines: self.there(&text).lines().map(ToOwned::to_owned).collect() })
    }

    /// Returns where in the world a path of the pages is.
    pub(crate) fn place(&self, name: &str) -> PathBuf {
        self.world.path(name)
    }

    /// Puts the world's paths in place of the documented ones.
    pub(crate) fn here(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (documented, name) in PLACES {
            text = text.replace(documented, &self.world.path(name).to_string_lossy());
        }
        text
    }

    /// Puts the documented paths and addresses in place of the world's.
    pub(crate) fn there(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (address, documented) in &self.addresses {
            text = text.replace(address, documented);
        }
        for (documented, name) in PLACES {
            text = text.replace(&*self.world.path(name).to_string_lossy(), documented);
        }
        let rest = format!("{}/", self.world.directory().display());
        text.replace(&format!("{rest}bin/"), "/usr/bin/").replace(&format!("{rest}here/"), "")
    }

    /// Makes a script of the repository executable in the world and returns it.
    pub(crate) fn script(&self, name: &str) -> Result<PathBuf> {
        let base = Path::new(name).file_name().context("no file name")?;
        let copy = self.world.path("bin").join(base);
        fs::copy(zmes_tests::repository()?.join(name), &copy)?;
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o755))?;
        Ok(copy)
    }
}

/// A certificate as an admin makes one: for the name that people type, and for about a year.
fn certificate(world: &World) -> Result<Certificate> {
    let mut params =
        CertificateParams::new(["zm.example.org", "localhost", "127.0.0.1"].map(ToOwned::to_owned))?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.distinguished_name.push(DnType::CommonName, "zm.example.org");
    let today = jiff::Timestamp::from_second(epoch_seconds())?.to_zoned(TimeZone::UTC).date();
    let day = |days: i32| -> Result<_> {
        let date = today.checked_add(jiff::Span::new().days(days))?;
        Ok(date_time_ymd(date.year().into(), date.month().try_into()?, date.day().try_into()?))
    };
    (params.not_before, params.not_after) = (day(-1)?, day(364)?);
    let pair = KeyPair::generate()?;
    let signed = params.self_signed(&pair)?;
    let Certificate { certificate, key, .. } = world.certificate.clone();
    fs::write(&certificate, signed.pem())?;
    fs::write(&key, pair.serialize_pem())?;
    Ok(Certificate { certificate, key, der: signed.der().clone() })
}
