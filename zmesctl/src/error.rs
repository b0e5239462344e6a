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
/// The group of the packages, where the socket does not tell another one.
const GROUP: &str = "zmesd";
const HINT_RESTART: &str = "restart zmesd after the upgrade: systemctl restart zmesd";

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The daemon did not answer, or its answer is not understood.
    #[error("{}", message_of_client(.0))]
    Client(ClientError),
    /// The operating system does not let us open the socket.
    #[error("not permitted to open zmesd's control socket {}", socket.display())]
    Denied {
        /// The socket.
        socket: PathBuf,
        /// The group whose members may, where there is one.
        group: Option<String>,
        /// What the operating system says.
        source: io::Error,
    },
    /// The daemon ended a stream.
    #[error("zmesd ended the stream")]
    Ended {
        /// The daemon's reason.
        reason: String,
    },
    /// The daemon refused the request.
    #[error("{}", .0.message)]
    Daemon(ControlError),
    /// The command line can be parsed, but is not valid.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
        /// What to type instead.
        hint: String,
    },
    /// The confirmation was answered with no.
    #[error("not confirmed; nothing was changed")]
    Declined,
    /// A client that the daemon does not have.
    #[error("no client {id}")]
    NoSuchClient {
        /// What was asked for.
        id: zmes_shared::SessionId,
    },
    /// A monitor that the daemon does not have.
    #[error("no monitor is named {name}")]
    NoSuchMonitor {
        /// What was asked for.
        name: String,
        /// What is there.
        hint: String,
    },
    /// A file cannot be read.
    #[error("cannot read {file}")]
    File {
        /// Which, as it was told.
        file: String,
        /// What the operating system says.
        source: io::Error,
    },
    /// A file is not what it should be; nothing was taken from it, and it was not touched.
    #[error("{file}, line {line}, column {column}: {detail}")]
    Unparsable {
        /// Which, as it was told.
        file: String,
        /// Where, from 1.
        line: usize,
        /// Where, from 1.
        column: usize,
        /// What is wrong.
        detail: String,
    },
    /// `zmesd` itself is needed and cannot be run.
    #[error("{what}")]
    Zmesd {
        /// What does not work.
        what: String,
        /// What the operating system says.
        source: Option<io::Error>,
    },
    /// The output cannot be written.
    #[error("cannot write the output")]
    Output(#[source] io::Error),
    /// Signals cannot be received, or the terminal cannot be read.
    #[error("cannot use the terminal")]
    Terminal(#[source] io::Error),
}

impl CliError {
    /// Returns the exit code.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Client(error) => exit_of_client(error),
            Self::Ended { .. } => Exit::Unreachable,
            Self::Denied { .. } => Exit::Forbidden,
            Self::Daemon(error) => exit_of(error.code),
            Self::Usage { .. } => Exit::Usage,
            Self::NoSuchClient { .. } | Self::NoSuchMonitor { .. } => Exit::NotFound,
            Self::Declined
            | Self::File { .. }
            | Self::Unparsable { .. }
            | Self::Zmesd { .. }
            | Self::Output(_)
            | Self::Terminal(_) => Exit::Negative,
        }
    }

    /// Returns the cause, in one sentence.
    pub fn cause(&self) -> Option<String> {
        match self {
            Self::Client(error) => cause_of_client(error),
            Self::Denied { source, .. }
            | Self::File { source, .. }
            | Self::Output(source)
            | Self::Terminal(source) => Some(plain(source)),
            Self::Zmesd { source, .. } => source.as_ref().map(plain),
            Self::Ended { reason } => Some(reason.clone()),
            Self::Daemon(_)
            | Self::Usage { .. }
            | Self::Declined
            | Self::Unparsable { .. }
            | Self::NoSuchClient { .. }
            | Self::NoSuchMonitor { .. } => None,
        }
    }

    /// Returns what to do about it.
    pub fn hint(&self) -> Option<Cow<'_, str>> {
        let fixed = match self {
            Self::Daemon(error) => return error.hint.as_deref().or(hint_of(error.code)).map(Cow::Borrowed),
            Self::Denied { group: Some(group), .. } => return Some(Cow::Owned(join(group))),
            Self::Usage { hint, .. } | Self::NoSuchMonitor { hint, .. } => hint,
            Self::Client(error) => hint_of_client(error),
            Self::Ended { .. } => HINT_STATUS,
            Self::Denied { group: None, .. } => return Some(Cow::Owned(join(GROUP))),
            Self::NoSuchClient { .. } => "zmesctl clients list shows the ids",
            Self::Zmesd { .. } => "install zmesd beside zmesctl, or add its directory to PATH",
            Self::Unparsable { .. } => "fix the file and import it again; nothing was imported",
            Self::Declined => "answer y to continue; in scripts, use --yes",
            Self::File { .. } => "check its name and its permissions with ls -l",
            Self::Output(_) => "check the free space with df, and that you can write the file",
            Self::Terminal(_) => "in scripts, use --yes",
        };
        Some(Cow::Borrowed(fixed))
    }

    /// Returns the form for programs: `{"error":{"code","message","hint"}}`.
    pub fn document(&self) -> ErrorDocument {
        let message = match self.cause() {
            Some(cause) => format!("{self}: {cause}"),
            None => self.to_string(),
        };
        ErrorDocument {
            error: ErrorBody { code: self.code(), message, hint: self.hint().map(Cow::into_owned) },
        }
    }

    fn code(&self) -> Code {
        Code::Own(match self {
            Self::Daemon(error) => return Code::Daemon(error.code),
            Self::Client(error) => code_of_client(error),
            Self::Ended { .. } => "unreachable",
            Self::Denied { .. } => "forbidden",
            Self::Usage { .. } => "usage",
            Self::Declined => "declined",
            Self::NoSuchClient { .. } | Self::NoSuchMonitor { .. } => "not_found",
            Self::File { .. } | Self::Unparsable { .. } => "file",
            Self::Zmesd { .. } => "unavailable",
            Self::Output(_) | Self::Terminal(_) => "output",
        })
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

/// Returns the group that may open a socket: its own, or where that cannot be seen that of its directory; never root's.
fn group_of(socket: &Path) -> Option<String> {
    let seen = std::fs::metadata(socket).ok();
    let seen = seen.or_else(|| std::fs::metadata(socket.parent()?).ok())?;
    let group = Some(seen.gid()).filter(|&gid| gid != 0)?;
    Group::from_gid(Gid::from_raw(group)).ok().flatten().map(|group| group.name)
}

fn message_of_client(error: &ClientError) -> String {
    match error {
        ClientError::Version { .. } => {
            "zmesd and zmesctl speak different versions of the control protocol".to_owned()
        }
        ClientError::Unreachable { .. }
        | ClientError::Denied { .. }
        | ClientError::Broken(_)
        | ClientError::Closed
        | ClientError::Timeout { .. }
        | ClientError::BadAnswer { .. }
        | ClientError::Refused(_) => error.to_string(),
    }
}

fn exit_of_client(error: &ClientError) -> Exit {
    match error {
        ClientError::Unreachable { .. } | ClientError::Broken(_) | ClientError::Closed => Exit::Unreachable,
        ClientError::Denied { .. } => Exit::Forbidden,
        ClientError::Timeout { .. } => Exit::Timeout,
        ClientError::Version { .. } | ClientError::BadAnswer { .. } => Exit::Version,
        ClientError::Refused(error) => exit_of(error.code),
    }
}

fn cause_of_client(error: &ClientError) -> Option<String> {
    match error {
        ClientError::Unreachable { source, .. }
        | ClientError::Denied { source, .. }
        | ClientError::Broken(source) => Some(plain(source)),
        ClientError::Version { daemon, theirs } => Some(format!(
            "zmesd {daemon} speaks {}.{}, zmesctl {} speaks {}.{}",
            theirs.major,
            theirs.minor,
            env!("CARGO_PKG_VERSION"),
            PROTOCOL.major,
            PROTOCOL.minor
        )),
        ClientError::BadAnswer { detail } => Some(detail.clone()),
        ClientError::Closed | ClientError::Timeout { .. } | ClientError::Refused(_) => None,
    }
}

fn hint_of_client(error: &ClientError) -> &'static str {
    match error {
        ClientError::Unreachable { .. }
        | ClientError::Denied { .. }
        | ClientError::Broken(_)
        | ClientError::Closed
        | ClientError::Refused(_) => HINT_STATUS,
        ClientError::Timeout { .. } => "if zmesd is busy, allow more time with --timeout 30s",
        ClientError::Version { .. } => HINT_RESTART,
        ClientError::BadAnswer { .. } => {
            "check that this is the socket of zmesd, and that zmesctl has the same version"
        }
    }
}

