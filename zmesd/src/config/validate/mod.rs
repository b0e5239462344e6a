//! From the mirror of the file to [`Config`]: what depends on several keys, on other files or on the system.
//!
//! All problems are collected; what works but is unwise is a warning.

mod cluster;
mod labels;
mod looks;
mod mqtt;
mod pair;
mod picture;
mod push;
mod rules;
mod targets;
mod watchdog;
mod zoneminder;

pub use looks::{Looks, PushCheck};
pub use pair::{CertificateFault, PairCheck, PairFinding, PairPart, PairWeight};

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::unistd::Group;
use secrecy::SecretString;
use zmes_files::{read_bounded, readable, without_bom};

use super::access::{remedy, unread};
use super::environment::Environment;
use super::file::{ControlSection, File, ServerSection, StateSection, TlsSection};
use super::forms::{SOCKET_PATH_MAX, SecretSource};
use super::problem::{KeyPlace, Problem, Problems};
use super::section::Setting;
use super::settings::Resolved;
use super::shown::Shown;
use super::{
    Config, ControlConfig, MetricsConfig, MetricsListen, Origin, ServerConfig, StateConfig, TlsFiles,
};

/// Largest `zmesd.toml`, in bytes; the default file is a tenth of it.
const CONFIG_MAX: u64 = 256 * 1024;
/// Largest file with a secret, in bytes.
const SECRET_MAX: u64 = 64 * 1024;

/// A valid configuration, and warnings about it.
#[derive(Debug)]
pub struct Loaded {
    pub config: Config,
    /// What may cause trouble.
    pub warnings: Vec<Problem>,
}

impl Loaded {
    /// Reads and checks the file at `path` and what it refers to, with `looks` also the certificates and keys that it
    /// names. Gives all problems at once.
    pub fn read(path: &Path, environment: &Environment, looks: Option<Looks<'_>>) -> Result<Self, Problems> {
        let mut problems = Problems::new(path);
        let text = match read_bounded(path, CONFIG_MAX) {
            Ok(content) => without_bom(&content).to_vec(),
            Err(error) => {
                let absent = format!("zmesd default-config > {0}, then edit {0}", path.display());
                let hint = remedy(path, &error, environment, &absent);
                problems.push_whole(None, unread(path, &error, &environment.user), hint);
                return Err(problems);
            }
        };
        match str::from_utf8(&text) {
            Ok(text) => Self::check(text, path, environment, looks),
            Err(error) => {
                let before = text.iter().take(error.valid_up_to());
                let line = 1 + before.filter(|byte| **byte == b'\n').count();
                let (message, hint) = ("is not UTF-8".to_owned(), "save the file as UTF-8".to_owned());
                problems.push_whole(Some(line), message, hint);
                Err(problems)
            }
        }
    }

    /// Checks the text of the file at `path`, which need not exist.
    pub fn from_text(text: &str, path: &Path, environment: &Environment) -> Result<Self, Problems> {
        Self::check(text, path, environment, None)
    }

    fn check(
        text: &str,
        path: &Path,
        environment: &Environment,
        looks: Option<Looks<'_>>,
    ) -> Result<Self, Problems> {
        let mut problems = Problems::new(path);
        let mut file = File::read(text, &mut problems);
        if !file.whole {
            return Err(problems.sorted());
        }
        if let Some(level) = &environment.log_level {
            file.log.level.value.clone_from(level);
        }
        let (pair, push_look) = (looks.map(|looks| looks.pair), looks.map(|looks| looks.push));
        let (warnings, resolved) = (Vec::new(), Resolved::default());
        let mut checker = Checker { path, environment, pair, push_look, problems, warnings, resolved };
        match checker.config(&file) {
            Ok(config) if checker.problems.is_empty() => Ok(Self { config, warnings: checker.warnings }),
            Ok(_) | Err(Reported) => Err(checker.problems.sorted()),
        }
    }
}

/// Proof that a value is missing because a problem about it is on the list.
#[derive(Debug, Clone, Copy)]
struct Reported;

struct Checker<'a> {
    path: &'a Path,
    environment: &'a Environment,
    /// Checks the certificate, if the caller brings a check.
    pair: Option<PairCheck<'a>>,
    /// Checks what `[push]` names, if the caller brings a check.
    push_look: Option<PushCheck<'a>>,
    problems: Problems,
    warnings: Vec<Problem>,
    resolved: Resolved,
}

