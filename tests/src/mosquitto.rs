//! Debian's MQTT broker, one per test, and the messages published there.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::Instant;

use crate::process::Process;
use crate::wait::wait_until;

const BROKER: &str = "/usr/sbin/mosquitto";

/// Returns whether the broker is installed: Debian's packages mosquitto and mosquitto-clients.
pub fn mosquitto_is_installed() -> bool {
    Path::new(BROKER).exists() && Path::new("/usr/bin/mosquitto_sub").exists()
}

/// A running broker.
#[derive(Debug)]
pub struct Mosquitto {
    process: Option<Process>,
    directory: PathBuf,
    port: u16,
    /// Options of `mosquitto_pub` with which the test's clients log in.
    access: Vec<String>,
}

impl Mosquitto {
    /// Starts a broker that accepts everyone.
    pub async fn start(directory: &Path) -> Result<Self> {
        Self::with(directory, "allow_anonymous true\n", &[]).await
    }

    /// Starts a broker with these lines in its configuration. `access` contains options for the test's own clients.
    pub async fn with(directory: &Path, lines: &str, access: &[&str]) -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        fs::create_dir_all(directory)?;
        let access = access.iter().map(ToString::to_string).collect();
        let mut broker = Self { process: None, directory: directory.to_owned(), port, access };
        broker.configure(lines)?;
        broker.launch().await?;
        Ok(broker)
    }

    /// Changes what it reads when it is launched next.
    pub fn configure(&self, lines: &str) -> Result<()> {
        let port = self.port;
        // As root it would switch to another user, who may not read the test's files.
        let text = format!(
            "user root\nlistener {port} 127.0.0.1\npersistence false\nlog_type all\nmax_inflight_messages 0\n{lines}"
        );
        Ok(fs::write(self.directory.join("mosquitto.conf"), text)?)
    }

    /// Starts it on the same port as before; retained messages are lost.
    pub async fn launch(&mut self) -> Result<()> {
        let mut command = Process::command(BROKER);
        command.arg("-c").arg(self.directory.join("mosquitto.conf"));
        self.process = Some(Process::spawn("mosquitto", &mut command, &self.directory.join("broker.log"))?);
        let port = self.port;
        wait_until("the broker listens", async || Ok(TcpStream::connect(("127.0.0.1", port)).await.ok()))
            .await?;
        Ok(())
    }

    /// Kills it with SIGKILL.
    pub async fn kill(&mut self) -> Result<()> {
        let mut process = self.process.take().context("no broker runs")?;
        process.end(Signal::SIGKILL).await?;
        Ok(())
    }

    /// Makes it read passwords and ACLs again.
    pub fn reload(&self) -> Result<()> {
        self.process.as_ref().context("no broker runs")?.signal(Signal::SIGHUP)
    }

    /// Has it stand still, as on a machine that hangs.
    pub fn freeze(&self) -> Result<()> {
        self.process.as_ref().context("no broker runs")?.signal(Signal::SIGSTOP)
    }

    /// Has it go on.
    pub fn thaw(&self) -> Result<()> {
        self.process.as_ref().context("no broker runs")?.signal(Signal::SIGCONT)
    }

    /// Publishes the same message again and again, until it is dropped.
    pub fn flood(&self, topic: &str, payload: &str) -> Result<Child> {
        let mut command = self.client("mosquitto_pub");
        command.args(["-t", topic, "-m", payload, "--repeat", "100000000"]);
        Ok(command.spawn()?)
    }

    /// Returns its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns what it has logged.
    pub fn log(&self) -> String {
        self.process.as_ref().map(Process::log).unwrap_or_default()
    }

    /// Publishes a message with QoS 1.
    pub async fn publish(&self, topic: &str, payload: &str, retain: bool) -> Result<()> {
        let mut command = self.client("mosquitto_pub");
        command.args(["-q", "1", "-t", topic, "-m", payload]);
        if retain {
            command.arg("-r");
        }
        let output = command.output().await?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// Publishes the content of a file, retained.
    pub async fn publish_file(&self, topic: &str, file: &Path) -> Result<()> {
        let mut command = self.client("mosquitto_pub");
        command.args(["-q", "1", "-r", "-t", topic, "-f"]).arg(file);
        let output = command.output().await?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// Returns what is retained, by topic.
    pub async fn retained(&self) -> Result<BTreeMap<String, String>> {
        let listening = self.listen().await?;
        let retained = listening.all().into_iter().filter(|heard| heard.retained);
        Ok(retained.map(|heard| (heard.topic, heard.payload)).collect())
    }

    /// Listens to everything, from what is retained on.
    #[expect(clippy::disallowed_methods, reason = "the task ends with the pipe of its child")]
    pub async fn listen(&self) -> Result<Listening> {
        let mut command = self.client("mosquitto_sub");
        command.args(["-q", "1", "-t", "#", "-F", "%j"]).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        // Pictures are no text.
        let lines = BufReader::new(child.stdout.take().context("no output")?).split(b'\n');
        let heard = Arc::<Mutex<Vec<Heard>>>::default();
        let (sink, mut lines) = (Arc::clone(&heard), lines);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_segment().await {
                if let Ok(message) = serde_json::from_str::<Value>(&String::from_utf8_lossy(&line)) {
                    sink.lock().unwrap_or_else(PoisonError::into_inner).push(Heard::of(&message));
                }
            }
        });
        let listening = Listening { heard, _child: child };
        // Our own message shows that the subscription is active.
        wait_until("the listener hears", async || {
            self.publish("listener/ready", "1", false).await?;
            Ok(listening.all().iter().any(|heard| heard.topic == "listener/ready").then_some(()))
        })
        .await?;
        Ok(listening)
    }

    fn client(&self, program: &str) -> Command {
        let mut command = Command::from(Process::command(program));
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string()]).args(&self.access);
        command.kill_on_drop(true);
        command
    }
}

