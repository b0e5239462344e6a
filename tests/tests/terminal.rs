//! Every command on a real terminal (tmux): at 80 and at 200 columns, with and without colours, into a pipe, with the
//! daemon stopped; questions and typed answers; Ctrl-C.

use anyhow::{Context, Result, ensure};
use unicode_width::UnicodeWidthStr;
use zmes_tests::command_lines::{COMMAND_LINES, May, Prints, Things};
use zmes_tests::standin::{Behaviour, PushProxy};
use zmes_tests::tmux::{Shown, Tmux};
use zmes_tests::{World, skipped, zmesctl_binary};

const EVENT: u64 = 32_910;
/// Names of cameras from people who like to try things.
const LONG: &str = "Garden behind the house, to the left of the old apple tree";
const WIDE: &str = "玄関カメラ 東側 駐車場の入口の前にある防犯カメラ";
/// (columns, name, environment of the shell, whether there are colours)
const TERMINALS: [(u16, &str, &str, bool); 5] = [
    (80, "narrow", "export TERM=xterm-256color", true),
    (200, "wide", "export TERM=xterm-256color", true),
    (80, "dumb", "export TERM=dumb", false),
    (200, "nocolor", "export NO_COLOR=1", false),
    (80, "never", "option='--color never'", false),
];

/// A world with names that are hard to display, a phone whose pushes fail, and one whose pushes succeed.
struct Street {
    world: World,
    things: Things,
    _apps: Vec<zmes_tests::AppClient>,
    _proxy: PushProxy,
}

impl Street {
    async fn new() -> Result<Self> {
        let proxy = PushProxy::start().await?;
        let world = World::new()
            .monitor(1, LONG)
            .monitor(2, WIDE)
            .monitor(3, "Gate\u{1b}]0;owned\u{7}\u{202e}")
            .monitor(4, "Yard")
            .with_push_proxy(&proxy)
            .start()
            .await?;
        let failing = "terminal:APA91bHPRgkF-failing";
        let mut apps = vec![world.phone("ios", failing).await?];
        // This one phone, not the way to all of them.
        proxy.always_token(failing, Behaviour::status(400, "the provider does not like this phone at all"));
        world.alarm(2, EVENT - 1).await?;
        let handle = world.handle(failing).await?;
        world.wait_delivery(&handle, EVENT - 1, "failed").await?;
        world.shm(4)?.stop()?;
        world.wait_monitor(4, "down", |monitor| monitor["healthy"] == false).await?;
        let (things, app) = Things::of(&world, EVENT).await?;
        apps.push(app);
        Ok(Self { world, things, _apps: apps, _proxy: proxy })
    }

    /// Returns shell commands: every command of the table but those that only change the world for the next.
    fn commands(&self, option: &str) -> Result<Vec<String>> {
        let lines = COMMAND_LINES.iter().filter(|line| !line.line.ends_with("disconnect CLIENT --yes"));
        lines.map(|line| self.command(line.line, option)).collect()
    }

    fn command(&self, line: &str, option: &str) -> Result<String> {
        let arguments = self.things.arguments(line);
        let quoted: Vec<_> = arguments.iter().map(|argument| format!("'{argument}'")).collect();
        let socket = self.world.ctl().socket().display().to_string();
        let zmesctl = zmesctl_binary()?;
        Ok(format!("'{}' --socket '{socket}' {option} {}", zmesctl.display(), quoted.join(" ")))
    }
}

/// Returns what the table says of a command that was run.
fn prints(shown: &Shown) -> Prints {
    let quoted =
        |line: &str| line.split(' ').take(2).map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ");
    let line = COMMAND_LINES.iter().find(|line| shown.command.contains(&quoted(line.line)));
    line.map_or(Prints::Answer, |line| line.prints)
}

/// Fails if a line is wider than the terminal; what files are made of is as wide as it is.
fn ensure_fits(shown: &Shown, columns: usize) -> Result<()> {
    if prints(shown) == Prints::Document && !shown.command.contains("--help") {
        return Ok(());
    }
    for line in shown.lines() {
        let width = line.width();
        ensure!(width <= columns, "{width} columns of {columns}: {line:?} of {shown:#?}");
    }
    Ok(())
}

