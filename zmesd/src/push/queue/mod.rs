//! What waits to be sent.

pub(super) mod backlog;
pub(super) mod lanes;
pub(super) mod storm;
pub(super) mod unsaved;
