//! The task that keeps the troubles: it observes, and has told what the table says.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::{info, warn};

use super::{TroubleBoard, moment};
use crate::admin::AdminParts;
use crate::admin::doctor::Observer;
use crate::config::{CameraReceivers, Config, TargetPhase, WatchdogReceiver};
use crate::domain::{Token, TokenId};
use crate::route::TroubleMessage;
use crate::state::TroubleRow;
use crate::troubles::{TroubleChange, TroubleId, TroubleNotice, TroubleTable};

/// How often it looks.
const EVERY: Duration = Duration::from_secs(1);
/// How old tokens may be that were read for a notice which still waits.
const TOKENS_FOR: Duration = Duration::from_secs(10);
/// Notices that wait for the router; beyond that reminders are left out first.
const WAITING: usize = 1000;

/// A notice that is not written down yet.
#[derive(Debug)]
struct Waiting {
    number: u64,
    notice: TroubleNotice,
    /// The router has been asked: it may have done it without an answer in time.
    tried: bool,
}

/// Owns: the table of troubles, and whom each was told to. Sends: notices to the router, awaited. Ends: never; the caller
/// ends it with the daemon.
#[derive(Debug)]
pub(in crate::admin) struct Keeper {
    observer: Observer,
    table: TroubleTable,
    told: BTreeMap<TroubleId, Vec<TokenId>>,
    waiting: VecDeque<Waiting>,
    last_number: u64,
    /// The live tokens, and when they were read; only while a notice waits.
    tokens: Option<(Instant, Vec<Token>)>,
}

impl Keeper {
    /// Starts with the troubles that stood when the daemon ended.
    pub(in crate::admin) fn new(remembered: Vec<TroubleRow>, parts: &AdminParts) -> Self {
        let observer = Observer::remembering(remembered.iter().map(|row| &row.record.trouble.id));
        let told = remembered.iter().map(|row| (row.record.trouble.id.clone(), row.told.clone())).collect();
        let records = remembered.into_iter().map(|row| row.record).collect();
        Self {
            observer,
            table: TroubleTable::remembered(records, moment(parts)),
            told,
            waiting: VecDeque::new(),
            last_number: 0,
            tokens: None,
        }
    }

    pub(in crate::admin) async fn run(mut self, parts: &AdminParts, board: &TroubleBoard) {
        board.publish(self.table.standing().cloned().collect());
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.round(parts, board).await;
        }
    }

    pub(super) async fn round(&mut self, parts: &AdminParts, board: &TroubleBoard) {
        let look = self.observer.look(parts).await;
        let notices = self.table.look(look, moment(parts));
        board.publish(self.table.standing().cloned().collect());
        for notice in notices {
            log(&notice);
            self.queue(notice);
        }
        self.tell(parts).await;
    }

    fn queue(&mut self, notice: TroubleNotice) {
        let same = |waiting: &Waiting| waiting.notice.trouble.id == notice.trouble.id && !waiting.tried;
        match notice.change {
            TroubleChange::Reminder if self.waiting.iter().any(same) => return,
            TroubleChange::Cleared => {
                // It was not told yet, and need not be.
                let raised =
                    |waiting: &Waiting| same(waiting) && waiting.notice.change == TroubleChange::Raised;
                if self.waiting.iter().any(raised) {
                    let id = notice.trouble.id;
                    self.waiting.retain(|waiting| waiting.tried || waiting.notice.trouble.id != id);
                    return;
                }
            }
            TroubleChange::Raised | TroubleChange::Reminder => {}
        }
        if self.waiting.len() >= WAITING {
            warn!(trouble = %notice.trouble.id, "too many notices of troubles wait: left out");
            return;
        }
        self.last_number += 1;
        self.waiting.push_back(Waiting { number: self.last_number, notice, tried: false });
    }

    /// Hands what waits to the router. What it cannot take now is tried again in the next round.
    async fn tell(&mut self, parts: &AdminParts) {
        if self.waiting.is_empty() {
            self.tokens = None;
            return;
        }
        let config = parts.configuration.running();
        let old = self.tokens.as_ref().is_none_or(|(read_at, _)| read_at.elapsed() >= TOKENS_FOR);
        if old && self.waiting.iter().any(|waiting| self.needs_tokens(&waiting.notice, &config)) {
            self.tokens = Some((Instant::now(), self.live_tokens(parts).await));
        }
        let tokens = self.tokens.as_ref().map_or(&[][..], |(_, tokens)| tokens);
        while let Some(waiting) = self.waiting.front_mut() {
            waiting.tried = true;
            let (number, notice) = (waiting.number, waiting.notice.clone());
            let id = notice.trouble.id.clone();
            let before = self.told.get(&id).cloned().unwrap_or_default();
            let message = message(parts, number, notice.clone(), tokens, &before);
            let wanted = !message.tokens.is_empty() || message.viewers;
            let Ok(Some(told)) = parts.router.tell_trouble(message).await else { return };
            self.waiting.pop_front();
            match notice.change {
                TroubleChange::Raised => {
                    if wanted && told.is_empty() {
                        warn!(trouble = %id, "no phone can be told of a trouble: see watchdog.notify");
                    }
                    self.told.insert(id, told);
                }
                TroubleChange::Reminder => {}
                TroubleChange::Cleared => drop(self.told.remove(&id)),
            }
        }
        self.tokens = None;
    }

    /// Says whether the tokens decide who is told. Without receivers, and for an end, they do not; reading them takes a
    /// query, and a notice may wait for long.
    fn needs_tokens(&self, notice: &TroubleNotice, config: &Config) -> bool {
        match notice.change {
            TroubleChange::Raised => {
                let asks = config.targets.iter().any(|target| target.hears(TargetPhase::Trouble));
                asks || !config.watchdog.notify.is_empty()
            }
            TroubleChange::Reminder => {
                let told = self.told.get(&notice.trouble.id).is_some_and(|told| !told.is_empty());
                told && notice.trouble.id.transport().is_some()
            }
            TroubleChange::Cleared => false,
        }
    }

    async fn live_tokens(&self, parts: &AdminParts) -> Vec<Token> {
        match parts.state.tokens().await {
            Ok(rows) => {
                rows.into_iter().map(|row| row.token).filter(|token| token.revoked.is_none()).collect()
            }
            Err(error) => {
                // It is written down all the same, but not told: the state is what cannot be read.
                let first = self.waiting.front().map(|waiting| waiting.notice.trouble.id.to_string());
                warn!(trouble = first, error = %error, "cannot read who is told of troubles");
                Vec::new()
            }
        }
    }
}

