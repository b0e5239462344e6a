//! Two hosts of one site, each with a daemon beside its own cameras, and one database with a ledger in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::time::Instant;

use crate::database::Schema;
use crate::database_line::DatabaseLine;
use crate::settings::Settings;
use crate::standin::{Arrival, PushProxy};
use crate::wait::wait_until;
use crate::wall_clock::epoch_seconds;
use crate::world::{World, WorldBuilder};
use crate::zoneminder::{EventRow, MonitorRow};

/// The content of a site.
#[derive(Debug, Clone)]
pub struct SiteBuilder {
    cameras: u32,
    settings: Settings,
}

/// Both hosts. When dropped, their processes end.
#[derive(Debug)]
pub struct Site {
    /// Has the odd monitors, and the database of both.
    pub a: World,
    /// Has the even monitors.
    pub b: World,
    /// The push provider of both.
    pub proxy: PushProxy,
    cameras: u32,
    ledger: String,
}

/// A push for an alarm, as the provider got it.
#[derive(Debug, Clone)]
pub struct SitePush {
    /// The node that sent it: `a` or `b`.
    pub node: &'static str,
    /// The phone.
    pub token: String,
    /// The event.
    pub event: u64,
    /// When it had arrived.
    pub at: Instant,
}

impl SiteBuilder {
    /// Sets how many cameras each host has.
    #[must_use]
    pub fn cameras(mut self, cameras: u32) -> Self {
        self.cameras = cameras;
        self
    }

    /// Sets a key of both `zmesd.toml`; `value` is TOML.
    #[must_use]
    pub fn setting(mut self, table: &str, key: &str, value: &str) -> Self {
        self.settings.set(table, key, value);
        self
    }

    /// For tests in which no node fails: a machine that stands still for a moment does not change who sends.
    #[must_use]
    pub fn patient(self) -> Self {
        self.setting("cluster", "lease", "\"10s\"")
    }

    /// Creates everything, but does not start the daemons.
    pub async fn prepare(self) -> Result<Site> {
        let mut site = self.apart().await?;
        site.make_ledger().await?;
        site.join()?;
        Ok(site)
    }

    /// Creates both hosts with one database, without a cluster: neither a ledger nor `[cluster]`.
    pub async fn apart(self) -> Result<Site> {
        let proxy = PushProxy::start().await?;
        let a = self.host(1, &proxy).prepare().await?;
        let mut b = self.host(2, &proxy).prepare().await?;
        let theirs: String = (1..=self.cameras).map(|camera| row(2 * camera).insert(Schema::V1_36)).collect();
        let servers = "DELETE FROM Servers; INSERT INTO Servers (Id, Name) VALUES (1, 'a'), (2, 'b'); \
                       UPDATE Monitors SET ServerId = IF(Id % 2 = 1, 1, 2)";
        a.database.sql(&format!("{theirs} {servers}")).await?;
        b.database.stop().await?;
        use_database(&b, &b.database.socket(), &a.database.socket())?;
        // By this name the provider knows who sends.
        b.settings.set_text("push.proxy", "url", &proxy.url().replace("127.0.0.1", LOCALHOST));
        b.write_settings()?;
        let ledger = a.path("cluster-url").display().to_string();
        Ok(Site { a, b, proxy, cameras: self.cameras, ledger })
    }

    /// Creates everything, starts the daemon of `a`, which gets the lease, and then that of `b`.
    pub async fn start(self) -> Result<Site> {
        let mut site = self.prepare().await?;
        site.start_daemons().await?;
        Ok(site)
    }

    fn host(&self, number: u32, proxy: &PushProxy) -> WorldBuilder {
        let mut builder = World::new()
            .with_push_proxy(proxy)
            .setting("zoneminder", "server-id", &number.to_string())
            .setting("zoneminder", "alarm-limit", "0")
            .setting("push", "storm-limit", "100000");
        builder.settings.overlay(self.settings.clone());
        (0..self.cameras).fold(builder, |builder, camera| builder.camera(row(2 * camera + number)))
    }
}

/// How node `b` calls the provider's host.
const LOCALHOST: &str = "localhost";

