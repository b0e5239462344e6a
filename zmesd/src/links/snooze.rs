//! Links of snooze buttons: who holds one may silence one camera for one token, for a while.
//!
//! Made like those to pictures, with the same key. Bytes 1–8 are the monitor, 18–21 for how many minutes (0: it ends
//! what such a link has set).

use std::time::Duration;

use jiff::Timestamp;
use zmes_shared::MonitorId;

use super::key::{mark_in, opened, put_mark, sealed};
use super::{CLAIMS, LinkKey, TokenMark, VERSION, end, minute};

pub(super) const PATH: &str = "/s/";
const FOR_SNOOZE: u8 = 3;
/// A link that is passed on, or stays in the history of a browser, soon does nothing.
const LIFETIME: Duration = Duration::from_hours(1);

/// A button of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnoozeLink {
    pub monitor: MonitorId,
    pub token: TokenMark,
    /// For how long; 0: it ends what another link has set.
    pub minutes: u32,
    /// To the minute.
    pub until: Timestamp,
}

impl SnoozeLink {
    pub fn new(monitor: MonitorId, token: TokenMark, minutes: u32, now: Timestamp) -> Self {
        Self { monitor, token, minutes, until: end(now, LIFETIME) }
    }

    /// Returns the link that ends what this one has set until `until`. It works as long as that silences the camera: until
    /// then no message comes with newer buttons.
    #[must_use]
    pub fn undo(self, until: Timestamp, now: Timestamp) -> Self {
        Self { minutes: 0, until: end(now, LIFETIME).max(end(until, Duration::ZERO)), ..self }
    }

    /// Returns the text of the link; `None`: its numbers are beyond what a link holds.
    pub fn seal(&self, key: &LinkKey) -> Option<String> {
        let mut claims = [0; CLAIMS];
        claims[0] = VERSION;
        claims[1..9].copy_from_slice(&u64::from(self.monitor.0).to_be_bytes());
        let TokenMark(mark) = self.token;
        put_mark(&mut claims, mark);
        claims[13..17].copy_from_slice(&minute(self.until)?);
        claims[17] = FOR_SNOOZE;
        claims[18..22].copy_from_slice(&self.minutes.to_be_bytes());
        sealed(&claims, key)
    }

    /// Reads a link of this server; `None`: it is none, has ended, is for a picture, or was made with another key.
    pub fn open(text: &str, key: &LinkKey, now: Timestamp) -> Option<Self> {
        let claims = opened(text, key)?;
        let [version, rest @ ..] = &claims;
        let (monitor, rest) = rest.split_first_chunk()?;
        let (_mark, rest) = rest.split_first_chunk::<4>()?;
        let (ends, rest) = rest.split_first_chunk()?;
        let (kind, rest) = rest.split_first()?;
        let (minutes, _mark) = rest.split_first_chunk()?;
        let link = Self {
            monitor: MonitorId(u64::from_be_bytes(*monitor).try_into().ok()?),
            token: TokenMark(mark_in(&claims)),
            minutes: u32::from_be_bytes(*minutes),
            until: super::at_minute(*ends),
        };
        let right = *version == VERSION && *kind == FOR_SNOOZE;
        (right && now < link.until).then_some(link)
    }

    /// Returns the URL of a link.
    pub(super) fn url(base: &str, link: &str) -> String {
        format!("{base}{PATH}{link}")
    }
}

/// Returns the link of a snooze button in the path of a request; `None`: the path is of something else.
pub fn in_snooze_path(path: &str) -> Option<&str> {
    path.strip_prefix(PATH)
}

#[cfg(test)]
mod tests {
    use zmes_shared::EventId;

    use super::*;
    use crate::links::key::KEY;
    use crate::links::tests::{MARK, at, key};
    use crate::links::{LinkHolder, PictureLink};

    fn link() -> SnoozeLink {
        SnoozeLink::new(MonitorId(3), MARK, 480, at("2026-11-30T14:03:59Z"))
    }

    #[test]
    fn a_button_works_for_an_hour() {
        let text = link().seal(&key()).unwrap();
        assert_eq!(SnoozeLink::open(&text, &key(), at("2026-11-30T15:03:59Z")), Some(link()));
        assert_eq!(SnoozeLink::open(&text, &key(), at("2026-11-30T15:04:00Z")), None);
        assert_eq!(SnoozeLink::open(&text, &LinkKey::stored(&[8; KEY]).unwrap(), link().until), None);
    }

    #[test]
    fn undo_works_as_long_as_its_snooze() {
        let pressed = at("2026-11-30T14:30:10Z");
        let undo = link().undo(at("2026-11-30T22:30:10Z"), pressed);
        assert_eq!((undo.minutes, undo.until), (0, at("2026-11-30T22:31:00Z")));
        let text = undo.seal(&key()).unwrap();
        assert_eq!(SnoozeLink::open(&text, &key(), at("2026-11-30T22:30:10Z")), Some(undo));
        // That of a short one does not end earlier than any button.
        assert_eq!(link().undo(at("2026-11-30T14:35:00Z"), pressed).until, at("2026-11-30T15:31:00Z"));
    }

    #[test]
    fn a_link_to_a_picture_silences_nothing_and_a_button_shows_no_picture() {
        let now = at("2026-11-30T14:03:59Z");
        let holder = LinkHolder::Token(MARK);
        let picture = PictureLink::new(EventId(3), holder, now, now, LIFETIME).seal(&key()).unwrap();
        assert_eq!(SnoozeLink::open(&picture, &key(), now), None);
        assert_eq!(PictureLink::open(&link().seal(&key()).unwrap(), &key(), now), None);
    }

    #[test]
    fn what_is_no_button_opens_nothing() {
        let text = link().seal(&key()).unwrap();
        for wrong in ["", "x", &text[1..], &format!("{text}A"), &text.replace(&text[..1], "=")] {
            assert_eq!(SnoozeLink::open(wrong, &key(), at("2026-11-30T14:04:00Z")), None, "{wrong}");
        }
        assert_eq!(in_snooze_path("/s/abc"), Some("abc"));
        assert_eq!(in_snooze_path("/p/abc"), None);
    }
}
