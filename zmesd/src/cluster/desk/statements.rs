//! The desk's statements: which is due, and what follows from it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, error, warn};
use zmes_cluster::alarms::{AlarmWriter, LogKey, Place, Written};
use zmes_cluster::duty::{Duty, LogStage, for_own};
use zmes_cluster::outcomes::{
    DeviceHandle, DeviceOutcome, OpenAlarm, OpenPage, OpenPlace, PusherReport, PusherState, open_alarms,
    pusher_state, report,
};
use zmes_cluster::records::{self, Record, RecordChange, RecordKey, change};
use zmes_cluster::retention::{Forgotten, forget};
use zmes_cluster::{LedgerError, LedgerFault, LedgerLine};

use super::over::{KeepRecords, RecordPlace, delete_over};
use super::{Desk, DeskAlarm, FORGET_EVERY, PAUSE, TakeoverStage, TurnKind};
use crate::cluster::body;
use crate::domain::TokenId;
use crate::route::PusherLegacy;
use crate::state::ClusterNote;

/// Alarms that the writer has at a time; more wait before it, where none is dropped.
const BACKLOG: usize = 1_024;
/// Outcomes of one report, and records of one change.
const REPORT: usize = 256;
pub(super) const RECORDS: usize = 64;
/// Open alarms of one page.
const PAGE: u32 = 100;
/// Alarms that may wait for a decision before another page is read.
const UNDECIDED: usize = 400;
/// How long the line may be idle: the server closes it after 20 s, and the next alarm would wait for another one.
const IDLE: Duration = Duration::from_secs(5);
/// How long records that are over stay in the ledger, so that every node reads of it.
const KEEP_DELETED: Duration = Duration::from_hours(7 * 24);

#[derive(Debug)]
pub(super) enum Statement {
    Write(AlarmWriter),
    Report(PusherReport),
    Change(Vec<(Record, Option<TokenId>)>),
    Legacy,
    Open(OpenPlace, Duration),
    Forget,
    /// Marks records that are over, from this place on.
    Delete(RecordPlace, KeepRecords),
    KeepOpen,
}

#[derive(Debug)]
pub(super) enum StatementDone {
    Wrote(AlarmWriter, Result<Vec<Written>, LedgerError>),
    Reported(PusherReport, Result<(), LedgerError>),
    Changed(Vec<(Record, Option<TokenId>)>, Result<Vec<RecordChange>, LedgerError>),
    Legacy(Result<PusherState, LedgerError>),
    Opened(Result<OpenPage, LedgerError>),
    Forgot(Result<Forgotten, LedgerError>),
    Deleted(Result<Option<RecordPlace>, LedgerError>),
    KeptOpen,
}

impl Statement {
    pub(super) async fn run(self, mut line: LedgerLine, keep: Duration) -> (LedgerLine, StatementDone) {
        let done = match self {
            Self::Write(mut writer) => {
                let written = writer.write(&mut line).await;
                StatementDone::Wrote(writer, written)
            }
            Self::Report(what) => {
                let result = report(&mut line, &what).await;
                StatementDone::Reported(what, result)
            }
            Self::Change(records) => {
                let only: Vec<Record> = records.iter().map(|(record, _)| record.clone()).collect();
                let result = change(&mut line, &only).await;
                StatementDone::Changed(records, result)
            }
            Self::Legacy => StatementDone::Legacy(pusher_state(&mut line).await),
            Self::Open(after, age) => StatementDone::Opened(open_alarms(&mut line, age, after, PAGE).await),
            Self::Forget => StatementDone::Forgot(forget(&mut line, keep, KEEP_DELETED).await),
            Self::Delete(place, kept) => StatementDone::Deleted(delete_over(&mut line, place, kept).await),
            Self::KeepOpen => {
                line.keep_open().await;
                StatementDone::KeptOpen
            }
        };
        (line, done)
    }
}

/// Faults that the log has: each once for each kind of statement, until a statement of that kind succeeds.
#[derive(Debug, Default)]
pub(super) struct LoggedFaults(HashSet<(usize, LedgerFault)>);

impl LoggedFaults {
    /// Says whether people have to hear of it: of a ledger that is away the node's task tells.
    fn is_new(&mut self, kind: usize, fault: LedgerFault) -> bool {
        !fault.is_away() && self.0.insert((kind, fault))
    }

