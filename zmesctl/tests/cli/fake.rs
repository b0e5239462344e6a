//! A fake daemon that sends literal lines, and helpers to run `zmesctl` against it.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;
use tempfile::TempDir;

pub(crate) const HELLO: &str =
    r#"{"hello":{"protocol":{"major":1,"minor":7},"daemon":"0.2.0","role":"admin","more":1}}"#;

/// What the fake daemon does with a request.
pub(crate) enum Answer {
    /// Sends lines; their `id` is replaced by that of the request.
    Lines(Vec<String>),
    /// Sends lines, then closes.
    LinesThenClose(Vec<String>),
    /// Never answers.
    Silence,
}

/// A listener on a socket in a directory of its own.
pub(crate) struct FakeDaemon {
    pub(crate) directory: TempDir,
    pub(crate) socket: PathBuf,
    requests: Arc<Mutex<Vec<Value>>>,
}

impl FakeDaemon {
    /// Starts a daemon that greets with `hello` and asks `script` what to do with each request.
    pub(crate) fn start(hello: &str, script: impl Fn(&Value) -> Answer + Send + Sync + 'static) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("control.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (hello, script, seen) = (hello.to_owned(), Arc::new(script), Arc::clone(&requests));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (hello, script, seen) = (hello.clone(), Arc::clone(&script), Arc::clone(&seen));
                thread::spawn(move || serve(&stream.unwrap(), &hello, &*script, &seen));
            }
        });
        Self { directory, socket, requests }
    }

    /// Starts a daemon that answers every request with this fixture.
    pub(crate) fn answering(name: &str) -> Self {
        let line = fixture(name);
        Self::start(HELLO, move |_| Answer::Lines(vec![line.clone()]))
    }

    /// Starts a daemon that answers every request with this line.
    pub(crate) fn saying(line: &str) -> Self {
        let line = line.to_owned();
        Self::start(HELLO, move |_| Answer::Lines(vec![line.clone()]))
    }

    /// Returns the requests so far, without the ids.
    pub(crate) fn requests(&self) -> Vec<Value> {
        self.requests.lock().unwrap().clone()
    }

    /// Returns the command `zmesctl …` for this daemon.
    pub(crate) fn command(&self, arguments: &str) -> Command {
        let mut command = zmesctl(arguments);
        command.env("ZMESCTL_SOCKET", &self.socket);
        command
    }

    /// Runs `zmesctl …` to its end.
    pub(crate) fn run(&self, arguments: &str) -> Run {
        Run::of(&mut self.command(arguments))
    }
}

fn serve(stream: &UnixStream, hello: &str, script: &dyn Fn(&Value) -> Answer, seen: &Mutex<Vec<Value>>) {
    let send = |line: &str| writeln!(&*stream, "{line}").is_ok();
    if hello.is_empty() || !send(hello) {
        // No greeting: the client gets nothing until it disconnects.
        BufReader::new(stream).lines().for_each(drop);
        return;
    }
    for line in BufReader::new(stream).lines() {
        let Ok(line) = line else { return };
        let frame: Value = serde_json::from_str(&line).unwrap();
        let request = frame["request"].clone();
        seen.lock().unwrap().push(request.clone());
        let (lines, close) = match script(&request) {
            Answer::Lines(lines) => (lines, false),
            Answer::LinesThenClose(lines) => (lines, true),
            Answer::Silence => (Vec::new(), false),
        };
        for line in lines {
            if !send(&with_id(&line, &frame["id"])) {
                return;
            }
        }
        if close {
            return;
        }
    }
}

/// Gives an answer the id of its request; a line that is not JSON is sent unchanged.
fn with_id(line: &str, id: &Value) -> String {
    match serde_json::from_str::<Value>(line) {
        Ok(mut value) => {
            value["id"] = id.clone();
            value.to_string()
        }
        Err(_) => line.to_owned(),
    }
}

/// Returns the line of a wire fixture.
pub(crate) fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../tests/fixtures/wire/v1/{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.trim_end().to_owned()
}

/// Returns one member of a wire fixture.
pub(crate) fn member(name: &str, member: &str) -> Value {
    serde_json::from_str::<Value>(&fixture(name)).unwrap()[member].clone()
}

/// Returns the command `zmesctl …` in an environment that is the same on every machine.
pub(crate) fn zmesctl(arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zmesctl"));
    command.args(arguments.split_whitespace()).env("TZ", "UTC");
    for variable in ["ZMESCTL_SOCKET", "NO_COLOR", "XDG_RUNTIME_DIR"] {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null());
    command
}

/// Runs on a terminal, with `typed` as input. Returns `None` if `script` (util-linux) is not installed.
pub(crate) fn on_a_terminal(daemon: &FakeDaemon, arguments: &str, typed: &str) -> Option<Run> {
    let mut command = Command::new("script");
    let line = format!("{} {arguments} --socket {}", env!("CARGO_BIN_EXE_zmesctl"), daemon.socket.display());
    command.args(["-q", "-e", "-c", &line, "/dev/null"]).env("SHELL", "/bin/sh");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
    child.stdin.as_mut().unwrap().write_all(typed.as_bytes()).unwrap();
    Some(child.wait_with_output().unwrap().into())
}

/// The result of a command.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    pub(crate) fn of(command: &mut Command) -> Self {
        command.output().unwrap().into()
    }

    /// Returns the output as one JSON document.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Returns the output as JSON lines.
    pub(crate) fn jsonl(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}
