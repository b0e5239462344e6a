//! The conversation with one app, without sockets, clocks or tasks: takes an [`Input`], returns [`Output`]s.
//!
//! Owns the state of the login (anonymous → verifying → logged in). The [`pump`](super::pump) carries out outputs in
//! order and passes in no frame meanwhile: frames are handled in order, and what follows `auth` waits for its verdict.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use zmes_shared::control::Since;

use super::End;
use crate::domain::{Login, LoginVerdict, MonitorFilter, Registration};
use crate::protocol::{
    AppReply, AuthFrame, FilterFault, FilterStatement, FrameBody, IncomingFrame, PushFrame, ServerIdentity,
    SinceFault, SnoozeRefusal, SnoozeStatement, TokenFault, TokenFrame, parse,
};
use crate::route::NewLogin;
use zmes_providers::{App, PushToken};
use zmes_zoneminder::{AccessPass, User};

#[derive(Debug)]
pub(super) enum Input<'a> {
    Text(&'a str),
    /// The app sent a binary frame; the protocol has none.
    Binary,
    Verdict(LoginVerdict),
    NotRegistered(TokenFault),
    /// Until when pushes are withheld, or why nothing was changed.
    Snoozed(Result<Option<Timestamp>, SnoozeRefusal>),
    AuthTimeout,
}

#[derive(Debug)]
pub(super) enum Output {
    Reply(Utf8Bytes),
    /// Check these credentials and pass in the verdict.
    Verify(Box<Login>),
    Attach(Box<NewLogin>),
    SetFilter(FilterStatement, Option<PushToken>),
    Register(Box<Registration>),
    Badge(u32, Option<PushToken>),
    /// Set or end snoozes at the router. Contains the token that the app names.
    Snooze(SnoozeStatement, Option<PushToken>),
    Replay(Since),
    End(End),
}

#[derive(Debug)]
pub(super) struct AppSession {
    address: IpAddr,
    identity: Arc<ServerIdentity>,
    /// Tokens and badges are accepted.
    push: bool,
    state: SessionState,
}

#[derive(Debug)]
enum SessionState {
    Anonymous,
    Verifying(Box<AuthExtras>),
    LoggedIn,
    /// The app was told to close: what it still sends is ignored.
    Ended,
}

/// Data of `auth` other than the credentials, kept until the verdict.
#[derive(Debug)]
struct AuthExtras {
    app: Option<String>,
    kind: App,
    hint: Option<PushToken>,
    filter: Result<Option<MonitorFilter>, FilterFault>,
    since: Option<Result<Since, SinceFault>>,
}

impl AppSession {
    pub(super) fn new(address: IpAddr, identity: Arc<ServerIdentity>, push: bool) -> Self {
        Self { address, identity, push, state: SessionState::Anonymous }
    }

    /// Returns whether the time limit for credentials applies: not while the daemon checks them.
    pub(super) fn awaits_credentials(&self) -> bool {
        matches!(self.state, SessionState::Anonymous)
    }

    pub(super) fn logged_in(&self) -> bool {
        matches!(self.state, SessionState::LoggedIn)
    }

    pub(super) fn step(&mut self, input: Input<'_>) -> Vec<Output> {
        if matches!(self.state, SessionState::Ended) {
            return Vec::new();
        }
        match input {
            Input::Text(text) => match parse(text) {
                Ok(frame) => self.on_frame(frame),
                Err(_) => reply(&AppReply::BadJson),
            },
            Input::Binary => reply(&AppReply::BadJson),
            Input::Verdict(verdict) => self.on_verdict(verdict),
            Input::NotRegistered(fault) => reply(&AppReply::TokenFault(fault)),
            Input::Snoozed(Ok(until)) => reply(&AppReply::Snoozed(until)),
            Input::Snoozed(Err(refusal)) => reply(&AppReply::SnoozeRefused(refusal)),
            Input::AuthTimeout if self.awaits_credentials() => self.end(Some(&AppReply::NoAuth), End::NoAuth),
            Input::AuthTimeout => Vec::new(),
        }
    }

