//! Visitors: apps, strangers, phones, admins, watchers.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use zmes_tests::{AppClient, Certificate, Ctl, Endpoint, Incoming, World};

/// Apps that connect in a round; half of them disconnect without a close frame.
const APPS: usize = 6;
/// How long a watcher waits for its first line.
const PATIENCE: Duration = Duration::from_secs(2);
/// Wrong passwords in a round.
const STRANGERS: usize = 3;

/// Visitors of one daemon.
#[derive(Debug)]
pub(crate) struct Crowd {
    address: SocketAddr,
    ctl: Ctl,
}

impl Crowd {
    pub(crate) async fn of(world: &World) -> Result<Self> {
        Ok(Self { address: world.endpoint().await?.address, ctl: world.ctl() })
    }

    /// Visits once. While the database is away, logins cannot be decided, so there is no session to leave.
    pub(crate) async fn visit(&self, round: usize, since: u64, certificate: &Certificate) -> Result<()> {
        for number in 0..APPS {
            let mut app = self.connect(round, number, certificate).await?;
            if Self::login(&mut app, "admin", "adminpass").await? == Some(true) {
                Self::replay(&mut app, since).await?;
                if number == 0 {
                    self.register(&mut app, round).await?;
                }
            }
            if number % 2 == 0 {
                app.send_message(Message::Close(None)).await.ok();
            }
        }
        for number in 0..STRANGERS {
            let mut stranger = self.connect(round, APPS + number, certificate).await?;
            let verdict = Self::login(&mut stranger, &format!("stranger-{number}"), "wrong").await?;
            anyhow::ensure!(verdict != Some(true), "a wrong password was taken");
        }
        self.administer(round).await
    }

    /// Each visitor has an address of its own, so that wrong passwords do not lock out others.
    async fn connect(&self, round: usize, number: usize, certificate: &Certificate) -> Result<AppClient> {
        let tls = Some(certificate.client(rustls::ALL_VERSIONS)?);
        let from = format!("198.51.{}.{}", round % 250, number + 1);
        let endpoint = Endpoint { address: self.address, tls };
        AppClient::connect_with(&endpoint, &[("X-Forwarded-For", &from)]).await
    }

    /// Returns whether the login succeeded; `None` where it could not be decided.
    async fn login(app: &mut AppClient, user: &str, password: &str) -> Result<Option<bool>> {
        app.send_auth(user, password).await?;
        match app.next().await? {
            Incoming::Json(reply) => Ok(Some(reply["status"] == "Success")),
            Incoming::Closed(_) => Ok(None),
        }
    }

    /// Asks for the alarms since an event again and reads them.
    async fn replay(app: &mut AppClient, since: u64) -> Result<()> {
        let data = json!({"type": "replay", "since": since.to_string()});
        app.send(&json!({"event": "control", "data": data})).await?;
        loop {
            match app.next().await? {
                Incoming::Json(frame) if frame["event"] == "control" => return Ok(()),
                Incoming::Json(_) => {}
                // The database has gone meanwhile, or the certificate is being changed.
                Incoming::Closed(_) => return Ok(()),
            }
        }
    }

    /// A phone that registers and is removed again.
    async fn register(&self, app: &mut AppClient, round: usize) -> Result<()> {
        let token = format!("visitor-{round:06}:APA91b{}", "x".repeat(60));
        let data = json!({"type": "token", "platform": "android", "token": token, "state": "disabled"});
        app.send(&json!({"event": "push", "data": data})).await?;
        app.send(&json!({"event": "control", "data": {"type": "version"}})).await?;
        while let Incoming::Json(frame) = app.next().await? {
            if frame["event"] == "control" {
                break;
            }
        }
        let list = self.ctl.json(&["tokens", "list", "--state", "disabled"]).await?;
        let handles = list["tokens"].as_array().with_context(|| format!("no list: {list}"))?;
        for handle in handles.iter().filter_map(|token| token["handle"].as_str()) {
            self.ctl.run(&["tokens", "revoke", handle, "--yes"]).await?.expect_code(0)?;
        }
        Ok(())
    }

    /// An admin at work, and a watcher that is cut off.
    async fn administer(&self, round: usize) -> Result<()> {
        let mut watcher = self.ctl.stream(&["watch", "--jsonl"])?;
        for command in
            [&["status"][..], &["clients", "list"], &["monitors", "list"], &["latency"], &["push", "queue"]]
        {
            let shown: Value = self.ctl.json(command).await?;
            anyhow::ensure!(shown.is_object(), "{command:?}: {shown}");
        }
        // Half of the watchers have read something.
        if round.is_multiple_of(2) {
            timeout(PATIENCE, watcher.next()).await.ok();
        }
        watcher.close_pipe();
        Ok(())
    }
}
