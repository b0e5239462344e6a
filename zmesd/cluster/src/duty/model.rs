//! One alarm, one phone, two nodes and a database, in every order of what can happen.
//!
//! Node 0 has the camera; both can be pusher. While node 0 is silent, node 1 as the pusher finds the alarm in the Events table,
//! and then has it as its own. A state is followed by every state that one step leads to. Each fault uses up
//! one of a few; everything else goes on until nothing is left to do. Then the phone must have rung.

#![expect(clippy::struct_excessive_bools, reason = "each is a fact of its own that happens or does not")]

use std::collections::HashSet;

use super::{Duty, LogStage, for_begun, for_other, for_own};

const FAULTS: u8 = 3;

/// One node as a pusher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Node {
    is_up: bool,
    /// It reaches the database.
    reaches: bool,
    /// It has the lease. That no two have it is shown elsewhere (`lease::model`).
    is_pusher: bool,
    /// It knows that it does not reach the database.
    is_alone: bool,
    /// As the pusher, it has taken the alarm on and not sent it yet. It has seen no other pusher since.
    begun: bool,
    /// It has sent, and that is not in the ledger.
    unreported: bool,
}

/// What a node that has found the alarm knows of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Finder {
    /// While the node lives.
    stage: Option<LogStage>,
    /// It has sent it alone: known in memory, and on its disk.
    sent_alone: bool,
    sent_alone_on_disk: bool,
    /// It crashed; its disk has the alarm.
    on_disk: Option<LogStage>,
}

/// What is at stake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Site {
    nodes: [Node; 2],
    /// The alarm in the log; whether the outcome is there, too.
    log: Option<bool>,
    /// ZoneMinder's Events table has it.
    in_events: bool,
    /// The owner, and the node that watches its camera while it is silent.
    finders: [Finder; 2],
    /// Who took the lease last.
    holder: Option<usize>,
    /// It is older than pushes are tried: who takes over does not look at it.
    is_stale: bool,
    rings: u8,
    faults: u8,
    /// What went wrong, for the counts.
    had: Had,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Had {
    /// The owner, or the other one, was cut off from the database.
    cut: [bool; 2],
    crash: bool,
    lost_answer: bool,
    lost_request: bool,
    /// The pusher found the alarm in the Events table while the owner was silent.
    orphan: bool,
    /// The owner was pusher, too.
    owner_led: bool,
}

/// The owner alone was cut off, and nothing else went wrong.
const OWNER_CUT: Had = Had {
    cut: [true, false],
    crash: false,
    lost_answer: false,
    lost_request: false,
    orphan: false,
    owner_led: false,
};

/// How the caller keeps what is not in the log yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BacklogKept {
    OnDisk,
    InMemory,
}

/// How long the database is away for a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outage {
    /// Longer than pushes are tried. What waits in the log may be older by that time.
    Counted,
    /// The same, and it may not.
    Uncounted,
    /// For ever.
    Endless,
}

/// States that follow; `faults` are those that somebody has to bring about.
struct Following {
    progress: Vec<Site>,
    faults: Vec<Site>,
}

impl Site {
    fn begin(in_events: bool) -> Self {
        let node = Node { is_up: true, reaches: true, ..Node::default() };
        let owner = Finder { stage: Some(LogStage::Waiting), ..Finder::default() };
        Self {
            nodes: [node, node],
            log: None,
            in_events,
            finders: [owner, Finder::default()],
            holder: None,
            is_stale: false,
            rings: 0,
            faults: 0,
            had: Had::default(),
        }
    }

    fn following(self, kept: BacklogKept, outage: Outage) -> Following {
        let mut following = Following { progress: Vec::new(), faults: Vec::new() };
        for index in 0..2 {
            self.finder(index, &mut following.progress);
            self.pusher(index, &mut following.progress);
            self.recovery(index, kept, outage, &mut following.progress);
            if self.faults < FAULTS {
                self.fault(index, kept, &mut following.faults);
                self.lost_write(index, &mut following.faults);
            }
        }
        following
    }

    fn with_finder(self, index: usize, finder: Finder) -> Self {
        let mut finders = self.finders;
        finders[index] = finder;
        Self { finders, ..self }
    }

    /// What a node does about an alarm that it has found itself.
    fn finder(self, index: usize, next: &mut Vec<Self>) {
        let (node, finder) = (self.nodes[index], self.finders[index]);
        let (Some(stage), true) = (finder.stage, node.is_up) else { return };
        if stage != LogStage::Logged && node.reaches {
            let logged = Finder { stage: Some(LogStage::Logged), sent_alone: false, ..finder };
            next.push(self.written(index).with_finder(index, logged));
        }
        let may_send = node.is_pusher && node.reaches;
        let duty = for_own(stage, may_send, node.is_alone);
        if duty == Duty::Push && node.is_alone && !finder.sent_alone {
            let sent = self.with_finder(index, Finder { sent_alone: true, ..finder });
            next.push(Self { rings: self.rings + 1, ..sent });
        }
        if finder.sent_alone && !finder.sent_alone_on_disk {
            next.push(self.with_finder(index, Finder { sent_alone_on_disk: true, ..finder }));
        }
        // Its event comes late where ZoneMinder could not write it.
        if index == 0 && node.reaches && !self.in_events {
            next.push(Self { in_events: true, ..self });
        }
    }

