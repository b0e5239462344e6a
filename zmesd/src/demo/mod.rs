//! `zmesd demo`: the real daemon on a simulated ZoneMinder, without root, network or database.
//!
//! Prepares the daemon's inputs: a configuration whose files are all in one directory, ports to a ZoneMinder in memory
//! (as with a real one, also in shared memory), and an app that logs in and prints what it gets. The root combines
//! these with the unchanged daemon; only the database is replaced.

mod certificate;
mod client;
mod database;
mod directory;
mod memory;
mod push_proxy;
mod shot;
mod zoneminder;

use std::fmt::Write as _;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use zmes_shared::duration;

pub use client::Client;
pub use database::Database;
pub use directory::Directory;
pub use push_proxy::PushProxy;
pub use zoneminder::Simulation;

use crate::config::{Config, Environment, Loaded, Problems, TlsFiles, toml_string};
use crate::ports::Clock;
use certificate::Certificate;

/// The default port of the protocol.
const PORT: u16 = 9000;
const MAX_MONITORS: u32 = 500;
const DEFAULT_MONITORS: u32 = 4;
/// Minimum and maximum time between two alarms.
const EVERY: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_hours(1);

/// Options of the demo.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Options {
    /// Address of the WebSocket server; port 0 means any free port [default: 127.0.0.1:9000, or a free port].
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// Number of cameras to simulate.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_MONITORS, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_MONITORS)))]
    pub monitors: u32,
    /// Time between two alarms.
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = every)]
    pub every: Duration,
    /// Directory for all files, kept at the end [default: a temporary one that is removed].
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
}

fn every(text: &str) -> Result<Duration, String> {
    let every = duration::parse(text).map_err(|error| error.to_string())?;
    if EVERY.contains(&every) {
        return Ok(every);
    }
    Err(format!("must be from {} to {}", duration::format(*EVERY.start()), duration::format(*EVERY.end())))
}

