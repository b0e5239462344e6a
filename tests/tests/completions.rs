//! Completions in the real shells: what bash, zsh and fish offer at a press of TAB, with a daemon that has tokens,
//! clients and users, some of which try to run a command.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;
use zmes_tests::standin::PushProxy;
use zmes_tests::{AppClient, UserRow, World, installed, repository, wait_until, within, zmesctl_binary};

/// What each shell would run or trip over, were it to evaluate or split a name.
const HOSTILE: &str = "$(touch OWN) `touch OWN`;'\"\\";
const PASSWORD: &str = "pw";
/// The tokens of a phone that rings, of one that is muted, and of one that is revoked.
const PHONES: [&str; 3] =
    ["completed-phone:that_rings", "completed-phone:in_a_drawer", "completed-phone:long_gone"];
/// What every shell says when it waits for a command.
const PROMPT: &str = "READY> ";

/// A daemon with three tokens (one revoked, one muted) and clients of the hostile user alone, and a directory in which
/// shells find their completions.
struct Street {
    world: World,
    _proxy: PushProxy,
    _apps: Vec<AppClient>,
    live: String,
    muted: String,
    revoked: String,
    shells: TempDir,
}

async fn street() -> Result<Street> {
    let proxy = PushProxy::start().await?;
    let hostile = "$(touch OWN)`touch OWN`'\"\\\u{1b}[2J";
    let world = World::new().monitor(1, "Garage").monitor(22, hostile).user(UserRow::new(HOSTILE, PASSWORD));
    let world = world.with_push_proxy(&proxy).start().await?;
    let (mut apps, mut handles) = (Vec::new(), Vec::new());
    for token in PHONES {
        let mut app = world.login(HOSTILE, PASSWORD).await?;
        let data = json!({"type": "token", "platform": "ios", "token": token, "state": "enabled"});
        app.send(&json!({"event": "push", "data": data})).await?;
        app.sync().await?;
        apps.push(app);
        world.wait_token(token, "registered", |_| true).await?;
        handles.push(world.handle(token).await?);
    }
    let [live, muted, revoked] = handles.try_into().map_err(|_| anyhow::anyhow!("not three handles"))?;
    world.run(&["tokens", "mute", &muted]).await?.expect_code(0)?;
    world.run(&["tokens", "revoke", &revoked, "--yes"]).await?.expect_code(0)?;
    Ok(Street { world, _proxy: proxy, _apps: apps, live, muted, revoked, shells: shells()? })
}

fn completions() -> Result<PathBuf> {
    Ok(repository()?.join("completions"))
}

/// Makes a home in which each shell finds the completions where packages put them, and works in a directory of its own.
fn shells() -> Result<TempDir> {
    let home = tempfile::tempdir()?;
    let (path, completions) = (home.path(), completions()?);
    for directory in ["bin", "work", "site-functions", "config/fish/completions"] {
        fs::create_dir_all(path.join(directory))?;
    }
    symlink(zmesctl_binary()?, path.join("bin/zmesctl"))?;
    fs::copy(completions.join("zmesctl.zsh"), path.join("site-functions/_zmesctl"))?;
    fs::copy(completions.join("zmesctl.fish"), path.join("config/fish/completions/zmesctl.fish"))?;
    let bash = format!(
        "PS1='{PROMPT}'\nbind 'set enable-bracketed-paste off'\n. '{}'\n",
        completions.join("zmesctl.bash").display()
    );
    fs::write(path.join("bashrc"), bash)?;
    let zsh = format!(
        "PS1='{PROMPT}'\nunset zle_bracketed_paste\nfpath=('{}' $fpath)\nautoload -Uz compinit && compinit -D -u\n",
        path.join("site-functions").display()
    );
    fs::write(path.join(".zshrc"), zsh)?;
    let fish = format!(
        "function fish_prompt\n  echo -n '{PROMPT}'\nend\nset -g fish_greeting\nset -g fish_autosuggestion_enabled 0\n"
    );
    fs::write(path.join("config/fish/config.fish"), fish)?;
    Ok(home)
}

impl Street {
    fn environment(&self, socket: &Path) -> Vec<(&'static str, OsString)> {
        let home = self.shells.path();
        let mut path = home.join("bin").into_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        vec![
            ("PATH", path),
            ("HOME", home.into()),
            ("ZDOTDIR", home.into()),
            ("XDG_CONFIG_HOME", home.join("config").into()),
            ("XDG_DATA_HOME", home.join("data").into()),
            ("XDG_RUNTIME_DIR", home.join("run").into()),
            ("ZMESCTL_SOCKET", socket.into()),
            ("LC_ALL", "C.UTF-8".into()),
        ]
    }

