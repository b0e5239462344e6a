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
    /// What apps may stumble over.
    pub problems: Vec<CertificateProblem>,
    /// What iOS has against it where an app has the system check certificates (zmNinja does not, unless told to).
    pub objections: Vec<CertificateProblem>,
}

/// One thing that is wrong with the certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateProblem {
    /// Apps that look at certificates at all do not connect.
    pub grave: bool,
    /// It says only that the end of the validity is near.
    pub expires_soon: bool,
    /// One sentence.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

/// Tells of the certificate in use.
pub trait CertificateInfo: Send + Sync + std::fmt::Debug {
    /// Returns the certificate that the next handshake will show; `None` where apps are served in plain text.
    fn summary(&self) -> Option<CertificateSummary>;
}
