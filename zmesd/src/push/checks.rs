//! Checks of the transports: one at a time for each, and one answers all requests of the next seconds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex as StdMutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use tracing::{info, warn};
use zmes_providers::{CheckStep, PushTransport};
use zmes_shared::words::FaultKind;

use crate::ports::TransportCheck;

/// How long the check of one transport may take; its steps have deadlines of their own.
const DEADLINE: Duration = Duration::from_secs(30);
/// How old a check may be to answer another request.
const FRESH: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(super) struct Checks {
    slots: StdMutex<HashMap<String, SlotOf>>,
    /// Checks that began earlier do not count.
    not_before: StdMutex<Option<Instant>>,
}

/// A transport and its slot: after a reload, another transport may have the name.
type SlotOf = (Weak<dyn PushTransport>, Arc<Slot>);

/// The last check of one transport. The next one is made under the lock.
#[derive(Debug, Default)]
pub(super) struct Slot(Mutex<Option<Last>>);

#[derive(Debug)]
struct Last {
    began: Instant,
    check: TransportCheck,
}

impl Checks {
    pub(super) fn anew(&self) {
        *self.not_before.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Returns when a check must have begun to answer a request now.
    pub(super) fn since(&self) -> Instant {
        let not_before = *self.not_before.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let lately = now.checked_sub(FRESH).unwrap_or(now);
        not_before.map_or(lately, |at| at.max(lately))
    }

    /// Returns the slot of that very transport; one that a reload has replaced gets a new slot.
    pub(super) fn slot(&self, transport: &Arc<dyn PushTransport>) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|_, (of, _)| of.strong_count() > 0);
        let (of, slot) = slots
            .entry(transport.name().to_owned())
            .or_insert_with(|| (Arc::downgrade(transport), Arc::default()));
        if !std::ptr::addr_eq(of.as_ptr(), Arc::as_ptr(transport)) {
            (*of, *slot) = (Arc::downgrade(transport), Arc::default());
        }
        Arc::clone(slot)
    }
}

impl Slot {
    /// Returns a check that began at `since` or later; starts one if there is none.
    pub(super) async fn check(&self, transport: &dyn PushTransport, since: Instant) -> TransportCheck {
        let mut last = self.0.lock().await;
        if let Some(Last { began, check }) = last.as_ref().filter(|last| last.began >= since) {
            return TransportCheck { age: began.elapsed(), ..check.clone() };
        }
        let began = Instant::now();
        let check = check(transport).await;
        last.insert(Last { began, check }).check.clone()
    }
}

pub(super) async fn log_check(transport: Arc<dyn PushTransport>) {
    let steps = transport.check().await;
    let (name, target) = (transport.name(), transport.target());
    let kind = if name == "proxy" { "PushProxy" } else { "Push transport" };
    match steps.iter().find(|step| !step.ok()) {
        None => info!(transport = name, "{kind} {target} is reachable."),
        Some(CheckStep { name: step, detail, .. }) => {
            warn!(transport = name, step, "{kind} {target} is NOT reachable: {detail}");
        }
    }
}

async fn check(transport: &dyn PushTransport) -> TransportCheck {
    let steps = timeout(DEADLINE, transport.check()).await.unwrap_or_else(|_| {
        let (detail, fault) = ("no result in time".to_owned(), Some(FaultKind::Timeout));
        vec![CheckStep { name: "http", took: DEADLINE, detail, fault }]
    });
    TransportCheck {
        transport: transport.name().to_owned(),
        target: transport.target(),
        ok: steps.iter().all(CheckStep::ok),
        age: Duration::ZERO,
        steps,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::push::tests::fakes::FakeTransport;

    #[tokio::test(start_paused = true)]
    async fn seven_hundred_who_ask_are_one_request() {
        let fake = FakeTransport::new("proxy");
        let transport: Arc<dyn PushTransport> = Arc::clone(&fake) as _;
        let checks = Checks::default();
        let ask = async |count: usize| {
            let slots: Vec<_> = (0..count).map(|_| (checks.slot(&transport), checks.since())).collect();
            let all = slots.iter().map(|(slot, since)| slot.check(&*transport, *since));
            futures_util::future::join_all(all).await
        };
        assert!(ask(700).await.iter().all(|check| check.ok));
        assert_eq!(fake.checks(), 1);
        tokio::time::advance(Duration::from_secs(9)).await;
        assert_eq!(ask(1).await[0].age, Duration::from_secs(9));
        assert_eq!(fake.checks(), 1);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!((ask(1).await[0].age, fake.checks()), (Duration::ZERO, 2));
        tokio::time::advance(Duration::from_secs(1)).await;
        checks.anew();
        ask(50).await;
        assert_eq!(fake.checks(), 3, "an admin hears how it is now, and fifty do not ask fifty times");
    }

    #[tokio::test]
    async fn a_transport_that_was_replaced_is_checked_anew() {
        let (old, new) = (FakeTransport::new("proxy"), FakeTransport::new("proxy"));
        let checks = Checks::default();
        for fake in [&old, &new, &new] {
            let transport: Arc<dyn PushTransport> = Arc::clone(fake) as _;
            checks.slot(&transport).check(&*transport, checks.since()).await;
        }
        assert_eq!((old.checks(), new.checks()), (1, 1));
    }
}
