//! The state machine of one node. Pure: it is told what happened and what time it is, and says what to do.

use std::time::Duration;

use super::LeaseRow;
use crate::glance::Glance;
use crate::node::{NodeId, NodeKey};

/// How long a node that would rather send must have been well before it asks for the lease; and how often it asks.
const WELL: Duration = Duration::from_mins(1);
/// How long a lease that was handed over is left to the node that it was meant for.
const GRACE: Duration = Duration::from_secs(1);

/// The times of a lease, all of which follow from its term.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LeaseTiming {
    term: Duration,
}

impl LeaseTiming {
    /// Times for this term: 2 s to 30 s are of use.
    pub fn new(term: Duration) -> Self {
        Self { term: term.max(Duration::from_millis(1)) }
    }

    /// A row that has not changed for this long may be taken.
    pub fn term(self) -> Duration {
        self.term
    }

    /// The holder stops this long after it sent the last renewal that was answered.
    pub fn fence(self) -> Duration {
        self.term * 5 / 6
    }

    /// How often the holder renews.
    pub fn renewal(self) -> Duration {
        self.term / 3
    }

    /// How long a statement about the lease may take.
    pub fn deadline(self) -> Duration {
        self.term * 4 / 15
    }

    /// Pause after a statement that had no answer.
    fn pause(self) -> Duration {
        self.term / 12
    }

    /// How long a holder that hands over waits for what is on its way.
    fn drain(self) -> Duration {
        self.term * 2 / 3
    }
}

/// What a node sees of the lease and of those that matter for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LeaseSight {
    /// The row.
    pub row: LeaseRow,
    /// The node that is to get the lease is at work.
    pub is_wanted_alive: bool,
    /// How much the holder would rather send than others; `None`: it is not known.
    pub holder_prefer: Option<i16>,
    /// A node other than this one is at work, and nothing keeps it from sending.
    pub is_other_well: bool,
}

impl LeaseSight {
    /// What a glance says to this node.
    pub fn of(glance: &Glance, own: NodeId) -> Self {
        let row = glance.lease;
        let is_wanted_alive =
            glance.heads.iter().any(|head| Some(head.node.id) == row.wanted && head.is_alive());
        let holder =
            glance.heads.iter().find(|head| row.holder.is_some_and(|holder| holder.id == head.node.id));
        let is_other_well = glance.heads.iter().any(|head| head.node.id != own && head.can_send());
        Self { row, is_wanted_alive, holder_prefer: holder.map(|head| head.prefer), is_other_well }
    }
}

/// What happened. Times are of the same steady clock as the `now` of [`Lease::on`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LeaseEvent {
    /// Time has passed: to be said at least ten times in a term.
    Tick,
    /// The row was read. This says nothing about whether it can be written.
    Seen(LeaseSight),
    /// A sign of life of this node was answered: others know whether anything keeps it from sending.
    Beat {
        /// Nothing does.
        is_well: bool,
    },
    /// A renewal was answered.
    Renewed {
        /// When it was sent.
        sent: Duration,
        /// For which epoch of the lease.
        epoch: u64,
        /// The row matched: the lease is still ours.
        held: bool,
    },
    /// An attempt to take it was answered.
    Taken {
        /// When it was sent.
        sent: Duration,
        /// The epoch it has now; `None`: somebody was quicker.
        epoch: Option<u64>,
    },
    /// A statement about the lease, or a look at the row, had no answer.
    Unanswered,
    /// A wish or a release was answered.
    Answered,
    /// Nothing is on its way to providers any more.
    Drained,
    /// The node is about to stop.
    Stop,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LeaseAction {
    /// Take the lease, if the row is still this one: [`perform`](super::perform).
    Take(LeaseRow),
    /// Renew it: [`perform`](super::perform).
    Renew(u64),
    /// Give it back: [`perform`](super::perform).
    Release(u64),
    /// Ask the holder to hand it over, if the row is still this one: [`perform`](super::perform).
    Ask(LeaseRow),
    /// Begin to send, in this epoch of the lease.
    Lead(u64),
    /// Stop sending now, and drop what is on its way.
    Fence,
    /// Begin nothing new, and say [`LeaseEvent::Drained`] when nothing is on its way any more.
    Drain,
    /// The ledger cannot be written: no other node hears of this one's alarms, or can send at all.
    Alone,
    /// It can be written again.
    Together,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Standing {
    /// Another one holds it, or none.
    Behind,
    /// It is ours.
    Holder { epoch: u64, fence_at: Duration, renew_at: Duration, leaving: Option<Duration> },
}

/// Whether something keeps this node from sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Fitness {
    /// Nothing does.
    Well,
    /// A node that is well is to have the lease.
    Yields,
    /// The nodes that say they are well did not take it: better this one than none.
    Fallback,
}

