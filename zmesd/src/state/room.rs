//! The disk of the state: can it be written, and how much space is left?

use std::io::{self, Write};
use std::path::Path;

use nix::sys::statvfs::statvfs;

/// Bytes that a trial write has: more than a full file system accepts.
const PROBE: usize = 64 * 1024;

/// The space of a file system, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Available to the daemon.
    pub free: u64,
    pub size: u64,
}

/// Writes an unnamed file and syncs it. Blocks: not for the event loop.
pub fn try_write(directory: &Path) -> io::Result<()> {
    let mut file = tempfile::tempfile_in(directory)?;
    file.write_all(&vec![0; PROBE])?;
    file.sync_all()
}

/// Returns the space, if the system reports it. Blocks: not for the event loop.
pub fn room(directory: &Path) -> Option<Room> {
    let found = statvfs(directory).ok()?;
    // The width of these numbers differs between platforms.
    let unit = i128::from(found.fragment_size());
    let bytes = |blocks: nix::libc::fsblkcnt_t| u64::try_from(i128::from(blocks) * unit).ok();
    Some(Room { free: bytes(found.blocks_available())?, size: bytes(found.blocks())? })
}

pub fn room_hint(directory: &Path) -> String {
    let place = directory.display();
    format!(
        "df -h {place} shows how full it is; journalctl --vacuum-size=100M frees space; zmesd then resumes by itself"
    )
}

pub fn write_hint(directory: &Path, error: &io::Error) -> String {
    let place = directory.display();
    #[expect(clippy::wildcard_enum_match_arm, reason = "the standard library's list, not ours")]
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            format!("chown zmesd {place}; in a service: StateDirectory= or ReadWritePaths={place}")
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            format!(
                "mount -o remount,rw $(findmnt -no TARGET -T {place}); dmesg shows why it became read-only"
            )
        }
        io::ErrorKind::NotFound => {
            format!("install -d -m 0700 -o zmesd {place}, then: systemctl restart zmesd")
        }
        _ => room_hint(directory),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_try_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        try_write(directory.path()).unwrap();
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        let room = room(directory.path()).unwrap();
        assert!(room.free <= room.size && room.size > 0, "{room:?}");
    }

    #[test]
    fn each_error_names_its_command() {
        let place = Path::new("/var/lib/zmesd");
        let hint = |kind: io::ErrorKind| write_hint(place, &kind.into());
        assert!(
            try_write(Path::new("/nonexistent/zmesd"))
                .is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
        );
        assert!(hint(io::ErrorKind::NotFound).starts_with("install -d -m 0700 -o zmesd /var/lib/zmesd"));
        assert!(hint(io::ErrorKind::PermissionDenied).starts_with("chown zmesd /var/lib/zmesd"));
        assert!(hint(io::ErrorKind::ReadOnlyFilesystem).starts_with("mount -o remount,rw"));
        assert!(hint(io::ErrorKind::StorageFull).starts_with("df -h /var/lib/zmesd "));
    }
}
