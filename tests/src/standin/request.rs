//! A request, and how it was answered.

use hyper::{HeaderMap, Method, Version};
use serde_json::Value;
use tokio::time::Instant;

use super::script::{Answer, Route};

/// A received request.
#[derive(Debug, Clone)]
pub struct Request {
    /// The connection, counted from 1.
    pub connection: usize,
    /// GET or POST.
    pub method: Method,
    /// Path with its query.
    pub path: String,
    /// Host and port of the request.
    pub host: String,
    /// HTTP version.
    pub version: Version,
    /// All headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
    /// The client's certificate (DER), if it presented one.
    pub certificate: Option<Vec<u8>>,
}

impl Request {
    /// Returns the single value of a header; `None` if it is missing, repeated or not text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.header_values(name).first().copied()
    }

    pub(crate) fn header_values(&self, name: &str) -> Vec<&str> {
        self.headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect()
    }

    /// Returns the body as JSON; null if it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

/// A received request, kept for the test.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// The request.
    pub request: Request,
    /// The provider's path that it used.
    pub route: Route,
    /// The token in the request.
    pub token: Option<String>,
    /// Status of the answer; `None` if not answered.
    pub status: Option<u16>,
    /// When the request was complete.
    pub at: Instant,
}

impl Arrival {
    /// Returns the body as JSON.
    pub fn json(&self) -> Value {
        self.request.json()
    }

    /// Returns the event of an alarm's push to the PushProxy, which is named by its text: `Motion Alarm on Front (100)`.
    pub fn event(&self) -> Option<u64> {
        let body = self.json();
        let (_, number) = body["alert"].as_str()?.rsplit_once('(')?;
        number.split(')').next()?.parse().ok()
    }

    /// Returns whether the provider accepted it.
    pub fn accepted(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }
}

/// The result of checking a request.
#[derive(Debug)]
pub struct Verdict {
    /// The provider's path that it used.
    pub(crate) route: Route,
    /// The token in the request.
    pub(crate) token: Option<String>,
    /// All violations of the contract.
    pub(crate) violations: Vec<String>,
    /// The provider's answer to it.
    pub(crate) answer: Answer,
    /// The answer is a refusal that no script changes.
    pub(crate) refused: bool,
}
