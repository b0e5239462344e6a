//! Hints for files that the configuration names and that cannot be read.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{Gid, Group};
use zmes_files::FileError;

use super::environment::Environment;

/// The groups under which distributions run web servers, and with them ZoneMinder.
const WEB_GROUPS: [&str; 5] = ["www-data", "apache", "http", "nginx", "www"];

/// Says that a file cannot be read, why, and for which user if that matters.
pub(super) fn unread(path: &Path, error: &FileError, user: &str) -> String {
    let denied = if matches!(error, FileError::Denied) { format!(" for user {user}") } else { String::new() };
    format!("cannot read {}: {error}{denied}", path.display())
}

/// Says what to do about a file of the daemon's own that cannot be read; `absent` is the advice where it is missing.
pub(super) fn remedy(path: &Path, error: &FileError, environment: &Environment, absent: &str) -> String {
    match error {
        FileError::Missing => absent.to_owned(),
        FileError::Denied => {
            let file = path.display();
            match path.metadata() {
                Ok(metadata) if group_reads(&metadata) => join_group(&metadata, &environment.user),
                Ok(_) => format!(
                    "chgrp {} {file} && chmod 0640 {file}; or LoadCredential= in the unit",
                    environment.user
                ),
                Err(_) => {
                    format!(
                        "{} cannot enter a directory above it: `namei -l {file}` shows which",
                        environment.user
                    )
                }
            }
        }
        FileError::Irregular | FileError::TooLarge(_) => "is it the right path?".to_owned(),
        FileError::Other(_) => "check the file system and its mount".to_owned(),
    }
}

/// Says how to get access to a file of ZoneMinder that this user may not read.
pub(super) fn zoneminder_remedy(path: &Path, user: &str) -> String {
    let file = path.display();
    let group = web_group();
    match path.metadata() {
        Ok(metadata) if group_reads(&metadata) => join_group(&metadata, user),
        // Debian ships it so: not even ZoneMinder's own user can read it before the admin has done this.
        Ok(_) => format!(
            "chgrp {group} {file} && chmod 0640 {file} && usermod -aG {group} {user}, then restart zmesd; or set \
             zoneminder.database-url"
        ),
        Err(_) => format!(
            "usermod -aG {group} {user}, then restart zmesd; `namei -l {file}` shows which directory denies access"
        ),
    }
}

/// Says whether a group other than root's may read the file, so that joining it is enough.
fn group_reads(metadata: &Metadata) -> bool {
    metadata.mode() & 0o040 != 0 && metadata.gid() != 0
}

fn join_group(metadata: &Metadata, user: &str) -> String {
    let gid = metadata.gid();
    let group = Group::from_gid(Gid::from_raw(gid))
        .ok()
        .flatten()
        .map_or_else(|| gid.to_string(), |group| group.name);
    format!("usermod -aG {group} {user}, then restart zmesd")
}

/// Returns the group of the web server on this system; Debian's if there is none yet.
fn web_group() -> &'static str {
    let exists = |name: &&str| matches!(Group::from_name(name), Ok(Some(_)));
    WEB_GROUPS.into_iter().find(exists).unwrap_or("www-data")
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, chown};

    use super::*;

    #[test]
    fn the_advice_depends_on_who_may_read() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("zm.conf");
        fs::write(&file, "").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        let closed = zoneminder_remedy(&file, "zmesd");
        assert!(
            closed.starts_with("chgrp ") && closed.contains("usermod -aG ") && closed.contains(" zmesd"),
            "{closed}"
        );
        let denied = unread(&file, &FileError::Denied, "zmesd");
        assert_eq!(denied, format!("cannot read {}: permission denied for user zmesd", file.display()));
        let environment = Environment { user: "zmesd".into(), ..Environment::default() };
        let closed = remedy(&file, &FileError::Denied, &environment, "");
        assert!(closed.starts_with("chgrp zmesd "), "{closed}");
        assert_eq!(remedy(&file, &FileError::Missing, &environment, "make it"), "make it");

        // Only root can give a file away; where the tests are not root, the rest does not apply.
        fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        if chown(&file, None, Some(12345)).is_ok() {
            let open = "usermod -aG 12345 zmesd, then restart zmesd";
            assert_eq!(zoneminder_remedy(&file, "zmesd"), open);
            assert_eq!(remedy(&file, &FileError::Denied, &environment, ""), open);
        }
    }
}
