//! How a stand-in answers requests that meet the contract.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde_json::Value;

/// An HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Headers in addition to those that HTTP itself sets.
    pub headers: Vec<(String, String)>,
    /// Body, mostly JSON.
    pub body: String,
}

impl Answer {
    /// An answer without headers.
    pub fn new(status: u16, body: impl Into<String>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    /// An answer in JSON.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::new(status, body.to_string()).header("content-type", "application/json; charset=UTF-8")
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds `Retry-After`.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        self.header("retry-after", &seconds.to_string())
    }
}

/// What happens to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Behaviour {
    /// Answered as by the real provider on success.
    Accept,
    /// Accepted after this time.
    Slow(Duration),
    /// Gets this answer.
    Answer(Answer),
    /// Never answered; other requests are.
    Hang,
    /// The answer breaks off: headers and a piece of the body, then `RST_STREAM` (HTTP/1.1: the connection ends).
    Reset,
    /// The connection announces its end with GOAWAY and refuses the request (HTTP/1.1: closes without an answer).
    GoAway,
    /// The connection is closed without any answer.
    CloseConnection,
    /// The connection stays open, but nothing is ever sent on it again, not even the answer to a ping; new connections
    /// work.
    BlackHole,
}

impl Behaviour {
    /// An answer of any code.
    pub fn status(status: u16, body: impl Into<String>) -> Self {
        Self::Answer(Answer::new(status, body))
    }

    /// 503 with a `Retry-After`.
    pub fn retry_after(seconds: u64) -> Self {
        Self::Answer(Answer::new(503, "").retry_after(seconds))
    }
}

/// One of a provider's paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Route {
    /// Sends a message to a phone.
    Push,
    /// Registers a device.
    Register,
    /// A reachability check.
    Probe,
    /// Exchanges credentials for an access token.
    Login,
}

/// Orders for all requests of a route, or for one token.
#[derive(Debug, Default)]
pub(crate) struct Script {
    rules: BTreeMap<(Route, Option<String>), Rule>,
}

#[derive(Debug, Default)]
struct Rule {
    next: VecDeque<Behaviour>,
    always: Option<Behaviour>,
}

impl Script {
    /// Orders `behaviour` for the next `count` requests, after those that were ordered before.
    pub(crate) fn next(&mut self, route: Route, token: Option<&str>, count: usize, behaviour: &Behaviour) {
        self.rule(route, token).next.extend(std::iter::repeat_n(behaviour, count).cloned());
    }

    /// Orders `behaviour` from now on, and drops the orders for the next requests.
    pub(crate) fn always(&mut self, route: Route, token: Option<&str>, behaviour: Behaviour) {
        *self.rule(route, token) = Rule { next: VecDeque::new(), always: Some(behaviour) };
    }

    fn rule(&mut self, route: Route, token: Option<&str>) -> &mut Rule {
        self.rules.entry((route, token.map(ToOwned::to_owned))).or_default()
    }

    /// Returns what to do; orders for the token override orders for all tokens.
    pub(crate) fn take(&mut self, route: Route, token: Option<&str>) -> Behaviour {
        let own = token.and_then(|token| self.taken(&(route, Some(token.to_owned()))));
        own.or_else(|| self.taken(&(route, None))).unwrap_or(Behaviour::Accept)
    }

    fn taken(&mut self, key: &(Route, Option<String>)) -> Option<Behaviour> {
        let rule = self.rules.get_mut(key)?;
        rule.next.pop_front().or_else(|| rule.always.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_ones_go_before_always_and_a_token_before_all() {
        let mut script = Script::default();
        assert_eq!(script.take(Route::Push, Some("a")), Behaviour::Accept);
        script.always(Route::Push, None, Behaviour::Hang);
        script.next(Route::Push, None, 1, &Behaviour::Reset);
        script.next(Route::Push, Some("a"), 2, &Behaviour::GoAway);
        assert_eq!(script.take(Route::Push, Some("b")), Behaviour::Reset);
        assert_eq!(script.take(Route::Push, Some("a")), Behaviour::GoAway);
        assert_eq!(script.take(Route::Push, Some("a")), Behaviour::GoAway);
        assert_eq!(script.take(Route::Push, Some("a")), Behaviour::Hang);
        assert_eq!(script.take(Route::Probe, None), Behaviour::Accept);
    }
}
