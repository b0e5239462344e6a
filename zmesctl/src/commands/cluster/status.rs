//! How people see the cluster.

use std::io;
use std::time::Duration;

use zmes_shared::views::{CLUSTER_CLOCK_MS, CLUSTER_LAG_MS, ClusterNode, ClusterStatus};

use crate::exit::Exit;
use crate::render::{Cell, Column, ColumnOf, Facts, Out, Table, Tone, View, clean, time};

/// How long a change may take, when `--timeout` does not say: the daemon gives up after 8 s.
pub(super) const CHANGE: Duration = Duration::from_secs(10);

impl View for ClusterStatus {
    const LIST: Option<&'static str> = Some("nodes");

    fn human(&self, out: &mut Out) -> io::Result<()> {
        let ledger = clean(&self.ledger);
        let title = if self.fenced {
            let text = format!("Not part of the cluster: another zmesd has the name {}", clean(&self.name));
            out.paint(Tone::Bad, &text)
        } else if self.connected {
            out.paint(Tone::Good, &format!("Connected to {ledger}"))
        } else {
            out.paint(Tone::Bad, &format!("Not connected to {ledger}"))
        };
        let since = self.since.map(|since| format!(", since {}", out.ago(since))).unwrap_or_default();
        out.line(&format!("{title}{since}"))?;
        out.facts(&facts(self, out))?;
        if self.nodes.is_empty() {
            return out.line("No node is known yet.");
        }
        out.raw("")?;
        if !self.connected {
            out.line("The nodes as they were seen last:")?;
        }
        let columns: &[ColumnOf<'_, ClusterNode>] = &[
            (Column::new("NODE").cuts(), &|node| Cell::new(&named(node, &self.name))),
            (Column::new("STATE"), &|node| {
                let (word, tone) = state(node);
                Cell::new(word).tone(tone)
            }),
            (Column::new("PUSHES"), &|node| {
                Cell::new(if node.pusher { "sends" } else { "" }).tone(Tone::Good)
            }),
            (Column::new("SEEN").right(), &|node| Cell::new(&ago(node.seen_ms))),
            (Column::new("LAG").right(), &lag),
            (Column::new("CLOCK").right().spare(1), &|node| clock(node, self)),
            (Column::new("SERVER").right().spare(4), &|node| Cell::maybe(node.server_id)),
            (Column::new("PREFER").right().spare(5), &prefer),
            (Column::new("VERSION").spare(3), &|node| Cell::new(&node.version)),
            (Column::new("ADDRESS").cuts().spare(6), &|node| Cell::new(&node.address)),
            (Column::new("TROUBLE").wraps().spare(2), &|node| Cell::new(&node.trouble).tone(Tone::Warning)),
        ];
        out.table(&Table::of(&self.nodes, columns))
    }

    fn names(&self) -> Option<Vec<String>> {
        Some(self.nodes.iter().map(|node| node.name.clone()).collect())
    }

    fn exit(&self) -> Exit {
        let silent = self.nodes.iter().any(|node| !node.alive && !node.stopped);
        if self.connected && !self.fenced && !silent && self.pusher.is_some() {
            Exit::Done
        } else {
            Exit::Negative
        }
    }
}

fn facts(status: &ClusterStatus, out: &Out) -> Facts {
    let mut facts = Facts::default();
    let pushes = match (&status.pusher, status.alone) {
        (_, true) => {
            out.paint(Tone::Warning, "this node sends for its own cameras, until the ledger takes its writes")
        }
        (Some(pusher), false) if *pusher == status.name => format!("sent by {} (this node)", clean(pusher)),
        (Some(pusher), false) => format!("sent by {}", clean(pusher)),
        (None, false) => out.paint(Tone::Bad, "sent by no node at the moment"),
    };
    facts.add("pushes", pushes);
    for orphan in &status.orphans {
        let cameras =
            if orphan.cameras == 1 { "1 camera".to_owned() } else { format!("{} cameras", orphan.cameras) };
        let cameras = format!("{cameras} of {}, where no zmesd is at work", clean(&orphan.place()));
        facts.add(
            "watched",
            match &orphan.watched_by {
                Some(by) => {
                    out.paint(Tone::Warning, &format!("{cameras}: by {}, in the Events table", clean(by)))
                }
                None => out.paint(Tone::Bad, &format!("{cameras}: by no node at the moment")),
            },
        );
    }
    if status.waiting > 0 {
        let text = format!("{} alarms of this node are not in the ledger yet", status.waiting);
        facts.add("waiting", out.paint(Tone::Warning, &text));
    }
    if let Some(error) = &status.last_error {
        let at = status.last_error_at.map(|at| format!(" ({})", out.ago(at))).unwrap_or_default();
        facts.add("last error", format!("{}{at}", clean(error)));
    }
    if let Some(hint) = &status.hint {
        facts.add("hint", clean(hint));
    }
    facts
}

fn named(node: &ClusterNode, own: &str) -> String {
    if node.name == own { format!("{} *", node.name) } else { node.name.clone() }
}

/// Says whether a node is at work, and how bad that is.
pub(crate) fn state(node: &ClusterNode) -> (&'static str, Tone) {
    match (node.alive, node.stopped) {
        (true, _) => ("at work", Tone::Good),
        (false, true) => ("stopped", Tone::Warning),
        (false, false) => ("silent", Tone::Bad),
    }
}

fn ago(ms: u64) -> String {
    if ms < 2_000 { "now".to_owned() } else { format!("{} ago", time::span(Duration::from_millis(ms))) }
}

fn lag(node: &ClusterNode) -> Cell {
    let tone = if node.lag_ms > CLUSTER_LAG_MS { Tone::Warning } else { Tone::Plain };
    Cell::new(&time::milliseconds(node.lag_ms)).tone(tone)
}

/// Shows by how much the database's clock is ahead; of this node the newer number.
fn clock(node: &ClusterNode, status: &ClusterStatus) -> Cell {
    let own = status.clock_offset_ms.filter(|_| node.name == status.name);
    let ms = own.unwrap_or(node.clock_offset_ms);
    let tone = if ms.abs() > CLUSTER_CLOCK_MS { Tone::Warning } else { Tone::Plain };
    Cell::new(&format!("{ms:+} ms")).tone(tone)
}

fn prefer(node: &ClusterNode) -> Cell {
    if node.prefer == i16::MIN {
        return Cell::new("never");
    }
    Cell::maybe(Some(node.prefer).filter(|prefer| *prefer != 0))
}
