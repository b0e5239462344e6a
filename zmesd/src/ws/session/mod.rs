//! The conversation with one app, without sockets, clocks or tasks: [`Input`] in, [`Output`]s back.
//!
//! Owns how far the app has come (anonymous → verifying → logged in). The [`pump`](super::pump) carries outputs out
//! in their order and feeds in nothing that the app sent while one of them is under way: so frames are handled in
//! order, and what follows `auth` waits for its verdict.

use std::net::IpAddr;
use std::sync::Arc;

use tokio_tungstenite::tungstenite::Utf8Bytes;
use zmes_shared::control::Since;

use super::End;
use crate::domain::{Login, LoginVerdict, MonitorFilter};
use crate::protocol::{
    AuthFrame, Body, Category, FilterFault, FilterStatement, Identity, Incoming, PushFrame, Reply,
    SinceFault, TokenFault, TokenFrame, parse,
};
use crate::route::{NewLogin, Registration};
use zmes_providers::{App, PushToken};
use zmes_zoneminder::{AccessPass, User};

/// What happens to a session.
#[derive(Debug)]
pub(super) enum Input<'a> {
    /// The app sent a text frame.
    Text(&'a str),
    /// The app sent a binary frame; the protocol has none.
    Binary,
    /// The verdict on the last [`Output::Verify`].
    Verdict(LoginVerdict),
    /// The router has not taken the last [`Output::Register`].
    NotRegistered(TokenFault),
    /// The time for credentials is over.
    AuthTimeout,
}

/// What is to be done, in this order.
#[derive(Debug)]
pub(super) enum Output {
    /// Send this frame.
    Reply(Utf8Bytes),
    /// Have these credentials looked at and feed the verdict in.
    Verify(Box<Login>),
    /// Tell the router who this is.
    Attach(Box<NewLogin>),
    /// Tell the router what is wanted, and which token the app names.
    SetFilter(FilterStatement, Option<PushToken>),
    /// Tell the router the app's push token.
    Register(Box<Registration>),
    /// Tell the router the number on the app's icon, and which token the app names.
    Badge(u32, Option<PushToken>),
    /// Send what was missed.
    Replay(Since),
    /// End the session.
    End(End),
}

/// The session of one app.
#[derive(Debug)]
pub(super) struct Session {
    address: IpAddr,
    identity: Arc<Identity>,
    /// Tokens and badges are taken.
    push: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Has shown no credentials yet.
    Anonymous,
    /// Has shown some, the verdict is pending.
    Verifying(Box<Pending>),
    /// Is in.
    LoggedIn,
    /// Was told to go: what it still sends means nothing.
    Ended,
}

/// What `auth` said beside the credentials, until the verdict is there.
#[derive(Debug)]
struct Pending {
    app: Option<String>,
    kind: App,
    hint: Option<PushToken>,
    filter: Result<Option<MonitorFilter>, FilterFault>,
    since: Option<Result<Since, SinceFault>>,
}

impl Session {
    /// Returns the session of an app that has just connected.
    pub(super) fn new(address: IpAddr, identity: Arc<Identity>, push: bool) -> Self {
        Self { address, identity, push, state: State::Anonymous }
    }

    /// Says whether the time for credentials is running: not while the daemon itself is slow with the verdict.
    pub(super) fn awaits_credentials(&self) -> bool {
        matches!(self.state, State::Anonymous)
    }

    /// Says whether the app is in.
    pub(super) fn logged_in(&self) -> bool {
        matches!(self.state, State::LoggedIn)
    }

    /// Takes an input and returns what is to be done.
    pub(super) fn step(&mut self, input: Input<'_>) -> Vec<Output> {
        if matches!(self.state, State::Ended) {
            return Vec::new();
        }
        match input {
            Input::Text(text) => match parse(text) {
                Ok(frame) => self.on_frame(frame),
                Err(_) => reply(&Reply::BadJson),
            },
            Input::Binary => reply(&Reply::BadJson),
            Input::Verdict(verdict) => self.on_verdict(verdict),
            Input::NotRegistered(fault) => reply(&Reply::TokenFault(fault)),
            Input::AuthTimeout if self.awaits_credentials() => self.end(Some(&Reply::NoAuth), End::NoAuth),
            Input::AuthTimeout => Vec::new(),
        }
    }

