//! Pictures: can those of the newest event be read?

use std::time::Duration;

use tokio::time::{Instant, timeout};
use zmes_shared::views::Finding;
use zmes_zoneminder::pictures::NoPicture;

use crate::admin::AdminParts;

const STEP: &str = "pictures";
/// A disk that sleeps, or one of another machine, may take that long.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reads the picture of the newest event, if pushes hold links to pictures.
pub(super) async fn findings(parts: &AdminParts) -> Vec<Finding> {
    if !parts.pictures.has_links() {
        return Vec::new();
    }
    // A database that does not answer is a finding of its own.
    let Ok(Some(newest)) = parts.events.newest().await else { return Vec::new() };
    let examine = parts.pictures.examine(newest, Instant::now());
    let Ok(examined) = timeout(PATIENCE, examine).await else {
        let detail = format!("the picture of event {newest} was not read within {} s", PATIENCE.as_secs());
        return vec![Finding::warning(STEP, detail, "does the disk of ZoneMinder's events respond?")];
    };
    match examined.picture {
        Ok(_) => vec![Finding::good(STEP, format!("the picture of event {newest} can be read"))],
        // An event that has just begun, one that was deleted meanwhile, and what the database part says.
        Err(
            NoPicture::NoEvent
            | NoPicture::NoDirectory(_)
            | NoPicture::NotWritten(_)
            | NoPicture::NotWhole(_)
            | NoPicture::Database(_),
        ) => Vec::new(),
        Err(
            problem @ (NoPicture::NoStorage(_)
            | NoPicture::Root { .. }
            | NoPicture::Unreadable { .. }
            | NoPicture::Link(_)
            | NoPicture::Stuck
            | NoPicture::TooLarge { .. }),
        ) => {
            vec![Finding::warning(STEP, format!("pushes have no pictures: {problem}"), problem.hint())]
        }
    }
}
