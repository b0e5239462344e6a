//! Errors: `error:`, `cause:` and `hint:` for people, a code for programs.

use std::borrow::Cow;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Group};
use serde::Serialize;
use zmes_shared::client::ClientError;
use zmes_shared::control::{ControlError, ErrorCode, PROTOCOL};

use crate::exit::Exit;

const HINT_STATUS: &str = "systemctl status zmesd";
/// The group of the packages, for hints if the socket does not show another one.
const GROUP: &str = "zmesd";
const HINT_AGAIN: &str = "try again; zmesctl check ping shows whether zmesd responds";
const HINT_RESTART: &str = "restart zmesd after the upgrade: systemctl restart zmesd";

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The daemon did not answer, or its answer was not understood.
    #[error("{}", message_of_client(.0))]
    Client(ClientError),
    /// The operating system does not allow access to the socket. `group`: the group whose members have access, if any.
    #[error("not permitted to open zmesd's control socket {}", socket.display())]
    Denied { socket: PathBuf, group: Option<String>, source: io::Error },
    #[error("zmesd ended the stream")]
    Ended { reason: String },
    /// The daemon refused the request.
    #[error("{}", .0.message)]
    Daemon(ControlError),
    /// The command line was parsed, but is not valid.
    #[error("{message}")]
    Usage { message: String, hint: String },
    /// The confirmation was answered with no.
    #[error("not confirmed; nothing was changed")]
    Declined,
    #[error("no client {id}")]
    NoSuchClient { id: zmes_shared::SessionId },
    #[error("no monitor is named {name}")]
    NoSuchMonitor { name: String, hint: String },
    /// There is no alarm to explain.
    #[error("{message}")]
    NoSuchAlarm { message: String, hint: String },
    #[error("cannot read {file}")]
    File { file: String, source: io::Error },
    /// `option` names another file.
    #[error("cannot write {file}")]
    Unwritable { file: String, option: &'static str, source: io::Error },
    /// A file is malformed; nothing was imported, and it was not changed. Line and column count from 1.
    #[error("{file}, line {line}, column {column}: {detail}")]
    Unparsable { file: String, line: usize, column: usize, detail: String },
    /// `zmesd` is needed but cannot be run.
    #[error("{what}")]
    Zmesd { what: String, source: Option<io::Error> },
    /// The database refuses, is away, or is not what it should be.
    #[error("{message}")]
    Database { exit: Exit, code: &'static str, message: String, hint: String },
    #[error("cannot write the output")]
    Output(#[source] io::Error),
    /// Signals cannot be received, or the terminal cannot be read.
    #[error("cannot use the terminal")]
    Terminal(#[source] io::Error),
}

impl CliError {
    pub fn exit(&self) -> Exit {
        self.class().0
    }

    /// Returns what to do about it.
    pub fn hint(&self) -> Option<Cow<'_, str>> {
        self.class().2
    }

    /// Returns the exit code, the code for programs, and what to do about it.
    fn class(&self) -> (Exit, Code, Option<Cow<'_, str>>) {
        let (exit, code, hint) = match self {
            Self::Daemon(error) => {
                let (exit, hint) = class_of(error.code);
                return (exit, Code::Daemon(error.code), error.hint.as_deref().or(hint).map(Cow::Borrowed));
            }
            Self::Denied { group, .. } => {
                let group = group.as_deref().unwrap_or(GROUP);
                let hint = format!("sudo usermod -aG {group} $USER  (then log in again)");
                return (Exit::Forbidden, Code::Own("forbidden"), Some(Cow::Owned(hint)));
            }
            Self::Unwritable { option, source, .. } => {
                let what = if source.kind() == io::ErrorKind::AlreadyExists {
                    "no file is overwritten: choose another name"
                } else {
                    "check the directory, its permissions and its free space; or choose another"
                };
                let hint = format!("{what} with {option}");
                return (Exit::Negative, Code::Own("file"), Some(Cow::Owned(hint)));
            }
            Self::Client(error) => class_of_client(error),
            Self::Ended { .. } => (Exit::Unreachable, "unreachable", HINT_STATUS),
            Self::Database { exit, code, hint, .. } => (*exit, *code, hint.as_str()),
            Self::Usage { hint, .. } => (Exit::Usage, "usage", hint.as_str()),
            Self::NoSuchMonitor { hint, .. } | Self::NoSuchAlarm { hint, .. } => {
                (Exit::NotFound, "not_found", hint.as_str())
            }
            Self::NoSuchClient { .. } => (Exit::NotFound, "not_found", "zmesctl clients list shows the ids"),
            Self::Declined => (Exit::Negative, "declined", "answer y to continue; in scripts, use --yes"),
            Self::File { .. } => (Exit::Negative, "file", "check its name and its permissions with ls -l"),
            Self::Unparsable { .. } => {
                (Exit::Negative, "file", "fix the file and import it again; nothing was imported")
            }
            Self::Zmesd { .. } => {
                (Exit::Negative, "unavailable", "install zmesd beside zmesctl, or add its directory to PATH")
            }
            Self::Output(_) => {
                (Exit::Negative, "output", "check the free space with df, and that you can write the file")
            }
            Self::Terminal(_) => (Exit::Negative, "output", "in scripts, use --yes"),
        };
        (exit, Code::Own(code), Some(Cow::Borrowed(hint)))
    }

    pub fn cause(&self) -> Option<String> {
        match self {
            Self::Client(
                ClientError::Unreachable { source, .. }
                | ClientError::Denied { source, .. }
                | ClientError::Broken(source),
            )
            | Self::Denied { source, .. }
            | Self::File { source, .. }
            | Self::Unwritable { source, .. }
            | Self::Output(source)
            | Self::Terminal(source) => Some(plain(source)),
            Self::Zmesd { source, .. } => source.as_ref().map(plain),
            Self::Ended { reason } => Some(reason.clone()),
            Self::Client(ClientError::BadAnswer { detail }) => Some(detail.clone()),
            Self::Client(ClientError::Version { daemon, theirs }) => Some(format!(
                "zmesd {daemon} speaks {}.{}, zmesctl {} speaks {}.{}",
                theirs.major,
                theirs.minor,
                env!("CARGO_PKG_VERSION"),
                PROTOCOL.major,
                PROTOCOL.minor
            )),
            Self::Client(ClientError::Closed | ClientError::Timeout { .. } | ClientError::Refused(_))
            | Self::Daemon(_)
            | Self::Usage { .. }
            | Self::Database { .. }
            | Self::Declined
            | Self::Unparsable { .. }
            | Self::NoSuchClient { .. }
            | Self::NoSuchMonitor { .. }
            | Self::NoSuchAlarm { .. } => None,
        }
    }

    /// Returns the form for programs: `{"error":{"code","message","hint"}}`.
    pub fn document(&self) -> ErrorDocument {
        let message = self.cause().map_or_else(|| self.to_string(), |cause| format!("{self}: {cause}"));
        let (_, code, hint) = self.class();
        ErrorDocument { error: ErrorBody { code, message, hint: hint.map(Cow::into_owned) } }
    }
}

impl From<ClientError> for CliError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Denied { socket, source } => {
                let group = group_of(&socket);
                Self::Denied { socket, group, source }
            }
            ClientError::Refused(error) => Self::Daemon(error),
            ClientError::Unreachable { .. }
            | ClientError::Broken(_)
            | ClientError::Closed
            | ClientError::Timeout { .. }
            | ClientError::Version { .. }
            | ClientError::BadAnswer { .. } => Self::Client(error),
        }
    }
}

