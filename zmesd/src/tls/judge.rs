//! Checks a certificate's dates and chain.

use jiff::{SignedDuration, Timestamp};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;

use super::error::TlsWarning;
use super::order::Order;
use super::summary::CertificateSummary;

/// A warning comes when less than 1/`PART` of a certificate's lifetime remains. Let's Encrypt's certificates of 90 days
/// are renewed with 30 days left, those of six days with two days left (letsencrypt.org/docs/integration-guide, "When
/// to Renew").
/// Renew").
const PART: i64 = 3;
/// But never earlier than this: a certificate of two years is not in danger half a year before its end.
const LONGEST: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Signed certificate timestamps (RFC 6962 3.3): only public authorities include them.
const TRANSPARENCY: &str = "1.3.6.1.4.1.11129.2.4.2";

pub(super) fn time_warning(summary: &CertificateSummary, now: Timestamp) -> Option<TlsWarning> {
    if summary.not_after < now {
        return Some(TlsWarning::Expired(summary.not_after));
    }
    if summary.not_before > now {
        return Some(TlsWarning::NotYetValid(summary.not_before));
    }
    let life = summary.not_after.duration_since(summary.not_before);
    let (left, days) = (summary.not_after.duration_since(now), summary.days_left(now));
    let soon = SignedDuration::from_secs(life.as_secs() / PART).min(LONGEST);
    (left < soon).then_some(TlsWarning::ExpiresSoon { at: summary.not_after, days })
}

pub(super) fn chain_warning(
    chain: &[X509Certificate<'_>],
    order: &Order,
    summary: &CertificateSummary,
) -> Option<TlsWarning> {
    if order.first() > 0 {
        return Some(TlsWarning::LeafNotFirst(order.first() + 1));
    }
    let issued_by = |(certificate, next): (&X509Certificate<'_>, &X509Certificate<'_>)| {
        certificate.issuer().as_raw() == next.subject().as_raw()
    };
    let broken = chain.iter().zip(chain.iter().skip(1)).position(|pair| !issued_by(pair));
    if let Some(index) = broken {
        return Some(TlsWarning::ChainOutOfOrder(index + 2));
    }
    // A private authority (mkcert, openssl) signs with its root, which phones have: nothing is missing then.
    let alone = chain.len() == 1 && !summary.self_signed && chain.first().is_some_and(is_public);
    alone.then(|| TlsWarning::ChainIncomplete(summary.issuer.clone()))
}

/// Returns whether a public authority has issued it: it says where its issuer's certificate is (RFC 5280 4.2.2.1), or
/// when it was logged. Such certificates are signed by an intermediate, which apps do not have.
fn is_public(certificate: &X509Certificate<'_>) -> bool {
    certificate.extensions().iter().any(|extension| {
        matches!(extension.parsed_extension(), ParsedExtension::AuthorityInfoAccess(_))
            || extension.oid.to_id_string() == TRANSPARENCY
    })
}
