//! Socket activation: the daemon serves sockets that were open before it was there, as systemd hands them over.

use std::fs::{self, File, Permissions};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::json;
use zmes_tests::{AppClient, Daemon, Endpoint, Handover, Process, World, installed, zmesd_binary};

/// The sockets of a unit, and the address for apps.
struct Unit {
    control: UnixListener,
    app: TcpListener,
    endpoint: Endpoint,
}

impl Unit {
    fn open(world: &World) -> Result<Self> {
        let socket = world.ctl().socket().to_owned();
        fs::create_dir_all(socket.parent().context("no directory")?)?;
        let control = UnixListener::bind(&socket)?;
        fs::set_permissions(&socket, Permissions::from_mode(0o606))?;
        let app = TcpListener::bind("127.0.0.1:0")?;
        let tls = Some(world.certificate.client(rustls::ALL_VERSIONS)?);
        let endpoint = Endpoint { address: app.local_addr()?, tls };
        Ok(Self { control, app, endpoint })
    }

    fn command(&self, world: &World) -> Result<Command> {
        let handover = Handover::new().pass(&self.control, "control")?.pass(&self.app, "app")?;
        Ok(handover.command(&daemon(world)?))
    }
}

fn daemon(world: &World) -> Result<Command> {
    Daemon::command(world.directory(), &["--config", &world.settings_file().to_string_lossy()])
}

/// A world whose `server.listen` names a port in use: the daemon would not start if it used it.
async fn prepared() -> Result<(World, TcpListener)> {
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let listen = format!("[\"{}\"]", taken.local_addr()?);
    let world = World::new().monitor(1, "Front").setting("server", "listen", &listen).prepare().await?;
    Ok((world, taken))
}

#[tokio::test]
async fn who_connects_before_the_daemon_is_up_is_served_once_it_is() -> Result<()> {
    let (mut world, _taken) = prepared().await?;
    let unit = Unit::open(&world)?;
    let early = unit.endpoint.clone();
    let command = unit.command(&world)?;
    let (app, started) = tokio::join!(AppClient::connect(&early), world.adopt(command));
    started?;
    let mut app = app?;
    world.wait_watching().await?;
    app.authenticate("admin", "adminpass").await?;
    world.alarm(1, 5).await?;
    app.expect_alarm(5, 1).await?;

    let status = world.status().await?;
    ensure!(status["handed_over"] == json!(["control", "app"]), "{status}");
    ensure!(status["listening"] == json!([format!("wss://{}", unit.endpoint.address)]), "{status}");
    let people = world.run(&["status"]).await?.expect_code(0)?;
    ensure!(people.stdout.contains("sockets from systemd"), "{people:?}");

    // Sockets that it did not open are neither changed nor removed.
    let socket = world.ctl().socket().to_owned();
    ensure!(fs::metadata(&socket)?.permissions().mode() & 0o777 == 0o606);
    world.settings.set("server", "listen", "[\"127.0.0.1:1\"]");
    world.write_settings()?;
    let reloaded = world.ctl().json(&["reload"]).await?;
    ensure!(reloaded["needs_restart"] == json!(["server.listen"]), "{reloaded}");
    ensure!(world.daemon()?.end(Signal::SIGTERM).await?.success());
    app.expect_close(1001).await?;
    ensure!(socket.exists(), "zmesd must not remove a control socket that it did not open");
    Ok(())
}

#[tokio::test]
async fn a_restart_loses_no_attempt_to_connect() -> Result<()> {
    let (mut world, _taken) = prepared().await?;
    let unit = Unit::open(&world)?;
    world.adopt(unit.command(&world)?).await?;
    for round in 1..=3 {
        ensure!(world.daemon()?.end(Signal::SIGTERM).await?.success());
        // No daemon runs: they wait in the sockets' queues.
        let (ctl, endpoint, command) = (world.ctl(), unit.endpoint.clone(), unit.command(&world)?);
        let asked = ctl.run(&["status", "--json", "--timeout", "30s"]);
        let (one, two, status, started) = tokio::join!(
            AppClient::connect(&endpoint),
            AppClient::connect(&endpoint),
            asked,
            world.adopt(command)
        );
        started?;
        status?.expect_code(0)?;
        world.wait_watching().await?;
        let event = 10 + round;
        let mut apps = [one?, two?];
        for app in &mut apps {
            app.authenticate("admin", "adminpass").await?;
        }
        world.alarm(1, event).await?;
        for app in &mut apps {
            app.expect_alarm(event, 1).await?;
        }
        world.end_alarm(1, event).await?;
    }
    Ok(())
}

