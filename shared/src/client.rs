//! A client of the control socket: connects, sends requests, watches.
//!
//! ```no_run
//! use std::path::Path;
//!
//! use zmes_shared::client::{ClientError, ControlClient};
//! use zmes_shared::control::Request;
//! use zmes_shared::views::Status;
//!
//! # async fn example() -> Result<(), ClientError> {
//! let mut client = ControlClient::connect(Path::new("/run/zmesd/control.sock")).await?;
//! let status: Status = client.request(Request::Status).await?;
//! println!("{} of {} monitors are watched", status.monitors.watched, status.monitors.total);
//! # Ok(())
//! # }
//! ```
//!
//! `cargo run -p zmes-shared --features client --example status` does the same with a running daemon.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use interprocess::local_socket::tokio::{Stream, prelude::*};
use interprocess::local_socket::{GenericFilePath, ToFsName};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::BufReader;
use tokio::time::{Instant, timeout_at};

use crate::control::codec::{CodecError, read_frame, write_frame};
use crate::control::version::Greeting;
use crate::control::{
    ClientFrame, ControlError, Hello, MAX_REPLY, MAX_REQUEST, PROTOCOL, Protocol, Request, ServerBody,
    ServerFrame, WatchEvent, WatchFilter, WatchKind,
};

/// How long a request may take with [`ControlClient::connect`].
pub const TIMEOUT: Duration = Duration::from_secs(5);
/// Pause before the next attempt if the daemon's connection queue is full.
const QUEUE_FULL: Duration = Duration::from_millis(20);

/// Why the daemon did not answer, or refused.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nothing listens on the socket.
    #[error("cannot reach zmesd at {}", socket.display())]
    Unreachable {
        /// The socket.
        socket: PathBuf,
        /// The operating system's message.
        source: io::Error,
    },
    /// The operating system does not let this user open the socket.
    #[error("not permitted to open zmesd's control socket {}", socket.display())]
    Denied {
        /// The socket.
        socket: PathBuf,
        /// The operating system's message.
        source: io::Error,
    },
    /// The connection failed while a line was read or written.
    #[error("the connection to zmesd broke")]
    Broken(#[source] io::Error),
    /// The daemon closed the connection without an answer.
    #[error("zmesd closed the connection before it answered")]
    Closed,
    /// No answer in time.
    #[error("zmesd did not answer within {}", seconds(*limit))]
    Timeout {
        /// The time limit.
        limit: Duration,
    },
    /// The daemon speaks another major version of the control protocol.
    #[error("zmesd and its client speak different versions of the control protocol")]
    Version {
        /// The daemon's own version.
        daemon: String,
        /// The daemon's version of the protocol.
        theirs: Protocol,
    },
    /// The line that arrived is not what `zmesd` would send.
    #[error("the answer is not understood")]
    BadAnswer {
        /// What is wrong with the answer.
        detail: String,
    },
    /// The daemon refused the request.
    #[error("{}", .0.message)]
    Refused(ControlError),
}

/// A connection that has received the daemon's greeting; it carries one request at a time.
#[derive(Debug)]
pub struct ControlClient {
    stream: BufReader<Stream>,
    limit: Duration,
    /// Deadline of the first request, which includes connecting and the greeting.
    first: Option<Instant>,
    last_id: u64,
    greeting: Greeting,
}

/// The stream of [`ControlClient::watch`].
#[derive(Debug)]
pub struct WatchStream {
    stream: BufReader<Stream>,
    id: u64,
}

/// An item of a [`WatchStream`].
#[derive(Debug)]
pub enum WatchItem {
    /// The state at the start, then each change.
    Event(Box<WatchEvent>),
    /// An event of a newer daemon, unchanged.
    Newer(Value),
    /// The daemon ended the stream.
    End {
        /// The daemon's reason, for people.
        reason: String,
    },
}

impl ControlClient {
    /// Connects to the daemon at `socket`. Each request may take [`TIMEOUT`].
    pub async fn connect(socket: &Path) -> Result<Self, ClientError> {
        Self::connect_within(socket, TIMEOUT).await
    }

    /// Connects to the daemon at `socket`. Each request may take `limit`, the first one including the connection.
    pub async fn connect_within(socket: &Path, limit: Duration) -> Result<Self, ClientError> {
        let deadline = Instant::now() + limit;
        let greeted = async {
            let mut stream = BufReader::new(open(socket).await?);
            let line =
                read_frame(&mut stream, MAX_REQUEST).await.map_err(broken)?.ok_or(ClientError::Closed)?;
            Ok((stream, greeting(&line)?))
        };
        let (stream, greeting) =
            timeout_at(deadline, greeted).await.map_err(|_| ClientError::Timeout { limit })??;
        Ok(Self { stream, limit, first: Some(deadline), last_id: 0, greeting })
    }

    /// Returns the daemon's greeting: versions, and what this user may do.
    pub fn greeting(&self) -> &Greeting {
        &self.greeting
    }

    /// Sends a request and returns its answer, one of [`crate::views`]: the documentation of each [`Request`] names it.
    ///
    /// Not cancel-safe: after a dropped call the connection must not be used again.
    pub async fn request<T: DeserializeOwned>(&mut self, request: Request) -> Result<T, ClientError> {
        let deadline = self.first.take().unwrap_or_else(|| Instant::now() + self.limit);
        let answer = timeout_at(deadline, self.exchange(request))
            .await
            .map_err(|_| ClientError::Timeout { limit: self.limit })??;
        serde_json::from_value(answer).map_err(|error| bad_answer(&error))
    }

