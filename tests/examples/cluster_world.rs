//! Everything around the nodes of `tests/lab/cluster.sh`: cameras with shared memory, phones, and a PushProxy that prints
//! what it gets. The script starts it; it ends with SIGTERM.
//!
//! `cluster_world DIRECTORY NODES BASE_PORT`: node N has the monitors N1 and N2 below `DIRECTORY/nodeN/shm`, and
//! listens on `BASE_PORT + N`. One camera after the other has an alarm, one every 3 s.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;
use tokio::process::Command;
use tokio::time::{Instant, sleep};
use zmes_tests::standin::PushProxy;
use zmes_tests::{
    AppClient, Certificate, Endpoint, Layout, Settings, ShmFile, State, Validity, epoch_seconds,
};

/// Monitors of each node.
const MONITORS: u32 = 2;
/// From one alarm to the next.
const EVERY: Duration = Duration::from_secs(3);
/// How long an alarm lasts.
const LASTING: Duration = Duration::from_secs(1);

struct WorldLab {
    directory: PathBuf,
    nodes: u32,
    port: u16,
    began: Instant,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [directory, nodes, port] = arguments.as_slice() else {
        anyhow::bail!("usage: cluster_world DIRECTORY NODES BASE_PORT");
    };
    let lab = WorldLab {
        directory: PathBuf::from(directory),
        nodes: nodes.parse()?,
        port: port.parse()?,
        began: Instant::now(),
    };
    lab.run().await
}

impl WorldLab {
    async fn run(&self) -> Result<()> {
        let proxy = PushProxy::start().await?;
        let certificate = Certificate::write(&self.directory, "cert", Validity::Long)?;
        let mut cameras = Vec::new();
        for node in 1..=self.nodes {
            cameras.extend(self.node(node, &proxy, &certificate)?);
        }
        // The script waits for this file, then starts the nodes.
        fs::write(self.directory.join("ready"), "")?;
        self.tell(&format!("{} cameras, and a PushProxy at {}", cameras.len(), proxy.url()));
        tokio::try_join!(self.listen(&proxy), self.act(&cameras, &certificate), Self::live(&cameras))?;
        Ok(())
    }

