//! Pictures of events, as ZoneMinder writes them.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::world::World;

const START: [u8; 3] = [0xff, 0xd8, 0xff];
const END: [u8; 2] = [0xff, 0xd9];

/// Returns what begins and ends as a JPEG does, of this many bytes, filled with `content`.
pub fn jpeg(size: usize, content: u8) -> Vec<u8> {
    let inside = vec![content; size.saturating_sub(START.len() + END.len())];
    [&START[..], &inside[..], &END[..]].concat()
}

impl World {
    /// Returns the directory where ZoneMinder would put the pictures of an event, by its start in the database; it exists
    /// afterwards.
    pub async fn event_directory(&self, monitor: u32, event: u64) -> Result<PathBuf> {
        let query = format!("SELECT DATE(StartDateTime) FROM Events WHERE Id={event}");
        let day = self.database.sql(&query).await?;
        let day = day.split_whitespace().last().context("no day")?;
        let directory = self.path("events").join(monitor.to_string()).join(day).join(event.to_string());
        fs::create_dir_all(&directory)?;
        Ok(directory)
    }
}