fn code_of_client(error: &ClientError) -> &'static str {
    match error {
        ClientError::Unreachable { .. } | ClientError::Broken(_) | ClientError::Closed => "unreachable",
        ClientError::Denied { .. } | ClientError::Refused(_) => "forbidden",
        ClientError::Timeout { .. } => "timeout",
        ClientError::Version { .. } | ClientError::BadAnswer { .. } => "version",
    }
}

/// Returns the hint for an error of the daemon without a hint of its own.
fn hint_of(code: ErrorCode) -> Option<&'static str> {
    match code {
        ErrorCode::Forbidden => Some("sudo usermod -aG zmesd $USER  (then log in again), or use sudo"),
        ErrorCode::Unsupported => Some(HINT_RESTART),
        ErrorCode::Busy | ErrorCode::Timeout => {
            Some("try again; zmesctl check ping shows whether zmesd responds")
        }
        ErrorCode::ConfigInvalid => Some("zmesctl config check shows every problem"),
        ErrorCode::Unavailable => Some("zmesctl check all shows what does not work"),
        ErrorCode::Internal => Some("journalctl -u zmesd shows the log"),
        ErrorCode::NotFound => Some("see zmesctl tokens list, clients list or monitors list"),
        ErrorCode::TooLarge => Some("send less in one request"),
        // Their messages say it all, or come from a newer daemon.
        ErrorCode::BadRequest | ErrorCode::Conflict | ErrorCode::Unknown => None,
    }
}