/// A received message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The topic.
    pub topic: String,
    /// The payload.
    pub payload: String,
    /// Bytes of the payload.
    pub length: u64,
    /// The broker had kept it.
    pub retained: bool,
    /// When it was read.
    pub when: Instant,
}

impl Heard {
    fn of(message: &Value) -> Self {
        let text = |name: &str| message[name].as_str().unwrap_or_default().to_owned();
        Self {
            topic: text("topic"),
            payload: text("payload"),
            length: message["payloadlen"].as_u64().unwrap_or_default(),
            retained: message["retain"] == 1,
            when: Instant::now(),
        }
    }

    /// Returns the payload as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.payload).unwrap_or_default()
    }
}

/// A client that is subscribed to everything.
#[derive(Debug)]
pub struct Listening {
    heard: Arc<Mutex<Vec<Heard>>>,
    _child: Child,
}

impl Listening {
    /// Returns everything so far.
    pub fn all(&self) -> Vec<Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the messages of a topic.
    pub fn at(&self, topic: &str) -> Vec<Heard> {
        self.all().into_iter().filter(|heard| heard.topic == topic).collect()
    }

    /// Returns the last payload of each topic, unless empty.
    pub fn states(&self) -> BTreeMap<String, String> {
        let mut states = BTreeMap::new();
        for Heard { topic, payload, .. } in self.all() {
            if payload.is_empty() {
                states.remove(&topic);
            } else {
                states.insert(topic, payload);
            }
        }
        states
    }

    /// Waits until the last payload of a topic is this.
    pub async fn wait(&self, topic: &str, payload: &str) -> Result<()> {
        wait_until(&format!("{topic} is {payload:?}"), async || {
            Ok(self.at(topic).last().is_some_and(|last| last.payload == payload).then_some(()))
        })
        .await
        .with_context(|| format!("{:?}", self.at(topic)))
    }

    /// Waits until this many messages have arrived on a topic, and returns them.
    pub async fn wait_count(&self, topic: &str, count: usize) -> Result<Vec<Heard>> {
        wait_until(&format!("{count} messages at {topic}"), async || {
            let heard = self.at(topic);
            Ok((heard.len() >= count).then_some(heard))
        })
        .await
    }
}
