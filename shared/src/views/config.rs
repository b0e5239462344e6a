//! `zmesctl reload`, `config show` and `log level`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The answer to `reload`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ConfigReloaded {
    /// Keys whose new value is in force.
    pub applied: Vec<String>,
    /// Keys whose new value needs a restart of the daemon.
    pub needs_restart: Vec<String>,
    /// The certificate that apps are shown from now on, where it is another than before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<ServedCertificate>,
}

/// The certificate that apps are shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ServedCertificate {
    /// Its subject, or its names where that is empty: `CN=zm.example.org`.
    pub subject: String,
    /// The host names and addresses that it is good for.
    pub names: Vec<String>,
    /// The end of its validity.
    pub not_after: Timestamp,
}

/// The answer to `config show`: the values in force, secrets hidden.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ConfigShown {
    /// The file that was read.
    pub file: String,
    /// The values in force, as TOML.
    pub toml: String,
}

/// The answer to `log level`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LogLevel {
    /// The level in force.
    pub level: String,
    /// The level before.
    pub before: String,
    /// When the level before comes back; `null`: not by itself.
    pub for_ms: Option<u64>,
}
