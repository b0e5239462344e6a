//! One peer of the control socket: greeting, then requests in order, each answered when it is done.

use std::io;
use std::ops::ControlFlow;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;
use tracing::{debug, info};
use zmes_shared::control::codec::{self, CodecError};
use zmes_shared::control::{
    Access, ClientFrame, ControlError, ErrorCode, Hello, MAX_REQUEST, Request, Role, ServerBody, ServerFrame,
    StreamEnd, WatchEvent, WatchFilter,
};

use super::ControlContext;
use super::peer::Peer;
use crate::admin::{self, Asker};

/// How long a peer may be silent between requests.
const IDLE: Duration = Duration::from_mins(10);
const REQUEST_DEADLINE: Duration = Duration::from_secs(10);
const WRITE_DEADLINE: Duration = Duration::from_secs(10);
/// How long a watcher may read nothing, for example while a terminal is paused. `lagged` then tells it how much it
/// missed.
const STREAM_WRITE_DEADLINE: Duration = Duration::from_mins(10);

/// Bytes of lines that are written before other tasks run.
const CHUNK: usize = 64 * 1024;

/// Longest text of a request or an error in the log, in characters.
const LOGGED: usize = 300;

enum PeerInput {
    Line,
    TooLarge,
    Unfinished,
    Ended,
}

enum StreamStep {
    Events(Vec<WatchEvent>),
    End(&'static str),
    PeerGone,
}

/// Serves one peer until it disconnects, is silent for too long, or the control socket closes. Waits for a permit first.
///
/// Owns: the stream. Receives: request lines. Sends: answers. Ends: with the stream, or on `stop`.
pub(super) async fn run(context: &ControlContext, stream: UnixStream) {
    let group = context.admin_group.borrow().clone();
    let peer = match Peer::of(&stream, &group).await {
        Ok(peer) => peer,
        Err(error) => {
            debug!(%error, "cannot read the credentials of a control connection");
            return;
        }
    };
    debug!(uid = peer.uid, pid = peer.pid, role = ?peer.role, "control session");
    let permit = tokio::select! {
        biased;
        () = context.admin.stop().cancelled() => return,
        permit = context.permits.take(peer.role) => permit,
    };
    let (reader, writer) = stream.into_split();
    let mut session = ControlSession {
        context,
        peer,
        reader: BufReader::new(reader),
        writer,
        line: Vec::new(),
        refused: false,
    };
    let served = match permit {
        Ok(_permit) => session.serve().await,
        // Instead of the greeting.
        Err(error) => session.refuse(error).await.map(drop),
    };
    if let Err(error) = served {
        debug!(uid = session.peer.uid, %error, "control session ended");
    }
}

struct ControlSession<'a> {
    context: &'a ControlContext,
    peer: Peer,
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    line: Vec<u8>,
    /// A refusal was logged: one line per peer is enough.
    refused: bool,
}

