//! Requests of a session to other tasks, one at a time: each is a boxed future with a deadline, so that an idle session
//! does not carry its size.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tracing::{debug, info};
use zmes_shared::SessionId;
use zmes_shared::control::Since;

use super::context::WsContext;
use super::replay::{self, ReplayPage, ReplayRest};
use crate::domain::{Login, LoginVerdict, MonitorFilter, Registration};
use crate::protocol::{FilterStatement, SnoozeRefusal, SnoozeStatement, TokenFault};
use crate::route::{Busy, RouterHandle};
use crate::telemetry;
use zmes_providers::PushToken;

/// Deadline for a login verdict: hundreds of phones may log in at once, each with about 50 ms of bcrypt.
const VERDICT_DEADLINE: Duration = Duration::from_secs(15);

pub(super) type Work = Pin<Box<dyn Future<Output = WorkOutcome> + Send>>;

#[derive(Debug)]
pub(super) enum WorkOutcome {
    Verdict(LoginVerdict),
    Done,
    NotRegistered(TokenFault),
    Snoozed(Result<Option<Timestamp>, SnoozeRefusal>),
    Busy,
    /// Send these frames, then ask for the rest.
    Replay(ReplayPage),
}

pub(super) fn verify(context: Arc<WsContext>, session: SessionId, login: Box<Login>) -> Work {
    Box::pin(async move {
        let address = login.address;
        let verdict = tokio::time::timeout(VERDICT_DEADLINE, context.parts.login.verify(*login)).await;
        let verdict = verdict.unwrap_or(LoginVerdict::Unavailable("no verdict in time"));
        context.parts.counters.logins.count(counted(&verdict));
        match &verdict {
            LoginVerdict::Accepted(user) | LoginVerdict::AcceptedUntil(user, _) => {
                info!(%session, %address, user = ?user.name, "Correct authentication provided by {address}");
            }
            // The login check logs and counts these: it knows the user and limits their number.
            LoginVerdict::Rejected(reason) => debug!(%session, %address, reason, "login rejected"),
            LoginVerdict::Throttled => {
                debug!(%session, %address, "login throttled");
            }
            LoginVerdict::Unavailable(reason) => debug!(%session, %address, reason, "login not possible now"),
        }
        WorkOutcome::Verdict(verdict)
    })
}

/// Sends a request to the router whose only reply is an acknowledgement.
pub(super) fn done(asked: impl Future<Output = Result<(), Busy>> + Send + 'static) -> Work {
    Box::pin(async move {
        match asked.await {
            Ok(()) => WorkOutcome::Done,
            Err(Busy) => WorkOutcome::Busy,
        }
    })
}

pub(super) fn register(router: RouterHandle, session: SessionId, registration: Box<Registration>) -> Work {
    Box::pin(async move {
        match router.register(session, *registration).await {
            Ok(Ok(())) => WorkOutcome::Done,
            Ok(Err(fault)) => WorkOutcome::NotRegistered(fault),
            Err(Busy) => WorkOutcome::Busy,
        }
    })
}

/// Sets or ends snoozes for the session's phone.
pub(super) fn snooze(
    router: RouterHandle,
    session: SessionId,
    statement: SnoozeStatement,
    hint: Option<PushToken>,
) -> Work {
    Box::pin(async move {
        match router.app_snooze(session, statement, hint).await {
            Ok(snoozed) => WorkOutcome::Snoozed(snoozed),
            Err(Busy) => WorkOutcome::Busy,
        }
    })
}

pub(super) fn replay(context: Arc<WsContext>, session: SessionId, since: Since) -> Work {
    Box::pin(async move {
        let parts = &context.parts;
        WorkOutcome::Replay(replay::begin(parts.record.as_ref(), &parts.router, session, since).await)
    })
}

/// Continues a replay.
pub(super) fn replay_on(context: Arc<WsContext>, session: SessionId, rest: ReplayRest) -> Work {
    Box::pin(async move {
        let parts = &context.parts;
        WorkOutcome::Replay(replay::go_on(parts.record.as_ref(), &parts.router, session, rest).await)
    })
}

fn counted(verdict: &LoginVerdict) -> telemetry::Login {
    match verdict {
        LoginVerdict::Accepted(_) | LoginVerdict::AcceptedUntil(..) => telemetry::Login::Accepted,
        LoginVerdict::Rejected(_) => telemetry::Login::Rejected,
        LoginVerdict::Throttled => telemetry::Login::Throttled,
        LoginVerdict::Unavailable(_) => telemetry::Login::Unavailable,
    }
}

pub(super) async fn change_filter(
    router: RouterHandle,
    session: SessionId,
    statement: FilterStatement,
    hint: Option<PushToken>,
) -> Result<(), Busy> {
    let filter = match statement {
        FilterStatement::Keep => return Ok(()),
        FilterStatement::Replace(filter) => filter,
        FilterStatement::KeepIntervals(wanted) => {
            keep_intervals(wanted, &router.visibility(session).await?.filter)
        }
    };
    router.set_filter(session, filter, hint).await
}

fn keep_intervals(wanted: MonitorFilter, previous: &MonitorFilter) -> MonitorFilter {
    match wanted {
        MonitorFilter::All => MonitorFilter::All,
        MonitorFilter::Only(monitors) => {
            let kept = |monitor| (monitor, previous.interval(monitor).unwrap_or_default());
            MonitorFilter::Only(monitors.into_keys().map(kept).collect::<BTreeMap<_, _>>())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_kept_where_there_were_some() {
        let previous = MonitorFilter::parse("1,2", "60,30").unwrap();
        let wanted = MonitorFilter::parse("2,3", "").unwrap();
        assert_eq!(keep_intervals(wanted, &previous).lists(), ("2,3".to_owned(), "30,0".to_owned()));
        assert_eq!(keep_intervals(MonitorFilter::All, &previous), MonitorFilter::All);
    }
}
