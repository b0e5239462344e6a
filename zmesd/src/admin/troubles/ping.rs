//! The task that tells a service outside that all is well: when the pings stop, the service knows that this machine is down.

use std::fmt::Write;
use std::time::Duration;

use jiff::SignedDuration;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tracing::{info, warn};
use zmes_providers::{PingFault, PingUrl, Pinger};
use zmes_shared::views::Severity;
use zmes_shared::words::TroubleKind;

use super::TroubleBoard;
use crate::admin::AdminParts;
use crate::troubles::Trouble;

/// How often it is judged whether all is well.
const EVERY: Duration = Duration::from_secs(1);
/// Attempts at one ping.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);
/// Longest report, in bytes.
const REPORT_MAX: usize = 10_000;
/// A database that is away for longer is grave: logins stop, and what polling misses is not found.
const DATABASE: SignedDuration = SignedDuration::from_mins(10);
/// After a client could not be set up.
const SETUP_PAUSE: Duration = Duration::from_mins(1);

/// Pings until it is cancelled. Owns: the HTTP client. Ends: never; the caller ends it with the daemon.
pub(in crate::admin) async fn run(parts: &AdminParts, board: &TroubleBoard) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut pinger, mut last): (Option<Pinger>, Option<LastPing>) = (None, None);
    let mut failing = false;
    loop {
        ticks.tick().await;
        let config = parts.configuration.running().watchdog.clone();
        let Some(url) = config.ping_url else {
            last = None;
            continue;
        };
        let well = reasons(parts, board).await;
        let due = last.as_ref().is_none_or(|last| {
            last.at.elapsed() >= config.ping_interval || last.well != well.is_empty() || last.url != url
        });
        if !due {
            continue;
        }
        last = Some(LastPing { at: Instant::now(), well: well.is_empty(), url: url.clone() });
        if !well.is_empty() && config.ping_fail_suffix.is_empty() {
            // The service notices the silence.
            continue;
        }
        let Some(pinger) = ready(&mut pinger).await else { continue };
        let suffix = &config.ping_fail_suffix;
        match send(pinger, &url, suffix, &well).await {
            Ok(()) if failing => {
                failing = false;
                info!("watchdog ping succeeded again");
            }
            Ok(()) => {}
            Err(fault) if failing => tracing::debug!(error = %fault, "watchdog ping failed"),
            Err(fault) => {
                failing = true;
                warn!(error = %fault, hint = "see watchdog.ping-url in zmesd.toml", "watchdog ping failed");
            }
        }
    }
}

/// The last ping: another one follows at once if something has changed.
#[derive(Debug)]
struct LastPing {
    at: Instant,
    well: bool,
    url: PingUrl,
}

async fn ready(pinger: &mut Option<Pinger>) -> Option<&Pinger> {
    if pinger.is_none() {
        match tokio::task::spawn_blocking(Pinger::new).await {
            Ok(Ok(made)) => *pinger = Some(made),
            Ok(Err(problem)) => {
                warn!(error = %problem, hint = problem.hint(), "watchdog ping: cannot set up TLS");
                sleep(SETUP_PAUSE).await;
            }
            // The runtime stops.
            Err(_) => sleep(SETUP_PAUSE).await,
        }
    }
    pinger.as_ref()
}

async fn send(pinger: &Pinger, url: &PingUrl, suffix: &str, reasons: &[String]) -> Result<(), PingFault> {
    let mut attempt = 1;
    loop {
        let sent = match reasons {
            [] => pinger.well(url).await,
            reasons => pinger.ill(url, suffix, report(reasons)).await,
        };
        if sent.is_ok() || attempt == ATTEMPTS {
            return sent;
        }
        attempt += 1;
        sleep(PAUSE).await;
    }
}

/// Returns what is grave, one line each; empty: all is well.
async fn reasons(parts: &AdminParts, board: &TroubleBoard) -> Vec<String> {
    let mut reasons = Vec::new();
    if let Some(late) = parts.counters.beats.poller.overdue() {
        reasons.push(format!("the poller hangs: it is {} s late", late.as_secs()));
    }
    if parts.router.ping().await.is_err() {
        reasons.push("the router does not answer".to_owned());
    }
    if let Some(trouble) = &*parts.state_trouble.borrow() {
        reasons.push(format!("the state file cannot be written: {trouble}"));
    }
    let standing = board.now();
    let transports: Vec<_> = parts.push.health().into_iter().map(|health| health.transport).collect();
    let fails = |transport: &String| {
        standing.iter().any(|trouble| trouble.id.transport() == Some(transport.as_str()))
    };
    let no_way = !transports.is_empty() && transports.iter().all(fails);
    let now = parts.clock.now();
    let grave = |trouble: &&Trouble| match trouble.id.kind {
        // One server of several is not everything.
        TroubleKind::Zoneminder => trouble.id.subject.is_empty(),
        TroubleKind::Store => trouble.severity == Severity::Error,
        TroubleKind::Push | TroubleKind::Credentials | TroubleKind::Quota | TroubleKind::Probe => no_way,
        TroubleKind::Database => now.duration_since(trouble.since) > DATABASE,
        TroubleKind::Camera
        | TroubleKind::Silent
        | TroubleKind::Deaf
        | TroubleKind::Certificate
        | TroubleKind::Mqtt
        | TroubleKind::Cluster
        | TroubleKind::Unknown => false,
    };
    if reasons.is_empty() && !standing.iter().any(|trouble| grave(&trouble)) {
        return Vec::new();
    }
    // Who is told that something is grave is told of the rest, too: the grave first.
    let (first, rest): (Vec<_>, Vec<_>) = standing.iter().partition(grave);
    let line = |trouble: &Trouble| format!("{} since {}: {}", trouble.id, trouble.since, trouble.sentence());
    reasons.extend(first.into_iter().chain(rest).map(line));
    reasons
}

fn report(reasons: &[String]) -> String {
    let mut report = String::new();
    for reason in reasons {
        if report.len() + reason.len() + 1 > REPORT_MAX {
            break;
        }
        // Writing to a String cannot fail.
        let _ = writeln!(report, "{reason}");
    }
    report
}
