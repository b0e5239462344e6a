//! Where the pictures of an event are stored. Pure.

use std::path::{Path, PathBuf};

use jiff::ToSpan;
use jiff::civil::{Date, DateTime};
use zmes_shared::{EventId, MonitorId};

use crate::conf::ZmConf;

/// How ZoneMinder lays out the directories of events: `Events.Scheme`. An event keeps its own when the storage gets
/// another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `3/26/11/30/14/03/59`: by local time of the start, with a link `.<event>` in the directory of the day.
    Deep,
    /// `3/2026-11-30/4711`.
    Medium,
    /// `3/4711`.
    Shallow,
}

impl Scheme {
    /// Reads `Events.Scheme`; what it does not know is ZoneMinder's default, [`Self::Medium`].
    pub fn parse(text: &str) -> Self {
        match text {
            "Deep" => Self::Deep,
            "Shallow" => Self::Shallow,
            _ => Self::Medium,
        }
    }
}

/// A row of `Storage`, or the directory that was before there were storages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storage {
    /// `Storage.Id`; 0: none.
    pub id: u32,
    /// `Storage.Path`; `None`: there is no such row.
    pub path: Option<PathBuf>,
    /// `Storage.ServerId` names another server: the directory is its own, and here only if it is mounted.
    pub elsewhere: bool,
}

/// What the database says about where an event is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPlace {
    /// `Events.Id`.
    pub event: EventId,
    /// `Events.MonitorId`.
    pub monitor: MonitorId,
    /// Its storage, then the one that has a copy.
    pub storages: Vec<Storage>,
    /// The other server of ZoneMinder that has written it, by its storage or else by its monitor; `None`: this one, or it is
    /// not known which one this is.
    pub server: Option<u32>,
    /// Its layout.
    pub scheme: Scheme,
    /// `StartDateTime` or `StartTime`, without a zone as it is stored; `None`: unreadable.
    pub start: Option<DateTime>,
    /// `ZM_EVENT_IMAGE_DIGITS`: digits of a frame's number in its file name.
    pub digits: usize,
}

/// The directories of `zm.conf` where the database has no absolute one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StorageRoots {
    /// `ZM_DIR_EVENTS` (from 1.32 on in `zm.conf`, before in table `Config`).
    pub events: Option<PathBuf>,
    /// `ZM_PATH_WEB`, below which relative paths lie.
    pub web: Option<PathBuf>,
}

impl StorageRoots {
    /// Takes them from `zm.conf`.
    pub fn of(conf: &ZmConf) -> Self {
        let path = |name| conf.text(name).map(PathBuf::from);
        Self { events: path("ZM_DIR_EVENTS"), web: path("ZM_PATH_WEB") }
    }

    /// Returns the root directory of a storage; `None`: it is not known.
    pub(super) fn root(&self, storage: &Storage) -> Option<PathBuf> {
        let path = storage.path.as_ref().filter(|path| !path.as_os_str().is_empty());
        let path = path.or(self.events.as_ref())?;
        if path.is_absolute() { Some(path.clone()) } else { Some(self.web.as_ref()?.join(path)) }
    }
}

/// A directory below the root of a storage, in which the event may lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Directory {
    At(PathBuf),
    /// The link in the directory of a day names it: `HH/MM/SS` below that directory.
    LinkedFrom {
        day: PathBuf,
        link: String,
    },
}

impl EventPlace {
    /// Returns the directories in which the event may lie, the likeliest first.
    ///
    /// Directories are named by the local time of `zmc`. Up to 1.36 the start in the database is the server's local time,
    /// so the day may be the one before or after. In the deep layout a time of another zone would be the directory of
    /// another event, so the links are asked first.
    pub(super) fn directories(&self) -> Vec<Directory> {
        let monitor = self.of_monitor();
        let event = self.event.0.to_string();
        let Some(start) = self.start.filter(|_| self.scheme != Scheme::Shallow) else {
            return vec![Directory::At(monitor.join(event))];
        };
        let days = [Some(start.date()), yesterday(start.date()), tomorrow(start.date())];
        let days = days.into_iter().flatten();
        if self.scheme == Scheme::Medium {
            return days
                .map(|day| Directory::At(monitor.join(day.strftime("%Y-%m-%d").to_string()).join(&event)))
                .collect();
        }
        let linked = days.map(|day| Directory::LinkedFrom {
            day: monitor.join(day.strftime("%y/%m/%d").to_string()),
            link: format!(".{event}"),
        });
        let direct = monitor.join(start.strftime("%y/%m/%d/%H/%M/%S").to_string());
        linked.chain([Directory::At(direct)]).collect()
    }

