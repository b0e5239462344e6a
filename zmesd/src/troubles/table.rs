//! The table of troubles.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;
use zmes_shared::MonitorId;
use zmes_shared::views::{Sentence, Severity, TroubleView};
use zmes_shared::words::TroubleKind;

use super::damping::Damping;
use super::group::Losses;
use super::id::TroubleId;

/// Maximum number of troubles at a time, including rising ones. Further ones are ignored: something larger is wrong.
const MOST: usize = 1000;
/// How long most cameras must be lost together, if single cameras are not reported.
pub const GROUP_HOLD: Duration = Duration::from_mins(2);
const HOUR: Duration = Duration::from_hours(1);
/// When people are reminded of a trouble that still stands; after the last one, daily.
const REMINDERS: [Duration; 2] = [HOUR, Duration::from_hours(6)];
const DAY: Duration = Duration::from_hours(24);

/// A moment by both clocks: people read the wall clock; durations are measured by the monotonic one.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    pub at: Timestamp,
    pub tick: Instant,
}

/// A condition that was observed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    pub severity: Severity,
    /// What it is about, in people's words; empty for zmesd.
    pub name: String,
    /// One sentence, without the name.
    pub text: Sentence,
    pub hint: String,
    /// How long it must hold before people are told.
    pub hold: Duration,
}

/// The state of a watched camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CameraSight {
    Seen,
    Lost(Observation),
    /// Unknown: it has not been polled yet, or its alarms come from the database.
    Unknown,
}

/// What was observed in one round.
#[derive(Debug, Clone, Default)]
pub struct Look {
    /// All watched cameras.
    pub cameras: BTreeMap<MonitorId, CameraSight>,
    /// The cameras that other servers capture: they are not grouped with those of this machine.
    pub elsewhere: BTreeSet<MonitorId>,
    /// The cameras are not known yet: nothing follows from those that are missing.
    pub cameras_unknown: bool,
    /// After what time a lost camera is reported; `None` for never. Cameras lost together are always reported.
    pub camera_offline: Option<Duration>,
    /// All other conditions.
    pub others: BTreeMap<TroubleId, Observation>,
    /// Troubles that could not be judged this time: they stay unchanged.
    pub unknown: BTreeSet<TroubleId>,
    /// As `unknown`, for all troubles of a kind.
    pub unknown_kinds: BTreeSet<TroubleKind>,
}

#[derive(Clone, Copy)]
struct WatchedCameras<'a> {
    cameras: &'a BTreeMap<MonitorId, CameraSight>,
    elsewhere: &'a BTreeSet<MonitorId>,
    unknown: bool,
}

/// A trouble as reported to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    pub id: TroubleId,
    pub severity: Severity,
    pub name: String,
    pub text: Sentence,
    pub hint: String,
    /// When the condition began.
    pub since: Timestamp,
}

impl Trouble {
    /// Returns the sentence, preceded by the name.
    pub fn sentence(&self) -> Sentence {
        match self.name.as_str() {
            "" => self.text.clone(),
            name => Sentence::from(format!("{name}: ")).join(self.text.clone()),
        }
    }

