//! Properties for any order of events: nothing is lost, nothing is sent twice, each token gets its alarms in order.

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

/// Deliveries of a page.
const PAGE: usize = 3;
const TOKENS: i64 = 4;

#[derive(Debug, Clone)]
enum Event {
    /// An alarm for some of the tokens; the router may have no room for the order.
    Announce {
        tokens: Vec<i64>,
        dropped: bool,
    },
    /// The disk has written this many notes.
    Commit(usize),
    ReadPage,
    /// What was read arrives, or the read has failed.
    Page {
        failed: bool,
    },
    /// Whatever may go is under way.
    Ship,
    Answer(Index, AnswerModel),
    /// The state takes this many notes.
    HandOver(usize),
    Withdraw(i64),
    Wait(u64),
}

#[derive(Debug, Clone, Copy)]
enum AnswerModel {
    Sent,
    Retry,
    Failed,
}

fn event() -> impl Strategy<Value = Event> {
    let tokens = proptest::sample::subsequence((1..=TOKENS).collect::<Vec<_>>(), 1..=4);
    let answer = prop_oneof![
        3 => Just(AnswerModel::Sent),
        2 => Just(AnswerModel::Retry),
        1 => Just(AnswerModel::Failed)
    ];
    prop_oneof![
        4 => (tokens, prop::bool::weighted(0.2)).prop_map(|(tokens, dropped)| Event::Announce { tokens, dropped }),
        3 => (1_usize..5).prop_map(Event::Commit),
        2 => Just(Event::ReadPage),
        2 => prop::bool::weighted(0.2).prop_map(|failed| Event::Page { failed }),
        4 => Just(Event::Ship),
        5 => (any::<Index>(), answer).prop_map(|(which, answer)| Event::Answer(which, answer)),
        2 => (0_usize..4).prop_map(Event::HandOver),
        1 => (1..=TOKENS).prop_map(Event::Withdraw),
        2 => (1_u64..40).prop_map(Event::Wait),
    ]
}

/// A dispatcher without tasks: the queue, the disk, and pushes under way.
#[derive(Debug)]
struct QueueWorld {
    queue: Queue,
    disk: DiskModel,
    now: Instant,
    /// The last delivery's number.
    last: i64,
    /// A page is being read; once it has been, what it holds.
    page: Option<(DeliveryId, Option<PushPage>)>,
    under_way: Vec<(TokenId, Vec<Job>, bool)>,
    /// Numbers of the deliveries that ended with an answer, for each token in their order.
    ended: BTreeMap<TokenId, Vec<DeliveryId>>,
    /// Up to where deliveries were withdrawn, with how many of the token's had ended then.
    withdrawn: BTreeMap<TokenId, DeliveryId>,
}

impl QueueWorld {
    fn new() -> Self {
        let limits = QueueLimits { storm_limit: 3, ..LIMITS };
        Self {
            queue: Queue::new(limits, DeliveryId(0), 1),
            disk: DiskModel::default(),
            now: Instant::now(),
            last: 0,
            page: None,
            under_way: Vec::new(),
            ended: BTreeMap::new(),
            withdrawn: BTreeMap::new(),
        }
    }

    fn on(&mut self, event: Event) {
        match event {
            Event::Announce { tokens, dropped } => {
                let batch = batch(self.last + 1, &tokens);
                self.last += i64::try_from(tokens.len()).unwrap();
                self.disk.note_announced(&batch);
                if dropped {
                    self.queue.read_again();
                } else {
                    self.queue.accept(batch, here);
                }
            }
            Event::Commit(notes) => self.disk.commit(notes),
            Event::ReadPage => self.read_page(),
            Event::Page { failed } => self.arrive(failed),
            Event::Ship => self.ship(),
            Event::Answer(which, answer) => {
                if !self.under_way.is_empty() {
                    let push = self.under_way.remove(which.index(self.under_way.len()));
                    self.answer(push, answer);
                }
            }
            Event::HandOver(room) => self.hand_over(room),
            Event::Withdraw(token) => {
                let (token, last) = (TokenId(token), DeliveryId(self.last));
                self.disk.notes.push_back(NoteModel::Withdrawn(token, last));
                self.queue.withdraw(token, last, self.now, here);
                self.withdrawn.insert(token, last);
            }
            Event::Wait(seconds) => self.now += Duration::from_secs(seconds),
        }
        self.queue.on_disk(self.disk.committed, true);
        self.queue.release(self.now, here);
    }

    fn read_page(&mut self) {
        match &mut self.page {
            None => self.page = self.queue.next_page(self.now).map(|after| (after, None)),
            Some((after, read @ None)) => {
                // The barrier: every note before it is on the disk.
                self.disk.commit(usize::MAX);
                *read = Some(self.disk.page(*after, PAGE));
            }
            Some(_) => {}
        }
    }

