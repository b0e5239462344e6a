//! The control socket: where `zmesctl` asks and the daemon answers, in lines of JSON.
//!
//! This room knows peers, roles, lines and streams; [`Admin`] answers. Nothing that it waits for may wait for it.

mod crowd;
pub(crate) mod fuzzing;
mod listener;
mod peer;
mod places;
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
use crowd::Crowd;
use places::Places;

/// After the stop, how long a peer may take to read its last answer.
const LAST_ANSWER: Duration = Duration::from_secs(1);

/// What every session shares.
#[derive(Debug)]
struct Context {
    admin: Arc<Admin>,
    /// Members of this Unix group are admins.
    admin_group: watch::Receiver<String>,
    places: Places,
}

/// Serves the control socket until `parts.stop`; `admin_group` names the Unix group whose members are admins.
///
/// Owns: the listener, the count of those accepted and the places of those served. Receives: connections. Sends: one
/// session task per connection, and the tasks of [`Admin`]. Ends: on `parts.stop`, after all of them have ended.
pub async fn serve(listener: ControlListener, parts: AdminParts, admin_group: watch::Receiver<String>) {
    let tracker = TaskTracker::new();
    let stop = parts.stop.clone();
    let context =
        Arc::new(Context { admin: Admin::start(parts, &tracker), admin_group, places: Places::new() });
    let crowd = Crowd::new(nix::unistd::Uid::effective().as_raw());
    let mut pause = AcceptPause::new("control socket");
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok(stream) => {
                pause.accepted();
                let visitor = stream.peer_cred().ok().and_then(|peer| crowd.enter(peer.uid()));
                let Some(visitor) = visitor else {
                    // Whoever has too many already is not even told: that would take a task for each.
                    debug!("refused a connection at the control socket: its user has too many");
                    continue;
                };
                let (context, stop) = (Arc::clone(&context), stop.clone());
                tracker.spawn(async move {
                    tokio::select! {
                        () = session::run(&context, stream) => {}
                        () = long_after(&stop) => debug!("a control session was cut off"),
                    }
                    drop(visitor);
                });
            }
            Err(error) => pause.failed(&error).await,
        }
    }
    // The name is free before the last answers are written: a new daemon need not wait for them.
    drop(listener);
    tracker.close();
    tracker.wait().await;
}

/// Returns when sessions have had the time to end by themselves.
async fn long_after(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(LAST_ANSWER).await;
}