    /// Requests the stream of events. It has no deadline: hours may pass between two events.
    pub async fn watch(mut self, filter: WatchFilter) -> Result<WatchStream, ClientError> {
        self.send(Request::Watch(filter)).await?;
        Ok(WatchStream { stream: self.stream, id: self.last_id })
    }

    async fn exchange(&mut self, request: Request) -> Result<Value, ClientError> {
        self.send(request).await?;
        match read_answer(&mut self.stream, self.last_id).await? {
            ServerBody::Ok(value) => Ok(value),
            ServerBody::Error(error) => Err(ClientError::Refused(error)),
            ServerBody::Item(_) | ServerBody::End(_) => {
                Err(bad_answer(&"a stream where one answer was expected"))
            }
        }
    }

    async fn send(&mut self, request: Request) -> Result<(), ClientError> {
        self.last_id += 1;
        let frame = ClientFrame { id: self.last_id, request };
        write_frame(self.stream.get_mut(), &frame).await.map_err(broken)
    }
}

impl WatchStream {
    /// Waits for the next item. Not cancel-safe: after a dropped call the stream must not be used again.
    pub async fn next(&mut self) -> Result<WatchItem, ClientError> {
        match read_answer(&mut self.stream, self.id).await? {
            ServerBody::Item(value) => {
                let event = WatchEvent::deserialize(&value).map_err(|error| bad_answer(&error))?;
                let newer = event.kind == WatchKind::Unknown;
                Ok(if newer { WatchItem::Newer(value) } else { WatchItem::Event(Box::new(event)) })
            }
            ServerBody::End(end) => Ok(WatchItem::End { reason: end.reason }),
            ServerBody::Error(error) => Err(ClientError::Refused(error)),
            ServerBody::Ok(_) => Err(bad_answer(&"one answer where a stream was expected")),
        }
    }
}

async fn open(socket: &Path) -> Result<Stream, ClientError> {
    let connected = loop {
        let connected = match socket.to_fs_name::<GenericFilePath>() {
            Ok(name) => Stream::connect(name).await,
            Err(error) => Err(error),
        };
        match connected {
            // The daemon's queue is full. The caller has a deadline.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => tokio::time::sleep(QUEUE_FULL).await,
            connected => break connected,
        }
    };
    connected.map_err(|source| {
        let socket = socket.to_owned();
        if source.kind() == io::ErrorKind::PermissionDenied {
            ClientError::Denied { socket, source }
        } else {
            ClientError::Unreachable { socket, source }
        }
    })
}

/// Parses the daemon's first line. Another major version may greet differently: only what every version has is parsed
/// before the versions are compared.
fn greeting(line: &Value) -> Result<Greeting, ClientError> {
    if let Some(error) = line.get("error") {
        let error = ControlError::deserialize(error).map_err(|error| bad_answer(&error))?;
        return Err(ClientError::Refused(error));
    }
    let not_a_greeting = || bad_answer(&"the first line is not zmesd's greeting");
    let hello = line.get("hello").ok_or_else(not_a_greeting)?;
    let theirs = hello.get("protocol").and_then(|protocol| Protocol::deserialize(protocol).ok());
    let theirs = theirs.ok_or_else(not_a_greeting)?;
    if !PROTOCOL.understands(theirs) {
        let daemon =
            hello.get("daemon").and_then(Value::as_str).unwrap_or("of an unknown version").to_owned();
        return Err(ClientError::Version { daemon, theirs });
    }
    let Hello { hello } = Hello::deserialize(line).map_err(|error| bad_answer(&error))?;
    Ok(hello)
}

/// Reads frames until one answers request `id`. A frame without an id reports a line that the daemon could not parse,
/// which can only be ours.
async fn read_answer(stream: &mut BufReader<Stream>, id: u64) -> Result<ServerBody, ClientError> {
    loop {
        let frame = read_frame::<_, ServerFrame>(stream, MAX_REPLY).await.map_err(broken)?;
        let frame = frame.ok_or(ClientError::Closed)?;
        if frame.id.is_none_or(|answered| answered == id) {
            return Ok(frame.body);
        }
    }
}

fn broken(error: CodecError) -> ClientError {
    match error {
        CodecError::Io(error) => ClientError::Broken(error),
        CodecError::TooLong { .. } | CodecError::Json { .. } => bad_answer(&error),
    }
}

fn bad_answer(detail: &impl ToString) -> ClientError {
    ClientError::BadAnswer { detail: detail.to_string() }
}

fn seconds(limit: Duration) -> String {
    match limit.subsec_millis() {
        0 => format!("{} s", limit.as_secs()),
        _ => format!("{} ms", limit.as_millis()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn another_major_version_is_told_apart_from_nonsense() {
        let line = json!({"hello": {"protocol": {"major": PROTOCOL.major + 1, "minor": 0}, "daemon": "9.0"}});
        assert!(matches!(greeting(&line), Err(ClientError::Version { daemon, .. }) if daemon == "9.0"));
        for nonsense in [json!({}), json!(1), json!({"hello": {}}), json!({"hello": {"protocol": 1}})] {
            assert!(matches!(greeting(&nonsense), Err(ClientError::BadAnswer { .. })), "{nonsense}");
        }
    }

    #[test]
    fn a_refusal_may_stand_in_place_of_the_greeting() {
        let line = json!({"id": null, "error": {"code": "busy", "message": "too many connections"}});
        assert!(
            matches!(greeting(&line), Err(ClientError::Refused(error)) if error.message.contains("many"))
        );
    }

    #[tokio::test]
    async fn without_a_daemon_the_socket_is_named() {
        let error = ControlClient::connect(Path::new("/nowhere/control.sock")).await.unwrap_err();
        assert_eq!(error.to_string(), "cannot reach zmesd at /nowhere/control.sock");
    }
}
