//! `pictures test` and `pictures rotate`

use std::time::Duration;

use tokio::time::Instant;
use zmes_shared::EventId;
use zmes_shared::control::{ControlError, ErrorCode};
use zmes_shared::views::{Done, PictureTested};

use super::AdminParts;
use super::tokens::view::millis;
use crate::ports::KeyRotated;

/// A picture that is being written is waited for as long as for a phone.
const PATIENCE: Duration = Duration::from_secs(4);

pub(super) async fn test(parts: &AdminParts, event: EventId) -> PictureTested {
    let began = Instant::now();
    let examined = parts.pictures.examine(event, began + PATIENCE).await;
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

pub(super) async fn rotate(parts: &AdminParts) -> Result<Done, ControlError> {
    match parts.pictures.rotate().await {
        KeyRotated::Written => {
            Ok(Done { done: "All links to pictures that were sent so far have ended.".to_owned() })
        }
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
