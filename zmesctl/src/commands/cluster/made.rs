//! What `cluster init` has done, or would do.

use std::io;

use serde::Serialize;
use zmes_shared::views::Severity;

use crate::render::{Out, Tone, View, clean};

/// What was made, or would be.
#[derive(Debug, Serialize)]
pub(super) struct LedgerMade {
    pub(super) server: String,
    pub(super) place: String,
    pub(super) schema: String,
    /// Version of the tables that were there; `null`: none.
    pub(super) found: Option<u64>,
    pub(super) version: u64,
    pub(super) account: String,
    pub(super) changed: bool,
    pub(super) dry_run: bool,
    pub(super) statements: Vec<String>,
    pub(super) findings: Vec<MadeFinding>,
    pub(super) url_file: String,
    pub(super) configuration: String,
    #[serde(skip)]
    pub(super) facts: Vec<String>,
    #[serde(skip)]
    pub(super) local: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct MadeFinding {
    pub(super) ok: bool,
    pub(super) severity: Severity,
    pub(super) detail: String,
    pub(super) hint: Option<String>,
}

impl View for LedgerMade {
    fn human(&self, out: &mut Out) -> io::Result<()> {
        if self.dry_run {
            for fact in &self.facts {
                out.hanging(&clean(fact), 9)?;
            }
            for (index, statement) in self.statements.iter().enumerate() {
                // Whole: who tries it first wants to read it all.
                let mut lines = statement.lines();
                out.raw(&format!("{:>3}. {}", index + 1, clean(lines.next().unwrap_or_default())))?;
                lines.try_for_each(|line| out.raw(&format!("     {}", clean(line))))?;
            }
            return if self.statements.is_empty() {
                out.line("The ledger is complete; there is nothing to do.")
            } else {
                out.line("Nothing was changed.")
            };
        }
        let (schema, place) = (clean(&self.schema), clean(&self.place));
        let line = match (self.changed, self.found) {
            (false, _) => format!("The ledger in {schema} at {place} is complete; nothing was changed."),
            (true, None) => {
                format!("The ledger is made: schema {schema} at {place}, version {}.", self.version)
            }
            (true, Some(_)) => {
                format!("The ledger in {schema} at {place} is up to date, version {}.", self.version)
            }
        };
        out.line(&out.paint(Tone::Good, &line))?;
        for finding in self.findings.iter().filter(|finding| finding.severity != Severity::Ok) {
            let hint = finding.hint.as_deref().map_or_else(String::new, |hint| format!(" ({hint})"));
            let line = format!("warning: {}{hint}", finding.detail);
            out.line(&out.paint(Tone::Warning, &clean(&line)))?;
        }
        let file = clean(&self.url_file).into_owned();
        out.line(&format!("Copy {file} to each node (mode 0640), and write into zmesd.toml there:"))?;
        out.raw("")?;
        self.configuration.lines().try_for_each(|line| out.raw(&format!("  {}", clean(line))))?;
        out.raw("")?;
        if self.local {
            out.line(&format!(
                "On other hosts, replace localhost in {file} by the address of this database."
            ))?;
        }
        out.line("Then restart zmesd on each node: systemctl restart zmesd; zmesctl cluster status")
    }
}
