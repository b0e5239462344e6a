//! Prints the monitors of a ZoneMinder: `cargo run -p zmes-zoneminder --example monitors -- /etc/zm/zm.conf`

#![expect(clippy::print_stdout, reason = "an example prints")]

use std::error::Error;
use std::path::{Path, PathBuf};

use tokio::time::Instant;
use zmes_zoneminder::conf::{ConnectionFault, Continuation, DatabaseConfig, ZmConf};
use zmes_zoneminder::database::ZmDb;
use zmes_zoneminder::shm::ShmSource;
use zmes_zoneminder::{DbError, MonitorSource, MonitorStore, NotWatched};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).map_or_else(|| "/etc/zm/zm.conf".into(), PathBuf::from);
    let conf = ZmConf::load(&path, Continuation::Guess)
        .map_err(|(file, error)| format!("cannot read {}: {error}", file.display()))?;
    let database = DatabaseConfig::from_zmconf(&conf).map_err(|faults| all(&faults))?;
    let zoneminder = ZmDb::new(database, None, true).load().await.map_err(|error| with_hint(&error))?;
    let mut memory = ShmSource::new(Path::new(conf.text("ZM_PATH_MAP").unwrap_or("/dev/shm")).to_owned());
    memory.assume_version(zoneminder.version);
    for monitor in zoneminder.monitors.iter() {
        let state = match monitor.watched {
            Ok(()) => memory
                .read(monitor.id, Instant::now())
                .map_or_else(|error| error.to_string(), |reading| reading.state.to_string()),
            Err(NotWatched::NotCapturing) => "not captured".to_owned(),
            Err(NotWatched::NoDetection) => "without detection".to_owned(),
            Err(NotWatched::WebSite) => "a web site".to_owned(),
        };
        println!("{:>4}  {:<24}  {state}", monitor.id, monitor.name);
    }
    Ok(())
}

fn all(faults: &[ConnectionFault]) -> String {
    faults.iter().map(|fault| format!("{} {fault}", fault.name())).collect::<Vec<_>>().join("; ")
}

fn with_hint(error: &DbError) -> String {
    format!("{error}\nhint: {}", error.trouble().hint)
}
