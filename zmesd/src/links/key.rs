//! The key of links, and the MAC that it makes.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{CLAIMS, LENGTH};

/// Length of the key in bytes.
pub(super) const KEY: usize = 32;
pub(super) const MAC: usize = 16;

/// The key that signs this server's links.
#[derive(Clone)]
pub struct LinkKey([u8; KEY]);

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

    /// Returns the bytes, only for the state file.
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

impl fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkKey(hidden)")
    }
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
