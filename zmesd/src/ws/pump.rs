//! Runs one session: the only code that waits for several things at once.
//!
//! Owns the WebSocket, the [`AppSession`], the outbox. Receives: frames of the app, frames of the router, the kick, the
//! stop token, timers, and the outcome of the one task that may be running (login check, a request to the router, a
//! replay). Sends: frames, commands to the router. Ends: when app, router or daemon say so, or when a deadline has
//! passed; it then closes the WebSocket and informs the router.
//!
//! While a task is running or outputs of the session wait, no frame is read: so frames are handled in order, and what
//! an app sends too fast waits in its own socket.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, SinkExt};
use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Bytes, Message, Utf8Bytes};
use tokio_util::sync::CancellationToken;
use zmes_shared::SessionId;
use zmes_shared::text::bounded;
use zmes_zoneminder::User;

use super::End;
use super::connection_limits::{ConnectionSlot, Eviction};
use super::context::WsContext;
use super::keepalive::{Due, Keepalive};
use super::meter::Metered;
use super::outbox::{OUTBOX_BOUND, Outbox, Receipt};
use super::rate::{FRAME_COST, FrameRate, LOGIN_COST};
use super::replay::ReplayPage;
use super::session::{AppSession, Input, Output};
use super::settings::ServerSettings;
use super::socket::{SocketEvent, event};
use super::work::{self, Work, WorkOutcome};
use crate::domain::{LoginVerdict, SHOWN_NAME};
use crate::route::{CloseReason, SessionOpening};
use crate::telemetry::{Frame, Login};

/// Deadline for writing one frame.
const WRITE_DEADLINE: Duration = Duration::from_secs(10);
/// Deadline for closing, and for reading what an app sent before it closed.
pub(super) const CLOSE_DEADLINE: Duration = Duration::from_secs(3);

