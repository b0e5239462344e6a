//! Diagnosis without a running daemon: why its socket does not answer, what systemd reports, and whether `zmesd` could
//! start with its configuration.
//!
//! The configuration is checked as the user of the service: root can read every key, the daemon cannot.

use std::borrow::Cow;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use serde::Serialize;
use tokio::process::Command;
use tokio::time::timeout;
use zmes_shared::client::ClientError;
use zmes_shared::views::{Doctor, Finding};

use super::Examined;
use crate::environment::{Environment, User};
use crate::error::{CliError, ErrorBody};
use crate::exit::Exit;
use crate::render::{Out, View};
use crate::zmesd;

/// Time limit for each program that is run.
const DEADLINE: Duration = Duration::from_secs(40);
/// Properties of the service to request from systemd.
const PROPERTIES: &str = "--property=LoadState,ActiveState,SubState,Result,ExecMainStatus,User,ExecStart";

/// The findings, and the error that any other command would have ended with.
#[derive(Debug)]
pub(super) struct Away {
    pub(super) examined: Examined,
    pub(super) error: CliError,
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    doctor: &'a Doctor,
    error: ErrorBody,
}

impl Serialize for Away {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Document { doctor: &self.examined.doctor, error: self.error.document().error }.serialize(serializer)
    }
}

impl View for Away {
    const LIST: Option<&'static str> = Examined::LIST;

    fn human(&self, out: &mut Out) -> io::Result<()> {
        self.examined.human(out)
    }

    fn exit(&self) -> Exit {
        self.error.exit()
    }
}

/// Returns whether this module can explain an error.
pub(super) fn explains(error: &CliError) -> bool {
    match error {
        CliError::Client(error) => {
            !matches!(error, ClientError::Version { .. } | ClientError::BadAnswer { .. })
        }
        CliError::Denied { .. } => true,
        CliError::Ended { .. }
        | CliError::Daemon(_)
        | CliError::Usage { .. }
        | CliError::Declined
        | CliError::NoSuchClient { .. }
        | CliError::NoSuchMonitor { .. }
        | CliError::NoSuchAlarm { .. }
        | CliError::File { .. }
        | CliError::Unwritable { .. }
        | CliError::Unparsable { .. }
        | CliError::Zmesd { .. }
        | CliError::Output(_)
        | CliError::Database { .. }
        | CliError::Terminal(_) => false,
    }
}

