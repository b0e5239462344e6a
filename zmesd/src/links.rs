//! Links that a phone may open without a login: who holds one may see one picture for a while, or silence one camera for one
//! token ([`SnoozeLink`]).
//!
//! A link needs no table: it contains what it is for, and a MAC proves that this server made it. So it needs no write
//! before a push, outlives a restart, and every server with the key can answer it. Revoking the token, or replacing the
//! key, ends it. Pure: key and time are parameters.
//!
//! 40 bytes in base64url without padding: 54 characters that no client escapes (the extension of zmNinjaNg on iOS
//! decodes percent signs of the whole URL):
//!
//! | bytes | what |
//! |---|---|
//! | 0 | version, 2 |
//! | 1–8 | event |
//! | 9–12 | the first four bytes of the mark of a token ([`TokenMark`]) or, in the link of an app's session, of its user ([`UserMark`]) |
//! | 13–16 | end, in minutes since 1970 |
//! | 17 | what for: a picture for 0 a phone's token, 1 a user, 2 a target's token, 4 another node; 3 a snooze button |
//! | 18–21 | when the alarm was found, in seconds since 1970: a long event has pictures of several alarms |
//! | 22–23 | the rest of the mark; of another node's link, all of it is zero |
//! | 24–39 | the first 16 bytes of HMAC-SHA-256 over bytes 0–23 |

mod key;
mod snooze;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use tokio::sync::watch;
use zmes_shared::{EventId, MonitorId};

pub use key::{LinkKey, LinkKeys, TokenMark, UserMark};
pub use snooze::{SnoozeLink, in_snooze_path};

use self::key::{mark_in, opened, put_mark, sealed};
use crate::config::PictureConfig;
use crate::domain::Token;

/// The parts of the URL's path before and after the link.
const PATH: &str = "/p/";
const SUFFIX: &str = ".jpg";
const VERSION: u8 = 2;
const FOR_TOKEN: u8 = 0;
const FOR_USER: u8 = 1;
const FOR_TARGET: u8 = 2;
const FOR_NODE: u8 = 4;
const CLAIMS: usize = 24;
const NO_MARK: [u8; 6] = [0; 6];
/// Length of a link in characters.
const LENGTH: usize = 54;
const MINUTE: i64 = 60;

/// Whose rights decide what a link may show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LinkHolder {
    /// The owner's of a phone's token.
    Token(TokenMark),
    /// The owner's of a target: a topic or a chat may have many readers.
    Target(TokenMark),
    /// Those of a user whose app got the link on its WebSocket.
    User(UserMark),
    /// Another node's, which makes the link itself and has looked at the rights of whoever asks it.
    Node,
}

impl LinkHolder {
    /// Says whether more than one device opens the link.
    pub fn is_shared(self) -> bool {
        match self {
            Self::Token(_) => false,
            Self::Target(_) | Self::User(_) | Self::Node => true,
        }
    }
}

/// The picture of an event, for a holder, until an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PictureLink {
    pub event: EventId,
    pub holder: LinkHolder,
    /// When the alarm was found; precision: seconds.
    pub at: Timestamp,
    /// Precision: minutes.
    pub until: Timestamp,
}

impl PictureLink {
    /// Returns a link that ends after `lifetime`, rounded up to the minute.
    pub fn new(
        event: EventId,
        holder: LinkHolder,
        at: Timestamp,
        now: Timestamp,
        lifetime: Duration,
    ) -> Self {
        Self { event, holder, at: second(at.as_second()), until: end(now, lifetime) }
    }

    /// Returns the text of the link; `None` if its numbers do not fit into a link.
    pub fn seal(&self, key: &LinkKey) -> Option<String> {
        sealed(&self.claims()?, key)
    }

    fn claims(&self) -> Option<[u8; CLAIMS]> {
        let mut claims = [0; CLAIMS];
        claims[0] = VERSION;
        claims[1..9].copy_from_slice(&self.event.0.to_be_bytes());
        let (kind, mark) = match self.holder {
            LinkHolder::Token(TokenMark(mark)) => (FOR_TOKEN, mark),
            LinkHolder::User(UserMark(mark)) => (FOR_USER, mark),
            LinkHolder::Target(TokenMark(mark)) => (FOR_TARGET, mark),
            LinkHolder::Node => (FOR_NODE, NO_MARK),
        };
        claims[17] = kind;
        put_mark(&mut claims, mark);
        claims[13..17].copy_from_slice(&minute(self.until)?);
        claims[18..22].copy_from_slice(&u32::try_from(self.at.as_second()).ok()?.to_be_bytes());
        Some(claims)
    }

