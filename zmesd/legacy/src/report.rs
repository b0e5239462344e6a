//! What became of every line of the old configuration, for people and for scripts. It never contains a secret: values
//! are shown only if they were taken over and are not secret.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Value, json};

use super::entry::FileLine;

/// Most lines that are listed for one reason.
const PLACES_MAX: usize = 40;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// `value`: `None` where it may be a secret.
    Taken {
        key: String,
        value: Option<String>,
    },
    Needless(String),
    Idle(String),
    /// There is no counterpart, and something is lost. What to do `instead` may be empty.
    Missing {
        why: String,
        instead: String,
    },
    /// There is no counterpart, but only the look of a push changes.
    Trifle(String),
    /// A person has to decide.
    Open {
        why: String,
        hint: String,
    },
    Unread(String),
}

impl Fate {
    /// Returns its index in [`CHAPTERS`].
    fn chapter(&self) -> usize {
        match self {
            Self::Open { .. } => 0,
            Self::Unread(_) => 1,
            Self::Missing { .. } => 2,
            Self::Taken { .. } => 3,
            Self::Trifle(_) => 4,
            Self::Needless(_) => 5,
            Self::Idle(_) => 6,
        }
    }
}

/// The chapters of the report in order: heading, name in JSON.
const CHAPTERS: [(&str, &str); 7] = [
    ("For you to decide", "decide"),
    ("Not understood, and left out", "unread"),
    ("You lose", "no_counterpart"),
    ("Taken over", "taken"),
    ("Harmless: a push looks different", "looks"),
    ("Harmless: not needed", "not_needed"),
    ("Harmless: had no effect before", "no_effect"),
];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    /// `None`: the old file does not set it; the old server used its default.
    pub(super) place: Option<FileLine>,
    pub(super) old: String,
    pub(super) fate: Fate,
}

/// The report of an import.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportReport {
    pub(super) files: Vec<(PathBuf, String)>,
    pub(super) findings: Vec<Finding>,
    /// Differences that do not depend on the old file.
    pub(super) notes: Vec<String>,
    pub(super) next: Vec<String>,
}

/// Where the result was written, for the report.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ReportView {
    /// The `zmesd.toml`; `None`: nothing was written.
    pub output: Option<PathBuf>,
    /// The files of secrets that were written, or would be.
    pub secrets: Vec<PathBuf>,
}

impl ImportReport {
    /// Returns it for people.
    pub fn human(&self, view: &ReportView) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail, here and below.
        for (path, what) in &self.files {
            let _ = writeln!(text, "read: {} ({what})", path.display());
        }
        let told = if view.output.is_some() { "written" } else { "would be written" };
        if let Some(output) = &view.output {
            let _ = writeln!(text, "written: {}", output.display());
        }
        for secret in &view.secrets {
            let _ = writeln!(text, "{told}: {} (a secret)", secret.display());
        }
        for (number, (heading, _)) in CHAPTERS.iter().enumerate() {
            let lines = self.chapter(number);
            if !lines.is_empty() {
                let _ = writeln!(text, "\n{heading} ({}):\n{}", self.count(number), lines.join("\n"));
            }
        }
        for (heading, lines) in [("Different from before", &self.notes), ("Next", &self.steps(view))] {
            if !lines.is_empty() {
                let _ = writeln!(text, "\n{heading}:");
                for line in lines {
                    let _ = writeln!(text, "  - {line}");
                }
            }
        }
        text
    }

    /// Returns the count of a chapter. Losses are counted by reason, because thirty settings of the hooks
    /// are one loss.
    fn count(&self, number: usize) -> String {
        let findings = self.findings.iter().filter(|finding| finding.fate.chapter() == number);
        let reasons: BTreeSet<&str> = findings
            .clone()
            .filter_map(|finding| {
                let Fate::Missing { why, .. } = &finding.fate else { return None };
                Some(why.as_str())
            })
            .collect();
        let settings = findings.count();
        match reasons.len() {
            0 => settings.to_string(),
            lost if lost == settings => lost.to_string(),
            lost => format!("{lost}, in {settings} settings"),
        }
    }

    fn steps(&self, view: &ReportView) -> Vec<String> {
        let first = match &view.output {
            Some(output) => format!("`zmesd check-config --config {}`", output.display()),
            None => "run it again with --output FILE: nothing has been written yet".to_owned(),
        };
        std::iter::once(first).chain(self.next.iter().cloned()).collect()
    }

    /// Returns the lines of a chapter, grouped by reason.
    fn chapter(&self, number: usize) -> Vec<String> {
        let findings: Vec<_> =
            self.findings.iter().filter(|finding| finding.fate.chapter() == number).collect();
        let mut lines = Vec::new();
        let mut reasons = Vec::<(String, Vec<String>)>::new();
        for finding in findings {
            let place = finding.place.as_ref().map(|place| format!("{place} ")).unwrap_or_default();
            let named = format!("{place}{}", finding.old);
            let reason = match &finding.fate {
                Fate::Taken { key, value } => {
                    let value = value.as_deref().unwrap_or("(not shown)");
                    lines.push(format!("  {named} -> {key} = {value}"));
                    continue;
                }
                Fate::Needless(why) | Fate::Idle(why) | Fate::Unread(why) | Fate::Trifle(why) => why.clone(),
                Fate::Missing { why, instead } if instead.is_empty() => why.clone(),
                Fate::Missing { why, instead } => format!("{why}\n      instead: {instead}"),
                Fate::Open { why, hint } => format!("{why}\n      hint: {hint}"),
            };
            match reasons.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, places)) => places.push(named),
                None => reasons.push((reason, vec![named])),
            }
        }
        for (reason, places) in reasons {
            lines.push(format!("  {}\n    {reason}", listed(&places)));
        }
        lines
    }

    /// Returns it for scripts, as one document.
    pub fn json(&self, view: &ReportView) -> Value {
        let files: Vec<_> = self.files.iter().map(|(path, what)| json!({"path": path, "is": what})).collect();
        let mut document = json!({
            "output": view.output,
            "secrets": view.secrets,
            "files": files,
            "notes": self.notes,
            "next": self.steps(view),
        });
        for (number, (_, name)) in CHAPTERS.iter().enumerate() {
            let findings = self.findings.iter().filter(|finding| finding.fate.chapter() == number);
            document[*name] = Value::Array(findings.map(finding_json).collect());
        }
        document
    }
}

fn finding_json(finding: &Finding) -> Value {
    let mut object = json!({
        "file": finding.place.as_ref().map(|place| place.file.as_ref()),
        "line": finding.place.as_ref().map(|place| place.line),
        "old": finding.old,
    });
    match &finding.fate {
        Fate::Taken { key, value } => {
            object["key"] = key.as_str().into();
            object["value"] = value.as_deref().into();
        }
        Fate::Needless(why) | Fate::Idle(why) | Fate::Unread(why) | Fate::Trifle(why) => {
            object["reason"] = why.as_str().into();
        }
        Fate::Missing { why, instead } => {
            object["reason"] = why.as_str().into();
            object["instead"] = Some(instead.as_str()).filter(|instead| !instead.is_empty()).into();
        }
        Fate::Open { why, hint } => {
            object["reason"] = why.as_str().into();
            object["hint"] = hint.as_str().into();
        }
    }
    object
}

fn listed(places: &[String]) -> String {
    let mut shown: Vec<_> = places.iter().take(PLACES_MAX).map(|place| place.trim_end().to_owned()).collect();
    if places.len() > PLACES_MAX {
        shown.push(format!("and {} more", places.len() - PLACES_MAX));
    }
    shown.join("\n  ")
}
