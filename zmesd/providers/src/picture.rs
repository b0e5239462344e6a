//! The picture of an alarm, and how a transport takes it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

/// How a transport takes the picture of an alarm.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PictureWay {
    /// Not at all.
    Nothing,
    /// As a link, which the phone opens.
    #[default]
    Link,
    /// As a file. The text waits this long for it.
    File {
        /// `picture-wait`
        wait: Duration,
    },
}

/// The picture of the last alarm of a push.
#[derive(Debug, Clone)]
pub enum PushedPicture {
    /// Its link for the phone. A secret: whoever has the link can see the picture.
    Link(SecretString),
    /// The picture itself.
    File(PictureFile),
}

impl PushedPicture {
    pub(crate) fn link(&self) -> Option<&str> {
        match self {
            Self::Link(link) => Some(link.expose_secret()),
            Self::File(_) => None,
        }
    }

    pub(crate) fn file(&self) -> Option<&PictureFile> {
        match self {
            Self::File(file) => Some(file),
            Self::Link(_) => None,
        }
    }
}

/// A whole JPEG. `Debug` prints only its size.
#[derive(Clone, PartialEq, Eq)]
pub struct PictureFile(Arc<Vec<u8>>);

impl PictureFile {
    /// Its media type for services.
    pub const TYPE: &'static str = "image/jpeg";
    /// Its file name for services.
    pub const NAME: &'static str = "alarm.jpg";

    /// Takes the bytes of a JPEG.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Arc::new(bytes))
    }

    /// Returns the bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for PictureFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PictureFile({} bytes)", self.0.len())
    }
}