impl ControlSession<'_> {
    async fn serve(&mut self) -> Result<(), CodecError> {
        let hello = Hello::new(env!("CARGO_PKG_VERSION").to_owned(), self.peer.role);
        self.write(&hello).await?;
        loop {
            let after = match self.input().await {
                PeerInput::Line => self.on_line().await?,
                PeerInput::TooLarge => {
                    let message = format!("the request is longer than {MAX_REQUEST} bytes");
                    self.refuse(ControlError::new(ErrorCode::TooLarge, message)).await?
                }
                PeerInput::Unfinished => {
                    let seconds = REQUEST_DEADLINE.as_secs();
                    let message = format!("the request was not complete after {seconds} s");
                    self.refuse(ControlError::new(ErrorCode::Timeout, message)).await?
                }
                PeerInput::Ended => ControlFlow::Break(()),
            };
            if after.is_break() {
                return Ok(());
            }
        }
    }

    async fn input(&mut self) -> PeerInput {
        let stop = self.context.admin.stop().clone();
        tokio::select! {
            biased;
            () = stop.cancelled() => PeerInput::Ended,
            input = self.read() => input,
        }
    }

    async fn read(&mut self) -> PeerInput {
        match timeout(IDLE, self.reader.fill_buf()).await {
            Ok(Ok(begun)) if !begun.is_empty() => {}
            Ok(Ok(_) | Err(_)) | Err(_) => return PeerInput::Ended,
        }
        let line = codec::read_line(&mut self.reader, &mut self.line, MAX_REQUEST);
        match timeout(REQUEST_DEADLINE, line).await {
            Ok(Ok(true)) => PeerInput::Line,
            Ok(Err(CodecError::TooLong { .. })) => PeerInput::TooLarge,
            Ok(Ok(false) | Err(CodecError::Io(_) | CodecError::Json { .. })) => PeerInput::Ended,
            Err(_) => PeerInput::Unfinished,
        }
    }

    async fn on_line(&mut self) -> Result<ControlFlow<()>, CodecError> {
        let frame: ClientFrame = match serde_json::from_slice(&self.line) {
            Ok(frame) => frame,
            Err(error) => {
                let error = ControlError::new(ErrorCode::BadRequest, format!("not a request: {error}"))
                    .with_hint(r#"{"id":1,"request":{"type":"status"}}"#);
                self.reply(known_id(&self.line), ServerBody::Error(error)).await?;
                return Ok(ControlFlow::Continue(()));
            }
        };
        let (id, request) = (frame.id, frame.request);
        if request.access() == Access::Admin && self.peer.role != Role::Admin {
            self.note_refusal(&request);
            self.reply(Some(id), ServerBody::Error(self.peer.forbidden())).await?;
            return Ok(ControlFlow::Continue(()));
        }
        if let Request::Watch(filter) = request {
            return self.on_watch(id, filter).await;
        }
        let body = self.answer(request).await.map_or_else(ServerBody::Error, ServerBody::Ok);
        self.reply(Some(id), body).await?;
        Ok(ControlFlow::Continue(()))
    }

    async fn answer(&self, request: Request) -> Result<Value, ControlError> {
        let stop = self.context.admin.stop();
        let audited = (request.access() == Access::Admin).then(|| describe(&request));
        let result = tokio::select! {
            biased;
            result = self.in_turn(request) => result,
            () = stop.cancelled() => Err(ControlError::new(ErrorCode::Unavailable, admin::STOPPING)),
        };
        if let Some(request) = audited {
            let Peer { uid, pid, .. } = self.peer;
            match &result {
                Ok(_) => info!(uid, pid, request, "admin request succeeded"),
                Err(error) => {
                    info!(uid, pid, request, error = brief(&error.message), "admin request failed");
                }
            }
        }
        result
    }

    /// Only a few requests of observers run at a time: they may be expensive, and admins must not wait for them.
    async fn in_turn(&self, request: Request) -> Result<Value, ControlError> {
        let _turn = match self.peer.role {
            Role::Admin => None,
            Role::Observer => self.context.permits.turn().await,
        };
        let signed = matches!(request, Request::SnoozeSet(_) | Request::SnoozeEnd(_));
        let user = if signed { self.peer.user().await } else { String::new() };
        let asker = Asker { role: self.peer.role, user };
        self.context.admin.answer(&asker, request).await
    }

    fn note_refusal(&mut self, request: &Request) {
        let (Peer { uid, pid, .. }, request) = (&self.peer, describe(request));
        if std::mem::replace(&mut self.refused, true) {
            debug!(uid, pid, request, "request refused: not an admin");
        } else {
            info!(uid, pid, request, "request refused: not an admin");
        }
    }

    /// Streams until the peer disconnects, sends another request, or the daemon drains.
    async fn on_watch(&mut self, id: u64, filter: WatchFilter) -> Result<ControlFlow<()>, CodecError> {
        let (mut watcher, present) = match self.context.admin.watch(self.peer.role, filter).await {
            Ok(opened) => opened,
            Err(error) => {
                self.reply(Some(id), ServerBody::Error(error)).await?;
                return Ok(ControlFlow::Continue(()));
            }
        };
        self.write_items(id, present).await?;
        let draining = self.context.admin.draining().clone();
        loop {
            let step = tokio::select! {
                biased;
                () = draining.cancelled() => StreamStep::End(admin::STOPPING),
                more = self.reader.fill_buf() => match more {
                    Ok(bytes) if !bytes.is_empty() => StreamStep::End("another request was sent"),
                    Ok(_) | Err(_) => StreamStep::PeerGone,
                },
                events = watcher.next() => StreamStep::Events(events),
            };
            match step {
                StreamStep::Events(events) => self.write_items(id, events).await?,
                StreamStep::End(reason) => {
                    let end = StreamEnd { reason: reason.to_owned() };
                    self.reply(Some(id), ServerBody::End(end)).await?;
                    return Ok(ControlFlow::Continue(()));
                }
                StreamStep::PeerGone => return Ok(ControlFlow::Break(())),
            }
        }
    }

    async fn write_items(&mut self, id: u64, events: Vec<WatchEvent>) -> Result<(), CodecError> {
        let mut lines = Vec::new();
        for event in events {
            let item = serde_json::to_value(&event).map_err(unwritable)?;
            write_line(&mut lines, &ServerFrame { id: Some(id), body: ServerBody::Item(item) })?;
            if lines.len() >= CHUNK {
                self.write_lines(&mut lines).await?;
            }
        }
        self.write_lines(&mut lines).await
    }

    /// Writes the lines, and lets other tasks run: a stream may begin with very many lines.
    async fn write_lines(&mut self, lines: &mut Vec<u8>) -> Result<(), CodecError> {
        tokio::task::yield_now().await;
        let draining = self.context.admin.draining();
        let write = async {
            let written = timeout(STREAM_WRITE_DEADLINE, self.writer.write_all(lines)).await;
            written.map_err(|_| too_slow())?
        };
        tokio::select! {
            biased;
            written = write => {
                written?;
                lines.clear();
                Ok(())
            }
            () = draining.cancelled() => Err(too_slow().into()),
        }
    }

    /// Answers a line that could not be read, and closes: where the next line begins is not known.
    async fn refuse(&mut self, error: ControlError) -> Result<ControlFlow<()>, CodecError> {
        self.reply(None, ServerBody::Error(error)).await?;
        Ok(ControlFlow::Break(()))
    }

    async fn reply(&mut self, id: Option<u64>, body: ServerBody) -> Result<(), CodecError> {
        let frame = ServerFrame { id, body };
        // A long list is megabytes of JSON.
        let line = admin::off_loop(move || {
            let mut line = Vec::new();
            write_line(&mut line, &frame).map(|()| line)
        });
        let line = line.await.map_err(|error| io::Error::other(error.message))??;
        Ok(timeout(WRITE_DEADLINE, self.writer.write_all(&line)).await.map_err(|_| too_slow())??)
    }

    async fn write<T: Serialize + Sync>(&mut self, frame: &T) -> Result<(), CodecError> {
        let write = codec::write_frame(&mut self.writer, frame);
        timeout(WRITE_DEADLINE, write).await.map_err(|_| too_slow())?
    }
}

