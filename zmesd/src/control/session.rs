//! One peer of the control socket: greeting, then requests in order, each answered when it is done.

use std::io;
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

use super::Context;
use super::peer::Peer;
use crate::admin;

/// How long a peer may be silent between requests.
const IDLE: Duration = Duration::from_mins(10);
/// How long a request may take from its first byte to its line feed.
const REQUEST_DEADLINE: Duration = Duration::from_secs(10);
/// How long a peer may take to read an answer.
const WRITE_DEADLINE: Duration = Duration::from_secs(10);
/// How long a watcher may not read at all: somebody has stopped the terminal to look at a line. What it misses
/// meanwhile it is told with `lagged`.
const STREAM_WRITE_DEADLINE: Duration = Duration::from_mins(10);

/// Bytes of lines that are made and written before others have their turn.
const CHUNK: usize = 64 * 1024;

/// Longest text of a request or an error in the log, in characters.
const LOGGED: usize = 300;

/// What came in.
enum Input {
    Line,
    TooLarge,
    Unfinished,
    Ended,
}

/// Says whether the session goes on.
enum After {
    Continue,
    Close,
}

/// What a stream does next.
enum Step {
    Events(Vec<WatchEvent>),
    End(&'static str),
    PeerGone,
}

/// Serves one peer until it leaves, is silent for too long, or the control socket ends. First it needs a place.
///
/// Owns: the stream. Receives: request lines. Sends: answers. Ends: with the stream, or on `stop`.
pub(super) async fn run(context: &Context, stream: UnixStream) {
    let group = context.admin_group.borrow().clone();
    let peer = match Peer::of(&stream, &group).await {
        Ok(peer) => peer,
        Err(error) => {
            debug!(%error, "cannot tell who is at the control socket");
            return;
        }
    };
    debug!(uid = peer.uid, pid = peer.pid, role = ?peer.role, "control session");
    let place = tokio::select! {
        biased;
        () = context.admin.stop().cancelled() => return,
        place = context.places.take(peer.role) => place,
    };
    let (reader, writer) = stream.into_split();
    let mut session =
        Session { context, peer, reader: BufReader::new(reader), writer, line: Vec::new(), refused: false };
    let served = match place {
        Ok(_place) => session.serve().await,
        // In the place of the greeting.
        Err(error) => session.refuse(error).await.map(drop),
    };
    if let Err(error) = served {
        debug!(uid = session.peer.uid, %error, "control session ended");
    }
}

struct Session<'a> {
    context: &'a Context,
    peer: Peer,
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    line: Vec<u8>,
    /// A refusal was logged: one line is enough of a peer that tries and tries.
    refused: bool,
}

