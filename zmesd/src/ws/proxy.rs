//! The client's address behind a trusted proxy: the PROXY header before the first byte, `X-Forwarded-For` in the request.

use std::net::{IpAddr, SocketAddr};

use proxy_header::{ParseConfig, ProxyHeader};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::TcpStream;

use super::context::canonical;
use super::settings::ServerSettings;

/// Maximum length of a version 1 header, including its line end.
const V1_LONGEST: usize = 107;
/// Length of the fixed part of version 2; its last two bytes are the length of the rest.
const V2_FIXED: usize = 16;
/// Maximum length of the rest of version 2: addresses take 36 bytes, and what follows them is ignored.
const V2_LONGEST: usize = 4096;

#[derive(Debug, thiserror::Error)]
pub(super) enum ProxyError {
    #[error("connection lost in the PROXY header")]
    Io(#[from] std::io::Error),
    /// It begins like a PROXY header but is not valid.
    #[error("broken PROXY header")]
    Broken,
}

/// Reads the PROXY header (version 1 or 2), if there is one, and not a byte beyond it. Returns the client's address;
/// `None` without a header, or if the proxy connects on its own behalf (health checks).
pub(super) async fn read_header(tcp: &mut TcpStream) -> Result<Option<SocketAddr>, ProxyError> {
    let mut first = [0];
    if tcp.peek(&mut first).await? == 0 {
        return Ok(None);
    }
    header(tcp, first.first().copied()).await
}

/// Reads the header from a stream whose next byte is `first`.
pub(super) async fn header<R>(reader: &mut R, first: Option<u8>) -> Result<Option<SocketAddr>, ProxyError>
where
    R: AsyncRead + Unpin,
{
    // Neither TLS nor `GET` begins like these.
    let header = match first {
        Some(b'P') => read_line(reader).await?,
        Some(b'\r') => read_binary(reader).await?,
        _ => return Ok(None),
    };
    let (header, _) =
        ProxyHeader::parse(&header, ParseConfig { include_tlvs: false, ..ParseConfig::default() })
            .map_err(|_| ProxyError::Broken)?;
    Ok(header.proxied_address().map(|proxied| canonical(proxied.source)))
}

/// Reads byte by byte, because what follows the line belongs to TLS.
async fn read_line<R: AsyncRead + Unpin>(reader: &mut R) -> Result<Vec<u8>, ProxyError> {
    let mut line = Vec::with_capacity(V1_LONGEST);
    while line.len() < V1_LONGEST {
        let byte = reader.read_u8().await?;
        line.push(byte);
        if byte == b'\n' {
            return Ok(line);
        }
    }
    Err(ProxyError::Broken)
}

async fn read_binary<R: AsyncRead + Unpin>(reader: &mut R) -> Result<Vec<u8>, ProxyError> {
    let mut fixed = [0; V2_FIXED];
    reader.read_exact(&mut fixed).await?;
    let [.., high, low] = fixed;
    let rest = usize::from(u16::from_be_bytes([high, low]));
    if rest > V2_LONGEST {
        return Err(ProxyError::Broken);
    }
    let mut header = fixed.to_vec();
    header.resize(V2_FIXED + rest, 0);
    let body = header.get_mut(V2_FIXED..).ok_or(ProxyError::Broken)?;
    reader.read_exact(body).await?;
    Ok(header)
}

/// Returns the right-most address of `X-Forwarded-For` that is not a trusted proxy itself: everything left of it is
/// unverified. Returns `peer` if the header is unusable or the peer is not trusted.
pub(super) fn forwarded<'a>(
    headers: impl DoubleEndedIterator<Item = &'a str>,
    peer: SocketAddr,
    settings: &ServerSettings,
) -> SocketAddr {
    let mut client = peer;
    for entry in headers.rev().flat_map(|header| header.rsplit(',')) {
        if !settings.trusts(client.ip()) {
            break;
        }
        let Some(address) = entry_address(entry.trim()) else { break };
        client = address;
    }
    client
}

/// Parses `192.0.2.1`, `2001:db8::1`, and both with a port.
fn entry_address(entry: &str) -> Option<SocketAddr> {
    let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(entry);
    let address = match bare.parse::<IpAddr>() {
        Ok(address) => SocketAddr::new(address, 0),
        Err(_) => entry.parse::<SocketAddr>().ok()?,
    };
    Some(canonical(address))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ws::tests::settings;

    fn of(headers: &[&str], peer: &str) -> String {
        let trusted = vec!["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
        let settings = ServerSettings { trusted_proxies: trusted, ..settings() };
        let peer = SocketAddr::new(peer.parse().unwrap(), 4711);
        forwarded(headers.iter().copied(), peer, &settings).ip().to_string()
    }

    #[test]
    fn only_the_right_most_untrusted_entry_counts() {
        assert_eq!(of(&["203.0.113.9"], "10.0.0.1"), "203.0.113.9");
        assert_eq!(of(&["1.1.1.1, 203.0.113.9"], "10.0.0.1"), "203.0.113.9", "the left is invented");
        assert_eq!(of(&["203.0.113.9, 10.0.0.7"], "10.0.0.1"), "203.0.113.9", "a chain of proxies");
        assert_eq!(of(&["203.0.113.9", "10.0.0.7"], "10.0.0.1"), "203.0.113.9", "two headers are one list");
        assert_eq!(of(&["10.0.0.8, 10.0.0.7"], "10.0.0.1"), "10.0.0.8", "all trusted: the farthest");
        assert_eq!(of(&["[2001:db8::9]:443"], "::1"), "2001:db8::9");
        assert_eq!(of(&["2001:db8::9"], "10.0.0.1"), "2001:db8::9");
        assert_eq!(of(&["::ffff:203.0.113.9"], "10.0.0.1"), "203.0.113.9");
    }

    #[test]
    fn nothing_usable_leaves_the_peer() {
        assert_eq!(of(&["203.0.113.9"], "192.0.2.1"), "192.0.2.1", "not a trusted peer");
        assert_eq!(of(&[], "10.0.0.1"), "10.0.0.1");
        assert_eq!(of(&["unknown"], "10.0.0.1"), "10.0.0.1");
        assert_eq!(of(&["203.0.113.9, \u{7f}"], "10.0.0.1"), "10.0.0.1");
    }
}
