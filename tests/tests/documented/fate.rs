//! What becomes of a command that a page shows: it is run, or it is on a short list that says why not. Either way its
//! words must be words that the programs know.

use std::ffi::OsString;

use anyhow::{Context, Result, anyhow, bail, ensure};

use crate::shell::{self, Simple};

/// Programs that run unchanged, in the page's own small world.
const RUN: [&str; 16] = [
    "zmesd", "zmesctl", "cat", "cd", "echo", "grep", "head", "jq", "ls", "mkdir", "openssl", "printf",
    "socat", "sort", "tail", "true",
];

/// Programs that no test runs, and why.
const NOT_RUN: [(&str, &str); 41] = [
    ("apt", "changes the machine's packages"),
    ("apt-get", "changes the machine's packages"),
    ("dnf", "changes the machine's packages"),
    ("npm", "goes to a registry"),
    ("cargo", "builds; the programs are built already"),
    ("tests/run", "is what runs this"),
    ("adduser", "changes the machine's users"),
    ("usermod", "changes the machine's users"),
    ("useradd", "changes the machine's users"),
    ("runuser", "needs the machine's user zmesd"),
    ("sudo", "needs the machine's user zmesd"),
    ("systemd-sysusers", "changes the machine's users"),
    ("systemd-tmpfiles", "changes the machine's directories"),
    ("install", "changes the machine's directories"),
    ("chown", "needs the machine's group zmesd"),
    ("chgrp", "needs the machine's group www-data"),
    ("chmod", "is for files of the machine"),
    ("packaging/stage", "needs a release build; test `packaging` runs it"),
    ("cp", "is for files of the machine"),
    ("rm", "is for files of the machine"),
    ("ln", "is for files of the machine"),
    ("mv", "is for files of the machine"),
    ("sed", "is for files of the machine"),
    ("[", "is for files of the machine"),
    ("curl", "needs a daemon with metrics on port 9090 of the machine; test `observed` asks it"),
    ("systemctl", "needs systemd as the machine's first process"),
    ("systemd-analyze", "is for files of the machine; test `cleanup` does it"),
    ("systemd-run", "needs systemd as the machine's first process"),
    ("journalctl", "needs the machine's journal"),
    ("ss", "needs a daemon on port 9000 of the machine"),
    ("websocat", "is not in Debian 12"),
    ("mariadb", "needs the machine's database"),
    ("zmdc.pl", "needs an installed ZoneMinder"),
    ("zmpkg.pl", "needs an installed ZoneMinder"),
    ("python3", "test `consumers` runs the examples"),
    ("docs/examples/consumer.py", "goes on until Ctrl-C; test `consumers` runs it"),
    ("docs/examples/consumer.mjs", "goes on until Ctrl-C; test `consumers` runs it"),
    ("node", "test `consumers` runs the examples"),
    ("./consumer.py", "goes on until Ctrl-C; test `consumers` runs it"),
    ("/usr/libexec/zmesd/web-group", "changes the machine's users; test `packaging` runs it"),
    ("zmes-token-cleanup", "test `cleanup` runs it"),
];

/// Options with which `openssl s_client` and its like would not end or would leave the machine.
const NOT_HERE: [(&str, &str, &str); 4] = [
    ("openssl", "s_client", "needs a name that leads to a server"),
    ("zmesctl", "hook", "goes on until it is told to stop; test `hook` runs it"),
    ("zmesd", "demo", "goes on until Ctrl-C; the README's is run"),
    ("zmesd", "run", "goes on until it is told to stop"),
];

/// What becomes of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is run once.
    Run,
    /// A read-only command: it is repeated until its output matches the page, or the time is over.
    Ask,
    /// It is not run, for this reason.
    NotRun(&'static str),
}

/// Decides about a command line; fails if the programs do not know its words, or the program is unknown.
pub(crate) fn of(line: &str) -> Result<Fate> {
    let mut commands = shell::commands(line)?;
    for simple in &mut commands {
        // `ZM_PASSWORD=secret ./consumer.py`
        let plain = simple.words.iter().position(|word| !is_assignment(word)).unwrap_or(simple.words.len());
        simple.words.drain(..plain);
    }
    commands.retain(|simple| !simple.words.is_empty());
    ensure!(!commands.is_empty(), "an empty command");
    let ours = |words: &[String]| words.first().is_some_and(|first| first == "zmesctl" || first == "zmesd");
    let (mut fate, mut asks) = (Fate::Run, commands.iter().any(|simple| ours(&simple.words)));
    for simple in &commands {
        let program = simple.words.first().map(String::as_str).unwrap_or_default();
        let second = simple.words.get(1).map(String::as_str).unwrap_or_default();
        check_words(simple)?;
        asks &= !ours(&simple.words) || only_looks(&simple.words);
        asks &= simple.files.is_empty();
        if let Some((.., why)) =
            NOT_HERE.iter().find(|(name, option, _)| (*name, *option) == (program, second))
        {
            fate = Fate::NotRun(why);
        } else if let Some((_, why)) = NOT_RUN.iter().find(|(name, _)| *name == program) {
            fate = Fate::NotRun(why);
        } else if ends_by_itself(&simple.words) {
            ensure!(
                RUN.contains(&program),
                "`{program}` is neither run nor on the list of what is not run (documented/fate.rs)"
            );
        } else {
            fate = Fate::NotRun("goes on until Ctrl-C");
        }
    }
    Ok(if fate == Fate::Run && asks { Fate::Ask } else { fate })
}