/// The first two have names that tell them apart in a push.
fn row(monitor: u32) -> MonitorRow {
    let name = match monitor {
        1 => "Front".to_owned(),
        2 => "Yard".to_owned(),
        other => format!("Camera {other}"),
    };
    MonitorRow::new(monitor, &name)
}

fn use_database(world: &World, before: &Path, now: &Path) -> Result<()> {
    let conf = world.path("zm.conf");
    let text = fs::read_to_string(&conf)?;
    let (before, now) = (before.display().to_string(), now.display().to_string());
    ensure!(text.contains(&before), "{before} is not in zm.conf: {text}");
    Ok(fs::write(&conf, text.replace(&before, &now))?)
}

impl Site {
    /// A phone; tests register it.
    pub const PHONE: &str = "cluster-android:APA91bHPRgkF-one";

    /// Returns the builder of a site: a camera for each host, a lease of 2 s.
    #[expect(clippy::new_ret_no_self, reason = "tests read as sentences: Site::new().cameras(2).start()")]
    pub fn new() -> SiteBuilder {
        let mut settings = Settings::default();
        settings.set_text("cluster", "lease", "2s");
        SiteBuilder { cameras: 1, settings }
    }

    /// Starts a site with camera 1 at `a` and camera 2 at `b`.
    pub async fn start() -> Result<Self> {
        Self::new().start().await
    }

    /// Starts the daemon of `a`, which gets the lease, and then that of `b`.
    pub async fn start_daemons(&mut self) -> Result<()> {
        self.a.start_daemon().await?;
        self.wait_pusher("a").await?;
        self.b.start_daemon().await?;
        self.a.wait_comparing().await?;
        self.b.wait_comparing().await
    }

    /// Makes a ledger, as an admin does.
    pub async fn make_ledger(&self) -> Result<()> {
        let admin = format!("mysql://root@localhost/zmesd?socket={}", self.a.database.socket().display());
        let init = ["cluster", "init", "--database-url", &admin, "--output", &self.ledger, "--yes"];
        self.a.run(&init).await?.expect_code(0).map(drop)
    }

    /// Enables `[cluster]` at both hosts; it is in force at the next start.
    pub fn join(&mut self) -> Result<()> {
        for (world, name) in [(&mut self.a, "a"), (&mut self.b, "b")] {
            world.settings.set("cluster", "enabled", "true");
            world.settings.set_text("cluster", "name", name);
            world.settings.set_text("cluster", "database-url-file", &self.ledger);
            world.write_settings()?;
        }
        Ok(())
    }

    /// Puts a line between host `b` and the database, for ledger and ZoneMinder's tables; its daemon must not run yet.
    pub fn line_of_b(&mut self) -> Result<DatabaseLine> {
        line(&mut self.b, &self.a.database.socket(), &self.ledger)
    }

    /// The same for host `a`.
    pub fn line_of_a(&mut self) -> Result<DatabaseLine> {
        let database = self.a.database.socket();
        line(&mut self.a, &database, &self.ledger)
    }

    /// Returns the password of the ledger's account. No output may contain it.
    pub fn ledger_password(&self) -> Result<String> {
        let url = fs::read_to_string(&self.ledger)?;
        Ok(url.split([':', '@']).nth(2).context("no password")?.to_owned())
    }

    /// Returns the host of a monitor.
    pub fn host_of(&self, monitor: u32) -> &World {
        if monitor % 2 == 1 { &self.a } else { &self.b }
    }

    /// Returns the node of that name.
    pub fn node(&mut self, name: &str) -> &mut World {
        if name == "a" { &mut self.a } else { &mut self.b }
    }

