//! The state file: is it readable, writable and intact, and has its disk room?

use std::io;
use std::path::Path;

use tokio::time::Instant;
use zmes_shared::views::Finding;

use super::measure::{PartOutcome, bytes, took};
use crate::admin::AdminParts;
use crate::state::{self, Room, SetAside, StateError, StoreReport};

/// Less free space than this is a warning, in bytes.
const LOW: u64 = 64 * 1024 * 1024;
/// On a small disk, less than this part of it.
const LOW_PART: u64 = 10;
const STEP: &str = "state";

/// Reads the whole file, writes a file beside it, and reads the free space.
pub(super) async fn look(parts: &AdminParts) -> PartOutcome {
    let began = Instant::now();
    let directory = parts.configuration.running().state.directory.clone();
    let (probe, now) = (directory.clone(), parts.clock.now());
    let written = tokio::task::spawn_blocking(move || (state::try_write(&probe), state::room(&probe)));
    let place = directory.clone();
    let aside = tokio::task::spawn_blocking(move || state::set_aside_lately(&place, now)).await;
    let (examined, written) = tokio::join!(parts.state.examine(), written);
    let trouble = parts.state_trouble.borrow().clone();
    let (written, room) =
        written.unwrap_or_else(|_| (Err(io::Error::other("the check was cancelled")), None));
    let mut perf = vec![took("store", began)];
    perf.extend(examined.as_ref().ok().map(|report| bytes("store_size", report.bytes)));
    let mut findings = judge(&directory, examined, written, room, trouble.as_deref());
    findings.extend(damaged(&aside.unwrap_or_default()));
    PartOutcome { findings, perf }
}

fn damaged(aside: &[SetAside]) -> impl Iterator<Item = Finding> {
    aside.iter().map(|aside| Finding::warning(STEP, aside.sentence(), aside.hint()))
}

pub(super) fn glance(parts: &AdminParts) -> Vec<Finding> {
    let trouble = parts.state_trouble.borrow().clone();
    let directory = &parts.configuration.running().state.directory;
    trouble.iter().map(|trouble| unwritable(directory, trouble)).collect()
}

fn unwritable(directory: &Path, trouble: &str) -> Finding {
    let detail = format!("the state file cannot be written: {trouble}");
    Finding::error(STEP, detail, state::room_hint(directory))
}

pub(super) fn is_low(room: &Room) -> bool {
    room.free < LOW && room.free < room.size / LOW_PART
}

pub(super) fn low(directory: &Path, room: &Room) -> String {
    format!("only {} MiB are left in {}", room.free / (1024 * 1024), directory.display())
}

fn judge(
    directory: &Path,
    examined: Result<StoreReport, StateError>,
    written: io::Result<()>,
    room: Option<Room>,
    trouble: Option<&str>,
) -> Vec<Finding> {
    let place = directory.display();
    let full = state::room_hint(directory);
    if let Err(error) = written {
        let detail = format!("cannot write to {place}: {error}");
        return vec![Finding::error(STEP, detail, state::write_hint(directory, &error))];
    }
    if let Some(trouble) = trouble {
        return vec![unwritable(directory, trouble)];
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
        return vec![Finding::error(STEP, format!("{path} is damaged: {first}"), StoreReport::DAMAGED)];
    }
    if !writable {
        let detail = format!("{path} was not written within a second: the disk is very slow");
        let hint = "iostat -x 1 5 (package sysstat) shows what keeps it busy";
        return vec![Finding::error(STEP, detail, hint)];
    }
    let mut findings =
        vec![Finding::good(STEP, format!("{path} is intact and writable ({} KiB)", bytes.div_ceil(1024)))];
    if let Some(room) = room.filter(is_low) {
        findings.push(Finding::warning("disk", low(directory, &room), full));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: &str = "/var/lib/zmesd";
    const MIB: u64 = 1024 * 1024;

    fn report(damage: &[&str], writable: bool) -> StoreReport {
        let damage = damage.iter().map(|&line| line.to_owned()).collect();
        StoreReport { path: "/var/lib/zmesd/zmesd.db".into(), bytes: 5000, damage, writable }
    }

    fn first(
        examined: Result<StoreReport, StateError>,
        written: io::Result<()>,
        trouble: Option<&str>,
    ) -> Finding {
        judge(
            Path::new(PLACE),
            examined,
            written,
            Some(Room { free: 10_000 * MIB, size: 20_000 * MIB }),
            trouble,
        )
        .remove(0)
    }

    #[test]
    fn a_disk_that_is_full_is_told_before_all_else() {
        let full = io::Error::from_raw_os_error(28);
        let finding = first(Ok(report(&["page 3"], false)), Err(full), Some("disk I/O error"));
        assert!(!finding.ok && finding.detail.contains("No space left on device"), "{finding:?}");
        assert!(finding.hint.is_some_and(|hint| hint.starts_with("df -h /var/lib/zmesd ")));
    }

    #[test]
    fn each_trouble_is_red() {
        assert!(first(Ok(report(&[], true)), Ok(()), None).ok);
        for finding in [
            first(Ok(report(&["page 3"], true)), Ok(()), None),
            first(Ok(report(&[], false)), Ok(()), None),
            first(Ok(report(&[], true)), Ok(()), Some("disk I/O error")),
            first(Ok(report(&[], true)), Err(io::ErrorKind::PermissionDenied.into()), None),
        ] {
            assert!(!finding.ok && finding.hint.is_some(), "{finding:?}");
        }
    }

    #[test]
    fn little_room_is_a_warning_but_not_on_a_disk_that_is_small() {
        let told = |free, size| {
            judge(Path::new(PLACE), Ok(report(&[], true)), Ok(()), Some(Room { free, size }), None).len()
        };
        assert_eq!(told(60 * MIB, 20_000 * MIB), 2);
        assert_eq!(told(60 * MIB, 100 * MIB), 1);
        assert_eq!(told(600 * MIB, 20_000 * MIB), 1);
    }
}
