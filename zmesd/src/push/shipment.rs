//! One push under way: the message, the transports that are asked, and their answers.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, timeout};
use tracing::{info, warn};
use zmes_providers::{
    Delivered, PictureWay, Push, PushError, PushSubject, PushTransport, PushedAlarm, PushedPicture,
    SnoozeButton, SnoozeTime, TransportFault, Urgency,
};
use zmes_shared::words::FaultKind;

use super::queue::Job;
use super::retry;
use crate::domain::{Origin, TokenId};
use crate::ports::SendPermit;
use crate::push::parts::PushPictures;
use crate::state::StateHandle;

/// Deadline in case a transport does not keep its own.
const DEADLINE: Duration = Duration::from_secs(20);
/// The picture of an older alarm is there, or does not come.
const FRESH: SignedDuration = SignedDuration::from_secs(30);
/// By this much the link of an update lives longer: links count in minutes.
const LINK_STEP: SignedDuration = SignedDuration::from_mins(1);
/// Transports that one push may try: the first, and others while each reports that the token belongs to another app.
const CANDIDATES: usize = 4;
/// Alarms that a digest names.
const NAMED: usize = 5;

#[derive(Debug)]
pub(super) struct Shipment {
    pub(super) token: TokenId,
    /// Its alarms, in order; never empty.
    pub(super) jobs: Vec<Job>,
    /// It replaces everything that waited.
    pub(super) digest: bool,
    pub(super) gate: Option<u64>,
    pub(super) ways: Vec<Way>,
}

#[derive(Debug)]
pub(super) struct Way {
    pub(super) transport: Arc<dyn PushTransport>,
    pub(super) gate: Option<u64>,
    pub(super) rests: bool,
}

#[derive(Debug)]
pub(super) struct Shipped {
    pub(super) shipment: Shipment,
    pub(super) answers: Vec<ProviderAnswer>,
    pub(super) leave: Leave,
}

/// Whether the cluster let it go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leave {
    /// It was not asked.
    NotNeeded,
    /// It did, and waits for the outcome.
    Granted,
    /// Another node sends now: after the answers that there are, no other transport was asked.
    Refused,
}

#[derive(Debug)]
pub(super) struct ProviderAnswer {
    pub(super) transport: Arc<str>,
    pub(super) gate: Option<u64>,
    pub(super) result: Result<Delivered, PushError>,
    pub(super) took: Duration,
    /// False: it would have been next, but rests.
    pub(super) asked: bool,
}

impl ProviderAnswer {
    /// Says whether another attempt would get the same answer.
    pub(super) fn is_final(&self) -> bool {
        match &self.result {
            Err(PushError::Dead(_) | PushError::WrongApp(_) | PushError::Message(_)) | Ok(_) => true,
            Err(PushError::Transport(_) | PushError::Phone { .. }) => false,
        }
    }

    pub(super) fn wait(&self, attempts: u32) -> Duration {
        let retry_after = match &self.result {
            Err(PushError::Phone { retry_after, .. }) => *retry_after,
            // The transport rests by itself: this phone's newer alarms must not wait for longer than that.
            Ok(_) | Err(_) => None,
        };
        retry::wait(attempts, retry_after, fastrand::f64())
    }
}

impl Shipment {
    fn push(&self, retry_for: Duration, now: Timestamp) -> Option<Push> {
        let last = self.jobs.last()?;
        let named = self.jobs.len().min(NAMED);
        let named = self.jobs.get(self.jobs.len() - named..).unwrap_or_default();
        let token = &last.token;
        Some(Push {
            token: token.token.clone(),
            platform: token.platform,
            app: token.app,
            app_version: token.app_version.clone(),
            profile: token.profile.clone(),
            alarms: named.iter().map(pushed).collect(),
            digest: (self.jobs.len() > 1).then(|| u32::try_from(self.jobs.len()).unwrap_or(u32::MAX)),
            badge: last.badge,
            urgency: self.urgency(),
            picture: None,
            replaces: None,
            snooze: Vec::new(),
            expires_at: last.expires_at(now, retry_for),
        })
    }