    fn socket(&self) -> PathBuf {
        self.world.ctl().socket().to_path_buf()
    }

    /// Returns what a shell without a terminal says to a script.
    async fn ask(&self, shell: &[&str], script: &str, socket: &Path) -> Result<Vec<String>> {
        let (program, options) = shell.split_first().context("no shell")?;
        let mut command = Command::new(program);
        command.args(options).arg(script).current_dir(self.shells.path().join("work")).kill_on_drop(true);
        command.envs(self.environment(socket));
        let output = within(script, command.output()).await??;
        let (stdout, stderr) = (String::from_utf8(output.stdout)?, String::from_utf8_lossy(&output.stderr));
        ensure!(stderr.is_empty(), "{program} says on `{script}`: {stderr}");
        Ok(stdout.lines().map(ToOwned::to_owned).collect())
    }

    /// Returns what bash offers for the last of `words`.
    async fn bash(&self, words: &[&str], socket: &Path) -> Result<Vec<String>> {
        let quoted: Vec<_> = words.iter().map(|word| format!("'{word}'")).collect();
        // As readline calls it: the command, the word, the word before.
        let script = format!(
            ". '{}'; COMP_WORDS=({}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             compopt() {{ :; }}; _zmesctl zmesctl \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD - 1]}}\"; \
             printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            completions()?.join("zmesctl.bash").display(),
            quoted.join(" ")
        );
        let offered = self.ask(&["bash", "--noprofile", "--norc", "-c"], &script, socket).await?;
        Ok(offered.into_iter().filter(|line| !line.is_empty()).collect())
    }

    /// Returns what fish offers for a line: the value, a tab, the description.
    async fn fish(&self, line: &str, socket: &Path) -> Result<Vec<String>> {
        let file = completions()?.join("zmesctl.fish");
        let script = format!("source '{}'; complete -C '{line}'", file.display());
        self.ask(&["fish", "--no-config", "-c"], &script, socket).await
    }

    /// Fails if a name was executed: it would have left a file.
    fn ensure_nothing_ran(&self) -> Result<()> {
        let found: Vec<_> = fs::read_dir(self.shells.path().join("work"))?.collect::<Result<_, _>>()?;
        ensure!(found.is_empty(), "a name was executed: {found:?}");
        Ok(())
    }

    async fn client_ids(&self) -> Result<Vec<String>> {
        let list = self.world.ctl().json(&["clients", "list"]).await?;
        let clients = list["clients"].as_array().with_context(|| format!("no list: {list}"))?;
        Ok(clients.iter().map(|client| client["id"].to_string()).collect())
    }
}

fn sorted(mut values: Vec<String>) -> Vec<String> {
    values.sort();
    values
}