/// The row as it was seen last, and since when it is so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Watch {
    sight: LeaseSight,
    since: Duration,
}

/// What one node knows of the lease.
///
/// [`Lease::may_send`] is asked immediately before each send. The caller does each statement that is asked for, one after
/// the other, and tells what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lease {
    own: NodeKey,
    prefer: i16,
    timing: LeaseTiming,
    standing: Standing,
    watch: Option<Watch>,
    /// Since when a statement is on its way.
    busy: Option<Duration>,
    /// Answers to statements that were sent before this are of no use: the lease was given back or lost meanwhile.
    forget_before: Duration,
    /// The epoch that was given back: should the statement arrive late, it must not find that we hold that epoch again.
    released: Option<u64>,
    /// When the ledger was last known to take writes: one of this node was answered, or the row was seen to change.
    last_write: Duration,
    /// The last statement about the lease failed. A sign of life does not show then that the lease can be written.
    has_failed: bool,
    fitness: Fitness,
    /// Since when each question was answered.
    well_since: Duration,
    asked_at: Option<Duration>,
    /// No statement before this: the last one had no answer.
    pause_until: Duration,
    is_alone: bool,
    stops: bool,
}

impl Lease {
    /// The lease as a node sees it that has just started.
    pub fn new(own: NodeKey, prefer: i16, timing: LeaseTiming, now: Duration) -> Self {
        Self {
            own,
            prefer,
            timing,
            standing: Standing::Behind,
            watch: None,
            busy: None,
            forget_before: Duration::ZERO,
            released: None,
            last_write: now,
            has_failed: false,
            fitness: Fitness::Well,
            well_since: now,
            asked_at: None,
            pause_until: now,
            is_alone: false,
            stops: false,
        }
    }

    /// Says whether a push may be sent now. Ask immediately before each: after a pause of the whole process the answer is
    /// right, whatever was said before it.
    pub fn may_send(&self, now: Duration) -> bool {
        matches!(self.standing, Standing::Holder { fence_at, leaving: None, .. } if now < fence_at)
    }

    /// Says whether the lease is ours, also while it is handed over.
    pub fn is_holder(&self, now: Duration) -> bool {
        matches!(self.standing, Standing::Holder { fence_at, .. } if now < fence_at)
    }

    /// Says whether no other node can hear of this one's alarms: the ledger takes no writes.
    pub fn is_alone(&self) -> bool {
        self.is_alone
    }

    /// Takes in what happened, and returns what is to be done, in this order.
    pub fn on(&mut self, event: LeaseEvent, now: Duration) -> Vec<LeaseAction> {
        let mut todo = Vec::new();
        match event {
            LeaseEvent::Tick => {}
            LeaseEvent::Seen(sight) => self.seen(sight, now, &mut todo),
            LeaseEvent::Beat { is_well } => {
                self.fitness = match self.fitness {
                    _ if is_well => Fitness::Well,
                    Fitness::Well => Fitness::Yields,
                    unwell @ (Fitness::Yields | Fitness::Fallback) => unwell,
                };
                if !self.has_failed {
                    self.written(now, &mut todo);
                }
            }
            LeaseEvent::Renewed { sent, epoch, held } => {
                self.answered(now, &mut todo);
                self.renewed(sent, epoch, held, now, &mut todo);
            }
            LeaseEvent::Taken { sent, epoch } => {
                self.answered(now, &mut todo);
                match epoch {
                    Some(epoch) => self.hold(sent, epoch, now, &mut todo),
                    None => self.watch = None,
                }
            }
            LeaseEvent::Unanswered => {
                (self.busy, self.has_failed) = (None, true);
                self.well_since = now;
                self.pause_until = now + self.timing.pause();
            }
            LeaseEvent::Answered => self.answered(now, &mut todo),
            LeaseEvent::Drained => self.drained(now, &mut todo),
            LeaseEvent::Stop => {
                self.stops = true;
                self.leave(now, &mut todo);
            }
        }
        self.tick(now, &mut todo);
        todo
    }

