//! Handles a failed accept: a pause, and one log line for each series of failures.

use std::io;
use std::time::Duration;

use nix::errno::Errno;
use tracing::{debug, error, info};

/// How long to wait before the next accept: without free file descriptors, it would fail again at once.
const PAUSE: Duration = Duration::from_millis(200);

#[derive(Debug)]
pub struct AcceptPause {
    socket: String,
    failing: bool,
}

impl AcceptPause {
    pub fn new(socket: &impl ToString) -> Self {
        Self { socket: socket.to_string(), failing: false }
    }

    pub fn accepted(&mut self) {
        if std::mem::take(&mut self.failing) {
            info!(socket = self.socket, "accepting connections again");
        }
    }

    /// Waits as long as the failure requires. Only the first failure of a series is logged, because every peer that can
    /// connect can cause failures.
    pub async fn failed(&mut self, failure: &io::Error) {
        let fault = accept_fault(failure);
        if fault == AcceptFault::Connection {
            debug!(socket = self.socket, error = %failure, "a connection was gone before it was accepted");
            return;
        }
        if !std::mem::replace(&mut self.failing, true) {
            let hint = (fault == AcceptFault::Room)
                .then_some("raise LimitNOFILE= of the service, or lower server.max-clients");
            let error = failure as &dyn std::error::Error;
            error!(socket = self.socket, error, hint, "cannot accept connections");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AcceptFault {
    /// This connection is lost; the next one may succeed.
    Connection,
    /// The system has no resources for another connection at the moment.
    Room,
    Socket,
}

/// Returns whether the socket itself is broken, so that no later accept can succeed.
pub fn is_broken(failure: &io::Error) -> bool {
    accept_fault(failure) == AcceptFault::Socket
}

/// Classifies the errors of `accept(2)`: Linux also returns errors that the new connection already had.
fn accept_fault(failure: &io::Error) -> AcceptFault {
    let Some(code) = failure.raw_os_error() else { return AcceptFault::Socket };
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "errno has 130 values; what is not named is a broken socket"
    )]
    match Errno::from_raw(code) {
        Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM | Errno::ENOBUFS => AcceptFault::Room,
        Errno::ECONNABORTED
        | Errno::ECONNRESET
        | Errno::EINTR
        | Errno::EAGAIN
        | Errno::EPERM
        | Errno::EPROTO
        | Errno::ETIMEDOUT
        | Errno::ENOPROTOOPT
        | Errno::EOPNOTSUPP
        | Errno::ENETDOWN
        | Errno::ENETUNREACH
        | Errno::EHOSTDOWN
        | Errno::EHOSTUNREACH
        | Errno::ENONET => AcceptFault::Connection,
        _ => AcceptFault::Socket,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_accept_are_told_apart() {
        let fault = |errno: Errno| accept_fault(&io::Error::from_raw_os_error(errno as i32));
        assert_eq!(fault(Errno::EMFILE), AcceptFault::Room);
        assert_eq!(fault(Errno::ECONNABORTED), AcceptFault::Connection);
        assert_eq!(fault(Errno::EHOSTUNREACH), AcceptFault::Connection);
        assert_eq!(fault(Errno::EBADF), AcceptFault::Socket);
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_system_pauses_and_a_lost_connection_does_not() {
        let mut pause = AcceptPause::new(&"here");
        let begun = tokio::time::Instant::now();
        pause.failed(&io::Error::from_raw_os_error(Errno::ECONNABORTED as i32)).await;
        assert_eq!(begun.elapsed(), Duration::ZERO);
        pause.failed(&io::Error::from_raw_os_error(Errno::EMFILE as i32)).await;
        assert_eq!(begun.elapsed(), PAUSE);
        assert!(pause.failing);
        pause.accepted();
        assert!(!pause.failing);
    }
}
