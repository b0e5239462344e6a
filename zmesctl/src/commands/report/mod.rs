//! `zmesctl report`: everything a bug report needs, in one file, with secrets hidden.
//!
//! The daemon's answers contain no secrets; [`hide`] removes anything that looks like one nevertheless. What cannot be
//! found out is listed with the reason: a report is most needed when something does not work.

mod bundle;
mod hide;
mod system;

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use serde_json::Value;
use zmes_shared::client::ControlClient;
use zmes_shared::control::{CheckKind, ClientFilter, EventFilter, Request, TokenFilter};
use zmes_shared::views::ConfigShown;

use self::bundle::{Entry, Place};
use crate::commands::doctor;
use crate::context::{Context, Outcome};
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::{Cell, Column, ColumnOf, Out, Table, Tone, View, clean, json_safe, time};

/// Time limit of requests that involve providers and the database; others have the usual one.
const LONG: Duration = Duration::from_mins(1);
/// Number of alarms in the report.
const EVENTS: u32 = 200;
const INDEX: &str = "README.txt";
const LOG: &str = "journal.txt";

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl report
  sudo zmesctl report --output /tmp/zmesd.tar.gz     with the configuration and the log
  tar -xzf zmesctl-report-*.tar.gz                   to read what is in it

Read it before you send it: it names cameras, users and addresses. Passwords,
keys and push tokens are not in it. Works also while zmesd does not run; what is
missing is named in README.txt of the report, and the exit code is then 7.")]
pub struct ReportArgs {
    /// File to write, or an existing directory for it; no file is overwritten
    /// [default: zmesctl-report-DATE.tar.gz in this directory]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(crate) async fn run(arguments: ReportArgs, context: &mut Context) -> Outcome {
    let now = context.environment.now;
    let stamp = now.to_zoned(context.environment.zone.clone()).strftime("%Y%m%d-%H%M%S");
    let name = format!("zmesctl-report-{stamp}");
    let place = match arguments.output {
        Some(path) if path.is_dir() => Place::In(path),
        Some(path) => Place::File(path),
        None => Place::In(PathBuf::new()),
    };
    // Fails before gathering, which may take a minute.
    let unwritable = |(path, source): (PathBuf, io::Error)| CliError::Unwritable {
        file: path.display().to_string(),
        option: "--output",
        source,
    };
    let (file, path) = place.create(&name).map_err(unwritable)?;
    let mut gathered = Gathered::default();
    gather(context, &mut gathered).await;
    gathered.index(context);
    let bytes = bundle::write(file, &path, &name, &gathered.entries, now)
        .map_err(|error| unwritable((path.clone(), error)))?;
    context.show(&Report {
        file: path.display().to_string(),
        bytes,
        files: gathered.files,
        missing: gathered.missing,
        hidden: gathered.hidden,
    })
}

/// The written report.
#[derive(Debug, Serialize)]
struct Report {
    file: String,
    bytes: u64,
    files: Vec<ReportFile>,
    missing: Vec<MissingPart>,
    /// How many values looked like secrets.
    hidden: usize,
}

#[derive(Debug, Clone, Serialize)]
struct ReportFile {
    name: String,
    about: &'static str,
    bytes: usize,
    hidden: usize,
}

#[derive(Debug, Clone, Serialize)]
struct MissingPart {
    name: String,
    about: &'static str,
    reason: String,
}

impl View for Report {
    fn human(&self, out: &mut Out) -> io::Result<()> {
        let columns: &[ColumnOf<'_, ReportFile>] = &[
            (Column::new("FILE"), &|file| Cell::new(&file.name)),
            (Column::new("SIZE").right(), &|file| Cell::new(&size(file.bytes as u64))),
            (Column::new("CONTENT").wraps(), &|file| Cell::new(file.about)),
        ];
        out.table(&Table::of(&self.files, columns))?;
        for MissingPart { name, reason, .. } in &self.missing {
            let line = out.paint(Tone::Warning, &clean(&format!("missing: {name}: {reason}")));
            out.hanging(&line, 9)?;
        }
        let hidden = match self.hidden {
            0 => String::new(),
            1 => " 1 value that looked like a secret is hidden.".to_owned(),
            many => format!(" {many} values that looked like secrets are hidden."),
        };
        out.line(&format!("Wrote {} ({}).{hidden}", clean(&self.file), size(self.bytes)))?;
        out.line("Read it before you send it: it names cameras, users and addresses.")
    }

