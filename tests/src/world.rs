//! A ZoneMinder small enough for every test to have its own, and its daemon.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::app_client::{AppClient, Endpoint};
use crate::certificate::{Certificate, Validity};
use crate::ctl::{Ctl, CtlOutput};
use crate::daemon::Daemon;
use crate::database::{Database, Schema};
use crate::settings::Settings;
use crate::shm_writer::ShmFile;
use crate::wait::wait_until;
use crate::zoneminder::{EventRow, MonitorRow, UserRow};

/// The content of a world.
#[derive(Debug, Clone)]
pub struct WorldBuilder {
    schema: Schema,
    monitors: Vec<MonitorRow>,
    users: Vec<UserRow>,
    pub(crate) settings: Settings,
}

/// A directory with everything in it; when dropped, ends its processes and is removed.
#[derive(Debug)]
pub struct World {
    // Order matters: processes must end before their directory is removed.
    daemon: Option<Daemon>,
    /// ZoneMinder's database.
    pub database: Database,
    /// The daemon's certificate.
    pub certificate: Certificate,
    /// The content of `zmesd.toml`; change it, call [`World::write_settings`], reload.
    pub settings: Settings,
    files: BTreeMap<u32, ShmFile>,
    directory: TempDir,
}

impl World {
    /// `ZM_AUTH_HASH_SECRET` of every world. Planted: no output may contain it.
    pub const AUTH_SECRET: &str = "planted-auth-hash-secret";

    /// Returns the builder of a world: ZoneMinder 1.36, the user `admin` with password `adminpass`, no monitors.
    #[expect(clippy::new_ret_no_self, reason = "tests read as sentences: World::new().monitor(…).start()")]
    pub fn new() -> WorldBuilder {
        WorldBuilder {
            schema: Schema::V1_36,
            monitors: Vec::new(),
            users: vec![UserRow::new("admin", "adminpass")],
            settings: Settings::default(),
        }
    }
}

impl WorldBuilder {
    /// Sets the generation of ZoneMinder.
    #[must_use]
    pub fn schema(mut self, schema: Schema) -> Self {
        self.schema = schema;
        self
    }

    /// Adds a camera with motion detection.
    #[must_use]
    pub fn monitor(self, id: u32, name: &str) -> Self {
        self.camera(MonitorRow::new(id, name))
    }

    /// Adds any camera.
    #[must_use]
    pub fn camera(mut self, monitor: MonitorRow) -> Self {
        self.monitors.push(monitor);
        self
    }

    /// Adds a user.
    #[must_use]
    pub fn user(mut self, user: UserRow) -> Self {
        self.users.push(user);
        self
    }

    /// Sets a key of `zmesd.toml`; `value` is TOML: `"\"5s\""`, `true`.
    #[must_use]
    pub fn setting(mut self, table: &str, key: &str, value: &str) -> Self {
        self.settings.set(table, key, value);
        self
    }

    /// Creates everything, but does not start the daemon.
    pub async fn prepare(self) -> Result<World> {
        let directory = tempfile::Builder::new().prefix("zmes-").tempdir()?;
        let root = directory.path();
        // Other users must reach the control socket, so that the daemon itself refuses them.
        fs::set_permissions(root, fs::Permissions::from_mode(0o755))?;
        let shm = root.join("shm");
        fs::create_dir(&shm)?;
        let database = Database::start(&root.join("db"), self.schema).await?;
        let mut statements = String::new();
        for user in &self.users {
            statements.push_str(&user.insert(self.schema));
        }
        let mut files = BTreeMap::new();
        for monitor in &self.monitors {
            statements.push_str(&monitor.insert(self.schema));
            if monitor.shared_memory {
                let file = ShmFile::new(&shm, monitor.id, monitor.layout).numbered(monitor.numbering);
                file.start()?;
                files.insert(monitor.id, file);
            }
        }
        database.sql(&statements).await?;
        let certificate = Certificate::write(root, "cert", Validity::Long)?;
        let mut world =
            World { daemon: None, database, certificate, settings: Settings::default(), files, directory };
        world.write_zm_conf()?;
        world.settings = world.defaults(self.settings);
        world.write_settings()?;
        Ok(world)
    }

    /// Creates everything, starts the daemon, and waits until it knows its users and watches every monitor.
    pub async fn start(self) -> Result<World> {
        let mut world = self.prepare().await?;
        world.start_daemon().await?;
        Ok(world)
    }
}