impl Session<'_> {
    async fn serve(&mut self) -> Result<(), CodecError> {
        let hello = Hello::new(env!("CARGO_PKG_VERSION").to_owned(), self.peer.role);
        self.write(&hello).await?;
        loop {
            let after = match self.input().await {
                Input::Line => self.on_line().await?,
                Input::TooLarge => {
                    let message = format!("the request is longer than {MAX_REQUEST} bytes");
                    self.refuse(ControlError::new(ErrorCode::TooLarge, message)).await?
                }
                Input::Unfinished => {
                    let seconds = REQUEST_DEADLINE.as_secs();
                    let message = format!("the request was not complete after {seconds} s");
                    self.refuse(ControlError::new(ErrorCode::Timeout, message)).await?
                }
                Input::Ended => After::Close,
            };
            if matches!(after, After::Close) {
                return Ok(());
            }
        }
    }

    async fn input(&mut self) -> Input {
        let stop = self.context.admin.stop().clone();
        tokio::select! {
            biased;
            () = stop.cancelled() => Input::Ended,
            input = self.read() => input,
        }
    }

    async fn read(&mut self) -> Input {
        match timeout(IDLE, self.reader.fill_buf()).await {
            Ok(Ok(begun)) if !begun.is_empty() => {}
            Ok(Ok(_) | Err(_)) | Err(_) => return Input::Ended,
        }
        let line = codec::read_line(&mut self.reader, &mut self.line, MAX_REQUEST);
        match timeout(REQUEST_DEADLINE, line).await {
            Ok(Ok(true)) => Input::Line,
            Ok(Err(CodecError::TooLong { .. })) => Input::TooLarge,
            Ok(Ok(false) | Err(CodecError::Io(_) | CodecError::Json { .. })) => Input::Ended,
            Err(_) => Input::Unfinished,
        }
    }

    async fn on_line(&mut self) -> Result<After, CodecError> {
        let frame: ClientFrame = match serde_json::from_slice(&self.line) {
            Ok(frame) => frame,
            Err(error) => {
                let error = ControlError::new(ErrorCode::BadRequest, format!("not a request: {error}"))
                    .with_hint(r#"{"id":1,"request":{"type":"status"}}"#);
                self.reply(known_id(&self.line), ServerBody::Error(error)).await?;
                return Ok(After::Continue);
            }
        };
        let (id, request) = (frame.id, frame.request);
        if request.access() == Access::Admin && self.peer.role != Role::Admin {
            self.note_refusal(&request);
            self.reply(Some(id), ServerBody::Error(self.peer.forbidden())).await?;
            return Ok(After::Continue);
        }
        if let Request::Watch(filter) = request {
            return self.on_watch(id, filter).await;
        }
        let body = self.answer(request).await.map_or_else(ServerBody::Error, ServerBody::Ok);
        self.reply(Some(id), body).await?;
        Ok(After::Continue)
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
                Ok(_) => info!(uid, pid, request, "done for an admin"),
                Err(error) => {
                    info!(uid, pid, request, error = brief(&error.message), "not done for an admin");
                }
            }
        }
        result
    }

    /// Of observers only a few are worked for at a time: what they ask may be much, and admins must not wait for it.
    async fn in_turn(&self, request: Request) -> Result<Value, ControlError> {
        let _turn = match self.peer.role {
            Role::Admin => None,
            Role::Observer => self.context.places.turn().await,
        };
        self.context.admin.answer(self.peer.role, request).await
    }

    fn note_refusal(&mut self, request: &Request) {
        let (Peer { uid, pid, .. }, request) = (&self.peer, describe(request));
        if std::mem::replace(&mut self.refused, true) {
            debug!(uid, pid, request, "refused: not an admin");
        } else {
            info!(uid, pid, request, "refused: not an admin");
        }
    }

    /// Streams until the peer leaves, asks for something else, or the daemon is about to end.
    async fn on_watch(&mut self, id: u64, filter: WatchFilter) -> Result<After, CodecError> {
        let (mut watcher, present) = match self.context.admin.watch(self.peer.role, filter).await {
            Ok(opened) => opened,
            Err(error) => {
                self.reply(Some(id), ServerBody::Error(error)).await?;
                return Ok(After::Continue);
            }
        };
        self.write_items(id, present).await?;
        let draining = self.context.admin.draining().clone();
        loop {
            let step = tokio::select! {
                biased;
                () = draining.cancelled() => Step::End(admin::STOPPING),
                more = self.reader.fill_buf() => match more {
                    Ok(bytes) if !bytes.is_empty() => Step::End("another request has come"),
                    Ok(_) | Err(_) => Step::PeerGone,
                },
                events = watcher.next() => Step::Events(events),
            };
            match step {
                Step::Events(events) => self.write_items(id, events).await?,
                Step::End(reason) => {
                    let end = StreamEnd { reason: reason.to_owned() };
                    self.reply(Some(id), ServerBody::End(end)).await?;
                    return Ok(After::Continue);
                }
                Step::PeerGone => return Ok(After::Close),
            }
        }
    }

    async fn write_items(&mut self, id: u64, events: Vec<WatchEvent>) -> Result<(), CodecError> {
        let mut lines = Vec::new();
        for event in events {
            let json = |source| CodecError::Json { source, line: Vec::new() };
            let item = serde_json::to_value(&event).map_err(json)?;
            let frame = ServerFrame { id: Some(id), body: ServerBody::Item(item) };
            serde_json::to_writer(&mut lines, &frame).map_err(json)?;
            lines.push(b'\n');
            if lines.len() >= CHUNK {
                self.write_lines(&mut lines).await?;
            }
        }
        self.write_lines(&mut lines).await
    }

    /// Writes what is there, and lets others have their turn: a watcher may begin with very many lines.
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

    /// Answers what could not even be read; what follows on the stream cannot be told apart from it.
    async fn refuse(&mut self, error: ControlError) -> Result<After, CodecError> {
        self.reply(None, ServerBody::Error(error)).await?;
        Ok(After::Close)
    }

    async fn reply(&mut self, id: Option<u64>, body: ServerBody) -> Result<(), CodecError> {
        let frame = ServerFrame { id, body };
        // A long list is megabytes of JSON.
        let line = admin::off_loop(move || {
            let mut line = Vec::new();
            let json = |source| CodecError::Json { source, line: Vec::new() };
            serde_json::to_writer(&mut line, &frame).map_err(json)?;
            line.push(b'\n');
            Ok::<_, CodecError>(line)
        });
        let line = line.await.map_err(|error| io::Error::other(error.message))??;
        Ok(timeout(WRITE_DEADLINE, self.writer.write_all(&line)).await.map_err(|_| too_slow())??)
    }

    async fn write<T: Serialize + Sync>(&mut self, frame: &T) -> Result<(), CodecError> {
        let write = codec::write_frame(&mut self.writer, frame);
        timeout(WRITE_DEADLINE, write).await.map_err(|_| too_slow())?
    }
}

fn too_slow() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the peer does not read")
}

/// The id of a line that is no request, where it has one.
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

/// Leaves of names of tokens what tells them apart, and of tokens themselves their number.
fn hide_tokens(value: &mut Value) {
    match value {
        Value::String(name) => *name = admin::repeated(name),
        Value::Array(names) if names.iter().all(Value::is_string) => names.iter_mut().for_each(hide_tokens),
        Value::Array(tokens) => *value = tokens.len().into(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {}
    }
}

/// What a peer has a say in is logged up to a length alone.
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