    fn names(&self) -> Option<Vec<String>> {
        Some(vec![self.file.clone()])
    }

    fn exit(&self) -> Exit {
        if self.missing.is_empty() { Exit::Done } else { Exit::Partial }
    }
}

fn size(bytes: u64) -> String {
    if bytes < 1024 { format!("{bytes} B") } else { format!("{} KiB", bytes.div_ceil(1024)) }
}

/// The content of the bundle while it is gathered.
#[derive(Debug, Default)]
struct Gathered {
    entries: Vec<Entry>,
    files: Vec<ReportFile>,
    missing: Vec<MissingPart>,
    hidden: usize,
}

impl Gathered {
    fn add(&mut self, name: &str, about: &'static str, text: &str) {
        let (safe, hidden) = hide::hide(text);
        let mut content = safe.into_owned();
        if !content.ends_with('\n') {
            content.push('\n');
        }
        self.hidden += hidden;
        self.files.push(ReportFile { name: name.to_owned(), about, bytes: content.len(), hidden });
        self.entries.push(Entry { name: name.to_owned(), content });
    }

    fn miss(&mut self, name: &str, about: &'static str, reason: &str) {
        let reason = hide::hide(reason).0.into_owned();
        self.missing.push(MissingPart { name: name.to_owned(), about, reason });
    }

    fn add_or_miss(&mut self, name: &str, about: &'static str, answer: Result<String, String>) {
        match answer {
            Ok(text) => self.add(name, about, &text),
            Err(reason) => self.miss(name, about, &reason),
        }
    }

    /// Adds the file that describes the bundle's content; it comes first.
    fn index(&mut self, context: &Context) {
        let mut text = format!(
            "A report about zmesd, made by zmesctl {} at {}.\n\nIt names cameras, users and addresses of clients. Secrets are hidden: push tokens are \
             named by handles,\nthe configuration is shown without passwords and keys, and values that look like secrets are replaced\nby [hidden].\n\nFiles:\n",
            env!("CARGO_PKG_VERSION"),
            time::date(context.environment.now, &context.environment.zone),
        );
        // Writing to a String cannot fail.
        for ReportFile { name, about, hidden, .. } in &self.files {
            let hidden = if *hidden == 0 { String::new() } else { format!(" (hidden values: {hidden})") };
            let _ = writeln!(text, "  {name:16} {about}{hidden}");
        }
        if !self.missing.is_empty() {
            text.push_str("\nMissing:\n");
        }
        for MissingPart { name, about, reason } in &self.missing {
            let _ = writeln!(text, "  {name:16} {about}: {}", clean(reason));
        }
        let file = ReportFile {
            name: INDEX.to_owned(),
            about: "what is in the report",
            bytes: text.len(),
            hidden: 0,
        };
        self.files.insert(0, file);
        self.entries.insert(0, Entry { name: INDEX.to_owned(), content: text });
    }
}

async fn gather(context: &Context, gathered: &mut Gathered) {
    let connected = context.connect().await;
    let daemon = match &connected {
        Ok(client) => {
            let greeting = client.greeting();
            format!("{} (protocol {}.{})", greeting.daemon, greeting.protocol.major, greeting.protocol.minor)
        }
        Err(error) => format!("no answer: {}", told(error)),
    };
    match connected {
        Ok(daemon) => ask_all(daemon, context, gathered).await,
        Err(error) => {
            if let Some(doctor) = doctor::outside(&error, &context.environment).await {
                let about = "what keeps zmesd from answering (doctor, from outside)";
                gathered.add_or_miss("doctor.json", about, json(&doctor));
            }
            for (name, about, ..) in requests() {
                if !gathered.files.iter().any(|file| file.name == name) {
                    gathered.miss(name, about, &told(&error));
                }
            }
            gathered.miss("config.toml", CONFIG, &told(&error));
        }
    }
    let versions = format!(
        "zmesctl {}\nzmesd that runs: {daemon}\nzmesd that is installed: {}\nZoneMinder: see status.json\n\n{}",
        env!("CARGO_PKG_VERSION"),
        system::installed(context).await,
        system::os()
    );
    gathered.add(
        "versions.txt",
        "versions of zmesctl, zmesd and the operating system",
        &clean_lines(&versions),
    );
    // Without the journal the report is still complete: people can attach the log from elsewhere.
    let log = system::log(context).await.unwrap_or_else(|reason| reason);
    gathered.add(LOG, "the last 2000 lines of zmesd in the journal", &log);
}

