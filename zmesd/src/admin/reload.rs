//! `reload`

use zmes_shared::control::{ControlError, ErrorCode};
use zmes_shared::views::ConfigReloaded;

use super::STOPPING;
use crate::admin::AdminParts;

pub(super) async fn reload(parts: &AdminParts) -> Result<ConfigReloaded, ControlError> {
    // What is being taken down must not be built up again meanwhile.
    if parts.draining.is_cancelled() {
        return Err(ControlError::new(ErrorCode::Conflict, STOPPING));
    }
    parts.configuration.reload().await
}
