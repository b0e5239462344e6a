//! Why a monitor's shared memory cannot be read, in sentences for admins.

use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use nix::unistd::{Gid, Group, Uid};
use zmes_files::user_name;

/// Why there is no reading.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// There is no such file.
    #[error("no {name} in {directory}: zmc is not running")]
    NotThere {
        /// `zm.mmap.N`
        name: Arc<str>,
        /// `ZM_PATH_MAP`
        directory: Arc<str>,
    },
    /// The file is there, but `zmc` has not filled it yet.
    #[error("zmc is starting")]
    Starting,
    /// `valid` is 0: `zmc` has ended.
    #[error("zmc has stopped")]
    Stopped,
    /// The first word is not a known size of `SharedData`.
    #[error("unknown shared-memory layout (size {0})")]
    UnknownLayout(u32),
    /// The second structure does not begin with its size.
    #[error(
        "half-initialised shared memory (trigger size {0} instead of 560): zmc is starting, or it is damaged"
    )]
    HalfInitialised(u32),
    /// The file is shorter than its header says.
    #[error("shared memory is {found} bytes long, {needed} are needed: zmc is starting, or it is damaged")]
    Short {
        /// Bytes that could be read.
        found: usize,
        /// Bytes that the layout needs.
        needed: usize,
    },
    /// A field holds a value that no `zmc` writes.
    #[error("shared memory is damaged: {field} is {value}")]
    Implausible {
        /// Which field.
        field: &'static str,
        /// What it holds.
        value: u32,
    },
    /// The operating system does not let the daemon read it.
    #[error("permission denied: {0}")]
    Permission(Denied),
    /// Anything else.
    #[error("cannot read {path}: {detail}")]
    Io {
        /// Which file.
        path: Arc<str>,
        /// What the operating system said.
        detail: Arc<str>,
    },
}

/// A file that the daemon may not open, and its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// Which file.
    pub path: Arc<str>,
    /// Its permission bits and owners, where they could be seen.
    pub ownership: Option<Ownership>,
    /// The user that the daemon runs as.
    pub own_user: Arc<str>,
}

/// Permissions and owners of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ownership {
    /// Permission bits.
    pub mode: u32,
    /// Owner's name, or its number.
    pub user: Arc<str>,
    /// Group's name, or its number.
    pub group: Arc<str>,
}

impl Ownership {
    /// Returns mode and owners; search permission on the directory is enough to read them.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let metadata = std::fs::symlink_metadata(path).ok()?;
        let gid = Gid::from_raw(metadata.gid());
        let group = Group::from_gid(gid).ok().flatten().map_or_else(|| gid.to_string(), |group| group.name);
        let user = user_name(Uid::from_raw(metadata.uid()));
        Some(Self { mode: metadata.mode() & 0o7777, user: user.into(), group: group.into() })
    }
}

impl Denied {
    pub(super) fn of(path: &Path) -> Self {
        let (ownership, own_user) = (Ownership::of(path), user_name(Uid::effective()));
        Self { path: path.to_string_lossy().into(), ownership, own_user: own_user.into() }
    }
}

impl fmt::Display for Ownership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mode {:04o}, owner {}:{}", self.mode, self.user, self.group)
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(ownership) = &self.ownership else {
            return write!(f, "{}; run zmesd as the user of zmc or in its group", self.path);
        };
        write!(f, "{} ({ownership}); ", self.path)?;
        if ownership.mode & 0o040 == 0 {
            // Up to ZoneMinder 1.32 the file is 0600: no group helps.
            write!(f, "only {0} may read it: run zmesd as {0}", ownership.user)
        } else {
            write!(f, "usermod -aG {} {}, then restart zmesd", ownership.group, self.own_user)
        }
    }
}

impl ReadError {
    /// Says whether no `zmc` runs for the monitor; the next one starts with fresh memory.
    pub fn zmc_is_away(&self) -> bool {
        matches!(self, Self::NotThere { .. } | Self::Starting | Self::Stopped)
    }
}
