//! The nightly clean-up, as docs/scripts.md has it: the files beside it are the ones that it shows, cron and systemd
//! would run them as they stand, and what they do to a real daemon is what the page says.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use tokio::process::Command;
use zmes_tests::standin::{Behaviour, PushProxy, Route};
use zmes_tests::{Process, World, skipped, wait_until, within, zmesctl_binary};

use crate::page::Page;
use crate::shell;
use crate::stage::{ADMINS_PHONE, AMYS_PHONE, Stage};

const PAGE: &str = "docs/scripts.md";
const SCRIPT: &str = "docs/examples/zmes-token-cleanup";
/// Where the page installs it.
const INSTALLED: &str = "/usr/local/sbin/zmes-token-cleanup";
const DAY: u64 = 86_400;

/// Returns the block of the page that shows a file: the line before it ends in the file's name.
fn shown(name: &str) -> Result<String> {
    let page = Page::read(PAGE)?;
    let block = page.blocks.iter().find(|block| {
        let before = page.lines[..block.start - 1].iter().rev().find(|line| !line.is_empty());
        before.is_some_and(|line| line.contains(&format!("({name})")))
    });
    let block = block.with_context(|| format!("{PAGE} shows no {name}"))?;
    Ok(block.lines.join("\n") + "\n")
}

#[test]
fn the_page_shows_the_files_that_are_shipped() -> Result<()> {
    for name in [
        "examples/zmes-token-cleanup",
        "examples/cron.d/zmes-token-cleanup",
        "examples/zmes-token-cleanup.service",
        "examples/zmes-token-cleanup.timer",
    ] {
        let file = fs::read_to_string(zmes_tests::repository()?.join("docs").join(name))?;
        assert_eq!(shown(name)?, file, "{PAGE} and docs/{name}");
    }
    Ok(())
}

/// Runs a command line as cron does: by `/bin/sh -c`, with nothing in the environment but these, without a terminal.
/// Only the places of programs and socket are the world's.
async fn as_cron(stage: &Stage, command: &str) -> Result<(i32, String, String)> {
    let script = stage.script(SCRIPT)?;
    let command = command.replace(INSTALLED, &script.to_string_lossy());
    let path = format!("{}:/usr/bin:/bin", stage.place("bin").display());
    let mut child = Command::new("env");
    child
        .arg("-i")
        .args([
            format!("HOME={}", stage.place("here").display()),
            "LOGNAME=root".into(),
            "SHELL=/bin/sh".into(),
        ])
        .args([
            format!("PATH={path}"),
            format!("ZMESCTL_SOCKET={}", stage.place("run/control.sock").display()),
        ])
        .args(["/bin/sh", "-c", &command])
        .current_dir("/")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = within("the clean-up", child.output()).await??;
    let text = |bytes: Vec<u8>| String::from_utf8(bytes);
    Ok((output.status.code().unwrap_or(-1), text(output.stdout)?, text(output.stderr)?))
}

/// Sets when tokens were last seen. Only the file has that, so the daemon is stopped meanwhile.
async fn last_heard(stage: &mut Stage, tokens: &[(&str, u64, u32)]) -> Result<()> {
    stage.direct("stopped").await?;
    let mut program =
        vec!["import sqlite3, sys, time".to_owned(), "file = sqlite3.connect(sys.argv[1])".to_owned()];
    for (token, days, failures) in tokens {
        let ago = days * DAY * 1000;
        let error = if *failures > 0 { "'503: away'" } else { "NULL" };
        program.push(format!(
            "row = file.execute(\"UPDATE tokens SET last_seen_at = ? - {ago}, failures = {failures}, \\
             last_error = {error} WHERE token = '{token}'\", (int(time.time() * 1000),))"
        ));
        program.push("assert row.rowcount == 1".to_owned());
    }
    program.push("file.commit()".to_owned());
    let program = program.join("\n");
    let file = stage.place("state/zmesd.db");
    let output = Command::new("python3").args(["-c", &program]).arg(file).output().await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    stage.direct("started").await
}

/// Returns which tokens are left.
async fn left(world: &World) -> Result<Vec<String>> {
    let list = world.ctl().json(&["tokens", "list", "--reveal"]).await?;
    let tokens = list["tokens"].as_array().context("no list")?;
    let mut tokens: Vec<String> =
        tokens.iter().filter_map(|token| Some(token["token"].as_str()?.to_owned())).collect();
    tokens.sort();
    Ok(tokens)
}

/// Phones that fill the world: `(token, days since it was last seen, failed pushes)`.
const PHONES: [(&str, u64, u32); 5] = [
    ("gone:APA91bE-nothing-heard-for-61-days", 61, 0),
    ("gone-and-failing:APA91bE-15-days-failing", 15, 5),
    ("failing-for-a-night:APA91bE-15-days-at-night", 15, 2),
    ("failing-but-in-use:APA91bE-1-day", 1, 500),
    ("quiet:APA91bE-59-days", 59, 0),
];

