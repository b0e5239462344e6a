//! Hosts as they stand in URLs and settings.

use std::net::IpAddr;

/// Says whether a host is this machine by what is written: `localhost` or a loopback address. No name is resolved.
pub fn is_this_machine(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse().is_ok_and(|address: IpAddr| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_known_by_what_is_written() {
        for host in ["localhost", "LocalHost", "127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1"] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in ["", "broker", "localhost.example.org", "192.0.2.7", "::", "0.0.0.0", "[::1]"] {
            assert!(!is_this_machine(host), "{host}");
        }
    }
}