impl World {
    /// Returns a path in the world's directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Returns the configuration file.
    pub fn settings_file(&self) -> PathBuf {
        self.path("zmesd.toml")
    }

    /// Writes `zmesd.toml` from [`World::settings`].
    pub fn write_settings(&self) -> Result<()> {
        self.settings.write(&self.settings_file())
    }

    /// Writes `zmesd.toml`, followed by text such as `[[rule]]` blocks.
    pub fn write_settings_with(&self, blocks: &str) -> Result<()> {
        self.write_settings()?;
        let file = self.settings_file();
        let text = fs::read_to_string(&file)?;
        Ok(fs::write(&file, format!("{text}\n{blocks}"))?)
    }

    /// Starts the daemon and waits until it watches all monitors.
    pub async fn start_daemon(&mut self) -> Result<()> {
        self.launch_daemon().await?;
        self.wait_watching().await
    }

    /// Starts the daemon and waits only until it answers (for worlds with something broken).
    pub async fn launch_daemon(&mut self) -> Result<()> {
        let file = self.settings_file();
        let command = Daemon::command(self.directory.path(), &["--config", &file.to_string_lossy()])?;
        self.adopt(command).await
    }

    /// Starts the daemon with the test's own command.
    pub async fn adopt(&mut self, command: std::process::Command) -> Result<()> {
        let certificate = Some(self.certificate.clone());
        self.daemon = Some(Daemon::start(command, self.directory.path(), self.ctl(), certificate).await?);
        Ok(())
    }

    /// Waits until the database has been read and every shared-memory file is watched.
    pub async fn wait_watching(&self) -> Result<()> {
        let wanted = self.files.len() as u64;
        wait_until("the daemon watches every monitor", async || {
            let status = self.status().await?;
            let watched = status.pointer("/monitors/watched").and_then(Value::as_u64);
            Ok((status["database"] == "ok" && watched == Some(wanted)).then_some(()))
        })
        .await
    }

    /// Waits until the daemon has read the Events table once: rows added from now on are new to it.
    ///
    /// No answer shows that moment, so this reads the log; tests assert nothing about the log.
    pub async fn wait_comparing(&self) -> Result<()> {
        self.wait_log("comparing with the Events table").await
    }

    /// Waits until the daemon's log has this text.
    pub async fn wait_log(&self, text: &str) -> Result<()> {
        let daemon = self.daemon.as_ref().context("no daemon was started")?;
        wait_until(&format!("the log says: {text}"), async || Ok(daemon.log().contains(text).then_some(())))
            .await
    }

    /// Returns the running daemon.
    pub fn daemon(&mut self) -> Result<&mut Daemon> {
        self.daemon.as_mut().context("no daemon was started")
    }

    /// Kills the daemon with SIGKILL.
    pub async fn kill_daemon(&mut self) -> Result<()> {
        let mut daemon = self.daemon.take().context("no daemon was started")?;
        daemon.end(nix::sys::signal::Signal::SIGKILL).await?;
        Ok(())
    }

    /// Returns where apps connect.
    pub async fn endpoint(&self) -> Result<Endpoint> {
        self.daemon.as_ref().context("no daemon was started")?.endpoint().await
    }

    /// Connects an app that has not authenticated.
    pub async fn app(&self) -> Result<AppClient> {
        AppClient::connect(&self.endpoint().await?).await
    }

    /// Connects an app and authenticates.
    pub async fn login(&self, user: &str, password: &str) -> Result<AppClient> {
        let mut app = self.app().await?;
        app.authenticate(user, password).await?;
        Ok(app)
    }

    /// Connects an app with all rights.
    pub async fn admin(&self) -> Result<AppClient> {
        self.login("admin", "adminpass").await
    }

    /// Connects an app with all rights that names its app and version, so that it is a separate device.
    pub async fn device(&self, app: &str) -> Result<AppClient> {
        let mut client = self.app().await?;
        let data = json!({"user": "admin", "password": "adminpass", "appversion": app});
        client.send(&json!({"event": "auth", "data": data})).await?;
        client.expect(&json!({"event": "auth", "status": "Success"})).await?;
        Ok(client)
    }

    /// Returns `zmesctl` for this daemon.
    pub fn ctl(&self) -> Ctl {
        Ctl::new(&self.path("run/control.sock"))
    }

