//! A short description of a certificate, for `status` and `check tls`.

use std::net::IpAddr;

use jiff::Timestamp;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateSummary {
    /// The subject: `CN=zm.example.org`.
    pub subject: String,
    pub issuer: String,
    /// The host names and addresses that it is valid for.
    pub names: Vec<String>,
    pub not_before: Timestamp,
    pub not_after: Timestamp,
    pub self_signed: bool,
}

impl CertificateSummary {
    /// Returns how many whole days it is still valid; negative after it has expired.
    pub fn days_left(&self, now: Timestamp) -> i64 {
        let seconds = self.not_after.as_second() - now.as_second();
        seconds.div_euclid(24 * 60 * 60)
    }

    /// Returns its usual name: the subject, or if that is empty, the names that it is valid for.
    pub fn title(&self) -> String {
        const TOLD: usize = 3;
        if !self.subject.is_empty() {
            return self.subject.clone();
        }
        let more = if self.names.len() > TOLD { ", …" } else { "" };
        let names = self.names.get(..TOLD).unwrap_or(&self.names).join(", ");
        if names.is_empty() { "a certificate without any name".to_owned() } else { format!("{names}{more}") }
    }

    pub(super) fn of(certificate: &X509Certificate<'_>) -> Self {
        let validity = certificate.validity();
        Self {
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            names: names(certificate),
            not_before: timestamp(validity.not_before.timestamp()),
            not_after: timestamp(validity.not_after.timestamp()),
            self_signed: certificate.subject().as_raw() == certificate.issuer().as_raw(),
        }
    }
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    let name = |name: &GeneralName<'_>| {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "a foreign enum: other kinds of names mean no host"
        )]
        match name {
            GeneralName::DNSName(host) => Some((*host).to_owned()),
            GeneralName::IPAddress(bytes) => address(bytes).map(|address| address.to_string()),
            _ => None,
        }
    };
    extension.value.general_names.iter().filter_map(name).collect()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(IpAddr::from(v4));
    }
    <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from)
}

/// Certificates may say "never expires" with a year beyond what a timestamp can hold.
fn timestamp(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or(if seconds < 0 { Timestamp::MIN } else { Timestamp::MAX })
}