#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// `--keep` would mix the demo's files with others.
    #[error("{0} is not empty")]
    NotEmpty(PathBuf),
    #[error("no free port on {0}")]
    Listen(SocketAddr, #[source] io::Error),
    #[error("cannot write {path}")]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot make a certificate")]
    Certificate(#[from] rcgen::Error),
    #[error("cannot set up TLS for the demo's own app")]
    Tls(#[from] rustls::Error),
    /// The configuration is invalid, for example because the directory's path is too long.
    #[error("cannot run in this directory\n{0}")]
    Configuration(Problems),
    #[error("cannot hash the password")]
    Password(#[from] bcrypt::BcryptError),
}

impl DemoError {
    /// Returns whether the command line is at fault, not the machine.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::NotEmpty(_) | Self::Configuration(_) => true,
            Self::Listen(..)
            | Self::Write { .. }
            | Self::Certificate(_)
            | Self::Tls(_)
            | Self::Password(_) => false,
        }
    }

    /// Returns a function that converts an I/O error at `path`.
    fn writing(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Write { path, source }
    }
}

#[derive(Debug)]
pub struct Demo {
    pub config: Config,
    /// ZoneMinder's database, for the ports `MonitorStore`, `AccountStore` and `EventStore`.
    pub database: Arc<Database>,
    pub simulation: Simulation,
    pub client: Client,
    pub push_proxy: PushProxy,
    pub directory: Directory,
    pub introduction: String,
}

impl Demo {
    /// Creates the directory, the certificate, the shared memory and the database.
    ///
    /// `zmesctl` is the command that the user would type, for the suggested lines.
    pub fn prepare(options: &Options, zmesctl: &str, clock: &Arc<dyn Clock>) -> Result<Self, DemoError> {
        let listen = choose_address(options.listen)?;
        let directory = Directory::create(options.keep.as_deref())?;
        let certificate = Certificate::create(&directory.subdirectory("tls")?, listen.ip(), clock.now())?;
        let database = Arc::new(Database::new(options.monitors, directory.subdirectory("events")?)?);
        let map = directory.subdirectory("shm")?;
        let simulation = Simulation::start(&map, Arc::clone(&database), options.every, Arc::clone(clock))
            .map_err(DemoError::writing(&map))?;
        let (push_proxy, rings) = PushProxy::bind(&certificate)?;
        let client = Client {
            address: listen,
            tls: certificate.client()?,
            database: Arc::clone(&database),
            clock: Arc::clone(clock),
            rings,
            pictures: directory.subdirectory("pictures")?,
        };
        let text = configuration(&directory, listen, &certificate.files, &push_proxy.url()?)?;
        let loaded = Loaded::from_text(&text, Path::new("zmesd demo"), &Environment::default());
        let config = loaded.map_err(DemoError::Configuration)?.config;
        let introduction = introduction(options, &directory, listen, &config.control.socket, zmesctl);
        Ok(Self { config, database, simulation, client, push_proxy, directory, introduction })
    }
}

/// Returns a `zmesd.toml` for the demo. Nothing ever connects to its database: the database ports are [`Database`].
fn configuration(
    directory: &Directory,
    listen: SocketAddr,
    tls: &TlsFiles,
    push_proxy: &str,
) -> Result<String, DemoError> {
    let path = |path: &Path| toml_string(&path.to_string_lossy());
    Ok(format!(
        "[zoneminder]\nconfig = \"\"\ndatabase-url = \"mysql://demo@localhost/zm\"\npath-map = {map}\n\
         [server]\nlisten = [\"{listen}\"]\n\
         [picture]\nbase-url = \"https://{reached}\"\n\
         [server.tls]\ncertificate = {certificate}\nkey = {key}\n\
         [push.proxy]\nenabled = true\nurl = \"{push_proxy}\"\napp-name = \"{name}\"\napp-key = \"{app_key}\"\n\
         ca-certificate = {certificate}\n\
         [state]\ndirectory = {state}\n\
         [control]\nsocket = {socket}\n\
         [log]\nlevel = \"warn\"\nformat = \"text\"\n",
        map = path(&directory.path().join("shm")),
        certificate = path(&tls.certificate),
        key = path(&tls.key),
        name = push_proxy::APP_NAME,
        app_key = push_proxy::APP_KEY,
        reached = client::reachable(listen),
        state = path(&directory.subdirectory("state")?),
        socket = path(&directory.path().join("control.sock")),
    ))
}

/// Returns the address to listen on: the requested one, else the default port on the loopback, else a free port there.
///
/// The port is tested by binding it, and released on return. If another process takes it first, the daemon reports that
/// as for any other port.
fn choose_address(wanted: Option<SocketAddr>) -> Result<SocketAddr, DemoError> {
    let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
    let free = match wanted {
        Some(address) if address.port() != 0 => return Ok(address),
        Some(address) => address,
        None if TcpListener::bind(usual).is_ok() => return Ok(usual),
        None => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
    };
    TcpListener::bind(free)
        .and_then(|listener| listener.local_addr())
        .map_err(|source| DemoError::Listen(free, source))
}

/// Returns the command for `zmesctl` that matches the way in which the daemon was started.
pub fn zmesctl_command(executable: Option<&Path>) -> String {
    let system = "zmesctl".to_owned();
    let Some(directory) = executable.and_then(Path::parent) else { return system };
    if directory.ends_with("bin") || directory.ends_with("sbin") {
        return system;
    }
    let neighbour = directory.join("zmesctl");
    if neighbour.exists() {
        return neighbour.display().to_string();
    }
    // `cargo run -p zmesd` builds only the daemon.
    "cargo run -q -p zmesctl --".to_owned()
}

fn introduction(
    options: &Options,
    directory: &Directory,
    listen: SocketAddr,
    socket: &Path,
    zmesctl: &str,
) -> String {
    let mut text = String::new();
    let auth = r#"{"event":"auth","data":{"user":"admin","password":"admin"}}"#;
    let place = directory.path().display();
    let fate = if directory.is_kept() { "kept" } else { "removed at the end" };
    let monitors = options.monitors;
    let every = options.every;
    // Writing into a String cannot fail.
    let _ = write!(
        text,
        "zmesd serves a simulated ZoneMinder: {monitors} monitors, an alarm every {every:?}.\n\
         \n\
         \x20 apps       wss://{listen}  user admin, password admin  (the certificate is self-signed)\n\
         \x20 files      {place}  ({fate})\n\
         \x20 by hand    echo '{auth}' | websocat -n -k wss://{listen}\n\
         \n\
         Try in another terminal:\n"
    );
    for line in [
        "status",
        "monitors list",
        "clients list",
        "tokens list",
        "alarm test --wait",
        "alarm force --monitor 1 --for 5s",
        "watch",
        "push check",
        "check all",
    ] {
        let _ = writeln!(text, "  {zmesctl} --socket {} {line}", socket.display());
    }
    text.push_str("\nPress Ctrl-C to stop.\n");
    text
}

#[cfg(test)]
mod tests;
