//! ZoneMinder from outside: what another program on its machine can read and ask.
//!
//! ZoneMinder has no interface for programs that want to know of an alarm within milliseconds. What it has are files,
//! tables and sockets, each of which changes from release to release. This crate reads those of 1.28 to 1.39 and gives
//! one answer for all of them. It knows no clients, pushes or decisions: it is what the daemon `zmesd` is built on, and
//! its hints name that daemon.
//!
//! # Modules
//!
//! | module | what it does |
//! |---|---|
//! | [`conf`] | `zm.conf` and `conf.d`: the grammar, each value with its file and line, the way to the database |
//! | [`shm`] | shared memory (`zm.mmap.N`): the layouts of all releases, decoded without trusting a byte |
//! | [`database`] | the database: all SQL, TLS, the first login at MySQL 8, failures as sentences with a command |
//! | [`pictures`] | pictures of events: where each release stores them, whole ones only, with a reason where there is none |
//! | [`trigger`] | forces and cancels alarms, in shared memory or through `zmtrigger.pl` |
//! | [`password`] | the formats of `Users.Password`, compared in a time that tells nothing about the user |
//! | [`access_token`] | the access tokens (JWT) of ZoneMinder's API |
//! | [`labels`] | what detection has written into `Events.Notes` |
//!
//! At the root are the values that these return ([`Monitor`], [`Reading`], [`User`], [`EventRow`], …) and the traits that
//! they implement ([`MonitorSource`], [`MonitorStore`], [`EventStore`], [`AccountStore`], [`DatabaseCheck`],
//! [`AlarmTrigger`]), so that a consumer's tests can put fakes in their place.
//!
//! # Example
//!
//! Reads one monitor from shared memory. `examples/monitors.rs` lists all monitors of an installation:
//! `cargo run -p zmes-zoneminder --example monitors -- /etc/zm/zm.conf`.
//!
//! ```
//! use zmes_shared::MonitorId;
//! use zmes_zoneminder::MonitorSource;
//! use zmes_zoneminder::shm::{ReadError, ShmSource};
//!
//! let mut source = ShmSource::new("/nonexistent".into());
//! match source.read(MonitorId(1), tokio::time::Instant::now()) {
//!     Ok(reading) => println!("{}, event {}", reading.state, reading.last_event),
//!     Err(error @ ReadError::NotThere { .. }) => println!("{error}"),
//!     Err(error) => panic!("{error}"),
//! }
//! ```
//!
//! # Where the facts come from
//!
//! - Layouts and numbers of states: `src/zm_monitor.h` of each release, compared with snapshots of real shared memory
//!   (`tests/fixtures/shm`, recorded from running releases).
//! - Tables and columns: `db/zm_create.sql.in` and `db/zm_update-*.sql`; what is there is looked up in
//!   `information_schema`, so that no version has to be known.
//! - Grammar of `zm.conf`: `src/zm_config.cpp` and `scripts/ZoneMinder/lib/ZoneMinder/Config.pm.in`.
//! - Rights: `src/zm_user.cpp`, `web/includes/auth.php`. Passwords and tokens: `src/zm_crypt.cpp`, `web/includes/auth.php`,
//!   `scripts/zmupdate.pl.in` (the `-ZM-` overlay).
//! - Pictures: `src/zm_event.cpp`, `src/zm_storage.cpp`, `scripts/ZoneMinder/lib/ZoneMinder/Event.pm`.
//! - Labels: `zm_detect.py` and its hook helpers (`[a] detected:person:95%`), `zmeventnotification.pl` (how Notes are put
//!   together), `src/zm_event.cpp` (`updateNotes` overwrites them), `db/zm_update-1.37.44.sql` (tags).
//! - Triggers: `src/zm_monitor.h` (`TriggerData`), `scripts/zmtrigger.pl.in`.
//!
//! # Tests
//!
//! `cargo test -p zmes-zoneminder` takes seconds after the build and needs no database and no root. Tests named
//! `database_…` start a MariaDB of their own, and are skipped where none is installed.

#![warn(missing_docs)]

pub mod access_token;
pub mod conf;
pub mod database;
#[doc(hidden)]
pub mod fuzzing;
pub mod labels;
mod monitor;
pub mod password;
pub mod pictures;
mod ports;
mod reading;
mod rights;
pub mod shm;
pub mod trigger;
mod user;
mod version;

pub use monitor::{Monitor, MonitorSet, NotWatched, OtherServer, Recording};
pub use ports::{
    AccountStore, AlarmTrigger, CaptureReport, CaptureReports, CaptureStatus, DatabaseCheck, DatabaseFault,
    DatabaseReport, DatabaseTrouble, DbError, DbHealth, EventRow, EventStore, LabelSources, LabelsRead,
    MonitorSource, MonitorStore, PictureStore, ServerShare, ServerShares, TriggerCommand, TriggerError,
    TriggerVia, Whereabouts, Zoneminder,
};
pub use reading::{Reading, Trigger};
pub use rights::MonitorRights;
pub use user::{AccessPass, User};
pub use version::ZmVersion;
