//! The key of links, and the MAC that it makes.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zmes_providers::TokenHandle;

use super::{CLAIMS, LENGTH};

/// Length of the key in bytes.
pub(super) const KEY: usize = 32;
pub(super) const MAC: usize = 16;

/// A key that signs links.
#[derive(Clone)]
pub struct LinkKey([u8; KEY]);

/// The keys whose links open. A server alone has one of its own; the nodes of a cluster agree on one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkKeys {
    /// Signs links.
    pub current: LinkKey,
    /// This node's own from before it joined the cluster. Its links open until they end, or the daemon does.
    own: Option<LinkKey>,
    /// The nodes of a cluster have agreed on it.
    pub is_agreed: bool,
}

impl LinkKeys {
    /// One key, which is all there is.
    pub fn new(current: LinkKey, is_agreed: bool) -> Self {
        Self { current, own: None, is_agreed }
    }

    /// Returns what holds once the nodes have agreed on that key; `None`: it holds already.
    ///
    /// What was sent with a key of this node alone stays good. If another node has replaced a key that was agreed on, an
    /// admin wants what was made with it to end.
    pub fn agreed(&self, key: LinkKey) -> Option<Self> {
        if self.is_agreed && self.current == key {
            return None;
        }
        let is_own = !self.is_agreed && self.current != key;
        let own = is_own.then(|| self.current.clone());
        Some(Self { current: key, own, is_agreed: true })
    }

    /// Returns what a link says, and the key that it was made with.
    pub fn open<T>(&self, open: impl Fn(&LinkKey) -> Option<T>) -> Option<(T, &LinkKey)> {
        let keys = [Some(&self.current), self.own.as_ref()];
        keys.into_iter().flatten().find_map(|key| Some((open(key)?, key)))
    }
}

impl LinkKey {
    /// Takes a stored key; `None` if it does not have [`KEY`] bytes.
    pub fn stored(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Makes a key from the system's random numbers; `None` if they are unavailable.
    pub fn generate() -> Option<Self> {
        let mut bytes = [0; KEY];
        rand::fill(&mut bytes).ok()?;
        Some(Self(bytes))
    }

    /// A key for makers that make nothing.
    #[cfg(test)]
    pub(super) fn none() -> Self {
        Self([0; KEY])
    }

    /// Returns the bytes, only for the state file and the ledger.
    pub fn bytes(&self) -> &[u8; KEY] {
        &self.0
    }

    pub(super) fn mac(&self, claims: &[u8]) -> hmac::Tag {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &self.0), claims)
    }

    /// Returns the mark of a user in links: sessions have no number, and names are too long. `user` is `None` for a
    /// client that logged in while auth was off.
    pub fn mark(&self, user: Option<&str>) -> Option<UserMark> {
        let tag = match user {
            // The MAC of a link has 24 bytes of input, the first of which is a version: the two inputs never coincide.
            Some(name) => self.mac(format!("user of links: {name}").as_bytes()),
            None => self.mac(b"nobody of links"),
        };
        tag.as_ref().first_chunk().copied().map(UserMark)
    }
}

/// Represents a user in links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UserMark(pub(super) [u8; 6]);

/// Represents a token in links: the first bytes of its handle, which is the same at every node of a cluster. Tokens that
/// have one in common are told apart by nobody, so that their links open nothing: among 20,000 tokens the chance of that is
/// one in a million.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenMark(pub(super) [u8; 6]);

impl TokenMark {
    pub fn of(handle: &TokenHandle) -> Self {
        let [one, two, three, four, five, six, ..] = handle.digest();
        Self([one, two, three, four, five, six])
    }
}

impl PartialEq for LinkKey {
    fn eq(&self, other: &Self) -> bool {
        verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl Eq for LinkKey {}

impl fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkKey(hidden)")
    }
}

/// Writes a mark into the two places that a link has for one.
pub(super) fn put_mark(claims: &mut [u8; CLAIMS], mark: [u8; 6]) {
    let [first @ .., fifth, sixth] = mark;
    claims[9..13].copy_from_slice(&first);
    claims[22..24].copy_from_slice(&[fifth, sixth]);
}

/// Reads what [`put_mark`] has written.
pub(super) fn mark_in(claims: &[u8; CLAIMS]) -> [u8; 6] {
    [claims[9], claims[10], claims[11], claims[12], claims[22], claims[23]]
}

/// Adds the MAC.
pub(super) fn sealed(claims: &[u8; CLAIMS], key: &LinkKey) -> Option<String> {
    let mut bytes = [0; CLAIMS + MAC];
    bytes[..CLAIMS].copy_from_slice(claims);
    bytes[CLAIMS..].copy_from_slice(key.mac(claims).as_ref().get(..MAC)?);
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

/// Returns what a link says; `None`: the key did not make it.
pub(super) fn opened(text: &str, key: &LinkKey) -> Option<[u8; CLAIMS]> {
    if text.len() != LENGTH {
        return None;
    }
    let bytes: [u8; CLAIMS + MAC] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
    let claims: &[u8; CLAIMS] = bytes.first_chunk()?;
    let tag = key.mac(claims);
    verify_slices_are_equal(tag.as_ref().get(..MAC)?, bytes.get(CLAIMS..)?).ok()?;
    Some(*claims)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> LinkKey {
        LinkKey([byte; KEY])
    }

    /// Says which of two keys' links open.
    fn open(keys: &LinkKeys) -> (bool, bool) {
        let opens = |wanted: LinkKey| keys.open(|key| (*key == wanted).then_some(())).is_some();
        (opens(key(1)), opens(key(2)))
    }

    #[test]
    fn links_from_before_a_node_joined_still_open() {
        let alone = LinkKeys::new(key(1), false);
        assert_eq!(open(&alone), (true, false));
        let joined = alone.agreed(key(2)).unwrap();
        assert_eq!((open(&joined), &joined.current, joined.is_agreed), ((true, true), &key(2), true));
        assert_eq!(joined.agreed(key(2)), None);
    }

    #[test]
    fn a_node_whose_own_key_is_agreed_on_has_no_other() {
        let first = LinkKeys::new(key(1), false).agreed(key(1)).unwrap();
        assert_eq!(first, LinkKeys::new(key(1), true));
    }

    #[test]
    fn a_key_that_another_node_replaced_opens_nothing() {
        let after_restart = LinkKeys::new(key(1), true);
        assert_eq!(open(&after_restart.agreed(key(2)).unwrap()), (false, true));
        // Nor do links from before this node joined.
        let joined = LinkKeys::new(key(1), false).agreed(key(3)).unwrap();
        assert_eq!(open(&joined.agreed(key(2)).unwrap()), (false, true));
    }
}