fn write_line(lines: &mut Vec<u8>, frame: &ServerFrame) -> Result<(), CodecError> {
    serde_json::to_writer(&mut *lines, frame).map_err(unwritable)?;
    lines.push(b'\n');
    Ok(())
}

fn unwritable(source: serde_json::Error) -> CodecError {
    CodecError::Json { source, line: Vec::new() }
}

fn too_slow() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the peer does not read")
}

/// Returns the id of a line that is not a valid request, if it has one.
fn known_id(line: &[u8]) -> Option<u64> {
    serde_json::from_slice::<Value>(line).ok()?.get("id")?.as_u64()
}

/// The request as the log shows it: without tokens.
fn describe(request: &Request) -> String {
    let mut value = serde_json::to_value(request).unwrap_or_default();
    if let Value::Object(members) = &mut value {
        for name in ["token", "tokens", "target"] {
            members.entry(name).and_modify(hide_tokens);
        }
    }
    brief(&value.to_string())
}

/// Shortens names of tokens to what lists show, and replaces tokens by their number.
fn hide_tokens(value: &mut Value) {
    match value {
        Value::String(name) => *name = admin::repeated(name),
        Value::Array(names) if names.iter().all(Value::is_string) => names.iter_mut().for_each(hide_tokens),
        Value::Array(tokens) => *value = tokens.len().into(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {}
    }
}

/// Cuts text that a peer influences, for the log.
fn brief(text: &str) -> String {
    text.chars().take(LOGGED).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_token_is_logged_with_a_request() {
        let secret = "RgkFLJu6sg";
        for (request, logged) in [
            (r#"{"type":"tokens_log","token":"cXyz:APA91bHPRgkFLJu6sg"}"#, r#""token":"… (23 characters)""#),
            (
                r#"{"type":"tokens_revoke","tokens":["1a2b3c4d","RgkFLJu6sg"]}"#,
                r#""tokens":["1a2b3c4d","… (10 characters)"]"#,
            ),
            (
                r#"{"type":"tokens_import","tokens":[{"token":"cXyz:APA91bHPRgkFLJu6sg","platform":"ios"}]}"#,
                r#""tokens":1"#,
            ),
            (r#"{"type":"watch","token":"cXyz:APA91bHPRgkFLJu6sg"}"#, "… (23 characters)"),
            (r#"{"type":"doctor","target":"RgkFLJu6sg"}"#, "… (10 characters)"),
        ] {
            let text = describe(&serde_json::from_str(request).unwrap());
            assert!(text.contains(logged) && !text.contains(secret), "{text}");
        }
    }
}
