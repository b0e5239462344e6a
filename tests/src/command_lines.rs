//! Every command of `zmesctl` once: who may run it, its exit code, its output. One table for all tests that run every
//! command.

use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::app_client::AppClient;
use crate::ctl::Ctl;
use crate::phones::token_ending;
use crate::world::World;

/// What a command prints on success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prints {
    /// An answer; nothing with `--quiet`.
    Answer,
    /// A list; the bare ids with `--quiet`.
    List,
    /// Lines as they arrive; nothing with `--quiet`.
    Stream,
    /// The content of a file: its lines are never cut to the terminal's width.
    Document,
}

/// Who may run a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum May {
    /// Everyone who can open the socket.
    Observer,
    /// Only admins.
    Admin,
    /// All users: it does not contact the daemon.
    Anybody,
}

/// One command line. `HANDLE`, `EVENT`, `CLIENT`, `FILE` and `CONFIG` are placeholders: see [`Things`].
#[derive(Debug, Clone, Copy)]
pub struct CommandLine {
    /// The arguments, separated by single spaces.
    pub line: &'static str,
    /// Who may run it.
    pub may: May,
    /// Its output.
    pub prints: Prints,
}

const fn line(line: &'static str, may: May, prints: Prints) -> CommandLine {
    CommandLine { line, may, prints }
}

/// All commands, in an order in which each succeeds and which leaves everything unchanged.
pub const COMMAND_LINES: [CommandLine; 70] = {
    use May::{Admin, Anybody, Observer};
    use Prints::{Answer, Document, List, Stream};
    [
        line("status", Observer, Answer),
        line("clients list", Observer, List),
        line("clients list --user a* --state authenticated --address 127.0.0.0/8", Observer, List),
        line("clients rejected --since 1h", Observer, List),
        line("clients disconnect CLIENT --dry-run", Observer, Answer),
        line("clients disconnect --user a* --dry-run", Observer, Answer),
        line("tokens list", Observer, List),
        line("tokens list --reveal", Admin, List),
        line("tokens list --platform android --user a* --state enabled --monitor 1", Observer, List),
        line("tokens list --stale 1ms", Observer, List),
        line("tokens list --failing", Observer, List),
        line("tokens show HANDLE", Observer, Answer),
        line("tokens show HANDLE --reveal", Admin, Answer),
        line("tokens log HANDLE", Observer, Answer),
        line("tokens mute --user a* --dry-run", Observer, Answer),
        line("tokens mute HANDLE --for 1h", Admin, Answer),
        line("tokens unmute HANDLE", Admin, Answer),
        line("tokens revoke HANDLE --dry-run", Observer, Answer),
        line("tokens revoke --all --dry-run", Observer, Answer),
        line("tokens revoke HANDLE --yes", Admin, Answer),
        line("tokens restore HANDLE", Admin, Answer),
        line("tokens block HANDLE --dry-run", Observer, Answer),
        line("tokens block HANDLE --yes", Admin, Answer),
        line("tokens unblock HANDLE", Admin, Answer),
        line("tokens restore HANDLE", Admin, Answer),
        line("tokens prune --stale 60d --dry-run", Observer, Answer),
        line("tokens prune --stale 60d --platform ios --yes", Admin, Answer),
        line("tokens import FILE --dry-run", Observer, Answer),
        line("tokens import FILE", Admin, Answer),
        line("tokens export", Admin, Document),
        line("badges reset HANDLE --dry-run", Observer, Answer),
        line("badges reset HANDLE", Admin, Answer),
        line("badges reset --all --yes", Admin, Answer),
        line("monitors list", Observer, List),
        line("monitors reload", Admin, Answer),
        line("alarm test --dry-run", Observer, Answer),
        line("alarm test --monitor 1 --wait", Admin, Answer),
        line("alarm force --monitor 1 --for 1m", Admin, Answer),
        line("alarm cancel --monitor 1", Admin, Answer),
        line("snooze 1 --for 1h", Admin, Answer),
        line("snooze all --until 23:59:59 --token HANDLE --hard --no-tell", Admin, Answer),
        line("snooze list", Observer, List),
        line("snooze end all", Admin, Answer),
        line("push check", Observer, Answer),
        line("push queue", Observer, Answer),
        line("push retry", Admin, Answer),
        line("pictures rotate --yes", Admin, Answer),
        line("watch --since 1h --count 4", Observer, Stream),
        line("events --limit 5", Observer, List),
        line("rules list", Observer, List),
        line("rules test --monitor 1 --at 23:10", Observer, List),
        line("troubles", Observer, List),
        line("why EVENT", Observer, Answer),
        line("why last --monitor 1", Observer, Answer),
        line("check ping", Observer, Answer),
        line("check shm", Observer, Answer),
        line("check db", Observer, Answer),
        line("check tls", Observer, Answer),
        line("check push --nagios", Observer, Answer),
        line("check store", Observer, Answer),
        line("check all", Observer, Answer),
        line("latency", Observer, Answer),
        line("log level", Observer, Answer),
        line("log level info --for 1m", Admin, Answer),
        line("reload", Admin, Answer),
        line("config check CONFIG", Anybody, Answer),
        line("config default", Anybody, Document),
        line("config show", Admin, Document),
        line("completions bash", Anybody, Document),
        line("clients disconnect CLIENT --yes", Admin, Answer),
    ]
};