    fn on_frame(&mut self, frame: IncomingFrame) -> Vec<Output> {
        let IncomingFrame { event, kind, app, hint, body } = frame;
        let stranger = !self.logged_in();
        match body {
            FrameBody::Auth(auth) => self.on_auth(*auth, app, hint),
            FrameBody::Version => reply(&AppReply::Version(&self.identity)),
            _ if stranger => reply(&AppReply::NotAuthorized { event: &event, kind: &kind }),
            FrameBody::Filter(Ok(FilterStatement::Keep)) => Vec::new(),
            FrameBody::Filter(Ok(statement)) => vec![Output::SetFilter(statement, hint)],
            FrameBody::Filter(Err(fault)) => reply(&AppReply::FilterFault(fault)),
            FrameBody::Replay(since) => replay(since),
            FrameBody::Snooze(_) if !self.push => {
                reply(&AppReply::SnoozeRefused(SnoozeRefusal::PushDisabled))
            }
            FrameBody::Snooze(Ok(statement)) => vec![Output::Snooze(statement, hint)],
            FrameBody::Snooze(Err(refusal)) => reply(&AppReply::SnoozeRefused(refusal)),
            FrameBody::Push(_) if !self.push => reply(&AppReply::PushDisabled),
            FrameBody::Push(PushFrame::Token(Ok(token))) => token.map_or_else(Vec::new, register),
            FrameBody::Push(PushFrame::Badge(Ok(badge))) => vec![Output::Badge(badge, hint)],
            FrameBody::Push(PushFrame::Token(Err(fault)) | PushFrame::Badge(Err(fault))) => {
                reply(&AppReply::TokenFault(fault))
            }
            FrameBody::OtherControl | FrameBody::Push(PushFrame::Other) => {
                reply(&AppReply::NotSupported { event: &event, kind: &kind })
            }
            FrameBody::Escontrol => reply(&AppReply::EscontrolDisabled { event: "escontrol" }),
            FrameBody::Unknown => reply(&AppReply::NotSupported { event: &event, kind: "" }),
        }
    }

    fn on_auth(&mut self, auth: AuthFrame, kind: App, hint: Option<PushToken>) -> Vec<Output> {
        let AuthFrame { escontrol, credentials, app, filter, since } = auth;
        if escontrol {
            return reply(&AppReply::EscontrolDisabled { event: "auth" });
        }
        self.state = SessionState::Verifying(Box::new(AuthExtras { app, kind, hint, filter, since }));
        vec![Output::Verify(Box::new(Login { credentials, address: self.address }))]
    }

    fn on_verdict(&mut self, verdict: LoginVerdict) -> Vec<Output> {
        let SessionState::Verifying(pending) = std::mem::replace(&mut self.state, SessionState::Ended) else {
            // No check was requested: only a bug in the pump leads here, and the login is refused.
            return vec![Output::End(End::LoginUnavailable)];
        };
        match verdict {
            LoginVerdict::Accepted(user) => self.welcome(user, None, *pending),
            LoginVerdict::AcceptedUntil(user, pass) => self.welcome(user, Some(pass), *pending),
            LoginVerdict::Rejected(_) => self.end(Some(&AppReply::BadAuth), End::BadAuth),
            // Apps treat BADAUTH as final and never reconnect. An unreachable database is not final, nor are failed
            // logins of other clients at the same address or with the same user name.
            LoginVerdict::Throttled | LoginVerdict::Unavailable(_) => self.end(None, End::LoginUnavailable),
        }
    }

    /// The router is informed before the app gets "Success", so that the app misses no alarm after it.
    fn welcome(&mut self, user: Arc<User>, pass: Option<AccessPass>, pending: AuthExtras) -> Vec<Output> {
        self.state = SessionState::LoggedIn;
        let AuthExtras { app, kind, hint, filter, since } = pending;
        let (filter, fault) = match filter {
            Ok(filter) => (filter, None),
            Err(fault) => (None, Some(fault)),
        };
        let mut outputs = vec![
            Output::Attach(Box::new(NewLogin { user, pass, app, filter, kind, hint })),
            Output::Reply(AppReply::AuthSuccess(&self.identity).to_frame()),
        ];
        outputs.extend(fault.map(|fault| Output::Reply(AppReply::FilterFault(fault).to_frame())));
        outputs.extend(since.map(replay).unwrap_or_default());
        outputs
    }

    fn end(&mut self, answer: Option<&AppReply<'_>>, end: End) -> Vec<Output> {
        self.state = SessionState::Ended;
        let mut outputs = answer.map(reply).unwrap_or_default();
        outputs.push(Output::End(end));
        outputs
    }
}

fn reply(reply: &AppReply<'_>) -> Vec<Output> {
    vec![Output::Reply(reply.to_frame())]
}

/// A list that cannot be parsed does not prevent the registration: the app gets an error, and the list is ignored.
fn register(token: TokenFrame) -> Vec<Output> {
    let fault = token.ignored.map(|fault| AppReply::TokenFault(TokenFault::Filter(fault)).to_frame());
    std::iter::once(Output::Register(token.registration)).chain(fault.map(Output::Reply)).collect()
}

fn replay(since: Result<Since, SinceFault>) -> Vec<Output> {
    match since {
        Ok(since) => vec![Output::Replay(since)],
        Err(fault) => reply(&AppReply::SinceFault(fault)),
    }
}

#[cfg(test)]
mod tests;