    /// The alarm is in the log, with what this node has noted.
    fn written(self, index: usize) -> Self {
        let noted = self.finders[index].sent_alone;
        Self { log: Some(self.log.unwrap_or_default() || noted), ..self }
    }

    fn pusher(self, index: usize, next: &mut Vec<Self>) {
        let node = self.nodes[index];
        let with = |node: Node| {
            let mut nodes = self.nodes;
            nodes[index] = node;
            nodes
        };
        if !node.is_up {
            return;
        }
        if !node.reaches {
            if node.is_pusher {
                next.push(Self { nodes: with(Node { is_pusher: false, ..node }), ..self });
            } else if !node.is_alone {
                next.push(Self { nodes: with(Node { is_alone: true, ..node }), ..self });
            } else if for_begun(false, node.is_alone, node.begun) == Duty::Push && node.begun {
                let nodes = with(Node { begun: false, unreported: true, ..node });
                next.push(Self { nodes, rings: self.rings + 1, ..self });
            }
            return;
        }
        if !self.nodes.iter().any(|node| node.is_pusher) {
            let had = Had { owner_led: self.had.owner_led || index == 0, ..self.had };
            let mut nodes = with(Node { is_pusher: true, begun: false, ..node });
            nodes[1 - index].begun &= !nodes[1 - index].reaches;
            next.push(Self { nodes, holder: Some(index), had, ..self });
        }
        if node.unreported {
            next.push(Self {
                nodes: with(Node { unreported: false, ..node }),
                log: self.log.map(|_| true),
                ..self
            });
        }
        let duty = if self.finders[index].stage.is_some() {
            for_own(LogStage::Logged, node.is_pusher, node.is_alone)
        } else {
            for_other(node.is_pusher)
        };
        // The pusher knows what it has sent itself.
        let is_open = self.log == Some(false) && !self.is_stale && !node.unreported;
        if is_open && duty == Duty::Push && !node.begun {
            next.push(Self { nodes: with(Node { begun: true, ..node }), ..self });
        }
        if for_begun(node.is_pusher, node.is_alone, node.begun) == Duty::Push && node.begun {
            let nodes = with(Node { begun: false, unreported: true, ..node });
            next.push(Self { nodes, rings: self.rings + 1, ..self });
        }
        // The owner is silent, and the event is there.
        let owner = self.nodes[0];
        let is_silent = !owner.is_up || !owner.reaches;
        let finder = self.finders[index];
        let is_new = self.log.is_none() && finder.stage.is_none();
        if index == 1 && node.is_pusher && is_silent && self.in_events && is_new {
            let found = self.with_finder(index, Finder { stage: Some(LogStage::Waiting), ..finder });
            next.push(Self { had: Had { orphan: true, ..self.had }, ..found });
        }
    }

    fn recovery(self, index: usize, kept: BacklogKept, outage: Outage, next: &mut Vec<Self>) {
        let mut nodes = self.nodes;
        let node = &mut nodes[index];
        if !node.is_up {
            *node = Node { is_up: true, reaches: true, ..Node::default() };
            let finder = self.finders[index];
            let read = |stage| if stage == LogStage::Logged { stage } else { LogStage::InDoubt };
            let stage = if kept == BacklogKept::OnDisk { finder.on_disk.map(read) } else { None };
            let back = Finder { stage, on_disk: None, sent_alone: finder.sent_alone_on_disk, ..finder };
            next.push(Self { nodes, ..self }.with_finder(index, back));
        } else if !node.reaches && outage != Outage::Endless {
            // It sees in the row who took the lease meanwhile.
            node.begun &= self.holder == Some(index);
            (node.reaches, node.is_alone) = (true, false);
            let is_stale = self.is_stale || outage == Outage::Uncounted && self.log == Some(false);
            next.push(Self { nodes, is_stale, ..self });
        }
    }

    fn fault(self, index: usize, kept: BacklogKept, next: &mut Vec<Self>) {
        let faults = self.faults + 1;
        let mut nodes = self.nodes;
        let node = nodes[index];
        if !node.is_up {
            return;
        }
        if node.reaches {
            nodes[index].reaches = false;
            let mut had = self.had;
            had.cut[index] = true;
            next.push(Self { nodes, faults, had, ..self });
        }
        let mut nodes = self.nodes;
        nodes[index] = Node::default();
        let crashed = Self { nodes, faults, had: Had { crash: true, ..self.had }, ..self };
        let finder = self.finders[index];
        let on_disk = if kept == BacklogKept::OnDisk { finder.stage } else { None };
        next.push(crashed.with_finder(index, Finder { stage: None, on_disk, sent_alone: false, ..finder }));
    }

