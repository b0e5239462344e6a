//! Words shared by several commands.

use zmes_shared::MonitorId;
use zmes_shared::views::ClientView;
use zmes_shared::words::{Reason, SkipReason, TargetKind};

use crate::render::clean;

/// Returns the word for a kind of target: people know a session as a client.
pub(crate) fn target(kind: TargetKind) -> &'static str {
    match kind {
        TargetKind::Session => "client",
        TargetKind::Token | TargetKind::Unknown => kind.word(),
    }
}

/// Returns a client in a few clean words: "4 (admin, zmNinja 1.4, 192.0.2.7:50432)".
pub(crate) fn client(client: &ClientView) -> String {
    let user = client.user.as_deref().unwrap_or("not authenticated");
    let parts: Vec<_> =
        [Some(user), client.app.as_deref(), Some(&client.address)].into_iter().flatten().collect();
    format!("{} ({})", client.id, clean(&parts.join(", ")))
}

/// Returns the reason for a decision, with the name of the rule that made it.
pub(crate) fn reason(reason: &Reason, rule: Option<&str>) -> String {
    match rule {
        Some(rule) if *reason == Reason::Skip(SkipReason::Rule) => format!("{reason} \"{rule}\""),
        Some(_) | None => reason.to_string(),
    }
}

/// Describes the monitors whose alarms a client or a token gets.
pub(crate) fn monitors(chosen: Option<&[MonitorId]>) -> String {
    chosen.map_or_else(|| "all".to_owned(), ranges)
}

/// Abbreviates ids: `1-5,8`; "none" if there are none.
fn ranges(monitors: &[MonitorId]) -> String {
    let mut ids: Vec<u32> = monitors.iter().map(|monitor| monitor.0).collect();
    ids.sort_unstable();
    ids.dedup();
    let runs: Vec<String> = ids
        .chunk_by(|left, right| left.checked_add(1) == Some(*right))
        .filter_map(|run| Some((run.first()?, run.last()?, run.len())))
        .map(|(first, last, count)| match count {
            1 => first.to_string(),
            2 => format!("{first},{last}"),
            _ => format!("{first}-{last}"),
        })
        .collect();
    if runs.is_empty() { "none".to_owned() } else { runs.join(",") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn monitor_lists_are_short() {
        let ranges = |ids: &[u32]| ranges(&ids.iter().copied().map(MonitorId).collect::<Vec<_>>());
        assert_eq!(ranges(&[3, 1, 2, 8, 5, 4]), "1-5,8");
        assert_eq!(ranges(&[1, 2, 9]), "1,2,9");
        assert_eq!(ranges(&[u32::MAX]), "4294967295");
        assert_eq!(ranges(&[]), "none");
    }
}