    /// A statement about the lease was answered.
    fn answered(&mut self, now: Duration, todo: &mut Vec<LeaseAction>) {
        (self.busy, self.has_failed) = (None, false);
        self.written(now, todo);
    }

    /// The ledger took a write of this node.
    fn written(&mut self, now: Duration, todo: &mut Vec<LeaseAction>) {
        self.last_write = now;
        if self.is_alone {
            self.is_alone = false;
            self.well_since = now;
            todo.push(LeaseAction::Together);
        }
    }

    fn seen(&mut self, sight: LeaseSight, now: Duration, todo: &mut Vec<LeaseAction>) {
        let same = self.watch.filter(|watch| {
            let (known, row) = (watch.sight.row, sight.row);
            (known.holder, known.epoch, known.beat) == (row.holder, row.epoch, row.beat)
        });
        if self.watch.is_some() && same.is_none() {
            // Another node has written it. Whether this one can, only its own writes show.
            (self.last_write, self.has_failed) = (now, false);
        }
        self.watch = Some(Watch { sight, since: same.map_or(now, |watch| watch.since) });
        let Standing::Holder { epoch, leaving, .. } = self.standing else { return };
        if sight.row.epoch != epoch || sight.row.holder != Some(self.own) {
            self.lose(now, todo);
        } else if leaving.is_none() && (self.is_for_another(&sight) || self.yields(&sight)) {
            self.leave(now, todo);
        }
    }

    fn renewed(
        &mut self,
        sent: Duration,
        epoch: u64,
        held: bool,
        now: Duration,
        todo: &mut Vec<LeaseAction>,
    ) {
        if held {
            self.hold(sent, epoch, now, todo);
        } else if matches!(self.standing, Standing::Holder { epoch: own, .. } if own == epoch) {
            self.lose(now, todo);
        } else {
            self.watch = None;
        }
    }

    /// The row was ours after `sent`.
    fn hold(&mut self, sent: Duration, epoch: u64, now: Duration, todo: &mut Vec<LeaseAction>) {
        let fence_at = sent + self.timing.fence();
        if sent < self.forget_before || now >= fence_at || self.released == Some(epoch) {
            return;
        }
        if matches!(self.standing, Standing::Holder { fence_at, .. } if now >= fence_at) {
            // Nobody else had it, but for a while this node could not send, and its caller may have dropped something.
            self.standing = Standing::Behind;
            todo.push(LeaseAction::Fence);
        }
        let leaving = match self.standing {
            Standing::Holder { epoch: own, leaving, .. } if own == epoch => leaving,
            Standing::Holder { .. } | Standing::Behind => {
                todo.push(LeaseAction::Lead(epoch));
                None
            }
        };
        let renew_at = sent + self.timing.renewal();
        self.standing = Standing::Holder { epoch, fence_at, renew_at, leaving };
        if self.stops && leaving.is_none() {
            self.leave(now, todo);
        }
    }

    fn lose(&mut self, now: Duration, todo: &mut Vec<LeaseAction>) {
        if matches!(self.standing, Standing::Holder { .. }) {
            self.standing = Standing::Behind;
            self.forget_before = now;
            self.well_since = now;
            todo.push(LeaseAction::Fence);
        }
        self.watch = None;
    }

    /// Begins to hand over.
    fn leave(&mut self, now: Duration, todo: &mut Vec<LeaseAction>) {
        if let Standing::Holder { leaving: leaving @ None, .. } = &mut self.standing {
            *leaving = Some(now + self.timing.drain());
            todo.push(LeaseAction::Drain);
        }
    }

