//! The state: can it be read and written, is it whole, is there room?

use std::io::{self, Write};
use std::path::Path;

use nix::sys::statvfs::statvfs;
use zmes_shared::views::Finding;

use crate::control::ControlParts;
use crate::state::{StateError, StoreReport};

/// What is written to try: more than a file system gives to what it has no room for.
const PROBE: [u8; 64 * 1024] = [0; 64 * 1024];
/// With less room than this a disk is as good as full, in bytes.
const LOW: u64 = 64 * 1024 * 1024;
/// How many parts of a hundred that must be, where the disk is a small one by nature.
const LOW_PERCENT: u64 = 10;
const STEP: &str = "state";

/// Reads the file whole, writes beside it, and looks at the room that is left.
pub(super) async fn look(parts: &ControlParts) -> Vec<Finding> {
    let directory = parts.configuration.running().state.directory.clone();
    let probe = directory.clone();
    let written = tokio::task::spawn_blocking(move || (write(&probe), room(&probe)));
    let (examined, written) = tokio::join!(parts.state.examine(), written);
    let trouble = parts.state_trouble.borrow().clone();
    let (written, room) = written.unwrap_or_else(|_| (Err(io::Error::other("the try was given up")), None));
    judge(&directory, examined, written, room, trouble.as_deref())
}

/// Writes a nameless file, all the way to the disk.
fn write(directory: &Path) -> io::Result<()> {
    let mut file = tempfile::tempfile_in(directory)?;
    file.write_all(&PROBE)?;
    file.sync_all()
}

/// Returns the free bytes, and the size of the file system.
fn room(directory: &Path) -> Option<(u64, u64)> {
    let found = statvfs(directory).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(found.fragment_size());
    Some((bytes(found.blocks_available()), bytes(found.blocks())))
}

fn judge(
    directory: &Path,
    examined: Result<StoreReport, StateError>,
    written: io::Result<()>,
    room: Option<(u64, u64)>,
    trouble: Option<&str>,
) -> Vec<Finding> {
    let place = directory.display();
    let full = format!("df -h {place} tells how full it is; journalctl --vacuum-size=100M makes room: zmesd goes on by itself");
    if let Err(error) = written {
        let detail = format!("nothing can be written to {place}: {error}");
        return vec![Finding::error(STEP, detail, write_hint(directory, &error, &full))];
    }
    if let Some(trouble) = trouble {
        return vec![Finding::error(STEP, format!("the state file cannot be written: {trouble}"), full)];
    }
    let report = match examined {
        Ok(report) => report,
        Err(error) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            let detail = format!("cannot read the {error}: {cause}");
            return vec![Finding::error(STEP, detail, format!("ls -l {place}; journalctl -u zmesd -n 50"))];
        }
    };
    let StoreReport { path, bytes, damage, writable } = report;
    if let Some(first) = damage.first() {
        let hint = format!(
            "zmesctl tokens export > tokens.json; systemctl stop zmesd; mv {path} {path}.damaged; systemctl start zmesd; \
             zmesctl tokens import tokens.json"
        );
        return vec![Finding::error(STEP, format!("{path} is damaged: {first}"), hint)];
    }
    if !writable {
        let detail = format!("{path} was not written within a second: the disk is very slow");
        return vec![Finding::error(STEP, detail, "iostat -x 1 5 (package sysstat) tells what keeps it busy")];
    }
    let mut findings =
        vec![Finding::good(STEP, format!("{path} is whole and can be written ({} KiB)", bytes.div_ceil(1024)))];
    if let Some((free, _)) = room.filter(|&(free, all)| free < LOW && free < all / LOW_PERCENT) {
        let detail = format!("only {} MiB are left in {place}", free / (1024 * 1024));
        findings.push(Finding::warning("disk", detail, full));
    }
    findings
}

fn write_hint(directory: &Path, error: &io::Error, full: &str) -> String {
    let place = directory.display();
    #[expect(clippy::wildcard_enum_match_arm, reason = "the standard library's list, not ours")]
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            format!("chown zmesd: {place}; in a service: StateDirectory= or ReadWritePaths={place}")
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            format!("mount -o remount,rw $(findmnt -no TARGET -T {place}); dmesg tells why it became so")
        }
        io::ErrorKind::NotFound => format!("install -d -m 0700 -o zmesd {place}; systemctl restart zmesd"),
        _ => full.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: &str = "/var/lib/zmesd";
    const MIB: u64 = 1024 * 1024;

    fn report(damage: &[&str], writable: bool) -> Result<StoreReport, StateError> {
        let damage = damage.iter().map(|&line| line.to_owned()).collect();
        Ok(StoreReport { path: "/var/lib/zmesd/zmesd.db".into(), bytes: 5000, damage, writable })
    }

    fn first(
        examined: Result<StoreReport, StateError>,
        written: io::Result<()>,
        trouble: Option<&str>,
    ) -> Finding {
        judge(Path::new(PLACE), examined, written, Some((10_000 * MIB, 20_000 * MIB)), trouble).remove(0)
    }

    #[test]
    fn a_disk_that_is_full_is_told_before_all_else() {
        let full = io::Error::from_raw_os_error(28);
        let finding = first(report(&["page 3"], false), Err(full), Some("disk I/O error"));
        assert!(!finding.ok && finding.detail.contains("No space left on device"), "{finding:?}");
        assert!(finding.hint.is_some_and(|hint| hint.starts_with("df -h /var/lib/zmesd ")));
    }

    #[test]
    fn each_trouble_is_red() {
        assert!(first(report(&[], true), Ok(()), None).ok);
        for finding in [
            first(report(&["page 3"], true), Ok(()), None),
            first(report(&[], false), Ok(()), None),
            first(report(&[], true), Ok(()), Some("disk I/O error")),
            first(report(&[], true), Err(io::ErrorKind::PermissionDenied.into()), None),
        ] {
            assert!(!finding.ok && finding.hint.is_some(), "{finding:?}");
        }
    }

    #[test]
    fn little_room_is_a_warning_but_not_on_a_disk_that_is_small() {
        let told = |free, all| judge(Path::new(PLACE), report(&[], true), Ok(()), Some((free, all)), None).len();
        assert_eq!(told(60 * MIB, 20_000 * MIB), 2);
        assert_eq!(told(60 * MIB, 100 * MIB), 1);
        assert_eq!(told(600 * MIB, 20_000 * MIB), 1);
    }

    #[test]
    fn the_try_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path()).unwrap();
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        assert!(write(&directory.path().join("missing")).is_err());
        assert!(room(directory.path()).is_some_and(|(free, all)| free <= all));
    }
}
