//! Forcing an alarm by writing `TriggerData`, which `zmc` looks at once per frame.

use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use zmes_shared::MonitorId;

use super::decode::usable;
use super::file::{open_regular, read_fully};
use super::layout::{MAX_READ, trigger};
use super::read_error::Ownership;
use crate::{TriggerCommand, TriggerError};

/// Writes a command; the state comes last, because `zmc` acts on it.
pub(crate) fn write(path: &Path, monitor: MonitorId, command: &TriggerCommand) -> Result<(), TriggerError> {
    let failed = |error: io::Error| refused(path, monitor, &error);
    let file = open_regular(path, true).map_err(failed)?;
    let mut buffer = [0; MAX_READ];
    let length = read_fully(&file, &mut buffer).map_err(failed)?;
    let layout = usable(buffer.get(..length).unwrap_or_default()).map_err(|error| {
        if error.zmc_is_away() {
            TriggerError::NotCaptured(monitor)
        } else {
            TriggerError::Failed { monitor, detail: error.to_string() }
        }
    })?;
    let put = |offset: usize, bytes: &[u8]| {
        file.write_all_at(bytes, (layout.trigger() + offset) as u64).map_err(failed)
    };
    match command {
        TriggerCommand::On { score, cause, text } => {
            put(trigger::CAUSE, &padded::<{ trigger::CAUSE_LEN }>(cause))?;
            put(trigger::TEXT, &padded::<{ trigger::TEXT_LEN }>(text))?;
            put(trigger::SCORE, &(*score).max(1).to_ne_bytes())?;
            put(trigger::STATE, &trigger::ON.to_ne_bytes())
        }
        TriggerCommand::Cancel => put(trigger::STATE, &trigger::CANCEL.to_ne_bytes()),
    }
}

fn refused(path: &Path, monitor: MonitorId, error: &io::Error) -> TriggerError {
    let (kind, path_name) = (error.kind(), path.display());
    if kind == io::ErrorKind::NotFound {
        return TriggerError::NotCaptured(monitor);
    }
    if matches!(kind, io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem) {
        let whose = Ownership::of(path).map_or_else(String::new, |ownership| format!(" ({ownership})"));
        return TriggerError::NotPermitted(format!("{path_name}{whose} may not be written"));
    }
    TriggerError::Failed { monitor, detail: format!("{path_name}: {error}") }
}

/// Returns the text in a field of `N` bytes that ends with a NUL at least.
fn padded<const N: usize>(text: &str) -> [u8; N] {
    let mut field = [0; N];
    for (to, from) in field.iter_mut().zip(bounded(text, N - 1).bytes()) {
        *to = from;
    }
    field
}

/// Returns the beginning of a text, at most `length` bytes of whole characters.
pub(crate) fn bounded(text: &str, length: usize) -> &str {
    text.get(..text.floor_char_boundary(length)).unwrap_or_default()
}
