//! Forcing an alarm by writing `TriggerData`, which `zmc` looks at once per frame.

use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::decode::usable;
use super::file::{open_regular, read_fully};
use super::layout::{MAX_READ, trigger};
use super::ownership;
use crate::TriggerCommand;

/// Why the memory was not written.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WriteError {
    /// No `zmc` has filled the memory.
    #[error("shared memory is not there or not valid")]
    NotCaptured,
    /// The daemon may not write it.
    #[error("{0}")]
    Denied(String),
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

/// Writes a command; the state comes last, because it is what `zmc` acts on.
pub(crate) fn write(path: &Path, command: &TriggerCommand) -> Result<(), WriteError> {
    let file = open_regular(path, true).map_err(|error| refused(path, &error))?;
    let failed = |error: io::Error| WriteError::Failed(format!("{}: {error}", path.display()));
    let mut buffer = [0; MAX_READ];
    let length = read_fully(&file, &mut buffer).map_err(failed)?;
    let layout = usable(buffer.get(..length).unwrap_or_default()).map_err(|error| {
        if error.zmc_is_away() { WriteError::NotCaptured } else { WriteError::Failed(error.to_string()) }
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

fn refused(path: &Path, error: &io::Error) -> WriteError {
    let kind = error.kind();
    if kind == io::ErrorKind::NotFound {
        return WriteError::NotCaptured;
    }
    if matches!(kind, io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem) {
        let whose = ownership::of(path).map_or_else(String::new, |ownership| format!(" ({ownership})"));
        return WriteError::Denied(format!("{}{whose} may not be written", path.display()));
    }
    WriteError::Failed(format!("{}: {error}", path.display()))
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
