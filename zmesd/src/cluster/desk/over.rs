//! Records that are over: revoked tokens that were kept for `state.keep-tombstones`, and snoozes whose time is up. The node
//! that sends marks them as deleted, and forgets them once every node has had the time to read it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;
use zmes_cluster::records::{self, Record, RecordChange, RecordKind, change};
use zmes_cluster::{LedgerError, LedgerLine};

use super::statements::{RECORDS, Statement};
use super::{Desk, FORGET_EVERY};
use crate::cluster::body;
use crate::cluster::turns::TurnKind;

/// How often all records are looked through that were not changed for long.
const LOOK_EVERY: Duration = Duration::from_hours(1);
/// A snooze whose time has been up for this long is over at every node, whatever their clocks say.
const SNOOZES: Duration = Duration::from_hours(24);

/// Where records are looked through: the next kind, and after which id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RecordPlace {
    kind: RecordKind,
    after: Option<[u8; 32]>,
}

/// Where the next look is, and when.
#[derive(Debug)]
pub(super) struct OverRecords {
    place: RecordPlace,
    due: Instant,
}

/// How long what is over is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeepRecords {
    /// Revoked tokens.
    tombstones: Duration,
    now: Timestamp,
}

impl RecordPlace {
    const FIRST: Self = Self { kind: RecordKind::Device, after: None };

    /// Returns where it goes on after a page whose last record has this id; `None`: it was the last one.
    fn following(self, last: Option<[u8; 32]>) -> Option<Self> {
        match (last, self.kind) {
            (Some(last), kind) => Some(Self { kind, after: Some(last) }),
            (None, RecordKind::Device) => Some(Self { kind: RecordKind::Snooze, after: None }),
            // Nobody writes troubles.
            (None, RecordKind::Snooze | RecordKind::Trouble) => None,
        }
    }
}

impl OverRecords {
    pub(super) fn new(now: Instant) -> Self {
        Self { place: RecordPlace::FIRST, due: now + FORGET_EVERY }
    }
}

impl KeepRecords {
    fn age(self, kind: RecordKind) -> Duration {
        match kind {
            RecordKind::Device => self.tombstones,
            RecordKind::Snooze | RecordKind::Trouble => SNOOZES,
        }
    }

    /// Says whether a record is over. What this version does not understand is not.
    fn is_over(self, record: &Record) -> bool {
        let is_past = |at: Timestamp| {
            let age = SignedDuration::try_from(self.age(record.key.kind)).unwrap_or(SignedDuration::MAX);
            at.checked_add(age).is_ok_and(|until| until <= self.now)
        };
        match record.key.kind {
            RecordKind::Device => body::token(record).is_some_and(|(token, _)| {
                // A stolen phone stays blocked.
                let is_blocked = token.block.is_some_and(|block| block.is_on);
                token.revoked.is_some_and(|revoked| !is_blocked && !revoked.blocked && is_past(revoked.at))
            }),
            // Also one that was ended: until its time is up, a node that was away since before knows it as set.
            RecordKind::Snooze => body::snooze(&record.body).is_some_and(|snooze| is_past(snooze.until)),
            RecordKind::Trouble => false,
        }
    }
}

impl Desk {
    pub(super) fn deleting(&mut self) -> Option<Statement> {
        let is_due = self.turn.kind == TurnKind::Lead && Instant::now() >= self.over.due;
        let keep = KeepRecords { tombstones: self.parts.keep_tombstones, now: self.parts.clock.now() };
        is_due.then_some(Statement::Delete(self.over.place, keep))
    }

    pub(super) fn on_deleted(
        &mut self,
        result: Result<Option<RecordPlace>, LedgerError>,
    ) -> Option<LedgerError> {
        match result {
            Ok(Some(place)) => self.over.place = place,
            Ok(None) => {
                self.over = OverRecords { place: RecordPlace::FIRST, due: Instant::now() + LOOK_EVERY }
            }
            Err(error) => return Some(error),
        }
        None
    }
}