const CONFIG: &str = "the configuration that zmesd uses, secrets hidden";

/// Returns name, content, request and time limit of each answer in the report.
fn requests() -> [(&'static str, &'static str, Request, Option<Duration>); 14] {
    let events = EventFilter { limit: Some(EVENTS), ..EventFilter::default() };
    let all = Request::Check { check: CheckKind::All, within_ms: None };
    let doctor = Request::Doctor { target: None, monitor: None };
    let level = Request::LogLevel { level: String::new(), for_ms: None };
    [
        ("status.json", "state of the daemon, version of ZoneMinder", Request::Status, None),
        ("doctor.json", "findings of doctor", doctor, Some(LONG)),
        ("checks.json", "results of check all", all, Some(LONG)),
        ("monitors.json", "monitors, as the daemon sees them", Request::MonitorsList, None),
        ("clients.json", "connected apps", Request::ClientsList(ClientFilter::default()), None),
        ("rejected.json", "refused clients", Request::ClientsRejected { since_ms: None }, None),
        (
            "tokens.json",
            "registered phones (the first 5000)",
            Request::TokensList(TokenFilter::default()),
            None,
        ),
        ("push-queue.json", "what waits for the providers, and why", Request::PushQueue, None),
        ("latency.json", "how long each stage of an alarm takes", Request::Latency, None),
        ("events.json", "the last 200 alarms, and how many were told", Request::Events(events), None),
        ("rules.json", "rules, and how often each decided", Request::RulesList, None),
        ("snoozes.json", "snoozes", Request::SnoozeList, None),
        ("troubles.json", "troubles, and those that are over", Request::Troubles { history: true }, None),
        ("log-level.json", "level of the log", level, None),
    ]
}

/// Sends all requests, each on its own connection: one that timed out cannot be used again.
async fn ask_all(daemon: ControlClient, context: &Context, gathered: &mut Gathered) {
    // This connection was needed only for the greeting, and connections are limited.
    drop(daemon);
    for (name, about, request, limit) in requests() {
        let answer: Result<Value, _> = ask(context, request, limit).await;
        let text = answer.map_err(|error| told(&error)).and_then(|value| json(&value));
        gathered.add_or_miss(name, about, text);
    }
    let config: Result<ConfigShown, _> = ask(context, Request::ConfigShow, None).await;
    let text = config.map(|shown| format!("# {}\n{}", clean(&shown.file), clean_lines(&shown.toml)));
    gathered.add_or_miss("config.toml", CONFIG, text.map_err(|error| told(&error)));
}

async fn ask<T: serde::de::DeserializeOwned>(
    context: &Context,
    request: Request,
    limit: Option<Duration>,
) -> Result<T, CliError> {
    let daemon = match limit {
        Some(limit) => context.connect_for(limit).await,
        None => context.connect().await,
    };
    Ok(daemon?.request(request).await?)
}

/// Returns an error as one line, with its hint.
fn told(error: &CliError) -> String {
    let message = error.document().error.message;
    error.hint().map_or_else(|| message.clone(), |hint| format!("{message} ({hint})"))
}

/// Returns JSON without characters that control a terminal.
fn json(value: &impl Serialize) -> Result<String, String> {
    let text = serde_json::to_string_pretty(value).map_err(|error| error.to_string())?;
    Ok(json_safe(&text).into_owned())
}

fn clean_lines(text: &str) -> String {
    text.lines().map(clean).collect::<Vec<_>>().join("\n")
}
