//! The judges as processes.

use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use zmes_tests::{Process, World, repository, skipped, wait_until};

use super::LAST;

/// A client library: the program that runs its judge, the judge, and what must be there for it.
pub(crate) struct Judge {
    interpreter: &'static str,
    script: &'static str,
    /// Exits with 0 if the library is installed.
    probe: &'static [&'static str],
}

pub(crate) const JUDGES: [Judge; 4] = [
    Judge { interpreter: PYTHON, script: "websocket_client.py", probe: &["-c", "import websocket"] },
    Judge { interpreter: PYTHON, script: "websockets_asyncio.py", probe: &["-c", "import websockets"] },
    Judge { interpreter: PYTHON, script: "aiohttp_client.py", probe: &["-c", "import aiohttp"] },
    Judge { interpreter: "node", script: "ws.mjs", probe: &["-e", "require('ws')"] },
];

/// Debian's own, which knows Debian's packages.
const PYTHON: &str = "/usr/bin/python3";
/// The directory of Debian's Node packages; Debian's own Node finds it by itself.
const NODE_PATH: (&str, &str) = ("NODE_PATH", "/usr/share/nodejs");

impl Judge {
    fn is_there(&self) -> bool {
        let mut probe = Command::new(self.interpreter);
        probe.args(self.probe).env(NODE_PATH.0, NODE_PATH.1);
        probe.output().is_ok_and(|output| output.status.success())
    }

    fn start(&self, world: &World, url: &str, source: &[&str]) -> Result<Process> {
        let mut command = Process::command(self.interpreter);
        command
            .arg(repository()?.join("tests/judges").join(self.script))
            .arg(url)
            .arg(&world.certificate.certificate)
            .arg(LAST.to_string())
            .args(source)
            .env("ZM_PASSWORD", "adminpass")
            .env(NODE_PATH.0, NODE_PATH.1)
            .env("PYTHONDONTWRITEBYTECODE", "1");
        Process::spawn(self.script, &mut command, &world.path(&format!("{}.log", self.script)))
    }
}

/// All judges at once.
pub(crate) struct Panel {
    judges: Vec<Process>,
}

impl Panel {
    /// Starts every judge; `None`, with a message, if one of the libraries is missing.
    pub(crate) fn new(world: &World, url: &str, source: &[&str]) -> Result<Option<Self>> {
        if let Some(missing) = JUDGES.iter().find(|judge| !judge.is_there()) {
            skipped(&format!("no library for {}: see the list of packages in tests/run", missing.script))?;
            return Ok(None);
        }
        let judges = JUDGES.iter().map(|judge| judge.start(world, url, source));
        Ok(Some(Self { judges: judges.collect::<Result<_>>()? }))
    }

    /// Waits until each judge has printed that line `count` times.
    pub(crate) async fn say(&mut self, text: &str, times: usize) -> Result<()> {
        for (process, judge) in self.judges.iter_mut().zip(&JUDGES) {
            wait_until(&format!("{} says {text:?} {times} times", judge.script), async || {
                let log = process.log();
                let said = log.split_inclusive('\n').filter(|line| *line == text).count();
                if said >= times {
                    return Ok(Some(()));
                }
                match process.exited()? {
                    Some(status) => bail!("it ended with {status}: {log}"),
                    None => Ok(None),
                }
            })
            .await?;
        }
        Ok(())
    }

    /// Waits until each judge has ended, content.
    pub(crate) async fn ended(&mut self) -> Result<()> {
        for (process, judge) in self.judges.iter_mut().zip(&JUDGES) {
            let status = process.exit().await.with_context(|| judge.script)?;
            ensure!(status.success(), "{} ended with {status}", judge.script);
        }
        Ok(())
    }
}
