use proptest::prelude::*;
use serde_json::Value;
use zmes_shared::MonitorId;

use super::*;
use crate::shm::Synthetic;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/shm");

fn context() -> Context {
    Context { numbering: Numbering::FromUnknown, generation: 7, cause: Arc::default() }
}

fn read(zmc: &Synthetic) -> Result<Reading, ReadError> {
    decode(&std::fs::read(zmc.path()).unwrap(), &context()).map(|decoded| decoded.reading)
}

#[test]
fn every_layout_is_read_at_its_offsets() {
    let directory = tempfile::tempdir().unwrap();
    for layout in Layout::ALL {
        let zmc = Synthetic::start(directory.path(), MonitorId(layout.size), layout.size);
        zmc.state(MonitorState::Alert);
        zmc.last_event(81_000);
        zmc.cause(b" Motion: Door ");
        zmc.heartbeat(1_795_000_123);
        zmc.startup_time(1_795_000_042);
        zmc.trigger_on("Bell", "at the door");
        if let Some(offset) = layout.recording {
            zmc.byte(offset, 3);
        }
        let expected = Reading {
            state: MonitorState::Alert,
            last_event: 81_000,
            startup_time: if layout.startup_time.is_some() { 1_795_000_042 } else { 0 },
            alarm_cause: Arc::from(if layout.alarm_cause.is_some() { "Motion: Door" } else { "" }),
            trigger: Some(Trigger { cause: Arc::from("Bell"), text: Arc::from("at the door") }),
            recording: layout.recording.map(|_| Recording::Always),
            signal: true,
            heartbeat: Some(Timestamp::from_second(1_795_000_123).unwrap()),
            layout: layout.size,
            state_written_last: matches!(layout.size, 760 | 768 | 764),
            order_unknown: layout.size == 600,
            generation: 7,
        };
        assert_eq!(read(&zmc), Ok(expected), "layout {}", layout.size);
    }
}

#[test]
fn event_ids_beyond_32_bits_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    for layout in Layout::ALL.iter().filter(|layout| matches!(layout.last_event, LastEvent::Long(_))) {
        let zmc = Synthetic::start(directory.path(), MonitorId(1), layout.size);
        zmc.last_event(u64::MAX - 1);
        assert_eq!(read(&zmc).unwrap().last_event, u64::MAX - 1, "layout {}", layout.size);
    }
}

#[test]
fn both_numberings_name_every_state() {
    use MonitorState::{Alarm, Alert, Idle, Prealarm, Tape, Unknown};
    for (number, old, new) in [
        (0, Idle, Unknown),
        (1, Prealarm, Idle),
        (2, Alarm, Prealarm),
        (3, Alert, Alarm),
        (4, Tape, Alert),
        (5, Unknown, Tape),
    ] {
        assert_eq!(state(number, Numbering::FromIdle), Some(old), "{number}");
        assert_eq!(state(number, Numbering::FromUnknown), Some(new), "{number}");
    }
    assert_eq!(state(u32::MAX, Numbering::FromIdle), Some(Unknown));
    assert_eq!(state(u32::MAX, Numbering::FromUnknown), None);
    assert_eq!(state(6, Numbering::FromUnknown), None);
}

/// The values beside each snapshot were decoded by an independent program.
#[test]
fn real_snapshots_read_as_their_description_says() {
    let mut seen = 0;
    for entry in std::fs::read_dir(FIXTURES).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "bin") {
            continue;
        }
        seen += 1;
        let told: Value =
            serde_json::from_slice(&std::fs::read(path.with_extension("json")).unwrap()).unwrap();
        let told = &told["decoded"];
        let result = decode(&std::fs::read(&path).unwrap(), &context());
        if told.is_null() {
            assert_eq!(result, Err(ReadError::Starting), "{}", path.display());
        } else if told["valid"] == 0 {
            assert_eq!(result, Err(ReadError::Stopped), "{}", path.display());
        } else {
            let reading = result.unwrap().reading;
            assert_eq!(reading.state.to_string(), told["state_name"].as_str().unwrap().to_lowercase());
            assert_eq!(reading.last_event, told["last_event"].as_u64().unwrap());
            assert_eq!(reading.startup_time, told["startup_time"].as_i64().unwrap());
            assert_eq!(reading.heartbeat.unwrap().as_second(), told["heartbeat_time"].as_i64().unwrap());
            assert_eq!(&*reading.alarm_cause, told["alarm_cause"].as_str().unwrap().trim());
            assert_eq!(reading.signal, told["signal"] == 1);
            assert_eq!(u64::from(reading.layout), told["size"].as_u64().unwrap());
            // 1.36 writes the state after the event's id, 1.37 and later before it.
            assert_eq!(reading.state_written_last, reading.layout < 800, "{}", path.display());
            assert!(!reading.order_unknown, "{}", path.display());
            assert_eq!(reading.recording, recording(told.get("recording").map(byte)), "{}", path.display());
            let trigger = (told["trigger_state_name"] == "ON").then(|| Trigger {
                cause: Arc::from(told["trigger_cause"].as_str().unwrap()),
                text: Arc::from(told["trigger_text"].as_str().unwrap()),
            });
            assert_eq!(reading.trigger, trigger, "{}", path.display());
        }
    }
    assert_eq!(seen, 28, "fourteen each of 1.36.33 and 1.38.4");
}