    fn end(&mut self, kind: usize) {
        self.0.retain(|(failed, _)| *failed != kind);
    }
}

impl Desk {
    pub(super) fn on_member(&mut self) {
        let Some(member) = *self.parts.members.borrow_and_update() else { return };
        match &mut self.writer {
            Some(writer) => writer.renew(member),
            None if !self.has_writer => {
                self.has_writer = true;
                self.writer = Some(AlarmWriter::new(member, BACKLOG));
            }
            // A statement has it: it fails for the old registration, and is renewed then.
            None => {}
        }
    }

    pub(super) fn writing(&mut self) -> Option<Statement> {
        // Another zmesd has this node's name: nothing that is written under it would be taken.
        let mut writer = self.writer.take_if(|_| !self.parts.board.is_fenced())?;
        while writer.backlog().len() < BACKLOG
            && let Some(number) = self.fresh.front().copied()
            && !self.entries.is_pushed_now(number, self.turn)
        {
            self.fresh.pop_front();
            let own = self.entries.get_mut(number).and_then(|entry| entry.own.clone());
            let Some(own) = own else { continue };
            match writer.push(own) {
                Ok((ticket, _)) => self.entries.queued(number, ticket),
                Err(error) => {
                    error!(%error, "an alarm does not fit into the ledger");
                    self.entries.remove(number);
                }
            }
        }
        self.hand_notes(&mut writer);
        if writer.backlog().is_empty() {
            self.writer = Some(writer);
            return None;
        }
        Some(Statement::Write(writer))
    }

    /// Gives the writer what became of alarms that it has: it goes into the ledger with them.
    fn hand_notes(&mut self, writer: &mut AlarmWriter) {
        let mut by_number = HashMap::<u64, Vec<DeviceOutcome>>::new();
        for (number, outcome) in std::mem::take(&mut self.notes) {
            by_number.entry(number).or_default().push(outcome);
        }
        for (number, outcomes) in by_number {
            let Some(DeskAlarm { key, ticket, is_settled, .. }) = self.entries.get_mut(number) else {
                continue;
            };
            match (*key, *ticket) {
                (Some(key), _) => {
                    self.report.outcomes.extend(outcomes.into_iter().map(|outcome| (key, outcome)));
                }
                (None, Some(ticket)) => {
                    if let Err(outcomes) = writer.note(ticket, outcomes, *is_settled) {
                        debug!(outcomes = outcomes.len(), "outcomes of an alarm that is not known any more");
                    }
                }
                (None, None) => self.notes.extend(outcomes.into_iter().map(|outcome| (number, outcome))),
            }
        }
    }

    pub(super) fn reporting(&mut self) -> Option<Statement> {
        let whole = &mut self.report;
        if whole.outcomes.is_empty() && whole.settled.is_empty() && whole.badges.is_empty() {
            return None;
        }
        let some = whole.outcomes.len().min(REPORT);
        let is_all = some == whole.outcomes.len();
        let part = PusherReport {
            outcomes: whole.outcomes.drain(..some).collect(),
            // Only with the last outcomes: what is settled has all of its own.
            settled: if is_all { std::mem::take(&mut whole.settled) } else { Vec::new() },
            told: std::mem::take(&mut whole.told),
            badges: std::mem::take(&mut whole.badges),
        };
        Some(Statement::Report(part))
    }

    pub(super) fn recording(&mut self) -> Option<Statement> {
        let mut records = Vec::new();
        while records.len() < RECORDS
            && let Some((_, record)) = self.records.pop_first()
        {
            records.push(record);
        }
        (!records.is_empty()).then_some(Statement::Change(records))
    }

    pub(super) fn taking_over(&mut self) -> Option<Statement> {
        if self.turn.kind != TurnKind::Lead || self.takeover.stage == TakeoverStage::New {
            return None;
        }
        if self.takeover.stage == TakeoverStage::Known {
            // Once: who sends much has something to report all the time.
            if !self.report.outcomes.is_empty() || !self.report.settled.is_empty() {
                return None;
            }
            self.takeover.stage = TakeoverStage::Reported;
        }
        if self.takeover.stage == TakeoverStage::Reported {
            return self.legacy.is_none().then_some(Statement::Legacy);
        }
        let after = self.takeover.unread.filter(|_| self.undecided.len() < UNDECIDED)?;
        Some(Statement::Open(after, self.parts.retry_for + self.parts.board.allowance().min(self.parts.keep)))
    }

