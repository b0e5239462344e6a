//! Reads the alarms of other nodes, each once and in order.

use std::collections::BTreeMap;
use std::time::Duration;

use sqlx::{AssertSqlSafe, MySqlConnection};

use super::{LedgerAlarm, LogKey, alarm_of_row, columns};
use crate::fault::LedgerError;
use crate::glance::{Glance, Head, look};
use crate::line::{LedgerLine, Work, attempt};
use crate::node::NodeId;

/// Alarms of one node that are read at once.
const PAGE: u64 = 500;
/// Nodes that are read from at once: with [`PAGE`] and the longest body this bounds the memory of one call to 16 MiB.
const NODES: usize = 8;

/// An alarm as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedAlarm {
    /// Where it stands.
    pub key: LogKey,
    /// The alarm.
    pub alarm: LedgerAlarm,
    /// How long ago it was written, by the database's clock.
    pub age: Duration,
}

/// What is new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// How the ledger stands.
    pub glance: Glance,
    /// Alarms of other nodes, in order for each node.
    pub alarms: Vec<LoggedAlarm>,
    /// There is more to read at once.
    pub more: bool,
}

/// How far one node's alarms were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Position {
    epoch: u64,
    seq: u64,
}

/// Reads the alarms of all nodes but one.
#[derive(Debug)]
pub struct Reader {
    own: NodeId,
    positions: BTreeMap<NodeId, Position>,
    /// The nodes that were there at the first call were read up to their newest alarm: apps that come back ask for a replay.
    begun: bool,
    /// Whose turn it is, where more nodes have news than are read at once.
    turn: usize,
}

impl Reader {
    /// A reader that begins with what is written after its first call.
    pub fn from_now(own: NodeId) -> Self {
        Self { own, positions: BTreeMap::new(), begun: false, turn: 0 }
    }

    /// A reader that begins with the oldest alarm that is kept.
    pub fn from_oldest(own: NodeId) -> Self {
        Self { begun: true, ..Self::from_now(own) }
    }

    /// A reader that goes on where a former one was: node, start of it, number of the last alarm that was read. Of nodes that
    /// it does not know it begins with the oldest alarm; without any position it is [`from_now`](Self::from_now).
    pub fn from_positions(own: NodeId, positions: impl IntoIterator<Item = (u16, u64, u64)>) -> Self {
        let position = |(node, epoch, seq)| (NodeId(node), Position { epoch, seq });
        let positions: BTreeMap<_, _> = positions.into_iter().map(position).collect();
        Self { begun: !positions.is_empty(), positions, ..Self::from_now(own) }
    }

    /// The same reader for a node that was removed and has another number now: it goes on where it was.
    #[must_use]
    pub fn renamed(mut self, own: NodeId) -> Self {
        self.own = own;
        self
    }

    /// Returns what is new. After an error nothing is missed: the next call returns it.
    pub async fn read(&mut self, line: &mut LedgerLine) -> Result<News, LedgerError> {
        let reading = &*self;
        // All on one connection: another one may lead to a Galera member that does not have yet what this one has.
        let (glance, positions, alarms, more) = attempt!(line.statements(), |connection| {
            let glance = look(connection).await?;
            let mut positions = reading.placed(&glance);
            let news = reading.with_news(&glance, &positions);
            let mut more = news.len() > NODES;
            let mut alarms = Vec::new();
            for head in news.iter().take(NODES) {
                let Some(position) = positions.get_mut(&head.node.id) else { continue };
                let page = page(connection, head.node.id, position.seq).await?;
                more |= page.rows == PAGE;
                // Numbers have gaps. Up to the head nothing can come any more: it was committed with its alarms.
                position.seq = if page.rows < PAGE { head.seq.max(page.last) } else { page.last };
                alarms.extend(page.alarms);
            }
            Ok((glance, positions, alarms, more))
        })?;
        self.positions = positions;
        self.begun = true;
        self.turn = self.turn.wrapping_add(NODES);
        Ok(News { glance, alarms, more })
    }

    /// Returns by how many numbers the reader is behind, for each node.
    pub fn lag(&self, glance: &Glance) -> Vec<(NodeId, u64)> {
        let others = glance.heads.iter().filter(|head| head.node.id != self.own);
        let lag = others.map(|head| {
            let read = self.positions.get(&head.node.id).map_or(0, |position| position.seq);
            (head.node.id, head.seq.saturating_sub(read))
        });
        lag.collect()
    }

    /// Returns the positions of the nodes that exist. A node that comes later is read from its first alarm. Of one that
    /// has started again all alarms since are read: after a crash of the database that took its last alarms with it, numbers
    /// that were read are used again.
    fn placed(&self, glance: &Glance) -> BTreeMap<NodeId, Position> {
        let others = glance.heads.iter().filter(|head| head.node.id != self.own);
        let placed = others.map(|head| {
            let epoch = head.node.epoch;
            let seq = match self.positions.get(&head.node.id) {
                Some(known) if known.epoch < epoch => known.seq.min(head.first),
                Some(known) => known.seq,
                None if self.begun => 0,
                None => head.seq,
            };
            let epoch = self.positions.get(&head.node.id).map_or(epoch, |known| known.epoch.max(epoch));
            (head.node.id, Position { epoch, seq })
        });
        placed.collect()
    }

