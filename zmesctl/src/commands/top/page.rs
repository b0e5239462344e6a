//! The page that `top` shows: lines that fit the terminal. Pure.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use zmes_shared::MonitorId;
use zmes_shared::views::{DatabaseState, EventView, MonitorHours, MonitorView, TransportView};

use super::feed::{Reading, Snapshot};
use crate::commands::events::lasted;
use crate::render::{Tone, clean, columns, cut, paint, time};

/// Characters of a sparkline by height. The first one is for zero.
const BARS: [char; 9] = ['·', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const PLAIN_BARS: [char; 9] = ['.', '1', '2', '3', '4', '5', '6', '7', '8'];
const HOURS: usize = 24;
/// Minimum and maximum width of the name.
const NAME: (usize, usize) = (8, 40);
/// Width of the column right of the sparkline.
const COUNT: usize = 6;
const AGO: usize = 11;
const STATE: usize = 8;
/// Lines reserved for the last alarms, with their title and the blank line above.
const TAIL: usize = 7;
/// Minimum lines for monitors before the last alarms are shown at all.
const ROWS: usize = 4;

/// The style of the page, fixed at the start.
#[derive(Debug)]
pub(super) struct PageStyle {
    pub(super) color: bool,
    pub(super) unicode: bool,
    pub(super) zone: TimeZone,
}

/// A line that may be cut, and its tone.
type PageLine = (Tone, String);

/// Returns at most `height` lines of at most `width` columns.
pub(super) fn lines(snapshot: &Snapshot, style: &PageStyle, width: usize, height: usize) -> Vec<String> {
    let mut page: Vec<PageLine> = Vec::new();
    if let Some(trouble) = &snapshot.trouble {
        page.push((Tone::Bad, format!("{}; trying again", clean(trouble))));
    }
    match &snapshot.reading {
        None => page.push((Tone::Faint, "reading … q quits".to_owned())),
        Some(reading) => {
            head(reading, style, &mut page);
            let room = height.saturating_sub(page.len());
            let tail = if room >= TAIL + ROWS { tail(reading, style) } else { Vec::new() };
            body(reading, style, width, room.saturating_sub(tail.len()), &mut page);
            page.extend(tail);
        }
    }
    page.truncate(height);
    page.into_iter()
        .map(|(tone, text)| paint(style.color, tone, &shown(&text, width, style.unicode)))
        .collect()
}

/// Cuts a line. A terminal without UTF-8 gets only ASCII.
fn shown(text: &str, width: usize, unicode: bool) -> String {
    let text = cut(text, width);
    if unicode {
        return text.into_owned();
    }
    text.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect()
}

fn head(reading: &Reading, style: &PageStyle, page: &mut Vec<PageLine>) {
    let (status, now) = (&reading.status, reading.hourly.until);
    let up = time::span(Duration::from_millis(status.uptime_ms));
    let clock = time::date(now, &style.zone);
    page.push((Tone::Strong, format!("zmesd {}, up {up}   {clock}   q quits", clean(&status.version))));
    let database = match status.database {
        DatabaseState::Ok => "ok",
        DatabaseState::Down => "down",
    };
    let tone = if status.database == DatabaseState::Ok && status.monitors.stale == 0 {
        Tone::Plain
    } else {
        Tone::Bad
    };
    let (monitors, clients) = (status.monitors, status.clients);
    let unreadable = if monitors.stale == 0 { String::new() } else { format!(" ({} stale)", monitors.stale) };
    page.push((
        tone,
        format!(
            "monitors {}/{}{unreadable}   clients {}   database {database}",
            monitors.watched, monitors.total, clients.authenticated
        ),
    ));
    let (push, tokens) = (status.push, status.tokens);
    let tone = if push.failed == 0 { Tone::Plain } else { Tone::Warning };
    let counts = format!(
        "phones {}/{}   pushes {} sent, {} failed, {} queued",
        tokens.enabled, tokens.total, push.delivered, push.failed, push.queued
    );
    page.push((tone, counts));
    page.extend(reading.transports.iter().map(|transport| provider(transport, now)));
    if let Some(worst) = &status.worst {
        let tone = if worst.ok { Tone::Warning } else { Tone::Bad };
        let detail = time::told(&worst.sentence(), &style.zone);
        page.push((tone, format!("{}: {}", clean(&worst.step), clean(&detail))));
        page.extend(worst.hint.as_deref().map(|hint| (Tone::Faint, format!("  {}", clean(hint)))));
    }
}

fn provider(transport: &TransportView, now: Timestamp) -> PageLine {
    let name = clean(&transport.transport);
    match (&transport.last_error, transport.open) {
        (Some(error), true) => (Tone::Bad, format!("{name}: paused: {}", clean(error))),
        (Some(error), false) => (Tone::Warning, format!("{name}: {}", clean(error))),
        (None, _) => {
            let last = transport
                .last_success_at
                .map_or_else(String::new, |at| format!(", last push {}", time::ago(now, at)));
            (Tone::Plain, format!("{name}: ok{last}"))
        }
    }
}

/// Adds the table of monitors, those with the most alarms first.
fn body(reading: &Reading, style: &PageStyle, width: usize, room: usize, page: &mut Vec<PageLine>) {
    let counted: HashMap<MonitorId, &MonitorHours> =
        reading.hourly.monitors.iter().map(|hours| (hours.monitor_id, hours)).collect();
    let total = |id: MonitorId| counted.get(&id).map_or(0, |hours| hours.hours.iter().sum::<u64>());
    let mut monitors: Vec<&MonitorView> = reading.monitors.monitors.iter().collect();
    monitors.sort_by_key(|monitor| (std::cmp::Reverse(total(monitor.id)), monitor.id));
    let name = width.saturating_sub(HOURS + COUNT + AGO + STATE + 4 * 2).clamp(NAME.0, NAME.1);
    page.push((Tone::Plain, String::new()));
    page.push((Tone::Strong, row(name, "MONITOR", "ALARMS, LAST 24 HOURS", "TOTAL", "LAST", "STATE")));
    let rows = room.saturating_sub(2);
    // The last line says how many are omitted.
    let fits = if monitors.len() > rows { rows.saturating_sub(1) } else { rows };
    for monitor in monitors.iter().take(fits) {
        let hours = counted.get(&monitor.id);
        let bars = sparkline(hours.map(|hours| hours.hours.as_slice()).unwrap_or_default(), style.unicode);
        let last =
            hours.map_or_else(|| "-".to_owned(), |hours| time::ago(reading.hourly.until, hours.last_at));
        let (tone, state) = match monitor {
            MonitorView { healthy: false, .. } => (Tone::Bad, "down"),
            MonitorView { state, .. } if state.alarmed() => (Tone::Warning, state.as_str()),
            MonitorView { state, .. } => (Tone::Plain, state.as_str()),
        };
        let total = total(monitor.id).to_string();
        page.push((
            tone,
            row(name, &format!("{} {}", monitor.id, clean(&monitor.name)), &bars, &total, &last, state),
        ));
    }
    if monitors.len() > fits {
        page.push((Tone::Faint, format!("and {} more monitors with fewer alarms", monitors.len() - fits)));
    }
}

fn row(width: usize, name: &str, bars: &str, total: &str, last: &str, state: &str) -> String {
    let name = cut(name, width);
    let blanks = " ".repeat(width.saturating_sub(columns(&name)));
    format!("{name}{blanks}  {bars:HOURS$}  {total:>COUNT$}  {last:>AGO$}  {state}")
}

/// Returns one column per hour, oldest first, with heights relative to the busiest hour.
fn sparkline(hours: &[u64], unicode: bool) -> String {
    let bars = if unicode { BARS } else { PLAIN_BARS };
    let most = hours.iter().copied().max().unwrap_or(0).max(1);
    let steps = (bars.len() - 1) as u64;
    let missing = HOURS.saturating_sub(hours.len());
    let counts = std::iter::repeat_n(0, missing).chain(hours.iter().copied()).take(HOURS);
    counts
        .map(|count| {
            let height = count.saturating_mul(steps).div_ceil(most).min(steps);
            usize::try_from(height).ok().and_then(|height| bars.get(height)).copied().unwrap_or(' ')
        })
        .collect()
}

/// Returns the last alarms, newest first.
fn tail(reading: &Reading, style: &PageStyle) -> Vec<PageLine> {
    if reading.last.is_empty() {
        return Vec::new();
    }
    let title = (Tone::Strong, "LAST ALARMS".to_owned());
    let told = |event: &EventView| {
        let at = time::date(event.at, &style.zone);
        let id = event.event_id.map_or_else(|| "no event".to_owned(), |id| format!("event {id}"));
        let clients = event.clients.map_or_else(String::new, |clients| format!(", clients {}", clients.sent));
        let failed =
            if event.told.failed == 0 { String::new() } else { format!(", failed {}", event.told.failed) };
        let tone = if event.told.failed == 0 { Tone::Plain } else { Tone::Bad };
        let (monitor, cause) = (clean(&event.monitor), clean(&event.cause));
        let lasted = lasted(event).map_or_else(String::new, |lasted| format!(", lasted {lasted}"));
        (tone, format!("{at}  {monitor}, {id}: pushes {}{failed}{clients}{lasted}  {cause}", event.told.sent))
    };
    [(Tone::Plain, String::new()), title].into_iter().chain(reading.last.iter().rev().map(told)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn style(unicode: bool) -> PageStyle {
        PageStyle { color: false, unicode, zone: TimeZone::UTC }
    }

    fn snapshot(monitors: u32) -> Snapshot {
        let until: Timestamp = "2026-11-30T09:00:00Z".parse().unwrap();
        let mut hours = vec![0; HOURS];
        hours[23] = 8;
        hours[22] = 1;
        let of = |id: u32| {
            let name = if id == 1 {
                "玄関カメラ 東側 駐車場の入口の前にある防犯カメラ \u{1b}[2J".to_owned()
            } else {
                format!("Camera {id}")
            };
            json!({"id": id, "name": name, "source": "shm", "state": if id == 2 { "alarm" } else { "idle" },
                   "last_event_id": null, "layout": null, "healthy": id != 3, "reason": null})
        };
        let reading = json!({
            "status": {"version": "0.2.0", "pid": 1, "started_at": until, "uptime_ms": 90_000,
                "monitors": {"total": 3, "watched": 2, "stale": 1}, "clients": {"total": 2, "authenticated": 2},
                "tokens": {"total": 3, "enabled": 2}, "push": {"queued": 0, "delivered": 12, "failed": 0},
                "events": {"seen": 9, "reconciled": 0}, "database": "ok"},
            "monitors": {"monitors": (1..=monitors).map(of).collect::<Vec<_>>()},
        });
        let read = |name: &str| reading[name].clone();
        let hourly =
            MonitorHours { monitor_id: MonitorId(2), monitor: "Camera 2".to_owned(), hours, last_at: until };
        let last = json!([{"event_id": 7, "monitor_id": 2, "monitor": "Camera 2", "at": until, "cause": "Motion", "late": false,
            "told": {"sent": 2, "skipped": 0, "failed": 0, "queued": 0}}]);
        let reading = Reading {
            status: serde_json::from_value(read("status")).unwrap(),
            monitors: serde_json::from_value(read("monitors")).unwrap(),
            transports: Vec::new(),
            hourly: zmes_shared::views::EventsHourly { until, monitors: vec![hourly] },
            last: serde_json::from_value(last).unwrap(),
        };
        Snapshot { reading: Some(Box::new(reading)), trouble: None }
    }

    #[test]
    fn the_busiest_monitor_comes_first_with_its_day() {
        let page = lines(&snapshot(3), &style(true), 80, 24);
        let expected = "2 Camera 2               ······················▁█       9          now  alarm";
        assert!(page.iter().any(|line| line == expected), "{page:#?}");
        assert!(page.iter().any(|line| line.ends_with("down")), "{page:#?}");
        assert!(
            page.last().unwrap().starts_with("2026-11-30 09:00:00  Camera 2, event 7: pushes 2"),
            "{page:#?}"
        );
    }

    #[test]
    fn no_page_is_wider_or_higher_than_the_terminal_or_speaks_to_it() {
        for (width, height) in [(80, 24), (200, 50), (40, 10), (20, 3), (1, 1), (80, 2)] {
            for unicode in [true, false] {
                let mut snapshot = snapshot(40);
                for trouble in
                    [None, Some("cannot reach zmesd at /run/zmesd/control.sock\u{1b}[2J".to_owned())]
                {
                    snapshot.trouble = trouble;
                    let page = lines(&snapshot, &style(unicode), width, height);
                    assert!(page.len() <= height);
                    for line in &page {
                        assert!(columns(line) <= width, "{line:?} in {width}");
                        assert!(!line.contains(char::is_control), "{line:?}");
                        assert!(unicode || line.is_ascii(), "{line:?}");
                    }
                }
            }
        }
        let page = lines(&snapshot(40), &style(true), 80, 24).join("\n");
        assert!(page.contains("more monitors with fewer alarms") && page.contains("LAST ALARMS"), "{page}");
    }

    #[test]
    fn one_alarm_can_be_seen_beside_a_thousand() {
        assert_eq!(sparkline(&[1000, 1, 0], false), ".....................81.");
        assert_eq!(sparkline(&[], false), "........................");
    }
}
