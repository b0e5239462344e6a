//! The process: how it starts, what signals do, how it ends.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use zmes_tests::{Daemon, NotifySocket, Process, World, zmesd_binary};

/// Runs `zmesd ARGUMENTS` to its end: exit code, standard output, standard error.
fn run(world: &World, arguments: &[&str]) -> Result<(Option<i32>, String, String)> {
    let output = Daemon::command(world.directory(), arguments)?.output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((output.status.code(), text(&output.stdout), text(&output.stderr)))
}

fn check_config(world: &World, file: &str) -> Result<(Option<i32>, String)> {
    let path = world.path(file);
    let (code, stdout, stderr) = run(world, &["check-config", "--config", &path.to_string_lossy()])?;
    Ok((code, stdout + &stderr))
}

#[tokio::test]
async fn sigterm_ends_it_and_every_app_is_told() -> Result<()> {
    let mut world = World::new().monitor(1, "Front").start().await?;
    let mut members = [world.admin().await?, world.admin().await?];
    let mut stranger = world.app().await?;
    stranger.sync().await?;
    // The runner's deadline is far longer than the ten seconds that ZoneMinder's zmdc grants.
    let asked = tokio::time::Instant::now();
    let status = world.daemon()?.end(Signal::SIGTERM).await?;
    ensure!(status.code() == Some(0), "{status}");
    ensure!(asked.elapsed() < std::time::Duration::from_secs(10), "zmdc would have killed it");
    for app in &mut members {
        app.expect_close(1001).await?;
    }
    stranger.expect_close(1001).await?;
    ensure!(!world.ctl().socket().exists(), "the control socket was left behind");
    Ok(())
}

#[tokio::test]
async fn sigterm_ends_it_though_clients_stall_and_the_database_hangs() -> Result<()> {
    let mut world = World::new().monitor(1, "Front").start().await?;
    let endpoint = world.endpoint().await?;
    let _silent = zmes_tests::tcp(endpoint.address).await?;
    let _half = zmes_tests::HalfOpen::connect(&endpoint).await?;
    let _deaf = zmes_tests::HalfOpen::upgraded(&endpoint).await?;
    world.database.freeze().await?;
    let status = world.daemon()?.end(Signal::SIGTERM).await?;
    ensure!(status.code() == Some(0), "{status}");
    Ok(())
}

#[tokio::test]
async fn sighup_reloads_and_a_bad_file_changes_nothing() -> Result<()> {
    let mut world = World::new().monitor(1, "Front").start().await?;
    let mut member = world.admin().await?;
    let file = world.settings_file();
    let good = fs::read_to_string(&file)?;
    fs::write(&file, "[server]\nlisten = 5\nplaintxt = true\n")?;
    world.daemon()?.signal(Signal::SIGHUP)?;
    let refused = world.run(&["reload"]).await?.expect_code(1)?;
    ensure!(refused.stderr.contains("listen") && refused.stderr.contains("plaintxt"), "{refused:?}");
    world.alarm(1, 5).await?;
    member.expect_alarm(5, 1).await?;

    fs::write(&file, good)?;
    world.settings.set_text("server", "advertised-version", "9.9.9");
    world.write_settings()?;
    world.daemon()?.signal(Signal::SIGHUP)?;
    zmes_tests::wait_until("the new version is told", async || {
        let mut app = world.app().await?;
        let answer = app.authenticate("admin", "adminpass").await?;
        Ok((answer["version"] == "9.9.9").then_some(()))
    })
    .await?;
    world.alarm(1, 6).await?;
    member.expect_alarm(6, 1).await?;
    Ok(())
}

#[tokio::test]
async fn what_zmdc_sends_for_log_rotation_never_ends_it() -> Result<()> {
    let mut world = World::new().monitor(1, "Front").start().await?;
    let mut member = world.admin().await?;
    for signal in [Signal::SIGWINCH, Signal::SIGHUP, Signal::SIGPIPE, Signal::SIGWINCH] {
        world.daemon()?.signal(signal)?;
    }
    world.alarm(1, 5).await?;
    member.expect_alarm(5, 1).await?;
    world.daemon()?.ensure_running()
}

#[tokio::test]
async fn a_second_daemon_leaves_the_first_alone() -> Result<()> {
    let mut world = World::new().monitor(1, "Front").start().await?;
    let file = world.settings_file();
    let (code, _, said) = run(&world, &["--config", &file.to_string_lossy()])?;
    ensure!(code == Some(69), "{code:?}: {said}");
    // With a control socket of its own it is the port that is taken.
    let port = world.endpoint().await?.address.port();
    world.settings.set("server", "listen", format!("[\"127.0.0.1:{port}\"]"));
    world.settings.set_path("control", "socket", &world.path("second/control.sock"));
    world.settings.set_path("state", "directory", &world.path("second-state"));
    let second = world.path("second.toml");
    world.settings.write(&second)?;
    let (code, _, said) = run(&world, &["--config", &second.to_string_lossy()])?;
    ensure!(code == Some(69) && said.contains(&port.to_string()), "{code:?}: {said}");
    let mut member = world.admin().await?;
    world.alarm(1, 5).await?;
    member.expect_alarm(5, 1).await?;
    Ok(())
}

