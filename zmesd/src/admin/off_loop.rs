//! Work that takes longer than a turn of the runtime's threads may take.

use zmes_shared::control::{ControlError, ErrorCode};

/// Does it on a thread of its own: what grows with the number of tokens or clients must not keep alarms waiting.
pub(crate) async fn off_loop<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ControlError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| ControlError::new(ErrorCode::Internal, error.to_string()))
}