/// Values of the placeholders in command lines.
#[derive(Debug)]
pub struct Things {
    handle: String,
    event: u64,
    client: String,
    file: String,
    config: String,
}

/// The token of the phone in the command lines.
const TOKEN: &str = "command-lines:APA91bHPRgkF-phone";

impl Things {
    /// Creates the values in a world with monitor 1: a phone, an event announced to it, files that all users can read.
    /// The app is the client to be disconnected.
    pub async fn of(world: &World, event: u64) -> Result<(Self, AppClient)> {
        let app = world.phone("android", TOKEN).await?;
        let handle = world.handle(TOKEN).await?;
        world.alarm(1, event).await?;
        world.wait_delivery(&handle, event, "sent").await?;
        let file = world.path("tokens.txt");
        fs::write(&file, format!("{TOKEN}:1:0:android:enabled\n"))?;
        let config = world.path("minimal.toml");
        let zoneminder = json!(world.path("zm.conf").to_string_lossy());
        // Without TLS, because other users must not read the key.
        fs::write(&config, format!("[zoneminder]\nconfig = {zoneminder}\n[server]\nplaintext = true\n"))?;
        let (file, config) = (file.display().to_string(), config.display().to_string());
        let mut things = Self { handle, event, client: String::new(), file, config };
        things.client = newest_client(&world.ctl()).await?;
        Ok((things, app))
    }

    /// Uses the newest client as the one to be disconnected.
    pub async fn take_newest_client(&mut self, ctl: &Ctl) -> Result<()> {
        self.client = newest_client(ctl).await?;
        Ok(())
    }

    /// Returns the arguments of a command line.
    pub fn arguments(&self, line: &str) -> Vec<String> {
        let argument = |word: &str| match word {
            "HANDLE" => self.handle.clone(),
            "EVENT" => self.event.to_string(),
            "CLIENT" => self.client.clone(),
            "FILE" => self.file.clone(),
            "CONFIG" => self.config.clone(),
            other => other.to_owned(),
        };
        line.split(' ').map(argument).collect()
    }

    /// Returns a secret that no output may contain unless it is requested.
    pub fn secret(&self) -> &'static str {
        TOKEN
    }

    /// Returns the last characters of the phone's token.
    pub fn ending(&self) -> &'static str {
        token_ending(TOKEN)
    }
}

async fn newest_client(ctl: &Ctl) -> Result<String> {
    let list = ctl.json(&["clients", "list"]).await?;
    let clients = list["clients"].as_array().context("no list")?;
    let newest = clients.iter().filter_map(|client| client["id"].as_u64()).max();
    Ok(newest.context("no client is connected")?.to_string())
}

/// Commands that are not in the table: `top` needs a terminal, `hook` ends with a signal, `mqtt` needs a broker, `cluster` a
/// ledger (test `cluster_ctl`), and how `doctor` and `report` end depends on what they find, which `doctor` and `habits` of the
/// tests show.
const ELSEWHERE: [&str; 12] = [
    "cluster handover",
    "cluster init",
    "cluster leave",
    "cluster status",
    "doctor",
    "hook",
    "mqtt check",
    "mqtt clear",
    "mqtt status",
    "pictures test",
    "report",
    "top",
];

/// Fails unless the table contains every command in the help.
pub async fn ensure_none_is_missing(ctl: &Ctl) -> Result<()> {
    let mut open = vec![Vec::<String>::new()];
    let (mut missing, mut seen) = (Vec::new(), 0);
    while let Some(path) = open.pop() {
        let arguments: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
        let help = ctl.run(&arguments).await?.expect_code(0)?.stdout;
        let commands: Vec<_> = listed(&help).filter(|command| *command != "help").collect();
        if commands.is_empty() {
            seen += 1;
            let begin = path.join(" ");
            let has = |line: &CommandLine| line.line == begin || line.line.starts_with(&format!("{begin} "));
            if !COMMAND_LINES.iter().any(has) && !ELSEWHERE.contains(&begin.as_str()) {
                missing.push(begin);
            }
            continue;
        }
        open.extend(commands.into_iter().map(|command| [path.as_slice(), &[command.to_owned()]].concat()));
    }
    ensure!(seen > 20, "the help shows only {seen} commands");
    ensure!(missing.is_empty(), "add to COMMAND_LINES in tests/src/command_lines.rs: {missing:?}");
    Ok(())
}

/// Returns the commands listed in a help text.
fn listed(help: &str) -> impl Iterator<Item = &str> {
    let lines = help.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1);
    // Commands are indented by two spaces, further lines of their descriptions by more.
    lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ").filter(|rest| !rest.starts_with(' ')))
        .filter_map(|line| line.split_whitespace().next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_help_lists_its_commands() {
        let help = "What it is\n\nUsage: x <COMMAND>\n\nCommands:\n  list    A long\n          text\n  reset   B\n\nOptions:\n  -q\n";
        assert_eq!(listed(help).collect::<Vec<_>>(), ["list", "reset"]);
    }
}
