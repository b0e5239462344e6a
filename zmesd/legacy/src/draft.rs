//! The values of the new `zmesd.toml` by key, each checked as the daemon checks it, each with the lines that it
//! came from.

use secrecy::{ExposeSecret, SecretString};

use super::template::Proposal;

#[derive(Debug, Clone)]
pub(super) enum NewValue {
    Flag(bool),
    Text(String),
    /// A text that may hold credentials: it goes into the file, but is not shown.
    Private(SecretString),
    List(Vec<String>),
    /// A secret: it goes into a file of its own.
    Secret(SecretString),
}

impl NewValue {
    /// Returns it as TOML, for people; `None` where it may be a secret.
    pub(super) fn shown(&self) -> Option<String> {
        match self {
            Self::Flag(_) | Self::Text(_) | Self::List(_) => Some(self.toml()),
            Self::Private(_) | Self::Secret(_) => None,
        }
    }

    pub(super) fn toml(&self) -> String {
        self.propose(|proposal| proposal.to_string())
    }

    /// Hands it over in the form that the new file checks and writes.
    pub(super) fn propose<T>(&self, use_it: impl FnOnce(Proposal<'_>) -> T) -> T {
        match self {
            Self::Flag(flag) => use_it(Proposal::Flag(*flag)),
            Self::Text(text) => use_it(Proposal::Text(text)),
            Self::Private(text) | Self::Secret(text) => use_it(Proposal::Text(text.expose_secret())),
            Self::List(texts) => use_it(Proposal::List(texts)),
        }
    }
}

/// A key of `zmesd.toml` that has a value.
#[derive(Debug, Clone)]
pub(super) struct NewSetting {
    /// The dotted name of its section.
    pub(super) table: &'static str,
    pub(super) key: &'static str,
    pub(super) value: NewValue,
    /// The old lines that it comes from.
    pub(super) from: Vec<String>,
}

/// A file with a secret.
#[derive(Debug, Clone)]
pub struct SecretFile {
    /// Its name below the directory of `zmesd.toml`: `secrets/push-proxy-app-key`.
    pub name: String,
    /// What it holds.
    pub content: SecretString,
}

/// Returns the name of the file that holds a secret.
pub(super) fn secret_name(setting: &NewSetting) -> String {
    format!("secrets/{}-{}", setting.table.replace('.', "-"), setting.key)
}
