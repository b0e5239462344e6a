//! The administrator's URL, and the file with the nodes' URL. No password of either is printed.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use zmes_shared::database::{DatabaseUrl, escaped};

use crate::context::Context;
use crate::environment::DATABASE_URL_ENV;
use crate::error::CliError;
use crate::render::clean;

/// Largest file with a URL.
const MAX_FILE: u64 = 4096;

/// Returns the administrator's URL: from the command line, a file, or the environment.
pub(super) fn admin_url(
    said: Option<SecretString>,
    file: Option<PathBuf>,
    context: &mut Context,
) -> Result<DatabaseUrl, CliError> {
    let (source, text) = match (said, file, context.environment.database_url.take()) {
        (Some(text), _, _) => ("--database-url".to_owned(), text),
        (None, Some(file), _) => (file.display().to_string(), read(&file)?),
        (None, None, Some(text)) => (format!("${DATABASE_URL_ENV}"), text),
        (None, None, None) => {
            return Err(CliError::Usage {
                message: "no database URL given".to_owned(),
                hint:
                    "sudo zmesctl cluster init --database-url mysql://root@localhost; with a password, use \
                       --database-url-file"
                        .to_owned(),
            });
        }
    };
    parse(&source, &text)
}

fn parse(source: &str, text: &SecretString) -> Result<DatabaseUrl, CliError> {
    DatabaseUrl::parse(text.expose_secret().trim()).map_err(|fault| CliError::Usage {
        message: format!("the database URL of {source} {fault}"),
        hint: fault.hint("zmesd"),
    })
}

/// Reads a file with a URL; `-` is the standard input.
fn read(file: &Path) -> Result<SecretString, CliError> {
    let unread = |source| CliError::File { file: file.display().to_string(), source };
    let mut text = String::new();
    if file == Path::new("-") {
        io::stdin().take(MAX_FILE).read_to_string(&mut text).map_err(unread)?;
    } else {
        let opened = fs::File::open(file).map_err(unread)?;
        opened.take(MAX_FILE).read_to_string(&mut text).map_err(unread)?;
    }
    Ok(text.into())
}

/// The file with the URL that nodes use.
pub(super) struct NodeUrl {
    pub(super) file: PathBuf,
    pub(super) url: DatabaseUrl,
    /// It is on the disk; else it is written before anything is made.
    pub(super) exists: bool,
}

impl NodeUrl {
    /// Reads it, or makes one with a new password.
    pub(super) fn of(file: &Path, admin: &DatabaseUrl, user: &str) -> Result<Self, CliError> {
        if file.exists() {
            let url = parse(&file.display().to_string(), &read(file)?)?;
            if (url.user.as_str(), url.name.as_str()) == (user, admin.name.as_str()) {
                return Ok(Self { file: file.to_owned(), url, exists: true });
            }
            let (theirs, schema) = (clean(&url.user).into_owned(), clean(&url.name).into_owned());
            return Err(CliError::Usage {
                message: format!(
                    "{} is for account {theirs} and schema {schema}, not for {user} and {}",
                    file.display(),
                    admin.name
                ),
                hint: "name another file with --output, or the same account with --account".to_owned(),
            });
        }
        let password = new_password().map_err(|source| CliError::File { file: RANDOM.to_owned(), source })?;
        let url = DatabaseUrl { user: user.to_owned(), password, ..admin.clone() };
        Ok(Self { file: file.to_owned(), url, exists: false })
    }

    /// Writes it, readable for who may read the directory's group alone.
    pub(super) fn write(&mut self) -> Result<(), CliError> {
        if self.exists {
            return Ok(());
        }
        let unwritable = |source| CliError::Unwritable {
            file: self.file.display().to_string(),
            option: "--output",
            source,
        };
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&self.file)
            .map_err(unwritable)?;
        let text = format!("{}\n", self.url.text(&escaped(&self.url.password)));
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(unwritable)?;
        // In /etc/zmesd the daemon reads by the group of the directory. Elsewhere, the owner moves it there.
        let parent = self.file.parent().filter(|parent| !parent.as_os_str().is_empty());
        if let Some(directory) = parent.and_then(|parent| parent.metadata().ok())
            && directory.uid() == 0
            && directory.gid() != 0
            && std::os::unix::fs::fchown(&file, None, Some(directory.gid())).is_ok()
        {
            file.set_permissions(fs::Permissions::from_mode(0o640)).map_err(unwritable)?;
        }
        self.exists = true;
        Ok(())
    }
}

const RANDOM: &str = "/dev/urandom";

/// Makes a password of 128 bits, in hexadecimal digits: it needs no quoting anywhere.
fn new_password() -> io::Result<String> {
    let mut bytes = [0; 16];
    fs::File::open(RANDOM)?.read_exact(&mut bytes)?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}