    /// Parses a link of this server; `None` if it is invalid, has ended, or was made with another key.
    pub fn open(text: &str, key: &LinkKey, now: Timestamp) -> Option<Self> {
        let claims = opened(text, key)?;
        let [version, rest @ ..] = &claims;
        let (event, rest) = rest.split_first_chunk()?;
        let (_mark, rest) = rest.split_first_chunk::<4>()?;
        let (minutes, rest) = rest.split_first_chunk()?;
        let (kind, rest) = rest.split_first()?;
        let (at, _mark) = rest.split_first_chunk()?;
        let mark = mark_in(&claims);
        let holder = match *kind {
            FOR_TOKEN => LinkHolder::Token(TokenMark(mark)),
            FOR_USER => LinkHolder::User(UserMark(mark)),
            FOR_TARGET => LinkHolder::Target(TokenMark(mark)),
            FOR_NODE if mark == NO_MARK => LinkHolder::Node,
            _ => return None,
        };
        let link = Self {
            event: EventId(u64::from_be_bytes(*event)),
            holder,
            at: second(u32::from_be_bytes(*at).into()),
            until: at_minute(*minutes),
        };
        (*version == VERSION && now < link.until).then_some(link)
    }
}

/// Makes links for pushes, with the current settings and key.
#[derive(Debug, Clone)]
pub struct LinkMaker {
    settings: watch::Receiver<PictureConfig>,
    keys: watch::Receiver<LinkKeys>,
}

impl LinkMaker {
    pub fn new(settings: watch::Receiver<PictureConfig>, keys: watch::Receiver<LinkKeys>) -> Self {
        Self { settings, keys }
    }

    /// Returns a maker that makes no links.
    #[cfg(test)]
    pub fn off() -> Self {
        Self::new(
            watch::channel(PictureConfig::default()).1,
            watch::channel(LinkKeys::new(LinkKey::none(), false)).1,
        )
    }

    /// Returns whether links are made at all.
    pub fn is_on(&self) -> bool {
        self.settings.borrow().base_url.is_some()
    }

    /// Returns the URL of an alarm's picture for a token. `at` is when the alarm was found. `None` if
    /// `picture.base-url` is empty.
    pub fn for_token(
        &self,
        event: EventId,
        token: &Token,
        at: Timestamp,
        now: Timestamp,
    ) -> Option<SecretString> {
        let target = token.handle.is_target();
        let mark = TokenMark::of(&token.handle);
        let holder = if target { LinkHolder::Target(mark) } else { LinkHolder::Token(mark) };
        self.url(event, holder, at, now)
    }

    /// As [`Self::for_token`], for the session of a user; `user` is `None` while auth is off.
    pub fn for_user(
        &self,
        event: EventId,
        user: Option<&str>,
        at: Timestamp,
        now: Timestamp,
    ) -> Option<SecretString> {
        let mark = self.keys.borrow().current.mark(user)?;
        self.url(event, LinkHolder::User(mark), at, now)
    }

    /// Returns the URL of a button that silences a monitor for a token; `None`: `picture.base-url` is empty.
    pub fn snooze(
        &self,
        monitor: MonitorId,
        token: &Token,
        minutes: u32,
        now: Timestamp,
    ) -> Option<SecretString> {
        let settings = self.settings.borrow();
        let link = SnoozeLink::new(monitor, TokenMark::of(&token.handle), minutes, now)
            .seal(&self.keys.borrow().current)?;
        Some(SnoozeLink::url(settings.base_url.as_ref()?, &link).into())
    }

    fn url(&self, event: EventId, holder: LinkHolder, at: Timestamp, now: Timestamp) -> Option<SecretString> {
        let settings = self.settings.borrow();
        let base = settings.base_url.as_ref()?;
        let link =
            PictureLink::new(event, holder, at, now, settings.lifetime).seal(&self.keys.borrow().current)?;
        Some(at_node(base, &link).into())
    }
}