/// Returns the command that adds the user to a group.
fn join(group: &str) -> String {
    format!("sudo usermod -aG {group} $USER  (then log in again)")
}

/// Returns the exit code of a code of the daemon.
fn exit_of(code: ErrorCode) -> Exit {
    match code {
        ErrorCode::NotFound => Exit::NotFound,
        ErrorCode::Forbidden => Exit::Forbidden,
        ErrorCode::Timeout => Exit::Timeout,
        ErrorCode::Unsupported => Exit::Version,
        ErrorCode::BadRequest
        | ErrorCode::TooLarge
        | ErrorCode::Conflict
        | ErrorCode::Busy
        | ErrorCode::ConfigInvalid
        | ErrorCode::Unavailable
        | ErrorCode::Internal
        | ErrorCode::Unknown => Exit::Negative,
    }
}

/// Returns an error of the operating system in lower case, without "(os error 2)".
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// An error as `--json` prints it.
#[derive(Debug, Clone, Serialize)]
pub struct ErrorDocument {
    /// Its content; the wrapping keeps it apart from every answer.
    pub error: ErrorBody,
}

/// The content of an [`ErrorDocument`].
#[derive(Debug, Clone, Serialize)]
pub struct ErrorBody {
    /// For programs.
    pub code: Code,
    /// For people.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// The daemon's code, or one of ours.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Code {
    /// As the daemon said.
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
