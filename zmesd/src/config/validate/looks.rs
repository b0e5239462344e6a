//! What others say of the files that the configuration names. Certificates and keys are not its business, so who asks
//! for a check brings somebody who knows them.

use std::fmt;
use std::path::Path;

use secrecy::SecretString;

use super::{Checker, PairCheck};
use crate::config::PushConfig;
use crate::config::problem::Place;

/// Those who look into files.
#[derive(Clone, Copy)]
pub struct Looks<'a> {
    /// Into the certificate of the WebSocket server and its key.
    pub pair: PairCheck<'a>,
    /// Into what the transports of pushes need.
    pub push: PushCheck<'a>,
}

impl fmt::Debug for Looks<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Looks").finish_non_exhaustive()
    }
}

/// Looks into a part of `[push]`; returns all that is wrong with it.
pub type PushCheck<'a> = &'a dyn Fn(&PushPart<'_>) -> Vec<PushFinding>;

/// A part of `[push]` that only whoever sends can judge.
#[derive(Debug, Clone, Copy)]
pub enum PushPart<'a> {
    /// Where to send.
    Url {
        /// Which key says so.
        key: &'static str,
        /// Its value.
        text: &'a str,
    },
    /// `ca-certificate` of a transport.
    Root {
        /// Which key names it.
        key: &'static str,
        /// The file.
        path: &'a Path,
    },
    /// `push.fcm.service-account`
    ServiceAccount(&'a Path),
    /// `push.apns.key`, where it signs.
    SigningKey(&'a Path),
    /// `push.apns.certificate` with what belongs to it.
    Identity {
        /// PEM or .p12.
        certificate: &'a Path,
        /// PEM.
        key: Option<&'a Path>,
        /// Of a .p12.
        password: Option<&'a SecretString>,
    },
    /// Everything together, where nothing is wrong with any part.
    Whole(&'a PushConfig),
}

/// What is wrong with a part of `[push]`. A start would fail for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushFinding {
    /// Which key is to blame; `None`: no single one.
    pub key: Option<&'static str>,
    /// What is wrong. Never a secret.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl Checker<'_> {
    /// Has a part of `[push]` looked into, if somebody does. The first of `places` takes what no other one is blamed
    /// for.
    pub(super) fn look(&mut self, part: &PushPart<'_>, places: &[&Place]) {
        let Some(look) = self.push_look else { return };
        for PushFinding { key, message, hint } in look(part) {
            let blamed = places.iter().find(|place| key == Some(place.key.as_str()));
            if let Some(place) = blamed.or(places.first()) {
                self.problem(place, message, hint);
            }
        }
    }
}
