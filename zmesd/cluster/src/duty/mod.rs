//! Which node pushes an alarm. Pure.
//!
//! While the ledger can be reached, the pusher sends for all, and only what is in the log: there everybody sees what came of
//! it. A node that cannot reach it sends for its own cameras, because nobody else may know of their alarms. What that costs
//! is explored in `duty::model`: with every order of crashes, cuts and lost answers, no alarm is lost for a phone, and a
//! phone rings at most once more for each thing that went wrong.
//!
//! That nothing is lost needs one thing of the caller: an alarm that was announced and is not in the log yet must survive a
//! crash of the node, with its [`DedupKey`](crate::alarms::DedupKey), and go into the backlog at the next start. Without that
//! it is known to the apps of this node alone.

#[cfg(test)]
mod model;

/// How far an alarm of this node is on its way into the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogStage {
    /// It was never tried.
    Waiting,
    /// A write was begun that had no answer, perhaps before a restart: it may be in the log.
    InDoubt,
    /// It is in the log.
    Logged,
}

/// What a node does about an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Duty {
    /// Push it now, to devices of which it is not known what came of it.
    Push,
    /// Not now: its place in the log, or that there is no log, will be known within a term of the lease.
    Wait,
    /// The pusher does it.
    Leave,
}

/// Says what a node does about an alarm of its own cameras. `may_send`: [`Lease::may_send`](crate::lease::Lease::may_send);
/// `is_alone`: [`Lease::is_alone`](crate::lease::Lease::is_alone), and the admin lets nodes push when they are alone.
pub fn for_own(stage: LogStage, may_send: bool, is_alone: bool) -> Duty {
    match stage {
        LogStage::Logged if may_send => Duty::Push,
        // Also when we are alone: who can reach the log pushes it. If nobody can, it waits until somebody can, unless this
        // node had begun: see `for_begun`.
        LogStage::Logged => Duty::Leave,
        LogStage::Waiting | LogStage::InDoubt if is_alone => Duty::Push,
        LogStage::Waiting | LogStage::InDoubt => Duty::Wait,
    }
}

/// Says what a node does about an alarm of the log that it has begun to push, and not finished. `led_last`: since then, no
/// other node is known to have pushed for all.
///
/// With the log away, this node alone knows what came of it so far. If it left the alarm to whoever can reach the log, and
/// that takes longer than pushes are tried, the alarm would be lost.
pub fn for_begun(may_send: bool, is_alone: bool, led_last: bool) -> Duty {
    if may_send || is_alone && led_last { Duty::Push } else { Duty::Leave }
}

/// Says what a node does about an alarm of another node, which it knows from the log.
pub fn for_other(may_send: bool) -> Duty {
    if may_send { Duty::Push } else { Duty::Leave }
}
