//! The order in which a server sends its certificates: its own first, then each issuer in turn (RFC 8446 section
//! 4.4.2).

use rustls_pki_types::CertificateDer;
use x509_parser::prelude::X509Certificate;

/// The certificates of a file, by index, in the order to send them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Order(Vec<usize>);

impl Order {
    /// Orders certificates. The server's own is the one with this public key (`SubjectPublicKeyInfo`); if there is
    /// none, the first one that did not issue another one in the file.
    pub(super) fn of(chain: &[X509Certificate<'_>], public_key: Option<&[u8]>) -> Self {
        let issued = |one: &X509Certificate<'_>, other: &X509Certificate<'_>| {
            other.issuer().as_raw() == one.subject().as_raw() && one.subject() != other.subject()
        };
        let has_issued = |one: &X509Certificate<'_>| chain.iter().any(|other| issued(one, other));
        let by_key = chain.iter().position(|one| Some(one.public_key().raw) == public_key);
        let Some(own) = by_key.or_else(|| chain.iter().position(|one| !has_issued(one))).or(Some(0)) else {
            return Self(Vec::new());
        };
        let mut order = Vec::with_capacity(chain.len());
        let mut next = (own < chain.len()).then_some(own);
        while let Some(index) = next {
            order.push(index);
            next = chain.get(index).and_then(|certificate| {
                let unused = |(at, other): &(usize, &X509Certificate<'_>)| {
                    !order.contains(at) && issued(other, certificate)
                };
                chain.iter().enumerate().find(unused).map(|(at, _)| at)
            });
        }
        // Unconnected certificates are kept: they may complete a chain in a way that names do not show.
        let rest: Vec<usize> = (0..chain.len()).filter(|index| !order.contains(index)).collect();
        order.extend(rest);
        Self(order)
    }

    /// Returns which certificate of the file is the server's own, counting from 0.
    pub(super) fn first(&self) -> usize {
        self.0.first().copied().unwrap_or_default()
    }

    pub(super) fn own<'c, 'a>(&self, chain: &'c [X509Certificate<'a>]) -> Option<&'c X509Certificate<'a>> {
        chain.get(self.first())
    }

    pub(super) fn apply(&self, chain: &[CertificateDer<'static>]) -> Vec<CertificateDer<'static>> {
        self.0.iter().filter_map(|index| chain.get(*index).cloned()).collect()
    }
}
