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
use crate::auth::{Login, Verdict};
use crate::domain::{MonitorFilter, User};
use crate::protocol::{
    AuthFrame, Body, Category, FilterFault, FilterStatement, Identity, Incoming, Reply, SinceFault, parse,
};

/// What happens to a session.
#[derive(Debug)]
pub(super) enum Input<'a> {
    /// The app sent a text frame.
    Text(&'a str),
    /// The app sent a binary frame; the protocol has none.
    Binary,
    /// The verdict on the last [`Output::Verify`].
    Verdict(Verdict),
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
    Attach(Box<Admitted>),
    /// Tell the router what is wanted.
    SetFilter(FilterStatement),
    /// Send what was missed.
    Replay(Since),
    /// End the session.
    End(End),
}

/// Somebody who may come in.
#[derive(Debug)]
pub(super) struct Admitted {
    /// As whom.
    pub(super) user: Arc<User>,
    /// The app's version.
    pub(super) app: Option<String>,
    /// The filter that `auth` carried, if it did.
    pub(super) filter: Option<MonitorFilter>,
}

/// The session of one app.
#[derive(Debug)]
pub(super) struct Session {
    address: IpAddr,
    identity: Arc<Identity>,
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
    filter: Result<Option<MonitorFilter>, FilterFault>,
    since: Option<Result<Since, SinceFault>>,
}

impl Session {
    /// Returns the session of an app that has just connected.
    pub(super) fn new(address: IpAddr, identity: Arc<Identity>) -> Self {
        Self { address, identity, state: State::Anonymous }
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
            Input::AuthTimeout if self.awaits_credentials() => self.end(Some(&Reply::NoAuth), End::NoAuth),
            Input::AuthTimeout => Vec::new(),
        }
    }

    fn on_frame(&mut self, frame: Incoming) -> Vec<Output> {
        let Incoming { event, kind, body } = frame;
        let stranger = !self.logged_in();
        match body {
            Body::Auth(auth) => self.on_auth(*auth),
            Body::Version => reply(&Reply::Version(&self.identity)),
            _ if stranger => reply(&Reply::NotAuthorized { event: &event, kind: &kind }),
            Body::Filter(Ok(FilterStatement::Keep)) => Vec::new(),
            Body::Filter(Ok(statement)) => vec![Output::SetFilter(statement)],
            Body::Filter(Err(fault)) => reply(&Reply::FilterFault(fault)),
            Body::Replay(since) => replay(since),
            Body::OtherControl => reply(&Reply::NotSupported { event: &event, kind: &kind }),
            Body::Push => reply(&Reply::PushDisabled),
            Body::Escontrol => reply(&Reply::EscontrolDisabled { event: "escontrol" }),
            Body::Unknown => reply(&Reply::NotSupported { event: &event, kind: "" }),
        }
    }

    fn on_auth(&mut self, auth: AuthFrame) -> Vec<Output> {
        let AuthFrame { category, credentials, app, filter, since } = auth;
        if category == Category::Escontrol {
            return reply(&Reply::EscontrolDisabled { event: "auth" });
        }
        self.state = State::Verifying(Box::new(Pending { app, filter, since }));
        vec![Output::Verify(Box::new(Login { credentials, address: self.address }))]
    }

    fn on_verdict(&mut self, verdict: Verdict) -> Vec<Output> {
        let State::Verifying(pending) = std::mem::replace(&mut self.state, State::Ended) else {
            // Nobody asked: only a defect of the pump could bring us here, and the door stays closed.
            return vec![Output::End(End::LoginUnavailable)];
        };
        match verdict {
            Verdict::Accepted(user) => {
                self.state = State::LoggedIn;
                self.welcome(user, *pending)
            }
            Verdict::Rejected(_) => self.end(Some(&Reply::BadAuth), End::BadAuth),
            // Apps take BADAUTH for final and never come back; a database that is away is not final, nor is what
            // somebody else at the same address or under the same name has done.
            Verdict::Throttled | Verdict::Unavailable(_) => self.end(None, End::LoginUnavailable),
        }
    }

    /// The router hears of the app before the app hears "Success": from then on it misses no alarm.
    fn welcome(&self, user: Arc<User>, pending: Pending) -> Vec<Output> {
        let Pending { app, filter, since } = pending;
        let (filter, fault) = match filter {
            Ok(filter) => (filter, None),
            Err(fault) => (None, Some(fault)),
        };
        let mut outputs = vec![
            Output::Attach(Box::new(Admitted { user, app, filter })),
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

fn replay(since: Result<Since, SinceFault>) -> Vec<Output> {
    match since {
        Ok(since) => vec![Output::Replay(since)],
        Err(fault) => reply(&Reply::SinceFault(fault)),
    }
}

#[cfg(test)]
mod tests;
