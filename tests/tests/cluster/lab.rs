//! Three hosts on real Galera, as `tests/lab/cluster.sh` makes them: the one that sends loses power together with its
//! member of the database, and phones go on ringing.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::Instant;
use zmes_tests::{installed, repository, skipped, wait_long, zmesd_binary};

const GALERA: [&str; 2] = ["/usr/lib/galera/libgalera_smm.so", "/usr/lib64/galera-4/libgalera_smm.so"];

/// The lab; dropped, its processes end.
struct ClusterLab {
    directory: TempDir,
    port: u16,
    binaries: PathBuf,
}

/// What the lab's world has told: alarms of its cameras, and how often the provider was asked to ring for each event.
#[derive(Debug, Default)]
struct Told {
    /// The monitor of each event.
    alarms: BTreeMap<u64, u32>,
    rung: BTreeMap<u64, usize>,
}

impl Told {
    fn read(log: &str) -> Self {
        let mut told = Self::default();
        for line in log.lines().filter_map(|line| line.split_once(" s  ").map(|(_, text)| text)) {
            if let Some((monitor, event)) =
                line.strip_prefix("alarm: monitor ").and_then(|rest| rest.split_once(", event "))
                && let (Ok(monitor), Ok(event)) = (monitor.parse(), event.parse())
            {
                told.alarms.insert(event, monitor);
            } else if let Some(push) = line.strip_prefix("push: ")
                && let Some(event) =
                    push.rsplit_once('(').and_then(|(_, event)| event.trim_end_matches(')').parse().ok())
            {
                *told.rung.entry(event).or_default() += 1;
            } else if line.starts_with("no alarm of monitor ") {
                // The database did not take its row: no alarm.
                told.alarms.pop_last();
            }
        }
        told
    }

    /// Returns the alarms of other hosts than `down` after the event `last`.
    fn after(&self, last: u64, down: u32) -> Vec<u64> {
        let later = self.alarms.iter().filter(|(event, monitor)| **event > last && **monitor / 10 != down);
        later.map(|(event, _)| *event).collect()
    }
}

impl ClusterLab {
    /// `None` where Galera is not installed, unless a CI runs the tests.
    async fn start() -> Result<Option<Self>> {
        if !GALERA.iter().any(|path| Path::new(path).exists()) {
            skipped("Galera is not installed (Debian: mariadb-server, galera-4)")?;
            return Ok(None);
        }
        if !installed("socat")? || !installed("rsync")? {
            return Ok(None);
        }
        let directory = tempfile::Builder::new().prefix("zmes-lab-").tempdir()?;
        // The members of the database run as mysql.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755))?;
        let binaries = zmesd_binary()?.parent().context("the daemon lies in no directory")?.to_path_buf();
        let lab = Self { directory, port: free_ports()?, binaries };
        lab.run(&["up", "3"]).await?;
        Ok(Some(lab))
    }

    fn command(&self, arguments: &[&str]) -> Result<std::process::Command> {
        let mut command = std::process::Command::new(repository()?.join("tests/lab/cluster.sh"));
        command.args(arguments).stdin(Stdio::null());
        command.env("CLUSTER_LAB_DIR", self.directory.path().join("lab"));
        command.env("CLUSTER_LAB_PORT", self.port.to_string()).env("CLUSTER_LAB_BIN", &self.binaries);
        Ok(command)
    }

    async fn run(&self, arguments: &[&str]) -> Result<String> {
        let output = Command::from(self.command(arguments)?).output().await?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "cluster.sh {arguments:?}: {said}");
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn told(&self) -> Result<Told> {
        Ok(Told::read(&fs::read_to_string(self.directory.path().join("lab/world.log"))?))
    }

    /// Waits until phones have rung for this many alarms of living hosts after an event.
    async fn wait_rung(&self, last: u64, down: u32, count: usize) -> Result<()> {
        let what = format!("phones ring for {count} alarms after event {last}");
        wait_long(&what, async || {
            let told = self.told()?;
            let rung = told.after(last, down).into_iter().filter(|event| told.rung.contains_key(event));
            Ok((rung.count() >= count).then_some(()))
        })
        .await
    }

