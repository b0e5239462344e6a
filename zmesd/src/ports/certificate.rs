//! What is known of the certificate that apps are shown.

use jiff::Timestamp;

/// The certificate in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateSummary {
    /// Its subject as people write it: "CN=zm.example.org".
    pub subject: String,
    /// The names and addresses that it is good for.
    pub sans: Vec<String>,
    /// The end of its validity.
    pub not_after: Timestamp,
    /// What apps may stumble over, one sentence each.
    pub problems: Vec<String>,
}

/// Tells of the certificate in use.
pub trait CertificateInfo: Send + Sync + std::fmt::Debug {
    /// Returns the certificate that the next handshake will show; `None` where apps are served in plain text.
    fn summary(&self) -> Option<CertificateSummary>;
}
