//! The text of `/metrics`.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use zmes_shared::views::ClusterStatus;

use super::gauges::Gauge;
use super::names::{self, Metric};
use crate::telemetry::{Counters, Labels, Timing, TimingBuckets};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    OpenMetrics,
    /// The text format 0.0.4 that Prometheus had before.
    Text,
}

impl Format {
    /// Reads the header `Accept`: the older format only where it is named and the newer one is not.
    pub(super) fn wanted(accept: &str) -> Self {
        let older = accept.contains("text/plain") && !accept.contains("application/openmetrics-text");
        if older { Self::Text } else { Self::OpenMetrics }
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// Returns the counters of the cluster.
pub(super) fn cluster(status: &ClusterStatus) -> Vec<(&'static Metric, u64)> {
    vec![(&names::CLUSTER_TAKEOVERS, status.takeovers), (&names::CLUSTER_ERRORS, status.errors)]
}

#[derive(Debug)]
struct Exposition {
    counters: Arc<Counters>,
    gauges: Vec<Gauge>,
    /// Counters that another room keeps.
    others: Vec<(&'static Metric, u64)>,
}

pub(super) fn text(
    counters: &Arc<Counters>,
    gauges: Vec<Gauge>,
    others: Vec<(&'static Metric, u64)>,
    format: Format,
) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Exposition { counters: Arc::clone(counters), gauges, others }));
    let mut text = String::with_capacity(32 * 1024);
    encode(&mut text, &registry)?;
    Ok(match format {
        Format::OpenMetrics => text,
        Format::Text => older(&text),
    })
}

/// Turns OpenMetrics into the older format, in which a counter's family has the name of its samples, and comments mean
/// nothing.
fn older(text: &str) -> String {
    let mut counters: Vec<&str> = Vec::new();
    let mut lines = Vec::new();
    // TYPE comes after HELP, so the names are collected first.
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("# TYPE ").and_then(|rest| rest.strip_suffix(" counter")) {
            counters.push(name);
        }
    }
    for line in text.lines() {
        let mut words = line.splitn(4, ' ');
        let described = match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some(what @ ("HELP" | "TYPE")), Some(name), Some(rest)) => Some((what, name, rest)),
            _ => None,
        };
        match described {
            Some((what, name, rest)) if counters.contains(&name) => {
                lines.push(format!("# {what} {name}_total {rest}"));
            }
            None if line.starts_with('#') => {}
            Some(_) | None => lines.push(line.to_owned()),
        }
    }
    lines.push(String::new());
    lines.join("\n")
}

impl Collector for Exposition {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let to = &mut encoder;
        for Gauge { metric, series } in &self.gauges {
            let mut family = describe(to, metric)?;
            match series.as_slice() {
                [(labels, value)] if labels.is_empty() => ConstGauge::new(*value).encode(family)?,
                series => {
                    for (labels, value) in series {
                        ConstGauge::new(*value).encode(family.encode_family(labels)?)?;
                    }
                }
            }
        }
        let counters = &self.counters;
        for (metric, counter) in [
            (&names::WS_REJECTED, &counters.rejected),
            (&names::WS_SLOW, &counters.slow_sessions),
            (&names::OUTBOX_DEFERRED, &counters.lost_notes),
            (&names::PUSH_DEFERRED, &counters.deferred_pushes),
            (&names::TOKENS_DEAD, &counters.dead_tokens),
            (&names::WATCH_LAGGED, &counters.lagged),
            (&names::MQTT_PUBLISHED, &counters.mqtt.published),
            (&names::MQTT_IGNORED, &counters.mqtt.ignored),
        ] {
            ConstCounter::new(counter.value()).encode(describe(to, metric)?)?;
        }
        for (metric, value) in &self.others {
            ConstCounter::new(*value).encode(describe(to, metric)?)?;
        }
        for (metric, series) in [
            (&names::WS_REFUSED, counters.refusals.by_reason().values()),
            (&names::ALARMS, counters.alarms_by.values()),
            (&names::DECISIONS, counters.decisions.values()),
            (&names::RULE_DECISIONS, counters.rules.values()),
            (&names::SHM_ERRORS, counters.shm_errors.values()),
            (&names::WS_AUTH, counters.logins.values()),
            (&names::WS_MESSAGES, counters.frames.values()),
            (&names::PUSH, counters.pushes.values()),
            (&names::PICTURES, counters.pictures.values()),
            (&names::CONFIG_RELOADS, counters.reloads.values()),
        ] {
            let mut family = describe(to, metric)?;
            for (labels, value) in series {
                ConstCounter::new(value).encode(family.encode_family(&labels)?)?;
            }
        }
        let timings = &counters.timings;
        timing(to, &names::POLL_SECONDS, &timings.poll)?;
        timing(to, &names::ALARM_TO_PUSH, &timings.pushed)?;
        let mut family = describe(to, &names::PUSH_SECONDS)?;
        for (transport, timing) in timings.provider() {
            histogram(family.encode_family(&transport.labels())?, timing)?;
        }
        Ok(())
    }
}

fn describe<'a>(
    to: &'a mut DescriptorEncoder<'_>,
    metric: &'static Metric,
) -> Result<MetricEncoder<'a>, fmt::Error> {
    to.encode_descriptor(metric.name, metric.help, None, metric.kind)
}

fn timing(to: &mut DescriptorEncoder<'_>, metric: &'static Metric, timing: &Timing) -> fmt::Result {
    histogram(describe(to, metric)?, timing)
}

fn histogram(mut to: MetricEncoder<'_>, timing: &Timing) -> fmt::Result {
    let TimingBuckets { count, sum, buckets } = timing.buckets();
    to.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_older_format_names_counters_by_their_samples() {
        let newer = "# HELP a_b Things.\n# TYPE a_b counter\na_b_total{x=\"1\"} 2\n# HELP g How many.\n# TYPE g gauge\n\
                     g 1\n# EOF\n";
        let text = "# HELP a_b_total Things.\n# TYPE a_b_total counter\na_b_total{x=\"1\"} 2\n# HELP g How many.\n\
                    # TYPE g gauge\ng 1\n";
        assert_eq!(older(newer), text);
    }

    #[test]
    fn who_does_not_care_gets_openmetrics() {
        assert_eq!(Format::wanted(""), Format::OpenMetrics);
        assert_eq!(Format::wanted("*/*"), Format::OpenMetrics);
        assert_eq!(Format::wanted("text/plain;version=0.0.4"), Format::Text);
        let prometheus =
            "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        assert_eq!(Format::wanted(prometheus), Format::OpenMetrics);
    }
}