#[tokio::test]
async fn bash_offers_what_the_daemon_has() -> Result<()> {
    let street = street().await?;
    let (live, muted, revoked) = (street.live.as_str(), street.muted.as_str(), street.revoked.as_str());
    let clients = street.client_ids().await?;
    let clients: Vec<&str> = clients.iter().map(String::as_str).collect();
    let prefix = &live[..3];
    let table: [(&[&str], &[&str]); 16] = [
        (&["tokens", "show", ""], &[live, muted]),
        (&["tokens", "show", prefix], &[live]),
        (&["--json", "tokens", "log", ""], &[live, muted]),
        (&["tokens", "revoke", muted, ""], &[live]),
        (&["tokens", "unmute", ""], &[muted]),
        (&["tokens", "restore", ""], &[revoked]),
        (&["badges", "reset", ""], &[live, muted]),
        (&["watch", "--token", ""], &[live, muted]),
        (&["watch", "--token", "=", ""], &[live, muted]),
        (&["alarm", "test", "--monitor", ""], &["1", "22"]),
        (&["alarm", "force", "-m", "2"], &["22"]),
        (&["clients", "disconnect", ""], &clients),
        (&["tokens", "list", "--state", "mu"], &["muted"]),
        (&["clients", ""], &["list", "rejected", "disconnect"]),
        (&["push", "check", "f"], &["fcm"]),
        (&["tokens", "list", "--stale", ""], &[]),
    ];
    for (words, expected) in table {
        let words: Vec<&str> = std::iter::once("zmesctl").chain(words.iter().copied()).collect();
        let offered = street.bash(&words, &street.socket()).await?;
        let expected = sorted(expected.iter().map(|value| (*value).to_owned()).collect());
        ensure!(sorted(offered.clone()) == expected, "{words:?}: {offered:?} instead of {expected:?}");
    }
    let users = street.bash(&["zmesctl", "clients", "list", "--user", ""], &street.socket()).await?;
    ensure!(users == [r#"\$\(touch\ OWN\)\ \`touch\ OWN\`\;\'\"\\"#], "{users:?}");
    street.ensure_nothing_ran()
}

#[tokio::test]
async fn fish_offers_what_the_daemon_has_with_descriptions() -> Result<()> {
    if !installed("fish")? {
        return Ok(());
    }
    let street = street().await?;
    let (live, muted, revoked) = (street.live.as_str(), street.muted.as_str(), street.revoked.as_str());
    let clients = street.client_ids().await?;
    let clients: Vec<&str> = clients.iter().map(String::as_str).collect();
    let revoking = format!("tokens revoke {muted} ");
    let table: [(&str, &[&str]); 12] = [
        ("tokens show ", &[live, muted]),
        ("--json tokens log ", &[live, muted]),
        (&revoking, &[live]),
        ("tokens unmute ", &[muted]),
        ("tokens restore ", &[revoked]),
        ("badges reset ", &[live, muted]),
        ("watch --token ", &[live, muted]),
        ("alarm test --monitor ", &["1", "22"]),
        ("alarm force -m ", &["1", "22"]),
        ("clients disconnect ", &clients),
        ("push check ", &["proxy", "fcm", "apns", "ntfy", "pushover", "telegram", "gotify", "webhook"]),
        ("completions ", &["bash", "zsh", "fish"]),
    ];
    for (line, expected) in table {
        let offered = street.fish(&format!("zmesctl {line}"), &street.socket()).await?;
        let values = offered.iter().map(|line| line.split('\t').next().unwrap_or_default().to_owned());
        let expected = sorted(expected.iter().map(|value| (*value).to_owned()).collect());
        ensure!(sorted(values.collect()) == expected, "{line}: {offered:?} instead of {expected:?}");
    }
    let monitors = street.fish("zmesctl watch --monitor ", &street.socket()).await?;
    // What a terminal would obey the daemon has replaced.
    let expected = format!("22\t{}", "$(touch OWN)`touch OWN`'\"\\\u{fffd}[2J");
    ensure!(monitors.contains(&"1\tGarage".to_owned()) && monitors.contains(&expected), "{monitors:?}");
    street.ensure_nothing_ran()
}

#[tokio::test]
async fn without_a_daemon_shells_offer_nothing_and_say_nothing() -> Result<()> {
    let street = street().await?;
    let away = street.shells.path().join("away.sock");
    for words in [&["zmesctl", "tokens", "show", ""][..], &["zmesctl", "watch", "--monitor", ""]] {
        let offered = street.bash(words, &away).await?;
        ensure!(offered.is_empty(), "bash, {words:?}: {offered:?}");
    }
    if installed("fish")? {
        for line in ["zmesctl tokens show ", "zmesctl watch --monitor "] {
            let offered = street.fish(line, &away).await?;
            ensure!(offered.is_empty(), "fish, {line}: {offered:?}");
        }
    }
    Ok(())
}

/// A shell on a terminal of its own.
struct Terminal<'s> {
    street: &'s Street,
    name: &'static str,
}

impl<'s> Terminal<'s> {
    async fn open(street: &'s Street, name: &'static str) -> Result<Self> {
        let terminal = Self { street, name };
        let home = street.shells.path();
        let shell: Vec<OsString> = match name {
            "bash" => vec![
                "bash".into(),
                "--noprofile".into(),
                "--rcfile".into(),
                home.join("bashrc").into(),
                "-i".into(),
            ],
            other => vec![other.into(), "-i".into()],
        };
        let mut command = terminal.tmux();
        command.args(["-f", "/dev/null", "new-session", "-d", "-x", "200", "-y", "40", "--"]).args(shell);
        command
            .current_dir(home.join("work"))
            .envs(street.environment(&street.socket()))
            .env("TERM", "xterm-256color");
        let output = within("tmux", command.output()).await??;
        ensure!(output.status.success(), "{output:?}");
        terminal.wait(PROMPT.trim()).await?;
        Ok(terminal)
    }

    fn socket(&self) -> PathBuf {
        self.street.shells.path().join(format!("{}.tmux", self.name))
    }

    fn tmux(&self) -> Command {
        let mut command = Command::new("tmux");
        command.arg("-S").arg(self.socket());
        command
    }

    async fn keys(&self, keys: &[&str]) -> Result<()> {
        let output = within("tmux", self.tmux().arg("send-keys").args(keys).output()).await??;
        ensure!(output.status.success(), "{output:?}");
        Ok(())
    }

    /// Types a text, then TAB, and waits until the screen shows `expected`.
    async fn complete(&self, text: &str, expected: &str) -> Result<()> {
        self.keys(&["-l", text]).await?;
        self.wait(text.trim_end()).await?;
        self.keys(&["Tab"]).await?;
        self.wait(expected).await
    }

    /// Leaves the line as it is, and begins another on an empty screen.
    async fn again(&self) -> Result<()> {
        // fish has a menu to leave. In other shells Ctrl-C is a signal, which may overtake what is typed after it.
        let keys: &[&str] = if self.name == "fish" { &["C-c", "C-u", "C-l"] } else { &["C-u", "C-l"] };
        self.keys(keys).await?;
        wait_until("the screen is empty", async || {
            let screen = self.screen().await?;
            Ok((screen.trim() == PROMPT.trim()).then_some(()))
        })
        .await
    }

    async fn screen(&self) -> Result<String> {
        let output = within("tmux", self.tmux().args(["capture-pane", "-p", "-J"]).output()).await??;
        ensure!(output.status.success(), "{output:?}");
        Ok(String::from_utf8(output.stdout)?)
    }

    async fn wait(&self, expected: &str) -> Result<()> {
        let mut screen = String::new();
        let what = format!("{} shows `{expected}`", self.name);
        let seen = wait_until(&what, async || {
            screen = self.screen().await?;
            Ok(screen.contains(expected).then_some(()))
        });
        let seen = seen.await;
        seen.with_context(|| format!("the screen:\n{screen}"))
    }
}

impl Drop for Terminal<'_> {
    /// Ends the shell, however the test ends.
    fn drop(&mut self) {
        std::process::Command::new("tmux").arg("-S").arg(self.socket()).arg("kill-server").output().ok();
    }
}