    /// Returns the nodes with alarms that were not read, beginning with another one each time.
    fn with_news<'g>(&self, glance: &'g Glance, positions: &BTreeMap<NodeId, Position>) -> Vec<&'g Head> {
        let is_news = |head: &&Head| positions.get(&head.node.id).is_some_and(|known| head.seq > known.seq);
        let mut news: Vec<&Head> = glance.heads.iter().filter(is_news).collect();
        if !news.is_empty() {
            let turn = self.turn % news.len();
            news.rotate_left(turn);
        }
        news
    }
}

struct PageRead {
    alarms: Vec<LoggedAlarm>,
    rows: u64,
    last: u64,
}

async fn page(connection: &mut MySqlConnection, node: NodeId, after: u64) -> Work<PageRead> {
    let sql = format!(
        "SELECT {} FROM `alarm` WHERE `node` = ? AND `seq` > ? ORDER BY `seq` LIMIT {PAGE}",
        columns()
    );
    let rows = sqlx::query(AssertSqlSafe(sql)).bind(node.0).bind(after).fetch_all(connection).await?;
    let mut page = PageRead { alarms: Vec::with_capacity(rows.len()), rows: 0, last: after };
    for row in &rows {
        page.rows += 1;
        page.last = sqlx::Row::try_get(row, 1)?;
        page.alarms.extend(alarm_of_row(row)?);
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::LeaseRow;
    use crate::node::NodeKey;

    fn head(id: u16, epoch: u64, seq: u64) -> Head {
        let node = NodeKey { id: NodeId(id), epoch };
        Head { node, seq, first: 0, silent: Duration::ZERO, stopped: false, prefer: 0, is_well: true }
    }

    fn glance(heads: Vec<Head>) -> Glance {
        Glance { heads, lease: LeaseRow::default(), rev: 0 }
    }

    fn positions(reader: &mut Reader, heads: Vec<Head>) -> Vec<(u16, u64)> {
        reader.positions = reader.placed(&glance(heads));
        reader.begun = true;
        reader.positions.iter().map(|(node, position)| (node.0, position.seq)).collect()
    }

    #[test]
    fn a_reader_begins_at_the_newest_and_with_the_first_alarm_of_later_nodes() {
        let mut reader = Reader::from_now(NodeId(1));
        assert_eq!(positions(&mut reader, vec![head(1, 1, 5), head(2, 1, 7)]), [(2, 7)]);
        assert_eq!(positions(&mut reader, vec![head(2, 1, 9), head(3, 1, 4)]), [(2, 7), (3, 0)]);
        // Another start of the node goes on with its numbers; a member that lags takes nothing back.
        let start = |first, seq| vec![Head { first, ..head(2, 2, seq) }];
        assert_eq!(positions(&mut reader, start(8, 9)), [(2, 7)]);
        assert_eq!(positions(&mut reader, start(8, 8)), [(2, 7)]);
        assert_eq!(positions(&mut reader, vec![head(2, 1, 5)]), [(2, 7)]);
        assert_eq!(positions(&mut reader, start(4, 6)), [(2, 7)], "this start is known");
        // The database has lost alarms that were read, and the node has started since: their numbers are new alarms.
        assert_eq!(positions(&mut reader, vec![Head { first: 4, ..head(2, 3, 6) }]), [(2, 4)]);
        assert_eq!(positions(&mut Reader::from_oldest(NodeId(1)), vec![head(2, 1, 7)]), [(2, 0)]);
        let mut again = Reader::from_positions(NodeId(1), [(2, 1, 5)]);
        assert_eq!(positions(&mut again, vec![head(2, 1, 7), head(3, 1, 4)]), [(2, 5), (3, 0)]);
        assert_eq!(positions(&mut Reader::from_positions(NodeId(1), []), vec![head(2, 1, 7)]), [(2, 7)]);
    }

    #[test]
    fn a_node_that_was_removed_and_is_back_under_another_number_reads_what_it_missed() {
        let mut reader = Reader::from_now(NodeId(1));
        assert_eq!(positions(&mut reader, vec![head(1, 1, 5), head(2, 1, 7)]), [(2, 7)]);
        let mut reader = reader.renamed(NodeId(3));
        assert_eq!(positions(&mut reader, vec![head(2, 1, 9), head(3, 2, 0)]), [(2, 7)]);
    }

    #[test]
    fn many_nodes_take_turns() {
        let mut reader = Reader::from_oldest(NodeId(1));
        let heads: Vec<Head> = (2..22).map(|id| head(id, 1, 1)).collect();
        let glance = glance(heads);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..3 {
            let news = reader.with_news(&glance, &reader.placed(&glance));
            seen.extend(news.iter().take(NODES).map(|head| head.node.id));
            reader.turn += NODES;
        }
        assert_eq!(seen.len(), 20);
    }
}
