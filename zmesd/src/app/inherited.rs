//! Sockets that systemd opened for the daemon (socket activation, `sd_listen_fds(3)`).
//!
//! They are checked before anything else, while there is only one thread. A socket of the wrong kind is a mistake in a
//! unit file, so the daemon does not start.

use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use listenfd::ListenFd;
use socket2::SockRef;
use tracing::{info, warn};

use crate::config::Config;

const FIRST: usize = 3;
/// Maximum number of sockets; a higher number is a typing error.
const MOST: usize = 64;

#[derive(Debug, Clone, Default)]
pub struct ListenVariables {
    /// `$LISTEN_PID`: the process that the other variables are meant for.
    pub pid: Option<String>,
    /// `$LISTEN_FDS`: the number of sockets.
    pub fds: Option<String>,
    /// `$LISTEN_FDNAMES`: their names, separated by colons.
    pub names: Option<String>,
}

#[derive(Debug, Default)]
pub(super) struct Inherited {
    pub(super) control: Option<UnixListener>,
    pub(super) apps: Vec<TcpListener>,
}

#[derive(Debug, thiserror::Error)]
pub enum InheritError {
    #[error("LISTEN_FDS is `{value}`: not a number of sockets, or too many")]
    Count { value: String },
    #[error("inherited file descriptor {descriptor}{} {problem}", quoted(name))]
    Socket { descriptor: usize, name: String, problem: &'static str },
}

fn quoted(name: &str) -> String {
    if name.is_empty() { String::new() } else { format!(" (`{name}`)") }
}

impl InheritError {
    /// What an admin can do about it.
    pub(super) const HINT: &'static str = "in the socket unit, FileDescriptorName= is control (one ListenStream= with a \
         path) or app (ListenStream= with ports), or not given at all";
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Control,
    App,
    /// Determined by its kind: a Unix or a TCP socket.
    ByKind,
}

enum Socket {
    Unix(UnixListener),
    Tcp(TcpListener),
}

impl Inherited {
    /// Takes the sockets meant for this process. Must be called while there is only one thread: it removes `LISTEN_PID`
    /// and `LISTEN_FDS` from the environment, so that no child process uses them.
    pub(super) fn take(variables: &ListenVariables) -> Result<Self, InheritError> {
        let mut inherited = Self::default();
        let Some(names) = names(variables, std::process::id())? else { return Ok(inherited) };
        let mut passed = ListenFd::from_env();
        for (number, name) in names.into_iter().enumerate() {
            let descriptor = FIRST + number;
            let problem = |problem| InheritError::Socket { descriptor, name: name.clone(), problem };
            let purpose = purpose(&name).ok_or_else(|| problem("has a name that zmesd does not know"))?;
            match (taken(&mut passed, number), purpose) {
                (Some(Socket::Unix(listener)), Purpose::Control | Purpose::ByKind) => {
                    if !listens(&listener) {
                        return Err(problem("does not listen"));
                    }
                    if inherited.control.replace(listener).is_some() {
                        return Err(problem("is a second control socket"));
                    }
                }
                (Some(Socket::Tcp(listener)), Purpose::App | Purpose::ByKind) => {
                    if !listens(&listener) {
                        return Err(problem("does not listen"));
                    }
                    inherited.apps.push(listener);
                }
                (_, Purpose::Control) => return Err(problem("is not a Unix stream socket")),
                (_, Purpose::App) => return Err(problem("is not a TCP socket")),
                (None, Purpose::ByKind) => return Err(problem("is neither a TCP nor a Unix stream socket")),
            }
        }
        Ok(inherited)
    }

    /// Logs what systemd passed, and which settings are ignored because of it.
    pub(super) fn announce(&self, config: &Config) {
        if !self.apps.is_empty() {
            let addresses: Vec<_> = self.apps.iter().filter_map(|socket| socket.local_addr().ok()).collect();
            info!(?addresses, "apps are served on inherited sockets; server.listen is ignored");
        }
        let Some(control) = &self.control else { return };
        let configured = &config.control.socket;
        match path_of(control) {
            Some(path) if same_file(&path, configured) => {
                info!(path = %path.display(), "control socket inherited");
            }
            path => warn!(
                path = %path.unwrap_or_default().display(),
                configured = %configured.display(),
                "inherited control socket is not at the path where zmesctl looks for it"
            ),
        }
    }