fn is_assignment(word: &str) -> bool {
    let name = |text: &str| text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    word.split_once('=').is_some_and(|(before, _)| !before.is_empty() && name(before))
}

/// Fails where `zmesctl` or `zmesd` would not understand the words.
fn check_words(simple: &Simple) -> Result<()> {
    let called = |word: &String| ["zmesctl", "zmesd"].contains(&word.rsplit('/').next().unwrap_or_default());
    // `runuser -u zmesd -- zmesd check-config`: the user name is not a program.
    let behind = simple.words.iter().position(|word| word == "--").map_or(0, |at| at + 1);
    let program = match simple.words.first() {
        Some(first) if called(first) => 0,
        Some(first) if ["runuser", "sudo", "cargo"].contains(&first.as_str()) => behind,
        Some(_) | None => return Ok(()),
    };
    let mut words: Vec<OsString> = simple.words[program..].iter().map(OsString::from).collect();
    let cargo = simple.words.first().is_some_and(|first| first == "cargo");
    if cargo {
        let package = simple.words.iter().skip_while(|word| *word != "-p").nth(1);
        let Some(package) = package.filter(|_| behind > 0) else { return Ok(()) };
        words.insert(0, OsString::from(package));
    }
    let name = words.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
    let outcome = match name.rsplit('/').next() {
        Some("zmesctl") => zmesctl::cli::parse(&words).map(drop),
        Some("zmesd") => zmesd::cli::parse(words.into_iter()).map(drop),
        Some(_) | None => return Ok(()),
    };
    match outcome {
        // Help and version are no mistakes.
        Err(error) if error.use_stderr() => Err(anyhow!("{error}")).context("the program does not know this"),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Says whether a command of ours changes nothing.
fn only_looks(words: &[String]) -> bool {
    let mut plain = words.iter().skip(1).map(String::as_str).filter(|word| !word.starts_with('-'));
    let (first, second) = (plain.next().unwrap_or_default(), plain.next().unwrap_or_default());
    match first {
        "status" | "watch" | "why" | "doctor" | "check" | "latency" | "completions" | "config"
        | "check-config" | "default-config" => true,
        // Without `--output` it writes nothing.
        "import-config" => !words.iter().any(|word| word.starts_with("--output")),
        "clients" | "tokens" | "monitors" | "push" => {
            ["list", "show", "log", "check", "queue", "export"].contains(&second)
        }
        "alarm" => words.iter().any(|word| word == "--dry-run" || word == "-n"),
        _ => false,
    }
}

fn ends_by_itself(words: &[String]) -> bool {
    let has = |option: &str| words.iter().any(|word| word.starts_with(option));
    match words.first().map(String::as_str) {
        Some("zmesctl") => !has("watch") || has("--count") || has("--duration"),
        Some("zmesd") => words.len() > 1,
        Some(_) | None => true,
    }
}

/// Fails where a command would touch a file of the machine: an absolute path that is not below `root`.
pub(crate) fn stays_below(root: &str, line: &str) -> Result<()> {
    for simple in shell::commands(line)? {
        for word in simple.words.iter().chain(&simple.files) {
            let path = word.split_once('=').map_or(word.as_str(), |(_, value)| value);
            let path = path.strip_prefix("UNIX-CONNECT:").unwrap_or(path);
            if path.starts_with('/')
                && path != "/dev/null"
                && !path.starts_with(root)
                && !path.starts_with("/CN=")
            {
                bail!("{path} is no file of the page's world (documented/stage.rs: PLACES)");
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_has_its_fate() {
        assert_eq!(of("zmesctl status").unwrap(), Fate::Ask);
        assert_eq!(of("zmesctl tokens mute 1a2b --for 1h").unwrap(), Fate::Run);
        assert_eq!(of("zmesctl tokens list --json | jq .").unwrap(), Fate::Ask);
        assert_eq!(of("echo $?").unwrap(), Fate::Run);
        assert!(matches!(of("ZM_PASSWORD=x docs/examples/consumer.py wss://x").unwrap(), Fate::NotRun(_)));
        assert!(matches!(of("zmesctl watch").unwrap(), Fate::NotRun(_)));
        assert!(matches!(of("systemctl restart zmesd").unwrap(), Fate::NotRun(_)));
        assert!(matches!(of("runuser -u zmesd -- zmesd check-config").unwrap(), Fate::NotRun(_)));
    }

    #[test]
    fn words_that_no_program_knows_are_found() {
        for wrong in [
            "zmesctl statsu",
            "zmesctl tokens list --platfrom ios",
            "runuser -u zmesd -- zmesd chekc-config",
            "cargo run -p zmesd -- dmeo",
            "wget x",
        ] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn no_file_of_the_machine_is_touched() {
        stays_below("/tmp/x", "zmesctl tokens export >/tmp/x/y 2>/dev/null").unwrap();
        for wrong in
            ["echo x >/etc/passwd", "cat /etc/passwd", "zmesd check-config --config=/etc/zmesd/zmesd.toml"]
        {
            assert!(stays_below("/tmp/x", wrong).is_err(), "{wrong}");
        }
    }
}
