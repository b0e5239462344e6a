//! Pictures of events, read from where ZoneMinder stores them.
//!
//! ZoneMinder writes its pictures in place, some 10 ms to seconds after the alarm: a reader may find no file, an empty
//! one, or half of one. [`PictureReader::read`] waits for a whole one until a deadline, and says why there is none.
//!
//! Each part of a path is a number or a date that this module formats itself, and no link below the storage's root is
//! followed: what lies there belongs to whoever can write to the events' area. Pictures are not decoded or scaled.
//!
//! Facts: `src/zm_event.cpp` (`SetPath`, `WriteFrameImage`), `src/zm_storage.cpp`, `web/views/image.php`,
//! `scripts/ZoneMinder/lib/ZoneMinder/Event.pm`.

mod beneath;
mod elsewhere;
mod look;
mod place;
mod reader;
mod whole;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

pub use elsewhere::PicturesElsewhere;
pub use place::{EventPlace, Scheme, Storage, StorageRoots};
pub use reader::{PictureReader, Wanted};

use crate::DbError;

/// Which picture of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PictureKind {
    /// `objdetect.jpg`: `zm_detect`'s, with boxes around what it found. Comes seconds after the alarm.
    Objdetect,
    /// `alarm.jpg`: the first picture with a score.
    Alarm,
    /// `snapshot.jpg`: the picture with the highest score so far; at first simply the first one.
    Snapshot,
    /// The picture of a frame, where ZoneMinder saves JPEGs: its `FrameId`.
    Frame(u64),
}

impl PictureKind {
    /// The order in which pictures are looked for if nobody wants another one.
    pub const ORDER: [Self; 3] = [Self::Objdetect, Self::Alarm, Self::Snapshot];
}

impl fmt::Display for PictureKind {
    /// Writes ZoneMinder's name of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Objdetect => f.write_str("objdetect"),
            Self::Alarm => f.write_str("alarm"),
            Self::Snapshot => f.write_str("snapshot"),
            Self::Frame(frame) => write!(f, "frame {frame}"),
        }
    }
}

/// A whole JPEG.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    /// From the marker of its start to that of its end.
    pub bytes: Vec<u8>,
    /// Which picture it is.
    pub kind: PictureKind,
    /// When ZoneMinder wrote it.
    pub written: Timestamp,
    /// It was written before the alarm that was asked for, and shows an earlier one of the same event.
    pub earlier: bool,
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bytes, kind, written, earlier } = self;
        write!(f, "Picture({kind:?}, {} bytes, {written}, earlier: {earlier})", bytes.len())
    }
}

/// Why there is no picture of an event.
#[derive(Debug, thiserror::Error)]
pub enum NoPicture {
    /// The database does not say where it would be.
    #[error(transparent)]
    Database(#[from] DbError),
    /// There is no such event (any more).
    #[error("the event is not in the database")]
    NoEvent,
    /// The event's storage is not in table `Storage`, and `zm.conf` names no directory either.
    #[error("storage {0} of the event has no path, and zm.conf has no ZM_DIR_EVENTS")]
    NoStorage(u32),
    /// The root of the storage cannot be opened.
    #[error("cannot open storage {}: {source}", path.display())]
    Root {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The directory or a file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A part of the path below the storage's root is a link.
    #[error("{} is a symbolic link, or lies behind one; links below the root of a storage are not followed", .0.display())]
    Link(PathBuf),
    /// No directory of the event was there before the deadline.
    #[error("{} has no directory of the event", .0.display())]
    NoDirectory(PathBuf),
    /// The storage is another server's, and its directory is not mounted here.
    #[error("{} does not exist: the storage is on another server of ZoneMinder, and not mounted here", .0.display())]
    NotMounted(PathBuf),
    /// The disk did not answer: a network share whose server is away, for one.
    #[error("the disk of the event's storage does not respond")]
    Stuck,
    /// The directory had none of the pictures before the deadline.
    #[error("{} has none of the wanted pictures", .0.display())]
    NotWritten(PathBuf),
    /// The picture was still not whole at the deadline.
    #[error("{} is not a whole JPEG", .0.display())]
    NotWhole(PathBuf),
    /// The picture is larger than it may be.
    #[error("{} has {size} bytes; at most {limit} are read", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
}

impl NoPicture {
    /// Says whether the picture may still come.
    fn may_come(&self) -> bool {
        match self {
            Self::NoDirectory(_) | Self::NotWritten(_) | Self::NotWhole(_) => true,
            Self::Database(_)
            | Self::NoEvent
            | Self::NoStorage(_)
            | Self::Root { .. }
            | Self::Unreadable { .. }
            | Self::Link(_)
            | Self::NotMounted(_)
            | Self::Stuck
            | Self::TooLarge { .. } => false,
        }
    }

    /// Returns what an admin can do about it; empty where nothing is wrong.
    pub fn hint(&self) -> String {
        match self {
            Self::Database(error) => error.trouble().hint.clone(),
            Self::NoEvent | Self::NotWhole(_) => String::new(),
            Self::NoStorage(_) => "set the storage of the monitor in ZoneMinder: Options, Storage".to_owned(),
            Self::Root { path, source } => root_hint(path, source.kind()),
            Self::Unreadable { path, .. } => readable(path),
            Self::NotMounted(_) => {
                "mount the storage of that server here, at the same path; reading is enough. In a cluster it is also \
                 enough to set cluster.address at the node of that server"
                    .to_owned()
            }
            Self::Stuck => {
                "is the storage a network share, and is its server up? `ls` there shows whether it hangs"
                    .to_owned()
            }
            Self::Link(_) => {
                "make the directory a storage of its own in ZoneMinder, or mount it with --bind".to_owned()
            }
            Self::NoDirectory(path) | Self::NotWritten(path) => format!(
                "is the storage mounted (findmnt -T {})? Has its disk room, and does the monitor record?",
                path.display()
            ),
            Self::TooLarge { .. } => {
                "lower the resolution of the monitor, or ZM_JPEG_FILE_QUALITY in ZoneMinder's options"
                    .to_owned()
            }
        }
    }
}

/// Returns what to do about a root that cannot be opened, by what the unit hides. `ProtectHome=yes` makes directories
/// inaccessible, so that they are refused rather than absent, and nothing can be mounted below them; `PrivateTmp=yes`
/// only empties them (systemd.exec).
fn root_hint(path: &Path, kind: io::ErrorKind) -> String {
    let below = |directories: &[&str]| directories.iter().any(|directory| path.starts_with(directory));
    let (shown, denied) = (path.display(), kind == io::ErrorKind::PermissionDenied);
    let hidden = below(&["/home", "/root", "/run/user"]) && (denied || kind == io::ErrorKind::NotFound);
    if hidden || below(&["/tmp", "/var/tmp"]) && kind == io::ErrorKind::NotFound {
        let home = if hidden { "ProtectHome=tmpfs and " } else { "" };
        return format!(
            "does it exist? The systemd unit hides /home, /root, /run/user and /tmp from zmesd: systemctl edit zmesd, \
             add {home}BindReadOnlyPaths={shown} below [Service], then systemctl restart zmesd"
        );
    }
    if kind == io::ErrorKind::NotFound {
        format!("is it mounted? findmnt -T {shown}")
    } else {
        readable(path)
    }
}

fn readable(path: &Path) -> String {
    let shown = path.display();
    format!(
        "the user of zmesd must be able to read it, as a member of the web server's group: ls -ld {shown}"
    )
}

#[cfg(test)]
mod tests;