    /// Returns the picture of the last alarm as a transport takes it. What has ended was shown, and only alarms have an event
    /// that ZoneMinder knows.
    async fn picture(
        &self,
        way: PictureWay,
        pictures: &PushPictures,
        now: Timestamp,
    ) -> Option<PushedPicture> {
        let Job { alarm, token, attempts, .. } = self.jobs.last()?;
        let real =
            matches!(alarm.origin, Origin::Poll | Origin::Reconciled | Origin::Unknown) && !alarm.is_end();
        let event = alarm.event.filter(|_| real)?;
        // The pictures of an update are those of its alarm.
        let began = alarm.updates();
        let at = began.unwrap_or(alarm.at);
        match way {
            PictureWay::Nothing => None,
            PictureWay::Link => {
                // Another link than that of the alarm, so that a phone loads the picture again.
                let now = if began.is_some() { now.saturating_add(LINK_STEP).unwrap_or(now) } else { now };
                pictures.links.for_token(event, token, at, now).map(PushedPicture::Link)
            }
            PictureWay::File { wait } => {
                let fresh = *attempts == 0 && now.duration_since(alarm.at) < FRESH;
                let wait = if fresh { wait } else { Duration::ZERO };
                let at = (!alarm.late()).then_some(at);
                let file = pictures.uploads.file(event, at, Some(token.id), wait).await;
                file.map(PushedPicture::File)
            }
        }
    }

    /// Returns the id of the message that an update follows, if this transport sent it.
    async fn replaced(&self, transport: &dyn PushTransport, state: &StateHandle) -> Option<String> {
        let Job { alarm, start, .. } = self.jobs.last()?;
        let told = start.filter(|_| alarm.updates().is_some() && transport.edits())?.told();
        match state.message_of(told).await {
            Ok(message) => message.filter(|(by, _)| by == transport.name()).map(|(_, id)| id),
            Err(problem) => {
                warn!(
                    error = &problem as &dyn std::error::Error,
                    "cannot read which message an update replaces"
                );
                None
            }
        }
    }

    /// Says whether it would tell nothing: a better picture, which cannot be read any more.
    fn is_void(&self, picture: Option<&PushedPicture>) -> bool {
        picture.is_none() && self.jobs.iter().all(|job| job.alarm.updates_picture_alone())
    }

    /// Returns the buttons that silence the monitor for this token. A digest may tell of several monitors, and what has
    /// ended needs none.
    fn snooze(&self, times: &[SnoozeTime], pictures: &PushPictures, now: Timestamp) -> Vec<SnoozeButton> {
        let [Job { alarm, token, .. }] = &self.jobs[..] else { return Vec::new() };
        if alarm.is_end() || matches!(alarm.origin, Origin::Trouble | Origin::Snooze) {
            return Vec::new();
        }
        let button = |time: &SnoozeTime| {
            let url = pictures.links.snooze(alarm.monitor, token, time.0, now)?;
            Some(SnoozeButton { time: *time, url })
        };
        times.iter().filter_map(button).collect()
    }

    /// Its alarms as the cluster numbers them.
    pub(super) fn ledger_alarms(&self) -> Vec<u64> {
        self.jobs.iter().filter_map(|job| job.ledger).map(|mark| mark.alarm).collect()
    }

    /// The turn in which the cluster let it be decided; a digest is of one turn or is refused.
    fn turn(&self) -> Option<u64> {
        self.jobs.iter().filter_map(|job| job.ledger).map(|mark| mark.turn).min()
    }

    /// Asks the cluster for leave, which holds until the dispatcher says that it came out.
    fn leave(&self, before: Leave, permit: Option<&dyn SendPermit>) -> Leave {
        let (Some(turn), Some(permit)) = (self.turn(), permit) else { return Leave::NotNeeded };
        let holds = before == Leave::Granted;
        let granted = if holds { permit.holds(turn) } else { permit.begin(turn, &self.ledger_alarms()) };
        if granted { Leave::Granted } else { Leave::Refused }
    }

    /// Returns how loudly it is shown: as the loudest of its alarms.
    fn urgency(&self) -> Urgency {
        self.jobs.iter().map(|job| job.urgency).max().unwrap_or_default()
    }