    /// Returns `cluster status` of a host's node.
    async fn status(&self, host: u32) -> Result<Value> {
        let socket = self.directory.path().join(format!("lab/node{host}/run/control.sock"));
        let mut command = Command::new(self.binaries.join("zmesctl"));
        command.arg("--socket").arg(socket).args(["cluster", "status", "--json"]).stdin(Stdio::null());
        let output = command.output().await?;
        serde_json::from_slice(&output.stdout).with_context(|| format!("{output:?}"))
    }
}

impl Drop for ClusterLab {
    fn drop(&mut self) {
        if let Ok(mut command) = self.command(&["down"]) {
            drop(command.stdout(Stdio::null()).status());
        }
    }
}

/// Returns a base for the lab's ports of which those of three hosts are free now.
fn free_ports() -> Result<u16> {
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let first = u16::try_from(std::process::id() % 20)?;
    let mut bases = (0..20_u16).map(|step| 10_000 + (first + step) % 20 * 500);
    let base = bases.find(|base| {
        is_free(base + 400)
            && (1..=3).all(|host| {
                let replication = base + 100 + 10 * host;
                let ports = [base + host, base + 400 + host, replication, replication + 1, replication + 4];
                ports.into_iter().all(is_free)
            })
    });
    base.context("no free ports")
}

#[tokio::test]
async fn the_host_that_sends_is_lost_with_its_member_of_galera_and_phones_go_on_ringing() -> Result<()> {
    let Some(lab) = ClusterLab::start().await? else { return Ok(()) };
    lab.wait_rung(0, 0, 2).await?;
    let sender = lab.status(1).await?["pusher"].as_str().context("no node sends")?.to_owned();
    let gone: u32 = sender.trim_start_matches("node").parse()?;
    let other = gone % 3 + 1;
    let last = *lab.told()?.alarms.last_key_value().context("no alarm")?.0;
    let killed = Instant::now();
    lab.run(&["kill", &gone.to_string()]).await?;
    wait_long("another node sends", async || {
        let status = lab.status(other).await?;
        Ok(status["pusher"].as_str().is_some_and(|name| name != sender).then_some(()))
    })
    .await?;
    eprintln!("another node sends {:?} after the kill", killed.elapsed());
    lab.wait_rung(last, gone, 2).await?;
    // It comes back, and takes part again.
    lab.run(&["start", &gone.to_string()]).await?;
    wait_long("all three are alive", async || {
        let status = lab.status(other).await?;
        let nodes = status["nodes"].as_array().map(Vec::as_slice).unwrap_or_default();
        Ok((nodes.iter().filter(|node| node["alive"] == true).count() == 3).then_some(()))
    })
    .await?;
    // An alarm that its host had no time to see is found in the Events table.
    let last = *lab.told()?.alarms.last_key_value().context("no alarm")?.0;
    let told = wait_long(&format!("phones have rung for each alarm up to event {last}"), async || {
        let told = lab.told()?;
        let has_rung = |(event, _): (&u64, &u32)| told.rung.contains_key(event);
        Ok(told.alarms.range(..=last).all(has_rung).then_some(told))
    })
    .await?;
    let repeats: usize = told.rung.values().map(|times| times - 1).sum();
    ensure!(repeats <= 1, "{repeats} repeats, and one push at most was on its way: {told:?}");
    Ok(())
}

#[test]
fn the_log_of_the_lab_is_read() {
    let log = "    0.10 s  6 cameras, and a PushProxy at https://127.0.0.1:1\n    1.00 s  alarm: monitor 11, event 1\n\
               \x20   1.05 s  push: Motion Alarm on Gate 1 (1)\n    4.00 s  alarm: monitor 21, event 2\n\
               \x20   4.10 s  no alarm of monitor 21: gone\n    7.00 s  alarm: monitor 31, event 3\n";
    let told = Told::read(log);
    assert_eq!(told.alarms, BTreeMap::from([(1, 11), (3, 31)]));
    assert_eq!((told.rung[&1], told.after(0, 1)), (1, vec![3]));
}