impl Checker<'_> {
    fn config(&mut self, file: &File) -> Result<Config, Reported> {
        let listen = &file.server.listen.value;
        let (server, zoneminder) = (self.server(&file.server, &file.tls), self.zoneminder(&file.zoneminder));
        let mqtt = self.mqtt(file);
        let (push, state, control) = (self.push(file), self.state(&file.state), self.control(&file.control));
        let (rules, metrics) = (self.rules(&file.rules), self.metrics(file));
        let (picture, watchdog) = (self.picture(&file.picture, &file.push), self.watchdog(&file.watchdog));
        let labels = self.labels(file);
        if !file.auth.enabled.value && exposed(listen) {
            let hint = "every client sees all alarms: enable it, or listen only on 127.0.0.1";
            self.warn(&file.auth.enabled.place, "false, and other machines can connect", hint);
        }
        let (zoneminder, zm_conf) = zoneminder?;
        let (push, targets) = push?;
        let cluster = self.cluster(&file.cluster, &zoneminder, push.retry_for);
        Ok(Config {
            server: server?,
            auth: file.auth.config(),
            push,
            picture,
            rules: Arc::new(rules?),
            end: file.end.config(),
            labels,
            targets: targets.into(),
            watchdog: watchdog?,
            mqtt: mqtt?,
            cluster: cluster?,
            state: state?,
            control: control?,
            metrics: metrics?,
            log: file.log.config(),
            origin: Origin {
                file: self.path.to_owned(),
                zm_conf,
                database_by_url: !matches!(file.zoneminder.database_url.value, SecretSource::Unset),
            },
            zoneminder,
            settings: file.settings(&self.resolved),
        })
    }

    fn server(&mut self, server: &ServerSection, tls: &TlsSection) -> Result<ServerConfig, Reported> {
        let plaintext = server.plaintext.value;
        if plaintext && exposed(&server.listen.value) {
            let hint = "passwords are sent unencrypted: use TLS, or listen only on 127.0.0.1 behind a proxy that does TLS";
            self.warn(&server.plaintext.place, "true, and other machines can connect", hint);
        }
        let tls = if plaintext { None } else { Some(self.tls(tls)?) };
        Ok(server.config(tls))
    }

    fn state(&mut self, state: &StateSection) -> Result<StateConfig, Reported> {
        let directory =
            self.absolute(&state.directory)?.unwrap_or_else(|| self.environment.state_directory());
        self.resolved.set_path(&state.directory.place, &directory);
        Ok(state.config(directory))
    }

    fn control(&mut self, control: &ControlSection) -> Result<ControlConfig, Reported> {
        let group = &control.admin_group;
        if group.value.is_empty() {
            let hint = "name a group; if it has no members, only root is an admin";
            self.problem(&group.place, "is empty", hint);
        } else if matches!(Group::from_name(&group.value), Ok(None)) {
            let name = &group.value;
            let hint = format!(
                "groupadd --system {name}; until then only root and the daemon's own user are admins"
            );
            self.warn(&group.place, format!("there is no group `{name}`"), hint);
        }
        let socket = self.absolute(&control.socket)?.unwrap_or_else(|| self.environment.socket());
        if socket.as_os_str().len() > SOCKET_PATH_MAX {
            let message = format!("{} is too long for a socket", socket.display());
            let hint = format!("the limit is {SOCKET_PATH_MAX} bytes: choose a shorter path");
            return Err(self.problem(&control.socket.place, message, hint));
        }
        self.resolved.set_path(&control.socket.place, &socket);
        Ok(control.config(socket))
    }

    /// Metrics need an address of their own: apps and admins log in, scrapers do not.
    fn metrics(&mut self, file: &File) -> Result<MetricsConfig, Reported> {
        let Setting { value: listen, place, .. } = &file.metrics.listen;
        let taken = match listen {
            Some(MetricsListen::Port(address)) if address.port() != 0 => {
                let same = |app: &SocketAddr| {
                    let covers = app.ip().is_unspecified() || app.ip() == address.ip();
                    covers && app.port() == address.port()
                };
                file.server.listen.value.iter().any(same).then_some("uses the same port as server.listen")
            }
            Some(MetricsListen::Socket(path)) => {
                let control = &file.control.socket.value;
                (control.as_ref() == Some(path)).then_some("is the control socket")
            }
            Some(MetricsListen::Port(_)) | None => None,
        };
        match taken {
            Some(problem) => {
                Err(self.problem(place, problem, "give metrics an address of their own: \"127.0.0.1:9090\""))
            }
            None => Ok(file.metrics.config()),
        }
    }

    /// Returns a path that must not depend on where the daemon is started.
    fn absolute(&mut self, setting: &Setting<Option<PathBuf>>) -> Result<Option<PathBuf>, Reported> {
        match &setting.value {
            Some(path) if !path.is_absolute() => {
                Err(self.problem(&setting.place, "is not an absolute path", "start it with /"))
            }
            path => Ok(path.clone()),
        }
    }

    /// Returns the path of a file that can be read, if one is named.
    fn file(
        &mut self,
        setting: &Setting<Option<PathBuf>>,
        absent: &str,
    ) -> Result<Option<PathBuf>, Reported> {
        let Some(named) = &setting.value else { return Ok(None) };
        let path = self.environment.resolve(named, self.path);
        match readable(&path) {
            Ok(()) => {
                self.resolved.set_path(&setting.place, &path);
                Ok(Some(path))
            }
            Err(error) => {
                let message = unread(&path, &error, &self.environment.user);
                let hint = remedy(&path, &error, self.environment, absent);
                Err(self.problem(&setting.place, message, hint))
            }
        }
    }

    /// Returns the path of a file that must be named and readable.
    fn required_file(
        &mut self,
        setting: &Setting<Option<PathBuf>>,
        absent: &str,
    ) -> Result<PathBuf, Reported> {
        match self.file(setting, absent)? {
            Some(path) => Ok(path),
            None => Err(self.problem(&setting.place, "is empty", absent)),
        }
    }

    /// Returns a secret, from the configuration or from the file that it names.
    fn secret(&mut self, setting: &Setting<SecretSource>) -> Result<Option<SecretString>, Reported> {
        let named = match &setting.value {
            SecretSource::Unset => return Ok(None),
            SecretSource::Inline(secret) => return Ok(Some(secret.clone())),
            SecretSource::File(named) => named,
        };
        let path = self.environment.resolve(named, self.path);
        let content = read_bounded(&path, SECRET_MAX).map_err(|error| {
            let message = unread(&path, &error, &self.environment.user);
            let absent = "write the secret into that file, or name the right one";
            let hint = remedy(&path, &error, self.environment, absent);
            self.problem(&setting.place, message, hint)
        })?;
        let secret = one_line(&content).map_err(|(found, hint)| {
            let file = path.display();
            let hint = hint.replace("FILE", &file.to_string());
            self.problem(&setting.place, format!("{file} does not hold a secret on one line: {found}"), hint)
        })?;
        self.resolved.set(&setting.place, Shown::secret(Some(&secret)));
        Ok(Some(secret))
    }

    /// Adds a problem, unless there is one about the same key: it would follow from the first.
    fn problem(&mut self, place: &KeyPlace, message: impl Into<String>, hint: impl Into<String>) -> Reported {
        if !self.problems.concern(&place.key) {
            self.problems.push_at(place, message, hint);
        }
        Reported
    }

    fn warn(&mut self, place: &KeyPlace, message: impl Into<String>, hint: impl Into<String>) {
        let warning = place.problem(self.path, message.into(), hint.into());
        self.warnings.push(Problem { grave: false, ..warning });
    }
}

/// Returns the secret that a file holds: its one line, whatever editor wrote it (byte order mark, CRLF, empty lines at
/// the end). Else what it holds, and what to do, with `FILE` for its name; never a part of the content.
fn one_line(content: &[u8]) -> Result<SecretString, (&'static str, &'static str)> {
    if content.starts_with(b"\xff\xfe") || content.starts_with(b"\xfe\xff") {
        return Err(("it is UTF-16 text", "`iconv -f UTF-16 -t UTF-8 FILE` converts it"));
    }
    let text = str::from_utf8(without_bom(content)).map_err(|_| {
        ("it is not UTF-8 text", "write only the secret into that file: `printf %s 'SECRET' > FILE`")
    })?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(("it is empty", "write the secret into that file: `printf %s 'SECRET' > FILE`"));
    }
    if text.chars().any(char::is_control) {
        let found = "it holds several lines or control characters";
        return Err((found, "write only the secret into that file: `printf %s 'SECRET' > FILE`"));
    }
    Ok(SecretString::from(text))
}

fn exposed(listen: &[SocketAddr]) -> bool {
    listen.iter().any(|address| !address.ip().to_canonical().is_loopback())
}

#[cfg(test)]
mod tests;
