//! The way to the daemon: connect, read the greeting, ask, or follow a stream.
//!
//! Owns the connection and its deadlines. Knows nothing of commands and of how answers look.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use interprocess::local_socket::tokio::{Stream, prelude::*};
use interprocess::local_socket::{GenericFilePath, ToFsName};
use nix::unistd::{Gid, Group};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::BufReader;
use tokio::time::{Instant, timeout_at};
use zmes_shared::control::codec::{CodecError, read_frame, write_frame};
use zmes_shared::control::{
    ClientFrame, ControlError, Hello, MAX_REPLY, MAX_REQUEST, PROTOCOL, Protocol, Request, ServerBody,
    ServerFrame,
};

use crate::error::CliError;

/// Pause before the next try where the daemon's queue of connections is full.
const QUEUE_FULL: Duration = Duration::from_millis(20);

/// A greeted connection. One request at a time.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<Stream>,
    limit: Duration,
    /// Until when the first request must be done: connecting and greeting are part of it.
    first: Option<Instant>,
    last_id: u64,
}

/// What a stream says next.
#[derive(Debug)]
pub enum Next {
    /// One element.
    Item(Value),
    /// It is over.
    End {
        /// The daemon's reason.
        reason: String,
    },
}

/// A stream that the daemon sends until either side ends it.
#[derive(Debug)]
pub struct Items {
    stream: BufReader<Stream>,
    id: u64,
}

impl Client {
    /// Connects to the daemon at `socket`; each request, the first with connecting, may take as long as `limit`.
    pub async fn connect(socket: &Path, limit: Duration) -> Result<Self, CliError> {
        let deadline = Instant::now() + limit;
        let greeted = async {
            let mut stream = BufReader::new(open(socket).await?);
            let hello =
                read_frame(&mut stream, MAX_REQUEST).await.map_err(broken)?.ok_or(CliError::Closed)?;
            check(&hello)?;
            Ok(stream)
        };
        let stream = timeout_at(deadline, greeted).await.map_err(|_| CliError::Timeout { limit })??;
        Ok(Self { stream, limit, first: Some(deadline), last_id: 0 })
    }

    /// Asks, and returns the answer.
    pub async fn request<T: DeserializeOwned>(&mut self, request: Request) -> Result<T, CliError> {
        let deadline = self.first.take().unwrap_or_else(|| Instant::now() + self.limit);
        let answer = timeout_at(deadline, self.exchange(request))
            .await
            .map_err(|_| CliError::Timeout { limit: self.limit })??;
        serde_json::from_value(answer).map_err(|error| CliError::BadAnswer { detail: error.to_string() })
    }

    /// Asks for a stream. What comes has no deadline: nothing may happen for hours.
    pub async fn stream(mut self, request: Request) -> Result<Items, CliError> {
        self.send(request).await?;
        Ok(Items { stream: self.stream, id: self.last_id })
    }

    async fn exchange(&mut self, request: Request) -> Result<Value, CliError> {
        self.send(request).await?;
        match read_answer(&mut self.stream, self.last_id).await? {
            ServerBody::Ok(value) => Ok(value),
            ServerBody::Error(error) => Err(CliError::Daemon(error)),
            ServerBody::Item(_) | ServerBody::End(_) => {
                Err(CliError::BadAnswer { detail: "a stream where one answer was expected".to_owned() })
            }
        }
    }

    async fn send(&mut self, request: Request) -> Result<(), CliError> {
        self.last_id += 1;
        let frame = ClientFrame { id: self.last_id, request };
        write_frame(self.stream.get_mut(), &frame).await.map_err(broken)
    }
}

impl Items {
    /// Waits for what comes next. Not cancel-safe: a dropped call ends the use of the stream.
    pub async fn next(&mut self) -> Result<Next, CliError> {
        match read_answer(&mut self.stream, self.id).await? {
            ServerBody::Item(value) => Ok(Next::Item(value)),
            ServerBody::End(end) => Ok(Next::End { reason: end.reason }),
            ServerBody::Error(error) => Err(CliError::Daemon(error)),
            ServerBody::Ok(_) => {
                Err(CliError::BadAnswer { detail: "one answer where a stream was expected".to_owned() })
            }
        }
    }
}

async fn open(socket: &Path) -> Result<Stream, CliError> {
    let connected = loop {
        let connected = match socket.to_fs_name::<GenericFilePath>() {
            Ok(name) => Stream::connect(name).await,
            Err(error) => Err(error),
        };
        match connected {
            // The daemon's queue is full: somebody connects faster than it accepts. The caller has a deadline.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => tokio::time::sleep(QUEUE_FULL).await,
            connected => break connected,
        }
    };
    connected.map_err(|source| {
        let socket = socket.to_owned();
        if source.kind() == io::ErrorKind::PermissionDenied {
            let group = group_of(&socket);
            CliError::Denied { socket, group, source }
        } else {
            CliError::Unreachable { socket, source }
        }
    })
}

/// Returns the group that may open a socket: its own, or where that cannot be seen that of its directory. Nobody is told
/// to become a member of root's group.
fn group_of(socket: &Path) -> Option<String> {
    let seen = std::fs::metadata(socket).ok();
    let seen = seen.or_else(|| std::fs::metadata(socket.parent()?).ok())?;
    let group = Some(seen.gid()).filter(|&gid| gid != 0)?;
    Group::from_gid(Gid::from_raw(group)).ok().flatten().map(|group| group.name)
}

/// Judges the daemon's first line. Another major version may greet differently: only what every version has is
/// read before the versions are compared.
fn check(line: &Value) -> Result<(), CliError> {
    if let Some(error) = line.get("error") {
        let error = ControlError::deserialize(error)
            .map_err(|error| CliError::BadAnswer { detail: error.to_string() })?;
        return Err(CliError::Daemon(error));
    }
    let not_a_greeting =
        || CliError::BadAnswer { detail: "the first line is not zmesd's greeting".to_owned() };
    let hello = line.get("hello").ok_or_else(not_a_greeting)?;
    let theirs = hello.get("protocol").and_then(|protocol| Protocol::deserialize(protocol).ok());
    let theirs = theirs.ok_or_else(not_a_greeting)?;
    if !PROTOCOL.understands(theirs) {
        let daemon =
            hello.get("daemon").and_then(Value::as_str).unwrap_or("of an unknown version").to_owned();
        return Err(CliError::Version { daemon, theirs });
    }
    Hello::deserialize(line).map_err(|error| CliError::BadAnswer { detail: error.to_string() })?;
    Ok(())
}

/// Reads frames until one answers request `id`. A frame without id is the daemon's word on a line that it could
/// not read, which can only be ours.
async fn read_answer(stream: &mut BufReader<Stream>, id: u64) -> Result<ServerBody, CliError> {
    loop {
        let frame = read_frame::<_, ServerFrame>(stream, MAX_REPLY).await.map_err(broken)?;
        let frame = frame.ok_or(CliError::Closed)?;
        if frame.id.is_none_or(|answered| answered == id) {
            return Ok(frame.body);
        }
    }
}

fn broken(error: CodecError) -> CliError {
    match error {
        CodecError::Io(error) => CliError::Broken(error),
        CodecError::TooLong { .. } => CliError::BadAnswer { detail: error.to_string() },
        CodecError::Json { source, .. } => {
            CliError::BadAnswer { detail: format!("not the expected JSON: {source}") }
        }
    }
}