/// Presses TAB in a shell on a terminal, then runs what has become of the line.
async fn tabs(name: &'static str, quoted: &str) -> Result<()> {
    if !installed(name)? || !installed("tmux")? {
        return Ok(());
    }
    let street = street().await?;
    let terminal = Terminal::open(&street, name).await?;
    terminal.complete("zmesctl tokens unm", "tokens unmute").await?;
    terminal.again().await?;
    terminal.complete("zmesctl tokens restore ", &format!("restore {}", street.revoked)).await?;
    terminal.again().await?;
    terminal.complete("zmesctl tokens unmute ", &format!("unmute {}", street.muted)).await?;
    terminal.again().await?;
    terminal.complete("zmesctl watch --token ", "").await?;
    terminal.keys(&["Tab"]).await?;
    terminal.wait(&street.live).await?;
    terminal.wait(&street.muted).await?;
    terminal.again().await?;
    // Two monitors: they are listed, and the hostile name stays a description.
    terminal.complete("zmesctl alarm force --monitor ", "").await?;
    terminal.keys(&["Tab"]).await?;
    terminal.wait("22").await?;
    terminal.again().await?;
    // The name of the only user is one argument, and the right one.
    terminal.complete("zmesctl clients list --json --user ", quoted).await?;
    terminal.keys(&["-l", " > out.json; echo 'en''d'"]).await?;
    terminal.keys(&["Enter"]).await?;
    terminal.wait("\nend").await?;
    drop(terminal);
    let file = street.shells.path().join("work/out.json");
    let listed: Value = serde_json::from_str(&fs::read_to_string(&file)?)?;
    ensure!(listed["clients"].as_array().map(Vec::len) == Some(3), "{listed}");
    ensure!(listed["clients"][0]["user"] == HOSTILE, "{listed}");
    fs::remove_file(file)?;
    street.ensure_nothing_ran()
}

#[tokio::test]
async fn a_tab_in_bash_on_a_terminal() -> Result<()> {
    tabs("bash", r#"--user \$\(touch\ OWN\)\ \`touch\ OWN\`\;\'\"\\"#).await
}

#[tokio::test]
async fn a_tab_in_zsh_on_a_terminal() -> Result<()> {
    tabs("zsh", r#"--user \$\(touch\ OWN\)\ \`touch\ OWN\`\;\'\"\\"#).await
}

#[tokio::test]
async fn a_tab_in_fish_on_a_terminal() -> Result<()> {
    tabs("fish", r#"--user \$\(touch\ OWN\)\ `touch\ OWN`\;\'\"\\"#).await
}
