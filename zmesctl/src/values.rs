//! Parses option values: durations, times, networks.

mod moments;

pub(crate) use moments::{MomentArg, PastArg, SinceArg};

use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use zmes_shared::control::{TransportChoice, TransportKind};
use zmes_shared::{Label, MonitorId, duration};

/// Number of characters at the end of a token that name it.
const TAIL: usize = 10;
/// Maximum length of a text that names a token; longer than any token.
const MAX_SELECTION: usize = 4096;

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    duration::parse_positive(text).map_err(|error| error.to_string())
}

/// Parses how long a hook waits for a picture: up to 10 s, as the daemon does.
pub(crate) fn picture_wait(text: &str) -> Result<Duration, String> {
    let duration = duration::parse(text).map_err(|error| error.to_string())?;
    if duration <= Duration::from_secs(10) { Ok(duration) } else { Err("must be at most 10s".to_owned()) }
}

/// Parses the duration of `alarm force`: 1 s to 1 h.
pub(crate) fn alarm_duration(text: &str) -> Result<Duration, String> {
    let duration = duration(text)?;
    if (Duration::from_secs(1)..=Duration::from_hours(1)).contains(&duration) {
        Ok(duration)
    } else {
        Err("must be between 1s and 1h".to_owned())
    }
}

/// Checks a text that names a token: its handle, a prefix of it, or the token's last characters. The daemon gets it as
/// typed.
pub(crate) fn token(text: &str) -> Result<String, String> {
    let text = text.trim();
    let plain = |character: char| !character.is_control() && !character.is_whitespace();
    // No handle begins with a dash: a text that does is the end of a token, or a mistyped option.
    let option = text.starts_with('-') && text.len() < TAIL;
    if text.is_empty() || option || text.len() > MAX_SELECTION || !text.chars().all(plain) {
        return Err(
            "expected a handle as shown by `tokens list`, or the last 10 characters of a token".to_owned()
        );
    }
    Ok(text.to_owned())
}

/// Parses a label, with its confidence in percent if given: `person:95`.
pub(crate) fn label(text: &str) -> Result<Label, String> {
    let (name, percent) = match text.rsplit_once(':') {
        Some((name, percent)) if percent.bytes().all(|byte| byte.is_ascii_digit()) => (name, Some(percent)),
        Some(_) | None => (text, None),
    };
    let confidence = match percent.map(str::parse::<u32>) {
        None => None,
        Some(Ok(percent @ 0..=100)) => Some(percent),
        Some(_) => return Err("a confidence is a number from 0 to 100: person:95".to_owned()),
    };
    Label::new(name, confidence)
        .ok_or_else(|| "expected a label such as person, or person:95 with its confidence".to_owned())
}

/// Parses a kind of transport, or `@` and the name of a target.
pub(crate) fn transport(text: &str) -> Result<TransportChoice, String> {
    let choice = TransportChoice::from(text.trim().to_owned());
    if choice == TransportChoice::Kind(TransportKind::Unknown) {
        let kinds = TransportKind::ALL.map(TransportKind::as_str).join(", ");
        return Err(format!("expected one of {kinds}, or a target such as @night-guard"));
    }
    Ok(choice)
}

/// A monitor as people name it: by id or name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MonitorArg {
    Id(MonitorId),
    Name(String),
}

impl FromStr for MonitorArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        match text.parse() {
            Ok(id) => Ok(Self::Id(id)),
            Err(_) if text.is_empty() => {
                Err("expected an id or a name as shown by `monitors list`".to_owned())
            }
            // A number out of range, not the name of a camera.
            Err(_) if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') => {
                Err("not an id: ids are numbers up to 4294967295".to_owned())
            }
            Err(_) => Ok(Self::Name(text.to_owned())),
        }
    }
}

/// Checks an address or a network in CIDR notation. The daemon gets it as typed.
pub(crate) fn network(text: &str) -> Result<String, String> {
    let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
    let address: IpAddr =
        address.parse().map_err(|_| "expected an address or network such as 192.0.2.7 or 2001:db8::/32")?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    match prefix.map(u8::from_str) {
        None => Ok(text.to_owned()),
        Some(Ok(prefix)) if prefix <= longest => Ok(text.to_owned()),
        Some(_) => Err(format!("the part after `/` must be between 0 and {longest}")),
    }
}

/// Returns a duration in milliseconds, the unit of the control protocol.
pub(crate) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(duration("20ms"), Ok(Duration::from_millis(20)));
        assert_eq!(duration("10m"), Ok(Duration::from_mins(10)));
        assert_eq!(duration("14d"), Ok(Duration::from_hours(14 * 24)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_mins(90)));
        for wrong in ["5", "", "-5s", "0s", "5 parsecs", "1mo", "99999999999999999999s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_forced_alarm_is_bounded() {
        assert!(alarm_duration("1h").is_ok());
        assert!(alarm_duration("61m").is_err());
        assert!(alarm_duration("999ms").is_err());
    }

    #[test]
    fn a_transport_is_a_kind_or_a_target() {
        assert_eq!(transport("fcm"), Ok(TransportChoice::Kind(TransportKind::Fcm)));
        assert_eq!(transport("@guard"), Ok(TransportChoice::Target("guard".to_owned())));
        assert!(transport("smoke-signals").is_err() && transport("").is_err());
    }

    #[test]
    fn a_token_is_named_by_one_word() {
        for right in ["1a2b3c4d", "1", " kFLJu6sg_x ", "APA91:kFLJ", "-LJu6sg_xy"] {
            assert_eq!(token(right).as_deref(), Ok(right.trim()));
        }
        for wrong in ["", " ", "1a2b 3c4d", "1a\n2b", "--dryrun", "-x", &"x".repeat(4097)] {
            assert!(token(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn networks_are_addresses_with_or_without_a_prefix() {
        for right in ["192.0.2.7", "192.0.2.0/24", "::1", "2001:db8::/32"] {
            assert_eq!(network(right).as_deref(), Ok(right));
        }
        for wrong in ["192.0.2.0/33", "garden", "192.0.2.7/", "::/129", "1.2.3"] {
            assert!(network(wrong).is_err(), "{wrong}");
        }
    }
}
