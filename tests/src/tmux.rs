//! A terminal of a given size: tmux with its own server, socket and configuration.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::wait::wait_until;

/// Marker printed before each command's output, followed by the command's number.
const BEGIN: char = '\u{2}';
/// Marker printed after each command: its number and exit code.
const END: char = '\u{3}';

/// A terminal that runs one shell script and is closed when this is dropped.
#[derive(Debug)]
pub struct Tmux {
    socket: PathBuf,
    raw: PathBuf,
}

/// The output of a command on the terminal, and how it ended.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The command, as given to the shell.
    pub command: String,
    /// Exit code.
    pub code: i32,
    /// The bytes as text, escape sequences included, without carriage returns.
    pub text: String,
}

impl Tmux {
    /// Returns whether tmux is installed.
    pub fn is_there() -> bool {
        Command::new("tmux").arg("-V").output().is_ok_and(|output| output.status.success())
    }

    /// Starts a terminal with `columns` columns that runs these shell commands one after the other, in the test's own
    /// directory. `environment` is shell code: `export TERM=dumb`.
    pub fn run(
        directory: &Path,
        name: &str,
        columns: u16,
        environment: &str,
        commands: &[String],
    ) -> Result<Self> {
        let [socket, raw, script] =
            ["socket", "raw", "sh"].map(|kind| directory.join(format!("{name}.{kind}")));
        let mut text = format!("{environment}\nread go\n");
        for (number, command) in commands.iter().enumerate() {
            writeln!(text, "printf '\\002{number} '; {command}\nprintf '\\003{number} %s \\n' $?")?;
        }
        text += "printf '\\004'; read go\n";
        fs::write(&script, text)?;
        fs::write(&raw, "")?;
        let tmux = Self { socket, raw };
        let size = [columns.to_string(), "50".to_owned()];
        let shell = format!("sh {}", script.display());
        tmux.call(&["-f", "/dev/null", "new-session", "-d", "-x", &size[0], "-y", &size[1], &shell])?;
        // All bytes from here on; the script waits for a line of input.
        tmux.call(&["pipe-pane", "-o", &format!("cat >> {}", tmux.raw.display())])?;
        tmux.keys(&["", "Enter"])?;
        Ok(tmux)
    }

    /// Presses keys.
    pub fn keys(&self, keys: &[&str]) -> Result<()> {
        let arguments: Vec<&str> = ["send-keys"].iter().chain(keys).copied().collect();
        self.call(&arguments).map(drop)
    }

    /// Returns what the terminal shows now; wrapped lines are joined.
    pub fn screen(&self) -> Result<String> {
        self.call(&["capture-pane", "-p", "-J"])
    }

    /// Waits until the terminal shows a text.
    pub async fn wait_for(&self, text: &str) -> Result<String> {
        wait_until(&format!("the terminal shows {text:?}"), async || {
            let screen = self.screen()?;
            Ok(screen.contains(text).then_some(screen))
        })
        .await
    }

    /// Waits until all commands have ended. Returns what they wrote.
    pub async fn finished(&self, commands: &[String]) -> Result<Vec<Shown>> {
        let raw = wait_until("the commands have ended", async || {
            let raw = String::from_utf8_lossy(&fs::read(&self.raw)?).into_owned();
            Ok(raw.contains('\u{4}').then_some(raw))
        })
        .await?;
        let shown = |(number, command): (usize, &String)| {
            let (_, rest) = raw.split_once(&format!("{BEGIN}{number} ")).context("no beginning")?;
            let (text, rest) = rest.split_once(&format!("{END}{number} ")).context("no end")?;
            let code = rest.split(' ').next().and_then(|code| code.parse().ok()).context("no exit code")?;
            Ok(Shown { command: command.clone(), code, text: text.replace('\r', "") })
        };
        let all: Result<Vec<_>> = commands.iter().enumerate().map(shown).collect();
        all.with_context(|| format!("what the terminal got: {raw:?}"))
    }

    fn call(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new("tmux");
        command.arg("-S").arg(&self.socket).args(arguments);
        // The tests themselves may be running inside another tmux.
        for variable in ["TMUX", "TMUX_PANE", "NO_COLOR", "ZMESCTL_SOCKET"] {
            command.env_remove(variable);
        }
        // Without a UTF-8 locale it would show other characters than it receives.
        let output = command.env("LC_ALL", "C.UTF-8").env("SHELL", "/bin/sh").output().context("tmux")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "tmux {arguments:?}: {}", said.trim());
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        // Only the server at this socket; the shell in it ends with it.
        self.call(&["kill-server"]).ok();
    }
}

impl Shown {
    /// Returns whether there are escape sequences.
    pub fn has_escapes(&self) -> bool {
        self.text.contains('\u{1b}')
    }

    /// Returns the lines without colours.
    pub fn lines(&self) -> Vec<String> {
        let mut plain = String::with_capacity(self.text.len());
        let mut rest = self.text.as_str();
        while let Some((before, escape)) = rest.split_once('\u{1b}') {
            plain.push_str(before);
            // Only colours are ever sent: `ESC [ … m`.
            rest = escape.split_once('m').map_or("", |(_, after)| after);
        }
        plain.push_str(rest);
        plain.lines().map(str::to_owned).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_no_text() {
        let text = "\u{1b}[31mdown\u{1b}[0m now\nfine".to_owned();
        let shown = Shown { command: String::new(), code: 0, text };
        assert!(shown.has_escapes());
        assert_eq!(shown.lines(), ["down now", "fine"]);
    }
}