    /// Runs `zmesctl`.
    pub async fn run(&self, arguments: &[&str]) -> Result<CtlOutput> {
        self.ctl().run(arguments).await
    }

    /// Returns `zmesctl status --json`.
    pub async fn status(&self) -> Result<Value> {
        self.ctl().json(&["status"]).await
    }

    /// Returns one monitor of `zmesctl monitors list --json`.
    pub async fn monitor(&self, id: u32) -> Result<Value> {
        self.find_monitor(id).await?.with_context(|| format!("no monitor {id}"))
    }

    /// Waits until an entry of `zmesctl monitors list` matches `wanted`.
    pub async fn wait_monitor(&self, id: u32, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        wait_until(&format!("monitor {id} is {what}"), async || {
            Ok(self.find_monitor(id).await?.filter(|monitor| wanted(monitor)))
        })
        .await
    }

    /// Returns the entry of `zmesctl monitors list`, if there is one.
    pub async fn find_monitor(&self, id: u32) -> Result<Option<Value>> {
        let list = self.ctl().json(&["monitors", "list"]).await?;
        let monitors = list["monitors"].as_array().with_context(|| format!("no list: {list}"))?;
        Ok(monitors.iter().find(|monitor| monitor["id"] == id).cloned())
    }

    /// Waits until `zmesctl status` matches `wanted`.
    pub async fn wait_status(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        wait_until(&format!("the status is {what}"), async || {
            let status = self.status().await?;
            Ok(wanted(&status).then_some(status))
        })
        .await
    }

    /// Returns the shared memory of a monitor.
    pub fn shm(&self, monitor: u32) -> Result<&ShmFile> {
        self.files.get(&monitor).with_context(|| format!("monitor {monitor} has no shared memory"))
    }

    /// Inserts a row in Events.
    pub async fn insert_event(&self, event: EventRow) -> Result<()> {
        self.database.sql(&event.insert()).await.map(drop)
    }

    /// Starts an alarm as `zmc` does: row and shared memory, in the order of the version.
    pub async fn alarm(&self, monitor: u32, event: u64) -> Result<()> {
        let row = EventRow::new(event, monitor);
        self.shm(monitor)?.alarm(event, "Motion", async || self.insert_event(row).await).await
    }

    /// Starts an alarm only in shared memory, as seen while the database is away.
    pub async fn alarm_without_row(&self, monitor: u32, event: u64) -> Result<()> {
        self.shm(monitor)?.alarm(event, "Motion", async || Ok(())).await
    }

    /// Ends an alarm and its event.
    pub async fn end_alarm(&self, monitor: u32, event: u64) -> Result<()> {
        self.shm(monitor)?.set_state(crate::State::Idle)?;
        self.database.sql(&format!("UPDATE Events SET EndDateTime=NOW() WHERE Id={event}")).await.map(drop)
    }

    fn write_zm_conf(&self) -> Result<()> {
        let text = format!(
            "ZM_DB_TYPE=mysql\nZM_DB_HOST=localhost:{}\nZM_DB_NAME=zm\nZM_DB_USER={}\nZM_DB_PASS={}\n\
             ZM_PATH_MAP={}\nZM_PATH_SOCKS={}\nZM_DIR_EVENTS={}\n",
            self.database.socket().display(),
            Database::USER,
            Database::PASSWORD,
            self.path("shm").display(),
            self.directory.path().display(),
            self.path("events").display(),
        );
        Ok(fs::write(self.path("zm.conf"), text)?)
    }

    /// Returns the settings of every world, overlaid with those of this test.
    fn defaults(&self, own: Settings) -> Settings {
        let mut settings = Settings::default();
        settings.set_path("zoneminder", "config", &self.path("zm.conf"));
        settings.set_text("zoneminder", "reconcile-interval", "200ms");
        settings.set("server", "listen", "[\"127.0.0.1:0\"]");
        settings.set_path("server.tls", "certificate", &self.certificate.certificate);
        settings.set_path("server.tls", "key", &self.certificate.key);
        settings.set_path("state", "directory", &self.path("state"));
        settings.set_path("control", "socket", &self.path("run/control.sock"));
        // Waiting requests the status again and again: those lines would hide the rest.
        settings.set_text("log", "level", "debug,zmesd::control=info");
        settings.set_text("log", "format", "text");
        settings.overlay(own);
        settings
    }

    /// Returns the world's directory.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}
