//! `pictures test`, `pictures rotate`, and pictures for `zmesctl hook`.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use tokio::time::{Instant, timeout};
use zmes_shared::EventId;
use zmes_shared::control::{ControlError, ErrorCode};
use zmes_shared::views::{Done, PictureRead, PictureTested};
use zmes_zoneminder::{DatabaseTrouble, DbError};

use super::answers::off_loop;
use super::tokens::view::millis;
use super::{AdminParts, cluster};
use crate::ports::{KeyRotated, PictureExamined};

/// A picture that is being written is waited for as long as for a phone.
const PATIENCE: Duration = Duration::from_secs(4);
/// What is older has the pictures that it will have.
const YOUNG: Duration = Duration::from_secs(30);
/// Time for all questions to database and disk; `zmesctl` waits for longer.
const DEADLINE: Duration = Duration::from_secs(15);
/// How long a program may wait for a picture.
const READ_WAIT: Duration = Duration::from_secs(10);
/// Largest picture for a program, in bytes: in base64 it fits into an answer.
const READ_MAX: usize = 8 << 20;

pub(super) async fn test(parts: &AdminParts, event: EventId) -> PictureTested {
    let began = Instant::now();
    let examined = timeout(DEADLINE, examined(parts, event, began)).await.unwrap_or_else(|_| {
        let late = format!("neither database nor disk answered within {} s", DEADLINE.as_secs());
        let late = DbError::Unavailable(DatabaseTrouble::late(late));
        PictureExamined { monitor: None, picture: Err(late.into()) }
    });
    let mut tested = PictureTested {
        event_id: event,
        monitor_id: examined.monitor,
        found: false,
        picture: None,
        bytes: None,
        written_at: None,
        took_ms: millis(began.elapsed()),
        links: parts.pictures.base_url().is_some(),
        error: String::new(),
        hint: String::new(),
    };
    match examined.picture {
        Ok(picture) => {
            tested.found = true;
            tested.picture = Some(picture.kind.to_string());
            tested.bytes = u64::try_from(picture.bytes.len()).ok();
            tested.written_at = Some(picture.written);
        }
        Err(problem) => {
            tested.error = problem.to_string();
            tested.hint = problem.hint();
        }
    }
    tested
}

async fn examined(parts: &AdminParts, event: EventId, began: Instant) -> PictureExamined {
    let before = EventId(event.0.saturating_sub(1));
    let young = match parts.events.since(before, &[], 1).await {
        Ok(rows) => rows.iter().any(|row| row.id == event && row.age < YOUNG),
        Err(problem) => return PictureExamined { monitor: None, picture: Err(problem.into()) },
    };
    let deadline = if young { began + PATIENCE } else { began };
    parts.pictures.examine(event, deadline).await
}

/// Reads the picture of an alarm for a program; event 0 is none.
pub(super) async fn read(
    parts: &AdminParts,
    event: EventId,
    at: Option<Timestamp>,
    wait: Duration,
) -> Result<PictureRead, ControlError> {
    let file = match event {
        EventId(0) => None,
        _ => parts.pictures.file(event, at, None, wait.min(READ_WAIT)).await,
    };
    let file = file.filter(|file| file.bytes().len() <= READ_MAX);
    let jpeg = off_loop(move || file.map(|file| STANDARD.encode(file.bytes()))).await?;
    Ok(PictureRead { event_id: event, jpeg })
}

pub(super) async fn rotate(parts: &AdminParts) -> Result<Done, ControlError> {
    let rotated = match &parts.cluster {
        Some(nodes) => cluster::rotate_links(parts, nodes).await?,
        None => parts.pictures.rotate().await,
    };
    match rotated {
        KeyRotated::Written if parts.cluster.is_some() => Ok(Done {
            done: "All links in notifications that were sent so far have ended; at other nodes they do within 10 s."
                .to_owned(),
        }),
        KeyRotated::Written => Ok(Done { done: "All links in notifications that were sent so far have ended.".to_owned() }),
        KeyRotated::Unwritten => {
            let message = "all links have ended, but the disk has not taken the new key yet: after a crash they would work again";
            Err(ControlError::new(ErrorCode::Unavailable, message).with_hint("zmesctl check store"))
        }
        KeyRotated::No => {
            let message = "no new key could be made or written down; nothing was changed";
            Err(ControlError::new(ErrorCode::Unavailable, message).with_hint("zmesctl check store"))
        }
    }
}