/// Returns a message to those whom a notice is for.
fn message(
    parts: &AdminParts,
    number: u64,
    notice: TroubleNotice,
    tokens: &[Token],
    told: &[TokenId],
) -> TroubleMessage {
    let config = parts.configuration.running();
    let failing = notice.trouble.id.transport();
    let through = |token: &&Token| {
        failing.is_some_and(|failing| parts.push.ways(token).first().is_some_and(|way| way == failing))
    };
    // Its end is told to those who were told of it; by then the transport works.
    let ends = notice.change == TroubleChange::Cleared;
    let avoid = tokens.iter().filter(|token| !ends && through(token)).map(|token| token.id).collect();
    let viewers = notice.trouble.id.monitor().is_some()
        && config.watchdog.camera_to == CameraReceivers::Viewers
        && notice.change == TroubleChange::Raised;
    let tokens: BTreeSet<_> = if notice.change == TroubleChange::Raised {
        let receivers = &config.watchdog.notify;
        let meant = |token: &&Token| {
            receivers.iter().any(|receiver| is_meant(receiver, token)) || asks_for_troubles(&config, token)
        };
        tokens.iter().filter(meant).map(|token| token.id).collect()
    } else {
        told.iter().copied().collect()
    };
    TroubleMessage { number, notice, tokens, viewers, avoid }
}

fn is_meant(receiver: &WatchdogReceiver, token: &Token) -> bool {
    match receiver {
        // A user's phones; a target says itself whether it hears of troubles.
        WatchdogReceiver::User(user) => token.user == *user && !token.handle.is_target(),
        WatchdogReceiver::Handle(handle) => token.handle.begins_with(handle),
    }
}

/// Says whether a token is that of a target whose phases have troubles.
fn asks_for_troubles(config: &Config, token: &Token) -> bool {
    let own = config.targets.iter().find(|target| token.token.target() == Some(target.name));
    own.is_some_and(|target| target.hears(TargetPhase::Trouble))
}

fn log(notice: &TroubleNotice) {
    let TroubleNotice { change, trouble } = notice;
    let (id, text, hint) = (&trouble.id, trouble.sentence().to_string(), trouble.hint.as_str());
    match change {
        TroubleChange::Raised => warn!(trouble = %id, since = %trouble.since, hint, "trouble: {text}"),
        TroubleChange::Reminder => {
            warn!(trouble = %id, since = %trouble.since, hint, "trouble stands: {text}");
        }
        TroubleChange::Cleared => info!(trouble = %id, since = %trouble.since, "trouble is over: {text}"),
    }
}
