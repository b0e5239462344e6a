//! Saves the picture of an event: `cargo run -p zmes-zoneminder --example picture -- /etc/zm/zm.conf 4711 alarm.jpg`

#![expect(clippy::print_stdout, reason = "an example prints")]

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;
use zmes_shared::EventId;
use zmes_zoneminder::conf::{ConnectionFault, Continuation, DatabaseConfig, ZmConf};
use zmes_zoneminder::database::ZmDb;
use zmes_zoneminder::pictures::{PictureKind, PictureReader, StorageRoots, Wanted};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [conf, event, output] = arguments.as_slice() else {
        return Err("usage: picture ZM_CONF EVENT OUTPUT.jpg".into());
    };
    let conf = ZmConf::load(Path::new(conf), Continuation::Guess)
        .map_err(|(file, error)| format!("cannot read {}: {error}", file.display()))?;
    let database = DatabaseConfig::from_zmconf(&conf).map_err(|faults| all(&faults))?;
    let reader = PictureReader::new(ZmDb::new(database, None, true), StorageRoots::of(&conf));
    let event = EventId(event.parse()?);
    let order = PictureKind::ORDER.to_vec();
    let wanted = Wanted { event, order, alarm_at: None, max_size: 4 << 20 };
    let picture = reader
        .read(&wanted, Instant::now() + Duration::from_secs(4))
        .await
        .map_err(|error| format!("{error}\nhint: {}", error.hint()))?;
    std::fs::write(output, &picture.bytes)?;
    println!("{:?} of {}, {} bytes", picture.kind, picture.written, picture.bytes.len());
    Ok(())
}

fn all(faults: &[ConnectionFault]) -> String {
    faults.iter().map(|fault| format!("{} {fault}", fault.name())).collect::<Vec<_>>().join("; ")
}