/// Examines the system without the daemon. The configuration comes first: if it has errors, the daemon cannot run.
pub(super) async fn look(error: &CliError, config: Option<&Path>, environment: &Environment) -> Doctor {
    if let CliError::Denied { .. } = error {
        // The daemon may well be running, and everything would be checked as the wrong user.
        return Doctor::new(vec![daemon(error, &Unit::default(), false)]);
    }
    let service = Unit::ask(environment).await;
    let mut findings = rehearse(config, &service, environment).await;
    let red = findings.iter().any(|finding| !finding.ok);
    findings.push(daemon(error, &service, red));
    Doctor::new(findings)
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Unit {
    /// `active (running)`, `failed (Result: exit-code, status 78)`; `None` if there is no systemd, or it has no such
    /// unit.
    state: Option<String>,
    failed: bool,
    /// The user that the service runs as; `None` if unknown.
    user: Option<String>,
    config: Option<PathBuf>,
}

impl Unit {
    async fn ask(environment: &Environment) -> Self {
        let Some(systemctl) = zmesd::find_in_path(environment, "systemctl") else { return Self::default() };
        let arguments = ["show", "zmesd.service", PROPERTIES].map(OsString::from);
        match execute(&systemctl, &arguments).await {
            Ok(output) => Self::read(&String::from_utf8_lossy(&output.stdout)),
            Err(_) => Self::default(),
        }
    }

    fn read(text: &str) -> Self {
        let value = |name: &str| {
            text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default()
        };
        if value("LoadState") != "loaded" {
            return Self::default();
        }
        let failed = value("ActiveState") == "failed" || value("SubState") == "auto-restart";
        let how = if failed {
            format!("Result: {}, status {}", value("Result"), value("ExecMainStatus"))
        } else {
            value("SubState").to_owned()
        };
        let user = value("User");
        // { path=/usr/bin/zmesd ; argv[]=/usr/bin/zmesd --config /etc/zmesd/zmesd.toml ; … }
        let mut words = value("ExecStart").split_ascii_whitespace().skip_while(|&word| word != "--config");
        let config = words.nth(1).filter(|word| word.starts_with('/')).map(PathBuf::from);
        Self {
            state: Some(format!("{} ({how})", value("ActiveState"))),
            failed,
            user: Some(if user.is_empty() { "root".to_owned() } else { user.to_owned() }),
            config,
        }
    }
}

/// Runs `zmesd`, as the user of the service, to check what it needs to start.
async fn rehearse(config: Option<&Path>, service: &Unit, environment: &Environment) -> Vec<Finding> {
    let Some(program) = zmesd::find(environment) else {
        let detail =
            "cannot check the configuration: the program zmesd is neither beside zmesctl nor in PATH";
        return vec![Finding::warning("configuration", detail, "apt install zmesd")];
    };
    let mut arguments: Vec<OsString> = ["check-config", "--json", "--rehearse"].map(OsString::from).into();
    if let Some(config) = config.or(service.config.as_deref()) {
        arguments.extend(["--config".into(), config.as_os_str().to_owned()]);
    }
    let other = service.user.as_deref().filter(|&user| user != "root");
    let outcome = match (other, environment.user) {
        (Some(user), User::Other) => {
            let detail = format!("the service runs as {user}: only root can check what it can read");
            return vec![Finding::warning("configuration", detail, "sudo zmesctl doctor")];
        }
        (Some(user), User::Root) => match zmesd::find_in_path(environment, "runuser") {
            Some(runuser) => {
                let as_user = [OsString::from("-u"), user.into(), "--".into(), program.clone().into()];
                execute(&runuser, &[&as_user, arguments.as_slice()].concat()).await
            }
            None => execute(&program, &arguments).await,
        },
        (None, _) => execute(&program, &arguments).await,
    };
    let output = match outcome {
        Ok(output) => output,
        Err(error) => {
            let detail = format!("cannot run {}: {error}", program.display());
            return vec![Finding::error("configuration", detail, "zmesd check-config")];
        }
    };
    if let Ok(doctor) = serde_json::from_slice::<Doctor>(&output.stdout) {
        return doctor.findings;
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().next().unwrap_or("nothing");
    let detail = format!("{} says: {said} ({})", program.display(), output.status);
    vec![Finding::error("configuration", detail, "zmesd check-config")]
}

async fn execute(program: &Path, arguments: &[OsString]) -> io::Result<Output> {
    let mut command = Command::new(program);
    // A working directory that the other user may not enter would cause an error of its own.
    command.args(arguments).current_dir("/").stdin(std::process::Stdio::null()).kill_on_drop(true);
    timeout(DEADLINE, command.output()).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

/// Returns a finding that says why the socket does not answer.
fn daemon(error: &CliError, service: &Unit, explained: bool) -> Finding {
    let state = service.state.as_deref().map_or_else(String::new, |state| format!("; systemd: {state}"));
    let start = if explained {
        "fix the errors above, then: systemctl restart zmesd"
    } else if service.failed {
        "journalctl -u zmesd -n 30 shows why it ended; then: systemctl restart zmesd"
    } else {
        "systemctl start zmesd; then: systemctl status zmesd"
    };
    // `explains` decides which errors get here.
    let (detail, hint): (_, Cow<'_, str>) =
        if let CliError::Client(ClientError::Unreachable { socket, source }) = error {
            let socket = socket.display();
            #[expect(clippy::wildcard_enum_match_arm, reason = "the standard library's list, not ours")]
            let detail = match source.kind() {
                io::ErrorKind::NotFound => format!("zmesd is not running: there is no socket {socket}"),
                io::ErrorKind::ConnectionRefused => {
                    format!(
                        "zmesd does not run: it was killed or crashed, and left the socket {socket} behind"
                    )
                }
                _ => error.document().error.message,
            };
            (detail, start.into())
        } else if let CliError::Denied { socket, .. } = error {
            let detail = format!("not permitted to open zmesd's control socket {}", socket.display());
            (detail, error.hint().unwrap_or_default())
        } else if let CliError::Client(ClientError::Timeout { .. }) = error {
            let hint = "journalctl -u zmesd -n 30; then: systemctl restart zmesd";
            (format!("{error}: it hangs or is suspended"), hint.into())
        } else {
            (error.document().error.message, start.into())
        };
    Finding::error("daemon", format!("{detail}{state}"), hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systemd_says_is_read() {
        let failed = "LoadState=loaded\nActiveState=failed\nSubState=failed\nResult=exit-code\n\
             ExecMainStatus=78\nUser=zmesd\n\
             ExecStart={ path=/usr/bin/zmesd ; argv[]=/usr/bin/zmesd --config /etc/zmesd/zmesd.toml ; ignore_errors=no }\n";
        let service = Unit::read(failed);
        assert_eq!(service.state.as_deref(), Some("failed (Result: exit-code, status 78)"));
        assert_eq!((service.failed, service.user.as_deref()), (true, Some("zmesd")));
        assert_eq!(service.config.as_deref(), Some(Path::new("/etc/zmesd/zmesd.toml")));
        let running = "LoadState=loaded\nActiveState=active\nSubState=running\nResult=success\nUser=\n";
        let service = Unit::read(running);
        assert_eq!(service.state.as_deref(), Some("active (running)"));
        assert_eq!((service.failed, service.user.as_deref()), (false, Some("root")));
        assert_eq!(Unit::read("LoadState=not-found\nActiveState=inactive\n"), Unit::default());
        assert_eq!(Unit::read("nonsense"), Unit::default());
    }

    #[test]
    fn each_way_of_not_answering_is_told_apart() {
        let away = |kind: io::ErrorKind| {
            CliError::Client(ClientError::Unreachable { socket: "/run/s".into(), source: kind.into() })
        };
        let table = [
            (away(io::ErrorKind::NotFound), "there is no socket /run/s", "systemctl start zmesd"),
            (
                away(io::ErrorKind::ConnectionRefused),
                "left the socket /run/s behind",
                "systemctl start zmesd",
            ),
            (
                CliError::Denied {
                    socket: "/run/s".into(),
                    group: Some("zmesd".to_owned()),
                    source: io::ErrorKind::PermissionDenied.into(),
                },
                "not permitted to open",
                "sudo usermod -aG zmesd $USER",
            ),
            (ClientError::Timeout { limit: DEADLINE }.into(), "it hangs", "journalctl -u zmesd"),
            (ClientError::Closed.into(), "closed the connection", "systemctl start zmesd"),
        ];
        for (error, detail, hint) in table {
            let finding = daemon(&error, &Unit::default(), false);
            assert!(finding.detail.contains(detail), "{finding:?}");
            assert!(finding.hint.as_deref().is_some_and(|found| found.starts_with(hint)), "{finding:?}");
        }
    }

    #[test]
    fn what_keeps_it_from_starting_is_mended_first() {
        let error = ClientError::Closed.into();
        let state = Some("failed (Result: exit-code, status 78)".into());
        let service = Unit { state, failed: true, ..Unit::default() };
        let hint = |explained| daemon(&error, &service, explained).hint.unwrap();
        assert!(hint(true).starts_with("fix the errors above"));
        assert!(hint(false).starts_with("journalctl"));
        assert!(
            daemon(&error, &service, false)
                .detail
                .ends_with("; systemd: failed (Result: exit-code, status 78)")
        );
    }
}
