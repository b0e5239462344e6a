//! Conversations, word by word: `→ ` is sent to the daemon, `← ` comes from it, in a new connection for each block.
//!
//! ```` ```text app ```` speaks to the WebSocket (`← close 1008` is the end), ```` ```text control ```` to the control
//! socket, whose greeting may be shown or not. What comes must have every member that the page shows; more is welcome.
//! A line in parentheses tells what happens in between.

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio_tungstenite::tungstenite::Message;
use zmes_tests::{AppClient, Incoming, includes, within};

use crate::console::Edit;
use crate::normal;
use crate::page::{Block, Page};
use crate::stage::Stage;

const SENT: &str = "→ ";
const RECEIVED: &str = "← ";

/// Plays an app's part. Returns what differs from the page, with the edit that would fix it.
pub(crate) async fn app(page: &Page, block: &Block, stage: &Stage) -> Result<Vec<(String, Option<Edit>)>> {
    let mut findings = Vec::new();
    let mut app = stage.world.app().await?;
    if block.words.iter().any(|word| word == "logged-in") {
        app.authenticate("admin", "adminpass").await?;
    }
    for (index, text) in block.lines.iter().enumerate() {
        let line = block.start + index;
        let place = page.place(line);
        if let Some(sent) = text.strip_prefix(SENT) {
            if sent == "close" {
                app.send_message(Message::Close(None)).await?;
            } else {
                app.send_text(sent).await.with_context(|| place.clone())?;
            }
        } else if let Some(wanted) = text.strip_prefix(RECEIVED) {
            let came = match heard(&mut app).await {
                Ok(came) => came,
                Err(error) => {
                    findings.push((format!("{place}: {error:#}"), None));
                    break;
                }
            };
            findings.extend(compare(&place, line, wanted, &came)?);
        } else if let Some(happening) = text.strip_prefix('(') {
            stage.happen(happening.trim_end_matches(')')).await.with_context(|| place.clone())?;
        } else if !text.is_empty() {
            bail!("{place}: neither `{SENT}` nor `{RECEIVED}` nor `(`");
        }
    }
    Ok(findings)
}

/// Returns the next frame as the pages write it.
async fn heard(app: &mut AppClient) -> Result<String> {
    Ok(match app.next().await? {
        Incoming::Json(value) => value.to_string(),
        Incoming::Closed(Some(code)) => format!("close {code}"),
        Incoming::Closed(None) => "close".to_owned(),
    })
}

/// Plays an admin's part on the control socket.
pub(crate) async fn control(
    page: &Page,
    block: &Block,
    stage: &Stage,
) -> Result<Vec<(String, Option<Edit>)>> {
    let mut findings = Vec::new();
    let mut socket = Control::open(&stage.place("run/control.sock")).await?;
    let mut greeting = Some(socket.line().await?);
    for (index, text) in block.lines.iter().enumerate() {
        let line = block.start + index;
        let place = page.place(line);
        if let Some(sent) = text.strip_prefix(SENT) {
            greeting = None;
            socket.send(&stage.here(sent)).await?;
        } else if let Some(wanted) = text.strip_prefix(RECEIVED) {
            // Of a stream only some items are shown.
            let item = wanted.contains("\"item\"");
            let came = loop {
                let came = match greeting.take() {
                    Some(greeting) => greeting,
                    None => socket.line().await.with_context(|| format!("{place}: {wanted}"))?,
                };
                let came = stage.there(&came);
                if !item || !came.contains("\"item\"") || compare(&place, line, wanted, &came)?.is_none() {
                    break came;
                }
            };
            findings.extend(compare(&place, line, wanted, &came)?);
        } else if let Some(happening) = text.strip_prefix('(') {
            stage.happen(happening.trim_end_matches(')')).await.with_context(|| place.clone())?;
        } else if !text.is_empty() {
            bail!("{place}: neither `{SENT}` nor `{RECEIVED}` nor `(`");
        }
    }
    Ok(findings)
}

/// A connection to the control socket.
struct Control {
    stream: BufReader<UnixStream>,
}

impl Control {
    async fn open(path: &Path) -> Result<Self> {
        Ok(Self { stream: BufReader::new(within("the control socket", UnixStream::connect(path)).await??) })
    }

    async fn send(&mut self, line: &str) -> Result<()> {
        Ok(self.stream.write_all(format!("{line}\n").as_bytes()).await?)
    }

    async fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        within("a line", self.stream.read_line(&mut line)).await??;
        Ok(line.trim_end().to_owned())
    }
}

fn compare(place: &str, line: usize, wanted: &str, came: &str) -> Result<Option<(String, Option<Edit>)>> {
    let same = match (serde_json::from_str::<Value>(wanted), serde_json::from_str::<Value>(came)) {
        (Ok(mut wanted), Ok(mut came)) => {
            normal::json(&mut wanted);
            normal::json(&mut came);
            includes(&came, &wanted)
        }
        (Err(error), _) if wanted.starts_with('{') => return Err(error).context(place.to_owned()),
        (Ok(_) | Err(_), _) => wanted == came,
    };
    let edit = (line, 1, vec![format!("{RECEIVED}{came}")]);
    Ok((!same).then(|| (format!("{place}:\n  - {wanted}\n  + {came}"), Some(edit))))
}
