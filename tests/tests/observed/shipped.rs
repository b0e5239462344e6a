//! What is shipped beside the daemon, against the metrics that a running daemon serves: the alert rules, the dashboard,
//! the manual page. A name or a label that does not exist would never fire, and go unnoticed.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use zmes_tests::{Metrics, World, repository};

use crate::programs::judge;

/// What Prometheus itself adds.
const ADDED: [&str; 3] = ["instance", "job", "le"];

async fn served() -> Result<Metrics> {
    let mut world = World::new().monitor(1, "Garage").prepare().await?;
    let place = world.observe()?;
    world.start_daemon().await?;
    place.metrics().await
}

fn rules() -> Result<String> {
    Ok(fs::read_to_string(repository()?.join("packaging/prometheus/zmesd.rules.yml"))?)
}

fn dashboard() -> Result<Value> {
    let text = fs::read_to_string(repository()?.join("packaging/grafana/zmesd.json"))?;
    Ok(serde_json::from_str(&text)?)
}

/// Collects the values of every member `key`, wherever it is.
fn members<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(map) => {
            found.extend(map.get(key).and_then(Value::as_str));
            map.values().for_each(|value| members(value, key, found));
        }
        Value::Array(list) => list.iter().for_each(|value| members(value, key, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Returns the expressions of the dashboard with Grafana's variables filled in.
fn dashboard_expressions() -> Result<Vec<String>> {
    let dashboard = dashboard()?;
    let mut found = Vec::new();
    members(&dashboard, "expr", &mut found);
    let filled = |text: &str| text.replace("$__rate_interval", "5m").replace("$instance", ".*");
    Ok(found.into_iter().map(filled).collect())
}

/// Returns the part of a list item that follows `key:`, folded texts with their further lines.
fn yaml_values(text: &str, key: &str) -> Vec<String> {
    let mut values: Vec<String> = Vec::new();
    let mut folded = false;
    for line in text.lines() {
        if let Some(rest) = line.trim_start().strip_prefix(&format!("{key}: ")) {
            folded = rest == "|";
            values.push(if folded { String::new() } else { rest.to_owned() });
        } else if folded && line.starts_with("          ") {
            values.last_mut().into_iter().for_each(|value| value.push_str(line.trim_start()));
        } else {
            folded = false;
        }
    }
    values
}

/// Fails where an expression names a metric, a label or the value of a label that is not served.
fn ensure_served(expression: &str, metrics: &Metrics) -> Result<()> {
    let word = |char: char| char.is_ascii_alphanumeric() || char == '_';
    let mut named = BTreeSet::new();
    let mut rest = expression;
    while let Some(at) = rest.find("zmesd_") {
        let found = &rest[at..];
        let end = found.find(|char| !word(char)).unwrap_or(found.len());
        let (name, after) = found.split_at(end);
        let labels = metrics.series.keys().any(|series| series.split('{').next() == Some(name));
        ensure!(labels, "{name} is not served: {expression}");
        let labels = metrics.labels.get(name);
        named.extend(labels.into_iter().flat_map(|labels| labels.keys().cloned()));
        if let Some((matchers, _)) = after.strip_prefix('{').and_then(|after| after.split_once('}')) {
            for matcher in matchers.split(',') {
                let (label, value) = matcher.split_once(['=', '!']).context("no matcher")?;
                let label = label.trim();
                if ADDED.contains(&label) {
                    continue;
                }
                let known = labels.and_then(|labels| labels.get(label));
                let known = known.with_context(|| format!("{name} has no label {label}: {expression}"))?;
                for value in value.trim_matches(['=', '~', '"']).split('|') {
                    ensure!(known.contains(value), "{name} has no {label}={value}: {expression}");
                }
            }
        }
        rest = after;
    }
    ensure!(
        !named.is_empty() || expression.contains("zmesd") || expression.contains("up{"),
        "of nothing: {expression}"
    );
    for (at, _) in expression.match_indices(" by (") {
        let list = expression[at + " by (".len()..].split(')').next().unwrap_or_default();
        for label in list.split(',').map(str::trim) {
            ensure!(ADDED.contains(&label) || named.contains(label), "by {label}: {expression}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn every_alert_asks_for_what_is_served_and_says_what_to_type() -> Result<()> {
    let (metrics, rules) = (served().await?, rules()?);
    let alerts = yaml_values(&rules, "- alert");
    let expressions = yaml_values(&rules, "expr");
    ensure!(
        alerts.len() >= 20 && alerts.len() == expressions.len(),
        "{} {}",
        alerts.len(),
        expressions.len()
    );
    expressions.iter().try_for_each(|expression| ensure_served(expression, &metrics))?;
    for key in ["summary", "command"] {
        ensure!(yaml_values(&rules, key).len() == alerts.len(), "an alert without {key}");
    }
    let zmesctl = zmes_tests::zmesctl_binary()?;
    for command in yaml_values(&rules, "command") {
        for command in command.split("; ").filter_map(|command| command.strip_prefix("zmesctl ")) {
            let words: Vec<&str> = command.split(' ').chain(["--help"]).collect();
            let output = std::process::Command::new(&zmesctl).args(&words).output()?;
            ensure!(output.status.success(), "zmesctl {words:?}: {output:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn every_panel_of_the_dashboard_asks_for_what_is_served() -> Result<()> {
    let (metrics, expressions) = (served().await?, dashboard_expressions()?);
    ensure!(expressions.len() >= 30, "{}", expressions.len());
    expressions.iter().try_for_each(|expression| ensure_served(expression, &metrics))?;
    // Every metric that is served and useful is on it.
    let all = expressions.concat();
    let missing: Vec<_> = metrics.types.keys().filter(|name| !all.contains(*name)).collect();
    ensure!(missing.is_empty(), "not on the dashboard: {missing:?}");
    let dashboard = dashboard()?;
    let panels = dashboard["panels"].as_array().context("no panels")?;
    let mut ids: Vec<_> = panels.iter().filter_map(|panel| panel["id"].as_u64()).collect();
    ids.sort_unstable();
    ids.dedup();
    ensure!(ids.len() == panels.len(), "two panels with one id");
    // `{{label}}` in a legend is replaced by a label, or by nothing at all.
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    for target in targets {
        let (legend, expr) = (&target["legendFormat"], target["expr"].as_str().unwrap_or_default());
        for label in legend.as_str().unwrap_or_default().split("{{").skip(1) {
            let label = label.split("}}").next().unwrap_or_default();
            ensure!(label == "version" || expr.contains(label), "{legend} of {expr}");
        }
    }
    Ok(())
}

#[test]
fn prometheus_takes_rules_and_panels_and_the_rules_fire_on_bad_days() -> Result<()> {
    let directory = tempfile::tempdir()?;
    fs::write(directory.path().join("zmesd.rules.yml"), rules()?)?;
    judge("promtool", &["check", "rules", "zmesd.rules.yml"], "", directory.path())?;
    let days = repository()?.join("tests/fixtures/prometheus/zmesd.rules.test.yml");
    fs::copy(&days, directory.path().join("zmesd.rules.test.yml"))
        .with_context(|| days.display().to_string())?;
    judge("promtool", &["test", "rules", "zmesd.rules.test.yml"], "", directory.path())?;
    // Panels are no rules, but promtool reads what they ask for as it reads those.
    let mut panels = "groups:\n  - name: panels\n    rules:\n".to_owned();
    for (number, expression) in dashboard_expressions()?.iter().enumerate() {
        let quoted = serde_json::to_string(expression)?;
        // Writing to a String cannot fail.
        let _ = writeln!(panels, "      - {{ record: 'panel:{number}', expr: {quoted} }}");
    }
    fs::write(directory.path().join("panels.yml"), panels)?;
    judge("promtool", &["check", "rules", "panels.yml"], "", directory.path())?;
    Ok(())
}

#[tokio::test]
async fn the_manual_lists_what_is_served_and_nothing_else() -> Result<()> {
    let metrics = served().await?;
    let text = fs::read_to_string(repository()?.join("docs/observe.md"))?;
    let cells =
        |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let rows: Vec<_> = text.lines().filter(|line| line.starts_with("| `")).map(cells).collect();
    let quoted = |cell: &str| cell.split('`').skip(1).step_by(2).map(ToOwned::to_owned).collect::<Vec<_>>();
    let mut documented = BTreeSet::new();
    for row in rows.iter().filter(|row| row[0].starts_with("`zmesd_")) {
        let name = row[0].trim_matches('`');
        let family = name.strip_suffix("_total").unwrap_or(name);
        ensure!(metrics.types.get(family) == Some(&row[1]), "{name} is no {}", row[1]);
        let sample = if row[1] == "histogram" { format!("{name}_count") } else { name.to_owned() };
        let labels: Vec<_> =
            metrics.labels.get(&sample).into_iter().flat_map(|labels| labels.keys().cloned()).collect();
        let mut told = quoted(&row[2]);
        told.sort_unstable();
        ensure!(labels == told, "{name}: {labels:?}, but documented: {told:?}");
        documented.insert(family.to_owned());
    }
    let served: BTreeSet<_> = metrics.types.keys().cloned().collect();
    ensure!(served == documented, "{:?}", served.symmetric_difference(&documented).collect::<Vec<_>>());
    // The values of each label, where it has the same ones for every metric, or for the metric that the row names.
    for (name, labels) in &metrics.labels {
        for (label, values) in labels.iter().filter(|(label, _)| !["le", "version"].contains(&label.as_str()))
        {
            let of_metric = [format!("`{label}` of `{name}`"), format!("`{label}`")];
            let row =
                rows.iter().find(|row| of_metric.contains(&row[0])).with_context(|| of_metric[0].clone())?;
            let told: BTreeSet<_> = quoted(&row[1]).into_iter().collect();
            ensure!(values.is_subset(&told), "{name}: {label} is {values:?}, but documented: {told:?}");
        }
    }
    Ok(())
}