    /// Nothing is on its way any more: the next holder need not wait for the end of the term.
    fn drained(&mut self, now: Duration, todo: &mut Vec<LeaseAction>) {
        let Standing::Holder { epoch, leaving: Some(_), .. } = self.standing else { return };
        self.standing = Standing::Behind;
        // Strictly after: an answer to what was sent in this very moment counts no more, either.
        self.forget_before = now + Duration::from_nanos(1);
        self.well_since = now;
        self.watch = None;
        (self.busy, self.released) = (Some(now), Some(epoch));
        todo.push(LeaseAction::Release(epoch));
    }

    fn tick(&mut self, now: Duration, todo: &mut Vec<LeaseAction>) {
        if !self.is_alone && now >= self.last_write + self.timing.term() {
            self.is_alone = true;
            todo.push(LeaseAction::Alone);
        }
        // An answer that never came.
        if self.busy.is_some_and(|since| now >= since + self.timing.term()) {
            self.busy = None;
        }
        match self.standing {
            Standing::Behind => self.consider(now, todo),
            Standing::Holder { fence_at, .. } if now >= fence_at => {
                // Still ours in the ledger, perhaps: then the next renewal brings it back.
                self.standing = Standing::Behind;
                self.well_since = now;
                todo.push(LeaseAction::Fence);
            }
            Standing::Holder { leaving: Some(until), .. } if now >= until => {
                todo.push(LeaseAction::Fence);
                self.drained(now, todo);
            }
            Standing::Holder { epoch, renew_at, .. } => {
                if self.busy.is_none() && now >= renew_at.max(self.pause_until) {
                    self.busy = Some(now);
                    todo.push(LeaseAction::Renew(epoch));
                }
            }
        }
    }

    /// Takes the lease, or asks for it, where that is due.
    fn consider(&mut self, now: Duration, todo: &mut Vec<LeaseAction>) {
        let Some(Watch { sight, since }) = self.watch else { return };
        if self.busy.is_some() || self.stops || now < self.pause_until {
            return;
        }
        let row = sight.row;
        let unchanged = now.saturating_sub(since);
        let yields = self.yields(&sight);
        let grace = match self.is_for_another(&sight) {
            _ if yields => self.timing.term() * 2,
            true => GRACE,
            false => Duration::ZERO,
        };
        let action = match row.holder {
            // We took it and did not hear the answer, or were fenced by our own clock.
            Some(holder) if holder == self.own && self.released != Some(row.epoch) => {
                Some(LeaseAction::Renew(row.epoch))
            }
            None if unchanged >= grace => Some(LeaseAction::Take(row)),
            Some(_) if unchanged >= self.timing.term() + grace => Some(LeaseAction::Take(row)),
            Some(_) if !yields && self.is_due_to_ask(&sight, now) => {
                self.asked_at = Some(now);
                Some(LeaseAction::Ask(row))
            }
            Some(_) | None => None,
        };
        if let Some(action) = action {
            if yields && matches!(action, LeaseAction::Take(_)) {
                self.fitness = Fitness::Fallback;
            }
            self.busy = Some(now);
            todo.push(action);
        }
    }

    fn is_for_another(&self, sight: &LeaseSight) -> bool {
        sight.is_wanted_alive && sight.row.wanted != Some(self.own.id)
    }

    /// Says whether the lease is left to a node that can send better than this one.
    fn yields(&self, sight: &LeaseSight) -> bool {
        self.fitness == Fitness::Yields && sight.is_other_well
    }

    /// Says whether this node would rather send than the holder, and has been well for long enough.
    fn is_due_to_ask(&self, sight: &LeaseSight, now: Duration) -> bool {
        sight.holder_prefer.is_some_and(|holder| holder < self.prefer)
            && !sight.is_wanted_alive
            && now >= self.well_since + WELL
            && self.asked_at.is_none_or(|asked| now >= asked + WELL)
    }
}

#[cfg(test)]
impl Lease {
    /// Makes states equal that differ in nothing that bears upon who may send.
    pub(super) fn forget_what_does_not_matter_for_sending(&mut self, now: Duration) {
        (self.last_write, self.well_since, self.asked_at, self.is_alone) = (now, now, None, false);
        self.has_failed = false;
        self.pause_until = self.pause_until.max(now);
        self.forget_before = Duration::ZERO;
    }
}