pub(super) struct Pump<S> {
    pub(super) websocket: WebSocketStream<Metered<S>>,
    pub(super) context: Arc<WsContext>,
    pub(super) id: SessionId,
    pub(super) address: SocketAddr,
    pub(super) user: Option<Arc<User>>,
    pub(super) outbox: Outbox,
    /// The user name of the last login, bounded and cleaned.
    pub(super) tried_user: Option<String>,
    /// Writing has ended; what the app sent before still counts.
    pub(super) write_closed: bool,
    session: AppSession,
    agenda: std::vec::IntoIter<Output>,
    work: Option<Work>,
    replay: ReplayPage,
    writing_since: Option<Instant>,
    receipt: Option<Receipt>,
    credentials_due: Instant,
    asked_at: Instant,
    /// When to stop reading after writing has ended, and with which end.
    closing: Option<(Instant, End)>,
    keepalive: Keepalive,
    rate: FrameRate,
    settings: Arc<ServerSettings>,
    slot: ConnectionSlot,
    eviction: Eviction,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Pump<S> {
    /// Returns the pump, the message that opens its session at the router, and the receiver of its kick.
    pub(super) fn new(
        websocket: WebSocketStream<Metered<S>>,
        address: SocketAddr,
        (slot, eviction): (ConnectionSlot, Eviction),
        context: Arc<WsContext>,
        settings: Arc<ServerSettings>,
    ) -> (Self, SessionOpening, oneshot::Receiver<CloseReason>) {
        let (outbox_tx, outbox_rx) = mpsc::channel(OUTBOX_BOUND);
        let (kick_tx, kick_rx) = oneshot::channel();
        let (id, now) = (context.next_session(), Instant::now());
        let connected_at: Timestamp = context.parts.clock.now();
        let opening = SessionOpening { id, address, connected_at, outbox: outbox_tx, kick: kick_tx };
        let pump = Self {
            websocket,
            context,
            id,
            address,
            user: None,
            outbox: Outbox::new(id, outbox_rx),
            tried_user: None,
            write_closed: false,
            session: AppSession::new(address.ip(), Arc::clone(&settings.identity), settings.push),
            agenda: Vec::new().into_iter(),
            work: None,
            replay: ReplayPage::default(),
            writing_since: None,
            receipt: None,
            credentials_due: now + settings.auth_timeout,
            asked_at: now,
            closing: None,
            keepalive: Keepalive::new(now),
            rate: FrameRate::new(now),
            settings,
            slot,
            eviction,
        };
        (pump, opening, kick_rx)
    }

    pub(super) async fn run(mut self, kick: oneshot::Receiver<CloseReason>, stop: CancellationToken) {
        // The WebSocket still holds a waker of the handshake's task, which keeps that whole task in memory. Flushing
        // replaces the waker, even with nothing to flush: saves 4 KiB per idle session.
        self.websocket.flush().await.ok();
        let end = self.converse(kick, &stop).await;
        // Boxed, so that an idle session is not as big as one that is ending.
        Box::pin(self.leave(end)).await;
    }

    pub(super) async fn refuse(mut self) {
        self.leave(End::Busy).await;
    }

    async fn converse(&mut self, mut kick: oneshot::Receiver<CloseReason>, stop: &CancellationToken) -> End {
        let mut timer = pin!(sleep_until(self.next_deadline()));
        let mut stopped = pin!(stop.cancelled());
        loop {
            if let Some(end) = self.proceed() {
                return end;
            }
            let deadline = self.next_deadline();
            if deadline < timer.deadline() || timer.is_elapsed() {
                timer.as_mut().reset(deadline);
            }
            let (writing, reading) = (self.writing_since.is_some(), self.may_read());
            let replaying = !writing && self.replay.frames.len() > 0;
            let end = tokio::select! {
                biased;
                // A dropped kick means that the router has ended.
                reason = &mut kick => Some(reason.map_or(End::Stopping, End::from)),
                () = self.eviction.told() => Some(End::Evicted),
                event = event(&mut self.websocket, writing, reading) => self.on_socket(event),
                worked = outcome(&mut self.work) => self.on_worked(worked),
                Some((frame, receipt)) = self.outbox.next(), if !writing => self.alarm(frame, receipt),
                () = std::future::ready(()), if replaying => self.replay_next(),
                () = &mut timer => self.on_time(Instant::now()),
                () = &mut stopped => Some(End::Stopping),
            };
            if let Some(end) = end {
                return end;
            }
        }
    }

    /// Carries out outputs of the session until one must be waited for.
    fn proceed(&mut self) -> Option<End> {
        while self.writing_since.is_none() && self.work.is_none() {
            if self.replay.frames.len() == 0
                && let Some(rest) = self.replay.rest.take()
            {
                self.work = Some(work::replay_on(Arc::clone(&self.context), self.id, rest));
                return None;
            }
            let Some(output) = self.agenda.next() else {
                self.agenda = Vec::new().into_iter();
                return None;
            };
            if let Some(end) = self.carry_out(output) {
                return Some(end);
            }
        }
        None
    }

    fn carry_out(&mut self, output: Output) -> Option<End> {
        let (id, context) = (self.id, Arc::clone(&self.context));
        let router = context.parts.router.clone();
        match output {
            Output::Reply(frame) => return self.write(Frame::ReplyOut, Message::Text(frame), None),
            Output::Verify(_) if !self.rate.take(LOGIN_COST, Instant::now()) => return Some(End::Rate),
            Output::Verify(login) => {
                self.asked_at = Instant::now();
                self.tried_user = login.credentials.user().map(|user| bounded(user, SHOWN_NAME));
                self.slot.verifying(true);
                self.work = Some(work::verify(context, id, login));
            }
            Output::Attach(admitted) => {
                if let Err(full) = self.slot.promote(&self.settings) {
                    return Some(End::Full(full));
                }
                self.tried_user = None;
                self.user = Some(Arc::clone(&admitted.user));
                let asked_at = self.asked_at;
                self.work = Some(work::done(async move { router.attach(id, asked_at, *admitted).await }));
            }
            Output::SetFilter(statement, hint) => {
                self.work = Some(work::done(work::change_filter(router, id, statement, hint)));
            }
            Output::Register(token) => self.work = Some(work::register(router, id, token)),
            Output::Badge(badge, hint) => {
                self.work = Some(work::done(async move { router.set_badge(id, badge, hint).await }));
            }
            Output::Snooze(statement, hint) => self.work = Some(work::snooze(router, id, statement, hint)),
            Output::Replay(since) => self.work = Some(work::replay(context, id, since)),
            Output::End(end) => return Some(end),
        }
        None
    }

    /// Returns whether the next frame of the app may be read: only after the last one has been handled.
    fn may_read(&self) -> bool {
        self.work.is_none() && self.agenda.len() == 0 && self.replay.is_done()
    }

    fn on_socket(&mut self, event: SocketEvent) -> Option<End> {
        match event {
            SocketEvent::Flushed(Ok(())) => {
                self.writing_since = None;
                note_written(self.receipt.take());
                None
            }
            SocketEvent::Flushed(Err(_)) => {
                self.stop_writing(End::Lost);
                None
            }
            SocketEvent::Frame(Some(Ok(message))) => self.on_message(message),
            SocketEvent::Frame(Some(Err(error))) => {
                tracing::trace!(session = %self.id, %error, "cannot read");
                if self.websocket.get_ref().spent() {
                    return Some(End::Rate);
                }
                Some(self.closing.map_or_else(|| End::from(&error), |(_, end)| end))
            }
            SocketEvent::Frame(None) => Some(self.closing.map_or(End::Lost, |(_, end)| end)),
        }
    }

    fn on_message(&mut self, message: Message) -> Option<End> {
        let now = Instant::now();
        self.keepalive.heard(now);
        self.websocket.get_mut().renew();
        if !self.rate.take(FRAME_COST, now) {
            return Some(End::Rate);
        }
        let kind = match &message {
            Message::Text(_) | Message::Binary(_) | Message::Frame(_) => Frame::MessageIn,
            Message::Close(_) => Frame::CloseIn,
            Message::Ping(_) => Frame::PingIn,
            Message::Pong(_) => Frame::PongIn,
        };
        self.context.parts.counters.frames.count(kind);
        match message {
            Message::Text(text) => self.put(Input::Text(&text)),
            Message::Binary(_) => self.put(Input::Binary),
            // The WebSocket itself answers at the next read.
            Message::Close(_) => {
                self.stop_writing(End::ByApp);
                // The app may have closed the connection before this was read: its close frame counts, not the failed
                // write.
                self.closing = self.closing.map(|(due, _)| (due, End::ByApp));
            }
            // The WebSocket answers with a pong, subject to the write deadline: otherwise an app that pings and never
            // reads could pile up pongs forever, since each ping is a sign of life.
            Message::Ping(_) => self.flush(None),
            Message::Pong(_) | Message::Frame(_) => {}
        }
        None
    }

    fn on_worked(&mut self, worked: WorkOutcome) -> Option<End> {
        self.work = None;
        match worked {
            WorkOutcome::Verdict(verdict) => {
                // A login that succeeded is no longer evicted: its slot is promoted next.
                if !matches!(verdict, LoginVerdict::Accepted(_) | LoginVerdict::AcceptedUntil(..)) {
                    self.slot.verifying(false);
                }
                self.put(Input::Verdict(verdict));
            }
            WorkOutcome::Done => {}
            WorkOutcome::NotRegistered(fault) => self.put(Input::NotRegistered(fault)),
            WorkOutcome::Snoozed(snoozed) => self.put(Input::Snoozed(snoozed)),
            WorkOutcome::Busy => return Some(End::Busy),
            WorkOutcome::Replay(page) => self.replay = page,
        }
        None
    }

    fn replay_next(&mut self) -> Option<End> {
        let frame = self.replay.frames.next()?;
        // The last frame is the result of the replay.
        let kind = if self.replay.is_done() { Frame::ReplyOut } else { Frame::AlarmOut };
        self.rate.credit();
        self.write(kind, Message::Text(frame), None)
    }

    fn on_time(&mut self, now: Instant) -> Option<End> {
        if self.writing_since.is_some_and(|since| since + WRITE_DEADLINE <= now) {
            return Some(End::Slow);
        }
        if let Some((_, end)) = self.closing.filter(|(due, _)| *due <= now) {
            return Some(end);
        }
        if self.session.awaits_credentials() && self.credentials_due <= now {
            self.context.parts.counters.logins.count(Login::Timeout);
            self.put(Input::AuthTimeout);
        }
        if !self.may_read() || self.writing_since.is_some() {
            // Nothing is read now, or a ping would wait behind a frame with its own deadline: silence means nothing.
            self.keepalive.heard(now);
        }
        match self.keepalive.due(now) {
            Due::Nothing => None,
            Due::Gone => Some(End::NoPong),
            Due::Ping => self.write(Frame::PingOut, Message::Ping(Bytes::new()), None),
        }
    }

    fn next_deadline(&self) -> Instant {
        let credentials = self.session.awaits_credentials().then_some(self.credentials_due);
        let writing = self.writing_since.map(|since| since + WRITE_DEADLINE);
        let closing = self.closing.map(|(due, _)| due);
        [credentials, writing, closing].into_iter().flatten().fold(self.keepalive.deadline(), Instant::min)
    }

    fn put(&mut self, input: Input<'_>) {
        let outputs = self.session.step(input);
        self.agenda = self.agenda.by_ref().chain(outputs).collect::<Vec<_>>().into_iter();
    }

    /// Writes an alarm. An app may answer each alarm with a frame, so the rate limit is credited.
    fn alarm(&mut self, frame: Utf8Bytes, receipt: Option<Receipt>) -> Option<End> {
        self.rate.credit();
        self.write(Frame::AlarmOut, Message::Text(frame), receipt)
    }

    /// Starts writing a frame; usually it is written at once.
    fn write(&mut self, kind: Frame, message: Message, receipt: Option<Receipt>) -> Option<End> {
        if self.write_closed {
            return None;
        }
        self.context.parts.counters.frames.count(kind);
        match self.websocket.start_send_unpin(message) {
            Ok(()) => self.flush(receipt),
            Err(_) => self.stop_writing(End::Lost),
        }
        None
    }

    /// Flushes; from now on, unwritten data has a deadline.
    fn flush(&mut self, receipt: Option<Receipt>) {
        if self.write_closed || self.writing_since.is_some() {
            return;
        }
        match self.websocket.flush().now_or_never() {
            Some(Ok(())) => note_written(receipt),
            None => {
                self.writing_since = Some(Instant::now());
                self.receipt = receipt;
            }
            Some(Err(_)) => self.stop_writing(End::Lost),
        }
    }

    /// Stops writing. What an app sent before it closed the connection is still handled.
    fn stop_writing(&mut self, end: End) {
        self.write_closed = true;
        self.writing_since = None;
        self.receipt = None;
        self.closing.get_or_insert((Instant::now() + CLOSE_DEADLINE, end));
    }
}

fn note_written(receipt: Option<Receipt>) {
    if let Some(receipt) = receipt {
        receipt.written();
    }
}

async fn outcome(work: &mut Option<Work>) -> WorkOutcome {
    match work {
        Some(work) => work.await,
        None => std::future::pending().await,
    }
}
