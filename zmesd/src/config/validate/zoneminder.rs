//! `[zoneminder]`: what `zm.conf` says, what overrides it, and what to do where it cannot be read.

use std::io;
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;
use zmes_files::FileError;
use zmes_zoneminder::conf::{
    ConnectionFault, Continuation, DatabaseConfig, PAIR_HINT, ServerIdentity, ServerScope, ValuePlace,
    ZmConf, ZmValue,
};

use super::{Checker, Reported};
use crate::config::access::{unread, zoneminder_remedy};
use crate::config::file::ZoneminderSection;
use crate::config::forms::ServerChoice;
use crate::config::problem::{Problem, quotable};
use crate::config::shown::{HIDDEN, Shown, toml_string};
use crate::config::{Source, ZoneminderConfig};
use zmes_zoneminder::pictures::StorageRoots;

/// ZoneMinder's default directory for its shared memory.
const PATH_MAP: &str = "/dev/shm";
/// Paths of `zm.conf`: Debian, Ubuntu, Fedora, Red Hat; openSUSE; FreeBSD and builds from source; builds before 1.32.
const PLACES: [&str; 4] =
    ["/etc/zm/zm.conf", "/etc/zoneminder/zm.conf", "/usr/local/etc/zm/zm.conf", "/etc/zm.conf"];

