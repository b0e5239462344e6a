//! `zmesd import-config`: an older event server's files in, `zmesd.toml` and a report out.

use std::fmt::{Display, Write};
use std::path::PathBuf;

use clap::Args;
use zmes_legacy::disk::{self, FileProblem, FileProblemKind};
use zmes_legacy::{Audience, Collection, NewFile, Objection, Proposal, ReportView};

use super::{EXIT_CONFIG, EXIT_USAGE, Report};
use crate::config::{self, Literal, SECTIONS};

/// `EX_UNAVAILABLE` of sysexits.h.
const EXIT_UNAVAILABLE: u8 = 69;
/// `EX_NOPERM` of sysexits.h.
const EXIT_PERMISSION: u8 = 77;

/// What to import, and where to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct ImportArgs {
    /// The old files, in any order: zmeventnotification.pl (0.93 to 0.98), zmeventnotification.ini (1.0 to 6.1) or
    /// zmeventnotification.yml (7), with their secrets and es_rules.
    ///
    /// The kind of a file is recognized by its content. Secrets and rules that the configuration names are found
    /// automatically: at their path, or beside the configuration. Event server 6 and 7 have a URL and a key for pushes
    /// in their own script: name it too (/usr/bin/zmeventnotification.pl, or Constants.pm of 7) if the report asks for it.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Where to write the new configuration; its secrets go to a directory `secrets` beside it.
    ///
    /// Only owner and group can read the files, and either all of them are written or none. Without this option nothing
    /// is written: the configuration goes to standard output, the report to standard error.
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Overwrite existing files, except those that are imported.
    #[arg(long, requires = "output")]
    pub force: bool,
    /// Print the report as JSON.
    #[arg(long)]
    pub json: bool,
}

pub fn import_config(args: &ImportArgs) -> Report {
    run(args).unwrap_or_else(|(code, stderr)| Report { code, stdout: String::new(), stderr })
}

fn run(args: &ImportArgs) -> Result<Report, (u8, String)> {
    let (mut sources, mut troubles) = (Vec::new(), Vec::new());
    for path in &args.files {
        match disk::read(path) {
            Ok(source) => sources.push(source),
            Err(trouble) => troubles.push(trouble),
        }
    }
    if let Some(first) = troubles.first() {
        let told = troubles.iter().map(|trouble| problem(trouble, &trouble.hint)).collect();
        return Err((code_of(first), told));
    }
    let mut collection = Collection::of(&sources).map_err(|refusals| {
        let told = refusals.iter().map(|refusal| problem(refusal, &refusal.hint)).collect();
        (EXIT_CONFIG, told)
    })?;
    let mut read: Vec<_> = args.files.clone();
    for wanted in collection.wanted() {
        match wanted.candidates.iter().find_map(|path| disk::read(path).ok()) {
            None => collection.miss(wanted),
            Some(source) => {
                collection.add(&source).map_err(|refusal| (EXIT_CONFIG, problem(&refusal, &refusal.hint)))?;
                read.push(source.path);
            }
        }
    }
    let written = collection.convert(new_file());
    let secrets = written.secrets();
    let mut view = ReportView {
        output: args.output.clone(),
        secrets: secrets.iter().map(|secret| secret.name.clone().into()).collect(),
    };
    let Some(output) = &args.output else {
        let stdout = written.toml(Audience::Terminal);
        return Ok(Report { code: 0, stdout, stderr: told(args, &written.report, &view) });
    };
    disk::publish(output, &written.toml(Audience::File), &secrets, args.force, &read)
        .map_err(|trouble| (code_of(&trouble), problem(&trouble, &trouble.hint)))?;
    view.secrets = disk::secret_paths(output, &secrets);
    Ok(Report { code: 0, stdout: told(args, &written.report, &view), stderr: String::new() })
}

/// Returns what an import needs to know of `zmesd.toml`.
pub(crate) fn new_file() -> NewFile {
    NewFile { defaults: config::default_file(), check }
}

/// Checks a value as the daemon does when it reads the file.
fn check(table: &str, key: &str, value: Proposal<'_>) -> Result<(), Objection> {
    let section = SECTIONS.iter().find(|section| section.path == table);
    let Some(key) = section.and_then(|section| section.keys.iter().find(|known| known.name == key)) else {
        return Ok(());
    };
    let checked = match value {
        Proposal::Flag(flag) => key.form.check(Literal::Flag(flag)),
        Proposal::Text(text) => key.form.check(Literal::Text(text)),
        Proposal::List(texts) => {
            let texts: Vec<_> = texts.iter().map(String::as_str).collect();
            key.form.check(Literal::List(&texts))
        }
    };
    checked.map_err(|complaint| Objection { message: complaint.message, hint: complaint.hint })
}

fn told(args: &ImportArgs, report: &zmes_legacy::ImportReport, view: &ReportView) -> String {
    if args.json { format!("{:#}\n", report.json(view)) } else { report.human(view) }
}

fn problem(what: &impl Display, hint: &str) -> String {
    let mut text = format!("zmesd: cannot import {what}\n");
    // Writing to a String cannot fail.
    let _ = writeln!(text, "  hint: {hint}");
    text
}

fn code_of(trouble: &FileProblem) -> u8 {
    match trouble.kind {
        FileProblemKind::Missing | FileProblemKind::Exists => EXIT_USAGE,
        FileProblemKind::Permission => EXIT_PERMISSION,
        FileProblemKind::Unfit => EXIT_CONFIG,
        FileProblemKind::Disk => EXIT_UNAVAILABLE,
    }
}