    /// Returns the directory of all events of the monitor.
    pub(super) fn of_monitor(&self) -> PathBuf {
        PathBuf::from(self.monitor.0.to_string())
    }

    /// Returns the name of the file with a frame's picture.
    pub(super) fn frame(&self, frame: u64) -> String {
        format!("{frame:0digits$}-capture.jpg", digits = self.digits.clamp(1, 20))
    }
}

fn yesterday(day: Date) -> Option<Date> {
    day.checked_sub(1.day()).ok()
}

fn tomorrow(day: Date) -> Option<Date> {
    day.checked_add(1.day()).ok()
}

/// Says whether a link's target is what ZoneMinder writes, `HH/MM/SS`, and nothing else.
pub(super) fn is_time_of_day(target: &Path) -> bool {
    let Some(text) = target.to_str() else { return false };
    let digits = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts = text.split('/');
    parts.by_ref().take(3).filter(|part| digits(part)).count() == 3 && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(scheme: Scheme, start: &str) -> EventPlace {
        EventPlace {
            event: EventId(4711),
            monitor: MonitorId(3),
            storages: Vec::new(),
            server: None,
            scheme,
            start: start.parse().ok(),
            digits: 5,
        }
    }

    fn at(paths: &[&str]) -> Vec<Directory> {
        paths.iter().map(|path| Directory::At(path.into())).collect()
    }

    #[test]
    fn each_layout_names_its_directories() {
        assert_eq!(place(Scheme::Shallow, "2026-11-30T14:03:59").directories(), at(&["3/4711"]));
        assert_eq!(
            place(Scheme::Medium, "2026-03-01T00:10:00").directories(),
            at(&["3/2026-03-01/4711", "3/2026-02-28/4711", "3/2026-03-02/4711"])
        );
        let linked = |day: &str| Directory::LinkedFrom { day: day.into(), link: ".4711".to_owned() };
        assert_eq!(
            place(Scheme::Deep, "2027-01-01T02:03:04").directories(),
            [
                linked("3/27/01/01"),
                linked("3/26/12/31"),
                linked("3/27/01/02"),
                Directory::At("3/27/01/01/02/03/04".into())
            ]
        );
        assert_eq!(place(Scheme::Medium, "never").directories(), at(&["3/4711"]), "without a start");
    }

    #[test]
    fn a_relative_storage_lies_below_the_web_directory() {
        let roots = StorageRoots { events: Some("events".into()), web: Some("/usr/share/zm/www".into()) };
        let storage = |path: Option<&str>| Storage { id: 1, path: path.map(PathBuf::from), elsewhere: false };
        let root = |path: Option<&str>| roots.root(&storage(path));
        assert_eq!(root(Some("/srv/events")), Some("/srv/events".into()));
        assert_eq!(root(Some("nas")), Some("/usr/share/zm/www/nas".into()));
        assert_eq!(root(Some("")), Some("/usr/share/zm/www/events".into()));
        assert_eq!(root(None), Some("/usr/share/zm/www/events".into()));
        let nowhere = StorageRoots::default();
        assert_eq!(nowhere.root(&storage(None)), None);
        assert_eq!(nowhere.root(&storage(Some("events"))), None);
    }

    #[test]
    fn only_a_time_of_day_is_followed() {
        for (target, taken) in [
            ("14/03/59", true),
            ("14/03/59/", false),
            ("14/03", false),
            ("14/03/5a", false),
            ("14/03/../59", false),
            ("../../../etc", false),
            ("/14/03/59", false),
            ("14/03/59/x", false),
        ] {
            assert_eq!(is_time_of_day(Path::new(target)), taken, "{target}");
        }
    }

    #[test]
    fn a_frame_is_named_with_as_many_digits_as_zoneminder_says() {
        let mut place = place(Scheme::Medium, "2026-11-30T14:03:59");
        assert_eq!(place.frame(42), "00042-capture.jpg");
        assert_eq!(place.frame(123_456), "123456-capture.jpg");
        place.digits = 0;
        assert_eq!(place.frame(42), "42-capture.jpg");
    }
}
