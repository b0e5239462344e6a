//! `zmesctl reload`, `config show` and `log level`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The answer to `reload`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ConfigReloaded {
    /// Keys whose new value was applied.
    pub applied: Vec<String>,
    /// Keys whose new value needs a restart of the daemon.
    pub needs_restart: Vec<String>,
    /// The certificate that is served now, if it changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<ServedCertificate>,
}

/// The certificate that is served to apps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ServedCertificate {
    /// Its subject, or its names if the subject is empty: `CN=zm.example.org`.
    pub subject: String,
    /// The host names and addresses that it is valid for.
    pub names: Vec<String>,
    /// When it expires.
    pub not_after: Timestamp,
}

/// The answer to `config show`: the effective values, with secrets hidden.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ConfigShown {
    /// The file that was read.
    pub file: String,
    /// The effective values, as TOML.
    pub toml: String,
}

/// The answer to `log level`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LogLevel {
    /// The current level.
    pub level: String,
    /// The previous level.
    pub before: String,
    /// In how many milliseconds the previous level returns; `null` if it does not.
    pub for_ms: Option<u64>,
}
