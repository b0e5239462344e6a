//! The values of `[watchdog]`.

use zmes_providers::targets::TargetName;

use super::network::Listing;
use super::{Text, bounded};
use crate::config::WatchdogReceiver;
use crate::config::problem::quotable;
use crate::config::section::Complaint;
use crate::config::shown::Shown;

/// Most receivers of troubles.
const RECEIVERS_MAX: usize = 64;
/// Shortest beginning of a handle that names a token.
const HANDLE_MIN: usize = 4;
/// Digits of a whole handle, in its longest form.
const HANDLE_MAX: usize = 64;
/// Longest suffix, in bytes.
const SUFFIX_MAX: usize = 64;

pub(in crate::config) const WATCHDOG_RECEIVERS: Listing<WatchdogReceiver> = Listing {
    takes: "a list of handles of tokens or targets and \"user:NAME\"",
    read: |texts| {
        if texts.len() > RECEIVERS_MAX {
            return Err(Complaint::new(format!("has {} entries: the limit is {RECEIVERS_MAX}", texts.len())));
        }
        texts.iter().map(|text| receiver(text)).collect()
    },
};

fn receiver(text: &str) -> Result<WatchdogReceiver, Complaint> {
    let text = bounded(text)?.trim();
    let hint = "write the handle of a token (`zmesctl tokens list`), \"@\" and the name of a [[target]], or \"user:NAME\" for all phones of a user";
    if let Some(user) = text.strip_prefix("user:").filter(|user| !user.is_empty()) {
        return Ok(WatchdogReceiver::User(user.to_owned()));
    }
    if TargetName::of_handle(text).is_some() {
        return Ok(WatchdogReceiver::Handle(text.to_owned()));
    }
    let digits = (HANDLE_MIN..=HANDLE_MAX).contains(&text.len());
    if digits && text.chars().all(|digit| digit.is_ascii_hexdigit()) {
        return Ok(WatchdogReceiver::Handle(text.to_ascii_lowercase()));
    }
    Err(Complaint::new(format!("`{}` is neither a handle nor a user", quotable(text))).hint(hint))
}

pub(in crate::config) const PING_SUFFIX: Text<String> =
    Text { takes: "the end of a path such as \"/fail\"", read: suffix, show: |suffix| Shown::text(suffix) };

fn suffix(text: &str) -> Result<String, Complaint> {
    let plain = |character: char| character.is_ascii_alphanumeric() || "/-_.~".contains(character);
    if text.len() <= SUFFIX_MAX && text.chars().all(plain) {
        return Ok(text.to_owned());
    }
    Err(Complaint::new(format!("`{}` is not the end of a path", quotable(text)))
        .hint("write \"/fail\"; empty: nothing is sent while there is a grave trouble"))
}