    pub(super) fn names(&self) -> Vec<String> {
        let control = self.control.iter().map(|_| "control".to_owned());
        control.chain(self.apps.iter().map(|_| "app".to_owned())).collect()
    }
}

/// Returns the names of the sockets meant for process `own`, "" for one without a name; `None` if there are none.
fn names(variables: &ListenVariables, own: u32) -> Result<Option<Vec<String>>, InheritError> {
    let (Some(pid), Some(fds)) = (&variables.pid, &variables.fds) else { return Ok(None) };
    if pid.parse() != Ok(own) {
        return Ok(None);
    }
    let count = fds.parse::<usize>().ok().filter(|count| *count <= MOST);
    let count = count.ok_or_else(|| InheritError::Count { value: fds.clone() })?;
    let mut names: Vec<String> = match &variables.names {
        Some(names) if !names.is_empty() => names.split(':').map(str::to_owned).collect(),
        Some(_) | None => Vec::new(),
    };
    names.resize(count, String::new());
    Ok(Some(names))
}

/// Parses a name; `None` if it is unknown. Without a name in the unit, systemd passes the unit's own, and older
/// versions "unknown".
fn purpose(name: &str) -> Option<Purpose> {
    match name {
        "control" => Some(Purpose::Control),
        "app" => Some(Purpose::App),
        "" | "unknown" => Some(Purpose::ByKind),
        unit => Path::new(unit).extension().is_some_and(|kind| kind == "socket").then_some(Purpose::ByKind),
    }
}

fn taken(passed: &mut ListenFd, number: usize) -> Option<Socket> {
    if let Ok(Some(listener)) = passed.take_unix_listener(number) {
        return Some(Socket::Unix(listener));
    }
    let listener = passed.take_tcp_listener(number).ok().flatten()?;
    Some(Socket::Tcp(listener))
}

fn listens<'a>(socket: impl Into<SockRef<'a>>) -> bool {
    socket.into().is_listener().unwrap_or(false)
}

fn path_of(socket: &UnixListener) -> Option<PathBuf> {
    Some(socket.local_addr().ok()?.as_pathname()?.to_owned())
}

/// `/run/zmesd` and `/var/run/zmesd` are the same.
fn same_file(left: &Path, right: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    left == right || real(left) == real(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pid: u32, fds: &str, names: &str) -> ListenVariables {
        let names = (!names.is_empty()).then(|| names.to_owned());
        ListenVariables { pid: Some(pid.to_string()), fds: Some(fds.to_owned()), names }
    }

    #[test]
    fn what_is_meant_for_another_process_is_left_alone() {
        assert!(names(&ListenVariables::default(), 7).unwrap().is_none());
        assert!(names(&variables(8, "1", "app"), 7).unwrap().is_none());
        let nobody = ListenVariables { pid: Some("me".to_owned()), ..variables(7, "1", "") };
        assert!(names(&nobody, 7).unwrap().is_none());
    }

    #[test]
    fn sockets_without_names_have_empty_ones() {
        let of = |fds, given| names(&variables(7, fds, given), 7).unwrap().unwrap();
        assert_eq!(of("2", "app:control"), ["app", "control"]);
        assert_eq!(of("2", ""), ["", ""]);
        assert_eq!(of("2", "app"), ["app", ""]);
        assert_eq!(of("1", "app:control"), ["app"]);
        assert_eq!(of("0", ""), [""; 0]);
    }

    #[test]
    fn a_count_that_makes_no_sense_is_an_error() {
        for count in ["", "-1", "many", "65", "4294967295"] {
            let problem = names(&variables(7, count, ""), 7).unwrap_err();
            assert!(problem.to_string().contains(&format!("`{count}`")), "{problem}");
        }
    }

    #[test]
    fn a_name_says_what_a_socket_is_for_and_else_its_kind() {
        assert_eq!(purpose("control"), Some(Purpose::Control));
        assert_eq!(purpose("app"), Some(Purpose::App));
        for unnamed in ["", "unknown", "zmesd.socket"] {
            assert_eq!(purpose(unnamed), Some(Purpose::ByKind), "{unnamed}");
        }
        for foreign in ["http", "connection", "App", "stored"] {
            assert_eq!(purpose(foreign), None, "{foreign}");
        }
    }
}