    /// Returns the name of the other node.
    pub fn other(name: &str) -> &'static str {
        if name == "a" { "b" } else { "a" }
    }

    /// Keeps the cameras alive: to be called at least every 40 s.
    pub fn beat(&self) -> Result<()> {
        let now = epoch_seconds();
        (1..=2 * self.cameras).try_for_each(|monitor| self.host_of(monitor).shm(monitor)?.set_heartbeat(now))
    }

    /// Starts an alarm as `zmc` does, also while the daemon of that host is down.
    pub async fn alarm(&self, monitor: u32, event: u64) -> Result<()> {
        let row = EventRow::new(event, monitor);
        let insert = async || self.a.insert_event(row).await;
        self.host_of(monitor).shm(monitor)?.alarm(event, "Motion", insert).await
    }

    /// Returns the ledger's own word for who sends; empty: no node.
    pub async fn pusher(&self) -> Result<String> {
        let sql = "SELECT n.name FROM zmesd.lease l JOIN zmesd.node n ON n.id = l.holder";
        self.a.database.sql(sql).await
    }

    /// Waits until the ledger says that this node sends.
    pub async fn wait_pusher(&self, name: &str) -> Result<()> {
        wait_until(&format!("{name} sends the pushes"), async || {
            Ok((self.pusher().await? == name).then_some(()))
        })
        .await
    }

    /// Waits until `cluster status` of a node is as wanted, and returns it, whatever its exit code.
    pub async fn wait_cluster(world: &World, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        wait_until(&format!("the cluster's status is {what}"), async || {
            let status = world.run(&["cluster", "status", "--json"]).await?.json()?;
            Ok(wanted(&status).then_some(status))
        })
        .await
    }

    /// Waits until this many nodes are alive, by the word of one.
    pub async fn wait_alive(world: &World, count: usize) -> Result<()> {
        Self::wait_cluster(world, &format!("{count} nodes alive"), |status| {
            let nodes = status["nodes"].as_array().map(Vec::as_slice).unwrap_or_default();
            nodes.iter().filter(|node| node["alive"] == true).count() == count
        })
        .await
        .map(drop)
    }

    /// Waits until nothing is left to be sent, by the ledger.
    pub async fn wait_settled(&self) -> Result<()> {
        wait_until("everything is settled", async || {
            let open = "SELECT COUNT(*) FROM zmesd.alarm WHERE NOT settled AND phase = 1";
            Ok((self.a.database.sql(open).await? == "0").then_some(()))
        })
        .await
    }

    /// Returns the pushes for alarms so far, in the order of their arrival.
    pub fn pushes(&self) -> Vec<SitePush> {
        let push = |arrival: Arrival| {
            let node = if arrival.request.host.starts_with(LOCALHOST) { "b" } else { "a" };
            let event = arrival.event()?;
            Some(SitePush { node, token: arrival.token?, event, at: arrival.at })
        };
        self.proxy.pushes().into_iter().filter_map(push).collect()
    }

    /// Returns how often [`Site::PHONE`] has rung for each event.
    pub fn rung(&self) -> BTreeMap<u64, usize> {
        self.rung_at(Self::PHONE)
    }

    /// Waits until [`Site::PHONE`] has rung for an event.
    pub async fn wait_rung(&self, event: u64) -> Result<()> {
        self.wait_rung_at(Self::PHONE, [event]).await
    }

    /// Returns how often the provider was asked to ring a phone for each event.
    pub fn rung_at(&self, token: &str) -> BTreeMap<u64, usize> {
        let mut rung = BTreeMap::new();
        for push in self.pushes().into_iter().filter(|push| push.token == token) {
            *rung.entry(push.event).or_default() += 1;
        }
        rung
    }

    /// Waits until a phone has rung for these events.
    pub async fn wait_rung_at(&self, token: &str, events: impl IntoIterator<Item = u64>) -> Result<()> {
        let events: Vec<u64> = events.into_iter().collect();
        let mut missing = Vec::new();
        let rung = wait_until(&format!("{token} has rung for each event"), async || {
            let rung = self.rung_at(token);
            missing = events.iter().copied().filter(|event| !rung.contains_key(event)).collect();
            Ok(missing.is_empty().then_some(()))
        })
        .await;
        rung.with_context(|| format!("missing: {missing:?}"))
    }
}

/// Lets a host reach the database by a line alone.
fn line(world: &mut World, database: &Path, ledger: &str) -> Result<DatabaseLine> {
    let line = DatabaseLine::start(&world.path("line"), database)?;
    use_database(world, database, line.path())?;
    let (from, to) = (database.display().to_string(), line.path().display().to_string());
    let (url, text) = (world.path("line-url"), fs::read_to_string(ledger)?);
    ensure!(text.contains(&from), "{from} is not in the ledger's URL");
    fs::write(&url, text.replace(&from, &to))?;
    world.settings.set_path("cluster", "database-url-file", &url);
    world.write_settings()?;
    Ok(line)
}
