//! A real Home Assistant with a real mosquitto: `lab/ha-lab.sh`, which installs them into a chroot.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use nix::unistd::Uid;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::binaries::repository;
use crate::skip::skipped;
use crate::wait::wait_until;

/// Set to run the tests that need it: an installation takes minutes and a gigabyte.
const WANTED: &str = "ZMES_HOME_ASSISTANT";
/// Different from the default ports of a developer's lab.
const PORT: u16 = 33_820;

/// The running Home Assistant. It and its broker are stopped when this is dropped; the installation stays.
#[derive(Debug)]
pub struct HomeAssistant {
    directory: PathBuf,
}

impl HomeAssistant {
    /// Starts a fresh Home Assistant, with a broker that retains nothing.
    ///
    /// Returns `None` if not requested (`tests/run --home-assistant`), unless `CI` is set.
    pub async fn up() -> Result<Option<Self>> {
        if std::env::var_os(WANTED).is_none() {
            skipped("the real Home Assistant is tested by tests/run --home-assistant")?;
            return Ok(None);
        }
        if !Uid::effective().is_root() {
            skipped("the real Home Assistant of tests/lab/ha-lab.sh needs root")?;
            return Ok(None);
        }
        let named = std::env::var_os("HA_LAB_DIR").map(PathBuf::from);
        let directory = match named {
            Some(directory) => directory,
            None => PathBuf::from(std::env::var_os("HOME").context("no $HOME")?)
                .join(".cache/zmesd-home-assistant"),
        };
        std::fs::create_dir_all(&directory).with_context(|| directory.display().to_string())?;
        let lab = Self { directory };
        lab.run(&["down", "--wipe"]).await?;
        lab.run(&["up"]).await?;
        lab.run(&["log", "--new"]).await?;
        Ok(Some(lab))
    }

    /// Returns the URL of the broker.
    pub fn broker(&self) -> String {
        format!("mqtt://127.0.0.1:{}", PORT + 1)
    }

    /// Runs a command of the lab and returns its output.
    pub async fn run(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(repository()?.join("tests/lab/ha-lab.sh"));
        command.env("HA_LAB_DIR", &self.directory).env("HA_LAB_PORT", PORT.to_string()).stdin(Stdio::null());
        let output = command.args(arguments).output().await.context("ha-lab.sh")?;
        ensure!(
            output.status.success(),
            "ha-lab.sh {arguments:?}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    }

    /// Waits until the state of an entity matches a regular expression; `gone` waits until there is no such entity.
    pub async fn wait(&self, entity: &str, state: &str) -> Result<()> {
        self.run(&["wait", entity, state, "30"]).await.map(drop)
    }

    /// Waits until an attribute of an entity has a value.
    pub async fn wait_attribute(&self, entity: &str, name: &str, value: &Value) -> Result<()> {
        wait_until(&format!("{name} of {entity} is {value}"), async || {
            let state = self.entity(entity).await?;
            Ok(state["attributes"].get(name).filter(|found| *found == value).map(drop))
        })
        .await
    }

    /// Returns an entity with its state and attributes; null if it does not exist.
    pub async fn entity(&self, entity: &str) -> Result<Value> {
        let states: Value = serde_json::from_str(&self.run(&["states", entity]).await?)?;
        let states = states.as_array().context("no list of states")?;
        Ok(states.iter().find(|state| state["entity_id"] == entity).cloned().unwrap_or_default())
    }

    /// Returns the names of the devices that an MQTT client announced.
    pub async fn devices(&self) -> Result<Vec<String>> {
        let found: Value = serde_json::from_str(&self.run(&["devices", "zmesd_"]).await?)?;
        let devices = found["devices"].as_array().context("no list of devices")?;
        let mut names: Vec<String> =
            devices.iter().filter_map(|device| device["name"].as_str().map(ToOwned::to_owned)).collect();
        names.sort();
        Ok(names)
    }

    /// Calls a service for one entity.
    pub async fn call(&self, domain: &str, service: &str, data: &Value) -> Result<()> {
        self.run(&["call", domain, service, &data.to_string()]).await.map(drop)
    }

    /// Installs these automations: a list, in YAML.
    pub async fn automations(&self, yaml: &str) -> Result<()> {
        let file = self.directory.join("state/config/automations/test.yaml");
        std::fs::write(&file, yaml).with_context(|| file.display().to_string())?;
        self.call("automation", "reload", &json!({})).await
    }

    /// Returns the payload that a topic retains, or the first one that arrives.
    pub async fn message(&self, topic: &str) -> Result<String> {
        self.run(&["sub", "-C", "1", "-W", "30", "-t", topic]).await
    }

    /// Fails if Home Assistant has logged a warning since the last call, except for losing its broker.
    pub async fn ensure_quiet(&self, when: &str) -> Result<()> {
        let log = self.run(&["log", "--new"]).await?;
        let lost = ["Error returned from MQTT server", "[paho.mqtt.client]"];
        let ours: Vec<&str> =
            log.lines().filter(|line| !lost.iter().any(|words| line.contains(words))).collect();
        ensure!(ours.is_empty(), "{when}: {}", ours.join("\n"));
        Ok(())
    }
}

impl Drop for HomeAssistant {
    fn drop(&mut self) {
        let Ok(repository) = repository() else { return };
        let mut command = std::process::Command::new(repository.join("tests/lab/ha-lab.sh"));
        command.env("HA_LAB_DIR", &self.directory).env("HA_LAB_PORT", PORT.to_string());
        // The script reports on standard error what it cannot stop.
        drop(command.arg("down").stdin(Stdio::null()).stdout(Stdio::null()).status());
    }
}