/// Marks what is over in one page as deleted; returns where the next one begins.
pub(super) async fn delete_over(
    line: &mut LedgerLine,
    place: RecordPlace,
    keep: KeepRecords,
) -> Result<Option<RecordPlace>, LedgerError> {
    let page = records::unchanged(line, place.kind, keep.age(place.kind), place.after).await?;
    let last = page.last().map(|record| record.key.id).filter(|_| page.len() == records::PAGE as usize);
    // With the time of their last change: whoever has registered again meanwhile has the later word.
    let over = |record: Record| keep.is_over(&record).then_some(Record { deleted: true, ..record });
    let over: Vec<Record> = page.into_iter().filter_map(over).collect();
    let mut deleted = 0;
    for some in over.chunks(RECORDS) {
        let changes = change(line, some).await?;
        deleted += changes.iter().filter(|change| matches!(change, RecordChange::Kept(_))).count();
    }
    if deleted > 0 {
        tracing::debug!(deleted, kind = ?place.kind, "records that are over are to be forgotten");
    }
    Ok(place.following(last))
}

#[cfg(test)]
mod tests {
    use zmes_cluster::records::RecordKey;
    use zmes_providers::{Platform, PushToken};
    use zmes_shared::words::SnoozeOrigin;

    use super::*;
    use crate::domain::{Revoked, Token, TokenBlock, TokenId};
    use crate::route::{ScopeElsewhere, SnoozeElsewhere};

    fn at(hour: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hour)
    }

    fn record(kind: RecordKind, body: Vec<u8>) -> Record {
        Record { key: RecordKey { kind, id: [7; 32] }, changed: at(0), deleted: false, body }
    }

    fn is_over(record: &Record, hour: i64) -> bool {
        KeepRecords { tombstones: Duration::from_hours(720), now: at(hour) }.is_over(record)
    }

    #[test]
    fn a_revoked_token_is_over_once_it_was_kept_and_a_blocked_one_never() {
        let secret = PushToken::parse("one").unwrap();
        let mut token = Token::new(TokenId(1), secret, Platform::Ios, at(0));
        let of = |token: &Token| record(RecordKind::Device, body::of_token(token, None));
        assert!(!is_over(&of(&token), 9_000), "it is in use");
        token.revoked = Some(Revoked { at: at(1), reason: Revoked::ADMIN.to_owned(), blocked: false });
        assert!(!is_over(&of(&token), 720) && is_over(&of(&token), 721));
        token.set_block(TokenBlock { at: at(2), is_on: true });
        assert!(!is_over(&of(&token), 9_000));
        token.set_block(TokenBlock { at: at(3), is_on: false });
        assert!(is_over(&of(&token), 9_000));
        assert!(!is_over(&record(RecordKind::Device, b"{}".to_vec()), 9_000));
        assert!(!is_over(&record(RecordKind::Trouble, b"{}".to_vec()), 9_000));
    }

    #[test]
    fn a_snooze_is_over_a_day_after_its_time_is_up_also_if_it_was_ended_before() {
        for ended in [false, true] {
            let snooze = SnoozeElsewhere {
                monitor: None,
                scope: ScopeElsewhere::Everybody,
                since: at(0),
                until: at(10),
                hard: false,
                tell: false,
                by: String::new(),
                origin: SnoozeOrigin::App,
                ended,
            };
            let record = record(RecordKind::Snooze, body::of_snooze(&snooze).1);
            assert!(!is_over(&record, 33) && is_over(&record, 34));
        }
    }

    #[test]
    fn all_devices_are_looked_through_and_then_all_snoozes() {
        let next = RecordPlace::FIRST.following(Some([5; 32])).unwrap();
        assert_eq!(next, RecordPlace { after: Some([5; 32]), ..RecordPlace::FIRST });
        let next = next.following(None).unwrap();
        assert_eq!(next, RecordPlace { kind: RecordKind::Snooze, after: None });
        assert_eq!(next.following(None), None);
    }
}
