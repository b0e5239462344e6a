//! `clients list`, `clients rejected` and `clients disconnect`

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;
use zmes_shared::SessionId;
use zmes_shared::control::{ClientFilter, ControlError, ErrorCode};
use zmes_shared::views::{ClientView, Clients, Done, Rejected};

use crate::admin::AdminParts;

pub(super) async fn list(parts: &AdminParts, filter: ClientFilter) -> Result<Clients, ControlError> {
    let network = filter.address.as_deref().map(network).transpose()?;
    let user = filter.user.clone();
    let mut clients = parts.router.list(filter).await?;
    clients.retain(|client| {
        network.is_none_or(|network| is_within(client, network))
            && user.as_deref().is_none_or(|pattern| is_user(client, pattern))
    });
    Ok(Clients { clients })
}

pub(super) fn rejected(parts: &AdminParts, since: Option<Duration>) -> Rejected {
    // Longer than the clock reaches back: since the start.
    let since = since.and_then(|since| parts.clock.now().checked_sub(since).ok());
    let entries = parts.counters.refusals.entries(since);
    Rejected { rejected: entries.into_iter().map(|entry| entry.rejection).collect() }
}

pub(super) async fn disconnect(parts: &AdminParts, client: SessionId) -> Result<Done, ControlError> {
    if parts.router.disconnect(client).await? {
        return Ok(Done { done: format!("client {client} disconnected") });
    }
    let error = ControlError::new(ErrorCode::NotFound, format!("no client {client}"));
    Err(error.with_hint("zmesctl clients list shows who is connected"))
}

fn network(text: &str) -> Result<IpNet, ControlError> {
    let text = text.trim();
    let address = text.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical()));
    address.or_else(|_| text.parse::<IpNet>()).map_err(|_| {
        let message = format!("`{text}` is neither an address nor a network");
        ControlError::new(ErrorCode::BadRequest, message)
            .with_hint("such as 192.168.1.7, 10.0.0.0/8 or fd00::/8")
    })
}

/// A client that came over a dual-stack socket counts by its IPv4 address.
fn is_within(client: &ClientView, network: IpNet) -> bool {
    let address = client.address.parse::<SocketAddr>().map(|address| address.ip().to_canonical());
    address.is_ok_and(|address| network.contains(&address))
}

fn is_user(client: &ClientView, pattern: &str) -> bool {
    client.user.as_deref().is_some_and(|user| matches(pattern, user))
}

/// Matches a pattern in which `*` stands for any number of characters.
///
/// Linear in the text for any pattern: each part between stars is taken at its first place, and a pattern that is longer
/// than the text with a star around each of its characters is not tried. An observer may send 60,000 stars.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    if pattern.len() > 2 * text.len() + 1 {
        return false;
    }
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in middle.split('*') {
        let Some(at) = text.find(part) else { return false };
        text = text.get(at + part.len()..).unwrap_or_default();
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_run() {
        for (pattern, text, expected) in [
            ("amy", "amy", true),
            ("amy", "amyx", false),
            ("*", "", true),
            ("a*", "amy", true),
            ("a*", "bamy", false),
            ("*y", "amy", true),
            ("a*y", "amy", true),
            ("am*my", "amy", false),
            ("*m*", "amy", true),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXcYb", false),
            ("a**b", "ab", true),
            ("*é", "amé", true),
            ("*a*m*y*", "amy", true),
            ("********", "amy", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} on {text}");
        }
        assert!(!matches(&"a*".repeat(2000), &"a".repeat(1999)));
    }

    #[test]
    fn a_network_is_an_address_or_cidr() {
        assert_eq!(network("10.0.0.0/8").unwrap().to_string(), "10.0.0.0/8");
        assert_eq!(network(" ::ffff:10.1.2.3 ").unwrap().to_string(), "10.1.2.3/32");
        let error = network("10.0.0.0/33").unwrap_err();
        assert_eq!(error.code, ErrorCode::BadRequest);
        assert!(error.hint.is_some());
    }
}
