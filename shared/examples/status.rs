//! Prints what a running `zmesd` reports about itself, as text.
//!
//! `cargo run -p zmes-shared --features client --example status [SOCKET]`

#![expect(clippy::print_stdout, reason = "an example that prints")]

use std::path::PathBuf;

use zmes_shared::client::{ClientError, ControlClient};
use zmes_shared::control::Request;
use zmes_shared::paths::SYSTEM_SOCKET;
use zmes_shared::views::{Monitors, Status};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), ClientError> {
    let socket = std::env::args_os().nth(1).map_or_else(|| SYSTEM_SOCKET.into(), PathBuf::from);
    let mut client = ControlClient::connect(&socket).await?;
    let status: Status = client.request(Request::Status).await?;
    println!("zmesd {}, pid {}, up {} s", status.version, status.pid, status.uptime_ms / 1000);
    println!("monitors: {} of {} watched", status.monitors.watched, status.monitors.total);
    println!("clients:  {} connected", status.clients.total);
    println!("tokens:   {} of {} enabled", status.tokens.enabled, status.tokens.total);
    let Monitors { monitors, elsewhere: _ } = client.request(Request::MonitorsList).await?;
    for monitor in monitors.iter().filter(|monitor| !monitor.healthy) {
        let reason = monitor.reason.as_deref().unwrap_or("no reason is known");
        println!("monitor {} ({}) is not healthy: {reason}", monitor.id, monitor.name);
    }
    Ok(())
}