    pub(super) fn forgetting(&mut self) -> Option<Statement> {
        let is_due = self.turn.kind == TurnKind::Lead && Instant::now() >= self.forget_at;
        is_due.then_some(Statement::Forget)
    }

    pub(super) fn keeping_open(&self) -> Option<Statement> {
        (self.idle_since.elapsed() >= IDLE).then_some(Statement::KeepOpen)
    }

    /// Reads the list of open alarms anew, once it was read: it says for which phones something is left.
    pub(super) fn read_again(&mut self) {
        let is_read = self.takeover.unread.is_none() && self.statements.is_empty();
        if is_read && std::mem::take(&mut self.takeover.is_stale) {
            self.takeover.unread = Some(OpenPlace::default());
        }
    }

    pub(super) fn on_done(&mut self, line: LedgerLine, done: StatementDone) {
        (self.line, self.idle_since) = (Some(line), Instant::now());
        let failure = match done {
            StatementDone::Wrote(writer, written) => self.on_wrote(writer, written),
            StatementDone::Reported(what, result) => {
                let failed = result.err();
                if failed.is_some() {
                    self.put_back(what);
                }
                failed
            }
            StatementDone::Changed(records, result) => self.on_changed(records, result),
            StatementDone::Legacy(Ok(state)) => {
                self.on_legacy(state);
                None
            }
            StatementDone::Opened(Ok(page)) => {
                self.on_open(page);
                None
            }
            StatementDone::Forgot(Ok(forgotten)) => {
                let pause = if forgotten.has_more() { Duration::ZERO } else { FORGET_EVERY };
                self.forget_at = Instant::now() + pause;
                None
            }
            StatementDone::Deleted(result) => self.on_deleted(result),
            StatementDone::KeptOpen => None,
            StatementDone::Legacy(Err(error))
            | StatementDone::Opened(Err(error))
            | StatementDone::Forgot(Err(error)) => Some(error),
        };
        let Some(error) = failure else { return self.faults.end(self.last) };
        self.refusals.of_turn = true;
        self.parts.board.failed(&error);
        if self.faults.is_new(self.last, error.fault) {
            warn!(%error, hint = error.hint, "cannot write to the cluster's ledger");
        } else {
            debug!(%error, "the ledger did not do what it was asked");
        }
        self.rest_until = Instant::now() + PAUSE;
    }

    fn on_wrote(
        &mut self,
        mut writer: AlarmWriter,
        written: Result<Vec<Written>, LedgerError>,
    ) -> Option<LedgerError> {
        if let Some(member) = *self.parts.members.borrow() {
            writer.renew(member);
        }
        for (entry, error) in writer.given_up() {
            self.give_up(&entry, &error);
        }
        self.writer = Some(writer);
        let written = match written {
            Ok(written) => written,
            Err(error) => {
                self.refusals.since.get_or_insert_with(Instant::now);
                return Some(error);
            }
        };
        self.refusals.since = None;
        let (mut keys, mut places) = (Vec::with_capacity(written.len()), HashMap::new());
        for Written { ticket, place } in written {
            let Some(number) = self.entries.written(ticket, place.key()) else { continue };
            let Some(entry) = self.entries.get_mut(number) else { continue };
            places.insert(number, place.key());
            keys.extend(entry.own.as_ref().map(|own| own.dedup));
            let leads = self.turn.kind == TurnKind::Lead;
            let is_ours = matches!(place, Place::Ours(_));
            let pushes = entry.alarm.phase.is_start() && !entry.is_settled;
            if entry.is_settled {
                // Perhaps since the statement began.
                self.report.settled.push(place.key());
            }
            // What was there before is on the list of who pushes already.
            if is_ours && pushes && for_own(LogStage::Logged, leads, false) == Duty::Push {
                self.take_on(number);
            } else if !entry.is_under_way() {
                self.entries.remove(number);
            }
        }
        self.report_notes(&places);
        self.note(ClusterNote::Logged(keys));
        None
    }

