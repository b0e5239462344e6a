//! What people read about labels.

use std::time::Duration;

use zmes_shared::Label;
use zmes_shared::views::LabelWaited;
use zmes_shared::words::{LabelWait, SkipReason};

use super::tokens::view::millis;
use crate::domain::AlarmLabels;

/// Returns how a decision waited for labels, for views.
pub(super) fn waited(labels: &AlarmLabels) -> Option<LabelWaited> {
    labels.waited.map(|(waited, outcome)| LabelWaited { waited_ms: millis(waited), outcome })
}

/// Describes the part that labels had in a decision: `waited 4.2 s for labels: person 95 %`. `None`: none.
pub(super) fn sentence(labels: &AlarmLabels, skipped: Option<SkipReason>) -> Option<String> {
    let known = Label::listed(&labels.known);
    let Some((waited, ending)) = labels.waited else {
        return (!known.is_empty()).then(|| format!("labels: {known}"));
    };
    let waited = seconds(waited);
    let sentence = match ending {
        LabelWait::Found => format!("waited {waited} for labels: {known}"),
        // The reason says this already.
        LabelWait::None if skipped == Some(SkipReason::NoLabels) => return None,
        LabelWait::None if skipped.is_none() => format!("no labels within {waited}, sent without"),
        LabelWait::None => format!("no labels within {waited}"),
        LabelWait::Unread if skipped.is_none() => {
            format!("labels could not be read within {waited}, sent without")
        }
        LabelWait::Unread => format!("labels could not be read within {waited}"),
        LabelWait::Unknown => {
            format!("waited {waited} for labels; this version does not know how that ended")
        }
    };
    Some(sentence)
}

/// `4.2 s`, or `10 s` where it is nearly that.
fn seconds(time: Duration) -> String {
    let tenths = (time.as_millis() + 50) / 100;
    if tenths.is_multiple_of(10) {
        format!("{} s", tenths / 10)
    } else {
        format!("{}.{} s", tenths / 10, tenths % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_ending_of_a_wait_has_a_sentence() {
        let told = |names: &[&str], waited: Option<(u64, LabelWait)>, skipped| {
            let known = names.iter().filter_map(|name| Label::new(name, Some(95))).collect();
            let waited = waited.map(|(millis, ending)| (Duration::from_millis(millis), ending));
            sentence(&AlarmLabels { known, waited }, skipped).unwrap_or_default()
        };
        let (found, none, unread) = (LabelWait::Found, LabelWait::None, LabelWait::Unread);
        assert_eq!(told(&[], None, None), "");
        assert_eq!(told(&["person"], None, None), "labels: person 95 %");
        assert_eq!(told(&["person"], Some((4230, found)), None), "waited 4.2 s for labels: person 95 %");
        assert_eq!(told(&[], Some((10_012, none)), None), "no labels within 10 s, sent without");
        assert_eq!(told(&[], Some((10_012, none)), Some(SkipReason::Muted)), "no labels within 10 s");
        assert_eq!(told(&[], Some((10_012, none)), Some(SkipReason::NoLabels)), "");
        assert_eq!(told(&[], Some((960, unread)), None), "labels could not be read within 1 s, sent without");
    }
}