    /// If a transport reports that the token belongs to another app, the next one is tried; while that one rests, the
    /// push waits.
    pub(super) async fn send(
        self,
        retry_for: Duration,
        pictures: PushPictures,
        state: StateHandle,
        permit: Option<Arc<dyn SendPermit>>,
        now: Timestamp,
    ) -> Shipped {
        let (mut answers, mut leave) = (Vec::new(), Leave::NotNeeded);
        let Some(mut push) = self.push(retry_for, now) else {
            return Shipped { shipment: self, answers, leave };
        };
        for Way { transport, gate, rests } in self.ways.iter().take(CANDIDATES) {
            if !rests {
                push.picture = self.picture(transport.picture_way(), &pictures, now).await;
                push.replaces = self.replaced(&**transport, &state).await;
                push.snooze = self.snooze(transport.snooze_buttons(), &pictures, now);
                // After a picture was waited for, another node may be the one that sends.
                let before = leave;
                leave = self.leave(before, permit.as_deref());
                if leave == Leave::Refused {
                    if let (Leave::Granted, Some(permit)) = (before, &permit) {
                        // The transport before knows nothing of this phone: nothing was sent.
                        permit.came_out(&self.ledger_alarms());
                    }
                    break;
                }
            }
            let began = Instant::now();
            let unanswered =
                |kind, detail: &str| Err(PushError::Transport(TransportFault::unanswered(kind, detail)));
            let result = if *rests {
                unanswered(FaultKind::Resting, "it rests after failures")
            } else if self.is_void(push.picture.as_ref()) {
                Err(PushError::Message("the better picture is not there any more".to_owned()))
            } else {
                let answer = timeout(DEADLINE, transport.send(&push)).await;
                answer.unwrap_or_else(|_| unanswered(FaultKind::Timeout, "no answer in time"))
            };
            if let Ok(Delivered { without_picture: Some(why), .. }) = &result {
                info!(transport = transport.name(), reason = %why, "a message went out without its picture");
            }
            if let Ok(Delivered { without_buttons: Some(why), .. }) = &result {
                warn!(transport = transport.name(), reason = %why, "a message went out without its snooze buttons");
            }
            let elsewhere = matches!(result, Err(PushError::WrongApp(_)));
            answers.push(ProviderAnswer {
                transport: transport.name().into(),
                gate: *gate,
                result,
                took: began.elapsed(),
                asked: !rests,
            });
            if !elsewhere {
                break;
            }
        }
        Shipped { shipment: self, answers, leave }
    }
}

fn pushed(job: &Job) -> PushedAlarm {
    let alarm = &job.alarm;
    PushedAlarm {
        event: alarm.event,
        monitor: alarm.monitor,
        monitor_name: Arc::clone(&alarm.monitor_name),
        cause: Arc::clone(&alarm.cause),
        labels: Arc::clone(&alarm.labels.known),
        at: alarm.at,
        test: alarm.origin == Origin::Test,
        ended: alarm.is_end().then(|| alarm.lasted().unwrap_or_default()),
        updates: alarm.updates(),
        late: alarm.late(),
        subject: match alarm.origin {
            Origin::Trouble => PushSubject::Trouble,
            Origin::Snooze => PushSubject::SnoozeEnd,
            Origin::Poll | Origin::Reconciled | Origin::Test | Origin::Unknown => PushSubject::Alarm,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use zmes_providers::{PictureFile, Platform};
    use zmes_shared::EventId;

    use super::*;
    use crate::domain::{Alarm, DeliveryId};
    use crate::links::LinkMaker;
    use crate::ports::PictureUploads;
    use crate::push::tests::fakes;

    /// Remembers which alarm a picture was asked for.
    #[derive(Debug, Default)]
    struct AskedUploads(Mutex<Vec<Option<Timestamp>>>);

    #[async_trait::async_trait]
    impl PictureUploads for AskedUploads {
        async fn file(
            &self,
            _: EventId,
            at: Option<Timestamp>,
            _: Option<TokenId>,
            _: Duration,
        ) -> Option<PictureFile> {
            self.0.lock().unwrap().push(at);
            None
        }
    }

    #[tokio::test]
    async fn the_picture_of_an_alarm_that_was_found_late_is_not_taken_for_an_earlier_one() {
        let uploads = Arc::new(AskedUploads::default());
        let asked = Arc::<AskedUploads>::clone(&uploads);
        let pictures = PushPictures { links: LinkMaker::off(), uploads };
        let live = fakes::alarm(7, 1);
        let late = Arc::new(Alarm { origin: Origin::Reconciled, ..Alarm::clone(&live) });
        for alarm in [Arc::clone(&live), late] {
            let job = fakes::job(DeliveryId(1), fakes::token(1, "secret", Platform::Android), alarm);
            let shipment = Shipment {
                token: job.token.id,
                jobs: vec![job],
                digest: false,
                gate: None,
                ways: Vec::new(),
            };
            let way = PictureWay::File { wait: Duration::ZERO };
            assert!(shipment.picture(way, &pictures, live.at).await.is_none());
        }
        assert_eq!(*asked.0.lock().unwrap(), [Some(live.at), None]);
    }
}
