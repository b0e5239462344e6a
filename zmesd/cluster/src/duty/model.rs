//! One alarm, one phone, two nodes and a database, in every order of what can happen.
//!
//! Node 0 has the camera; both can be pusher. A state is followed by every state that one step leads to. Each fault uses up
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

/// What is at stake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Site {
    nodes: [Node; 2],
    /// The alarm in the log; whether the outcome is there, too.
    log: Option<bool>,
    /// ZoneMinder's Events table has it.
    in_events: bool,
    /// The owner's alarm, while the owner lives.
    stage: Option<LogStage>,
    /// Who took the lease last.
    holder: Option<usize>,
    /// It is older than pushes are tried: who takes over does not look at it.
    is_stale: bool,
    /// The owner has sent it alone: known in memory, and on its disk.
    sent_alone: bool,
    sent_alone_on_disk: bool,
    /// The owner crashed; its disk has the alarm.
    on_disk: Option<LogStage>,
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
        Self {
            nodes: [node, node],
            log: None,
            in_events,
            stage: Some(LogStage::Waiting),
            holder: None,
            is_stale: false,
            sent_alone: false,
            sent_alone_on_disk: false,
            on_disk: None,
            rings: 0,
            faults: 0,
            had: Had::default(),
        }
    }

    fn following(self, kept: BacklogKept, outage: Outage) -> Following {
        let mut following = Following { progress: Vec::new(), faults: Vec::new() };
        self.owner(&mut following.progress);
        for index in 0..2 {
            self.pusher(index, &mut following.progress);
            self.recovery(index, kept, outage, &mut following.progress);
            if self.faults < FAULTS {
                self.fault(index, kept, &mut following.faults);
            }
        }
        if self.faults < FAULTS {
            self.lost_write(&mut following.faults);
        }
        following
    }

    /// What the owner does about its alarm.
    fn owner(self, next: &mut Vec<Self>) {
        let node = self.nodes[0];
        let (Some(stage), true) = (self.stage, node.is_up) else { return };
        if stage != LogStage::Logged && node.reaches {
            next.push(Self { stage: Some(LogStage::Logged), sent_alone: false, ..self.written() });
        }
        let may_send = node.is_pusher && node.reaches;
        let duty = for_own(stage, may_send, node.is_alone);
        if duty == Duty::Push && node.is_alone && !self.sent_alone {
            next.push(Self { rings: self.rings + 1, sent_alone: true, ..self });
        }
        if self.sent_alone && !self.sent_alone_on_disk {
            next.push(Self { sent_alone_on_disk: true, ..self });
        }
        // Its event comes late where ZoneMinder could not write it.
        if node.reaches && !self.in_events {
            next.push(Self { in_events: true, ..self });
        }
    }

    /// The alarm is in the log, with what the owner has noted.
    fn written(self) -> Self {
        let noted = self.sent_alone;
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
        let duty = if index == 0 && self.stage.is_some() {
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
        if index == 1 && node.is_pusher && is_silent && self.in_events && self.log.is_none() {
            next.push(Self { log: Some(false), had: Had { orphan: true, ..self.had }, ..self });
        }
    }

    fn recovery(self, index: usize, kept: BacklogKept, outage: Outage, next: &mut Vec<Self>) {
        let mut nodes = self.nodes;
        let node = &mut nodes[index];
        if !node.is_up {
            *node = Node { is_up: true, reaches: true, ..Node::default() };
            let mut back = Self { nodes, ..self };
            if index == 0 {
                let read = |stage| if stage == LogStage::Logged { stage } else { LogStage::InDoubt };
                let on_disk = if kept == BacklogKept::OnDisk { self.on_disk.map(read) } else { None };
                back = Self { stage: on_disk, on_disk: None, sent_alone: self.sent_alone_on_disk, ..back };
            }
            next.push(back);
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
        next.push(if index == 0 {
            let on_disk = if kept == BacklogKept::OnDisk { self.stage } else { None };
            Self { stage: None, on_disk, sent_alone: false, ..crashed }
        } else {
            crashed
        });
    }

    /// A write of the owner that has no answer: done, or not.
    fn lost_write(self, next: &mut Vec<Self>) {
        let is_open = matches!(self.stage, Some(LogStage::Waiting | LogStage::InDoubt));
        if !is_open || !self.nodes[0].is_up {
            return;
        }
        let in_doubt = Self { stage: Some(LogStage::InDoubt), faults: self.faults + 1, ..self };
        if self.nodes[0].reaches {
            let had = Had { lost_answer: true, ..self.had };
            next.push(Self { had, ..in_doubt.written() });
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