    /// Tells of each push as it comes.
    async fn listen(&self, proxy: &PushProxy) -> Result<()> {
        let mut seen = 0;
        loop {
            for push in proxy.pushes().iter().skip(seen) {
                let body = push.json();
                self.tell(&format!("push: {}", body["alert"].as_str().unwrap_or("?")));
                seen += 1;
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// One camera after the other has an alarm, once there is a phone.
    async fn act(&self, cameras: &[(u32, ShmFile)], certificate: &Certificate) -> Result<()> {
        let _phone = loop {
            match self.phone(certificate).await {
                Ok(phone) => break phone,
                Err(_) => sleep(Duration::from_millis(200)).await,
            }
        };
        let mut event = self.newest().await?;
        for (monitor, camera) in cameras.iter().cycle() {
            let next = Instant::now() + EVERY;
            event += 1;
            // A database that is away: the next one.
            if let Err(error) = self.alarm(*monitor, camera, event).await {
                self.tell(&format!("no alarm of monitor {monitor}: {error:#}"));
            }
            tokio::time::sleep_until(next).await;
        }
        Ok(())
    }

    /// Cameras give signs of life.
    async fn live(cameras: &[(u32, ShmFile)]) -> Result<()> {
        loop {
            let now = epoch_seconds();
            cameras.iter().try_for_each(|(_, camera)| camera.set_heartbeat(now))?;
            sleep(Duration::from_millis(500)).await;
        }
    }

    /// Makes shared memory and `zmesd.toml` of a node; returns its cameras.
    fn node(&self, node: u32, proxy: &PushProxy, certificate: &Certificate) -> Result<Vec<(u32, ShmFile)>> {
        let place = self.directory.join(format!("node{node}"));
        let shm = place.join("shm");
        fs::create_dir_all(&shm)?;
        // Not the socket of the member itself: this way can be cut.
        let member = place.join("sql");
        let zm = format!("mysql://root@localhost/zm?socket={}", member.display());
        let ledger = fs::read_to_string(self.directory.join("cluster-url"))?;
        let ledger = ledger.split('?').next().unwrap_or_default();
        let mut settings = Settings::default();
        settings.set_text("zoneminder", "config", "");
        settings.set_text("zoneminder", "database-url", &zm);
        settings.set_path("zoneminder", "path-map", &shm);
        settings.set("zoneminder", "server-id", node.to_string());
        settings.set("server", "listen", format!("[\"127.0.0.1:{}\"]", self.listens(node)?));
        settings.set_path("server.tls", "certificate", &certificate.certificate);
        settings.set_path("server.tls", "key", &certificate.key);
        settings.set_path("state", "directory", &place.join("state"));
        settings.set_path("control", "socket", &place.join("run/control.sock"));
        settings.use_push_proxy(proxy);
        settings.set("cluster", "enabled", "true");
        settings.set_text("cluster", "name", &format!("node{node}"));
        settings.set_text("cluster", "database-url", &format!("{ledger}?socket={}", member.display()));
        settings.write(&place.join("zmesd.toml"))?;
        (1..=MONITORS)
            .map(|number| {
                let monitor = node * 10 + number;
                let camera = ShmFile::new(&shm, monitor, Layout::of(760));
                camera.start()?;
                Ok((monitor, camera))
            })
            .collect()
    }

    fn listens(&self, node: u32) -> Result<u16> {
        Ok(self.port + u16::try_from(node)?)
    }

    /// Registers a phone at the first node.
    async fn phone(&self, certificate: &Certificate) -> Result<AppClient> {
        let address = format!("127.0.0.1:{}", self.listens(1)?).parse()?;
        let mut app =
            AppClient::connect(&Endpoint { address, tls: Some(certificate.client(rustls::ALL_VERSIONS)?) })
                .await?;
        app.authenticate("admin", "adminpass").await?;
        app.send(&json!({"event": "push", "data":
            {"type": "token", "platform": "android", "token": "lab-phone-of-the-cluster", "state": "enabled"}}))
            .await?;
        app.sync().await?;
        self.tell("a phone has registered at node 1");
        Ok(app)
    }

    async fn alarm(&self, monitor: u32, camera: &ShmFile, event: u64) -> Result<()> {
        self.tell(&format!("alarm: monitor {monitor}, event {event}"));
        let insert = async || {
            self.sql(monitor / 10, &format!(
                "INSERT INTO Events SET Id={event}, MonitorId={monitor}, Name='Event {event}', Cause='Motion', \
                 StartDateTime=NOW()"
            ))
            .await
            .map(drop)
        };
        camera.alarm(event, "Motion", insert).await?;
        sleep(LASTING).await;
        camera.set_state(State::Idle)?;
        self.sql(monitor / 10, &format!("UPDATE Events SET EndDateTime=NOW() WHERE Id={event}"))
            .await
            .map(drop)
    }

    async fn newest(&self) -> Result<u64> {
        Ok(self.sql(1, "SELECT COALESCE(MAX(Id), 0) FROM Events").await?.parse()?)
    }

    /// Runs SQL at the member of a host.
    async fn sql(&self, host: u32, statement: &str) -> Result<String> {
        let output = Command::new("mariadb")
            .args([
                "--no-defaults",
                "--skip-ssl",
                "--user=root",
                "--skip-column-names",
                "--batch",
                "--connect-timeout=2",
            ])
            .arg(format!("--socket={}", self.directory.join(host.to_string()).join("sock").display()))
            .args(["--execute", statement, "zm"])
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(Duration::from_secs(10), output).await??;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    #[expect(clippy::print_stdout, reason = "it is what the lab shows")]
    fn tell(&self, text: &str) {
        println!("{:8.2} s  {text}", self.began.elapsed().as_secs_f64());
    }
}
