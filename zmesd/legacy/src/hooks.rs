//! Scripts of the old server become command lines of `zmesctl hook`, which the report proposes: zmesd itself runs none.

use super::collection::ResolvedValue;
use super::takeover::Takeover;
use super::values;

/// Settings that name a script which was run for each alarm: section, key, switch, what it was run for.
const SCRIPTS: [(&str, &str, (&str, &str), &str); 3] = [
    ("hook", "event_start_hook", ("customize", "use_hooks"), "start"),
    ("hook", "event_end_hook", ("customize", "use_hooks"), "end"),
    ("push", "api_push_script", ("push", "use_api_push"), "start"),
];
/// Stands for a script whose path cannot be shown.
const SOME: &str = "SCRIPT";

/// Proposes a hook for each script that was in use. What becomes of the settings is reported with all others.
pub(super) fn take(taking: &mut Takeover<'_>) {
    for (section, key, switch, phase) in SCRIPTS {
        let Some(entry) = taking.old.latest(section, key).filter(|_| taking.is_on(switch)) else { continue };
        if values::word(&entry.value).is_empty() {
            continue;
        }
        let value = taking.old.resolve(entry).ok().filter(|value| !value.secret);
        let script = value.as_ref().map(ResolvedValue::word).filter(|word| is_path(word)).unwrap_or(SOME);
        let place = entry.place.clone();
        taking.next(format!(
            "to go on running the script of {place} for each alarm: `zmesctl hook --on {phase} --es-arguments --cursor \
             /var/lib/zmes-hook/{key} -- {script}`, as a service (zmes-hook@.service); what it prints does not decide who \
             is told"
        ));
    }
}

/// Says whether it is one path that needs no quotes in a shell, and no more than that.
fn is_path(word: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._+-".contains(letter);
    word.starts_with('/') && word.len() <= 256 && word.chars().all(plain)
}