#[tokio::test]
async fn only_the_right_phones_go() -> Result<()> {
    let mut stage = Stage::open().await?;
    for (token, ..) in PHONES {
        drop(stage.world.phone("android", token).await?);
    }
    last_heard(&mut stage, &PHONES).await?;
    let (_, _, command) = crontab()?;
    let (code, stdout, stderr) = as_cron(&stage, &command).await?;
    ensure!((code, stdout.as_str(), stderr.as_str()) == (0, "", ""), "{code}\n{stdout}\n{stderr}");
    let mut expected = vec![AMYS_PHONE, ADMINS_PHONE, PHONES[2].0, PHONES[3].0, PHONES[4].0];
    expected.sort_unstable();
    ensure!(left(&stage.world).await? == expected, "{:?}", left(&stage.world).await?);
    // A second night has nothing to do, and says nothing.
    let (code, stdout, stderr) = as_cron(&stage, &command).await?;
    ensure!((code, stdout.as_str(), stderr.as_str()) == (0, "", ""), "{code}\n{stdout}\n{stderr}");
    // Revoked tokens can be restored.
    let revoked = stage.world.ctl().json(&["tokens", "list", "--state", "revoked"]).await?;
    ensure!(revoked["tokens"].as_array().map(Vec::len) == Some(2), "{revoked}");
    // A provider that is away that night causes no token to be revoked.
    stage.proxy.always_on(Route::Push, Behaviour::status(503, "away"));
    stage.direct("garage-alarms").await?;
    let (code, ..) = as_cron(&stage, &command).await?;
    ensure!(code == 0 && left(&stage.world).await? == expected);
    stage.proxy.always_on(Route::Push, PushProxy::wrong_app_key());
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_done_is_worth_a_mail() -> Result<()> {
    let mut stage = Stage::open().await?;
    let (_, _, command) = crontab()?;
    stage.world.daemon()?.end(Signal::SIGTERM).await?;
    let (code, stdout, stderr) = as_cron(&stage, &command).await?;
    ensure!(code == 3 && stdout.is_empty(), "{code}\n{stdout}");
    ensure!(stderr.contains("error:") && stderr.contains("hint:"), "{stderr}");
    ensure!(!stderr.contains('\u{1b}'), "colours in a mail: {stderr}");
    // Without jq, it says so and revokes nothing.
    stage.direct("started").await?;
    let missing = command.replace(INSTALLED, "zmes-token-cleanup");
    let only = stage.place("only");
    fs::create_dir(&only)?;
    for program in ["zmesctl", "zmes-token-cleanup"] {
        stage.script(SCRIPT)?;
        std::os::unix::fs::symlink(stage.place("bin").join(program), only.join(program))?;
    }
    let (code, stdout, stderr) = as_cron(&stage, &format!("PATH={} {missing}", only.display())).await?;
    ensure!(code == 127 && stdout.is_empty() && stderr.contains("jq"), "{code}\n{stdout}\n{stderr}");
    Ok(())
}

/// What a machine has, in a namespace of its own: programs and socket where the package puts them, the page's crontab and
/// script where the page installs them, nothing else for cron to do, and a sendmail that keeps the mail.
const MACHINE: &str = r#"
set -e
world=$1 zmesctl=$2 script=$3 crontab=$4
mount --make-rprivate /
mount -t tmpfs none /mnt
for directory in bin sbin; do
  mkdir /mnt/$directory /mnt/$directory.work
  mount -t overlay overlay -o "lowerdir=/usr/$directory,upperdir=/mnt/$directory,workdir=/mnt/$directory.work" "/usr/$directory"
done
cp "$zmesctl" /usr/bin/zmesctl
printf '#!/bin/sh\ncat >%s/mail.new && mv %s/mail.new %s/mail\n' "$world" "$world" "$world" >/usr/sbin/sendmail
chmod 755 /usr/sbin/sendmail
mount -t tmpfs none /run
mkdir -m 755 /run/zmesd
[ ! -d "$world/run" ] || mount --bind "$world/run" /run/zmesd
mount -t tmpfs none /var/spool/cron
mkdir /var/spool/cron/crontabs
mount -t tmpfs none /etc/cron.d
[ ! -e /etc/crontab ] || mount --bind /dev/null /etc/crontab
mount -t tmpfs none /usr/local/sbin
install -m 755 "$script" /usr/local/sbin/zmes-token-cleanup
install -m 644 "$crontab" /etc/cron.d/zmes-token-cleanup
exec cron -f
"#;

/// Starts Debian's cron on that machine, with another time than 3:17 in the crontab.
fn cron(stage: &Stage) -> Result<Process> {
    let text = shown("examples/cron.d/zmes-token-cleanup")?;
    let (times, ..) = crontab()?;
    let file = stage.place("crontab");
    fs::write(&file, text.replace(&times.join(" "), "@reboot"))?;
    let mut command = Process::command("unshare");
    command
        .args(["--mount", "/bin/sh", "-c", MACHINE, "sh"])
        .arg(stage.world.directory())
        .arg(zmesctl_binary()?)
        .arg(zmes_tests::repository()?.join(SCRIPT))
        .arg(file);
    Process::spawn("cron", &mut command, &stage.place("cron.log"))
}

/// Says whether cron can be tried here; where it must be, it is an error that it cannot.
fn has_cron() -> Result<bool> {
    let installed = Path::new("/usr/sbin/cron").exists();
    if installed && nix::unistd::geteuid().is_root() {
        return Ok(true);
    }
    skipped("cron itself needs root and the package cron")?;
    Ok(false)
}

#[tokio::test]
async fn cron_itself_runs_it() -> Result<()> {
    if !has_cron()? {
        return Ok(());
    }
    let mut stage = Stage::open().await?;
    drop(stage.world.phone("android", PHONES[0].0).await?);
    last_heard(&mut stage, &PHONES[..1]).await?;
    fs::set_permissions(stage.place("run"), fs::Permissions::from_mode(0o755))?;
    let mut running = cron(&stage)?;
    wait_until("cron has run the clean-up", async || {
        if let Some(status) = running.exited()? {
            anyhow::bail!("cron ended with {status}: {}", running.log());
        }
        Ok((left(&stage.world).await?.len() == 2).then_some(()))
    })
    .await?;
    running.end(Signal::SIGTERM).await?;
    ensure!(!stage.place("mail").exists(), "a mail of what went well");
    // What went wrong is a mail.
    stage.direct("stopped").await?;
    let mut running = cron(&stage)?;
    let mail =
        wait_until("cron has sent a mail", async || Ok(fs::read_to_string(stage.place("mail")).ok())).await?;
    running.end(Signal::SIGTERM).await?;
    let about = mail.lines().any(|line| line.starts_with("Subject:") && line.contains(INSTALLED));
    ensure!(about && mail.contains("error:") && mail.contains("hint:"), "{mail}");
    Ok(())
}

/// Returns times, user and command of the crontab.
fn crontab() -> Result<(Vec<String>, String, String)> {
    let text = shown("examples/cron.d/zmes-token-cleanup")?;
    let setting = |line: &str| line.split_once('=').is_some_and(|(name, _)| !name.contains(' '));
    let mut jobs = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#') && !setting(line));
    let (times, user, command) = shell::crontab(jobs.next().context("no job")?)?;
    ensure!(jobs.next().is_none(), "more than one job");
    Ok((times.into_iter().map(ToOwned::to_owned).collect(), user.to_owned(), command))
}

#[test]
fn cron_would_take_the_crontab() -> Result<()> {
    let (times, user, command) = crontab()?;
    assert_eq!(times, ["17", "3", "*", "*", "*"]);
    assert_eq!((user.as_str(), command.as_str()), ("root", INSTALLED));
    // run-parts(8) and cron(8): a name in /etc/cron.d has no dot, and the last line has an end.
    let file = zmes_tests::repository()?.join("docs/examples/cron.d/zmes-token-cleanup");
    assert!(fs::read_to_string(&file)?.ends_with('\n'));
    assert!(!file.file_name().context("no name")?.to_string_lossy().contains('.'));
    Ok(())
}

#[tokio::test]
async fn systemd_would_take_the_units_and_runs_the_script() -> Result<()> {
    let stage = Stage::open().await?;
    let script = stage.script(SCRIPT)?;
    let directory = stage.place("units");
    fs::create_dir(&directory)?;
    let mut files = Vec::new();
    for name in ["zmes-token-cleanup.service", "zmes-token-cleanup.timer"] {
        // The user zmesd comes with the package, and the script is where the page installs it.
        let text = shown(&format!("examples/{name}"))?.replace("=zmesd\n", "=root\n");
        fs::write(directory.join(name), text.replace(INSTALLED, &script.to_string_lossy()))?;
        files.push(directory.join(name));
    }
    let verify = Command::new("systemd-analyze").args(["verify", "--man=no"]).args(&files).output().await;
    let verify = verify.context("systemd-analyze (package systemd)")?;
    let said = String::from_utf8_lossy(&verify.stderr);
    ensure!(verify.status.success() && !said.contains("zmes-token-cleanup"), "{said}");
    let service = fs::read_to_string(&files[0])?;
    let start = service.lines().find_map(|line| line.strip_prefix("ExecStart=")).context("no ExecStart")?;
    ensure!(Path::new(start) == script, "{start}");
    // systemd calls no shell and gives no more of an environment than this.
    let output = Command::new(start)
        .env_clear()
        .env(
            "PATH",
            format!("{}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", stage.place("bin").display()),
        )
        .env("ZMESCTL_SOCKET", stage.place("run/control.sock"))
        .stdin(Stdio::null())
        .output()
        .await?;
    ensure!(output.status.success() && output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
    Ok(())
}