impl Checker<'_> {
    /// Returns the section, and the `zm.conf` that was read for it.
    pub(super) fn zoneminder(
        &mut self,
        section: &ZoneminderSection,
    ) -> Result<(ZoneminderConfig, Option<PathBuf>), Reported> {
        let url = self.secret(&section.database_url);
        let named = section.config.value.as_deref();
        let path = named.map(|named| place_of(self.environment.resolve(named, self.path), &PLACES));
        let conf = self.zm_conf(section, path.as_deref(), !matches!(url, Ok(None)));
        let database = match (url, &conf) {
            (Ok(Some(url)), _) => self.database_of_url(section, url.expose_secret()),
            (Ok(None), Ok(Some(conf))) => self.database_of(conf),
            (Ok(None), Ok(None)) => {
                let hint = "name ZoneMinder's zm.conf, or set zoneminder.database-url";
                Err(self.problem(&section.config.place, "is empty", hint))
            }
            (Err(reported), _) | (_, &Err(reported)) => Err(reported),
        };
        if let Ok(database) = &database {
            self.warn_unverified(section, database);
        }
        let conf = conf?;
        let text = |name| conf.as_ref().and_then(|conf| conf.text(name)).map(PathBuf::from);
        let path_map = self.absolute(&section.path_map)?.or_else(|| text("ZM_PATH_MAP"));
        let path_map = path_map.unwrap_or_else(|| PathBuf::from(PATH_MAP));
        if section.source.value != Source::Db && !path_map.is_dir() {
            let message = format!("there is no directory {} for the shared memory", path_map.display());
            let hint = "is ZoneMinder running? ZM_PATH_MAP in zm.conf, or zoneminder.path-map, must name its directory";
            self.warn(&section.path_map.place, message, hint);
        }
        let servers = match section.server_id.value {
            ServerChoice::AsInZmConf => self.server_of(conf.as_ref()).map(ServerScope::from),
            ServerChoice::One(id) => Ok(ServerScope::Own(ServerIdentity::Id(id))),
            ServerChoice::All => self.all_servers(section, conf.as_ref()),
        };
        let (database, servers, path_socks) = (database?, servers?, text("ZM_PATH_SOCKS"));
        let roots = conf.as_ref().map(StorageRoots::of).unwrap_or_default();
        let zm_conf = conf.and(path);
        self.resolved.set_path(&section.path_map.place, &path_map);
        if let Some(shown) = shown_servers(&servers) {
            self.resolved.set(&section.server_id.place, shown);
        }
        self.show_database(section, &database, zm_conf.as_deref(), path_socks.as_deref());
        Ok((section.config(database, path_map, path_socks, roots, servers), zm_conf))
    }

    /// Notes the database as the URL that names it, whichever file that comes from. What else is taken from `zm.conf`
    /// counts as its value.
    fn show_database(
        &mut self,
        section: &ZoneminderSection,
        database: &DatabaseConfig,
        zm_conf: Option<&Path>,
        path_socks: Option<&Path>,
    ) {
        let exact = database.url(database.password.expose_secret());
        let by_url = database.origin.is_url();
        let (by_conf, by_url) = if by_url { (String::new(), exact) } else { (exact, String::new()) };
        let url = Shown::text(&database.url(HIDDEN)).exactly(&by_url);
        self.resolved.set(&section.database_url.place, url);
        let path = Shown::path(zm_conf);
        let exact = format!("{} {path_socks:?} {by_conf}", path.toml);
        self.resolved.set(&section.config.place, path.exactly(&exact));
    }

    /// Reads `zm.conf`. Where the database is known without it, it may be missing.
    fn zm_conf(
        &mut self,
        section: &ZoneminderSection,
        path: Option<&Path>,
        dispensable: bool,
    ) -> Result<Option<ZmConf>, Reported> {
        let Some(path) = path else { return Ok(None) };
        let (file, error) = match ZmConf::load(path, Continuation::of(section.version.value)) {
            Ok(conf) => {
                for (file, line) in conf.ignored() {
                    self.warnings.push(Problem {
                        file: file.clone(),
                        line: Some(*line),
                        key: String::new(),
                        message: "neither a comment nor NAME=VALUE: ignored, as ZoneMinder does".to_owned(),
                        hint: "remove the line, or put # before it".to_owned(),
                        grave: false,
                        certificate: None,
                    });
                }
                return Ok(Some(conf));
            }
            Err(failure) => failure,
        };
        let message = unread(&file, &error, &self.environment.user);
        let hint = match &error {
            FileError::Missing => elsewhere(path, &PLACES),
            FileError::Denied => zoneminder_remedy(&file, &self.environment.user),
            FileError::Irregular | FileError::TooLarge(_) | FileError::Other(_) => {
                "zoneminder.config must name ZoneMinder's zm.conf".to_owned()
            }
        };
        match (dispensable, error) {
            (false, _) => Err(self.problem(&section.config.place, message, hint)),
            (true, FileError::Missing) => Ok(None),
            (true, _) => {
                let message = format!("{message}; ZM_PATH_MAP and ZM_SERVER_ID are unknown");
                self.warn(&section.config.place, message, hint);
                Ok(None)
            }
        }
    }

    fn database_of_url(
        &mut self,
        section: &ZoneminderSection,
        url: &str,
    ) -> Result<DatabaseConfig, Reported> {
        let place = &section.database_url.place;
        let stated = ValuePlace { name: place.key.clone(), file: self.path.to_owned(), line: place.line };
        DatabaseConfig::from_url(url)
            .map(|database| database.stated_at(stated))
            .map_err(|fault| self.problem(place, fault.to_string(), fault.hint("zm")))
    }

    /// Warns about a database on another machine whose certificate is not verified.
    fn warn_unverified(&mut self, section: &ZoneminderSection, database: &DatabaseConfig) {
        let Some((message, hint)) = database.unverified() else { return };
        match database.origin.address().filter(|_| !database.origin.is_url()) {
            None => self.warn(&section.database_url.place, message, hint),
            Some(ValuePlace { name, file, line }) => self.warnings.push(Problem {
                file: file.clone(),
                line: *line,
                key: name.clone(),
                message,
                hint,
                grave: false,
                certificate: None,
            }),
        }
    }

    fn database_of(&mut self, conf: &ZmConf) -> Result<DatabaseConfig, Reported> {
        DatabaseConfig::from_zmconf(conf).map_err(|faults| {
            for fault in faults {
                let (name, hint) = (fault.name(), connection_hint(&fault).to_owned());
                self.zm_problem(conf.value(name), name, fault.to_string(), hint);
            }
            Reported
        })
    }

    /// Checks `server-id = "all"`: whose shared memory lies on this machine has to be known, unless none is read.
    fn all_servers(
        &mut self,
        section: &ZoneminderSection,
        conf: Option<&ZmConf>,
    ) -> Result<ServerScope, Reported> {
        if section.source.value == Source::Shm {
            let message = "\"all\" needs the Events table, which source = \"shm\" does not read";
            return Err(self.problem(&section.server_id.place, message, "set zoneminder.source = \"auto\""));
        }
        let own = self.server_of(conf)?;
        if own.is_none() && section.source.value != Source::Db {
            let message = "\"all\" needs to know which server this machine is, and zm.conf does not say so";
            let hint = "add ZM_SERVER_ID=N to zm.conf, with this machine's Id in table Servers (ZoneMinder itself needs \
                        it); if no zmc runs on this machine: zoneminder.source = \"db\"";
            return Err(self.problem(&section.server_id.place, message, hint));
        }
        Ok(ServerScope::All(own))
    }

    /// Returns the server that `zm.conf` names: `ZM_SERVER_ID`, else `ZM_SERVER_NAME`, else `ZM_SERVER_HOST`.
    fn server_of(&mut self, conf: Option<&ZmConf>) -> Result<Option<ServerIdentity>, Reported> {
        let Some(conf) = conf else { return Ok(None) };
        if let Some(value) = conf.value("ZM_SERVER_ID") {
            return match value.text.parse() {
                Ok(0) => Ok(None),
                Ok(id) => Ok(Some(ServerIdentity::Id(id))),
                Err(_) => {
                    let message = format!("`{}` is not the id of a server", quotable(&value.text));
                    let hint =
                        "write Servers.Id, or remove the line; zoneminder.server-id overrides it".to_owned();
                    Err(self.zm_problem(Some(value), "ZM_SERVER_ID", message, hint))
                }
            };
        }
        let name = conf.text("ZM_SERVER_NAME").or_else(|| conf.text("ZM_SERVER_HOST"));
        Ok(name.map(|name| ServerIdentity::Name(name.to_owned())))
    }

    /// Adds a problem with a value of `zm.conf`, or that it is missing.
    fn zm_problem(&mut self, value: Option<&ZmValue>, name: &str, message: String, hint: String) -> Reported {
        let file = value.map_or_else(|| self.path.to_owned(), |value| value.file.clone());
        let message = if value.is_some() { message } else { format!("{message} in zm.conf") };
        self.problems.push(Problem {
            file,
            line: value.map(|value| value.line),
            key: name.to_owned(),
            message,
            hint,
            grave: true,
            certificate: None,
        });
        Reported
    }
}