#[tokio::test]
async fn without_names_the_kind_of_a_socket_says_what_it_is_for() -> Result<()> {
    let (mut world, _taken) = prepared().await?;
    let unit = Unit::open(&world)?;
    let second = TcpListener::bind("[::1]:0").or_else(|_| TcpListener::bind("127.0.0.1:0"))?;
    let handover = Handover::new()
        .pass(&unit.app, "zmesd.socket")?
        .pass(&unit.control, "zmesd.socket")?
        .pass(&second, "zmesd.socket")?;
    world.adopt(handover.command(&daemon(&world)?)).await?;
    let status = world.status().await?;
    ensure!(status["handed_over"] == json!(["control", "app", "app"]), "{status}");
    let url = |address: SocketAddr| format!("wss://{address}");
    let listening = json!([url(unit.endpoint.address), url(second.local_addr()?)]);
    ensure!(status["listening"] == listening, "{status}");
    for address in [unit.endpoint.address, second.local_addr()?] {
        let endpoint = Endpoint { address, ..unit.endpoint.clone() };
        AppClient::connect(&endpoint).await?.authenticate("admin", "adminpass").await?;
    }
    Ok(())
}

#[tokio::test]
async fn only_the_ports_may_be_handed_over() -> Result<()> {
    let (mut world, _taken) = prepared().await?;
    let app = TcpListener::bind("127.0.0.1:0")?;
    world.adopt(Handover::new().pass(&app, "app")?.command(&daemon(&world)?)).await?;
    let status = world.status().await?;
    ensure!(status["handed_over"] == json!(["app"]), "{status}");
    ensure!(world.daemon()?.end(Signal::SIGTERM).await?.success());
    ensure!(!world.ctl().socket().exists(), "the control socket was its own");
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_served_is_named_with_its_place() -> Result<()> {
    let (world, _taken) = prepared().await?;
    let unit = Unit::open(&world)?;
    let datagrams = UdpSocket::bind("127.0.0.1:0")?;
    let connected = TcpStream::connect(unit.endpoint.address)?;
    let second = UnixListener::bind(world.path("second.sock"))?;
    let nothing = File::open("/dev/null")?;
    let one = |socket: &dyn std::os::fd::AsFd, name: &str| Handover::new().pass(&socket.as_fd(), name);
    for (handover, count, part) in [
        (one(&datagrams, "app")?, 1, "inherited file descriptor 3 (`app`) is not a TCP socket"),
        (one(&datagrams, "")?, 1, "inherited file descriptor 3 is neither a TCP nor a Unix stream socket"),
        (one(&nothing, "zmesd.socket")?, 1, "is neither a TCP nor a Unix stream socket"),
        (one(&connected, "app")?, 1, "does not listen"),
        (one(&unit.app, "control")?, 1, "is not a Unix stream socket"),
        (one(&unit.control, "app")?, 1, "is not a TCP socket"),
        (one(&unit.app, "http")?, 1, "(`http`) has a name that zmesd does not know"),
        (
            one(&unit.control, "control")?.pass(&second, "control")?,
            2,
            "inherited file descriptor 4 (`control`) is a second control socket",
        ),
        (one(&unit.app, "app")?, 2, "inherited file descriptor 4 is neither"),
        (one(&unit.app, "app")?, 1_000_000_000, "LISTEN_FDS is `1000000000`"),
    ] {
        let output = handover.command_saying(&daemon(&world)?, count).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.code() == Some(78), "{part}: {output:?}");
        ensure!(said.contains(part) && said.contains("FileDescriptorName="), "{part}: {said}");
    }
    Ok(())
}

/// systemd's tool for trying a unit's sockets.
const ACTIVATE: &str = "systemd-socket-activate";

#[tokio::test]
async fn systemd_s_own_tool_starts_it_with_the_first_question() -> Result<()> {
    if !installed(ACTIVATE)? {
        return Ok(());
    }
    let mut world = World::new().monitor(1, "Front").prepare().await?;
    let socket = world.ctl().socket().to_owned();
    fs::create_dir_all(socket.parent().context("no directory")?)?;
    let mut command = Process::command(ACTIVATE);
    command.arg("-l").arg(&socket).arg("--fdname=control").arg(zmesd_binary()?);
    command.arg("--config").arg(world.settings_file());
    world.adopt(command).await?;
    let status = world.status().await?;
    ensure!(status["handed_over"] == json!(["control"]), "{status}");
    ensure!(world.daemon()?.end(Signal::SIGTERM).await?.success());
    ensure!(socket.exists());
    Ok(())
}