/// Returns the group that may open a socket: the socket's own, or if that is not visible, its directory's; never
/// root's.
fn group_of(socket: &Path) -> Option<String> {
    let seen = std::fs::metadata(socket).ok();
    let seen = seen.or_else(|| std::fs::metadata(socket.parent()?).ok())?;
    let group = Some(seen.gid()).filter(|&gid| gid != 0)?;
    Group::from_gid(Gid::from_raw(group)).ok().flatten().map(|group| group.name)
}

fn message_of_client(error: &ClientError) -> String {
    if matches!(error, ClientError::Version { .. }) {
        return "zmesd and zmesctl speak different versions of the control protocol".to_owned();
    }
    error.to_string()
}

/// Returns the exit code, the code for programs, and the hint.
fn class_of_client(error: &ClientError) -> (Exit, &'static str, &'static str) {
    match error {
        ClientError::Unreachable { .. } | ClientError::Broken(_) | ClientError::Closed => {
            (Exit::Unreachable, "unreachable", HINT_STATUS)
        }
        ClientError::Denied { .. } => (Exit::Forbidden, "forbidden", HINT_STATUS),
        ClientError::Refused(error) => (class_of(error.code).0, "forbidden", HINT_STATUS),
        ClientError::Timeout { .. } => {
            (Exit::Timeout, "timeout", "if zmesd is busy, allow more time with --timeout 30s")
        }
        ClientError::Version { .. } => (Exit::Version, "version", HINT_RESTART),
        ClientError::BadAnswer { .. } => {
            let hint = "check that this is the socket of zmesd, and that zmesctl has the same version";
            (Exit::Version, "version", hint)
        }
    }
}