fn byte(value: &Value) -> u8 {
    u8::try_from(value.as_u64().unwrap()).unwrap()
}

#[test]
fn hostile_texts_become_harmless() {
    let directory = tempfile::tempdir().unwrap();
    let zmc = Synthetic::start(directory.path(), MonitorId(1), 872);
    let cases: [(&[u8], &str); 6] = [
        (b"\x1b[2Jgone\r\nagain", "[2Jgone  again"),
        ("Gar\u{202e}ten".as_bytes(), "Gar ten"),
        (b"caf\xc3", "caf\u{fffd}"),
        (b"Motion\0leftover of an older one", "Motion"),
        (b"   \t ", ""),
        (b"", ""),
    ];
    for (bytes, expected) in cases {
        zmc.cause(bytes);
        assert_eq!(&*read(&zmc).unwrap().alarm_cause, expected);
    }
    zmc.cause(&[0xff; 255]);
    let cause = read(&zmc).unwrap().alarm_cause;
    assert_eq!((cause.len(), cause.chars().all(|c| c == '\u{fffd}')), (255, true));
    // Without any NUL the text must not run into the next field.
    zmc.put(zmc.layout.alarm_cause.unwrap(), &[b'x'; CAUSE_LEN + 8]);
    assert_eq!(read(&zmc).unwrap().alarm_cause.len(), 255);
}

#[test]
fn what_is_no_running_zmc_has_a_name() {
    let directory = tempfile::tempdir().unwrap();
    let zmc = Synthetic::start(directory.path(), MonitorId(1), 768);
    let good = std::fs::read(zmc.path()).unwrap();
    let with = |offset: usize, bytes: &[u8]| {
        let mut changed = good.clone();
        changed[offset..offset + bytes.len()].copy_from_slice(bytes);
        decode(&changed, &context()).unwrap_err()
    };
    assert_eq!(with(0, &[0; 4]), ReadError::Starting);
    assert_eq!(with(0, &880_u32.to_ne_bytes()), ReadError::UnknownLayout(880));
    assert_eq!(with(768, &[0; 4]), ReadError::HalfInitialised(0));
    assert_eq!(with(76, &[0]), ReadError::Stopped);
    assert_eq!(with(76, &[9]), ReadError::Implausible { field: "valid", value: 9 });
    assert_eq!(with(78, &[2]), ReadError::Implausible { field: "signal", value: 2 });
    assert_eq!(with(16, &[6, 0, 0, 0]), ReadError::Implausible { field: "state", value: 6 });
    assert_eq!(decode(&[], &context()), Err(ReadError::Starting));
    assert_eq!(decode(&good[..3], &context()), Err(ReadError::Short { found: 3, needed: 4 }));
    assert_eq!(decode(&good[..1300], &context()), Err(ReadError::Short { found: 1300, needed: 1328 }));
}

proptest! {
    #[test]
    fn any_bytes_never_panic(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..1600),
        known in proptest::option::of(0..Layout::ALL.len()),
        complete: bool,
    ) {
        // Most random bytes end at the first word: give them a header that leads further in.
        if let Some(layout) = known.map(|index| Layout::ALL[index]) {
            let mut put = |offset: usize, field: &[u8]| {
                if let Some(place) = bytes.get_mut(offset..offset + field.len()) {
                    place.copy_from_slice(field);
                }
            };
            put(0, &layout.size.to_ne_bytes());
            put(layout.trigger(), &TRIGGER_SIZE.to_ne_bytes());
            if complete {
                put(layout.valid, &[1]);
                put(layout.signal, &[1]);
                put(layout.state, &1_u32.to_ne_bytes());
            }
        }
        if let Ok(decoded) = decode(&bytes, &context()) {
            prop_assert!(decoded.reading.alarm_cause.len() <= 255);
            prop_assert!(!decoded.reading.alarm_cause.contains(is_hidden_in_name));
        }
    }
}
