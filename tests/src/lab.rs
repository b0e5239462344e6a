//! A real ZoneMinder: `lab/zm-lab.sh` with its own directory and ports for one test.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use nix::unistd::Uid;
use tokio::process::Command;

use crate::binaries::repository;
use crate::skip::skipped;

/// Different from the default port of a developer's lab.
const BASE_PORT: u16 = 33_700;

/// The running lab; stopped when dropped.
#[derive(Debug)]
pub struct Lab {
    directory: PathBuf,
    port: u16,
    cameras: u8,
    environment: HashMap<String, String>,
}

impl Lab {
    /// Starts the lab in `directory` and waits until every camera has a picture.
    ///
    /// Returns `None` without root, unless `CI` is set.
    pub async fn up(directory: &Path) -> Result<Option<Self>> {
        Self::up_at(directory, BASE_PORT, 3).await
    }

    /// As [`Self::up`], with its own ports and number of cameras, so that two labs can run side by side.
    pub async fn up_at(directory: &Path, port: u16, cameras: u8) -> Result<Option<Self>> {
        if !Uid::effective().is_root() {
            skipped("the real ZoneMinder of tests/lab/zm-lab.sh needs root")?;
            return Ok(None);
        }
        let mut lab = Self { directory: directory.to_path_buf(), port, cameras, environment: HashMap::new() };
        lab.run(&["up"]).await?;
        for line in lab.run(&["env"]).await?.lines() {
            let (name, value) = line.split_once('=').with_context(|| line.to_owned())?;
            lab.environment.insert(name.to_owned(), value.trim_matches('\'').to_owned());
        }
        Ok(Some(lab))
    }

    /// Returns the value of `name` from `zm-lab.sh env`.
    pub fn value(&self, name: &str) -> Result<&str> {
        self.environment.get(name).map(String::as_str).with_context(|| format!("the lab knows no {name}"))
    }

    /// Runs a command of the lab and returns its output.
    pub async fn run(&self, arguments: &[&str]) -> Result<String> {
        let output = self.command()?.args(arguments).output().await.context("zm-lab.sh")?;
        ensure!(
            output.status.success(),
            "zm-lab.sh {arguments:?}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    }

    /// Runs SQL and returns its rows.
    pub async fn sql(&self, statement: &str) -> Result<String> {
        self.run(&["sql", statement]).await
    }

    /// Returns the id of the newest event of a monitor, or 0.
    pub async fn newest_event(&self, monitor: u32) -> Result<u64> {
        let statement = format!("SELECT COALESCE(MAX(Id), 0) FROM Events WHERE MonitorId={monitor}");
        Ok(self.sql(&statement).await?.trim().parse()?)
    }

    fn command(&self) -> Result<Command> {
        let mut command = Command::new(repository()?.join("tests/lab/zm-lab.sh"));
        command
            .env("ZM_LAB_DIR", &self.directory)
            .env("ZM_LAB_PORT", self.port.to_string())
            .env("ZM_LAB_MONITORS", self.cameras.to_string())
            .env_remove("ZM_LAB_MAP")
            .stdin(Stdio::null());
        Ok(command)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // If this fails, the directory still contains the pids of the remaining processes.
        if let Ok(command) = self.command() {
            drop(command.into_std().args(["down", "--wipe"]).output());
        }
    }
}