/// Returns the exit code for a code of the daemon, and a hint in case the daemon gives none.
fn class_of(code: ErrorCode) -> (Exit, Option<&'static str>) {
    let (exit, hint) = match code {
        ErrorCode::Forbidden => {
            (Exit::Forbidden, "sudo usermod -aG zmesd $USER  (then log in again), or use sudo")
        }
        ErrorCode::Unsupported => (Exit::Version, HINT_RESTART),
        ErrorCode::Busy => (Exit::Negative, HINT_AGAIN),
        ErrorCode::Timeout => (Exit::Timeout, HINT_AGAIN),
        ErrorCode::ConfigInvalid => (Exit::Negative, "zmesctl config check shows every problem"),
        ErrorCode::Unavailable => (Exit::Negative, "zmesctl check all shows what does not work"),
        ErrorCode::Internal => (Exit::Negative, "journalctl -u zmesd shows the log"),
        ErrorCode::NotFound => (Exit::NotFound, "see zmesctl tokens list, clients list or monitors list"),
        ErrorCode::TooLarge => (Exit::Negative, "send less in one request"),
        // Their messages are complete, or come from a newer daemon.
        ErrorCode::BadRequest | ErrorCode::Conflict | ErrorCode::Unknown => return (Exit::Negative, None),
    };
    (exit, Some(hint))
}

/// Returns an operating system error in lower case, without "(os error 2)".
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// An error as printed by `--json`; the member `error` distinguishes it from every answer.
#[derive(Debug, Clone, Serialize)]
pub struct ErrorDocument {
    pub error: ErrorBody,
}

/// The content of an [`ErrorDocument`].
#[derive(Debug, Clone, Serialize)]
pub struct ErrorBody {
    pub code: Code,
    pub message: String,
    pub hint: Option<String>,
}

/// The daemon's code, or one of ours.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Code {
    Daemon(ErrorCode),
    /// `unreachable`, `forbidden`, `timeout`, `version`, `usage`, `declined`, `not_found`, `file`, `unavailable`,
    /// `output`.
    Own(&'static str),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_without_permission_ends_with_5_and_names_the_group() {
        let source = io::Error::from_raw_os_error(13);
        let error = CliError::Denied { socket: "/run/zmesd/control.sock".into(), group: None, source };
        assert_eq!(error.exit(), Exit::Forbidden);
        assert_eq!(error.cause().as_deref(), Some("permission denied"));
        assert!(error.hint().unwrap().starts_with("sudo usermod -aG zmesd $USER"));
        let (source, group) = (io::Error::from_raw_os_error(13), Some("cameras".to_owned()));
        let error = CliError::Denied { socket: "/run/zmesd/control.sock".into(), group, source };
        assert!(error.hint().unwrap().starts_with("sudo usermod -aG cameras $USER"));
    }

    #[test]
    fn every_code_of_the_daemon_has_its_exit_code() {
        let table = [
            (ErrorCode::NotFound, 4),
            (ErrorCode::Forbidden, 5),
            (ErrorCode::Timeout, 6),
            (ErrorCode::Unsupported, 8),
            (ErrorCode::Busy, 1),
            (ErrorCode::Unavailable, 1),
            (ErrorCode::Conflict, 1),
            (ErrorCode::ConfigInvalid, 1),
            (ErrorCode::BadRequest, 1),
            (ErrorCode::TooLarge, 1),
            (ErrorCode::Internal, 1),
            (ErrorCode::Unknown, 1),
        ];
        for (code, exit) in table {
            assert_eq!(CliError::Daemon(ControlError::new(code, "no")).exit() as u8, exit, "{code:?}");
        }
    }

    #[test]
    fn the_daemons_hint_goes_before_ours() {
        let error = ControlError::new(ErrorCode::Forbidden, "not here").with_hint("there");
        assert_eq!(CliError::Daemon(error).hint().as_deref(), Some("there"));
        let error = ControlError::new(ErrorCode::Unsupported, "what is `why`?");
        assert_eq!(CliError::Daemon(error).hint().as_deref(), Some(HINT_RESTART));
    }
}
