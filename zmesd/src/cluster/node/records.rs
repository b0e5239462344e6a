//! Reads what all nodes know: phones and snoozes.

use tracing::warn;
use zmes_cluster::outcomes::DeviceHandle;
use zmes_cluster::records::{Record, RecordKind, RecordReader};

use super::NodeTask;
use super::unseen::AbsentPhones;
use crate::cluster::body;

impl NodeTask {
    pub(super) async fn read_records(&mut self) {
        loop {
            while let Some(record) = self.reading.unapplied.pop_front() {
                if !self.apply(&record).await {
                    self.reading.unapplied.push_front(record);
                    return;
                }
            }
            match self.reading.records.read(&mut self.line).await {
                Ok(news) => {
                    let more = news.more;
                    news.records.iter().for_each(|record| self.reading.unseen.seen(record));
                    self.reading.unapplied.extend(news.records);
                    if !more && self.reading.unapplied.is_empty() {
                        return self.settle_unseen().await;
                    }
                }
                Err(error) => return self.failed(&error),
            }
        }
    }

    /// Takes over a change; false: the router had no time.
    async fn apply(&mut self, record: &Record) -> bool {
        let device = DeviceHandle::new(record.key.id);
        match record.key.kind {
            // One that is deleted was revoked: so it is here, too.
            RecordKind::Device => {}
            // Its time is up, here as well.
            RecordKind::Snooze if record.deleted => return true,
            RecordKind::Snooze => return self.apply_snooze(device, record).await,
            RecordKind::Trouble => return true,
        }
        let Some((mut token, badge_at)) = body::token(record) else { return true };
        if token.token.handle().digest() != record.key.id {
            return true;
        }
        self.reading.has_phones = true;
        {
            let mut clocks = self.board.tokens();
            // This node may have changed it since, and tells so; a block counts all the same.
            token.is_older = clocks.pending.get(&device).is_some_and(|at| *at >= record.changed);
            if token.is_older && token.block.is_none() {
                return true;
            }
            let known = clocks.badges.get(&device).copied();
            match badge_at {
                Some(at) if !token.is_older && known.is_none_or(|known| known < at) => {
                    clocks.badges.insert(device, at);
                }
                Some(_) | None => token.badge = None,
            }
        }
        self.router.token_elsewhere(token).await.is_ok()
    }

    /// The database was restored from an older copy: what is in it is read anew, and of all phones it is told again.
    pub(super) async fn went_back(&mut self) {
        if self.router.tokens_absent(Vec::new(), None).await.is_ok() {
            warn!("the cluster's ledger is an older copy of what it was; telling it of all phones again");
            self.reading.records = RecordReader::after(0);
        }
    }

    /// Revokes the phones that the other nodes have forgotten while this one was away: else it would ring them as of old.
    /// Of those that the database has lost it is told again.
    async fn settle_unseen(&mut self) {
        let Some(AbsentPhones { mut forgotten, mut lost }) = self.reading.unseen.absent() else { return };
        for absent in [&mut forgotten, &mut lost] {
            absent.retain(|device| !self.board.tokens().pending.contains_key(device));
        }
        if forgotten.is_empty() && lost.is_empty()
            || self.router.tokens_absent(forgotten, Some(lost)).await.is_ok()
        {
            self.reading.unseen.settle();
        }
    }

    async fn apply_snooze(&self, id: DeviceHandle, record: &Record) -> bool {
        let Some(snooze) = body::snooze(&record.body) else { return true };
        if self.board.tokens().pending.get(&id).is_some_and(|at| *at >= record.changed) {
            return true;
        }
        self.router.snooze_elsewhere(snooze).await.is_ok()
    }
}