    /// Returns the form for commands and programs. `cleared_at` is set if the trouble is over.
    pub fn view(&self, cleared_at: Option<Timestamp>) -> TroubleView {
        let (text, parts) = self.sentence().into_parts();
        TroubleView {
            id: self.id.to_string(),
            kind: self.id.kind,
            severity: self.severity,
            since: self.since,
            cleared_at,
            text,
            parts,
            hint: self.hint.clone(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TroubleChange {
    Raised,
    /// It still stands.
    Reminder,
    Cleared,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TroubleNotice {
    pub change: TroubleChange,
    pub trouble: Trouble,
}

/// A trouble that stood when the daemon ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TroubleRecord {
    pub trouble: Trouble,
    pub raised_at: Timestamp,
}

#[derive(Debug, Clone)]
struct Entry {
    trouble: Trouble,
    stage: Stage,
    damping: Damping,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    /// The condition has held since then, but not long enough.
    Rising(Instant),
    Standing {
        raised: Instant,
        /// How long it had stood before `raised`: more than zero after a restart.
        before: Duration,
        reminders: u32,
        /// The condition has been gone since then, but not long enough.
        gone: Option<Instant>,
    },
    /// Kept only to count how often it is raised.
    Over,
}

/// Troubles by id: rising ones, standing ones, and for an hour those that are over.
#[derive(Debug, Default)]
pub struct TroubleTable {
    entries: BTreeMap<TroubleId, Entry>,
    losses: Losses,
}

impl TroubleTable {
    /// Restores the troubles that stood when the daemon ended: none of them is raised again.
    pub fn remembered(records: Vec<TroubleRecord>, now: Moment) -> Self {
        let entry = |TroubleRecord { trouble, raised_at }: TroubleRecord| {
            let before = Duration::try_from(now.at.duration_since(raised_at)).unwrap_or_default();
            let reminders = (0..u32::MAX).find(|number| reminder_after(*number) > before).unwrap_or(u32::MAX);
            let stage = Stage::Standing { raised: now.tick, before, reminders, gone: None };
            let mut damping = Damping::default();
            damping.raised(now.tick);
            (trouble.id.clone(), Entry { trouble, stage, damping })
        };
        Self { entries: records.into_iter().map(entry).collect(), losses: Losses::default() }
    }

    /// Returns the troubles that stand, by id.
    pub fn standing(&self) -> impl Iterator<Item = &Trouble> {
        self.entries.values().filter(|entry| entry.stands()).map(|entry| &entry.trouble)
    }

    /// Updates the table with a round of observations. Returns what people are to be told.
    pub fn look(&mut self, look: Look, now: Moment) -> Vec<TroubleNotice> {
        let Look {
            cameras,
            elsewhere,
            cameras_unknown,
            camera_offline,
            mut others,
            mut unknown,
            mut unknown_kinds,
        } = look;
        if cameras_unknown {
            unknown_kinds.extend([TroubleKind::Camera, TroubleKind::Zoneminder]);
        }
        let watched = WatchedCameras { cameras: &cameras, elsewhere: &elsewhere, unknown: cameras_unknown };
        self.cameras(watched, camera_offline, now, &mut others, &mut unknown);
        let mut notices = Vec::new();
        for (id, observation) in others {
            if let Some(entry) = self.entry(&id, &observation, now) {
                notices.extend(entry.holds(&observation, now));
            }
            unknown.insert(id);
        }
        for (id, entry) in &mut self.entries {
            let stays = unknown.contains(id) || unknown_kinds.contains(&id.kind);
            notices.extend(if stays { entry.remind(now) } else { entry.ceases(now) });
        }
        let group_is_over = notices.iter().any(|notice| {
            notice.change == TroubleChange::Cleared
                && notice.trouble.id == TroubleId::of(TroubleKind::Zoneminder)
        });
        if group_is_over {
            // Cameras that are still lost are reported one by one, after their own time.
            self.losses.restart(now.tick);
        }
        self.entries.retain(|_, entry| match entry.stage {
            Stage::Over => !entry.damping.is_calm(now.tick),
            Stage::Rising(_) | Stage::Standing { .. } => true,
        });
        notices
    }

    fn entry(&mut self, id: &TroubleId, observed: &Observation, now: Moment) -> Option<&mut Entry> {
        if self.entries.len() >= MOST && !self.entries.contains_key(id) {
            return None;
        }
        let fresh = || Entry {
            trouble: observed.trouble(id.clone(), now.at),
            stage: Stage::Over,
            damping: Damping::default(),
        };
        Some(self.entries.entry(id.clone()).or_insert_with(fresh))
    }

    /// Counts a condition from when it was first seen, which may be before it had an entry of its own.
    fn rising(&mut self, id: &TroubleId, observation: &Observation, since: Instant, now: Moment) {
        let entry = self.entry(id, observation, now);
        if let Some(entry) = entry.filter(|entry| matches!(entry.stage, Stage::Over)) {
            let age = now.tick.saturating_duration_since(since);
            let age = SignedDuration::try_from(age).unwrap_or_default();
            entry.stage = Stage::Rising(since);
            entry.trouble.since = now.at.saturating_sub(age).unwrap_or(now.at);
        }
    }

    fn stands(&self, id: &TroubleId) -> bool {
        self.entries.get(id).is_some_and(Entry::stands)
    }

    /// Turns cameras into observations: one for each, or one for all.
    fn cameras(
        &mut self,
        watched: WatchedCameras<'_>,
        offline: Option<Duration>,
        now: Moment,
        others: &mut BTreeMap<TroubleId, Observation>,
        unknown: &mut BTreeSet<TroubleId>,
    ) {
        let WatchedCameras { cameras, elsewhere, unknown: cameras_unknown } = watched;
        let group = TroubleId::of(TroubleKind::Zoneminder);
        let own = |id: MonitorId| self.stands(&TroubleId::camera(id));
        // A camera with a standing trouble of its own is not part of a group.
        let free = cameras.keys().copied().filter(|id| !own(*id) && !elsewhere.contains(id));
        let free: BTreeSet<_> = free.collect();
        let is_lost = |id: &MonitorId| matches!(cameras.get(id), Some(CameraSight::Lost(_)));
        let is_known = |id: &MonitorId| !matches!(cameras.get(id), Some(CameraSight::Unknown) | None);
        let lost: BTreeSet<_> = free.iter().copied().filter(is_lost).collect();
        let known: BTreeSet<_> = free.iter().copied().filter(is_known).collect();
        self.losses.update(&lost, &known, now.tick);
        if !cameras_unknown {
            self.losses.retain(|id| free.contains(&id));
        }
        let stands = self.stands(&group);
        let together = if stands {
            // The group's trouble is over once half of the cameras are back.
            (self.losses.len() * 2 > free.len()).then_some(now.tick)
        } else {
            self.losses.together(free.len())
        };
        let undecided = cameras_unknown || known.len() < free.len();
        if stands && undecided && together.is_none() {
            unknown.insert(group.clone());
        }
        let grouped = together.is_some() || stands;
        for (id, sight) in cameras {
            let camera = TroubleId::camera(*id);
            match sight {
                CameraSight::Lost(_) if grouped && free.contains(id) => {}
                CameraSight::Lost(observation) => {
                    let Some(hold) = offline else { continue };
                    let hold = hold.max(observation.hold);
                    let observation = Observation { hold, ..observation.clone() };
                    if let Some(since) = self.losses.since(*id) {
                        self.rising(&camera, &observation, since, now);
                    }
                    others.insert(camera, observation);
                }
                CameraSight::Unknown => drop(unknown.insert(camera)),
                CameraSight::Seen => {}
            }
        }
        if let Some(since) = together {
            let hold = offline.unwrap_or(GROUP_HOLD);
            let observation = group_observation(cameras, &lost, free.len(), hold);
            self.rising(&group, &observation, since, now);
            others.insert(group, observation);
        }
    }
}

fn group_observation(
    cameras: &BTreeMap<MonitorId, CameraSight>,
    lost: &BTreeSet<MonitorId>,
    total: usize,
    hold: Duration,
) -> Observation {
    let first = lost.iter().find_map(|id| match cameras.get(id) {
        Some(CameraSight::Lost(first)) => Some(first),
        Some(CameraSight::Seen | CameraSight::Unknown) | None => None,
    });
    let text = Sentence::from(format!("{} of {total} cameras deliver nothing", lost.len()));
    let text = match first {
        Some(first) => text.text(format!("; {}: ", first.name)).join(first.text.clone()),
        None => text,
    };
    Observation {
        severity: Severity::Error,
        name: "ZoneMinder".to_owned(),
        text,
        hint: "systemctl status zoneminder; zmesctl check shm".to_owned(),
        hold,
    }
}

impl Observation {
    fn trouble(&self, id: TroubleId, since: Timestamp) -> Trouble {
        let Self { severity, name, text, hint, .. } = self.clone();
        Trouble { id, severity, name, text, hint, since }
    }
}

impl Entry {
    fn stands(&self) -> bool {
        matches!(self.stage, Stage::Standing { .. })
    }

    fn notice(&self, change: TroubleChange) -> TroubleNotice {
        TroubleNotice { change, trouble: self.trouble.clone() }
    }

    /// The condition holds.
    fn holds(&mut self, observation: &Observation, now: Moment) -> Option<TroubleNotice> {
        let hold = observation.hold;
        if let Stage::Over = self.stage {
            self.stage = Stage::Rising(now.tick);
            self.trouble.since = now.at;
        }
        self.trouble = observation.trouble(self.trouble.id.clone(), self.trouble.since);
        match &mut self.stage {
            Stage::Rising(since) => {
                if now.tick.saturating_duration_since(*since) < self.damping.rise(hold, now.tick) {
                    return None;
                }
                self.damping.raised(now.tick);
                self.stage =
                    Stage::Standing { raised: now.tick, before: Duration::ZERO, reminders: 0, gone: None };
                Some(self.notice(TroubleChange::Raised))
            }
            Stage::Standing { gone, .. } => {
                *gone = None;
                None
            }
            Stage::Over => None,
        }
    }

    /// The condition does not hold.
    fn ceases(&mut self, now: Moment) -> Option<TroubleNotice> {
        match &mut self.stage {
            Stage::Rising(_) => self.stage = Stage::Over,
            Stage::Standing { gone, .. } => {
                let since = *gone.get_or_insert(now.tick);
                if now.tick.saturating_duration_since(since) >= self.damping.fall(now.tick) {
                    self.stage = Stage::Over;
                    return Some(self.notice(TroubleChange::Cleared));
                }
            }
            Stage::Over => {}
        }
        None
    }

    fn remind(&mut self, now: Moment) -> Option<TroubleNotice> {
        let Stage::Standing { raised, before, reminders, gone: None } = &mut self.stage else { return None };
        let stood = before.saturating_add(now.tick.saturating_duration_since(*raised));
        if stood < reminder_after(*reminders) {
            return None;
        }
        *reminders = reminders.saturating_add(1);
        Some(self.notice(TroubleChange::Reminder))
    }
}

/// Returns after what time people are reminded for the time `number`, counted from 0.
fn reminder_after(number: u32) -> Duration {
    let place = usize::try_from(number).unwrap_or(usize::MAX);
    let daily = || {
        let days = number.saturating_sub(u32::try_from(REMINDERS.len()).unwrap_or(0)).saturating_add(1);
        DAY.saturating_mul(days)
    };
    REMINDERS.get(place).copied().unwrap_or_else(daily)
}
