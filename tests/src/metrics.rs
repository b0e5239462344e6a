//! The metrics as Prometheus sees them: pages over a port or a Unix socket, byte by byte, and a parser that rejects
//! everything that OpenMetrics 1.0 does not allow.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use crate::wait::{wait_until, within};
use crate::world::World;

/// Where metrics are served.
#[derive(Debug, Clone)]
pub enum MetricsPlace {
    /// A port.
    Port(SocketAddr),
    /// A Unix socket.
    Socket(PathBuf),
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Page {
    /// The status code.
    pub status: u16,
    /// Status line and headers, unchanged.
    pub head: String,
    /// The rest.
    pub body: String,
}

impl MetricsPlace {
    /// Returns the page at `path`.
    pub async fn get(&self, path: &str) -> Result<Page> {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await
    }

    /// Sends a request unchanged and returns everything received until the end.
    pub async fn ask(&self, request: &str) -> Result<Page> {
        let mut stream = self.open().await?;
        within("a request for metrics", stream.write_all(request.as_bytes())).await??;
        let mut answer = Vec::new();
        within("a page of metrics", stream.read_to_end(&mut answer)).await??;
        let answer = String::from_utf8(answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").with_context(|| format!("no head: {answer}"))?;
        let status = head.split(' ').nth(1).with_context(|| format!("no status: {head}"))?.parse()?;
        Ok(Page { status, head: head.to_owned(), body: body.to_owned() })
    }

    /// Opens a connection without sending anything.
    pub async fn open(&self) -> Result<Box<dyn Connection>> {
        Ok(match self {
            Self::Port(address) => Box::new(within("metrics port", TcpStream::connect(address)).await??),
            Self::Socket(path) => Box::new(within("metrics socket", UnixStream::connect(path)).await??),
        })
    }

    /// Returns the metrics.
    pub async fn metrics(&self) -> Result<Metrics> {
        let page = self.get("/metrics").await?;
        ensure!(page.status == 200, "{page:?}");
        Metrics::parse(&page.body)
    }

    /// Waits until a series has this value.
    pub async fn wait(&self, series: &str, value: f64) -> Result<()> {
        wait_until(&format!("{series} is {value}"), async || {
            let found = self.metrics().await?.value(series)?;
            Ok((found.to_bits() == value.to_bits()).then_some(()))
        })
        .await
    }
}

/// A stream of either kind.
pub trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Connection for S {}

impl World {
    /// Makes the next daemon serve metrics on a Unix socket of this world.
    pub fn observe(&mut self) -> Result<MetricsPlace> {
        let path = self.path("metrics.sock");
        self.settings.set_text("metrics", "listen", &format!("unix:{}", path.display()));
        self.write_settings()?;
        Ok(MetricsPlace::Socket(path))
    }
}

/// One scrape.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    /// Every series as written, `name{label="value"}`, with its value.
    pub series: BTreeMap<String, f64>,
    /// The type of each family by name; for a counter, the name without `_total`.
    pub types: BTreeMap<String, String>,
    /// For each sample name its labels, and for each label its values.
    pub labels: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
}

impl Metrics {
    /// Parses the text.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.strip_suffix("# EOF\n").context("no # EOF at the end")?;
        let mut metrics = Self::default();
        let mut family: Option<(String, String)> = None;
        let mut described = String::new();
        for line in text.lines() {
            ensure!(!line.is_empty(), "an empty line");
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').with_context(|| line.to_owned())?;
                ensure!(help.ends_with('.') && !metrics.types.contains_key(name), "{line}");
                name.clone_into(&mut described);
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').with_context(|| line.to_owned())?;
                ensure!(described == name, "TYPE without HELP before it: {line}");
                ensure!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                metrics.types.insert(name.to_owned(), kind.to_owned());
                family = Some((name.to_owned(), kind.to_owned()));
            } else {
                let (family, kind) = family.as_ref().with_context(|| format!("before any family: {line}"))?;
                metrics.sample(line, family, kind).with_context(|| format!("line: {line}"))?;
            }
        }
        Ok(metrics)
    }

    fn sample(&mut self, line: &str, family: &str, kind: &str) -> Result<()> {
        let (series, value) = line.rsplit_once(' ').context("no value")?;
        let value: f64 = value.parse()?;
        let (name, labels) = match series.split_once('{') {
            None => (series, ""),
            Some((name, rest)) => (name, rest.strip_suffix('}').context("no } at the end")?),
        };
        let suffix = name.strip_prefix(family).context("a sample of another family")?;
        let fits = match kind {
            "counter" => suffix == "_total" && value >= 0.0,
            "gauge" => suffix.is_empty(),
            _ => ["_sum", "_count", "_bucket"].contains(&suffix) && value >= 0.0,
        };
        ensure!(fits, "no sample of a {kind}");
        ensure!(self.series.insert(series.to_owned(), value).is_none(), "twice");
        let known = self.labels.entry(name.to_owned()).or_default();
        for (label, value) in pairs(labels)? {
            known.entry(label).or_default().insert(value);
        }
        Ok(())
    }

    /// Returns the value of a series, named as in the text.
    pub fn value(&self, series: &str) -> Result<f64> {
        let close = || {
            let name = series.split('{').next().unwrap_or_default();
            self.series.keys().filter(|known| known.starts_with(name)).cloned().collect::<Vec<_>>()
        };
        self.series.get(series).copied().with_context(|| format!("no {series}, but {:?}", close()))
    }

    /// Fails if a series has a different value.
    pub fn ensure(&self, expected: &[(&str, f64)]) -> Result<()> {
        for (series, value) in expected {
            let found = self.value(series)?;
            ensure!(found.to_bits() == value.to_bits(), "{series} is {found}, not {value}");
        }
        Ok(())
    }
}

/// Parses `a="b",c="d"`; our values need no escapes.
fn pairs(mut text: &str) -> Result<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    while !text.is_empty() {
        let (label, rest) = text.split_once("=\"").context("no label")?;
        ensure!(label.chars().all(|char| char.is_ascii_lowercase() || char == '_'), "label {label}");
        let (value, rest) = rest.split_once('"').context("a value without end")?;
        ensure!(!value.contains('\\'), "an escape in {value}");
        pairs.push((label.to_owned(), value.to_owned()));
        text = match rest.strip_prefix(',') {
            Some(more) if !more.is_empty() => more,
            None if rest.is_empty() => rest,
            Some(_) | None => bail!("after {value}: {rest}"),
        };
    }
    Ok(pairs)
}
