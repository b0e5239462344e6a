//! The control socket: requests of `zmesctl` and their answers, as lines of JSON.
//!
//! This room knows peers, roles, lines and streams; [`Admin`] answers.

mod connections;
pub(crate) mod fuzzing;
mod listener;
mod peer;
mod permits;
mod session;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::debug;

pub use listener::ControlListener;

use crate::admin::{Admin, AdminParts};
use crate::sockets::AcceptPause;
use connections::UserConnections;
use permits::ConnectionLimits;

/// After the stop, how long a peer may take to read its last answer.
const LAST_ANSWER: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct ControlContext {
    admin: Arc<Admin>,
    admin_group: watch::Receiver<String>,
    permits: ConnectionLimits,
}

/// Serves the control socket until `parts.stop`; `admin_group` names the Unix group whose members are admins.
///
/// Owns: the listener, the number of connections of each user, and the permits. Receives: connections. Sends: one
/// session task per connection, and the tasks of [`Admin`]. Ends: on `parts.stop`, after all of them have ended.
pub async fn serve(listener: ControlListener, parts: AdminParts, admin_group: watch::Receiver<String>) {
    let tracker = TaskTracker::new();
    let stop = parts.stop.clone();
    let context = Arc::new(ControlContext {
        admin: Admin::start(parts, &tracker),
        admin_group,
        permits: ConnectionLimits::new(),
    });
    let connections = UserConnections::new(nix::unistd::Uid::effective().as_raw());
    let mut pause = AcceptPause::new(&"control socket");
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok(stream) => {
                pause.accepted();
                let connection = stream.peer_cred().ok().and_then(|peer| connections.enter(peer.uid()));
                let Some(connection) = connection else {
                    // Closed without an answer: an answer would take a task for each.
                    debug!("control connection refused: its user has too many");
                    continue;
                };
                let (context, stop) = (Arc::clone(&context), stop.clone());
                tracker.spawn(async move {
                    tokio::select! {
                        () = session::run(&context, stream) => {}
                        () = long_after(&stop) => debug!("control session aborted"),
                    }
                    drop(connection);
                });
            }
            Err(error) => pause.failed(&error).await,
        }
    }
    // The socket is removed before the last answers are written, so a new daemon need not wait for them.
    drop(listener);
    tracker.close();
    tracker.wait().await;
}

async fn long_after(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(LAST_ANSWER).await;
}