    /// What came of alarms while they were being written went into the ledger without it.
    fn report_notes(&mut self, places: &HashMap<u64, LogKey>) {
        for (number, outcome) in std::mem::take(&mut self.notes) {
            match places.get(&number) {
                Some(key) => self.report.outcomes.push((*key, outcome)),
                None => self.notes.push((number, outcome)),
            }
        }
    }

    fn put_back(&mut self, what: PusherReport) {
        let PusherReport { outcomes, told, badges, settled } = what;
        self.report.outcomes.splice(0..0, outcomes);
        self.report.settled.splice(0..0, settled);
        self.report.told.splice(0..0, told);
        self.report.badges.splice(0..0, badges);
    }

    fn on_changed(
        &mut self,
        records: Vec<(Record, Option<TokenId>)>,
        result: Result<Vec<RecordChange>, LedgerError>,
    ) -> Option<LedgerError> {
        let changes = match result {
            Ok(changes) => changes,
            Err(error) => {
                if error.fault == LedgerFault::Unfit
                    && let [(record, _)] = records.as_slice()
                {
                    warn_unfit(record.key, &error);
                    return None;
                }
                let mut fits = true;
                for (record, token) in records {
                    if let Err(error) = records::check(&record) {
                        warn_unfit(record.key, &error);
                        fits = false;
                        continue;
                    }
                    let device = DeviceHandle::new(record.key.id);
                    self.records.entry(device).or_insert((record, token));
                }
                // Without what did not fit, the others are tried at once.
                return fits.then_some(error);
            }
        };
        let mut shared = Vec::with_capacity(records.len());
        let mut clocks = self.parts.board.tokens();
        for ((record, token), change) in records.into_iter().zip(changes) {
            let device = DeviceHandle::new(record.key.id);
            shared.extend(token.map(|token| (token, record.changed)));
            if clocks.pending.get(&device) == Some(&record.changed) {
                clocks.pending.remove(&device);
            }
            if matches!(change, RecordChange::Older(_)) {
                self.parts.board.have_read_again();
            }
        }
        drop(clocks);
        self.note(ClusterNote::TokensShared(shared));
        None
    }

    fn on_legacy(&mut self, state: PusherState) {
        let mut legacy = PusherLegacy::default();
        for (device, monitor, at) in state.told {
            legacy.told.entry(device).or_default().push((monitor, at));
        }
        legacy.badges = state.badges.into_iter().collect();
        self.legacy = Some(legacy);
    }

    fn on_open(&mut self, page: OpenPage) {
        self.takeover.unread = page.next;
        for OpenAlarm { logged, done } in page.open {
            if !logged.alarm.phase.is_start() {
                // Ends are sent by the node that sent their starts.
                self.report.settled.push(logged.key);
                continue;
            }
            let known = self.entries.of_key(logged.key);
            if known.is_none() && self.entries.knows(logged.key) {
                continue;
            }
            let number = known.unwrap_or_else(|| {
                let alarm = Arc::new(body::alarm(&logged.alarm, None, false));
                self.entries.add(DeskAlarm::logged(alarm, logged.key))
            });
            if let Some(entry) = self.entries.get_mut(number) {
                entry.done.extend(done);
                if entry.turn != Some(self.turn.number) {
                    self.take_on(number);
                }
            }
        }
    }
}

fn warn_unfit(record: RecordKey, error: &LedgerError) {
    warn!(%record, %error, hint = error.hint, "cannot tell other nodes of a change");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_told_once_until_a_statement_of_its_kind_succeeds() {
        let mut faults = LoggedFaults::default();
        assert!(faults.is_new(0, LedgerFault::Grants) && !faults.is_new(0, LedgerFault::Grants));
        assert!(faults.is_new(0, LedgerFault::Other) && faults.is_new(1, LedgerFault::Grants));
        assert!(!faults.is_new(0, LedgerFault::Closed), "the ledger is away");
        faults.end(1);
        assert!(!faults.is_new(0, LedgerFault::Grants) && faults.is_new(1, LedgerFault::Grants));
        faults.end(0);
        assert!(faults.is_new(0, LedgerFault::Grants));
    }
}