/// Returns the URL of a link at another node.
pub fn at_node(address: &str, link: &str) -> String {
    format!("{address}{PATH}{link}{SUFFIX}")
}

/// What a phone reads where a link opens nothing.
pub const NO_PICTURE: &str = "no picture\n";

/// What a phone reads where a link is no snooze button: the title of the page.
pub const NO_SNOOZE: &str = "This link does nothing";

/// A link that opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeadLink {
    Picture,
    SnoozeButton,
}

impl DeadLink {
    /// Returns the URL.
    pub fn url(self, base_url: &str) -> String {
        let (path, suffix) = (self.path(), if self == Self::Picture { SUFFIX } else { "" });
        format!("{base_url}{path}{}{suffix}", "A".repeat(LENGTH))
    }

    pub fn path(self) -> &'static str {
        match self {
            Self::Picture => PATH,
            Self::SnoozeButton => snooze::PATH,
        }
    }

    /// Says whether it was this server that answered.
    pub fn is_answered_by(self, body: &str) -> bool {
        match self {
            Self::Picture => body == NO_PICTURE,
            Self::SnoozeButton => body.contains(NO_SNOOZE),
        }
    }
}

/// Returns the link in the path of a request; `None`: the path is of something else.
pub fn in_path(path: &str) -> Option<&str> {
    path.strip_prefix(PATH)?.strip_suffix(SUFFIX)
}

/// Returns the end of a link, to the minute, rounded up.
fn end(now: Timestamp, lifetime: Duration) -> Timestamp {
    let lifetime = SignedDuration::try_from(lifetime).unwrap_or(SignedDuration::MAX);
    let until = now.saturating_add(lifetime).unwrap_or(Timestamp::MAX).as_second();
    let minutes = until.div_euclid(MINUTE) + i64::from(until.rem_euclid(MINUTE) > 0);
    second(minutes.saturating_mul(MINUTE))
}

/// Writes an end as links have it.
fn minute(until: Timestamp) -> Option<[u8; 4]> {
    Some(u32::try_from(until.as_second().div_euclid(MINUTE)).ok()?.to_be_bytes())
}

fn at_minute(minutes: [u8; 4]) -> Timestamp {
    second(i64::from(u32::from_be_bytes(minutes)).saturating_mul(MINUTE))
}

