//! The user that the packages create, from the packages' own files, without creating it on this machine.
//!
//! The users and groups of this machine are copied; `sysusers.d/zmesd.conf` and `web-group` of `packaging/` add to the
//! copies what an installation would add. A daemon started with them sees the copies instead of the real files, in a
//! separate mount namespace. Needs root.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::binaries::{repository, zmesd_binary};
use crate::process::Process;

/// Mounts the copies over the real files, then becomes the user as systemd does: with its own groups and no
/// capabilities.
const BECOME: &str = "mount --bind \"$1/etc/passwd\" /etc/passwd && mount --bind \"$1/etc/group\" /etc/group || exit 1
user=$2; shift 2
exec setpriv --reuid=\"$user\" --regid=\"$user\" --init-groups --inh-caps=-all --bounding-set=-all --no-new-privs \
 --pdeathsig KILL -- \"$@\"";

/// Users and groups of a machine on which the package is installed.
#[derive(Debug)]
pub struct PackagedUsers {
    root: PathBuf,
}

impl PackagedUsers {
    /// The user of the unit.
    pub const ZMESD: &str = "zmesd";

    /// Creates them below `root`, which all users must be able to enter.
    pub fn install(root: &Path) -> Result<Self> {
        let etc = root.join("etc");
        fs::create_dir_all(&etc)?;
        for file in ["passwd", "group", "shadow", "gshadow"] {
            let copied = fs::copy(Path::new("/etc").join(file), etc.join(file));
            copied.with_context(|| format!("/etc/{file}"))?;
        }
        let packaging = repository()?.join("packaging");
        let sysusers = File::open(packaging.join("sysusers.d/zmesd.conf"))?;
        ran(Command::new("systemd-sysusers")
            .arg(format!("--root={}", root.display()))
            .arg("-")
            .stdin(sysusers))?;
        ran(Command::new(packaging.join("web-group")).arg("--root").arg(root).arg("join"))?;
        Ok(Self { root: root.to_path_buf() })
    }

    /// Creates a directory that belongs to `user`, with this mode.
    pub fn directory(&self, path: &Path, user: &str, mode: u32) -> Result<()> {
        fs::create_dir_all(path)?;
        fs::set_permissions(path, Permissions::from_mode(mode))?;
        let (uid, gid) = self.ids(user)?;
        Ok(chown(path, Some(uid), Some(gid))?)
    }

    /// Gives a file to root and the group of `user`, as the package does with configuration and keys.
    pub fn readable(&self, path: &Path, user: &str) -> Result<()> {
        let (_, gid) = self.ids(user)?;
        chown(path, Some(0), Some(gid))?;
        Ok(fs::set_permissions(path, Permissions::from_mode(0o640))?)
    }

    /// Returns the start of a command that runs the daemon as `user`; its arguments follow. The program is copied to
    /// `place`, because the build directory may be in a home directory that others cannot enter.
    pub(crate) fn command(&self, user: &str, place: &Path) -> Result<Command> {
        let program = place.join("zmesd");
        if !program.exists() {
            fs::copy(zmesd_binary()?, &program)?;
        }
        let mut command = Process::command("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", BECOME, "sh"]);
        command.arg(&self.root).arg(user).arg(program);
        Ok(command)
    }

    fn ids(&self, user: &str) -> Result<(u32, u32)> {
        let users = fs::read_to_string(self.root.join("etc/passwd"))?;
        let line = users.lines().find(|line| line.split(':').next() == Some(user));
        let fields: Vec<&str> = line.with_context(|| format!("no user {user}"))?.split(':').collect();
        ensure!(fields.len() > 3, "{fields:?}");
        Ok((fields[2].parse()?, fields[3].parse()?))
    }
}

fn ran(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
