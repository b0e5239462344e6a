//! Decodes the bytes of a `zm.mmap.N` to a [`Reading`]. Pure; no byte is trusted.
//!
//! `zmc` writes without locks, so fields may be from different moments and texts half written. `zmc` also parses what
//! cameras send, so its memory is as untrusted as they are.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use zmes_shared::MonitorState;
use zmes_shared::text::is_hidden_in_name;

use super::layout::{CAUSE_LEN, LastEvent, Layout, Numbering, TRIGGER_SIZE, trigger};
use crate::shm::ReadError;
use crate::{Reading, Recording, Trigger};

/// What the bytes alone do not say.
#[derive(Debug, Clone)]
pub(super) struct Context {
    /// How `state` is numbered if the layout does not say.
    pub(super) numbering: Numbering,
    /// [`Reading::generation`]
    pub(super) generation: u64,
    /// The last reading's `alarm_cause`, taken again where it has not changed.
    pub(super) cause: Arc<str>,
}

/// A reading, and the raw number of its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decoded {
    /// The reading.
    pub(super) reading: Reading,
    /// `state` as written.
    pub(super) number: u32,
}

/// Decodes what was read from the beginning of the file, [`super::layout::MAX_READ`] bytes or all there are.
pub(super) fn decode(bytes: &[u8], context: &Context) -> Result<Decoded, ReadError> {
    let layout = usable(bytes)?;
    let short = || ReadError::Short { found: bytes.len(), needed: layout.needed() };
    let number = u32_at(bytes, layout.state).ok_or_else(short)?;
    let numbering = layout.numbering.unwrap_or(context.numbering);
    let state = state(number, numbering).ok_or(ReadError::Implausible { field: "state", value: number })?;
    let time = |offset: usize| i64_at(bytes, offset).ok_or_else(short);
    let heartbeat = time(layout.heartbeat_time.unwrap_or(layout.last_write_time))?;
    let reading = Reading {
        state,
        last_event: match layout.last_event {
            LastEvent::Word(offset) => u32_at(bytes, offset).map(u64::from),
            LastEvent::Long(offset) => u64_at(bytes, offset),
        }
        .ok_or_else(short)?,
        startup_time: layout.startup_time.map_or(Ok(0), time)?,
        alarm_cause: kept(&text(bytes, layout.alarm_cause, CAUSE_LEN), &context.cause),
        trigger: trigger_of(bytes, layout),
        recording: layout.recording.and_then(|offset| recording(bytes.get(offset).copied())),
        signal: flag(bytes, layout.signal, "signal")?,
        heartbeat: Some(heartbeat)
            .filter(|&secs| secs > 0)
            .and_then(|secs| Timestamp::from_second(secs).ok()),
        layout: layout.size,
        state_written_last: layout.state_written_last,
        order_unknown: layout.order_unknown,
        generation: context.generation,
    };
    Ok(Decoded { reading, number })
}

/// Returns the layout of memory that a running `zmc` has filled.
pub(super) fn usable(bytes: &[u8]) -> Result<&'static Layout, ReadError> {
    let Some(size) = u32_at(bytes, 0) else {
        // Created, but not extended yet.
        return if bytes.is_empty() { Err(ReadError::Starting) } else { Err(short(bytes, 4)) };
    };
    if size == 0 {
        return Err(ReadError::Starting);
    }
    let layout = Layout::find(size).ok_or(ReadError::UnknownLayout(size))?;
    if bytes.len() < layout.needed() {
        return Err(short(bytes, layout.needed()));
    }
    let found = u32_at(bytes, layout.trigger()).unwrap_or_default();
    if found != TRIGGER_SIZE {
        return Err(ReadError::HalfInitialised(found));
    }
    if flag(bytes, layout.valid, "valid")? { Ok(layout) } else { Err(ReadError::Stopped) }
}

fn short(bytes: &[u8], needed: usize) -> ReadError {
    ReadError::Short { found: bytes.len(), needed }
}

/// Translates a number to a state; `None`: no release writes it.
fn state(number: u32, numbering: Numbering) -> Option<MonitorState> {
    let from_unknown = match numbering {
        // 1.36.0 to 1.36.15 declare UNKNOWN as -1.
        Numbering::FromIdle => number.wrapping_add(1),
        Numbering::FromUnknown => number,
    };
    match from_unknown {
        0 => Some(MonitorState::Unknown),
        1 => Some(MonitorState::Idle),
        2 => Some(MonitorState::Prealarm),
        3 => Some(MonitorState::Alarm),
        4 => Some(MonitorState::Alert),
        5 => Some(MonitorState::Tape),
        // A number that only the other numbering has is not an error: it decides which numbering is used.
        6 if number == 5 => Some(MonitorState::Unknown),
        _ => None,
    }
}

fn recording(value: Option<u8>) -> Option<Recording> {
    match value {
        Some(1) => Some(Recording::Never),
        Some(2) => Some(Recording::OnAlarm),
        Some(3) => Some(Recording::Always),
        Some(_) | None => None,
    }
}

fn trigger_of(bytes: &[u8], layout: &Layout) -> Option<Trigger> {
    let base = layout.trigger();
    if u32_at(bytes, base + trigger::STATE)? != trigger::ON {
        return None;
    }
    let field = |offset, length| Arc::from(&*text(bytes, Some(base + offset), length));
    Some(Trigger {
        cause: field(trigger::CAUSE, trigger::CAUSE_LEN),
        text: field(trigger::TEXT, trigger::TEXT_LEN),
    })
}

fn flag(bytes: &[u8], offset: usize, field: &'static str) -> Result<bool, ReadError> {
    match bytes.get(offset).copied().unwrap_or_default() {
        0 => Ok(false),
        1 => Ok(true),
        value => Err(ReadError::Implausible { field, value: value.into() }),
    }
}

/// Returns the text of a `char[length]`, made harmless: up to its NUL, at most `length` − 1 bytes, trimmed, valid
/// UTF-8, without control characters or such that turn the direction of writing.
fn text(bytes: &[u8], offset: Option<usize>, length: usize) -> Cow<'_, str> {
    let field = offset.and_then(|offset| bytes.get(offset..offset + length - 1)).unwrap_or_default();
    let end = field.iter().position(|&byte| byte == 0).unwrap_or(field.len());
    let mut clean = String::from_utf8_lossy(field.get(..end).unwrap_or_default());
    if clean.contains(is_hidden_in_name) {
        clean = Cow::Owned(clean.replace(is_hidden_in_name, " "));
    }
    let mut end = clean.len().min(length - 1);
    while !clean.is_char_boundary(end) {
        end -= 1;
    }
    match clean {
        Cow::Borrowed(clean) => Cow::Borrowed(clean.get(..end).unwrap_or_default().trim()),
        Cow::Owned(clean) => Cow::Owned(clean.get(..end).unwrap_or_default().trim().to_owned()),
    }
}

fn kept(text: &str, before: &Arc<str>) -> Arc<str> {
    if *text == **before { Arc::clone(before) } else { Arc::from(text) }
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(offset..offset + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(bytes.get(offset..offset + 8)?.try_into().ok()?))
}

fn i64_at(bytes: &[u8], offset: usize) -> Option<i64> {
    Some(i64::from_ne_bytes(bytes.get(offset..offset + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests;
