//! Output for people, compared with files in `tests/golden`. `UPDATE=1` writes them; review them before you commit.

use std::cell::RefCell;
use std::io::{self, Write};
use std::path::Path;
use std::rc::Rc;

use jiff::tz::TimeZone;
use serde::de::DeserializeOwned;
use zmes_shared::views::{
    AlarmForced, AlarmTested, Check, Clients, ClusterStatus, ConfigReloaded, Deliveries, Latency, Monitors,
    PushCheck, PushQueue, Rejected, Status, TokenShown, Tokens, TokensChanged, Why,
};
use zmesctl::options::Format;
use zmesctl::render::{Out, OutputStyle, View};

use crate::fake::member;

#[derive(Clone, Default)]
struct Paper(Rc<RefCell<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn drawn<V: View + DeserializeOwned>(reply: &str, width: Option<u16>, color: bool) -> String {
    let view: V = serde_json::from_value(member(reply, "ok")).unwrap();
    let now = "2026-11-02T10:00:05Z".parse().unwrap();
    let look = OutputStyle { format: Format::Human, quiet: false, color, width, now, zone: TimeZone::UTC };
    let paper = Paper::default();
    Out::new(Box::new(paper.clone()), look).show(&view).unwrap();
    String::from_utf8(paper.0.take()).unwrap()
}

fn compare(name: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.txt"));
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, text).unwrap();
    }
    let stored = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(text, stored, "{name} looks different: look at it, then run the tests with UPDATE=1");
}

/// Compares the output for an 80-column terminal, and that for a wide one and a pipe, which must be equal.
fn compare_all<V: View + DeserializeOwned>(reply: &str, name: &str) {
    let (narrow, wide) = (drawn::<V>(reply, Some(80), false), drawn::<V>(reply, Some(200), false));
    let widest = narrow.lines().map(|line| line.chars().count()).max().unwrap_or_default();
    assert!(widest <= 80, "{name} is {widest} wide:\n{narrow}");
    assert_eq!(drawn::<V>(reply, None, false), wide);
    for text in [&narrow, &wide] {
        assert!(text.lines().all(|line| line == line.trim_end()), "{name} has trailing blanks:\n{text}");
    }
    compare(name, &wide);
    if narrow != wide {
        compare(&format!("{name}-80"), &narrow);
    }
}

#[test]
fn status() {
    compare_all::<Status>("reply-status", "status");
    compare_all::<Status>("reply-status-degraded", "status-degraded");
    compare("status-color", &drawn::<Status>("reply-status-degraded", None, true));
}

#[test]
fn clients() {
    compare_all::<Clients>("reply-clients_list", "clients");
    compare_all::<Rejected>("reply-clients_rejected", "clients-rejected");
}

#[test]
fn monitors() {
    compare_all::<Monitors>("reply-monitors_list", "monitors");
    compare("monitors-color", &drawn::<Monitors>("reply-monitors_list", Some(200), true));
}

#[test]
fn cluster() {
    compare_all::<ClusterStatus>("reply-cluster_status", "cluster-status");
    compare_all::<ClusterStatus>("reply-cluster_status-away", "cluster-status-away");
}

#[test]
fn alarms() {
    compare_all::<AlarmTested>("reply-alarm_test", "alarm-test");
    compare_all::<AlarmTested>("reply-alarm_test-token", "alarm-test-token");
    compare_all::<AlarmForced>("reply-alarm_force", "alarm-force");
}

#[test]
fn checks() {
    compare_all::<Check>("reply-check", "check");
}

#[test]
fn a_reload() {
    compare_all::<ConfigReloaded>("reply-reload", "reload");
}

#[test]
fn tokens() {
    compare_all::<Tokens>("reply-tokens_list", "tokens");
    compare_all::<TokenShown>("reply-tokens_show", "tokens-show");
    compare_all::<Deliveries>("reply-tokens_log", "tokens-log");
    compare("tokens-color", &drawn::<Tokens>("reply-tokens_list", Some(200), true));
}

#[test]
fn changes_of_tokens() {
    compare_all::<TokensChanged>("reply-tokens_revoke", "tokens-revoke");
    compare_all::<TokensChanged>("reply-tokens_prune", "tokens-prune");
    compare_all::<TokensChanged>("reply-tokens_prune-dry_run", "tokens-prune-dry-run");
    compare_all::<TokensChanged>("reply-tokens_mute", "tokens-mute");
    compare_all::<TokensChanged>("reply-badges_reset-many", "badges-reset");
}

#[test]
fn pushes() {
    compare_all::<PushCheck>("reply-push_check", "push-check");
    compare_all::<PushQueue>("reply-push_queue", "push-queue");
    compare_all::<Latency>("reply-latency", "latency");
}

#[test]
fn reasons() {
    compare_all::<Why>("reply-why", "why");
    compare_all::<Why>("reply-why-unseen", "why-unseen");
}
