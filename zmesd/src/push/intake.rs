//! What comes to the dispatcher: orders of the router, and what waits on the disk.

use std::sync::Arc;

use tokio::time::Instant;
use tracing::{debug, error, warn};

use super::queue::backlog::PAGE;
use super::clearance::gate_of;
use super::dispatcher::{Dispatcher, MEMORY, PATIENCE, RELOAD_PAUSE};
use super::queue::lanes::Job;
use crate::domain::{DeliveryId, Token, TokenId};
use crate::ports::{PushBatch, PushDelivery, PushOrder};
use crate::state::{PushPage, QueuedPush, StateError};

/// Some of what waits on the disk.
#[derive(Debug)]
pub(super) struct Page {
    /// Everything that was noted before was on the disk when it was read.
    pub(super) settled: bool,
    pub(super) read: Result<PushPage, StateError>,
}

impl Dispatcher {
    /// Lets go what is on the disk. And what has waited too long for it, or cannot get there: a disk that is full or
    /// stands still must not silence phones.
    pub(super) fn release(&mut self, now: Instant) {
        let committed = self.parts.committed.borrow_and_update().last;
        let troubled = self.parts.trouble.borrow_and_update().is_some();
        if std::mem::replace(&mut self.troubled, troubled) && !troubled {
            // What was given up for lost while the disk could not be written is there now.
            self.backlog.read_again();
        }
        let goes = |job: &mut Job| troubled || job.id <= committed || job.alarm.detected + PATIENCE <= now;
        while let Some(job) = self.fresh.pop_front_if(goes) {
            self.enqueue(job);
        }
        if troubled && self.has_room() && self.backlog.give_up() {
            error!("pushes that were left to the disk are not sent until it can be written again");
        }
    }

    fn enqueue(&mut self, job: Job) {
        let gate = gate_of(&self.transports, &self.remembered, &job.token);
        self.lanes.push(job, gate);
    }

    pub(super) fn read_backlog(&mut self, now: Instant) {
        // What came out, but is not noted yet, would be read as queued.
        if self.reload_at.is_some_and(|at| now < at) || !self.has_room() || !self.unsaved.is_empty() {
            return;
        }
        self.reload_at = None;
        let deferred = self.parts.counters.deferred_pushes.value();
        if std::mem::replace(&mut self.deferred, deferred) != deferred {
            self.backlog.read_again();
        }
        let committed = self.parts.committed.borrow().last;
        if let Some(after) = self.backlog.next_page(committed) {
            let state = self.parts.state.clone();
            self.pages.spawn(async move {
                // What was noted before this moment must be in the page, or not be queued in it any more.
                let settled = state.settle().await;
                Page { settled, read: state.pushes_after(after, PAGE).await }
            });
        }
    }

    pub(super) fn on_page(&mut self, page: Page) {
        let finished = std::mem::take(&mut self.finished);
        let troubled = self.parts.trouble.borrow().is_some();
        let page = match page.read {
            Ok(read) if page.settled || troubled => read,
            Ok(_) => {
                self.read_later();
                return;
            }
            Err(problem) => {
                warn!(error = &problem as &dyn std::error::Error, "cannot read waiting pushes");
                self.read_later();
                return;
            }
        };
        for QueuedPush { id, token, alarm, badge, attempts } in page.pushes {
            if finished.contains(&id) || !self.outstanding.insert(id) {
                continue;
            }
            // Of the daemon before, or of an alarm that the router could not hand over: nobody has counted it.
            if !self.backlog.was_left(id) {
                self.parts.status.came(1);
            }
            self.enqueue(Job { id, token, alarm, badge, attempts, receipts: None });
        }
        self.backlog.read(page.last, page.full);
        self.paged = self.paged.max(page.last.unwrap_or_default());
    }

    fn read_later(&mut self) {
        self.backlog.unread();
        self.reload_at = Some(Instant::now() + RELOAD_PAUSE);
    }

    pub(super) fn on_order(&mut self, order: PushOrder) {
        match order {
            PushOrder::Alarm(batch) => self.on_alarm(batch),
            PushOrder::Register(token) => self.on_register(&token),
            PushOrder::Withdraw(token, last) => self.on_withdraw(token, last),
        }
    }

    /// What was decided for a token until `last` is not sent any more: what waits now, what a page brings later, and
    /// what is under way and fails. The router has written it down.
    fn on_withdraw(&mut self, token: TokenId, last: DeliveryId) {
        self.withdrawn.insert(token, (last, Instant::now()));
        let mut gone = Vec::new();
        for job in std::mem::take(&mut self.fresh) {
            if job.token.id == token { gone.push(job) } else { self.fresh.push_back(job) }
        }
        gone.extend(self.lanes.withdraw(token));
        let (gone, newer): (Vec<_>, Vec<_>) = gone.into_iter().partition(|job| job.id <= last);
        for job in gone {
            self.drop_withdrawn(&job);
        }
        for job in newer {
            self.enqueue(job);
        }
    }

    pub(super) fn drop_withdrawn(&mut self, job: &Job) {
        self.parts.status.went();
        self.finish(job.id);
    }

    pub(super) fn is_withdrawn(&self, job: &Job) -> bool {
        self.withdrawn.get(&job.token.id).is_some_and(|(last, _)| job.id <= *last)
    }

    fn on_alarm(&mut self, batch: PushBatch) {
        let PushBatch { alarm, mut deliveries, recorded, receipts } = batch;
        // A page may have been faster.
        deliveries.retain(|delivery| !recorded || delivery.id > self.paged);
        let (Some(first), Some(last)) = (deliveries.first(), deliveries.last()) else { return };
        self.parts.status.came(deliveries.len());
        let writable = recorded && self.parts.trouble.borrow().is_none();
        let full = self.in_memory() >= MEMORY;
        if (full && recorded) || (self.backlog.is_behind() && writable) {
            debug!(deliveries = deliveries.len(), "left to the disk");
            self.backlog.leave(first.id, last.id);
            return;
        }
        self.outstanding.extend(deliveries.iter().map(|delivery| delivery.id));
        for PushDelivery { id, token, badge } in deliveries {
            let job =
                Job { id, token, alarm: Arc::clone(&alarm), badge, attempts: 0, receipts: receipts.clone() };
            // What is not noted will never be on the disk.
            if recorded { self.fresh.push_back(job) } else { self.enqueue(job) }
        }
    }

    /// A delivery is not this task's business any more.
    pub(super) fn finish(&mut self, id: DeliveryId) {
        self.outstanding.remove(&id);
        if !self.pages.is_empty() {
            self.finished.insert(id);
        }
    }

    fn on_register(&mut self, token: &Arc<Token>) {
        if self.in_shadow() {
            return;
        }
        if let Some(transport) = self.candidates(token).into_iter().next() {
            self.registrations.add(transport, token);
        }
    }
}
