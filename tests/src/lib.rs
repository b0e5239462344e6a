//! End-to-end tests of `zmesd` and `zmesctl`: the real binaries in a small environment.
//!
//! A [`World`] is a temporary directory with a MariaDB that has ZoneMinder's tables, the shared-memory files that `zmc`
//! would write, a certificate, `zm.conf`, `zmesd.toml`, and the daemon as a child process. Tests connect to it as apps
//! do ([`AppClient`]: literal JSON over real TLS) and as admins do ([`Ctl`]: the real `zmesctl`). [`Lab`] is the same
//! on a real ZoneMinder. Nothing here shares types with the program under test, so that a change of the wire format is
//! noticed. README.md says what each test file shows.

mod activation;
mod app_client;
mod binaries;
mod certificate;
pub mod command_lines;
mod ctl;
mod daemon;
mod database;
mod database_line;
mod home_assistant;
mod installed;
mod json;
mod jwt;
mod lab;
mod metrics;
mod mosquitto;
mod packaged;
mod phones;
mod pictures;
mod process;
mod push_settings;
mod raw_client;
mod settings;
mod shm_layout;
mod shm_writer;
mod site;
mod skip;
mod small_disk;
pub mod standin;
mod system_users;
mod systemd;
pub mod tmux;
mod troubles;
mod wait;
mod wall_clock;
mod world;
mod zoneminder;

pub use activation::Handover;
pub use app_client::{AppClient, Endpoint, Incoming};
pub use binaries::{repository, zmesctl_binary, zmesd_binary};
pub use certificate::{Certificate, Validity};
pub use ctl::{Ctl, CtlOutput, FakeDaemon, Streaming};
pub use daemon::Daemon;
pub use database::{Database, Schema};
pub use database_line::{DatabaseLine, LineState};
pub use home_assistant::HomeAssistant;
pub use installed::installed;
pub use json::{alarm, includes};
pub use jwt::{Claims, access_token};
pub use lab::Lab;
pub use metrics::{Metrics, MetricsPlace, Page};
pub use mosquitto::{Heard, Listening, Mosquitto, mosquitto_is_installed};
pub use packaged::PackagedUsers;
pub use phones::{registration, token_ending};
pub use pictures::jpeg;
pub use process::Process;
pub use raw_client::{HalfOpen, client_hello, tcp};
pub use settings::Settings;
pub use shm_layout::{Layout, Numbering, State};
pub use shm_writer::{ShmFile, Trigger};
pub use site::{Site, SiteBuilder, SitePush};
pub use skip::skipped;
pub use small_disk::SmallDisk;
pub use system_users::SystemUsers;
pub use systemd::NotifySocket;
pub use troubles::wait_long;
pub use wait::{DEADLINE, wait_until, within};
pub use wall_clock::epoch_seconds;
pub use world::{World, WorldBuilder};
pub use zoneminder::{EventRow, MonitorRow, UserRow};