#[tokio::test]
async fn every_command_fits_and_is_in_colour_only_where_it_may_be() -> Result<()> {
    if !Tmux::is_there() {
        return skipped("there is no tmux");
    }
    let street = Street::new().await?;
    let directory = street.world.directory();
    let commands = street.commands("$option")?;
    for (columns, name, environment, colours) in TERMINALS {
        let tmux = Tmux::run(directory, name, columns, environment, &commands)?;
        let mut colourful = 0;
        for shown in tmux.finished(&commands).await? {
            // One camera is down, and one phone is refused by its provider.
            let bad = ["all", "shm", "push"].map(|name| format!("'check' '{name}'"));
            let bad = bad.iter().any(|check| shown.command.contains(check));
            let tested = shown.command.contains("'alarm' 'test'") && shown.command.contains("--wait");
            let right = match shown.code {
                0 => !bad,
                1 => bad,
                2 => bad && shown.command.contains("--nagios"),
                7 => tested,
                _ => false,
            };
            ensure!(right && !shown.text.is_empty(), "{shown:#?}");
            ensure!(colours || !shown.has_escapes(), "{shown:#?}");
            // Only colours reach a terminal: no camera name can send control sequences.
            let escapes = [shown.text.matches('\u{1b}').count(), shown.text.matches("\u{1b}[").count()];
            ensure!(escapes[0] == escapes[1], "{shown:#?}");
            ensure!(!shown.text.contains(['\u{7}', '\u{202e}', '\u{9b}']), "{shown:#?}");
            colourful += usize::from(shown.has_escapes());
            ensure_fits(&shown, columns.into())?;
        }
        ensure!(!colours || colourful > 10, "only {colourful} commands have colours");
    }
    Ok(())
}

#[tokio::test]
async fn every_help_fits() -> Result<()> {
    if !Tmux::is_there() {
        return skipped("there is no tmux");
    }
    let directory = tempfile::tempdir()?;
    let zmesctl = zmesctl_binary()?;
    let is_command = |word: &&str| word.bytes().all(|byte| byte.is_ascii_lowercase());
    let words = |line: &str| line.split(' ').take(2).take_while(is_command).collect::<Vec<_>>().join(" ");
    let mut lines: Vec<_> = COMMAND_LINES.iter().map(|line| words(line.line)).collect();
    lines.extend(["", "tokens", "clients", "alarm", "push"].map(str::to_owned));
    lines.sort();
    lines.dedup();
    let commands: Vec<_> =
        lines.iter().map(|line| format!("'{}' {line} --help", zmesctl.display())).collect();
    let tmux = Tmux::run(directory.path(), "help", 80, "export TERM=xterm-256color", &commands)?;
    for shown in tmux.finished(&commands).await? {
        ensure!(shown.code == 0 && shown.text.contains("Example"), "{shown:#?}");
        ensure_fits(&shown, 80)?;
    }
    Ok(())
}

#[tokio::test]
async fn long_names_are_cut_wide_ones_are_measured_and_reasons_are_whole() -> Result<()> {
    if !Tmux::is_there() {
        return skipped("there is no tmux");
    }
    let street = Street::new().await?;
    let commands = [
        street.command("monitors list", "")?,
        street.command("tokens list", "")?,
        street.command("why EVENT", "")?,
        format!("{} | cat", street.command("monitors list", "")?),
        format!("{} | cat", street.command("status --color always", "")?),
    ];
    let tmux = Tmux::run(street.world.directory(), "names", 80, "export TERM=xterm-256color", &commands)?;
    let shown = tmux.finished(&commands).await?;
    let [monitors, tokens, why, piped, coloured] = shown.as_slice() else { anyhow::bail!("{shown:#?}") };
    let lines = monitors.lines();
    let line =
        |name: &str| lines.iter().find(|line| line.contains(name)).with_context(|| format!("{lines:#?}"));
    ensure!(line("Garden")?.contains('…'), "{lines:#?}");
    // The columns after a wide name are aligned as after any other.
    let column = |line: &str| line.split("alarm").next().map(UnicodeWidthStr::width);
    ensure!(column(line("玄関")?) == column(line("Garden")?), "{lines:#?}");
    // The reason why a phone does not ring is visible at 80 columns, too.
    ensure!(tokens.text.contains("the message was refused"), "{tokens:#?}");
    let explained = why.lines().iter().map(|line| line.trim().to_owned()).collect::<Vec<_>>().join(" ");
    ensure!(explained.contains("proxy took it"), "{why:#?}");
    // A pipe gets everything, and no colours but where they are asked for.
    ensure!(piped.text.contains(LONG) && !piped.has_escapes(), "{piped:#?}");
    ensure!(coloured.has_escapes(), "{coloured:#?}");
    // The terminal shows exactly what was sent: no line was wrapped.
    let screen = tmux.screen()?;
    ensure!(screen.contains("玄関"), "{screen}");
    Ok(())
}

