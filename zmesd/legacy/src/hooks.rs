//! Scripts of the old server become command lines of `zmesctl hook`, which the report proposes: zmesd itself runs none.

use super::collection::ResolvedValue;
use super::takeover::Takeover;
use super::values;

/// A setting that names a script which was run for each alarm.
struct OldScript {
    section: &'static str,
    key: &'static str,
    switch: (&'static str, &'static str),
    /// When it was run.
    phase: &'static str,
    /// What differs in what it is told.
    differs: &'static str,
}

const HOOKS: (&str, &str) = ("customize", "use_hooks");
/// The four arguments that `--es-arguments` gives.
const SAME: &str = "its arguments are the same, but for the path of the event at the end";
const USER: &str = "it was told the hook's result before, and text and JSON of the detection behind: now it gets event id, \
                    monitor id, name and cause";
const SCRIPTS: [OldScript; 5] = [
    OldScript { section: "hook", key: "event_start_hook", switch: HOOKS, phase: "start", differs: SAME },
    OldScript { section: "hook", key: "event_end_hook", switch: HOOKS, phase: "end", differs: SAME },
    OldScript {
        section: "hook",
        key: "event_start_hook_notify_userscript",
        switch: HOOKS,
        phase: "start",
        differs: USER,
    },
    OldScript {
        section: "hook",
        key: "event_end_hook_notify_userscript",
        switch: HOOKS,
        phase: "end",
        differs: USER,
    },
    OldScript {
        section: "push",
        key: "api_push_script",
        switch: ("push", "use_api_push"),
        phase: "start",
        differs: "the type of the event, its fifth argument, is now in ZMES_PHASE",
    },
];
/// Stands for a script whose path cannot be shown.
const SOME: &str = "SCRIPT";

/// Proposes a hook for each script that was in use. What becomes of the settings is reported with all others.
pub(super) fn take(taking: &mut Takeover<'_>) {
    for OldScript { section, key, switch, phase, differs } in SCRIPTS {
        let Some(entry) = taking.old.latest(section, key).filter(|_| taking.is_on(switch)) else { continue };
        if values::word(&entry.value).is_empty() {
            continue;
        }
        let value = taking.old.resolve(entry).ok().filter(|value| !value.secret);
        let script = value.as_ref().map(ResolvedValue::word).filter(|word| is_path(word)).unwrap_or(SOME);
        let place = entry.place.clone();
        taking.next(format!(
            "to go on running the script of {place} for each alarm: `zmesctl hook --on {phase} --es-arguments --cursor \
             /var/lib/zmes-hook/{key} -- {script}`, as a service (zmes-hook@.service). What it prints does not decide who \
             is told; {differs}"
        ));
    }
}

/// Says whether it is one path that needs no quotes in a shell, and no more than that.
fn is_path(word: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._+-".contains(letter);
    word.starts_with('/') && word.len() <= 256 && word.chars().all(plain)
}
