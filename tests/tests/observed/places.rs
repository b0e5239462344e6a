//! Where metrics are served: on this machine alone, never on the port of the apps, and movable while the daemon runs.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;

use anyhow::{Result, ensure};
use tokio::net::TcpListener;
use zmes_tests::{Daemon, MetricsPlace, World, wait_until};

/// Runs `zmesd ARGUMENTS` on the world's configuration to its end: exit code and all it printed.
fn run(world: &World, arguments: &[&str]) -> Result<(Option<i32>, String)> {
    let file = world.settings_file();
    let file = file.to_string_lossy();
    let arguments: Vec<&str> = arguments.iter().copied().chain(["--config", &*file]).collect();
    let output = Daemon::command(world.directory(), &arguments)?.output()?;
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Ok((output.status.code(), text))
}

/// Returns an address that is free now.
async fn free() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0").await?.local_addr()?)
}

#[tokio::test]
async fn only_this_machine_may_be_served() -> Result<()> {
    let mut world = World::new().prepare().await?;
    for (listen, problem, hint) in [
        ("0.0.0.0:9090", "0.0.0.0:9090 can be reached from other machines", "write \"127.0.0.1:9090\""),
        ("[::]:9191", "[::]:9191 can be reached from other machines", "write \"127.0.0.1:9191\""),
        ("192.0.2.7:9090", "192.0.2.7:9090 can be reached from other machines", "write \"127.0.0.1:9090\""),
        (
            "9090",
            "`9090` is not an address with a port",
            "write \"127.0.0.1:9090\", or \"unix:/run/zmesd/metrics.sock\"",
        ),
        (
            "unix:metrics.sock",
            "is not the absolute path of a socket",
            "write \"unix:/run/zmesd/metrics.sock\"",
        ),
    ] {
        world.settings.set_text("metrics", "listen", listen);
        world.write_settings()?;
        let (code, text) = run(&world, &["check-config"])?;
        ensure!(code == Some(78) && text.contains("metrics.listen: "), "{code:?} {text}");
        ensure!(text.contains(problem) && text.contains(hint), "{text}");
    }
    world.settings.set("server", "listen", "[\"[::]:9000\"]");
    world.settings.set_text("metrics", "listen", "127.0.0.1:9000");
    world.write_settings()?;
    let (code, text) = run(&world, &["check-config"])?;
    ensure!(
        code == Some(78) && text.contains("metrics.listen: uses the same port as server.listen"),
        "{text}"
    );
    for good in ["127.0.0.1:9090", "[::1]:9090", "unix:/run/zmesd/metrics.sock", ""] {
        world.settings.set_text("metrics", "listen", good);
        world.write_settings()?;
        let (code, text) = run(&world, &["check-config"])?;
        ensure!(code == Some(0), "{good}: {text}");
    }
    Ok(())
}

#[tokio::test]
async fn apps_find_no_metrics_on_their_port() -> Result<()> {
    let mut world =
        World::new().monitor(1, "Garage").setting("server", "plaintext", "true").prepare().await?;
    world.observe()?;
    world.start_daemon().await?;
    let port = MetricsPlace::Port(world.endpoint().await?.address);
    for path in ["/metrics", "/healthz", "/readyz"] {
        // It may also just hang up.
        if let Ok(page) = port.get(path).await {
            ensure!(page.status >= 400 && !page.body.contains("zmesd_"), "{page:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_port_that_is_taken_ends_the_start_with_a_hint() -> Result<()> {
    let mut world = World::new().prepare().await?;
    let taken = TcpListener::bind("127.0.0.1:0").await?;
    let address = taken.local_addr()?;
    world.settings.set_text("metrics", "listen", &address.to_string());
    world.write_settings()?;
    let (code, text) = run(&world, &["run"])?;
    ensure!(code == Some(69), "{code:?} {text}");
    ensure!(text.contains(&format!("zmesd: cannot bind {address}: ")), "{text}");
    ensure!(text.contains("hint: `ss -ltnp"), "{text}");
    Ok(())
}

#[tokio::test]
async fn a_reload_moves_it_switches_it_off_and_on_and_keeps_it_where_the_new_place_is_taken() -> Result<()> {
    let mut world = World::new().monitor(1, "Garage").prepare().await?;
    world.start_daemon().await?;
    // Off is the default.
    let first = free().await?;
    let reload = async |world: &mut World, listen: &str, code: i32| {
        world.settings.set_text("metrics", "listen", listen);
        world.write_settings()?;
        world.run(&["reload", "--json"]).await?.expect_code(code)?.json()
    };
    let answer = reload(&mut world, &first.to_string(), 0).await?;
    ensure!(answer["applied"] == serde_json::json!(["metrics.listen"]), "{answer}");
    let port = MetricsPlace::Port(first);
    ensure!(port.get("/healthz").await?.status == 200);
    let taken = TcpListener::bind("127.0.0.1:0").await?;
    let refused = reload(&mut world, &taken.local_addr()?.to_string(), 1).await?;
    ensure!(refused["error"]["code"] == "unavailable", "{refused}");
    let message = refused["error"]["message"].as_str().unwrap_or_default();
    ensure!(message.starts_with("cannot bind 127.0.0.1:"), "{refused}");
    port.metrics().await?.ensure(&[("zmesd_config_reloads_total{result=\"refused\"}", 1.0)])?;
    let path = world.path("metrics.sock");
    reload(&mut world, &format!("unix:{}", path.display()), 0).await?;
    let socket = MetricsPlace::Socket(path.clone());
    ensure!(socket.get("/readyz").await?.status == 200);
    ensure!(path.metadata()?.permissions().mode() & 0o777 == 0o660);
    gone(&port).await?;
    let shown = world.run(&["config", "show"]).await?.expect_code(0)?.stdout;
    ensure!(shown.contains(&format!("listen = \"unix:{}\"", path.display())), "{shown}");
    reload(&mut world, "", 0).await?;
    gone(&socket).await?;
    wait_until("the socket's name is gone", async || Ok((!path.exists()).then_some(()))).await
}

async fn gone(place: &MetricsPlace) -> Result<()> {
    wait_until("no metrics are served there", async || Ok(place.open().await.is_err().then_some(()))).await
}

#[tokio::test]
async fn the_socket_of_a_killed_daemon_is_taken_over_and_that_of_a_stopped_one_is_gone() -> Result<()> {
    let mut world = World::new().monitor(1, "Garage").prepare().await?;
    let place = world.observe()?;
    world.start_daemon().await?;
    world.kill_daemon().await?;
    ensure!(world.path("metrics.sock").exists(), "nothing could remove it");
    world.start_daemon().await?;
    ensure!(place.get("/healthz").await?.status == 200);
    world.daemon()?.end(nix::sys::signal::Signal::SIGTERM).await?;
    ensure!(!world.path("metrics.sock").exists());
    Ok(())
}