fn second(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use zmes_providers::PushToken;

    use super::key::{KEY, MAC};
    use super::*;

    pub(super) fn key() -> LinkKey {
        LinkKey::stored(&[7; KEY]).unwrap()
    }

    pub(super) fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    const NOW: &str = "2026-11-30T14:03:59Z";
    pub(super) const MARK: TokenMark = TokenMark([1, 2, 3, 4, 5, 6]);
    const DAY: Duration = Duration::from_hours(24);

    fn link() -> PictureLink {
        let holder = LinkHolder::Token(MARK);
        PictureLink::new(EventId(4_294_967_300), holder, at("2026-11-30T14:03:41.7Z"), at(NOW), DAY)
    }

    #[test]
    fn a_link_says_what_it_is_for_until_its_end() {
        let text = link().seal(&key()).unwrap();
        assert_eq!(text.len(), LENGTH);
        assert!(
            text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')),
            "{text}"
        );
        assert_eq!(link().until, at("2026-12-01T14:04:00Z"));
        assert_eq!(link().at, at("2026-11-30T14:03:41Z"));
        assert_eq!(PictureLink::open(&text, &key(), at(NOW)), Some(link()));
        assert_eq!(PictureLink::open(&text, &key(), at("2026-12-01T14:03:59.999Z")), Some(link()));
        assert_eq!(PictureLink::open(&text, &key(), at("2026-12-01T14:04:00Z")), None);
    }

    #[test]
    fn another_key_opens_nothing() {
        let text = link().seal(&key()).unwrap();
        assert_eq!(PictureLink::open(&text, &LinkKey::stored(&[8; KEY]).unwrap(), at(NOW)), None);
        let fresh = LinkKey::generate().unwrap();
        assert_ne!(fresh.bytes(), LinkKey::generate().unwrap().bytes());
        assert!(LinkKey::stored(&[7; KEY - 1]).is_none());
    }

    #[test]
    fn no_bit_of_a_link_can_be_changed() {
        let bytes = URL_SAFE_NO_PAD.decode(link().seal(&key()).unwrap()).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut forged = bytes.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                PictureLink::open(&URL_SAFE_NO_PAD.encode(forged), &key(), at(NOW)),
                None,
                "bit {bit}"
            );
        }
    }

    #[test]
    fn what_is_no_link_is_none() {
        let text = link().seal(&key()).unwrap();
        for wrong in
            ["", "x", &text[1..], &format!("{text}A"), &text.replace(&text[..1], "="), &"%".repeat(LENGTH)]
        {
            assert_eq!(PictureLink::open(wrong, &key(), at(NOW)), None, "{wrong}");
        }
        // The last character has two unused bits: only one spelling is accepted.
        let last = text.as_bytes()[LENGTH - 1];
        let others = (b'A'..=b'z').filter(|byte| byte.is_ascii_alphanumeric() && *byte != last);
        let opened = others.filter(|byte| {
            let other = format!("{}{}", &text[..LENGTH - 1], char::from(*byte));
            PictureLink::open(&other, &key(), at(NOW)).is_some()
        });
        assert_eq!(opened.count(), 0);
    }

    #[test]
    fn a_link_of_a_later_version_is_not_guessed_at() {
        for (byte, value) in [(0, 1), (0, 3), (17, 3), (17, 4), (17, 5)] {
            let mut claims = link().claims().unwrap();
            claims[byte] = value;
            let mac = key().mac(&claims);
            let text = URL_SAFE_NO_PAD.encode([&claims[..], &mac.as_ref()[..MAC]].concat());
            assert_eq!(PictureLink::open(&text, &key(), at(NOW)), None, "byte {byte}");
        }
    }

    #[test]
    fn the_link_of_a_target_is_another_than_that_of_a_phone() {
        let target = PictureLink { holder: LinkHolder::Target(MARK), ..link() };
        let text = target.seal(&key()).unwrap();
        assert_ne!(text, link().seal(&key()).unwrap());
        assert_eq!(PictureLink::open(&text, &key(), at(NOW)), Some(target));
        assert!(target.holder.is_shared() && !link().holder.is_shared());
    }

    #[test]
    fn the_link_of_a_node_is_for_all_pictures() {
        let text = PictureLink { holder: LinkHolder::Node, ..link() }.seal(&key()).unwrap();
        assert_eq!(PictureLink::open(&text, &key(), at(NOW)).map(|link| link.holder), Some(LinkHolder::Node));
    }

    #[test]
    fn times_beyond_a_link_make_none() {
        let text = |at| PictureLink::new(EventId(1), LinkHolder::Token(MARK), at, at, DAY).seal(&key());
        assert!(text(at("2106-02-07T06:28:15Z")).is_some());
        assert!(text(at("2106-02-07T06:28:16Z")).is_none());
        assert!(text(at("1969-12-31T23:59:59Z")).is_none());
    }

    #[test]
    fn a_link_names_its_token_as_every_node_does() {
        let phone = PushToken::parse("cXz:APA91bHun4MxP5egoKMwt2KZFBaFUH-1RYqx").unwrap().handle();
        let TokenMark(mark) = TokenMark::of(&phone);
        assert_eq!(mark[..], phone.digest()[..6]);
        let holder = LinkHolder::Token(TokenMark(mark));
        let text = PictureLink { holder, ..link() }.seal(&key()).unwrap();
        assert_eq!(PictureLink::open(&text, &key(), at(NOW)).map(|link| link.holder), Some(holder));
    }

    #[test]
    fn the_link_of_a_session_names_its_user_and_no_other() {
        let mark = |user| key().mark(user).unwrap();
        let marks = [mark(Some("amy")), mark(Some("bob")), mark(Some("")), mark(None)];
        assert!((1..marks.len()).all(|one| !marks[..one].contains(&marks[one])), "{marks:?}");
        assert_ne!(marks[0], LinkKey::stored(&[8; KEY]).unwrap().mark(Some("amy")).unwrap());
        let link = PictureLink { holder: LinkHolder::User(marks[0]), ..link() };
        let text = link.seal(&key()).unwrap();
        assert_eq!(text.len(), LENGTH);
        assert_eq!(PictureLink::open(&text, &key(), at(NOW)), Some(link));
    }

    #[test]
    fn the_key_is_never_printed() {
        assert_eq!(format!("{:?}", key()), "LinkKey(hidden)");
    }
}
