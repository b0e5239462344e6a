//! The process at the other end of a control connection, and its role.

use std::ffi::CString;
use std::io;
use std::time::Duration;

use nix::unistd::{Gid, Group, Uid, User, getgrouplist};
use tokio::net::UnixStream;
use zmes_shared::control::{ControlError, ErrorCode, Role};

/// How long the system's user database (perhaps a directory server) may take before the peer is an observer.
const LOOKUP_DEADLINE: Duration = Duration::from_secs(3);

#[derive(Debug, Clone)]
pub(super) struct Peer {
    pub(super) uid: u32,
    /// Its process id; `None` if it lives in another pid namespace.
    pub(super) pid: Option<i32>,
    pub(super) role: Role,
    /// Its user's name, where it was looked up.
    name: Option<String>,
    admin_group: String,
}

/// Entry of a user in the system's user database.
#[derive(Debug, Default, PartialEq, Eq)]
struct Membership {
    name: Option<String>,
    member: bool,
}

impl Peer {
    /// Asks the kernel for the peer's user, and the user database for this user's groups.
    pub(super) async fn of(stream: &UnixStream, admin_group: &str) -> io::Result<Self> {
        let credentials = stream.peer_cred()?;
        let (uid, gid) = (credentials.uid(), credentials.gid());
        let pid = credentials.pid().filter(|&pid| pid > 0);
        let mut peer = Self { uid, pid, role: Role::Admin, name: None, admin_group: admin_group.to_owned() };
        if uid == 0 || uid == Uid::effective().as_raw() {
            return Ok(peer);
        }
        let group = admin_group.to_owned();
        let lookup = tokio::task::spawn_blocking(move || membership(uid, gid, &group));
        let found = match tokio::time::timeout(LOOKUP_DEADLINE, lookup).await {
            Ok(Ok(found)) => found,
            Ok(Err(_)) | Err(_) => Membership::default(),
        };
        peer.role = if found.member { Role::Admin } else { Role::Observer };
        peer.name = found.name;
        Ok(peer)
    }

    /// Returns the user's name, or the uid if there is no name or the user database does not answer.
    pub(super) async fn user(&self) -> String {
        if let Some(name) = &self.name {
            return name.clone();
        }
        if self.uid == 0 {
            return "root".to_owned();
        }
        let uid = self.uid;
        let lookup = tokio::task::spawn_blocking(move || User::from_uid(Uid::from_raw(uid)).ok().flatten());
        match tokio::time::timeout(LOOKUP_DEADLINE, lookup).await {
            Ok(Ok(Some(user))) => user.name,
            Ok(Ok(None) | Err(_)) | Err(_) => format!("uid {uid}"),
        }
    }

    pub(super) fn forbidden(&self) -> ControlError {
        let user = self.name.clone().unwrap_or_else(|| format!("uid {}", self.uid));
        let error = ControlError::new(ErrorCode::Forbidden, format!("{user} has read-only access"));
        let name = self.name.as_deref().unwrap_or("USER");
        error.with_hint(format!(
            "sudo usermod -aG {} {name}, then log in again; or use sudo",
            self.admin_group
        ))
    }
}

/// Says whether a user belongs to a group: by the group of the process, or by the user database. Blocks.
///
/// The kernel tells only the primary group of the process at the other end, so the others are looked up.
fn membership(uid: u32, gid: u32, group: &str) -> Membership {
    let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    let Some(group) = Group::from_name(group).ok().flatten().map(|group| group.gid) else {
        return Membership { name: user.map(|user| user.name), member: false };
    };
    let member =
        group == Gid::from_raw(gid) || user.as_ref().is_some_and(|user| groups_of(user).contains(&group));
    Membership { name: user.map(|user| user.name), member }
}

fn groups_of(user: &User) -> Vec<Gid> {
    let Ok(name) = CString::new(user.name.as_bytes()) else { return Vec::new() };
    getgrouplist(&name, user.gid).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_that_is_not_there_has_no_members() {
        let found = membership(65534, 65534, "no-such-group");
        assert!(!found.member);
        assert!(!membership(65534, 65534, "").member);
    }

    #[test]
    fn the_group_of_the_process_counts() {
        let own = Group::from_gid(Gid::effective()).unwrap().unwrap();
        assert!(membership(4_000_000_000, own.gid.as_raw(), &own.name).member, "{}", own.name);
        assert!(!membership(4_000_000_000, own.gid.as_raw() + 1, &own.name).member);
    }
}
