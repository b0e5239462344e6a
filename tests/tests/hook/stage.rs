//! A hook in a world, and the scripts that it runs.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use zmes_tests::{Process, World, WorldBuilder, wait_until, zmesctl_binary};

/// The script of the hook: it writes its input into one directory per run, renamed when complete.
const RECORDS: &str = "#!/bin/sh\n\
    run=$(mktemp -d \"$OUT/.run.XXXXXX\")\n\
    cat >\"$run/stdin\"\n\
    env -0 >\"$run/environment\"\n\
    [ $# = 0 ] || printf '%s\\0' \"$@\" >\"$run/arguments\"\n\
    mv \"$run\" \"$OUT/run.$ZMES_ID.$$\"\n";

pub(crate) fn garage() -> WorldBuilder {
    World::new().monitor(1, "Garage").monitor(2, "Yard")
}

/// One run of a script that records.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) message: Value,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) arguments: Vec<String>,
}

impl Run {
    pub(crate) fn event(&self) -> u64 {
        self.message["event"].as_u64().unwrap_or_default()
    }

    pub(crate) fn id(&self) -> String {
        self.message["id"].as_str().unwrap_or_default().to_owned()
    }

    fn read(directory: &Path) -> Result<Self> {
        let text = |name: &str| fs::read_to_string(directory.join(name));
        let stdin = text("stdin")?;
        ensure!(stdin.ends_with('\n') && stdin.lines().count() == 1, "one line: {stdin}");
        let environment = text("environment")?;
        let variables = environment.split('\0').filter_map(|pair| pair.split_once('='));
        let arguments = text("arguments").unwrap_or_default();
        Ok(Self {
            message: serde_json::from_str(&stdin)?,
            environment: variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            arguments: arguments.split_terminator('\0').map(ToOwned::to_owned).collect(),
        })
    }
}

/// A place for scripts and for what they write.
#[derive(Debug)]
pub(crate) struct Place {
    directory: PathBuf,
}

impl Place {
    pub(crate) fn of(world: &World) -> Result<Self> {
        let directory = world.path("hook");
        fs::create_dir_all(directory.join("out"))?;
        Ok(Self { directory })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Writes a script; `$OUT` is where it may write.
    pub(crate) fn script(&self, name: &str, text: &str) -> Result<String> {
        let path = self.path(name);
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        Ok(path.display().to_string())
    }

    pub(crate) fn records(&self) -> Result<String> {
        self.script("on-alarm", RECORDS)
    }

    /// Writes a script that notes its id and event in `begun`, waits as `wait` says, and then records.
    pub(crate) fn waits(&self, wait: &str) -> Result<String> {
        let records = self.records()?;
        let begun = "echo \"$ZMES_ID $ZMES_EVENT\" >>\"$OUT/begun\"";
        self.script("waits", &format!("#!/bin/sh\n{begun}\n{wait}\nexec {records}\n"))
    }

    /// Returns the path of a cursor that is not there yet.
    pub(crate) fn cursor(&self) -> String {
        self.path("cursor").display().to_string()
    }

    /// Starts a hook; its lines go to a log of that name.
    pub(crate) fn hook(&self, world: &World, log: &str, arguments: &[&str]) -> Result<Process> {
        let mut command = Process::command(zmesctl_binary()?);
        command.arg("--socket").arg(world.ctl().socket()).arg("hook").args(arguments);
        command.env("OUT", self.path("out")).env("ZMES_ID", "planted").env("ZMES_EVENT", "planted");
        Process::spawn("hook", &mut command, &self.path(log))
    }

    /// Starts a hook, and waits until it follows alarms.
    pub(crate) async fn follow(&self, world: &World, log: &str, arguments: &[&str]) -> Result<Process> {
        let hook = self.hook(world, log, arguments)?;
        wait_log(&hook, "waiting for alarms").await?;
        Ok(hook)
    }

    /// Returns the runs so far, in order of their ids.
    pub(crate) fn runs(&self) -> Result<Vec<Run>> {
        let mut runs = Vec::new();
        for entry in fs::read_dir(self.path("out"))? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with("run.") {
                runs.push(Run::read(&entry.path())?);
            }
        }
        runs.sort_by_key(Run::id);
        Ok(runs)
    }

    /// Waits for so many runs.
    pub(crate) async fn wait_runs(&self, count: usize) -> Result<Vec<Run>> {
        wait_until(&format!("{count} runs have ended"), async || {
            let runs = self.runs()?;
            Ok((runs.len() >= count).then_some(runs))
        })
        .await
    }

    /// Waits for a file that a script writes, and returns its lines.
    pub(crate) async fn wait_lines(&self, name: &str, count: usize) -> Result<Vec<String>> {
        let path = self.path("out").join(name);
        wait_until(&format!("{} has {count} lines", path.display()), async || {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let lines: Vec<_> = text.lines().map(ToOwned::to_owned).collect();
            Ok((lines.len() >= count && text.ends_with('\n')).then_some(lines))
        })
        .await
    }
}

pub(crate) async fn wait_log(process: &Process, wanted: &str) -> Result<String> {
    wait_until(&format!("the log says {wanted}"), async || {
        Ok(Some(process.log()).filter(|log| log.contains(wanted)))
    })
    .await
}

/// Waits until a process is gone, or is another process's zombie.
pub(crate) async fn wait_gone(pid: &str) -> Result<()> {
    let status = format!("/proc/{}/stat", pid.trim());
    wait_until(&format!("process {pid} is gone"), async || {
        let Ok(stat) = fs::read_to_string(&status) else { return Ok(Some(())) };
        let state = stat.rsplit_once(") ").context("no state")?.1.chars().next();
        Ok((state == Some('Z')).then_some(()))
    })
    .await
}

/// Ends an alarm and waits until the daemon has seen it, so that the next one is another.
pub(crate) async fn quiet(world: &World, monitor: u32, event: u64) -> Result<()> {
    world.end_alarm(monitor, event).await?;
    world.wait_monitor(monitor, "idle", |view| view["state"] == "idle").await.map(drop)
}
