//! What the process inherits: variables, terminals, the time. Read only here, so that everything else can be tested.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use secrecy::SecretString;
use zmes_shared::paths::SOCKET_ENV;

/// Names the URL of the database for `cluster init`.
pub const DATABASE_URL_ENV: &str = "ZMESCTL_DATABASE_URL";

#[derive(Debug, Clone)]
pub struct Environment {
    /// `$ZMESCTL_SOCKET`, unless empty.
    pub socket: Option<PathBuf>,
    /// `$ZMESCTL_DATABASE_URL`, where it is not empty.
    pub database_url: Option<SecretString>,
    /// `$PATH`, where `zmesd` is looked for.
    pub path: Option<OsString>,
    /// `$NO_COLOR` is not empty, or the terminal is a dumb one.
    pub plain: bool,
    /// Output may contain non-ASCII characters: the locale is UTF-8, and the terminal is not a dumb one.
    pub unicode: bool,
    pub user: User,
    pub terminals: Terminals,
    pub now: Timestamp,
    /// The time zone for displayed times.
    pub zone: TimeZone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum User {
    Root,
    Other,
}

#[derive(Debug, Clone, Copy)]
pub struct Terminals {
    pub stdin: bool,
    pub stdout: bool,
    pub stderr: bool,
}

impl Terminals {
    /// Returns whether a confirmation is possible: it is shown on the error output.
    pub fn interactive(self) -> bool {
        self.stdin && self.stderr
    }
}

impl Environment {
    pub fn of_process() -> Self {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let dumb = set("TERM").is_some_and(|term| term == "dumb");
        // In the order used by the C library.
        let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG")).unwrap_or_default();
        let locale = locale.to_string_lossy().to_ascii_lowercase();
        // The owner of /proc/self is the owner of the process.
        let root = std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
        Self {
            socket: set(SOCKET_ENV).map(PathBuf::from),
            database_url: set(DATABASE_URL_ENV).map(|url| url.to_string_lossy().into_owned().into()),
            path: set("PATH"),
            plain: set("NO_COLOR").is_some() || dumb,
            unicode: !dumb && (locale.contains("utf-8") || locale.contains("utf8")),
            user: if root { User::Root } else { User::Other },
            terminals: Terminals {
                stdin: std::io::stdin().is_terminal(),
                stdout: std::io::stdout().is_terminal(),
                stderr: std::io::stderr().is_terminal(),
            },
            now: now(),
            zone: TimeZone::system(),
        }
    }
}

/// Returns the time now. Commands take that of their start; only what goes on for days asks again, because clocks are set.
#[expect(clippy::disallowed_methods, reason = "the one place where zmesctl looks at the clock")]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}
