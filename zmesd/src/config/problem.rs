//! Problems of a configuration, in a form that says where to look and what to do.

use std::fmt;
use std::ops::Deref;
use std::path::{Path, PathBuf};

pub(super) use zmes_shared::text::quotable;
use zmes_shared::views::Finding;

use super::validate::CertificateFault;

/// Maximum number of problems printed, so that a file of another kind does not fill the screen.
const SHOWN_MAX: usize = 100;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub file: PathBuf,
    /// The line in that file, counted from 1, if there is one.
    pub line: Option<usize>,
    /// The dotted key (`push.fcm.proxy[0].url`); empty where it is about the file as a whole.
    pub key: String,
    /// The problem. Never contains a secret.
    pub message: String,
    pub hint: String,
    /// The daemon does not start, or apps do not connect; false: it is only a warning.
    pub grave: bool,
    /// The fault of the certificate, if it is about that and TLS is possible.
    pub certificate: Option<CertificateFault>,
}

impl Problem {
    /// Says whether it is about the certificate of the apps' port or its key.
    pub fn concerns_certificate(&self) -> bool {
        matches!(self.key.as_str(), "server.tls.certificate" | "server.tls.key")
    }

    pub fn finding(&self) -> Finding {
        let step = match self.key.as_str() {
            _ if self.concerns_certificate() => "certificate",
            "zoneminder.config" => "zm.conf",
            key if key.starts_with("ZM_") => "zm.conf",
            _ => "configuration",
        };
        let line = self.line.map_or_else(String::new, |line| format!(":{line}"));
        let key = if self.key.is_empty() { String::new() } else { format!(" {}:", self.key) };
        let place = format!("{}{line}:{key}", self.file.display());
        // About the file as a whole, the message names it already.
        let named = self.key.is_empty() && self.message.contains(&*self.file.to_string_lossy());
        let detail = if named { self.message.clone() } else { format!("{place} {}", self.message) };
        if self.grave {
            Finding::error(step, detail, self.hint.as_str())
        } else {
            Finding::warning(step, detail, self.hint.as_str())
        }
    }
}

impl fmt::Display for Problem {
    /// Writes `file:line: key: message`, and the hint on its own line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        if !self.key.is_empty() {
            write!(f, " {}:", self.key)?;
        }
        write!(f, " {}\n      hint: {}", self.message, self.hint)
    }
}

/// All problems of one configuration: first those of its own file by line, then those of other files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    file: PathBuf,
    list: Vec<Problem>,
}

impl Problems {
    /// Starts the list of `file`, the configuration itself (problems may be about other files that it names).
    pub(super) fn new(file: &Path) -> Self {
        Self { file: file.to_owned(), list: Vec::new() }
    }

    pub(super) fn push(&mut self, problem: Problem) {
        self.list.push(problem);
    }

    /// Adds a problem of the configuration file as a whole.
    pub(super) fn push_whole(&mut self, line: Option<usize>, message: String, hint: String) {
        let (file, key) = (self.file.clone(), String::new());
        self.push(Problem { file, line, key, message, hint, grave: true, certificate: None });
    }

    /// Adds a problem of one key of the configuration file.
    pub(super) fn push_at(&mut self, place: &KeyPlace, message: impl Into<String>, hint: impl Into<String>) {
        self.push(place.problem(&self.file, message.into(), hint.into()));
    }

    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Says whether there is already a problem with that key, or with the table that contains it.
    pub(super) fn concern(&self, key: &str) -> bool {
        let known = self.list.iter().filter(|problem| problem.file == self.file);
        known
            .filter_map(|problem| key.strip_prefix(&problem.key))
            .any(|rest| rest.is_empty() || rest.starts_with('.'))
    }

    /// Puts them into the order in which a person reads.
    pub(super) fn sorted(mut self) -> Self {
        let Self { file, list } = &mut self;
        list.sort_by_cached_key(|problem| {
            (problem.file != *file, problem.file.clone(), problem.line.unwrap_or(usize::MAX))
        });
        self
    }
}

impl Deref for Problems {
    type Target = [Problem];

    fn deref(&self) -> &[Problem] {
        &self.list
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.list.len();
        let noun = if count == 1 { "problem" } else { "problems" };
        write!(f, "zmesd: configuration has {count} {noun} ({})", self.file.display())?;
        for problem in self.list.iter().take(SHOWN_MAX) {
            write!(f, "\n  {problem}")?;
        }
        if count > SHOWN_MAX {
            write!(f, "\n  … and {} more", count - SHOWN_MAX)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Position of a value in the configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyPlace {
    pub(super) key: String,
    /// Its line, counted from 1; `None` if the file does not set it and the default applies.
    pub(super) line: Option<usize>,
}

impl KeyPlace {
    pub(super) fn problem(&self, file: &Path, message: String, hint: String) -> Problem {
        let (file, key) = (file.to_owned(), self.key.clone());
        Problem { file, line: self.line, key, message, hint, grave: true, certificate: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(file: &str, line: Option<usize>, key: &str) -> Problem {
        Problem {
            file: file.into(),
            line,
            key: key.into(),
            message: "is wrong".into(),
            hint: "mend it".into(),
            grave: true,
            certificate: None,
        }
    }

    #[test]
    fn all_are_printed_with_file_line_key_and_hint() {
        let mut problems = Problems::new(Path::new("/etc/zmesd/zmesd.toml"));
        problems.push(problem("/etc/zm/zm.conf", Some(3), "ZM_DB_HOST"));
        problems.push(problem("/etc/zmesd/zmesd.toml", None, ""));
        problems.push(problem("/etc/zmesd/zmesd.toml", Some(31), "server.listen"));
        problems.push(problem("/etc/zmesd/zmesd.toml", Some(14), "push.fcm.key"));
        let problems = problems.sorted();
        assert_eq!(
            problems.to_string(),
            "zmesd: configuration has 4 problems (/etc/zmesd/zmesd.toml)\n  \
             /etc/zmesd/zmesd.toml:14: push.fcm.key: is wrong\n      hint: mend it\n  \
             /etc/zmesd/zmesd.toml:31: server.listen: is wrong\n      hint: mend it\n  \
             /etc/zmesd/zmesd.toml: is wrong\n      hint: mend it\n  \
             /etc/zm/zm.conf:3: ZM_DB_HOST: is wrong\n      hint: mend it"
        );
    }

    #[test]
    fn one_is_one_problem_and_very_many_are_cut() {
        let mut problems = Problems::new(Path::new("a"));
        problems.push(problem("a", Some(1), "k"));
        assert!(problems.to_string().starts_with("zmesd: configuration has 1 problem (a)"));
        for line in 2..=105 {
            problems.push(problem("a", Some(line), "k"));
        }
        assert!(problems.to_string().ends_with("\n  … and 5 more"));
    }
}