#[tokio::test]
async fn a_socket_left_by_a_crash_is_replaced() -> Result<()> {
    let mut world = World::new().monitor(1, "Front").start().await?;
    world.kill_daemon().await?;
    ensure!(world.ctl().socket().exists(), "a killed daemon cannot tidy up");
    world.start_daemon().await?;
    world.status().await.map(drop)
}

#[tokio::test]
async fn started_by_zoneminder_under_the_old_name_it_runs() -> Result<()> {
    let mut world = World::new().monitor(1, "Front").prepare().await?;
    let old_name = world.path("zmeventnotification.pl");
    symlink(zmesd_binary()?, &old_name)?;
    // zmdc passes no arguments; the configuration is found in its usual place.
    let file = world.settings_file();
    let mut command = Process::command(&old_name);
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", world.directory())
        .env("ZMESD_CONFIG", &file);
    world.adopt(command).await?;
    world.wait_watching().await?;
    let mut app = world.admin().await?;
    world.alarm(1, 5).await?;
    app.expect_alarm(5, 1).await?;
    let version = Command::new(&old_name).arg("--version").output()?;
    ensure!(version.status.success() && !version.stdout.is_empty(), "{version:?}");
    Ok(())
}

#[tokio::test]
async fn systemd_is_told_when_it_is_ready_alive_and_stopping() -> Result<()> {
    let mut world = World::new().monitor(1, "Front").prepare().await?;
    let systemd = NotifySocket::bind(&world.path("notify"))?;
    let file = world.settings_file();
    let mut command = Daemon::command(world.directory(), &["run", "--config", &file.to_string_lossy()])?;
    command.env("NOTIFY_SOCKET", systemd.path()).env("WATCHDOG_USEC", "400000");
    world.adopt(command).await?;
    systemd.expect("READY=1").await?;
    systemd.expect("WATCHDOG=1").await?;
    systemd.expect("WATCHDOG=1").await?;
    systemd.expect("STATUS=").await?;
    world.daemon()?.signal(Signal::SIGTERM)?;
    systemd.expect("STOPPING=1").await?;
    let status = world.daemon()?.exit().await?;
    ensure!(status.success(), "{status}");
    Ok(())
}

#[tokio::test]
async fn all_problems_of_a_configuration_are_said_at_once() -> Result<()> {
    let world = World::new().prepare().await?;
    let (code, said) = check_config(&world, "zmesd.toml")?;
    ensure!(code == Some(0), "{code:?}: {said}");
    fs::write(
        world.path("bad.toml"),
        "[zoneminder]\nconfig = \"/nowhere/zm.conf\"\npoll-intervall = \"20ms\"\nreconcile-interval = \"soon\"\n\n\
         [server]\nlisten = [\"here\"]\nmax-clients = -1\n\n[log]\nlevel = 5\n",
    )?;
    let (code, said) = check_config(&world, "bad.toml")?;
    ensure!(code == Some(78), "{code:?}: {said}");
    for part in [
        "bad.toml",
        "/nowhere/zm.conf",
        "poll-intervall",
        "poll-interval",
        "reconcile-interval",
        "listen",
        "max-clients",
        "level",
        "3",
        "4",
        "7",
        "8",
        "11",
    ] {
        ensure!(said.contains(part), "`{part}` is missing in:\n{said}");
    }
    fs::write(world.path("broken.toml"), "[server\n")?;
    let (code, said) = check_config(&world, "broken.toml")?;
    ensure!(code == Some(78) && said.contains("broken.toml"), "{code:?}: {said}");
    let (code, said) = check_config(&world, "missing.toml")?;
    ensure!(code == Some(78) && said.contains("missing.toml"), "{code:?}: {said}");
    Ok(())
}

#[tokio::test]
async fn the_default_configuration_is_complete_and_passes() -> Result<()> {
    let world = World::new().prepare().await?;
    let (code, text, said) = run(&world, &["default-config"])?;
    ensure!(code == Some(0), "{code:?}: {said}");
    for table in
        ["[zoneminder]", "[server]", "[server.tls]", "[auth]", "[push]", "[state]", "[control]", "[log]"]
    {
        ensure!(text.contains(table), "no {table}");
    }
    // With the paths of this machine, said or commented out, it is a configuration.
    let certificate = &world.certificate;
    let text = here(&text, "config", &world.path("zm.conf"));
    let text = here(&text, "certificate", &certificate.certificate);
    let text = here(&text, "key", &certificate.key);
    fs::write(world.path("default.toml"), text)?;
    let (code, said) = check_config(&world, "default.toml")?;
    ensure!(code == Some(0), "{code:?}: {said}");
    Ok(())
}