    fn on_frame(&mut self, frame: Incoming) -> Vec<Output> {
        let Incoming { event, kind, app, hint, body } = frame;
        let stranger = !self.logged_in();
        match body {
            Body::Auth(auth) => self.on_auth(*auth, app, hint),
            Body::Version => reply(&Reply::Version(&self.identity)),
            _ if stranger => reply(&Reply::NotAuthorized { event: &event, kind: &kind }),
            Body::Filter(Ok(FilterStatement::Keep)) => Vec::new(),
            Body::Filter(Ok(statement)) => vec![Output::SetFilter(statement, hint)],
            Body::Filter(Err(fault)) => reply(&Reply::FilterFault(fault)),
            Body::Replay(since) => replay(since),
            Body::Push(_) if !self.push => reply(&Reply::PushDisabled),
            Body::Push(PushFrame::Token(Ok(token))) => {
                token.map_or_else(Vec::new, |token| register(*token, app))
            }
            Body::Push(PushFrame::Badge(Ok(badge))) => vec![Output::Badge(badge, hint)],
            Body::Push(PushFrame::Token(Err(fault)) | PushFrame::Badge(Err(fault))) => {
                reply(&Reply::TokenFault(fault))
            }
            Body::OtherControl | Body::Push(PushFrame::Other) => {
                reply(&Reply::NotSupported { event: &event, kind: &kind })
            }
            Body::Escontrol => reply(&Reply::EscontrolDisabled { event: "escontrol" }),
            Body::Unknown => reply(&Reply::NotSupported { event: &event, kind: "" }),
        }
    }

    fn on_auth(&mut self, auth: AuthFrame, kind: App, hint: Option<PushToken>) -> Vec<Output> {
        let AuthFrame { category, credentials, app, filter, since } = auth;
        if category == Category::Escontrol {
            return reply(&Reply::EscontrolDisabled { event: "auth" });
        }
        self.state = State::Verifying(Box::new(Pending { app, kind, hint, filter, since }));
        vec![Output::Verify(Box::new(Login { credentials, address: self.address }))]
    }

    fn on_verdict(&mut self, verdict: LoginVerdict) -> Vec<Output> {
        let State::Verifying(pending) = std::mem::replace(&mut self.state, State::Ended) else {
            // Nobody asked: only a defect of the pump could bring us here, and the door stays closed.
            return vec![Output::End(End::LoginUnavailable)];
        };
        match verdict {
            LoginVerdict::Accepted(user) => self.welcome(user, None, *pending),
            LoginVerdict::AcceptedUntil(user, pass) => self.welcome(user, Some(pass), *pending),
            LoginVerdict::Rejected(_) => self.end(Some(&Reply::BadAuth), End::BadAuth),
            // Apps take BADAUTH for final and never come back; a database that is away is not final, nor is what
            // somebody else at the same address or under the same name has done.
            LoginVerdict::Throttled | LoginVerdict::Unavailable(_) => self.end(None, End::LoginUnavailable),
        }
    }

    /// The router hears of the app before the app hears "Success": from then on it misses no alarm.
    fn welcome(&mut self, user: Arc<User>, pass: Option<AccessPass>, pending: Pending) -> Vec<Output> {
        self.state = State::LoggedIn;
        let Pending { app, kind, hint, filter, since } = pending;
        let (filter, fault) = match filter {
            Ok(filter) => (filter, None),
            Err(fault) => (None, Some(fault)),
        };
        let mut outputs = vec![
            Output::Attach(Box::new(NewLogin { user, pass, app, filter, kind, hint })),
            Output::Reply(Reply::AuthSuccess(&self.identity).to_frame()),
        ];
        outputs.extend(fault.map(|fault| Output::Reply(Reply::FilterFault(fault).to_frame())));
        outputs.extend(since.map(replay).unwrap_or_default());
        outputs
    }

    fn end(&mut self, last_words: Option<&Reply<'_>>, end: End) -> Vec<Output> {
        self.state = State::Ended;
        let mut outputs = last_words.map(reply).unwrap_or_default();
        outputs.push(Output::End(end));
        outputs
    }
}

fn reply(reply: &Reply<'_>) -> Vec<Output> {
    vec![Output::Reply(reply.to_frame())]
}

/// A list that cannot be read keeps no phone from being told: it is named, and says nothing.
fn register(token: TokenFrame, kind: App) -> Vec<Output> {
    let TokenFrame { token, platform, state, filter, app_version, profile } = token;
    let (filter, fault) = match filter {
        Ok(filter) => (filter, None),
        Err(fault) => (None, Some(Reply::TokenFault(TokenFault::Filter(fault)).to_frame())),
    };
    let token = Registration { token, platform, state, filter, kind, app_version, profile };
    std::iter::once(Output::Register(Box::new(token))).chain(fault.map(Output::Reply)).collect()
}

fn replay(since: Result<Since, SinceFault>) -> Vec<Output> {
    match since {
        Ok(since) => vec![Output::Replay(since)],
        Err(fault) => reply(&Reply::SinceFault(fault)),
    }
}

#[cfg(test)]
mod tests;
