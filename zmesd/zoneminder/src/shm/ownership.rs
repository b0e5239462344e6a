//! Whose a file is, for messages to admins.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use nix::unistd::{Gid, Group, Uid, User};

use crate::shm::{Denied, Ownership};

/// Describes a file that may not be opened.
pub(super) fn denied(path: &Path) -> Denied {
    Denied {
        path: Arc::from(path.to_string_lossy()),
        ownership: of(path),
        own_user: user_name(Uid::effective()),
    }
}

/// Returns mode and owners, which anybody may see who may list the directory.
pub(super) fn of(path: &Path) -> Option<Ownership> {
    let metadata = std::fs::symlink_metadata(path).ok()?;
    let gid = Gid::from_raw(metadata.gid());
    let group = Group::from_gid(gid).ok().flatten().map_or_else(|| gid.to_string(), |group| group.name);
    Some(Ownership {
        mode: metadata.mode() & 0o7777,
        user: user_name(Uid::from_raw(metadata.uid())),
        group: Arc::from(group),
    })
}

fn user_name(uid: Uid) -> Arc<str> {
    Arc::from(User::from_uid(uid).ok().flatten().map_or_else(|| uid.to_string(), |user| user.name))
}