/// Sets the first mention of `key`, and its table if that is commented out.
fn here(text: &str, key: &str, path: &std::path::Path) -> String {
    let plain = |line: &str| line.trim_start_matches(['#', ' ']).to_owned();
    let mut found = false;
    let lines = text.lines().map(|line| {
        let code = plain(line);
        if code.starts_with("[zoneminder]") || code.starts_with("[server.tls]") {
            return code.clone();
        }
        if !found && code.starts_with(&format!("{key} = ")) {
            found = true;
            return format!("{key} = \"{}\"", path.display());
        }
        line.to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn exit_codes_say_whose_fault_it_is() -> Result<()> {
    let world = World::new().prepare().await?;
    let (code, _, said) = run(&world, &["--nonsense"])?;
    ensure!(code == Some(64) && !said.is_empty(), "usage: {code:?}: {said}");
    let (code, out, _) = run(&world, &["--version"])?;
    ensure!(code == Some(0) && out.contains(env!("CARGO_PKG_VERSION")), "{code:?}: {out}");
    let (code, out, _) = run(&world, &["--help"])?;
    ensure!(code == Some(0) && out.contains("check-config"), "{code:?}: {out}");
    if nix::unistd::Uid::effective().is_root() {
        // A privileged port, or a directory of another user: not permitted.
        let copy = world.path("zmesd");
        fs::copy(zmesd_binary()?, &copy)?;
        fs::set_permissions(&world.certificate.key, std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
        let output = Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"])
            .arg(&copy)
            .arg("--config")
            .arg(world.settings_file())
            .output()
            .context("setpriv")?;
        ensure!(output.status.code() == Some(77), "{output:?}");
    }
    Ok(())
}

/// Starts the daemon with limits of open files, `SOFT:HARD`.
async fn start_limited(world: &mut World, limits: &str) -> Result<()> {
    let mut command = Process::command("prlimit");
    command
        .arg(format!("--nofile={limits}"))
        .arg(zmesd_binary()?)
        .arg("--config")
        .arg(world.settings_file())
        .env("HOME", world.directory());
    world.adopt(command).await?;
    world.wait_watching().await
}

#[tokio::test]
async fn the_limit_of_open_files_is_raised_and_one_that_is_too_low_is_told() -> Result<()> {
    let mut world = World::new().monitor(1, "Front").prepare().await?;
    start_limited(&mut world, "200:1700").await?;
    let limits = fs::read_to_string(format!("/proc/{}/limits", world.daemon()?.pid()))?;
    let line = limits.lines().find(|line| line.starts_with("Max open files")).context("no line")?;
    ensure!(line.split_whitespace().nth(3) == Some("1700"), "{line}");
    let told = |log: &str| log.matches("LimitNOFILE=21536").count();
    ensure!(told(&world.daemon()?.log()) == 1, "20,000 apps do not fit, and nothing says so");

    // Values that agree are not reported, neither after a reload nor after a restart.
    world.settings.set("server", "max-clients", "100");
    world.write_settings()?;
    ensure!(world.run(&["reload"]).await?.code == 0);
    world.daemon()?.end(Signal::SIGTERM).await?;
    start_limited(&mut world, "200:1700").await?;
    let log = world.daemon()?.log();
    ensure!(log.matches("LimitNOFILE=").count() == 1, "told again: {log}");
    Ok(())
}

#[tokio::test]
async fn a_daemon_that_ran_out_of_descriptors_lets_apps_in_when_there_are_some_again() -> Result<()> {
    let mut world = World::new().monitor(1, "Front").prepare().await?;
    start_limited(&mut world, "80:80").await?;
    let endpoint = world.endpoint().await?;
    let mut member = world.admin().await?;
    let mut crowd = Vec::new();
    for _ in 0..200 {
        crowd.push(zmes_tests::tcp(endpoint.address).await?);
    }
    zmes_tests::wait_until("the daemon has no room", async || {
        Ok(world.daemon()?.log().contains("cannot accept connections").then_some(()))
    })
    .await?;
    world.daemon()?.ensure_running()?;
    drop(crowd);
    let mut newcomer = world.admin().await?;
    world.alarm(1, 100).await?;
    member.expect_alarm(100, 1).await?;
    newcomer.expect_alarm(100, 1).await?;
    Ok(())
}
