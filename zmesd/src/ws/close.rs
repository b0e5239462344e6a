//! Closes a session: sends the close frame, informs the router, writes the log.

use futures_util::StreamExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tracing::{debug, info, warn};
use zmes_shared::views::RefusalReason;

use super::End;
use super::pump::{CLOSE_DEADLINE, Pump};
use crate::route::FailedLogin;
use crate::telemetry::Refusal;

/// Number of attempts to inform the router; each waits up to 2 s.
const TRIES: usize = 5;

impl<S: AsyncRead + AsyncWrite + Unpin> Pump<S> {
    pub(super) async fn leave(&mut self, end: End) {
        if end == End::Slow {
            self.context.parts.counters.slow_sessions.increment();
        }
        self.outbox.close();
        self.log(end);
        self.note_refusal(end);
        let (router, id) = (self.context.parts.router.clone(), self.id);
        let tried = (end == End::BadAuth).then(|| self.tried()).flatten();
        let tell_router = async {
            for _ in 0..TRIES {
                let told = router.close(id, end.as_str(), end.left(), tried.clone());
                if told.await.is_ok() {
                    return;
                }
            }
            debug!(session = %id, "router busy: it was not told that a session ended");
        };
        let closed = async { timeout(CLOSE_DEADLINE, self.close_socket(end)).await.ok() };
        tokio::join!(tell_router, closed);
    }

    /// Sends the close frame and waits until the app closes the connection. Closing a socket with unread data resets
    /// the connection, and the app would never see the frame.
    async fn close_socket(&mut self, end: End) {
        self.websocket.get_mut().lift();
        if let Some(code) = end.close_code().filter(|_| !self.write_closed) {
            let frame = CloseFrame { code, reason: end.as_str().into() };
            if self.websocket.close(Some(frame)).await.is_ok() {
                while let Some(Ok(_)) = self.websocket.next().await {}
            }
        }
        let stream = self.websocket.get_mut();
        stream.shutdown().await.ok();
        let mut scrap = vec![0; 1024];
        while matches!(stream.read(&mut scrap).await, Ok(1..)) {}
    }

    fn note_refusal(&self, end: End) {
        if self.user.is_none()
            && let Some(reason) = end.refusal()
        {
            let refusal = Refusal::new(self.address.ip(), reason);
            let refusal =
                refusal.detail((reason == RefusalReason::Protocol).then(|| end.as_str().to_owned()));
            self.context.parts.counters.refuse(refusal, self.context.parts.clock.now());
        }
    }

    fn tried(&self) -> Option<FailedLogin> {
        let user = self.tried_user.clone()?;
        let refusals = &self.context.parts.counters.refusals;
        let count = refusals.count(self.address.ip(), RefusalReason::BadCredentials, Some(&user));
        Some(FailedLogin { user, count })
    }

    fn log(&self, end: End) {
        let (session, reason, address) = (self.id, end.as_str(), self.address.ip());
        let Some(user) = &self.user else {
            if end == End::NoAuth {
                // Each of these lines costs the peer a connection for the whole timeout, which limits their number.
                info!(%session, %address, "Rejecting {address} - authentication timeout");
            } else {
                debug!(%session, %address, reason, "session ended before authentication");
            }
            return;
        };
        let user = &user.name;
        if matches!(end, End::ByApp | End::Lost) {
            info!(%session, %address, ?user, reason, "Websocket remotely disconnected from {address}");
        } else if end == End::Slow {
            warn!(%session, %address, ?user, "session ended: the app does not read");
        } else {
            info!(%session, %address, ?user, reason, "session ended");
        }
    }
}
