//! What detection has written into `Events.Notes`.
//!
//! `zm_detect` prints `[a] detected:person:95% car:87% --SPLIT--{json}`; the letter says in which picture. Whether there
//! are percentages is a setting (`show_percent`): without them names are separated by commas. The event server puts it
//! in front of what ZoneMinder has written (`… | Motion: Front`, or with a space), so `detected:` may stand anywhere, and
//! several times.

use zmes_shared::Label;

/// What a prediction begins with, as it is written.
const DETECTED: &str = "detected:";
/// What ends it: the JSON of `zm_detect`, ZoneMinder's own notes, the prediction for another picture, a new line.
const ENDS: [&str; 9] =
    ["--SPLIT--", " | ", " Motion:", " Linked:", " Signal:", " Forced Web:", " [", "\n", "\r"];

/// Returns the labels in notes, in their order, each name once.
///
/// ```
/// let labels = zmes_zoneminder::labels::in_notes("[a] detected:person:95% traffic light:80% Motion: Front");
/// assert_eq!(zmes_shared::Label::listed(&labels), "person 95 %, traffic light 80 %");
/// ```
pub fn in_notes(notes: &str) -> Vec<Label> {
    let mut labels = Vec::new();
    for prediction in notes.split(DETECTED).skip(1) {
        let own = own_part(prediction);
        // All labels have a percentage, or none has: a word without one is ZoneMinder's (a trigger's cause may be any).
        let percentages = own.contains('%');
        for part in own.split(',') {
            for piece in part.split_inclusive('%') {
                if let Some(label) = label(piece, percentages) {
                    label.merge_into(&mut labels);
                }
            }
        }
    }
    labels
}

/// Returns what belongs to the prediction.
fn own_part(prediction: &str) -> &str {
    let mut own = prediction;
    for end in ENDS {
        own = own.split_once(end).map_or(own, |(before, _)| before);
    }
    // `Linked: Gate`: notes of ZoneMinder, whose causes end with a colon and a space. A label has a colon only before
    // its percentage, or within.
    let before_colon =
        own.split_once(": ").map(|(before, _)| before).or_else(|| own.trim_end().strip_suffix(':'));
    match before_colon {
        Some(before) => before.rsplit_once([' ', ',']).map_or("", |(labels, _)| labels),
        None => own,
    }
}

/// Reads `person:95%`, or where there are no percentages, a name.
fn label(piece: &str, percentages: bool) -> Option<Label> {
    let Some(percentage) = piece.trim().strip_suffix('%') else {
        return if percentages { None } else { Label::new(piece, None) };
    };
    let (name, percent) = percentage.rsplit_once(':')?;
    let whole = percent.split_once('.').map_or(percent, |(whole, _)| whole);
    Label::new(name, Some(whole.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zmes_shared::{LABEL_MAX, MAX_LABELS};

    use super::*;

    fn told(notes: &str) -> String {
        Label::listed(&in_notes(notes))
    }

    #[test]
    fn what_zm_detect_and_zoneminder_write_is_understood() {
        for (notes, labels) in [
            ("[a] detected:person:95% car:87% --SPLIT--{\"labels\":[\"dog\"]}", "person 95 %, car 87 %"),
            ("[s] detected:person:95%", "person 95 %"),
            ("[x] detected:person,car", "person, car"),
            ("detected:person", "person"),
            ("detected:traffic light,stop sign", "traffic light, stop sign"),
            ("detected:traffic light:80% car:7%", "traffic light 80 %, car 7 %"),
            ("[a] detected:person:95%  | Motion: Front, Back", "person 95 %"),
            ("[a] detected:person:95%  Motion: Front", "person 95 %"),
            ("[a] detected:person,car Motion: Front, Back", "person, car"),
            ("[a] detected:person:95% Linked: Gate, Yard", "person 95 %"),
            ("[a] detected:person,car Linked: Gate", "person, car"),
            ("Motion: Front\n[a] detected:cat:51% ", "cat 51 %"),
            ("detected:person:95%\nMotion: dog", "person 95 %"),
            // Detection ran twice: the higher confidence.
            ("[a] detected:person:60% [s] detected:Person:91% car:40%", "person 91 %, car 40 %"),
            ("detected:person:95.7%", "person 95 %"),
            ("detected:person:101%", "person"),
            ("detected:person:95% car", "person 95 %"),
            ("[a] detected:person:95% car:87% Forced Web: ", "person 95 %, car 87 %"),
            ("[a] detected:person:95% Front Gate Sensor: open", "person 95 %"),
            ("[a] detected:person,traffic light Forced Web: ", "person, traffic light"),
            ("detected:face:amy:97%", "face:amy 97 %"),
            // None.
            ("", ""),
            ("Motion: All", ""),
            ("Detected:person", ""),
            ("detected:", ""),
            ("detected: Motion: All", ""),
            ("detected:person:high%", ""),
            ("detected:%,%%:::,", ""),
            ("detected:Linked: Gate", ""),
        ] {
            assert_eq!(told(notes), labels, "{notes:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_stands_in_notes_labels_are_bounded_and_plain(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            pieces in proptest::collection::vec("(detected:|person|:[0-9]{1,4}%|[ ,|%:]| Motion:|\\PC)", 0..60),
        ) {
            let (bytes, pieces) = (String::from_utf8_lossy(&bytes).into_owned(), pieces.concat());
            for notes in [format!("detected:{bytes}"), bytes, pieces] {
                let labels = in_notes(&notes);
                prop_assert!(labels.len() <= MAX_LABELS);
                for (place, label) in labels.iter().enumerate() {
                    prop_assert!((1..=LABEL_MAX).contains(&label.name.chars().count()));
                    prop_assert!(!label.name.chars().any(char::is_control));
                    prop_assert!(label.confidence.is_none_or(|percent| percent <= 100));
                    prop_assert!(!labels[..place].iter().any(|other| other.is_called(&label.name)));
                }
            }
        }

        #[test]
        fn what_is_written_is_read(names in proptest::collection::btree_set("[a-z]{1,10}( [a-z]{1,10})?", 1..8), percent in 0u32..=100) {
            let written: Vec<_> = names.iter().map(|name| format!("{name}:{percent}%")).collect();
            let notes = format!("[a] detected:{}  Motion: All", written.join(" "));
            let read: Vec<_> = in_notes(&notes).into_iter().map(|label| label.name).collect();
            prop_assert_eq!(read, names.into_iter().collect::<Vec<_>>());
        }
    }
}
