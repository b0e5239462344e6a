//! The vocabulary of decisions is defined in `shared/src/words.rs` alone: elsewhere its words would be matched as text.

use anyhow::Result;
use zmes_shared::words::{
    DeliveryOutcome, DeliveryState, FaultKind, GiveUp, HeldBy, Origin, SkipReason, TargetKind,
};

use crate::tree::File;
use crate::{none, sources};

/// The file that has them.
const VOCABULARY: &str = "shared/src/words.rs";
/// Words that other contracts have, too.
const ELSEWHERE: [(&str, &[&str]); 12] = [
    ("a line of status", &["trouble"]),
    ("members and types of the app protocol, steps of doctor", &["token", "user", "filter", "interval"]),
    ("a step of doctor", &["rights"]),
    ("`state` of the app protocol, changes of tokens", &["disabled", "muted", "revoked"]),
    ("`push.mode` in zmesd.toml", &["shadow"]),
    ("labels and fields of logs and metrics", &["session", "transport", "phone", "test", "pending"]),
    ("results of imports, commands of zmesctl, and systemd's ActiveState", &["failed", "skipped"]),
    ("how a clock goes, and a step of doctor", &["slow", "clock"]),
    (
        "steps of a check, codes of errors, sections of zmesd.toml",
        &["dns", "tls", "credentials", "not_found", "timeout", "refused", "provider", "closed", "rule"],
    ),
    ("what zmesctl shows in place of a user", &["not authenticated"]),
    ("a key of `[cluster]`", &["poll"]),
    ("a section of zmesd.toml, a message of the app protocol", &["rule", "snooze"]),
];

fn vocabulary() -> Vec<&'static str> {
    let mut words: Vec<&str> = Vec::new();
    words.extend(TargetKind::ALL.iter().map(|word| word.word()));
    words.extend(DeliveryState::ALL.iter().map(|word| word.word()));
    words.extend(DeliveryOutcome::ALL.iter().map(|word| word.word()));
    words.extend(SkipReason::ALL.iter().flat_map(|word| [word.word(), word.label()]));
    words.extend(GiveUp::ALL.iter().map(|word| word.word()));
    words.extend(HeldBy::ALL.iter().map(|word| word.word()));
    words.extend(Origin::ALL.iter().map(|word| word.word()));
    words.extend(FaultKind::ALL.iter().map(|word| word.word()));
    words.sort_unstable();
    words.dedup();
    words.retain(|word| !ELSEWHERE.iter().any(|(_, words)| words.contains(word)));
    words
}

/// Code that is shipped: `src` of a crate, without its tests.
fn is_shipped(file: &File) -> bool {
    let name = &file.name;
    let crates = ["shared/", "zmesctl/", "zmesd/"];
    crates.iter().any(|name_of| name.starts_with(name_of))
        && name.contains("src/")
        && !name.contains("/tests")
        && !["fakes.rs", "fuzzing.rs"].contains(&file.base_name())
}

#[test]
fn the_words_of_decisions_stand_in_one_file() -> Result<()> {
    let words: Vec<String> = vocabulary().iter().map(|word| format!("\"{word}\"")).collect();
    let mut findings = Vec::new();
    for file in sources()?.iter().filter(|file| is_shipped(file) && file.name != VOCABULARY) {
        for (number, line) in file.code_lines().take_while(|(_, line)| *line != "#[cfg(test)]") {
            let found = words.iter().filter(|word| line.contains(*word));
            findings.extend(found.map(|word| {
                format!("{}:{number}: {word} as text: use the enums of zmes_shared::words", file.name)
            }));
        }
    }
    none(&findings)
}
