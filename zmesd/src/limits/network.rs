//! Which addresses count as one peer.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

/// Returns the key for limits: an IPv4 address (also from a dual-stack socket), or the /64 of an IPv6 address, all of
/// which belongs to one customer (RFC 6177).
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

/// Decrements the count of a network; a network at zero is forgotten.
pub(crate) fn count_down(counts: &mut HashMap<IpAddr, usize>, network: IpAddr) {
    if let Some(count) = counts.get_mut(&network) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(&network);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customer_of_ipv6_is_a_whole_64_and_one_of_ipv4_an_address() {
        let of = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(of("2001:db8:1:2:ffff::9"), "2001:db8:1:2::");
        assert_eq!(of("::ffff:192.0.2.9"), "192.0.2.9", "not all of IPv4 is one /64");
        assert_eq!(of("192.0.2.1"), "192.0.2.1");
    }
}
