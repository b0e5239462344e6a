//! How long the rules take for one alarm: as many as there may be, and a few hundred phones.
//!
//! No daemon: the code with which the router asks its rules, in this process. No rule decides, so each receiver is
//! compared with each of them.

use std::hint::black_box;

use anyhow::Result;
use hdrhistogram::Histogram;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::time::Instant;
use zmes_shared::MonitorId;
use zmesd::rules::{
    AlarmFacts, AlarmTime, Channel, MAX_RULES, ReceiverFacts, ReceiverName, Rule, RuleAction, RuleSet,
    Schedule,
};

use crate::Plan;
use crate::report::Report;

const TOKENS: usize = 200;
/// Names in each rule.
const NAMES: usize = 2;
/// Milliseconds for one alarm.
const TARGET: f64 = 1.0;

pub(crate) fn measure(plan: &Plan, report: &mut Report) -> Result<()> {
    let rules = RuleSet::new((0..MAX_RULES).map(rule).collect());
    let users: Vec<_> = (0..TOKENS).map(|number| format!("user-{number}")).collect();
    let zone = TimeZone::get("Europe/Berlin")?;
    let at: Timestamp = "2026-11-27T22:30:00Z".parse()?;
    let mut times = Histogram::<u64>::new(3)?;
    for _ in 0..plan.samples {
        let began = Instant::now();
        let time = AlarmTime { at, machine: &zone };
        let (monitor, monitor_name, cause) = (MonitorId(4), "Garden", "Motion: Lawn");
        let facts = AlarmFacts { monitor, monitor_name, cause, labels: None, time };
        let candidates = rules.candidates(&facts);
        for user in &users {
            let receiver = ReceiverFacts { channel: Channel::Push, user, handle: None, platform: None };
            black_box(candidates.decide(&receiver));
        }
        times.record(u64::try_from(began.elapsed().as_nanos())?)?;
    }
    let what = format!("{MAX_RULES} rules, {TOKENS} phones, one alarm, p99");
    #[expect(clippy::cast_precision_loss, reason = "microseconds")]
    let milliseconds = times.value_at_quantile(0.99) as f64 / 1e6;
    report.add("rules", what, milliseconds, "ms", Some(TARGET));
    Ok(())
}

/// Returns a rule whose conditions all match, except for the receiver.
fn rule(number: usize) -> Rule {
    Rule {
        name: format!("rule-{number}").into(),
        monitors: Vec::new(),
        receivers: (0..NAMES).map(|name| ReceiverName::User(format!("other-{name}"))).collect(),
        channels: vec![Channel::Push],
        schedule: Schedule::default(),
        cause_has: vec!["motion".to_owned()],
        cause_lacks: vec!["person".to_owned()],
        labels: Vec::new(),
        labels_lack: Vec::new(),
        min_confidence: 0,
        action: RuleAction::Mute,
        comment: String::new(),
    }
}