    fn arrive(&mut self, failed: bool) {
        match self.page.take() {
            Some((_, Some(page))) if !failed => self.queue.page(page, true, self.now, here),
            Some((_, Some(_))) => self.queue.page_failed(self.now),
            reading => self.page = reading,
        }
    }

    fn ship(&mut self) {
        while let Some(LaneTurn { token, refused, step }) = self.queue.next(0, self.now, here, never) {
            assert!(refused.is_empty());
            let LaneStep::Send { jobs, digest } = step else { continue };
            let withdrawn = self.withdrawn.get(&token).copied().unwrap_or_default();
            assert!(jobs.iter().all(|job| job.token.id == token && job.id > withdrawn), "{jobs:?}");
            assert!(self.under_way.iter().all(|(other, ..)| *other != token), "two pushes for one token");
            self.under_way.push((token, jobs, digest));
        }
    }

    fn answer(&mut self, (token, mut jobs, digest): (TokenId, Vec<Job>, bool), answer: AnswerModel) {
        let outcome = || match answer {
            AnswerModel::Sent => sent(),
            AnswerModel::Retry => Outcome::Retry(String::new()),
            AnswerModel::Failed => Outcome::Failed(String::new()),
        };
        let attempts = jobs.iter().map(|job| attempt(job, outcome())).collect();
        for job in &mut jobs {
            job.attempts += 1;
        }
        if digest && matches!(answer, AnswerModel::Sent) {
            self.queue.digest_taken(token);
        }
        let retry = if let AnswerModel::Retry = answer {
            let delay = Delay { until: self.now + Duration::from_secs(2), for_the_transport: true };
            Some((jobs, delay))
        } else {
            self.ended.entry(token).or_default().extend(jobs.iter().map(|job| job.id));
            None
        };
        self.queue.came_out(token, Some(1), attempts, retry, here);
    }

    fn hand_over(&mut self, mut room: usize) {
        let notes = &mut self.disk.notes;
        self.queue.hand_over(|attempts| {
            if room == 0 {
                return Err(attempts);
            }
            room -= 1;
            notes.push_back(NoteModel::Attempts(attempts));
            Ok(())
        });
    }

    /// Runs until nothing is left to do.
    fn settle(&mut self) {
        for _ in 0..200 {
            for event in
                [Event::Ship, Event::HandOver(usize::MAX), Event::Commit(usize::MAX), Event::Wait(61)]
            {
                self.on(event);
            }
            for push in std::mem::take(&mut self.under_way) {
                self.answer(push, AnswerModel::Sent);
            }
            for event in
                [Event::HandOver(usize::MAX), Event::ReadPage, Event::ReadPage, Event::Page { failed: false }]
            {
                self.on(event);
            }
        }
    }

    fn check_bounds(&self) {
        let bound = LIMITS.memory + PAGE + usize::try_from(TOKENS).unwrap();
        assert!(self.queue.in_memory.len() <= bound, "{} in memory", self.queue.in_memory.len());
        assert!(self.queue.queued() >= self.queue.in_memory.len());
        for ended in self.ended.values() {
            assert!(ended.is_sorted_by(|first, second| first < second), "out of order, or twice: {ended:?}");
        }
    }

    /// Every delivery has ended once, unless it was withdrawn before; and nothing is left behind.
    fn check_end(&self) {
        let queued: Vec<_> =
            self.disk.rows.values().filter(|row| row.queued).map(|row| row.push.id).collect();
        assert!(queued.is_empty(), "never sent: {queued:?}");
        let queue = &self.queue;
        assert_eq!((queue.queued(), queue.lanes.len(), queue.fresh.len()), (0, 0, 0));
        assert!(queue.in_memory.is_empty() && queue.unsaved.is_empty() && queue.concluded.is_empty());
        assert_eq!((queue.unwritten(1), queue.unsaved.notes()), (0, 0));
        for RowModel { push: QueuedPush { id, token, .. }, .. } in self.disk.rows.values() {
            let ended = self.ended.get(&token.id).is_some_and(|ended| ended.contains(id));
            let withdrawn = self.withdrawn.get(&token.id).is_some_and(|last| id <= last);
            assert!(ended || withdrawn, "{id:?} of {:?} is lost", token.id);
        }
    }
}

proptest! {
    #[test]
    fn nothing_is_lost_and_nothing_is_sent_twice_or_out_of_order(events in prop::collection::vec(event(), 1..120)) {
        let mut world = QueueWorld::new();
        for event in events {
            world.on(event);
            world.check_bounds();
        }
        world.settle();
        world.check_bounds();
        world.check_end();
    }
}