/// Returns the hint for a value of `zm.conf`, or the key of `zmesd.toml` that overrides it.
fn connection_hint(fault: &ConnectionFault) -> &'static str {
    match fault {
        ConnectionFault::UnsupportedType(_) => "ZoneMinder itself runs on mysql alone",
        ConnectionFault::InvalidHost(_) => {
            "IPv6 addresses do not work in zm.conf: give zoneminder.database-url, mysql://user:password@[::1]/zm"
        }
        ConnectionFault::MissingUser => "ZoneMinder needs it too; or give zoneminder.database-url",
        ConnectionFault::CertificateWithoutKey | ConnectionFault::KeyWithoutCertificate => PAIR_HINT,
    }
}

fn shown_servers(servers: &ServerScope) -> Option<Shown> {
    let shown = match servers {
        ServerScope::Single => return None,
        ServerScope::Own(ServerIdentity::Id(id)) => Shown::toml(id),
        ServerScope::Own(ServerIdentity::Name(name)) => {
            Shown::toml(format_args!("0  # {}, by zm.conf", toml_string(name)))
        }
        ServerScope::All(Some(ServerIdentity::Id(id))) => {
            Shown::toml(format_args!("\"all\"  # this is server {id}, by zm.conf"))
        }
        ServerScope::All(Some(ServerIdentity::Name(name))) => {
            Shown::toml(format_args!("\"all\"  # this is {}, by zm.conf", toml_string(name)))
        }
        ServerScope::All(None) => Shown::toml("\"all\"  # and this machine is none of them"),
    };
    Some(shown)
}

/// Returns where `zm.conf` is: where it is said to be; but where that is the first of `candidates`, which is the default,
/// and nothing is there, at the first of the others that has one. So no distribution needs a file of its own.
fn place_of(said: PathBuf, candidates: &[&str]) -> PathBuf {
    let usual = candidates.first().is_some_and(|usual| Path::new(usual) == said);
    // One that is closed to this user is there, and has to be opened.
    let missing = matches!(said.metadata(), Err(error) if error.kind() == io::ErrorKind::NotFound);
    let found = candidates.iter().map(Path::new).find(|candidate| usual && missing && candidate.exists());
    found.map_or(said, Path::to_owned)
}

/// Says where a `zm.conf` exists, if not at `path`.
fn elsewhere(path: &Path, candidates: &[&str]) -> String {
    match candidates.iter().find(|candidate| Path::new(candidate) != path && Path::new(candidate).exists()) {
        Some(found) => format!("there is one at {found}: write zoneminder.config = \"{found}\""),
        None => "is ZoneMinder installed here? Name its zm.conf, or set zoneminder.database-url".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_zm_conf_of_another_distribution_is_found_by_itself() {
        let directory = tempfile::tempdir().unwrap();
        let usual = directory.path().join("zm/zm.conf");
        let other = directory.path().join("zoneminder/zm.conf");
        let candidates = [usual.to_str().unwrap(), "/nonexistent/zm.conf", other.to_str().unwrap()];
        assert_eq!(place_of(usual.clone(), &candidates), usual, "there is none at all");
        std::fs::create_dir_all(other.parent().unwrap()).unwrap();
        std::fs::write(&other, "").unwrap();
        assert_eq!(place_of(usual.clone(), &candidates), other);
        let said = directory.path().join("mine.conf");
        assert_eq!(place_of(said.clone(), &candidates), said, "what the admin says counts");
        std::fs::create_dir_all(usual.parent().unwrap()).unwrap();
        std::fs::write(&usual, "").unwrap();
        assert_eq!(place_of(usual.clone(), &candidates), usual);
    }

    #[test]
    fn a_zm_conf_at_another_usual_place_is_pointed_at() {
        let directory = tempfile::tempdir().unwrap();
        let other = directory.path().join("zm.conf");
        let candidates = ["/nonexistent/zm.conf", other.to_str().unwrap()];
        assert!(
            elsewhere(Path::new("/etc/zm/zm.conf"), &candidates).contains("is ZoneMinder installed here?")
        );
        std::fs::write(&other, "").unwrap();
        let hint = elsewhere(Path::new("/etc/zm/zm.conf"), &candidates);
        assert_eq!(hint, format!("there is one at {0}: write zoneminder.config = \"{0}\"", other.display()));
        assert!(
            elsewhere(&other, &candidates).contains("is ZoneMinder installed here?"),
            "not where it was missed"
        );
    }
}