    /// A write of a node that has no answer: done, or not.
    fn lost_write(self, index: usize, next: &mut Vec<Self>) {
        let finder = self.finders[index];
        let is_open = matches!(finder.stage, Some(LogStage::Waiting | LogStage::InDoubt));
        if !is_open || !self.nodes[index].is_up {
            return;
        }
        let in_doubt = self.with_finder(index, Finder { stage: Some(LogStage::InDoubt), ..finder });
        let in_doubt = Self { faults: self.faults + 1, ..in_doubt };
        if self.nodes[index].reaches {
            let had = Had { lost_answer: true, ..self.had };
            next.push(Self { had, ..in_doubt.written(index) });
        }
        next.push(Self { had: Had { lost_request: true, ..self.had }, ..in_doubt });
    }
}

/// Returns the states in which nothing is left to do.
fn ends(kept: BacklogKept, outage: Outage) -> HashSet<Site> {
    let mut todo = vec![Site::begin(true), Site::begin(false)];
    let mut seen: HashSet<Site> = todo.iter().copied().collect();
    let mut ends = HashSet::new();
    while let Some(site) = todo.pop() {
        let Following { progress, faults } = site.following(kept, outage);
        if progress.is_empty() {
            ends.insert(site);
        }
        todo.extend(progress.into_iter().chain(faults).filter(|site| seen.insert(*site)));
    }
    println!("{} states, {} ends", seen.len(), ends.len());
    ends
}

fn most_rings(ends: &HashSet<Site>, which: impl Fn(&Site) -> bool) -> u8 {
    let rings = ends.iter().filter(|site| which(site)).map(|site| site.rings);
    rings.max().expect("there is no such end")
}

#[test]
fn a_phone_rings_at_least_once_and_at_most_once_more_for_each_fault() {
    let ends = ends(BacklogKept::OnDisk, Outage::Counted);
    for end in &ends {
        assert!(end.rings >= 1 && end.log == Some(true), "lost: {end:?}");
        assert!(end.rings <= 1 + end.faults, "{end:?}");
    }
    assert_eq!(most_rings(&ends, |end| end.faults == 0), 1);
    // A node that was alone causes no duplicate: true, as long as the pusher does not watch its monitors meanwhile, …
    assert_eq!(most_rings(&ends, |end| end.had == OWNER_CUT), 1);
    // … which it does once the node is silent, …
    assert_eq!(most_rings(&ends, |end| end.had == Had { orphan: true, ..OWNER_CUT }), 2);
    // A node that is dead does not ring, and is told by the log what the pusher did meanwhile.
    assert_eq!(most_rings(&ends, |end| end.faults == 1 && end.had.orphan && end.had.crash), 1);
    // … and as long as no answer to a write was lost. A request that was lost looks the same, and does no harm.
    assert_eq!(most_rings(&ends, |end| end.had == Had { lost_answer: true, ..OWNER_CUT }), 2);
    assert_eq!(most_rings(&ends, |end| end.had == Had { lost_request: true, ..OWNER_CUT }), 1);
    // A pusher that was cut off between sending and reporting.
    assert_eq!(
        most_rings(&ends, |end| end.had == Had { cut: [false, true], owner_led: true, ..OWNER_CUT }),
        2
    );
}

#[test]
fn a_backlog_that_is_in_memory_alone_loses_alarms() {
    let ends = ends(BacklogKept::InMemory, Outage::Counted);
    let lost: Vec<_> = ends.iter().filter(|end| end.rings == 0).collect();
    assert!(!lost.is_empty());
    assert!(lost.iter().all(|end| end.had.crash), "{lost:?}");
}

#[test]
fn an_outage_that_is_longer_than_pushes_are_tried_has_to_be_counted() {
    let ends = ends(BacklogKept::OnDisk, Outage::Uncounted);
    let lost: Vec<_> = ends.iter().filter(|end| end.rings == 0).collect();
    assert!(!lost.is_empty());
    assert!(lost.iter().all(|end| end.is_stale && end.had.cut != [false; 2]), "{lost:?}");
}

#[test]
fn what_the_pusher_has_begun_is_sent_however_long_the_database_is_away() {
    let ends = ends(BacklogKept::OnDisk, Outage::Endless);
    assert!(ends.iter().all(|end| end.nodes.iter().all(|node| !node.begun)));
    // What is in the log and not begun waits for a node that can read it.
    let waits = |end: &&Site| end.rings == 0 && !end.nodes.iter().any(|node| node.reaches);
    assert!(ends.iter().filter(|end| end.rings == 0).all(|end| waits(&end)), "{ends:?}");
}