#[tokio::test]
async fn without_the_daemon_every_command_says_what_to_do() -> Result<()> {
    if !Tmux::is_there() {
        return skipped("there is no tmux");
    }
    let mut street = Street::new().await?;
    street.world.daemon()?.end(nix::sys::signal::Signal::SIGTERM).await?;
    let asking = COMMAND_LINES.iter().filter(|line| line.may != May::Anybody);
    let commands: Vec<_> = asking.map(|line| street.command(line.line, "")).collect::<Result<_>>()?;
    for columns in [80, 200] {
        let name = format!("away{columns}");
        let tmux =
            Tmux::run(street.world.directory(), &name, columns, "export TERM=xterm-256color", &commands)?;
        for shown in tmux.finished(&commands).await? {
            ensure!(shown.code == 3, "{shown:#?}");
            ensure_fits(&shown, columns.into())?;
            let lines = shown.lines();
            if shown.command.contains("--nagios") {
                ensure!(lines[0].starts_with("ZMESD UNKNOWN - cannot reach zmesd at"), "{shown:#?}");
                continue;
            }
            for label in ["error: cannot reach zmesd at", "cause: ", "hint: systemctl status zmesd"] {
                ensure!(lines.iter().any(|line| line.starts_with(label)), "no {label}: {shown:#?}");
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_question_shows_what_will_be_gone_and_anything_but_yes_is_no() -> Result<()> {
    if !Tmux::is_there() {
        return skipped("there is no tmux");
    }
    let street = Street::new().await?;
    let handle = street.things.arguments("HANDLE").concat();
    let commands = [street.command("tokens revoke --all", "")?];
    for (number, (keys, code)) in
        [(&["Enter"][..], 1), (&["n", "Enter"], 1), (&["y", "Enter"], 0)].into_iter().enumerate()
    {
        let tmux = Tmux::run(street.world.directory(), &format!("ask{number}"), 80, "", &commands)?;
        let screen = tmux.wait_for("Revoke? [y/N]").await?;
        for word in ["2 tokens:", &handle, "admin", "ios", "android", "SEEN"] {
            ensure!(screen.contains(word), "{word}: {screen}");
        }
        tmux.keys(keys)?;
        let shown = tmux.finished(&commands).await?;
        ensure!(shown[0].code == code, "{shown:#?}");
        ensure_fits(&shown[0], 80)?;
        let left = street.world.tokens().await?.len();
        ensure!(left == if code == 0 { 0 } else { 2 }, "{left} tokens after {keys:?}");
    }
    Ok(())
}

#[tokio::test]
async fn control_c_and_a_reader_that_has_enough_end_watch_quietly() -> Result<()> {
    if !Tmux::is_there() {
        return skipped("there is no tmux");
    }
    let street = Street::new().await?;
    let commands = [street.command("watch --type monitor", "")?];
    let tmux = Tmux::run(street.world.directory(), "watch", 80, "trap : INT", &commands)?;
    tmux.wait_for("Yard").await?;
    tmux.keys(&["C-c"])?;
    let shown = tmux.finished(&commands).await?;
    ensure!(shown[0].code == 0 && !shown[0].text.contains("error"), "{shown:#?}");
    ensure_fits(&shown[0], 80)?;
    // `head` leaves after a line; nothing happens that would have to be written, and yet it is noticed.
    let line = format!("{}; echo \"ended with $?\" >&2", street.command("watch", "")?);
    let commands = [format!("({line}) | head -n 1")];
    let tmux = Tmux::run(street.world.directory(), "pipe", 80, "", &commands)?;
    let shown = tmux.finished(&commands).await?;
    ensure!(shown[0].text.contains("ended with 0"), "{shown:#?}");
    Ok(())
}
