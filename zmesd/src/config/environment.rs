//! What the configuration takes from the process's environment: read here, once, and nowhere else.

use std::env;
use std::path::{Path, PathBuf};

use directories::BaseDirs;
use nix::unistd::{AccessFlags, User, access, geteuid};
use zmes_shared::paths;

/// The environment as far as the configuration depends on it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    /// `$ZMESD_CONFIG`
    pub config: Option<PathBuf>,
    /// `$CREDENTIALS_DIRECTORY`: secrets that systemd handed over.
    pub credentials: Option<PathBuf>,
    /// `$STATE_DIRECTORY`: the directory that systemd made for the state.
    pub state: Option<PathBuf>,
    /// `$RUNTIME_DIRECTORY`: the directory that systemd made for the socket.
    pub runtime: Option<PathBuf>,
    /// `$XDG_CONFIG_HOME`, usually `~/.config`.
    pub user_config: Option<PathBuf>,
    /// `$XDG_STATE_HOME`, usually `~/.local/state`.
    pub user_state: Option<PathBuf>,
    /// `$XDG_RUNTIME_DIR`, usually `/run/user/UID`.
    pub user_runtime: Option<PathBuf>,
    /// A system install: root, systemd, or the owner of the system's state directory.
    pub system: bool,
    /// The user that the process runs as, for messages.
    pub user: String,
    /// `--log-level`, which wins over the file.
    pub log_level: Option<String>,
}

impl Environment {
    pub fn of_process() -> Self {
        let path = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        // systemd separates several directories by colons; the first is the one that the unit names first.
        let first = |name: &str| {
            let list = env::var_os(name)?;
            env::split_paths(&list).next().filter(|path| path.is_absolute())
        };
        let user = BaseDirs::new();
        let (state, runtime) = (first("STATE_DIRECTORY"), first("RUNTIME_DIRECTORY"));
        let uid = geteuid();
        let owns_state = || access(paths::SYSTEM_STATE, AccessFlags::W_OK).is_ok();
        Self {
            config: path(paths::CONFIG_ENV),
            credentials: path("CREDENTIALS_DIRECTORY"),
            system: uid.is_root() || state.is_some() || runtime.is_some() || owns_state(),
            state,
            runtime,
            user_config: user.as_ref().map(|user| user.config_dir().to_owned()),
            user_state: user.as_ref().and_then(BaseDirs::state_dir).map(Path::to_owned),
            user_runtime: user.as_ref().and_then(BaseDirs::runtime_dir).map(Path::to_owned),
            user: User::from_uid(uid).ok().flatten().map_or_else(|| uid.to_string(), |user| user.name),
            log_level: None,
        }
    }

    /// Returns the configuration file: `--config`, else `$ZMESD_CONFIG`, else the user's own if it exists, else the
    /// system's.
    pub fn config_file(&self, option: Option<&Path>) -> PathBuf {
        if let Some(said) = option.or(self.config.as_deref()) {
            return said.to_owned();
        }
        let own = self.user_config.as_ref().map(|directory| directory.join(paths::USER_CONFIG));
        own.filter(|file| file.exists()).unwrap_or_else(|| PathBuf::from(paths::SYSTEM_CONFIG))
    }

    /// Returns where the control socket lies when the configuration does not say. A user without a runtime directory
    /// falls back to the system's path, which is also where `zmesctl` looks then.
    pub(super) fn socket(&self) -> PathBuf {
        match (&self.runtime, &self.user_runtime) {
            (Some(directory), _) if self.system => {
                directory.join(Path::new(paths::SYSTEM_SOCKET).file_name().unwrap_or_default())
            }
            (_, Some(directory)) if !self.system => directory.join(paths::USER_SOCKET),
            (_, _) => PathBuf::from(paths::SYSTEM_SOCKET),
        }
    }

    /// Returns the state directory when the configuration does not say.
    pub(super) fn state_directory(&self) -> PathBuf {
        match (&self.state, &self.user_state) {
            (Some(directory), _) if self.system => directory.clone(),
            (_, Some(directory)) if !self.system => directory.join(paths::USER_STATE),
            (_, _) => PathBuf::from(paths::SYSTEM_STATE),
        }
    }

    /// Returns where a file lies that the configuration names: a relative path among the credentials of systemd
    /// first, then beside the configuration file.
    pub(super) fn resolve(&self, named: &Path, config_file: &Path) -> PathBuf {
        if named.is_absolute() {
            return named.to_owned();
        }
        let credential = self.credentials.as_ref().map(|directory| directory.join(named));
        let beside = || config_file.parent().unwrap_or(Path::new("")).join(named);
        credential.filter(|file| file.exists()).unwrap_or_else(beside)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn of_user(home: &Path) -> Environment {
        Environment {
            user_config: Some(home.join("config")),
            user_state: Some(home.join("state")),
            user_runtime: Some(home.join("runtime")),
            user: "amy".into(),
            ..Environment::default()
        }
    }

    #[test]
    fn the_configuration_is_looked_for_in_the_pinned_order() {
        let home = tempfile::tempdir().unwrap();
        let mut environment = of_user(home.path());
        assert_eq!(environment.config_file(None), Path::new("/etc/zmesd/zmesd.toml"));
        let own = home.path().join("config/zmesd/zmesd.toml");
        fs::create_dir_all(own.parent().unwrap()).unwrap();
        fs::write(&own, "").unwrap();
        assert_eq!(environment.config_file(None), own);
        environment.config = Some("/by/variable".into());
        assert_eq!(environment.config_file(None), Path::new("/by/variable"));
        assert_eq!(environment.config_file(Some(Path::new("/by/option"))), Path::new("/by/option"));
    }

    #[test]
    fn a_user_and_the_system_have_places_of_their_own() {
        let mut environment = of_user(Path::new("/home/amy"));
        assert_eq!(environment.socket(), Path::new("/home/amy/runtime/zmesd/control.sock"));
        assert_eq!(environment.state_directory(), Path::new("/home/amy/state/zmesd"));
        environment.system = true;
        assert_eq!(environment.socket(), Path::new("/run/zmesd/control.sock"));
        assert_eq!(environment.state_directory(), Path::new("/var/lib/zmesd"));
        environment.runtime = Some("/run/other".into());
        environment.state = Some("/var/lib/other".into());
        assert_eq!(environment.socket(), Path::new("/run/other/control.sock"));
        assert_eq!(environment.state_directory(), Path::new("/var/lib/other"));
    }

    #[test]
    fn a_user_without_runtime_directory_takes_the_system_socket() {
        let environment = Environment { user_runtime: None, ..of_user(Path::new("/var/www")) };
        assert_eq!(environment.socket(), Path::new("/run/zmesd/control.sock"));
    }

    #[test]
    fn relative_files_are_credentials_first() {
        let credentials = tempfile::tempdir().unwrap();
        fs::write(credentials.path().join("app.key"), "k").unwrap();
        let environment =
            Environment { credentials: Some(credentials.path().into()), ..Environment::default() };
        let config = Path::new("/etc/zmesd/zmesd.toml");
        assert_eq!(environment.resolve(Path::new("app.key"), config), credentials.path().join("app.key"));
        assert_eq!(environment.resolve(Path::new("other.key"), config), Path::new("/etc/zmesd/other.key"));
        assert_eq!(environment.resolve(Path::new("/abs/key"), config), Path::new("/abs/key"));
    }
}
