//! Pictures that other servers of the site have on their disks.

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::time::Instant;

use super::reader::{Wanted, since};
use super::{Picture, PictureKind, whole};

/// Whoever can be asked for pictures of other servers.
#[async_trait]
pub trait PicturesElsewhere: fmt::Debug + Send + Sync {
    /// Returns the picture of an event that another server has written; `server`: `Servers.Id`. `None`: nobody had it by the
    /// deadline, or nobody can be asked.
    async fn picture(&self, server: u32, wanted: &Wanted, deadline: Instant) -> Option<Picture>;
}

impl Picture {
    /// Returns what another server has answered with; `None`: it is no whole JPEG, or larger than wanted.
    pub fn received(
        mut bytes: Vec<u8>,
        kind: PictureKind,
        written: Timestamp,
        wanted: &Wanted,
    ) -> Option<Self> {
        bytes.truncate(whole::length(&bytes)?);
        let fits = u64::try_from(bytes.len()).is_ok_and(|length| length <= wanted.max_size);
        let earlier = since(wanted).is_some_and(|since| written < since);
        fits.then_some(Self { bytes, kind, written, earlier })
    }
}
