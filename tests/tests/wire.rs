//! The control socket as clients of other versions speak to it: the recorded lines of every version against the daemon of
//! today, byte for byte.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;
use zmes_tests::{World, includes, within};

/// A client of some version.
struct Client {
    lines: Lines<BufReader<OwnedReadHalf>>,
    writer: OwnedWriteHalf,
}

impl Client {
    async fn connect(world: &World) -> Result<Self> {
        let (reader, writer) = UnixStream::connect(world.ctl().socket()).await?.into_split();
        let mut client = Self { lines: BufReader::new(reader).lines(), writer };
        let hello = client.read().await?;
        ensure!(includes(&hello, &json!({"hello": {"protocol": {"major": 1}, "role": "admin"}})), "{hello}");
        Ok(client)
    }

    async fn read(&mut self) -> Result<Value> {
        let line = within("a line of the daemon", self.lines.next_line()).await??;
        let line = line.context("the daemon closed the connection")?;
        serde_json::from_str(&line).with_context(|| line.clone())
    }

    async fn send(&mut self, line: &str) -> Result<()> {
        Ok(self.writer.write_all(format!("{line}\n").as_bytes()).await?)
    }

    /// Sends a line and returns what comes first.
    async fn ask(&mut self, line: &str) -> Result<Value> {
        self.send(line).await?;
        self.read().await
    }

    /// The same; a stream that begins without a line gets alarms to report.
    async fn ask_alarmed(&mut self, world: &World, line: &str) -> Result<Value> {
        self.send(line).await?;
        for _ in 0..20 {
            if let Ok(answer) = timeout(Duration::from_secs(2), self.read()).await {
                return answer;
            }
            world.run(&["alarm", "test", "--monitor", "3"]).await?.expect_code(0)?;
        }
        bail!("no answer, whatever happens")
    }
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/wire")
}

/// Returns the recorded requests as (name, line).
fn requests() -> Result<Vec<(String, String)>> {
    let mut requests = Vec::new();
    for entry in fs::read_dir(directory().join("v1"))? {
        let path = entry?.path();
        let name = path.file_stem().and_then(|name| name.to_str()).context("no name")?.to_owned();
        if name.starts_with("request-") {
            requests.push((name, fs::read_to_string(&path)?.trim_end().to_owned()));
        }
    }
    requests.sort();
    ensure!(requests.len() > 40, "the recorded lines are not where they should be");
    Ok(requests)
}

/// Adds members that no version knows, around the request and in it.
fn newer(line: &str) -> Result<String> {
    let mut frame: Value = serde_json::from_str(line)?;
    frame["deadline_ms"] = json!(5000);
    frame["request"]["of_a_newer_version"] = json!({"any": ["thing"]});
    Ok(frame.to_string())
}

fn understood(answer: &Value, id: &Value) -> bool {
    let misread = ["bad_request", "unsupported", "too_large", "internal", "unknown"];
    let code = answer["error"]["code"].as_str();
    answer["id"] == *id && code.is_none_or(|code| !misread.contains(&code))
}

#[tokio::test]
async fn every_request_that_was_ever_sent_is_understood() -> Result<()> {
    let world = World::new().monitor(1, "Front").monitor(3, "Garage").start().await?;
    for (name, line) in requests()? {
        for line in [line.clone(), newer(&line)?] {
            // A stream ends with its connection.
            let mut client = Client::connect(&world).await?;
            let answer = client.ask_alarmed(&world, &line).await.with_context(|| name.clone())?;
            let id = &serde_json::from_str::<Value>(&line)?["id"];
            ensure!(understood(&answer, id), "{name}: {line}\ngot {answer}");
        }
    }
    world.run(&["alarm", "cancel", "--monitor", "3"]).await?.expect_code(0)?;
    Ok(())
}

#[tokio::test]
async fn what_a_newer_client_asks_is_refused_and_the_next_question_answered() -> Result<()> {
    let world = World::new().monitor(1, "Front").start().await?;
    let mut client = Client::connect(&world).await?;
    let refused = client.ask(r#"{"id":7,"request":{"type":"make_coffee","cups":2}}"#).await?;
    let expected = json!({"id": 7, "error": {"code": "unsupported"}});
    ensure!(includes(&refused, &expected) && refused["error"]["hint"].is_string(), "{refused}");
    // An enumeration's value that is not known is refused by name or ignored, but never ends the connection.
    for line in [
        r#"{"id":8,"request":{"type":"check","check":"weather"}}"#,
        r#"{"id":8,"request":{"type":"push_check","transport":"pigeon"}}"#,
        r#"{"id":8,"request":{"type":"tokens_list","state":"asleep","platform":"toaster"}}"#,
        r#"{"id":8,"request":{"type":"clients_list","state":"dreaming"}}"#,
    ] {
        let answer = client.ask(line).await?;
        ensure!(answer["id"] == 8 && answer["error"]["code"] != "internal", "{line}: {answer}");
    }
    let status = client.ask(r#"{"id":9,"request":{"type":"status"}}"#).await?;
    ensure!(status["ok"]["database"] == "ok", "{status}");
    Ok(())
}

/// Recorded lines are never changed: a client that sends them, or a daemon, is out there.
///
/// A new request, answer or event gets files of its own in `tests/fixtures/wire/v1`, and `UPDATE=1` adds their sums.
#[test]
fn recorded_lines_are_never_changed() -> Result<()> {
    let (directory, sums) = (directory(), "v1.sha256");
    let check = Command::new("sha256sum")
        .args(["--check", "--quiet", "--strict", sums])
        .current_dir(&directory)
        .output()?;
    let said =
        format!("{}{}", String::from_utf8_lossy(&check.stdout), String::from_utf8_lossy(&check.stderr));
    ensure!(check.status.success(), "recorded lines were changed or removed; add new files instead:\n{said}");
    let listed = fs::read_to_string(directory.join(sums))?;
    let listed: BTreeSet<&str> = listed.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    let mut new = Vec::new();
    for entry in fs::read_dir(directory.join("v1"))? {
        let name = format!("v1/{}", entry?.file_name().to_string_lossy());
        if !listed.contains(name.as_str()) {
            new.push(name);
        }
    }
    new.sort();
    if std::env::var_os("UPDATE").is_some() && !new.is_empty() {
        let output = Command::new("sha256sum").args(&new).current_dir(&directory).output()?;
        ensure!(output.status.success(), "{output:?}");
        let mut all: Vec<String> =
            fs::read_to_string(directory.join(sums))?.lines().map(str::to_owned).collect();
        all.extend(String::from_utf8(output.stdout)?.lines().map(str::to_owned));
        all.sort_by(|left, right| left.split_whitespace().nth(1).cmp(&right.split_whitespace().nth(1)));
        fs::write(directory.join(sums), all.join("\n") + "\n")?;
        return Ok(());
    }
    ensure!(
        new.is_empty(),
        "new lines, which `UPDATE=1 cargo nextest run -p zmes-tests --test wire` enters: {new:?}"
    );
    Ok(())
}
