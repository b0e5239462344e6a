//! Shared memory of any content as a target of the fuzzer: see [`crate::fuzzing`].

use std::sync::Arc;

use super::decode::{Context, decode, usable};
use super::layout::{CAUSE_LEN, Layout, MAX_READ, Numbering, TRIGGER_SIZE, trigger};
use crate::Reading;

/// The first byte chooses a header that is written over the memory after it, so that most inputs get further than to
/// the size; one choice leaves the memory as it is.
#[doc(hidden)]
pub fn shared_memory(bytes: &[u8]) {
    let Some((choice, memory)) = bytes.split_first() else { return };
    let mut memory = memory.get(..memory.len().min(MAX_READ)).unwrap_or_default().to_vec();
    if let Some(layout) = Layout::ALL.get(usize::from(*choice) % (Layout::ALL.len() + 1)) {
        put(&mut memory, 0, &layout.size.to_ne_bytes());
        put(&mut memory, layout.trigger(), &TRIGGER_SIZE.to_ne_bytes());
    }
    for numbering in [Numbering::FromIdle, Numbering::FromUnknown] {
        let context = Context { numbering, generation: 7, cause: Arc::from("Motion") };
        match decode(&memory, &context) {
            Ok(decoded) => {
                assert!(usable(&memory).is_ok(), "a reading of memory that is not usable");
                check(&decoded.reading);
                // The last reading's cause is only a way to save memory.
                let again = decode(&memory, &Context { cause: Arc::default(), ..context });
                assert_eq!(again.map(|again| again.reading), Ok(decoded.reading));
            }
            Err(error) => {
                let said = error.to_string();
                assert!(!said.is_empty() && said.len() < 500 && !said.contains('\n'), "{said}");
            }
        }
    }
}

fn put(memory: &mut [u8], offset: usize, field: &[u8]) {
    if let Some(place) = memory.get_mut(offset..offset + field.len()) {
        place.copy_from_slice(field);
    }
}

fn check(reading: &Reading) {
    assert_eq!(reading.generation, 7);
    assert!(Layout::find(reading.layout).is_some(), "layout {}", reading.layout);
    harmless(&reading.alarm_cause, CAUSE_LEN);
    if let Some(forced) = &reading.trigger {
        harmless(&forced.cause, trigger::CAUSE_LEN);
        harmless(&forced.text, trigger::TEXT_LEN);
    }
}

/// Texts reach terminals, logs and phones.
fn harmless(text: &str, field: usize) {
    assert!(text.len() < field, "{} bytes out of {field}", text.len());
    assert!(!text.chars().any(char::is_control), "{text:?}");
    assert_eq!(text, text.trim());
}
